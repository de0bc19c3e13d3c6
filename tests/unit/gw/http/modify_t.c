/* What policy changes in a request, read from the bytes that leave: hosts and paths that are meant and those
 * that only look like it, parameters in every spelling, a client's own copies of what is set. */
#include "gw/http/modify.h"

#include "gw/base/obj.h"
#include "gw/http/h1.h"
#include "tests/unit/gw/http/h1_help.h"

static struct msg m;
static struct modified did;

static void read_in(const char *in)
{
    struct h1_head h;
    size_t used;
    h1_head_init(&h);
    if (h1_request(&h, span_str(in), &m, &used) != RC_OK)
        fail_msg("%s: %s", in, h1_why_name(h.why));
}

/* What leaves of `in` for `host`; compared with `want`. */
static void check(const char *in, const char *host, const struct modify *how, const char *want)
{
    struct arena mem;
    struct buf out = {0};
    arena_init(&mem, 1 << 20);
    read_in(in);
    assert_int_equal(modify_request(&m, span_str(host), how, &mem, &did), RC_OK);
    assert_int_equal(relay_request(&out, &m, &(struct relay_opts){0}), RC_OK);
    if (!span_eq(buf_span(&out), span_str(want)))
        fail_msg("%s left as:\n%.*s\ninstead of:\n%s", host, (int)buf_len(&out), out.p, want);
    buf_fini(&out);
    arena_fini(&mem);
}

static void target(const char *host, const char *from, const char *to)
{
    char in[2048], want[2048];
    static const struct modify how = {.safe_search = true};
    snprintf(in, sizeof in, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", from, host);
    snprintf(want, sizeof want, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, host);
    check(in, host, &how, want);
    assert_int_equal(did.safe_search, strcmp(from, to) != 0 || strstr(to, "safe=active") != NULL);
    assert_false(did.youtube || did.headers);
}

static void test_who_is_no_search_engine_is_left_alone(void **state)
{
    (void)state;
    static const char *const hosts[] = {"google.evil.example",
                                        "notgoogle.com",
                                        "google.com.evil.be",
                                        "googlex.be",
                                        "google",
                                        "google.",
                                        "www.example.com",
                                        "bing.com.example",
                                        "xbing.com",
                                        "yahoo.com",
                                        "google.info",
                                        "google.co.info",
                                        "google.org.uk",
                                        "google.x.uk",
                                        "mail-google.com",
                                        ""};
    for (size_t i = 0; i < N_ELEMS(hosts); i++) {
        if (hosts[i][0])
            target(hosts[i], "/search?q=a&safe=off", "/search?q=a&safe=off");
    }
    struct modify how = {.safe_search = true};
    check("GET /search?q=a HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n", "", &how,
          "GET /search?q=a HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n");
    target("www.google.com", "/", "/");
    target("www.google.com", "/searching?q=a", "/searching?q=a");
    target("www.google.com", "/maps/search?q=a", "/maps/search?q=a");
    check("OPTIONS * HTTP/1.1\r\nHost: www.google.com\r\n\r\n", "www.google.com", &how,
          "OPTIONS * HTTP/1.1\r\nHost: www.google.com\r\n\r\n");
}

static void test_engines_are_told_to_leave_it_out(void **state)
{
    (void)state;
    static const char *const google[] = {"google.com",       "www.google.com",    "www.google.be",
                                         "www.google.co.uk", "www.google.com.br", "images.google.fr",
                                         "google.cat",       "www.google.cat"};
    for (size_t i = 0; i < N_ELEMS(google); i++)
        target(google[i], "/search?q=a", "/search?q=a&safe=active");
    target("www.google.be", "/search", "/search?safe=active");
    target("www.google.be", "/search?", "/search?safe=active");
    target("www.google.be", "/images?q=a", "/images?q=a&safe=active");
    target("www.google.be", "/complete/search?q=a", "/complete/search?q=a&safe=active");
    target("www.bing.com", "/search?q=a", "/search?q=a&adlt=strict");
    target("bing.com", "/images/search?q=a&adlt=off", "/images/search?q=a&adlt=strict");
    target("duckduckgo.com", "/?q=a&kp=-2", "/?q=a&kp=1");
    target("html.duckduckgo.com", "/html/?q=a", "/html/?q=a&kp=1");
    target("duckduckgo.com", "/i.js?q=a&p=-1", "/i.js?q=a&kp=1&p=1");
    target("search.yahoo.com", "/search?p=a", "/search?p=a&vm=r");
    target("be.images.search.yahoo.com", "/search/images;_ylt=A0?p=a&vm=p",
           "/search/images;_ylt=A0?p=a&vm=r");
    target("www.qwant.com", "/?q=a&s=0", "/?q=a&s=2");
    target("search.brave.com", "/search?q=a&safesearch=off", "/search?q=a&safesearch=strict");
    target("yandex.com", "/search/?text=a", "/search/?text=a&fyandex=1");
    target("ya.ru", "/search/?text=a", "/search/?text=a&fyandex=1");
}

/* One spelling of a path for another, one of a name for another (threats.md row 91). */
static void test_no_spelling_gets_past(void **state)
{
    (void)state;
    target("www.google.com", "/%73earch?q=a", "/%73earch?q=a&safe=active");
    target("www.google.com", "//search?q=a", "//search?q=a&safe=active");
    target("www.google.com", "/x/../search?q=a", "/x/../search?q=a&safe=active");
    target("www.google.com", "/search/?q=a", "/search/?q=a&safe=active");
    target("www.google.com", "/search;x?q=a", "/search;x?q=a&safe=active");
    target("www.bing.com", "/Search?q=a", "/Search?q=a&adlt=strict");
    target("www.google.com", "/search?safe=off&q=a", "/search?q=a&safe=active");
    target("www.google.com", "/search?safe=active&q=a&safe=off", "/search?q=a&safe=active");
    target("www.google.com", "/search?SAFE=off&q=a", "/search?q=a&safe=active");
    target("www.google.com", "/search?s%61fe=off&q=a", "/search?q=a&safe=active");
    target("www.google.com", "/search?%73%41%66%65=off", "/search?safe=active");
    target("www.google.com", "/search?safe&q=a", "/search?q=a&safe=active");
    target("www.google.com", "/search?q=a&&safe=off&", "/search?q=a&safe=active");
    /* names that only resemble it stay */
    target("www.google.com", "/search?unsafe=1&safer=2&saf=3&saf%=4&safe%=5&q=safe=off",
           "/search?unsafe=1&safer=2&saf=3&saf%=4&safe%=5&q=safe=off&safe=active");
}

#define YT(fields) "GET /watch?v=1 HTTP/1.1\r\nHost: www.youtube.com\r\n" fields "\r\n"

static void test_youtube_is_restricted_by_our_field_alone(void **state)
{
    (void)state;
    struct modify strict = {.youtube = YOUTUBE_STRICT}, moderate = {.youtube = YOUTUBE_MODERATE}, open = {0};
    check(YT(""), "www.youtube.com", &strict, YT("YouTube-Restrict: Strict\r\n"));
    assert_true(did.youtube && !did.safe_search);
    check(YT(""), "www.youtube.com", &moderate, YT("YouTube-Restrict: Moderate\r\n"));
    check(YT("A: 1\r\nyoutube-restrict: None\r\nB: 2\r\nYouTube_Restrict: x\r\n"), "www.youtube.com", &strict,
          YT("A: 1\r\nB: 2\r\nYouTube-Restrict: Strict\r\n"));
    /* Connection cannot name it away */
    check(YT("Connection: YouTube-Restrict, A\r\nA: 1\r\n"), "www.youtube.com", &strict,
          YT("YouTube-Restrict: Strict\r\n"));
    check(YT(""), "www.youtube.com", &open, YT(""));
    assert_false(did.youtube);
    static const char *const theirs[] = {"youtube.com",
                                         "m.youtube.com",
                                         "music.youtube.com",
                                         "www.youtube-nocookie.com",
                                         "youtubei.googleapis.com",
                                         "youtube.googleapis.com"};
    static const char *const others[] = {"notyoutube.com", "youtube.com.example", "googleapis.com",
                                         "www.google.com"};
    for (size_t i = 0; i < N_ELEMS(theirs); i++) {
        check(YT(""), theirs[i], &strict, YT("YouTube-Restrict: Strict\r\n"));
        assert_true(did.youtube);
    }
    for (size_t i = 0; i < N_ELEMS(others); i++) {
        check(YT(""), others[i], &strict, YT(""));
        assert_false(did.youtube);
    }
}

#define MS(fields) "POST /a HTTP/1.1\r\nHost: login.microsoftonline.com\r\n" fields "\r\n"

static void test_tenants_fields_are_ours_and_leave_for_their_service(void **state)
{
    (void)state;
    struct modify how = {.headers = {{SPAN("Restrict-Access-To-Tenants"), SPAN("a.example"), false},
                                     {SPAN("X-GoogApps-Allowed-Domains"), SPAN("g.example"), false},
                                     {SPAN("X-Any"), SPAN("1"), false}},
                         .n_headers = 3};
    check(MS("Restrict-Access-To-Tenants: evil.example\r\nrestrict_access_to_tenants: evil\r\n"
             "X-GoogApps-Allowed-Domains: mine\r\n"),
          "login.microsoftonline.com", &how,
          MS("X-GoogApps-Allowed-Domains: mine\r\nRestrict-Access-To-Tenants: a.example\r\nX-Any: 1\r\n"));
    assert_int_equal(did.headers, 5);
    check(MS("Connection: restrict-access-to-tenants, x-any\r\n"), "login.live.com", &how,
          MS("Restrict-Access-To-Tenants: a.example\r\nX-Any: 1\r\n"));
    check(MS(""), "accounts.google.com", &how, MS("X-GoogApps-Allowed-Domains: g.example\r\nX-Any: 1\r\n"));
    assert_int_equal(did.headers, 6);
    check(MS(""), "www.example.com", &how, MS("X-Any: 1\r\n"));
    check(MS(""), "login.microsoftonline.com.example", &how, MS("X-Any: 1\r\n"));
    assert_int_equal(did.headers, 4);
    struct modify slack = {
        .headers = {{SPAN("X-Slack-Allowed-Workspaces-Requester"), SPAN("T1"), false},
                    {SPAN("X-Slack-Allowed-Workspaces"), SPAN("T1,T2"), false},
                    {SPAN("sec-Restrict-Tenant-Access-Policy"), SPAN("restrict-msa"), false}},
        .n_headers = 3};
    check(MS(""), "app.slack.com", &slack,
          MS("X-Slack-Allowed-Workspaces-Requester: T1\r\nX-Slack-Allowed-Workspaces: T1,T2\r\n"));
    check(MS(""), "login.live.com", &slack, MS("sec-Restrict-Tenant-Access-Policy: restrict-msa\r\n"));
}

#define GET(fields) "GET / HTTP/1.1\r\nHost: a.example\r\n" fields "\r\n"
#define INSIDE                                                                                            \
    "Via: 1.1 school\r\nX-Forwarded-For: 10.0.0.7\r\nx-forwarded-host: in\r\nForwarded: for=10.0.0.7\r\n" \
    "X-Real-IP: 10.0.0.7\r\nX_Forwarded_For: 10.0.0.7\r\nTrue-Client-IP: 10.0.0.7\r\nX-Client-IP: "       \
    "10.0.0.7\r\n"

static void test_what_tells_of_the_inside(void **state)
{
    (void)state;
    struct modify remove = {0}, keep = {.forwarded = FORWARDED_KEEP}, add = {.forwarded = FORWARDED_ADD};
    assert_true(addr_parse(SPAN("10.32.1.10"), &add.client));
    check(GET("A: 1\r\n" INSIDE "Accept-Encoding: gzip, br\r\n"), "a.example", &remove,
          GET("A: 1\r\nAccept-Encoding: gzip, br\r\n"));
    check(GET("A: 1\r\n" INSIDE), "a.example", &keep, GET("A: 1\r\n" INSIDE));
    check(GET("A: 1\r\n" INSIDE), "a.example", &add,
          GET("A: 1\r\nX-Forwarded-For: 10.32.1.10\r\nVia: 1.1 perron\r\n"));
    check(GET("Viaduct: 1\r\nX-Forward: 2\r\nX-Forwardedx: 3\r\n"), "a.example", &remove,
          GET("Viaduct: 1\r\nX-Forward: 2\r\nX-Forwardedx: 3\r\n"));
    /* a rule that sets one of them is heard */
    struct modify set = {.headers = {{SPAN("X-Forwarded-For"), SPAN("192.0.2.1"), false}}, .n_headers = 1};
    check(GET(INSIDE), "a.example", &set, GET("X-Forwarded-For: 192.0.2.1\r\n"));
}

static void test_a_full_head_still_takes_ours(void **state)
{
    (void)state;
    struct modify how = {.youtube = YOUTUBE_STRICT, .forwarded = FORWARDED_ADD, .n_headers = MODIFY_HEADERS};
    static char names[MODIFY_HEADERS][8];
    struct arena mem;
    for (size_t i = 0; i < MODIFY_HEADERS; i++) {
        snprintf(names[i], sizeof names[i], "X-%zu", i);
        how.headers[i] = (struct field){span_str(names[i]), SPAN("1"), false};
    }
    read_in("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (size_t i = 0; i < LIM_HEAD_FIELDS; i++)
        m.fields[i] = (struct field){SPAN("A"), SPAN("1"), false};
    m.n_fields = LIM_HEAD_FIELDS;
    arena_init(&mem, 1 << 20);
    assert_int_equal(modify_request(&m, SPAN("youtube.com"), &how, &mem, &did), RC_OK);
    assert_int_equal(m.n_fields, LIM_HEAD_FIELDS + MODIFY_HEADERS + 3);
    assert_int_equal(did.headers, (1u << MODIFY_HEADERS) - 1);
    arena_fini(&mem);
}

static void test_no_memory_is_told(void **state)
{
    (void)state;
    struct arena mem;
    struct modify search = {.safe_search = true}, add = {.forwarded = FORWARDED_ADD};
    arena_init(&mem, 1);
    read_in("GET /search?q=1 HTTP/1.1\r\nHost: www.google.com\r\n\r\n");
    assert_int_equal(modify_request(&m, SPAN("www.google.com"), &search, &mem, &did), RC_NOMEM);
    assert_int_equal(modify_request(&m, SPAN("www.google.com"), &add, &mem, &did), RC_NOMEM);
    arena_fini(&mem);
}

static void test_alternatives_past_tcp_are_left_out(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"h3=\":443\"", ""},
        {"h3=\":443\"; ma=86400, h3-29=\":443\"; ma=86400", ""},
        {"h3=\":443\"; ma=86400, h2=\":443\"; ma=60", "h2=\":443\"; ma=60"},
        {"h2=\":443\",h3=\":443\",http%2F1.1=\"a:80\"", "h2=\":443\",http%2F1.1=\"a:80\""},
        {"H3=\":443\"", ""},
        {"h%33=\":443\"", ""},
        {"%683=\":443\"", ""},
        {"hq-interop=\":443\"", ""},
        {"quic=\":443\"; v=\"46,43\"", ""},
        {"h2=\"a,h3=b:443\"; x=\"\\\",h3=\", h3=\":1\"", "h2=\"a,h3=b:443\"; x=\"\\\",h3=\""},
        {"clear", "clear"},
        {"Clear ", "Clear"},
        {"h2=\":443", ""},
        {"nonsense", ""},
        {"=\":443\"", ""},
        {", ,", ""},
        {"", ""},
    };
    uint8_t out[256];
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        size_t n = modify_alt_svc(span_str(rows[i][0]), out);
        if (!span_eq(span_of(out, n), span_str(rows[i][1])))
            fail_msg("%s: %.*s", rows[i][0], (int)n, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_no_search_engine_is_left_alone),
        cmocka_unit_test(test_engines_are_told_to_leave_it_out),
        cmocka_unit_test(test_no_spelling_gets_past),
        cmocka_unit_test(test_youtube_is_restricted_by_our_field_alone),
        cmocka_unit_test(test_tenants_fields_are_ours_and_leave_for_their_service),
        cmocka_unit_test(test_what_tells_of_the_inside),
        cmocka_unit_test(test_a_full_head_still_takes_ours),
        cmocka_unit_test(test_no_memory_is_told),
        cmocka_unit_test(test_alternatives_past_tcp_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
