/* For the tests of the ClientHello reader: messages and wires, and what must be said about them in every cut.
 */
#ifndef TESTS_UNIT_GW_TLS_HELLO_HELP_H
#define TESTS_UNIT_GW_TLS_HELLO_HELP_H

#include "gw/tls/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "gw/base/limits.h"
#include "tests/tools/capture.h"
#include "tests/tools/hellos.h"

static inline enum rc parse(span message, struct hello *h, enum hello_why *why)
{
    struct hello_reader r;
    struct buf wire = {0};
    hellos_records(&wire, message, 16384, 16384);
    hello_init(&r);
    enum rc fed = hello_feed(&r, buf_span(&wire), h);
    enum rc rc = hello_parse(message, h, why);
    if (rc == RC_OK)
        assert_int_equal(fed, RC_OK);
    hello_fini(&r);
    buf_fini(&wire);
    return rc;
}

static inline void expect_spec(const struct hellos_spec *spec, enum hello_why want)
{
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    hellos_build(&m, spec);
    enum rc rc = parse(buf_span(&m), &h, &why);
    if (why != want)
        print_error("got %s, want %s\n", hello_why_name(why), hello_why_name(want));
    assert_int_equal(why, want);
    assert_int_equal(rc, want == HELLO_NONE ? RC_OK : RC_BAD);
    buf_fini(&m);
}

static inline void expect_block(span block, enum hello_why want)
{
    struct hellos_spec spec = hellos_plain();
    spec.block = block;
    expect_spec(&spec, want);
}

/* Feeds the wire as it stands and one byte at a time; both must say the same. */
static inline void expect_wire(span wire, enum hello_why want)
{
    struct hello h;
    for (int bytewise = 0; bytewise < 2; bytewise++) {
        struct hello_reader r;
        enum rc rc = RC_MORE;
        hello_init(&r);
        if (!bytewise)
            rc = hello_feed(&r, wire, &h);
        for (size_t i = 0; bytewise && i < wire.n && rc == RC_MORE; i++)
            rc = hello_feed(&r, span_cut(wire, i, i + 1), &h);
        if (r.why != want)
            print_error("got %s, want %s\n", hello_why_name(r.why), hello_why_name(want));
        assert_int_equal(r.why, want);
        assert_int_equal(rc, want == HELLO_NONE ? RC_OK : RC_BAD);
        assert_int_equal(hello_feed(&r, SPAN("more"), &h), rc); /* and keeps to it */
        hello_fini(&r);
    }
}

static inline void assert_same_u16(const uint16_t *a, size_t na, const uint16_t *b, size_t nb)
{
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na * sizeof a[0]);
}

static inline void assert_same(const struct hello *a, const struct hello *b)
{
    assert_true(span_eq(a->sni, b->sni));
    assert_int_equal(a->legacy_version, b->legacy_version);
    assert_int_equal(a->max_version, b->max_version);
    assert_same_u16(a->versions, a->n_versions, b->versions, b->n_versions);
    assert_same_u16(a->groups, a->n_groups, b->groups, b->n_groups);
    assert_same_u16(a->key_shares, a->n_key_shares, b->key_shares, b->n_key_shares);
    assert_same_u16(a->ciphers, a->n_ciphers, b->ciphers, b->n_ciphers);
    assert_int_equal(a->n_alpn, b->n_alpn);
    for (size_t i = 0; i < a->n_alpn; i++)
        assert_true(span_eq(a->alpn[i], b->alpn[i]));
    assert_int_equal(a->alpn_h2 | a->alpn_http11 << 1, b->alpn_h2 | b->alpn_http11 << 1);
    assert_int_equal(a->ech | a->early_data << 1 | a->post_quantum << 2,
                     b->ech | b->early_data << 1 | b->post_quantum << 2);
    assert_string_equal(a->ja4, b->ja4);
}

/* Feeds wire[0, cut) and the rest; the first part alone must not be enough. */
static inline void feed_in_two(span wire, size_t cut, const struct hello *want)
{
    struct hello_reader r;
    struct hello h;
    hello_init(&r);
    if (cut > 0)
        assert_int_equal(hello_feed(&r, span_cut(wire, 0, cut), &h), RC_MORE);
    assert_int_equal(hello_feed(&r, span_cut(wire, cut, wire.n), &h), RC_OK);
    assert_int_equal(h.wire_len, wire.n);
    assert_int_equal(r.fed, wire.n);
    assert_same(&h, want);
    hello_fini(&r);
}

static inline void feed_bytewise(span wire, const struct hello *want)
{
    struct hello_reader r;
    struct hello h;
    hello_init(&r);
    for (size_t i = 0; i + 1 < wire.n; i++)
        assert_int_equal(hello_feed(&r, span_cut(wire, i, i + 1), &h), RC_MORE);
    assert_int_equal(hello_feed(&r, span_cut(wire, wire.n - 1, wire.n), &h), RC_OK);
    assert_int_equal(h.wire_len, wire.n);
    assert_same(&h, want);
    hello_fini(&r);
}

/* Every cut of one message: into two segments at each offset, into two records at each offset, byte by byte,
 * and in records of one byte each. `step` skips offsets of very long hellos. */
static inline void every_cut(span message, size_t step)
{
    struct buf wire = {0};
    struct hello want;
    enum hello_why why;
    assert_int_equal(hello_parse(message, &want, &why), RC_OK);
    hellos_records(&wire, message, 16384, 16384);
    for (size_t cut = 0; cut < buf_len(&wire); cut += step)
        feed_in_two(buf_span(&wire), cut, &want);
    feed_bytewise(buf_span(&wire), &want);
    for (size_t first = 1; first < message.n; first += step) {
        hellos_records(&wire, message, first > 16384 ? 16384 : first, 16384);
        feed_in_two(buf_span(&wire), (first + 7) % buf_len(&wire), &want);
    }
    if (message.n * 6 <= LIM_HELLO_BYTES) {
        hellos_records(&wire, message, 1, 1);
        feed_in_two(buf_span(&wire), 0, &want);
        feed_bytewise(buf_span(&wire), &want);
    }
    buf_fini(&wire);
}

static inline const char *data_path(const char *rest, char out[512])
{
    const char *root = getenv("PERRON_DATA");
    snprintf(out, 512, "%s/%s", root ? root : "../shared/data", rest);
    return out;
}

/* type, version 3.1, lengths of specs, session id and challenge, then those */
#define V2(specs, session, challenge) "\x01\x03\x01\x00" specs "\x00" session "\x00" challenge

#endif
