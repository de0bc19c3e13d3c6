/* Heads of HTTP/2: what is refused and by which name, and what a good one becomes. */
#include "gw/http/h2_head.h"

#include "tests/unit/gw/http/h1_help.h"

struct pair {
    const char *name, *value;
};

#define BASE                                                                 \
    {":method", "GET"}, {":scheme", "https"}, {":authority", "www.example"}, \
    {                                                                        \
        ":path", "/"                                                         \
    }
enum { PAIRS = 12 };

static struct h2_head *read_head(struct h2_pool *pool, enum h2_kind kind, const struct pair *p, bool end)
{
    struct h2_head *h = h2_head_get(pool, kind);
    assert_non_null(h);
    for (size_t i = 0; i < PAIRS && p[i].name; i++) {
        span name = copy_exact(span_str(p[i].name)), value = copy_exact(span_str(p[i].value));
        h2_head_field(h, name, value, false);
        free((void *)(uintptr_t)name.p);
        free((void *)(uintptr_t)value.p);
    }
    h2_head_end(h, end, SPAN("GET"));
    return h;
}

static void refused(enum h2_kind kind, const struct pair *p, bool end, const char *why, unsigned status)
{
    struct h2_pool pool = {0};
    struct h2_head *h = read_head(&pool, kind, p, end);
    if (!h->fault.name)
        print_error("nothing wrong where %s was expected\n", why);
    assert_non_null(h->fault.name);
    assert_string_equal(h->fault.name, why);
    assert_int_equal(h->fault.status, status);
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

static void test_requests_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct pair p[PAIRS];
        unsigned status;
    } cases[] = {
        {"connection-field", {BASE, {"connection", "close"}}, 400},
        {"connection-field", {BASE, {"transfer-encoding", "chunked"}}, 400},
        {"connection-field", {BASE, {"keep-alive", "5"}}, 400},
        {"connection-field", {BASE, {"proxy-connection", "x"}}, 400},
        {"connection-field", {BASE, {"upgrade", "websocket"}}, 400},
        {"te", {BASE, {"te", "trailers, gzip"}}, 400},
        {"field-name-case", {BASE, {"x-A", "1"}}, 400},
        {"field-name", {BASE, {"x(", "1"}}, 400},
        {"no-name", {BASE, {"", "1"}}, 400},
        {"space-before-colon", {BASE, {"x ", "1"}}, 400},
        {"field-value-space", {BASE, {"x", "1 "}}, 400},
        {"field-value-space", {BASE, {"x", "\t1"}}, 400},
        {"field-value", {BASE, {"x", "a\x01"}}, 400},
        {"bare-cr", {BASE, {"x", "a\r\nb: c"}}, 400},
        {"bare-lf", {BASE, {"x\n", "a"}}, 400},
        {"field-lookalike", {BASE, {"content_length", "1"}}, 400},
        {"pseudo-unknown", {BASE, {":foo", "1"}}, 400},
        {"pseudo-unknown", {BASE, {":status", "200"}}, 400},
        {"pseudo-unknown", {BASE, {":protocol", "websocket"}}, 400},
        {"pseudo-twice", {BASE, {":path", "/"}}, 400},
        {"pseudo-late", {{":method", "GET"}, {"x", "1"}, {":path", "/"}}, 400},
        {"pseudo-missing", {{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}}, 400},
        {"pseudo-missing", {{":scheme", "https"}, {":authority", "a.example"}, {":path", "/"}}, 400},
        {"host-missing", {{":method", "GET"}, {":scheme", "https"}, {":path", "/"}}, 400},
        {"host-other", {BASE, {"host", "evil.example"}}, 400},
        {"host-other", {BASE, {"host", "www.example:81"}}, 400},
        {"host-twice", {BASE, {"host", "www.example"}, {"host", "www.example"}}, 400},
        {"content-length", {BASE, {"content-length", "0x1"}}, 400},
        {"content-length-list", {BASE, {"content-length", "0, 0"}}, 400},
        {"content-length-twice", {BASE, {"content-length", "0"}, {"content-length", "0"}}, 400},
        {"content-length-mismatch", {BASE, {"content-length", "1"}}, 400},
        {"expect", {BASE, {"expect", "100-continue"}, {"expect", "100-continue"}}, 417},
        {"connect-form", {{":method", "CONNECT"}, {":authority", "a.example:443"}, {":path", "/"}}, 400},
        {"connect-port", {{":method", "CONNECT"}, {":authority", "a.example"}}, 400},
        {"connect-form",
         {{":method", "CONNECT"},
          {":protocol", "websocket"},
          {":scheme", "https"},
          {":authority", "a.example"},
          {":path", "/"}},
         400}, /* ended: nothing could be said on it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(H2_REQUEST, cases[i].p, true, cases[i].why, cases[i].status);
    static const struct pair udp[PAIRS] = {{":method", "CONNECT"},
                                           {":protocol", "connect-udp"},
                                           {":scheme", "https"},
                                           {":authority", "a.example"},
                                           {":path", "/"}};
    refused(H2_REQUEST, udp, false, "protocol", 501);
}

static void test_targets_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"", "target-form"},  {"a", "target-form"},    {"http://x/", "target-form"},
        {"*", "target-form"}, {"/a b", "target-byte"}, {"/a#b", "target-fragment"},
        {"/\r\n", "bare-cr"}, {"/\n", "bare-lf"},      {"/\x7f", "target-byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair p[PAIRS] = {BASE};
        p[3].value = cases[i].path;
        refused(H2_REQUEST, p, true, cases[i].why, 400);
    }
    struct pair plain[PAIRS] = {BASE};
    plain[1].value = "http";
    refused(H2_REQUEST, plain, true, "target-scheme", 400);
    static const struct {
        const char *host, *why;
    } hosts[] = {{"", "host-empty"},   {"a@b", "host-userinfo"}, {"a,b", "host-list"},
                 {"a:0", "host-port"}, {"a/b", "host-syntax"},   {"[::1", "host-syntax"}};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct pair p[PAIRS] = {BASE};
        p[2].value = hosts[i].host;
        refused(H2_REQUEST, p, true, hosts[i].why, 400);
    }
}

static void test_responses_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct pair p[PAIRS];
        bool end;
        unsigned status;
    } cases[] = {
        {"pseudo-missing", {{"x", "1"}}, true, 400},
        {"pseudo-missing", {{":status", "100"}}, true, 400},
        {"pseudo-unknown", {{":status", "200"}, {":path", "/"}}, true, 400},
        {"status-code", {{":status", "99"}}, true, 502},
        {"status-code", {{":status", "2000"}}, true, 502},
        {"status-code", {{":status", "+20"}}, true, 502},
        {"switching", {{":status", "101"}}, false, 502},
        {"content-unasked", {{":status", "204"}, {"content-length", "4"}}, true, 502},
        {"content-length-mismatch", {{":status", "200"}, {"content-length", "4"}}, true, 400},
        {"connection-field", {{":status", "200"}, {"connection", "x"}}, true, 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(H2_RESPONSE, cases[i].p, cases[i].end, cases[i].why, cases[i].status);
}

static void test_trailers(void **state)
{
    (void)state;
    static const struct pair open[PAIRS] = {{"x", "1"}}, pseudo[PAIRS] = {{":status", "200"}};
    static const struct pair good[PAIRS] = {{"x-sum", "1"},
                                            {"host", "evil.example"},
                                            {"content-length", "7"},
                                            {"set-cookie", "a=b"},
                                            {"grpc-status", "0"}};
    refused(H2_TRAILERS, open, false, "trailers-open", 400);
    refused(H2_TRAILERS, pseudo, true, "pseudo-unknown", 400);
    struct h2_pool pool = {0};
    struct h2_head *h = read_head(&pool, H2_TRAILERS, good, true);
    assert_null(h->fault.name);
    assert_int_equal(h->m.n_fields, 2);
    assert_true(span_eq(h->m.fields[1].name, SPAN("grpc-status")));
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

static void test_request_becomes_a_message(void **state)
{
    (void)state;
    static const struct pair p[PAIRS] = {{":method", "POST"},
                                         {":scheme", "https"},
                                         {":authority", "WWW.Example:8443"},
                                         {":path", "/a?b=c"},
                                         {"host", "www.example:8443"},
                                         {"te", "trailers"},
                                         {"content-length", "12"},
                                         {"x-empty", ""}};
    struct h2_pool pool = {0};
    struct h2_head *h = read_head(&pool, H2_REQUEST, p, false);
    assert_null(h->fault.name);
    assert_true(span_eq(h->m.host, SPAN("WWW.Example")));
    assert_int_equal(h->m.port, 8443);
    assert_true(span_eq(h->m.path, SPAN("/a")) && span_eq(h->m.query, SPAN("b=c")) && h->m.has_query);
    assert_int_equal(h->m.body, BODY_LENGTH);
    assert_int_equal(h->m.length, 12);
    assert_true(h->trailers_wanted && h->m.keep_alive && h->m.minor == 1);
    assert_true(span_eq(msg_field(&h->m, SPAN("x-empty")), SPAN("")) && h->m.n_fields == 4);
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

/* RFC 8441: the same to policy as the GET of HTTP/1. */
static void test_websocket(void **state)
{
    (void)state;
    static const struct pair p[PAIRS] = {{":method", "CONNECT"},
                                         {":protocol", "websocket"},
                                         {":scheme", "https"},
                                         {":authority", "a.example"},
                                         {":path", "/chat"}};
    struct h2_pool pool = {0};
    struct h2_head *h = read_head(&pool, H2_REQUEST, p, false);
    assert_null(h->fault.name);
    assert_true(h->m.upgrade && span_eq(h->m.method, SPAN("GET")) && span_eq(h->m.path, SPAN("/chat")));
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

static void test_too_much(void **state)
{
    (void)state;
    static uint8_t big[40000];
    struct h2_pool pool = {0};
    memset(big, 'x', sizeof big);
    struct h2_head *h = h2_head_get(&pool, H2_TRAILERS);
    for (int i = 0; i < LIM_HEAD_FIELDS; i++)
        h2_head_field(h, SPAN("x"), SPAN("y"), false);
    assert_null(h->fault.name);
    h2_head_field(h, SPAN("x"), SPAN("y"), false);
    assert_string_equal(h->fault.name, "field-count");
    h2_head_put(&pool, h);
    h = h2_head_get(&pool, H2_TRAILERS);
    h2_head_field(h, SPAN("x"), span_of(big, sizeof big), false);
    assert_null(h->fault.name);
    size_t cap = h->cap;
    for (int i = 0; i < 100; i++)
        h2_head_field(h, SPAN("x"), span_of(big, sizeof big), false);
    assert_string_equal(h->fault.name, "head-long");
    assert_int_equal(h->cap, cap); /* what is not kept costs nothing */
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

/* More cookies than fields may be: crumbs are put together, no byte of them is lost. */
static void test_many_crumbs(void **state)
{
    (void)state;
    struct h2_pool pool = {0};
    struct h2_head *h = h2_head_get(&pool, H2_TRAILERS);
    char crumb[16];
    size_t total = 0;
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(crumb, sizeof crumb, "c%d=%d", i, i);
        total += (size_t)n;
        h2_head_field(h, SPAN("cookie"), span_of(crumb, (size_t)n), false);
    }
    assert_null(h->fault.name);
    assert_true(h->m.n_fields <= LIM_HEAD_FIELDS);
    size_t got = 0, joins = 0;
    for (size_t i = 0; i < h->m.n_fields; i++) {
        span v = h->m.fields[i].value;
        for (size_t k = 0; k < v.n; k++) {
            joins += v.p[k] == ';';
            got += v.p[k] != ';' && v.p[k] != ' ';
        }
    }
    assert_int_equal(got, total);
    assert_int_equal(joins, 1000 - h->m.n_fields);
    assert_true(span_has_suffix(h->m.fields[h->m.n_fields - 1].value, SPAN("c999=999")));
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

/* The bytes move while a head grows: spans move along. */
static void test_spans_survive_growth(void **state)
{
    (void)state;
    struct h2_pool pool = {0};
    struct h2_head *h = h2_head_get(&pool, H2_REQUEST);
    h2_head_field(h, SPAN(":method"), SPAN("GET"), false);
    h2_head_field(h, SPAN(":scheme"), SPAN("https"), false);
    h2_head_field(h, SPAN(":authority"), SPAN("www.example"), false);
    h2_head_field(h, SPAN(":path"), SPAN("/p?q"), false);
    static uint8_t filler[3000];
    memset(filler, 'f', sizeof filler);
    for (int i = 0; i < 15; i++)
        h2_head_field(h, SPAN("x-filler"), span_of(filler, sizeof filler), i & 1);
    h2_head_end(h, true, SPAN_NONE);
    assert_null(h->fault.name);
    assert_true(span_eq(h->m.host, SPAN("www.example")) && span_eq(h->m.path, SPAN("/p")));
    assert_true(h2_head_room(h, 100000));
    assert_true(span_eq(h->m.host, SPAN("www.example")) && span_eq(h->m.query, SPAN("q")));
    assert_true(span_eq(h->m.method, SPAN("GET")) && h2_head_holds(h, h->m.method));
    for (int i = 0; i < 15; i++) {
        assert_true(span_eq(h->m.fields[i].value, span_of(filler, sizeof filler)));
        assert_int_equal(h->m.fields[i].secret, i & 1);
    }
    h2_head_put(&pool, h);
    h2_pool_fini(&pool);
}

static void test_every_reason_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < H2_WHY_N; i++) {
        assert_true(strlen(h2_fault((enum h2_why)i).name) > 1);
        assert_true(strlen(h2_why_text((enum h2_why)i)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_refused),
        cmocka_unit_test(test_targets_refused),
        cmocka_unit_test(test_responses_refused),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_request_becomes_a_message),
        cmocka_unit_test(test_websocket),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_many_crumbs),
        cmocka_unit_test(test_spans_survive_growth),
        cmocka_unit_test(test_every_reason_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
