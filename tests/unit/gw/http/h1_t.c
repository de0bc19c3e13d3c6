/* Heads of HTTP/1 that are taken, and what the message then says. What is refused is in h1_refused_t.c. */
#include "tests/unit/gw/http/h1_help.h"

static enum rc read_request(const char *in, struct msg *m)
{
    struct h1_head h;
    size_t used;
    h1_head_init(&h);
    enum rc rc = h1_request(&h, span_str(in), m, &used);
    if (rc != RC_OK)
        print_message("%s: %s\n", in, h1_why_name(h.why));
    return rc;
}

static enum rc read_response(const char *in, const char *method, struct msg *m)
{
    struct h1_head h;
    size_t used;
    h1_head_init(&h);
    enum rc rc = h1_response(&h, span_str(in), span_str(method), m, &used);
    if (rc != RC_OK)
        print_message("%s: %s\n", in, h1_why_name(h.why));
    return rc;
}

#define assert_span(s, text) assert_true(span_eq(s, span_str(text)))

static void test_origin_form(void **state)
{
    (void)state;
    static struct msg m;
    assert_int_equal(
        read_request("POST //x/y?a=b?c HTTP/1.1\r\nhOST:\t a.Example:8443 \t\r\nContent-Length: 0012\r\n"
                     "X-Empty:\r\nX:y\r\n\r\nrest",
                     &m),
        RC_OK);
    assert_true(m.is_request && m.minor == 1 && m.form == TARGET_ORIGIN && m.has_query && m.keep_alive);
    assert_span(m.method, "POST");
    assert_span(m.target, "//x/y?a=b?c");
    assert_span(m.path, "//x/y");
    assert_span(m.query, "a=b?c");
    assert_span(m.host, "a.Example");
    assert_int_equal(m.port, 8443);
    assert_int_equal(m.body, BODY_LENGTH);
    assert_int_equal(m.length, 12);
    assert_int_equal(m.n_fields, 4);
    assert_span(m.fields[2].name, "X-Empty");
    assert_int_equal(m.fields[2].value.n, 0);
    assert_span(m.fields[3].value, "y");
}

static void test_targets_that_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum target_form form;
        const char *scheme, *host;
        unsigned port;
        const char *path, *query; /* NULL: none */
    } t[] = {
        {"GET / HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", NULL},
        {"GET /? HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", ""},
        {"GET /a|b^{}<>\"`\\[] HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/a|b^{}<>\"`\\[]", NULL},
        {"GET /%zz%00%2e HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/%zz%00%2e", NULL},
        {"GET /http://b/ HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/http://b/", NULL},
        {"GET http://a.example HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 0, "/", NULL},
        {"GET http://a.example? HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 0, "/", ""},
        {"GET http://a.example:/x HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 0, "/x", NULL},
        {"GET http://a.example:0080/x HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 80, "/x", NULL},
        {"GET HTTPS://A.EXAMPLE:8443/x?y HTTP/1.1", TARGET_ABSOLUTE, "HTTPS", "A.EXAMPLE", 8443, "/x", "y"},
        {"GET http://[2001:db8::1]/x HTTP/1.1", TARGET_ABSOLUTE, "http", "2001:db8::1", 0, "/x", NULL},
        {"GET http://[::ffff:1.2.3.4]:81 HTTP/1.0", TARGET_ABSOLUTE, "http", "::ffff:1.2.3.4", 81, "/", NULL},
        {"GET http://a.example/x@y HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 0, "/x@y", NULL},
        {"GET http://1.2.3.4/ HTTP/1.1", TARGET_ABSOLUTE, "http", "1.2.3.4", 0, "/", NULL},
        {"OPTIONS * HTTP/1.1", TARGET_ASTERISK, "", "h.example", 81, "", NULL},
        {"OPTIONS / HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", NULL},
        {"OPTIONS http://a.example HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 0, "", NULL},
        {"OPTIONS http://a.example?x HTTP/1.1", TARGET_ABSOLUTE, "http", "a.example", 0, "/", "x"},
        {"CONNECT a.example:443 HTTP/1.1", TARGET_AUTHORITY, "", "a.example", 443, "", NULL},
        {"CONNECT [::1]:443 HTTP/1.1", TARGET_AUTHORITY, "", "::1", 443, "", NULL},
        {"M-SEARCH / HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", NULL},
        {"BITS_POST / HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", NULL},
        {"PRI / HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", NULL},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1", TARGET_ORIGIN, "", "h.example", 81, "/", NULL},
    };
    static struct msg m;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct buf b = {0};
        assert_int_equal(buf_printf(&b, "\r\n%s\r\nHost: h.example:81\r\n\r\n", t[i].line), RC_OK);
        assert_int_equal(buf_put_u8(&b, 0), RC_OK);
        assert_int_equal(read_request((const char *)b.p, &m), RC_OK);
        assert_int_equal(m.form, t[i].form);
        assert_span(m.scheme, t[i].scheme);
        assert_span(m.host, t[i].host);
        assert_int_equal(m.port, t[i].port);
        assert_span(m.path, t[i].path);
        assert_int_equal(m.has_query, t[i].query != NULL);
        assert_true(span_eq(m.query, span_str(t[i].query)));
        assert_cuts_agree(span_cut(buf_span(&b), 0, b.w - 1), NULL);
        buf_fini(&b);
    }
}

static void test_bytes_that_may_stand_in_values(void **state)
{
    (void)state;
    static struct msg m;
    assert_int_equal(
        read_request("GET / HTTP/1.1\r\nHost: a\r\nX: \ta\tb caf\xc3\xa9 \xff\x80~!\t \r\n\r\n", &m), RC_OK);
    assert_span(m.fields[1].value, "a\tb caf\xc3\xa9 \xff\x80~!");
    assert_int_equal(read_request("GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~09azAZ: \t \r\nHost: a\r\n\r\n", &m),
                     RC_OK);
    assert_span(m.fields[0].name, "!#$%&'*+-.^_`|~09azAZ");
    assert_int_equal(m.fields[0].value.n, 0);
}

static void test_persistence(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep;
    } t[] = {
        {"1.1\r\n\r\n", true},
        {"1.1\r\nConnection: close\r\n\r\n", false},
        {"1.1\r\nConnection: Close\r\n\r\n", false},
        {"1.1\r\nConnection: keep-alive\r\n\r\n", true},
        {"1.1\r\nConnection: keep-alive, close\r\n\r\n", false},
        {"1.1\r\nConnection: keep-alive\r\nConnection: x, ,close\r\n\r\n", false},
        {"1.1\r\nConnection: closed\r\n\r\n", true},
        {"1.1\r\nConnection: \"close\"\r\n\r\n", true},
        {"1.0\r\n\r\n", false},
        {"1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"1.0\r\nConnection: Keep-Alive, close\r\n\r\n", false},
        {"1.0\r\nProxy-Connection: keep-alive\r\n\r\n", false},
        {"1.0\r\nKeep-Alive: 300\r\n\r\n", false},
    };
    static struct msg m;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct buf b = {0};
        assert_int_equal(buf_printf(&b, "GET http://a/ HTTP/%.3s\r\nHost: a%s", t[i].text, t[i].text + 3),
                         RC_OK);
        assert_int_equal(buf_put_u8(&b, 0), RC_OK);
        assert_int_equal(read_request((const char *)b.p, &m), RC_OK);
        assert_int_equal(m.keep_alive, t[i].keep);
        buf_fini(&b);
    }
}

static void test_http10_may_lack_a_host(void **state)
{
    (void)state;
    static struct msg m;
    assert_int_equal(read_request("GET / HTTP/1.0\r\n\r\n", &m), RC_OK);
    assert_int_equal(m.host.n, 0);
    assert_int_equal(m.minor, 0);
    assert_int_equal(read_request("GET http://a:81/ HTTP/1.0\r\n\r\n", &m), RC_OK);
    assert_span(m.host, "a");
}

static void test_absolute_target_wins_over_host(void **state)
{
    (void)state;
    static struct msg m;
    assert_int_equal(read_request("GET http://a:81/ HTTP/1.1\r\nHost: b:82\r\n\r\n", &m), RC_OK);
    assert_span(m.host, "a");
    assert_int_equal(m.port, 81);
    assert_int_equal(read_request("CONNECT a:443 HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n", &m),
                     RC_OK);
    assert_span(m.host, "a");
    assert_int_equal(m.body, BODY_NONE);
}

static void test_expectations(void **state)
{
    (void)state;
    static struct msg m;
    assert_int_equal(
        read_request("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", &m),
        RC_OK);
    assert_true(m.expect_continue);
    assert_int_equal(
        read_request(
            "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: CHUNKED\r\n\r\n", &m),
        RC_OK);
    assert_true(m.expect_continue && m.body == BODY_CHUNKED);
    assert_int_equal(read_request("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", &m), RC_OK);
    assert_false(m.expect_continue);
    assert_int_equal(
        read_request("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", &m),
        RC_OK);
    assert_false(m.expect_continue);
    assert_int_equal(read_request("PUT / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", &m),
                     RC_OK);
    assert_false(m.expect_continue);
}

/* Only a whole RFC 6455 offer is an upgrade; anything less is the plain request it also is (threats.md row
 * 74). */
static void test_only_a_whole_websocket_offer_is_an_upgrade(void **state)
{
    (void)state;
#define WS(start, conn, up, key, version) start " HTTP/1.1\r\nHost: a\r\n" conn up key version "\r\n"
#define CONN                              "Connection: keep-alive, Upgrade\r\n"
#define UP                                "Upgrade: WebSocket\r\n"
#define KEY                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VER                               "Sec-WebSocket-Version: 13\r\n"
    static const struct {
        const char *text;
        bool upgrade;
    } t[] = {
        {WS("GET /", CONN, UP, KEY, VER), true},
        {WS("GET http://a/", CONN, UP, KEY, VER), true},
        {WS("POST /", CONN, UP, KEY, VER), false},
        {WS("GET /", "", UP, KEY, VER), false},
        {WS("GET /", "Connection: close\r\n", UP, KEY, VER), false},
        {WS("GET /", CONN, "", KEY, VER), false},
        {WS("GET /", CONN, UP UP, KEY, VER), false},
        {WS("GET /", CONN, "Upgrade: websocket, h2c\r\n", KEY, VER), false},
        {WS("GET /", CONN, "Upgrade: h2c\r\n", KEY, VER), false},
        {WS("GET /", CONN, "Upgrade: h2c\r\n", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", ""), false},
        {WS("GET /", CONN, "Upgrade: TLS/1.2\r\n", "", ""), false},
        {WS("GET /", CONN, UP, "", VER), false},
        {WS("GET /", CONN, UP, KEY KEY, VER), false},
        {WS("GET /", CONN, UP, "Sec-WebSocket-Key: short\r\n", VER), false},
        {WS("GET /", CONN, UP, KEY, ""), false},
        {WS("GET /", CONN, UP, KEY, "Sec-WebSocket-Version: 777\r\n"), false},
        {WS("GET /", CONN, UP, KEY, VER "Content-Length: 5\r\n"), false},
        {WS("GET /", CONN, UP, KEY, VER "Transfer-Encoding: chunked\r\n"), false},
        {"GET / HTTP/1.0\r\nHost: a\r\n" CONN UP KEY VER "\r\n", false},
    };
    static struct msg m;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_int_equal(read_request(t[i].text, &m), RC_OK);
        if (m.upgrade != t[i].upgrade)
            fail_msg("upgrade %d for %s", m.upgrade, t[i].text);
        assert_span(m.upgrade_to, t[i].upgrade ? "WebSocket" : "");
    }
}

static void test_responses_that_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *method;
        unsigned status;
        const char *reason;
        enum body_kind body;
        unsigned length;
        bool has_length, keep;
    } t[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK", BODY_LENGTH, 5, true, true},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "GET", 200, "", BODY_LENGTH, 0, true, true},
        {"HTTP/1.1 200 \r\n\r\n", "GET", 200, "", BODY_CLOSE, 0, false, false},
        {"HTTP/1.1 200 \tTr\xe8s  bien \r\n\r\n", "GET", 200, "\tTr\xe8s  bien ", BODY_CLOSE, 0, false,
         false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK", BODY_LENGTH, 5, true, false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK",
         BODY_LENGTH, 5, true, true},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", "GET", 200, "OK", BODY_CLOSE, 0, false, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 200, "OK", BODY_CHUNKED, 0, false,
         true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", 200, "OK", BODY_NONE, 0, false,
         true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD", 200, "OK", BODY_NONE, 5, true, true},
        {"HTTP/1.1 200 OK\r\n\r\n", "HEAD", 200, "OK", BODY_NONE, 0, false, true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "GET", 304, "Not Modified", BODY_NONE, 5,
         true, true},
        {"HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 304, "x", BODY_NONE, 0, false, true},
        {"HTTP/1.1 204 x\r\n\r\n", "GET", 204, "x", BODY_NONE, 0, false, true},
        {"HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", "GET", 204, "x", BODY_NONE, 0, false, true},
        {"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", "GET", 204, "x", BODY_NONE, 0, false, false},
        {"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", 204, "x", BODY_NONE, 0, false, false},
        {"HTTP/1.1 205 x\r\n\r\n", "GET", 205, "x", BODY_CLOSE, 0, false, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", "POST", 100, "Continue", BODY_NONE, 0, false, true},
        {"HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n", "POST", 103, "x", BODY_NONE, 0, false, true},
        {"HTTP/1.1 101 x\r\n\r\n", "GET", 101, "x", BODY_NONE, 0, false, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "CONNECT", 200, "OK", BODY_NONE, 0, false, true},
        {"HTTP/1.1 407 x\r\nContent-Length: 5\r\n\r\n", "CONNECT", 407, "x", BODY_LENGTH, 5, true, true},
        {"HTTP/1.1 999 Request denied\r\nContent-Length: 5\r\n\r\n", "GET", 999, "Request denied",
         BODY_LENGTH, 5, true, true},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", "GET", 200, "OK", BODY_LENGTH,
         5, true, false},
        {"HTTP/1.1 500 x\r\nContent-Length: 9223372036854775807\r\n\r\n", "GET", 500, "x", BODY_LENGTH, 0,
         true, true},
    };
    static struct msg m;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_int_equal(read_response(t[i].text, t[i].method, &m), RC_OK);
        assert_false(m.is_request);
        assert_int_equal(m.status, t[i].status);
        assert_span(m.reason, t[i].reason);
        if (m.body != t[i].body || m.has_length != t[i].has_length || m.keep_alive != t[i].keep)
            fail_msg("body %d, has_length %d, keep_alive %d for %s %s", m.body, m.has_length, m.keep_alive,
                     t[i].method, t[i].text);
        assert_int_equal((unsigned)(m.length == INT64_MAX ? 0 : m.length), t[i].length);
        assert_cuts_agree(span_str(t[i].text), t[i].method);
    }
}

/* A 101 goes through only to a request that asked, to the protocol asked for, with all it needs (rows 74 and
 * 76). */
static void test_switching_protocols_fits_its_request(void **state)
{
    (void)state;
#define S101   "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    static const struct {
        const char *text;
        bool asked;
        enum h1_why why;
    } t[] = {
        {S101 "Connection: Upgrade\r\n" UP ACCEPT "\r\n", false, H1_SWITCH_UNASKED},
        {S101 "\r\n", false, H1_SWITCH_UNASKED},
        {S101 "\r\n", true, H1_SWITCH_BROKEN},
        {S101 UP ACCEPT "\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\n" ACCEPT "\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\n" UP UP ACCEPT "\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\n" UP "\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\n" UP "Sec-WebSocket-Accept: x\r\n\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\n" UP ACCEPT "Content-Length: 0\r\n\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\n" UP ACCEPT "Transfer-Encoding: chunked\r\n\r\n", true,
         H1_SWITCH_BROKEN},
        {"HTTP/1.0 101 x\r\nConnection: Upgrade\r\n" UP ACCEPT "\r\n", true, H1_SWITCH_BROKEN},
        {S101 "Connection: Upgrade\r\nUpgrade: h2c\r\n" ACCEPT "\r\n", true, H1_SWITCH_OTHER},
        {S101 "Connection: Upgrade\r\nUpgrade: websocket, x\r\n" ACCEPT "\r\n", true, H1_SWITCH_OTHER},
        {S101 "Connection: upgrade\r\n" UP ACCEPT "\r\n", true, H1_NONE},
        {"HTTP/1.1 200 OK\r\n\r\n", false, H1_NONE},
        {"HTTP/1.1 200 OK\r\n\r\n", true, H1_NONE},
    };
    static struct msg m;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        assert_int_equal(read_response(t[i].text, "GET", &m), RC_OK);
        if (h1_switch_fits(t[i].asked, &m) != t[i].why)
            fail_msg("%s for %s", h1_why_name(h1_switch_fits(t[i].asked, &m)), t[i].text);
    }
}

/* Pipelined requests come out one by one, each with its own bytes (row 73). */
static void test_pipelined_requests_come_out_in_order(void **state)
{
    (void)state;
    static struct msg m;
    span in = SPAN("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n\r\nGET /3 "
                   "HTTP/1.1\r\nHost: c\r\n\r\n");
    static const char *const paths[] = {"/1", "/2", "/3"}, *const hosts[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        struct h1_head h;
        size_t used;
        h1_head_init(&h);
        assert_int_equal(h1_request(&h, in, &m, &used), RC_OK);
        assert_span(m.path, paths[i]);
        assert_span(m.host, hosts[i]);
        in = span_cut(in, used, in.n);
    }
    assert_int_equal(in.n, 0);
}

/* The field array of a message is scratch: a reader that cleared or kept it would show here. */
static void test_a_message_is_read_over_an_older_one(void **state)
{
    (void)state;
    static struct msg m;
    memset(&m, 0xee, sizeof m);
    assert_int_equal(read_request("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &m), RC_OK);
    assert_int_equal(m.n_fields, 1);
    assert_false(m.upgrade || m.expect_continue || m.has_length || m.has_query);
    assert_int_equal(m.length + m.status + m.port + m.scheme.n + m.query.n + m.reason.n, 0);
    assert_int_equal(m.fields[1].name.n, 0xeeeeeeeeeeeeeeee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_form),
        cmocka_unit_test(test_targets_that_are_taken),
        cmocka_unit_test(test_bytes_that_may_stand_in_values),
        cmocka_unit_test(test_persistence),
        cmocka_unit_test(test_http10_may_lack_a_host),
        cmocka_unit_test(test_absolute_target_wins_over_host),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_only_a_whole_websocket_offer_is_an_upgrade),
        cmocka_unit_test(test_responses_that_are_taken),
        cmocka_unit_test(test_switching_protocols_fits_its_request),
        cmocka_unit_test(test_pipelined_requests_come_out_in_order),
        cmocka_unit_test(test_a_message_is_read_over_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
