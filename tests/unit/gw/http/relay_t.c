/* Heads as they leave, byte for byte; and that reading what left gives the same message again. */
#include "gw/http/h1.h"
#include "tests/unit/gw/http/h1_help.h"

static struct msg m;
static const struct relay_opts plain;

static void read_in(const char *in, const char *method)
{
    struct h1_head h;
    size_t used;
    span s = span_str(in);
    h1_head_init(&h);
    enum rc rc = method ? h1_response(&h, s, span_str(method), &m, &used) : h1_request(&h, s, &m, &used);
    if (rc != RC_OK)
        fail_msg("%s: %s", in, h1_why_name(h.why));
}

static void assert_out(const struct buf *out, const char *want)
{
    if (!span_eq(buf_span(out), span_str(want)))
        fail_msg("left:\n%.*s\ninstead of:\n%s", (int)buf_len(out), out->p, want);
}

static void check_request(const char *in, const struct relay_opts *o, const char *want)
{
    struct buf out = {0};
    read_in(in, NULL);
    assert_int_equal(relay_request(&out, &m, o), RC_OK);
    assert_out(&out, want);
    buf_fini(&out);
}

static void check_response(const char *in, const char *method, const struct relay_opts *o, const char *want)
{
    struct buf out = {0};
    read_in(in, method);
    assert_int_equal(relay_response(&out, &m, o), RC_OK);
    assert_out(&out, want);
    buf_fini(&out);
}

#define GET(fields) "GET /x?y HTTP/1.1\r\n" fields "Host: a.example\r\n\r\n"
#define GOT(fields) "GET /x?y HTTP/1.1\r\nHost: a.example\r\n" fields "\r\n"

static void test_mistakes_of_ours_are_told(void **state)
{
    (void)state;
    struct buf out = {0};
    read_in("GET / HTTP/1.1\r\nHost: a\r\n\r\n", NULL);
    assert_int_equal(relay_response(&out, &m, &plain), RC_BUG);
    m.body = BODY_CLOSE;
    assert_int_equal(relay_request(&out, &m, &plain), RC_BUG);
    m.body = BODY_NONE;
    assert_int_equal(relay_request(&out, &m, &(struct relay_opts){.http10 = true}), RC_BUG);
    read_in("HTTP/1.1 101 x\r\n\r\n", "GET");
    assert_int_equal(relay_request(&out, &m, &plain), RC_BUG);
    assert_int_equal(relay_response(&out, &m, &plain), RC_BUG); /* 101 with nothing to switch to */
    assert_int_equal(buf_len(&out), 0);
    buf_fini(&out);
}

static enum rc write_all(struct buf *out)
{
    static const struct relay_opts o = {.close = true, .to_proxy = true};
    TRY(m.is_request ? relay_request(out, &m, &o) : relay_response(out, &m, &o));
    return relay_last_chunk(out, m.fields, m.n_fields);
}

static void test_a_full_buffer_is_told(void **state)
{
    (void)state;
    static const char *const in[][2] = {
        {GET("A: 1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"), NULL},
        {"HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "GET"},
        {"CONNECT [::1]:443 HTTP/1.0\r\n\r\n", NULL},
    };
    for (size_t i = 0; i < 3; i++) {
        struct buf whole = {0}, out;
        read_in(in[i][0], in[i][1]);
        assert_int_equal(write_all(&whole), RC_OK);
        for (size_t max = 1; max < whole.w; max++) {
            buf_init(&out, max);
            assert_int_equal(write_all(&out), RC_LIMIT);
            buf_fini(&out);
        }
        buf_fini(&whole);
    }
}

static void test_hop_by_hop_fields_stay_here(void **state)
{
    (void)state;
    check_request(GET("Connection: close\r\n"), &plain, GOT(""));
    check_request(GET("Connection: keep-alive\r\nKeep-Alive: 5\r\n"), &plain, GOT(""));
    check_request(GET("Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nProxy: evil\r\n"),
                  &plain, GOT(""));
    check_request(GET("TE: trailers, deflate\r\nTrailer: X\r\n"), &plain, GOT(""));
    check_request(GET("Connection: x-own, Keep-Alive\r\nX-Own: 1\r\nY-Own: 2\r\n"), &plain,
                  GOT("Y-Own: 2\r\n"));
    check_request(GET("X-Own: 1\r\nConnection: close\r\nConnection: a,x-own\r\nA: 2\r\n"), &plain, GOT(""));
    check_request(GET("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
                  &plain, GOT(""));
    check_request(GET("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), &plain, GOT(""));
    check_request(GET("Upgrade: websocket\r\n"), &plain, GOT(""));
    check_response(
        "HTTP/1.1 200 OK\r\nConnection: close, x\r\nX: 1\r\nKeep-Alive: 5\r\nProxy-Authenticate: Basic\r\n"
        "Proxy-Authentication-Info: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\nProxy-Status: p\r\n\r\n",
        "GET", &plain, "HTTP/1.1 200 OK\r\nProxy-Status: p\r\nContent-Length: 0\r\n\r\n");
}

/* Connection must not take from the recipient what was judged here: credentials, types, codings, conditions.
 */
static void test_connection_cannot_name_end_to_end_fields_away(void **state)
{
    (void)state;
    check_request(GET("Connection: host, authorization, cookie, content-length, content-type, "
                      "x-forwarded-for, referer\r\n"
                      "Authorization: a\r\nCookie: b\r\nContent-Length: 3\r\nContent-Type: "
                      "c\r\nX-Forwarded-For: d\r\n"),
                  &plain,
                  GOT("Authorization: a\r\nCookie: b\r\nContent-Type: c\r\nX-Forwarded-For: "
                      "d\r\nContent-Length: 3\r\n"));
    check_request(GET("Connection: transfer-encoding, te\r\nTransfer-Encoding: chunked\r\n"), &plain,
                  GOT("Transfer-Encoding: chunked\r\n"));
    check_response(
        "HTTP/1.1 200 OK\r\nConnection: content-encoding, set-cookie, content-security-policy, "
        "strict-transport-security\r\nContent-Encoding: gzip\r\nSet-Cookie: a\r\nContent-Security-Policy: "
        "b\r\n"
        "Strict-Transport-Security: c\r\nContent-Length: 0\r\n\r\n",
        "GET", &plain,
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nSet-Cookie: a\r\nContent-Security-Policy: b\r\n"
        "Strict-Transport-Security: c\r\nContent-Length: 0\r\n\r\n");
}

static void test_targets_and_host_are_written_from_what_was_understood(void **state)
{
    (void)state;
    const struct relay_opts proxy = {.to_proxy = true};
    static const struct {
        const char *in, *direct, *to_proxy;
    } t[] = {
        {"GET /x HTTP/1.1\r\nHost: a:81\r\n\r\n", "GET /x HTTP/1.1\r\nHost: a:81\r\n\r\n",
         "GET http://a:81/x HTTP/1.1\r\nHost: a:81\r\n\r\n"},
        {"GET http://a:081?q HTTP/1.0\r\nHost: b\r\n\r\n", "GET /?q HTTP/1.1\r\nHost: a:81\r\n\r\n",
         "GET http://a:81/?q HTTP/1.1\r\nHost: a:81\r\n\r\n"},
        {"GET HTTPS://a/x? HTTP/1.1\r\nHost: b:\r\n\r\n", "GET /x? HTTP/1.1\r\nHost: a\r\n\r\n",
         "GET HTTPS://a/x? HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"GET // HTTP/1.1\r\nHost: [::1]:0080\r\n\r\n", "GET // HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
         "GET http://[::1]:80// HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
         "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
         "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
         "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"},
        {"CONNECT [::1]:443 HTTP/1.0\r\n\r\n", "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
         "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        check_request(t[i].in, &plain, t[i].direct);
        check_request(t[i].in, &proxy, t[i].to_proxy);
    }
}

static void test_framing_is_written_afresh(void **state)
{
    (void)state;
    check_request("POST / HTTP/1.0\r\nHost: a\r\ncontent-LENGTH:\t007 \r\n\r\n", &plain,
                  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n");
    check_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &plain,
                  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    check_request("POST / HTTP/1.1\r\ntransfer-encoding: CHUNKED\r\nHost: a\r\nTrailer: X\r\n\r\n", &plain,
                  "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_request("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-CONTINUE\r\nContent-Length: 3\r\n\r\n", &plain,
                  "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    check_request("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", &plain,
                  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    check_response("HTTP/1.0 200 \xe9\r\n\r\n", "GET", &plain,
                   "HTTP/1.1 200 \xe9\r\nConnection: close\r\n\r\n");
    check_response("HTTP/1.1 200\r\nTransfer-Encoding:Chunked\r\nTrailer: a\r\n\r\n", "GET", &plain,
                   "HTTP/1.1 200 \r\nTrailer: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 05\r\n\r\n", "HEAD", &plain,
                   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    check_response("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", "GET", &plain,
                   "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n");
    check_response("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", "GET", &plain, "HTTP/1.1 204 x\r\n\r\n");
    check_response("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", &plain,
                   "HTTP/1.1 204 x\r\n\r\n");
    check_response("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", "GET", &plain,
                   "HTTP/1.1 100 Continue\r\n\r\n");
    check_response("HTTP/1.1 103 x\r\nLink: l\r\n\r\n", "GET", &plain, "HTTP/1.1 103 x\r\nLink: l\r\n\r\n");
    check_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", &plain,
                   "HTTP/1.1 200 OK\r\n\r\n");
}

/* A caller that gives a body of its own says so in the message. */
static void test_a_changed_body_changes_the_framing(void **state)
{
    (void)state;
    struct buf out = {0};
    read_in("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET");
    m.body = BODY_CHUNKED;
    assert_int_equal(relay_response(&out, &m, &plain), RC_OK);
    assert_out(&out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    buf_clear(&out);
    m.body = BODY_LENGTH;
    m.length = UINT64_MAX;
    assert_int_equal(relay_response(&out, &m, &plain), RC_OK);
    assert_out(&out, "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n");
    buf_clear(&out);
    m.body = BODY_NONE;
    m.status = 204;
    assert_int_equal(relay_response(&out, &m, &plain),
                     RC_OK); /* RFC 9110 section 8.6: never a length in 204 and 1xx */
    assert_out(&out, "HTTP/1.1 204 OK\r\n\r\n");
    buf_clear(&out);
    m.status = 103;
    assert_int_equal(relay_response(&out, &m, &plain), RC_OK);
    assert_out(&out, "HTTP/1.1 103 OK\r\n\r\n");
    buf_fini(&out);
}

static void test_websocket_is_offered_and_agreed_afresh(void **state)
{
    (void)state;
    check_request(
        GET("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: "
            "permessage-deflate\r\n"),
        &(struct relay_opts){.close = true},
        GOT("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"));
    check_response("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade, x\r\nX: 1\r\n"
                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                   "GET", &plain,
                   "HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                   "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void test_options(void **state)
{
    (void)state;
    const struct field extra[] = {{SPAN("X-Mode"), SPAN("strict")}, {SPAN("Empty"), SPAN_NONE}};
    const span drop[] = {SPAN("cookie"), SPAN("x-mode")};
    check_request(
        GET("Cookie: a\r\nX-Mode: own\r\nAlt-Svc: x\r\n"),
        &(struct relay_opts){
            .close = true, .strip_alt_svc = true, .extra = extra, .n_extra = 2, .drop = drop, .n_drop = 2},
        GOT("Alt-Svc: x\r\nX-Mode: strict\r\nEmpty: \r\nConnection: close\r\n"));
    check_response("HTTP/1.1 200 OK\r\nalt-svc: h3=\":443\"\r\nALT-SVC: x\r\nContent-Length: 0\r\n\r\n",
                   "GET", &(struct relay_opts){.strip_alt_svc = true, .close = true},
                   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/* What Connection names cannot reach a field that we add. */
static void test_our_own_fields_are_out_of_reach(void **state)
{
    (void)state;
    const struct field extra[] = {{SPAN("YouTube-Restrict"), SPAN("Strict")}};
    const span drop[] = {SPAN("youtube-restrict")};
    check_request(GET("Connection: youtube-restrict\r\nYouTube-Restrict: Moderate\r\n"),
                  &(struct relay_opts){.extra = extra, .n_extra = 1, .drop = drop, .n_drop = 1},
                  GOT("YouTube-Restrict: Strict\r\n"));
}

static void test_http10_clients_get_no_chunks(void **state)
{
    (void)state;
    const struct relay_opts old = {.http10 = true}, old_close = {.http10 = true, .close = true};
    check_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n", "GET", &old,
                   "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    assert_int_equal(relay_response_body(&m, &old), BODY_CLOSE);
    assert_int_equal(relay_response_body(&m, &plain), BODY_CHUNKED);
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", &old,
                   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(relay_response_body(&m, &old), BODY_LENGTH);
    check_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", &old_close,
                   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
}

static void test_chunk_heads(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        const char *text;
    } t[] = {{1, "1\r\n"},
             {15, "f\r\n"},
             {16, "10\r\n"},
             {16384, "4000\r\n"},
             {0xabcdef, "abcdef\r\n"},
             {SIZE_MAX, "ffffffffffffffff\r\n"}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        uint8_t out[20];
        size_t n = relay_chunk_head(out, t[i].n);
        assert_true(span_eq(span_of(out, n), span_str(t[i].text)));
    }
    struct buf b = {0};
    const struct field f[] = {{SPAN("A"), SPAN("1")}, {SPAN("B"), SPAN_NONE}};
    assert_int_equal(relay_last_chunk(&b, f, 0), RC_OK);
    assert_out(&b, "0\r\n\r\n");
    buf_clear(&b);
    assert_int_equal(relay_last_chunk(&b, f, 2), RC_OK);
    assert_out(&b, "0\r\nA: 1\r\nB: \r\n\r\n");
    assert_true(span_eq(RELAY_CRLF, SPAN("\r\n")));
    buf_fini(&b);
}

/* What left, read again and written again, is the same: nothing is lost or made on the way. */
static void test_writing_and_reading_again_changes_nothing(void **state)
{
    (void)state;
    static const char *const in[][2] = {
        {GET("A:1\r\nB:  2\t\r\nC:\r\nCookie: x\r\nConnection: a\r\n"), NULL},
        {"POST http://A:81?x HTTP/1.0\r\nHost: b\r\nContent-Length: 007\r\n\r\n", NULL},
        {"PUT /x HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nTrailer: "
         "Z\r\n\r\n",
         NULL},
        {"OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n", NULL},
        {"CONNECT [::1]:443 HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n", NULL},
        {GET("Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
         NULL},
        {"HTTP/1.1 200\r\nA:1\r\nContent-Length: 05\r\n\r\n", "GET"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n", "GET"},
        {"HTTP/1.0 200 OK\r\n\r\n", "GET"},
        {"HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "GET"},
        {"HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n", "HEAD"},
    };
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        struct buf one = {0}, two = {0};
        const char *method = in[i][1];
        read_in(in[i][0], method);
        assert_int_equal(method ? relay_response(&one, &m, &plain) : relay_request(&one, &m, &plain), RC_OK);
        assert_int_equal(buf_put_u8(&one, 0), RC_OK);
        read_in((const char *)one.p, method);
        assert_int_equal(method ? relay_response(&two, &m, &plain) : relay_request(&two, &m, &plain), RC_OK);
        assert_out(&two, (const char *)one.p);
        buf_fini(&one);
        buf_fini(&two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes_of_ours_are_told),
        cmocka_unit_test(test_a_full_buffer_is_told),
        cmocka_unit_test(test_connection_cannot_name_end_to_end_fields_away),
        cmocka_unit_test(test_our_own_fields_are_out_of_reach),
        cmocka_unit_test(test_hop_by_hop_fields_stay_here),
        cmocka_unit_test(test_targets_and_host_are_written_from_what_was_understood),
        cmocka_unit_test(test_framing_is_written_afresh),
        cmocka_unit_test(test_a_changed_body_changes_the_framing),
        cmocka_unit_test(test_websocket_is_offered_and_agreed_afresh),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_http10_clients_get_no_chunks),
        cmocka_unit_test(test_chunk_heads),
        cmocka_unit_test(test_writing_and_reading_again_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
