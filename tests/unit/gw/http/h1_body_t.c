/* Bodies: framing that is refused, content that comes out the same however the wire was cut, trailers that
 * are kept and dropped (threats.md rows 66 and 67). */
#include "tests/unit/gw/http/h1_help.h"

struct result {
    enum rc rc;
    enum h1_why why;
    size_t used;
    struct buf content;
    struct buf trailers;
};

static void take_trailers(const struct h1_body *b, struct result *r)
{
    struct field f[16];
    size_t n = h1_body_trailers(b, f, 16);
    for (size_t i = 0; i < n; i++) {
        put(&r->trailers, "", f[i].name);
        put(&r->trailers, "=", f[i].value);
    }
}

/* Feeds the body in pieces of `step` bytes, each in a block of its own. */
static struct result read_body(enum body_kind kind, uint64_t length, span in, size_t step)
{
    struct msg m = {.body = kind, .length = length};
    struct h1_body b;
    struct result r = {.rc = RC_MORE};
    h1_body_init(&b, &m);
    for (size_t at = 0; at < in.n && r.rc == RC_MORE;) {
        span piece = copy_exact(span_cut(in, at, at + step)), rest = piece, data;
        size_t used;
        while (r.rc == RC_MORE && rest.n > 0) {
            r.rc = h1_body_read(&b, rest, &used, &data);
            assert_true(used <= rest.n &&
                        (data.n == 0 || (data.p >= rest.p && data.p + data.n <= rest.p + used)));
            assert_true(r.rc != RC_MORE || used > 0);
            assert_int_equal(buf_put(&r.content, data), RC_OK);
            rest = span_cut(rest, used, rest.n);
            at += used;
        }
        free_block(piece);
    }
    r.used = in.n;
    r.why = b.why;
    if (r.rc == RC_OK)
        assert_int_equal(b.total, r.content.w);
    take_trailers(&b, &r);
    h1_body_fini(&b);
    return r;
}

static void free_result(struct result *r)
{
    buf_fini(&r->content);
    buf_fini(&r->trailers);
}

static void check_body(span in, enum rc rc, enum h1_why why, const char *content, const char *trailers)
{
    for (size_t step = 1; step <= in.n; step = step < 8 ? step + 1 : step * 2) {
        struct result r = read_body(BODY_CHUNKED, 0, in, step);
        if (r.rc != rc || r.why != why || (content && !span_eq(buf_span(&r.content), span_str(content))) ||
            (trailers && !span_eq(buf_span(&r.trailers), span_str(trailers))))
            fail_msg("step %zu: %s %s, content %.*s, trailers %.*s, of:\n%.*s", step, rc_name(r.rc),
                     h1_why_name(r.why), (int)r.content.w, r.content.p, (int)r.trailers.w, r.trailers.p,
                     (int)(in.n < 99 ? in.n : 99), in.p);
        free_result(&r);
    }
}

static const struct {
    const char *in;
    size_t n;
    enum h1_why why;
} WRONG[] = {
#define C(text, id)                     \
    {                                   \
        text, sizeof(text) - 1, H1_##id \
    }
    C("\r\n", CHUNK_SIZE),
    C("\n", CHUNK_SIZE),
    C("x\r\n", CHUNK_SIZE),
    C("g\r\n", CHUNK_SIZE),
    C("0x5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("0X5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("+5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("-5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("-0\r\n\r\n", CHUNK_SIZE),
    C("0_5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("_5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C(" 5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("\t5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5 \r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5\t\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5 ;a\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5 5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5,\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5h\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5.0\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("\"5\"\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5\0\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("\0"
      "5\r\nhello\r\n0\r\n\r\n",
      CHUNK_SIZE),
    C("5\x0b\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5\xa0\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C(";\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C(";a=b\r\n", CHUNK_SIZE),
    C("00000000000000005\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("10000000000000005\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    C("fffffffffffffffff\r\n", CHUNK_SIZE),
    C("ffffffffffffffff\r\n", CHUNK_SUM),
    C("8000000000000000\r\n", CHUNK_SUM),
    C("1\r\na\r\n7fffffffffffffff\r\n", CHUNK_SUM),
    C("5\nhello\n0\n\n", CHUNK_LF),
    C("5\nhello\r\n0\r\n\r\n", CHUNK_LF),
    C("5\rhello\r\n0\r\n\r\n", CHUNK_LF),
    C("5\r\r\nhello\r\n0\r\n\r\n", CHUNK_LF),
    C("5;a\nhello\r\n0\r\n\r\n", CHUNK_LF),
    C("5;a\rb\r\nhello\r\n0\r\n\r\n", CHUNK_LF),
    C("5;\n\r\nhello\r\n0\r\n\r\n", CHUNK_LF),
    C("5;a\0b\r\nhello\r\n0\r\n\r\n", CHUNK_EXT),
    C("5;a\x0b\r\nhello\r\n0\r\n\r\n", CHUNK_EXT),
    C("5;a\x7f\r\nhello\r\n0\r\n\r\n", CHUNK_EXT),
    C("5;caf\xc3\xa9\r\nhello\r\n0\r\n\r\n", CHUNK_EXT),
    C("5\r\nhello0\r\n\r\n", CHUNK_END),
    C("5\r\nhello\n0\r\n\r\n", CHUNK_END),
    C("5\r\nhello\r0\r\n\r\n", CHUNK_END),
    C("5\r\nhello!\r\n0\r\n\r\n", CHUNK_END),
    C("5\r\nhelloXX0\r\n\r\n", CHUNK_END),
    C("5\r\nhello\r\r\n0\r\n\r\n", CHUNK_END),
    C("5\r\nhello\r\n\r\n0\r\n\r\n", CHUNK_SIZE),
    C("5\r\nhello\r\n\n", CHUNK_SIZE),
    C("0\n\n", CHUNK_LF),
    C("0\r\n\n", BARE_LF),
    C("0\r\nX: y\n\r\n", BARE_LF),
    C("0\r\nX: y\r\n\n", BARE_LF),
    C("0\r\nX : y\r\n\r\n", NAME_SPACE),
    C("0\r\nX\r\n\r\n", NO_COLON),
    C("0\r\n: y\r\n\r\n", NO_NAME),
    C("0\r\n X: y\r\n\r\n", FOLD),
    C("0\r\nX: y\r\n z\r\n\r\n", FOLD),
    C("0\r\nX: \0\r\n\r\n", NUL),
    C("0\r\nX: a\rb\r\n\r\n", BARE_CR),
    C("0\r\n\r\r\n\r\n", BARE_CR),
    C("0\r\nX: \x01\r\n\r\n", VALUE_BYTE),
    C("0\r\nX Y: z\r\n\r\n", NAME_BYTE),
    C("0\r\nContent_Length: 5\r\n\r\n", NAME_TWIN),
    C("0\r\nGET / HTTP/1.1\r\n\r\n", NAME_BYTE),
#undef C
};

static void test_wrong_chunks_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        check_body(span_of(WRONG[i].in, WRONG[i].n), RC_BAD, WRONG[i].why, NULL, "");
}

static void test_lines_and_trailers_have_caps(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_put_str(&b, "5;"), RC_OK);
    for (size_t i = 0; i < LIM_CHUNK_LINE_BYTES - 4; i++)
        assert_int_equal(buf_put_u8(&b, 'x'), RC_OK);
    size_t ext = b.w;
    assert_int_equal(buf_put_str(&b, "\r\nhello\r\n0\r\n\r\n"), RC_OK);
    check_body(buf_span(&b), RC_OK, H1_NONE, "hello", "");
    b.w = ext;
    assert_int_equal(buf_put_str(&b, "x\r\nhello\r\n0\r\n\r\n"), RC_OK);
    check_body(buf_span(&b), RC_BAD, H1_CHUNK_LONG, "", "");
    b.w = ext;
    for (size_t i = 0; i < 70000; i++)
        assert_int_equal(buf_put_u8(&b, 'x'), RC_OK);
    check_body(buf_span(&b), RC_BAD, H1_CHUNK_LONG, "", "");
    buf_clear(&b);
    assert_int_equal(buf_put_str(&b, "0\r\nX: "), RC_OK);
    for (size_t i = 0; i < LIM_TRAILER_BYTES; i++)
        assert_int_equal(buf_put_u8(&b, 'x'), RC_OK);
    check_body(buf_span(&b), RC_BAD, H1_TRAILER_LONG, "", "");
    buf_clear(&b);
    assert_int_equal(buf_put_str(&b, "0\r\n"), RC_OK);
    for (size_t i = 0; i <= LIM_HEAD_FIELDS; i++)
        assert_int_equal(buf_put_str(&b, "X: y\r\n"), RC_OK);
    assert_int_equal(buf_put_str(&b, "\r\n"), RC_OK);
    check_body(buf_span(&b), RC_BAD, H1_FIELD_COUNT, "", "");
    buf_fini(&b);
}

static void test_content_comes_out_whole(void **state)
{
    (void)state;
    check_body(SPAN("0\r\n\r\n"), RC_OK, H1_NONE, "", "");
    check_body(SPAN("0000000000000000\r\n\r\n"), RC_OK, H1_NONE, "", "");
    check_body(SPAN("5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), RC_OK, H1_NONE, "hello", "");
    check_body(SPAN("1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n02\r\nlo\r\n0\r\n\r\n"), RC_OK, H1_NONE, "hello", "");
    check_body(SPAN("0000000000000005\r\nhello\r\n0\r\n\r\n"), RC_OK, H1_NONE, "hello", "");
    check_body(SPAN("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), RC_OK, H1_NONE,
               "01234567890123456789", "");
    check_body(SPAN("5;a=b;c=\"d e\";f\r\nhello\r\n0;last\r\n\r\n"), RC_OK, H1_NONE, "hello", "");
    check_body(SPAN("5; a = b\t\r\nhello\r\n0;\r\n\r\n"), RC_OK, H1_NONE, "hello", "");
    check_body(SPAN("7\r\n0\r\n\r\nGE\r\n0\r\n\r\n"), RC_OK, H1_NONE, "0\r\n\r\nGE", "");
}

static void test_trailers_that_frame_route_or_authorise_are_dropped(void **state)
{
    (void)state;
    check_body(SPAN("0\r\nX-Sum: 1\r\n\r\nnext"), RC_OK, H1_NONE, "", "X-Sum\n=1\n");
    check_body(
        SPAN("0\r\nContent-Length: 5\r\nHost: evil\r\nServer-Timing: a\r\nTransfer-Encoding: chunked\r\n"
             "Authorization: x\r\nCookie: x\r\nSet-Cookie: x\r\nContent-Type: x\r\nContent-Encoding: gzip\r\n"
             "Connection: close\r\nTE: x\r\nIf-Match: x\r\nRange: x\r\nTrailer: x\r\nContent-Digest: d\r\n"
             "Proxy-Authorization: x\r\nLocation: x\r\nUpgrade: h2c\r\nX-Forwarded-For: x\r\n\r\n"),
        RC_OK, H1_NONE, "", "Server-Timing\n=a\nContent-Digest\n=d\n");
    check_body(SPAN("1\r\na\r\n0\r\na:\r\nb:  c \r\n\r\n"), RC_OK, H1_NONE, "a", "a\n=\nb\n=c\n");
}

static void test_trailers_are_only_there_when_the_body_is_complete(void **state)
{
    (void)state;
    struct msg m = {.body = BODY_CHUNKED};
    struct h1_body b;
    struct field f[2];
    size_t used;
    span data;
    h1_body_init(&b, &m);
    assert_int_equal(h1_body_read(&b, SPAN("0\r\nX: y\r\nZ: 1\r\n"), &used, &data), RC_MORE);
    assert_int_equal(h1_body_trailers(&b, f, 2), 0);
    assert_int_equal(h1_body_read(&b, SPAN("\r\n"), &used, &data), RC_OK);
    assert_int_equal(h1_body_trailers(&b, f, 1), 1);
    assert_int_equal(h1_body_trailers(&b, f, 2), 2);
    h1_body_fini(&b);
}

/* RFC 9110 section 7.6.1: "remove any header or trailer field(s) ... with the same name as the
 * connection-option". */
static void test_what_connection_names_is_no_trailer(void **state)
{
    (void)state;
    struct msg m = {.body = BODY_CHUNKED, .n_fields = 3};
    struct h1_body b;
    struct field f[4];
    size_t used;
    span data;
    m.fields[0] = (struct field){.name = SPAN("Connection"), .value = SPAN("keep-alive, X-Hop")};
    m.fields[1] = (struct field){.name = SPAN("X-Other"), .value = SPAN("X-Stays")};
    m.fields[2] = (struct field){.name = SPAN("CONNECTION"), .value = SPAN("x-too")};
    h1_body_init(&b, &m);
    assert_int_equal(
        h1_body_read(&b, SPAN("0\r\nx-hop: 1\r\nX-Stays: 2\r\nX-Too: 3\r\nX-Ho: 4\r\n\r\n"), &used, &data),
        RC_OK);
    assert_int_equal(h1_body_trailers(&b, f, 4), 2);
    assert_true(span_eq(f[0].name, SPAN("X-Stays")) && span_eq(f[1].name, SPAN("X-Ho")));
    h1_body_fini(&b);
}

/* Every split of a whole body into two agrees with the whole (the table above covers steps). */
static void test_every_cut_of_a_chunked_body_agrees(void **state)
{
    (void)state;
    span in = SPAN("5;ext=\"a\"\r\nhello\r\nb\r\n, big world\r\n00\r\nA: 1\r\nHost: x\r\nB: 2\r\n\r\nnext");
    for (size_t cut = 0; cut < in.n; cut++) {
        struct msg m = {.body = BODY_CHUNKED};
        struct h1_body b;
        struct buf content = {0};
        struct field f[4];
        size_t at = 0, used;
        span data;
        enum rc rc = RC_MORE;
        h1_body_init(&b, &m);
        while (rc == RC_MORE) {
            rc = h1_body_read(&b, span_cut(in, at, at < cut ? cut : in.n), &used, &data);
            assert_int_equal(buf_put(&content, data), RC_OK);
            at += used;
        }
        assert_int_equal(rc, RC_OK);
        assert_int_equal(at, in.n - 4);
        assert_true(span_eq(buf_span(&content), SPAN("hello, big world")));
        assert_int_equal(h1_body_trailers(&b, f, 4), 2);
        assert_int_equal(h1_body_read(&b, SPAN("next"), &used, &data), RC_OK);
        assert_int_equal(used + data.n, 0);
        h1_body_fini(&b);
        buf_fini(&content);
    }
}

static void test_bodies_by_length(void **state)
{
    (void)state;
    struct result r = read_body(BODY_LENGTH, 5, SPAN("hello"), 2);
    assert_int_equal(r.rc, RC_OK);
    assert_true(span_eq(buf_span(&r.content), SPAN("hello")));
    free_result(&r);
    r = read_body(BODY_LENGTH, 5, SPAN("helloGET /"), 100);
    assert_int_equal(r.rc, RC_OK);
    assert_true(span_eq(buf_span(&r.content), SPAN("hello")));
    free_result(&r);
    r = read_body(BODY_LENGTH, INT64_MAX, SPAN("hello"), 1);
    assert_int_equal(r.rc, RC_MORE);
    free_result(&r);
    struct msg m = {.body = BODY_LENGTH, .length = 0};
    struct h1_body b;
    size_t used;
    span data;
    h1_body_init(&b, &m);
    assert_int_equal(h1_body_read(&b, SPAN("next"), &used, &data), RC_OK);
    assert_int_equal(used + data.n, 0);
    h1_body_fini(&b);
}

static enum rc eof_after(enum body_kind kind, uint64_t length, span in, enum h1_why *why)
{
    struct msg m = {.body = kind, .length = length};
    struct h1_body b;
    size_t used = 0;
    span data;
    enum rc rc = RC_MORE;
    h1_body_init(&b, &m);
    while (rc == RC_MORE && in.n > 0) {
        rc = h1_body_read(&b, in, &used, &data);
        in = span_cut(in, used, in.n);
    }
    rc = h1_body_eof(&b);
    *why = b.why;
    h1_body_fini(&b);
    return rc;
}

/* A cut body is never taken for a whole one (row 76). */
static void test_end_of_connection(void **state)
{
    (void)state;
    static const struct {
        enum body_kind kind;
        uint64_t length;
        const char *in;
        enum h1_why why;
    } t[] = {
        {BODY_LENGTH, 5, "", H1_BODY_CUT},
        {BODY_LENGTH, 5, "hell", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "5", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "5\r\nhell", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "5\r\nhello\r\n", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "5\r\nhello\r\n0\r\n", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "0\r\nX: y\r\n", H1_BODY_CUT},
        {BODY_CHUNKED, 0, "x", H1_CHUNK_SIZE},
        {BODY_LENGTH, 5, "hello", H1_NONE},
        {BODY_LENGTH, 0, "", H1_NONE},
        {BODY_NONE, 0, "", H1_NONE},
        {BODY_CLOSE, 0, "", H1_NONE},
        {BODY_CLOSE, 0, "hello", H1_NONE},
        {BODY_CHUNKED, 0, "0\r\n\r\n", H1_NONE},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        enum h1_why why;
        enum rc rc = eof_after(t[i].kind, t[i].length, span_str(t[i].in), &why);
        assert_int_equal(rc, t[i].why == H1_NONE ? RC_OK : RC_BAD);
        assert_int_equal(why, t[i].why);
    }
}

static void test_bodies_to_the_end_and_none(void **state)
{
    (void)state;
    struct result r = read_body(BODY_CLOSE, 0, SPAN("hello\r\n0\r\n\r\n"), 3);
    assert_int_equal(r.rc, RC_MORE);
    assert_true(span_eq(buf_span(&r.content), SPAN("hello\r\n0\r\n\r\n")));
    free_result(&r);
    r = read_body(BODY_NONE, 0, SPAN("HTTP/1.1 200 OK\r\n"), 3);
    assert_int_equal(r.rc, RC_OK);
    assert_int_equal(r.content.w, 0);
    free_result(&r);
}

static void test_bad_is_for_good(void **state)
{
    (void)state;
    struct msg m = {.body = BODY_CHUNKED};
    struct h1_body b;
    size_t used;
    span data;
    h1_body_init(&b, &m);
    assert_int_equal(h1_body_read(&b, SPAN("x"), &used, &data), RC_BAD);
    assert_int_equal(h1_body_read(&b, SPAN("0\r\n\r\n"), &used, &data), RC_BAD);
    assert_int_equal(h1_body_eof(&b), RC_BAD);
    h1_body_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_chunks_are_refused_by_name),
        cmocka_unit_test(test_lines_and_trailers_have_caps),
        cmocka_unit_test(test_end_of_connection),
        cmocka_unit_test(test_bad_is_for_good),
        cmocka_unit_test(test_trailers_that_frame_route_or_authorise_are_dropped),
        cmocka_unit_test(test_trailers_are_only_there_when_the_body_is_complete),
        cmocka_unit_test(test_what_connection_names_is_no_trailer),
        cmocka_unit_test(test_content_comes_out_whole),
        cmocka_unit_test(test_every_cut_of_a_chunked_body_agrees),
        cmocka_unit_test(test_bodies_by_length),
        cmocka_unit_test(test_bodies_to_the_end_and_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
