/* Help for the tests of gw/http: messages as text, inputs in blocks of their exact size so that a sanitizer
 * sees a byte read too many, and reading in one piece or cut. */
#ifndef TESTS_UNIT_GW_HTTP_H1_HELP_H
#define TESTS_UNIT_GW_HTTP_H1_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw/http/h1.h"

/* What reading gave, as one text: reason, or the whole message and the bytes used. */
struct outcome {
    enum rc rc;
    enum h1_why why;
    struct buf text;
};

static inline span text_span(const char *s)
{
    return span_str(s);
}

static inline span copy_exact(span in)
{
    uint8_t *p = malloc(in.n ? in.n : 1);
    assert_non_null(p);
    if (in.n)
        memcpy(p, in.p, in.n);
    return span_of(p, in.n);
}

static inline void put(struct buf *b, const char *label, span s)
{
    assert_int_equal(buf_put_str(b, label), RC_OK);
    assert_int_equal(buf_put(b, s), RC_OK);
    assert_int_equal(buf_put_u8(b, '\n'), RC_OK);
}

static inline void put_number(struct buf *b, const char *label, uint64_t v)
{
    assert_int_equal(buf_put_str(b, label), RC_OK);
    assert_int_equal(buf_put_dec(b, v), RC_OK);
    assert_int_equal(buf_put_u8(b, '\n'), RC_OK);
}

static inline void msg_text(const struct msg *m, struct buf *b)
{
    put_number(b, "minor ", m->minor);
    put(b, "method ", m->method);
    put(b, "target ", m->target);
    put_number(b, "form ", m->form);
    put(b, "scheme ", m->scheme);
    put(b, "host ", m->host);
    put_number(b, "port ", m->port);
    put(b, "path ", m->path);
    put(b, m->has_query ? "query ?" : "query ", m->query);
    put_number(b, "status ", m->status);
    put(b, "reason ", m->reason);
    for (size_t i = 0; i < m->n_fields; i++) {
        put(b, "name ", m->fields[i].name);
        put(b, "value ", m->fields[i].value);
    }
    put_number(b, "body ", m->body);
    put_number(b, "length ", m->length);
    put_number(b, "flags ", m->has_length + 2 * m->keep_alive + 4 * m->expect_continue + 8 * m->upgrade);
    put(b, "upgrade ", m->upgrade_to);
}

/* `method` NULL: a request; else the response to that. Reads in[0, cut), then all. The message lives in *m,
 * over a copy of the input that the caller frees through *block. */
static inline enum rc read_head_cut(span in, const char *method, size_t cut, struct msg *m, size_t *used,
                                    enum h1_why *why, span *block)
{
    struct h1_head h;
    size_t steps[2] = {cut, in.n};
    enum rc rc = RC_MORE;
    h1_head_init(&h);
    *block = SPAN_NONE;
    *used = 0;
    for (size_t i = cut == in.n; i < 2 && rc == RC_MORE; i++) {
        free((void *)(uintptr_t)block->p);
        *block = copy_exact(span_cut(in, 0, steps[i]));
        rc = method ? h1_response(&h, *block, span_str(method), m, used) : h1_request(&h, *block, m, used);
    }
    *why = h.why;
    return rc;
}

static inline void free_block(span block)
{
    free((void *)(uintptr_t)block.p);
}

static inline struct outcome outcome_of(span in, const char *method, size_t cut)
{
    static struct msg m;
    struct outcome o = {0};
    size_t used;
    span block;
    o.rc = read_head_cut(in, method, cut, &m, &used, &o.why, &block);
    if (o.rc == RC_OK) {
        put_number(&o.text, "used ", used);
        msg_text(&m, &o.text);
    }
    free_block(block);
    return o;
}

/* Every cut gives what the whole gives. */
static inline void assert_cuts_agree(span in, const char *method)
{
    struct outcome whole = outcome_of(in, method, in.n);
    size_t step = in.n > 2000 ? in.n / 97 : 1;
    for (size_t cut = 0; cut < in.n; cut += step) {
        struct outcome o = outcome_of(in, method, cut);
        if (o.rc != whole.rc || o.why != whole.why || !span_eq(buf_span(&o.text), buf_span(&whole.text)))
            fail_msg("cut at %zu: %s %s, whole: %s %s, of:\n%.*s", cut, rc_name(o.rc), h1_why_name(o.why),
                     rc_name(whole.rc), h1_why_name(whole.why), (int)(in.n < 300 ? in.n : 300), in.p);
        buf_fini(&o.text);
    }
    buf_fini(&whole.text);
}

static inline void assert_why(span in, const char *method, enum h1_why want)
{
    struct outcome o = outcome_of(in, method, in.n);
    if (o.why != want || o.rc != (want == H1_NONE ? RC_OK : RC_BAD))
        fail_msg("%s %s instead of %s, of:\n%.*s", rc_name(o.rc), h1_why_name(o.why), h1_why_name(want),
                 (int)(in.n < 300 ? in.n : 300), in.p);
    buf_fini(&o.text);
}

#endif
