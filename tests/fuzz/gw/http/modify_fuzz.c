/* A request as a client sends it, changed as policy wants it: whatever came, method, host and path are those
 * that were judged, no more fields leave than we add, a field of ours stands there once and what it replaces
 * is gone, and what leaves is read again as the same message. The first line is the name that was judged; a
 * second go with the result changes nothing more. Alt-Svc: nothing over QUIC is left, and a second filter
 * finds nothing. */
#include "gw/base/obj.h"
#include "gw/http/h1.h"
#include "gw/http/modify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void alt_svc(span in)
{
    static uint8_t out[LIM_HEAD_BYTES], twice[LIM_HEAD_BYTES];
    if (in.n > sizeof out)
        return;
    size_t n = modify_alt_svc(in, out);
    gw_assert(n <= in.n);
    size_t m = modify_alt_svc(span_of(out, n), twice);
    gw_assert(span_eq(span_of(out, n), span_of(twice, m)));
}

static unsigned count(const struct msg *m, span name)
{
    unsigned n = 0;
    for (size_t i = 0; i < m->n_fields; i++)
        n += span_ieq(m->fields[i].name, name);
    return n;
}

static void check(const struct msg *before, const struct msg *after, const struct modified *did)
{
    gw_assert(span_eq(before->method, after->method) && span_eq(before->host, after->host));
    gw_assert(span_eq(before->path, after->path) && before->port == after->port);
    gw_assert(after->n_fields <= before->n_fields + LIM_HEAD_OWN);
    gw_assert(did->safe_search || span_eq(before->query, after->query));
    gw_assert(!did->youtube || count(after, SPAN("youtube-restrict")) == 1);
    gw_assert(count(after, SPAN("x-forwarded-for")) == 1 && count(after, SPAN("forwarded")) == 0);
    gw_assert(!(did->headers & 1) || count(after, SPAN("x-house")) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct msg before, after;
    span in = span_of(data, size);
    size_t line = span_find(in, '\n', 0), used;
    alt_svc(in);
    if (line == SIZE_MAX || line > LIM_NAME_BYTES)
        return 0;
    uint8_t host[LIM_NAME_BYTES];
    size_t host_n = name_normalise(span_cut(in, 0, line), host);
    struct h1_head h;
    h1_head_init(&h);
    if (h1_request(&h, span_cut(in, line + 1, in.n), &before, &used) != RC_OK)
        return 0;
    struct modify how = {.safe_search = true,
                         .youtube = YOUTUBE_STRICT,
                         .forwarded = FORWARDED_ADD,
                         .client = {.family = 4, .b = {192, 0, 2, 1}},
                         .headers = {{SPAN("X-House"), SPAN("7"), false},
                                     {SPAN("Restrict-Access-To-Tenants"), SPAN("a"), false}},
                         .n_headers = 2};
    struct modified did, again;
    struct arena mem;
    struct buf one = {0}, two = {0};
    arena_init(&mem, 1 << 20);
    after = before;
    gw_assert(modify_request(&after, span_of(host, host_n), &how, &mem, &did) == RC_OK);
    check(&before, &after, &did);
    gw_assert(relay_request(&one, &after, &(struct relay_opts){0}) == RC_OK);
    gw_assert(modify_request(&after, span_of(host, host_n), &how, &mem, &again) == RC_OK);
    gw_assert(relay_request(&two, &after, &(struct relay_opts){0}) == RC_OK);
    gw_assert(span_eq(buf_span(&one), buf_span(&two)));
    gw_assert(did.safe_search == again.safe_search && did.youtube == again.youtube &&
              did.headers == again.headers);
    buf_fini(&one);
    buf_fini(&two);
    arena_fini(&mem);
    return 0;
}
