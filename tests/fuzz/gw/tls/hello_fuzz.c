/* Any bytes as a client's first bytes. Beyond not crashing: the answer does not depend on the cut, what is
 * accepted has sound facts, and the reader holds no more than its cap. The first two bytes say where the wire
 * is cut in two. */
#include "gw/tls/hello.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_facts(const struct hello *h)
{
    gw_assert(h->n_versions >= 1 && h->n_versions <= HELLO_MAX_LIST);
    gw_assert(h->n_alpn <= HELLO_MAX_LIST && h->n_groups <= HELLO_MAX_LIST &&
              h->n_key_shares <= HELLO_MAX_LIST);
    gw_assert(h->sni.n <= 255 && span_find(h->sni, 0, 0) == SIZE_MAX);
    gw_assert(strlen(h->ja4) == JA4_BYTES);
    for (size_t i = 0; i < h->n_alpn; i++)
        gw_assert(h->alpn[i].n > 0);
}

static enum rc feed(struct hello_reader *r, span a, span b, struct hello *h)
{
    hello_init(r);
    enum rc rc = hello_feed(r, a, h);
    if (rc == RC_MORE)
        rc = hello_feed(r, b, h);
    gw_assert(r->msg.cap <= LIM_HELLO_BYTES && r->fed <= LIM_HELLO_BYTES);
    gw_assert((rc == RC_BAD) == (r->why != HELLO_NONE));
    if (rc == RC_OK)
        check_facts(h);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hello one, two;
    struct hello_reader r1, r2;
    if (size < 2)
        return 0;
    span wire = span_of(data + 2, size - 2);
    size_t cut = (size_t)(data[0] << 8 | data[1]) % (wire.n + 1);
    enum rc rc = feed(&r1, wire, SPAN_NONE, &one);
    gw_assert(feed(&r2, span_cut(wire, 0, cut), span_cut(wire, cut, wire.n), &two) == rc);
    gw_assert(r1.why == r2.why);
    if (rc == RC_OK)
        gw_assert(memcmp(one.ja4, two.ja4, sizeof one.ja4) == 0 && span_eq(one.sni, two.sni) &&
                  one.wire_len == two.wire_len);
    if (wire.n && hello_sniff(wire) == RC_BAD)
        gw_assert(rc != RC_OK);
    hello_fini(&r1);
    hello_fini(&r2);
    enum hello_why why;
    if (hello_parse(wire, &one, &why) == RC_OK)
        check_facts(&one);
    return 0;
}
