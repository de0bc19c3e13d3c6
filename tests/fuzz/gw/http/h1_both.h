/* What the fuzz targets of both directions ask of a head: the answer does not depend on the cut; what is
 * taken can be written, is clean, and reads as the same message again. */
#ifndef TESTS_FUZZ_GW_HTTP_H1_BOTH_H
#define TESTS_FUZZ_GW_HTTP_H1_BOTH_H

#include "gw/base/obj.h"
#include "gw/http/h1.h"

static inline span block(span in)
{
    uint8_t *p = malloc(in.n ? in.n : 1);
    gw_assert(p);
    if (in.n)
        memcpy(p, in.p, in.n);
    return span_of(p, in.n);
}

/* `method` without bytes: a request. */
static inline enum rc head_read(struct h1_head *h, span in, span method, struct msg *m, size_t *used)
{
    return method.n ? h1_response(h, in, method, m, used) : h1_request(h, in, m, used);
}

static inline enum rc head_write(struct buf *out, const struct msg *m)
{
    static const struct relay_opts o;
    return m->is_request ? relay_request(out, m, &o) : relay_response(out, m, &o);
}

/* Lines end in CRLF, nothing else is a control byte but tab, and at most one field frames. */
static inline void assert_clean(span head)
{
    unsigned framing = 0;
    size_t line = 0;
    for (size_t i = 0; i < head.n; i++) {
        uint8_t c = head.p[i];
        gw_assert(c >= 0x20 || c == '\t' || (c == '\r' && i + 1 < head.n && head.p[i + 1] == '\n') ||
                  (c == '\n' && i > 0 && head.p[i - 1] == '\r'));
        if (c != '\n')
            continue;
        span s = span_cut(head, line, i);
        framing += span_ieq(span_cut(s, 0, 15), SPAN("content-length:"));
        framing += span_ieq(span_cut(s, 0, 18), SPAN("transfer-encoding:"));
        line = i + 1;
    }
    gw_assert(framing <= 1);
}

static inline void write_again(const struct msg *m, span method)
{
    static struct msg again;
    struct buf one = {0}, two = {0};
    struct h1_head h;
    size_t used;
    if (!m->is_request && m->status == 101 && !m->upgrade)
        return;
    gw_assert(head_write(&one, m) == RC_OK);
    assert_clean(buf_span(&one));
    h1_head_init(&h);
    enum rc rc = head_read(&h, buf_span(&one), method, &again, &used);
    /* a host that only HTTP/1.0 may lack, and what our own words add at the very caps, are the writer's
     * caller's */
    if (rc == RC_OK) {
        gw_assert(used == one.w && again.body == m->body && again.upgrade == m->upgrade);
        gw_assert(head_write(&two, &again) == RC_OK && span_eq(buf_span(&one), buf_span(&two)));
    } else {
        gw_assert((m->is_request && m->host.n == 0) || h.why == H1_HEAD_LONG || h.why == H1_FIELD_COUNT ||
                  h.why == H1_TARGET_LONG);
    }
    buf_fini(&one);
    buf_fini(&two);
}

static inline void check_head(span in, span method, size_t cut)
{
    static struct msg m, n;
    struct h1_head a, b;
    size_t used_a = 0, used_b = 0;
    span whole = block(in), part = block(span_cut(in, 0, cut));
    h1_head_init(&a);
    h1_head_init(&b);
    enum rc rc = head_read(&a, whole, method, &m, &used_a);
    enum rc rc_cut = head_read(&b, part, method, &n, &used_b);
    free((void *)(uintptr_t)part.p);
    if (rc_cut == RC_MORE)
        rc_cut = head_read(&b, whole, method, &n, &used_b);
    gw_assert(rc == rc_cut && a.why == b.why && used_a == used_b);
    gw_assert(rc == RC_OK || rc == RC_MORE || (rc == RC_BAD && a.why != H1_NONE));
    if (rc == RC_OK) {
        gw_assert(used_a <= in.n && used_a <= LIM_HEAD_BYTES && m.n_fields == n.n_fields && m.body == n.body);
        write_again(&m, method);
    }
    free((void *)(uintptr_t)whole.p);
}

#endif
