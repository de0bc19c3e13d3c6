/* The ClientHello reader: what it refuses and by which name; what it takes; and that no cut of the wire
 * changes its answer. Real hellos and captures come from the shared test data and are skipped where that is
 * absent. */
#include "gw/tls/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include "gw/base/limits.h"
#include "tests/tools/capture.h"
#include "tests/tools/hellos.h"

/* ---- helpers ---- */

static enum rc parse(span message, struct hello *h, enum hello_why *why)
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

static void expect_spec(const struct hellos_spec *spec, enum hello_why want)
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

static void expect_block(span block, enum hello_why want)
{
    struct hellos_spec spec = hellos_plain();
    spec.block = block;
    expect_spec(&spec, want);
}

/* Feeds the wire as it stands and one byte at a time; both must say the same. */
static void expect_wire(span wire, enum hello_why want)
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

static void assert_same_u16(const uint16_t *a, size_t na, const uint16_t *b, size_t nb)
{
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na * sizeof a[0]);
}

static void assert_same(const struct hello *a, const struct hello *b)
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
static void feed_in_two(span wire, size_t cut, const struct hello *want)
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

static void feed_bytewise(span wire, const struct hello *want)
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
static void every_cut(span message, size_t step)
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

static const char *data_path(const char *rest, char out[512])
{
    const char *root = getenv("PERRON_DATA");
    snprintf(out, 512, "%s/%s", root ? root : "../shared/data", rest);
    return out;
}

/* ---- what is refused on the wire ---- */

static void what_is_not_tls_is_refused_at_once(void **state)
{
    (void)state;
    expect_wire(SPAN("GET / HTTP/1.1\r\n"), HELLO_NOT_TLS);
    expect_wire(SPAN("SSH-2.0-x"), HELLO_NOT_TLS);
    expect_wire(SPAN("\x15\x03\x01\x00\x02\x02\x28"), HELLO_NOT_TLS);
    expect_wire(SPAN("\x16\x02\x00\x00\x10\x01"), HELLO_NOT_TLS);
    expect_wire(SPAN("\x80\x2e\x07\x03\x01\x00"), HELLO_NOT_TLS);
    assert_int_equal(hello_sniff(SPAN_NONE), RC_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16")), RC_MORE);
    assert_int_equal(hello_sniff(SPAN("\x16\x03")), RC_OK);
    assert_int_equal(hello_sniff(SPAN("\x16\x04")), RC_BAD);
    assert_int_equal(hello_sniff(SPAN("P")), RC_BAD);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e")), RC_MORE);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e\x02")), RC_BAD);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e\x01\x03\x01")), RC_OK);
    assert_int_equal(hello_sniff(SPAN("\x80\x2e\x01\x09\x01")), RC_BAD);
}

/* type, version 3.1, lengths of specs, session id and challenge, then those */
#define V2(specs, session, challenge) "\x01\x03\x01\x00" specs "\x00" session "\x00" challenge

static void bad_hellos_in_the_form_of_ssl2_are_refused(void **state)
{
    (void)state;
    expect_wire(SPAN("\x80\x2e\x01\x00\x02\x00\x15\x00\x00"), HELLO_SSLV2); /* SSL 2.0 itself */
    expect_wire(SPAN("\x80\x08\x01\x03\x01\x00\x00\x00\x00\x00"), HELLO_SHORT);
    expect_wire(SPAN("\x80\x0c" V2("\x06", "\x00", "\x00") "\x00\x00\x2f"), HELLO_SHORT);
    expect_wire(SPAN("\x80\x0d" V2("\x03", "\x00", "\x00") "\x00\x00\x2f\x00"), HELLO_REST);
    expect_wire(SPAN("\x80\x09" V2("\x00", "\x00", "\x00")), HELLO_CIPHERS);
    expect_wire(SPAN("\x80\x0b" V2("\x02", "\x00", "\x00") "\x00\x2f"), HELLO_CIPHERS);
    expect_wire(SPAN("\x80\x2d" V2("\x03", "\x21", "\x00") "\x00\x00\x2f"
                                                           "0123456789abcdef0123456789abcdef0"),
                HELLO_SESSION_ID);
}

static void bad_records_are_refused(void **state)
{
    (void)state;
    expect_wire(SPAN("\x16\x03\x01\x00\x00\x16"), HELLO_RECORD_EMPTY);
    expect_wire(SPAN("\x16\x03\x01\x40\x01\x01"), HELLO_RECORD_LONG);
    expect_wire(SPAN("\x16\x03\x01\x00\x04\x02\x00\x00\x20"), HELLO_NOT_HELLO);
    expect_wire(SPAN("\x16\x03\x01\x00\x04\x01\x01\x00\x00"), HELLO_TOO_LONG);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x15\x03\x01\x00\x02\x02\x28"), HELLO_RECORD_TYPE);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x17\x03\x03\x00\x02\x02\x28"), HELLO_RECORD_TYPE);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x16\x02\x01\x00\x02\x02\x28"), HELLO_RECORD_VERSION);
    expect_wire(SPAN("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00"), HELLO_RECORD_EMPTY);
}

static void bytes_behind_the_hello_in_its_record_are_refused(void **state)
{
    (void)state;
    struct buf m = {0}, wire = {0};
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    assert_int_equal(buf_put_u8(&m, 0), RC_OK);
    hellos_records(&wire, buf_span(&m), 16384, 16384);
    expect_wire(buf_span(&wire), HELLO_RECORD_REST);
    buf_fini(&m);
    buf_fini(&wire);
}

/* A stranger who sends the hello in records of one byte pays for their headers too. */
static void record_headers_count_against_the_limit(void **state)
{
    (void)state;
    struct buf wire = {0}, m = {0};
    struct hellos_spec spec = hellos_plain();
    struct buf block = {0};
    hellos_must(buf_put(&block, SPAN("\x00\x15")));
    hellos_put_vec(&block, 2, span_of(hellos_zero, 12000));
    spec.block = buf_span(&block);
    hellos_build(&m, &spec);
    hellos_records(&wire, buf_span(&m), 1, 1);
    assert_true(buf_len(&wire) > LIM_HELLO_BYTES);
    expect_wire(buf_span(&wire), HELLO_TOO_LONG);
    hellos_records(&wire, buf_span(&m), 1, 16384);
    expect_wire(buf_span(&wire), HELLO_NONE);
    buf_fini(&block);
    buf_fini(&m);
    buf_fini(&wire);
}

/* ---- what is refused in the message ---- */

static void every_truncation_of_a_hello_is_refused(void **state)
{
    (void)state;
    struct buf m = {0}, cut = {0};
    struct hellos_spec spec = hellos_plain();
    struct hello h;
    enum hello_why why;
    hellos_build(&m, &spec);
    for (size_t n = 0; n < buf_len(&m); n++) { /* length fields left as they were */
        assert_int_equal(hello_parse(span_cut(buf_span(&m), 0, n), &h, &why), RC_BAD);
        assert_int_equal(why, HELLO_SHORT);
    }
    size_t no_block = 4 + 2 + 32 + 33 + 8 + 2;
    for (size_t n = 0; n + 4 < buf_len(&m); n++) { /* outer length mended */
        buf_clear(&cut);
        hellos_must(buf_put_u8(&cut, 1));
        hellos_put_vec(&cut, 3, span_cut(buf_span(&m), 4, 4 + n));
        enum rc rc = hello_parse(buf_span(&cut), &h, &why);
        assert_int_equal(rc, n + 4 == no_block ? RC_OK : RC_BAD);
    }
    buf_fini(&m);
    buf_fini(&cut);
}

static void wrong_fixed_fields_are_refused(void **state)
{
    (void)state;
    struct hellos_spec s = hellos_plain();
    s.version = 0x0200;
    expect_spec(&s, HELLO_VERSION);
    s = hellos_plain();
    s.session = span_of(hellos_zero, 33);
    expect_spec(&s, HELLO_SESSION_ID);
    s = hellos_plain();
    s.ciphers = SPAN_NONE;
    expect_spec(&s, HELLO_CIPHERS);
    s.ciphers = SPAN("\x13\x01\x13");
    expect_spec(&s, HELLO_CIPHERS);
    s.ciphers = span_of(hellos_zero, 2 * 257);
    expect_spec(&s, HELLO_TOO_MANY);
    s.ciphers = span_of(hellos_zero, 2 * 256);
    expect_spec(&s, HELLO_NONE);
    s = hellos_plain();
    s.methods = SPAN_NONE;
    expect_spec(&s, HELLO_COMPRESSION);
    s.methods = SPAN("\x01");
    expect_spec(&s, HELLO_COMPRESSION);
    s.methods = SPAN("\x01\x00"); /* sound up to TLS 1.2, and this one offers 1.3 */
    expect_spec(&s, HELLO_COMPRESSION);
    s.block = SPAN_NONE;
    expect_spec(&s, HELLO_NONE);
    s = hellos_plain();
    s.behind = SPAN("\x00");
    expect_spec(&s, HELLO_REST);
}

static void bad_extension_blocks_are_refused(void **state)
{
    (void)state;
    expect_block(SPAN("\x00\x17\x00"), HELLO_SHORT);
    expect_block(SPAN("\x00\x17\x00\x01"), HELLO_SHORT);
    expect_block(SPAN("\x00\x17\x00\x00\x00\x17\x00\x00"), HELLO_EXT_DUPLICATE);
    expect_block(SPAN("\xab\xcd\x00\x00\x00\x17\x00\x00\xab\xcd\x00\x00"), HELLO_EXT_DUPLICATE); /* unknown */
    expect_block(SPAN("\x1a\x1a\x00\x00\x00\x17\x00\x00\x1a\x1a\x00\x00"), HELLO_EXT_DUPLICATE); /* GREASE */
    expect_block(SPAN("\x00\x29\x00\x00\x00\x17\x00\x00"), HELLO_PSK_NOT_LAST);
    expect_block(SPAN("\x00\x17\x00\x00\x00\x29\x00\x00"), HELLO_NONE);
    struct buf many = {0};
    for (uint16_t i = 0; i < 129; i++)
        hellos_must(buf_put_u32(&many, (uint32_t)(0x7000u + i) << 16));
    expect_block(buf_span(&many), HELLO_TOO_MANY);
    expect_block(span_cut(buf_span(&many), 0, 4 * 128), HELLO_NONE);
    buf_fini(&many);
}

static void expect_long_sni(size_t len, enum hello_why want)
{
    struct buf b = {0}, name = {0};
    for (size_t i = 0; i < len; i++)
        hellos_must(buf_put_u8(&name, 'a'));
    hellos_must(buf_put_u16(&b, 0));
    hellos_must(buf_put_u16(&b, (uint16_t)(len + 5)));
    hellos_must(buf_put_u16(&b, (uint16_t)(len + 3)));
    hellos_must(buf_put_u8(&b, 0));
    hellos_put_vec(&b, 2, buf_span(&name));
    expect_block(buf_span(&b), want);
    buf_fini(&b);
    buf_fini(&name);
}

static void bad_server_names_are_refused(void **state)
{
    (void)state;
    expect_block(SPAN("\x00\x00\x00\x00"), HELLO_SNI_EMPTY);
    expect_block(SPAN("\x00\x00\x00\x02\x00\x00"), HELLO_SNI_EMPTY);
    expect_block(SPAN("\x00\x00\x00\x05\x00\x03\x00\x00\x00"), HELLO_SNI_EMPTY);
    expect_block(SPAN("\x00\x00\x00\x01\x00"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x00\x00\x07\x00\x04\x00\x00\x01"
                      "a\x00"),
                 HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x00\x00\x06\x00\x04\x00\x00\x02"
                      "a"),
                 HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x00\x00\x0a\x00\x08\x00\x00\x01"
                      "a\x00\x00\x01"
                      "b"),
                 HELLO_SNI_TWO);
    expect_block(SPAN("\x00\x00\x00\x08\x00\x06\x00\x00\x03"
                      "a\x00"
                      "b"),
                 HELLO_SNI_NUL);
    expect_long_sni(255, HELLO_NONE);
    expect_long_sni(256, HELLO_SNI_LONG);
    expect_long_sni(9000, HELLO_SNI_LONG);
    /* a name of another type beside the host name is passed over */
    expect_block(SPAN("\x00\x00\x00\x0a\x00\x08\x07\x00\x01"
                      "x\x00\x00\x01"
                      "a"),
                 HELLO_NONE);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    expect_block(SPAN("\x00\x10\x00\x02\x00\x00"), HELLO_ALPN_EMPTY);
    expect_block(SPAN("\x00\x10\x00\x03\x00\x01\x00"), HELLO_ALPN_EMPTY);
    expect_block(SPAN("\x00\x10\x00\x04\x00\x02\x02h"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x10\x00\x06\x00\x03\x02h2x"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x2b\x00\x01\x00"), HELLO_VERSIONS_EMPTY);
    expect_block(SPAN("\x00\x2b\x00\x03\x02\x1a\x1a"), HELLO_VERSIONS_EMPTY);
    expect_block(SPAN("\x00\x2b\x00\x04\x03\x03\x04\x03"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x2b\x00\x04\x02\x03\x04\x03"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x0a\x00\x02\x00\x00"), HELLO_GROUPS_EMPTY);
    expect_block(SPAN("\x00\x0a\x00\x03\x00\x01\x00"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x0d\x00\x02\x00\x00"), HELLO_SIGALGS_EMPTY);
    expect_block(SPAN("\x00\x0d\x00\x05\x00\x03\x04\x03\x08"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x33\x00\x06\x00\x04\x00\x1d\x00\x00"), HELLO_KEY_SHARE_EMPTY);
    expect_block(SPAN("\x00\x33\x00\x06\x00\x04\x00\x1d\x00\x01"), HELLO_EXT_MALFORMED);
    expect_block(SPAN("\x00\x33\x00\x0c\x00\x0a\x00\x1d\x00\x01K\x00\x1d\x00\x01K"), HELLO_KEY_SHARE_TWICE);
    expect_block(SPAN("\x00\x33\x00\x02\x00\x00"), HELLO_NONE); /* asks for a HelloRetryRequest */
    expect_block(SPAN("\x00\x2a\x00\x01\x00"), HELLO_EARLY_DATA);
}

static void expect_list_of(uint16_t type, size_t n, size_t item, enum hello_why want)
{
    struct buf list = {0}, b = {0};
    for (size_t i = 0; i < n; i++) {
        hellos_must(buf_put_u16(&list, (uint16_t)(0x0100 + i))); /* as ALPN: one byte of name */
        if (item > 2)
            hellos_must(buf_put(&list, SPAN("\x00\x01K")));
    }
    hellos_must(buf_put_u16(&b, type));
    hellos_must(buf_put_u16(&b, (uint16_t)(buf_len(&list) + 2)));
    hellos_put_vec(&b, 2, buf_span(&list));
    expect_block(buf_span(&b), want);
    buf_fini(&list);
    buf_fini(&b);
}

static void lists_have_an_end(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        size_t item;
    } lists[] = {{16, 2}, {10, 2}, {13, 2}, {51, 5}};
    for (size_t i = 0; i < N_ELEMS(lists); i++) {
        expect_list_of(lists[i].type, HELLO_MAX_LIST, lists[i].item, HELLO_NONE);
        expect_list_of(lists[i].type, HELLO_MAX_LIST + 1, lists[i].item, HELLO_TOO_MANY);
    }
}

static void another_message_is_no_hello(void **state)
{
    (void)state;
    struct hello h;
    enum hello_why why;
    assert_int_equal(hello_parse(SPAN("\x02\x00\x00\x01x"), &h, &why), RC_BAD);
    assert_int_equal(why, HELLO_NOT_HELLO);
    assert_int_equal(hello_parse(SPAN("\x01\x00\x00\x01xy"), &h, &why), RC_BAD);
    assert_int_equal(why, HELLO_RECORD_REST);
}

/* ---- what is taken ---- */

static void a_hello_gives_all_its_facts(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_true(span_eq(h.sni, SPAN("www.example")));
    assert_int_equal(h.legacy_version, 0x0303);
    assert_int_equal(h.n_versions, 2);
    assert_int_equal(h.max_version, 0x0304);
    assert_int_equal(h.n_alpn, 2);
    assert_true(h.alpn_h2 && h.alpn_http11);
    assert_int_equal(h.n_groups, 2);
    assert_int_equal(h.groups[0], 0x11ec);
    assert_true(h.post_quantum);
    assert_int_equal(h.n_key_shares, 1);
    assert_int_equal(h.key_shares[0], 0x001d);
    assert_int_equal(h.n_ciphers, 3);
    assert_false(h.ech || h.early_data);
    /* sha256("1301,1302,c02f"), sha256("000a,000d,002b,0033_0403,0804") */
    assert_string_equal(h.ja4, "t13d0306h2_40b44b994229_e12c865f31a5");
    buf_fini(&m);
}

static void an_old_hello_without_extensions_is_taken(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    spec.version = 0x0301;
    spec.session = SPAN_NONE;
    spec.no_block = true;
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_int_equal(h.sni.n, 0);
    assert_int_equal(h.n_versions, 1);
    assert_int_equal(h.versions[0], 0x0301);
    assert_int_equal(h.max_version, 0x0301);
    assert_memory_equal(h.ja4, "t10i030000_", 11);
    assert_string_equal(h.ja4 + 24, "000000000000");
    every_cut(buf_span(&m), 1);
    buf_fini(&m);
}

/* RFC 5246 appendix E.2; SSL 2.0's own cipher (07 00 c0) is no suite. */
static void a_hello_in_the_form_of_ssl2_may_offer_tls(void **state)
{
    (void)state;
    static const uint8_t wire[] = "\x80\x1f" V2("\x06", "\x00", "\x10") "\x07\x00\xc0\x00\x00\x2f"
                                                                        "0123456789abcdef";
    span all = span_of(wire, sizeof wire - 1);
    expect_wire(all, HELLO_NONE);
    struct hello_reader r;
    struct hello h;
    hello_init(&r);
    assert_int_equal(hello_feed(&r, all, &h), RC_OK);
    assert_int_equal(h.max_version, 0x0301);
    assert_int_equal(h.n_ciphers, 1);
    assert_int_equal(h.ciphers[0], 0x002f);
    assert_int_equal(h.wire_len, all.n);
    assert_memory_equal(h.ja4, "t10i010000_", 11);
    struct hello want = h;
    for (size_t cut = 0; cut < all.n; cut++)
        feed_in_two(all, cut, &want);
    feed_bytewise(all, &want);
    hello_fini(&r);
}

static void grease_leaves_no_trace(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h, plain;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &plain, &why), RC_OK);
    char ja4[JA4_BYTES + 1];
    memcpy(ja4, plain.ja4, sizeof ja4);
    spec.ciphers = SPAN("\x2a\x2a\x13\x01\x13\x02\xc0\x2f");
    spec.block = SPAN("\x3a\x3a\x00\x00"
                      "\x00\x00\x00\x10\x00\x0e\x00\x00\x0bwww.example"
                      "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1"
                      "\x00\x2b\x00\x07\x06\x4a\x4a\x03\x04\x03\x03"
                      "\x00\x0a\x00\x08\x00\x06\x5a\x5a\x11\xec\x00\x1d"
                      "\x00\x33\x00\x0c\x00\x0a\x5a\x5a\x00\x01\x00\x00\x1d\x00\x01K"
                      "\x00\x0d\x00\x08\x00\x06\xda\xda\x04\x03\x08\x04"
                      "\x7a\x7a\x00\x01\x00");
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_string_equal(h.ja4, ja4);
    assert_int_equal(h.n_versions, 2);
    assert_int_equal(h.n_groups, 2);
    assert_int_equal(h.n_key_shares, 1);
    assert_int_equal(h.n_ciphers, 3);
    buf_fini(&m);
}

/* Signatures with SHA-1 in any place of the list; a certificate after the handshake only with an empty body.
 */
static void sha_1_and_late_certificates_are_seen(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    spec.block = SPAN("\x00\x0d\x00\x06\x00\x04\x04\x03\x02\x03"
                      "\x00\x31\x00\x00");
    hellos_build(&m, &spec);
    assert_int_equal(hello_parse(buf_span(&m), &h, &why), RC_OK);
    assert_true(h.sha1_signatures && h.post_handshake_auth);
    buf_clear(&m);
    spec.block = SPAN("\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04");
    hellos_build(&m, &spec);
    assert_int_equal(hello_parse(buf_span(&m), &h, &why), RC_OK);
    assert_false(h.sha1_signatures || h.post_handshake_auth);
    buf_clear(&m);
    spec.block = SPAN("\x00\x31\x00\x01\x00");
    hellos_build(&m, &spec);
    assert_int_equal(hello_parse(buf_span(&m), &h, &why), RC_BAD);
    buf_fini(&m);
}

static void ech_early_data_and_drafts_are_seen(void **state)
{
    (void)state;
    struct buf m = {0};
    struct hello h;
    enum hello_why why;
    struct hellos_spec spec = hellos_plain();
    spec.block = SPAN("\xfe\x0d\x00\x02\x00\x01"
                      "\x00\x2a\x00\x00"
                      "\x00\x2b\x00\x05\x04\x7f\x1c\x03\x03");
    hellos_build(&m, &spec);
    assert_int_equal(parse(buf_span(&m), &h, &why), RC_OK);
    assert_true(h.ech && h.early_data);
    assert_false(h.post_quantum);
    assert_int_equal(h.max_version, 0x0303);
    assert_memory_equal(h.ja4, "t00i0303", 8); /* JA4 takes the highest number, which is the draft's */
    buf_fini(&m);
}

static void expect_ja4_alpn(span alpn, const char *two)
{
    struct ja4_in in = {.alpn = alpn};
    char ja4[JA4_BYTES + 1];
    assert_int_equal(ja4_make(&in, ja4), RC_OK);
    assert_memory_equal(ja4 + 8, two, 2);
}

static void ja4_shows_only_letters_and_digits_of_alpn(void **state)
{
    (void)state;
    expect_ja4_alpn(SPAN_NONE, "00");
    expect_ja4_alpn(SPAN("h2"), "h2");
    expect_ja4_alpn(SPAN("http/1.1"), "h1");
    expect_ja4_alpn(SPAN("x"), "xx");
    expect_ja4_alpn(SPAN("\xab\xcd"), "99");
    expect_ja4_alpn(SPAN("\n\""), "99");
}

static void ja4_counts_stop_at_99(void **state)
{
    (void)state;
    uint16_t list[JA4_MAX_LIST];
    for (uint16_t i = 0; i < JA4_MAX_LIST; i++)
        list[i] = (uint16_t)(0x8000 + i);
    struct ja4_in in = {.ciphers = list, .extensions = list, .sigalgs = list, .n_ciphers = 99};
    char ja4[JA4_BYTES + 1];
    in.n_extensions = in.n_sigalgs = JA4_MAX_LIST;
    assert_int_equal(ja4_make(&in, ja4), RC_OK);
    assert_memory_equal(ja4, "t00i999900_", 11);
    in.n_ciphers = JA4_MAX_LIST;
    assert_int_equal(ja4_make(&in, ja4), RC_OK);
    assert_memory_equal(ja4, "t00i999900_", 11);
}

static void what_follows_the_hello_is_left_alone(void **state)
{
    (void)state;
    struct buf m = {0}, wire = {0};
    struct hello h;
    struct hello_reader r;
    struct hellos_spec spec = hellos_plain();
    hellos_build(&m, &spec);
    hellos_records(&wire, buf_span(&m), 16384, 16384);
    size_t len = buf_len(&wire);
    hellos_must(buf_put(&wire, SPAN("\x14\x03\x03\x00\x01\x01")));
    hello_init(&r);
    assert_int_equal(hello_feed(&r, buf_span(&wire), &h), RC_OK);
    assert_int_equal(h.wire_len, len);
    assert_int_equal(r.fed, len);
    hello_fini(&r);
    buf_fini(&m);
    buf_fini(&wire);
}

static void a_hello_of_40_kib_in_any_cut_gives_one_answer(void **state)
{
    (void)state;
    struct buf m = {0}, block = {0};
    struct hellos_spec spec = hellos_plain();
    hellos_must(buf_put(&block, spec.block));
    hellos_must(buf_put(&block, SPAN("\x00\x15")));
    hellos_put_vec(&block, 2, span_of(hellos_zero, 30000));
    hellos_must(buf_put(&block, SPAN("\xab\xcd")));
    hellos_put_vec(&block, 2, span_of(hellos_zero, 10000));
    spec.block = buf_span(&block);
    hellos_build(&m, &spec);
    every_cut(buf_span(&m), 37);
    buf_fini(&m);
    buf_fini(&block);
}

static void every_reason_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HELLO_WHY_N; i++) {
        assert_true(strlen(hello_why_name((enum hello_why)i)) > 2);
        assert_true(strlen(hello_why_text((enum hello_why)i)) > 10);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(hello_why_name((enum hello_why)i), hello_why_name((enum hello_why)j));
    }
    assert_string_equal(hello_why_name(HELLO_WHY_N), "none");
}

/* ---- real ones ---- */

/* As it came, in every cut; and its message, recorded anew in every way. One of them is in the form of
 * SSL 2.0. */
static void check_real(const json_t *entry)
{
    struct buf wire = {0};
    struct hello_reader r;
    struct hello h;
    hellos_from_hex(&wire, json_string_value(json_object_get(entry, "client_hello_record_hex")));
    hello_init(&r);
    enum rc rc = hello_feed(&r, buf_span(&wire), &h);
    if (rc != RC_OK)
        print_error("%s: %s\n", json_string_value(json_object_get(entry, "name")), hello_why_name(r.why));
    assert_int_equal(rc, RC_OK);
    for (size_t cut = 0; cut < buf_len(&wire); cut++)
        feed_in_two(buf_span(&wire), cut, &h);
    feed_bytewise(buf_span(&wire), &h);
    if (!r.v2_len)
        every_cut(buf_span(&r.msg), 1);
    hello_fini(&r);
    buf_fini(&wire);
}

static void every_real_hello_parses_in_any_cut(void **state)
{
    (void)state;
    char path[512];
    json_t *all = json_load_file(data_path("tls/client-hellos/client_hellos.json", path), 0, NULL);
    if (!all) {
        print_message("no shared test data at %s\n", path);
        skip();
    }
    assert_int_equal(json_array_size(all), 81);
    for (size_t i = 0; i < json_array_size(all); i++)
        check_real(json_array_get(all, i));
    json_decref(all);
}

/* The hellos at the start of a client's stream: the first, and the second one after a HelloRetryRequest
 * (behind a change_cipher_spec record). Returns how many. */
static size_t stream_hellos(span bytes, char ja4[2][JA4_BYTES + 1])
{
    size_t n = 0;
    while (n < 2) {
        struct hello_reader r;
        struct hello h;
        if (span_has_prefix(bytes, SPAN("\x14\x03\x03\x00\x01\x01")))
            bytes = span_cut(bytes, 6, bytes.n);
        hello_init(&r);
        bool ok = hello_feed(&r, bytes, &h) == RC_OK;
        if (ok) {
            memcpy(ja4[n++], h.ja4, sizeof h.ja4);
            every_cut(buf_span(&r.msg), 1);
            bytes = span_cut(bytes, h.wire_len, bytes.n);
        }
        hello_fini(&r);
        if (!ok)
            break;
    }
    return n;
}

static const struct capture_stream *stream_of_port(const struct capture *c, long port)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->s[i].src_port == port)
            return &c->s[i];
    }
    return NULL;
}

/* One stream as the python implementation printed it: JA4.1 and, after a HelloRetryRequest, JA4.2. */
static size_t check_stream(const struct capture *c, const json_t *want)
{
    char ja4[2][JA4_BYTES + 1] = {""};
    const char *first = json_string_value(json_object_get(want, "JA4.1"));
    const char *second = json_string_value(json_object_get(want, "JA4.2"));
    if (!first || first[0] != 't')
        return 0;
    const struct capture_stream *s =
        stream_of_port(c, strtol(json_string_value(json_object_get(want, "srcport")), NULL, 10));
    assert_non_null(s);
    size_t n = stream_hellos(buf_span(&s->bytes), ja4);
    assert_int_equal(n, second ? 2 : 1);
    assert_string_equal(ja4[0], first);
    if (second)
        assert_string_equal(ja4[1], second);
    return n;
}

static size_t check_python(const struct capture *c, const char *name)
{
    char rest[256], path[512];
    size_t n = 0;
    snprintf(rest, sizeof rest, "tls/ja4/expected-python/%s.json", name);
    json_t *all = json_load_file(data_path(rest, path), 0, NULL);
    assert_non_null(all);
    for (size_t i = 0; i < json_array_size(all); i++)
        n += check_stream(c, json_array_get(all, i));
    json_decref(all);
    return n;
}

/* Snapshot lines of the rust implementation: "src_port: N" comes before "ja4: t..." of the same stream. */
static size_t check_rust(const struct capture *c, const char *name)
{
    char rest[256], path[512], line[512], got[2][JA4_BYTES + 1], want[JA4_BYTES + 1];
    long port = 0;
    size_t n = 0;
    snprintf(rest, sizeof rest, "tls/ja4/expected-rust/%s.snap", name);
    FILE *f = fopen(data_path(rest, path), "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        sscanf(line, " src_port: %ld", &port);
        if (sscanf(line, " ja4: %36s", want) != 1 || want[0] != 't')
            continue;
        const struct capture_stream *s = stream_of_port(c, port);
        assert_non_null(s);
        assert_true(stream_hellos(buf_span(&s->bytes), got) >= 1);
        assert_string_equal(got[0], want);
        n++;
    }
    fclose(f);
    return n;
}

static void ja4_equals_the_published_values(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t python, rust;
    } captures[] = {
        {"browsers-x509.pcapng", 3, 3},
        {"chrome-cloudflare-quic-with-secrets.pcapng", 1, 1},
        {"macos_tcp_flags.pcap", 1, 1},
        {"ssh2.pcapng", 5, 5},
        {"tls-non-ascii-alpn.pcapng", 1, 1},
        {"tls-sni.pcapng", 64, 59},
        {"tls12.pcap", 1, 1},
        {"dhcp.pcapng", 0, 0},
        {"v6.pcap", 0, 0},
        {"gre-erspan-vxlan.pcap", 0, 0},
    };
    for (size_t i = 0; i < N_ELEMS(captures); i++) {
        char rest[256], path[512];
        snprintf(rest, sizeof rest, "tls/ja4/pcap/%s", captures[i].name);
        struct capture *c = capture_open(data_path(rest, path));
        if (!c) {
            print_message("no shared test data at %s\n", path);
            skip();
        }
        size_t python = check_python(c, captures[i].name), rust = check_rust(c, captures[i].name);
        print_message("%s: %zu hellos against python, %zu against rust\n", captures[i].name, python, rust);
        assert_int_equal(python, captures[i].python);
        assert_int_equal(rust, captures[i].rust);
        capture_close(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_tls_is_refused_at_once),
        cmocka_unit_test(bad_hellos_in_the_form_of_ssl2_are_refused),
        cmocka_unit_test(bad_records_are_refused),
        cmocka_unit_test(bytes_behind_the_hello_in_its_record_are_refused),
        cmocka_unit_test(record_headers_count_against_the_limit),
        cmocka_unit_test(every_truncation_of_a_hello_is_refused),
        cmocka_unit_test(wrong_fixed_fields_are_refused),
        cmocka_unit_test(bad_extension_blocks_are_refused),
        cmocka_unit_test(bad_server_names_are_refused),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(another_message_is_no_hello),
        cmocka_unit_test(a_hello_gives_all_its_facts),
        cmocka_unit_test(an_old_hello_without_extensions_is_taken),
        cmocka_unit_test(a_hello_in_the_form_of_ssl2_may_offer_tls),
        cmocka_unit_test(grease_leaves_no_trace),
        cmocka_unit_test(sha_1_and_late_certificates_are_seen),
        cmocka_unit_test(ech_early_data_and_drafts_are_seen),
        cmocka_unit_test(ja4_shows_only_letters_and_digits_of_alpn),
        cmocka_unit_test(ja4_counts_stop_at_99),
        cmocka_unit_test(what_follows_the_hello_is_left_alone),
        cmocka_unit_test(a_hello_of_40_kib_in_any_cut_gives_one_answer),
        cmocka_unit_test(every_reason_has_a_name_and_a_sentence),
        cmocka_unit_test(every_real_hello_parses_in_any_cut),
        cmocka_unit_test(ja4_equals_the_published_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
