/* Fetching: URLs that are followed and those that are not; then real fetches over loopback, which the guard
 * forbids. The network tests fetch for real. Threats row 141. */
#include "gw/proc/get.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void only_http_urls_are_split(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "http://",
        "https://a.test/",
        "ftp://a.test/",
        "//a.test/x",
        "/x",
        "http://a.test:0x50/",
        "http://a.test:99999/",
        "http://us er@a.test/",
        "http://user@a.test/",
        "http://a.test/\r\nHost: b",
        "http://a.test/\x01",
        "http://a.test/\xc3\xa9",
        "http:///x",
        "http://a.test?x/y",
        "http://[::1/x",
        "http://:80/",
    };
    struct get_url u;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (get_url_split(span_str(bad[i]), &u))
            fail_msg("%s", bad[i]);
    }
    static const struct {
        const char *url, *host, *target;
        uint16_t port;
    } good[] = {
        {"http://a.test", "a.test", "/", 80},
        {"HTTP://A.test/", "A.test", "/", 80},
        {"http://a.test:8080/x?y#z", "a.test", "/x?y", 8080},
        {"http://a.test#z", "a.test", "/", 80},
        {"http://192.0.2.1/a/b", "192.0.2.1", "/a/b", 80},
        {"http://[2001:db8::1]:8080/a", "2001:db8::1", "/a", 8080},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(get_url_split(span_str(good[i].url), &u));
        assert_true(span_eq(u.host, span_str(good[i].host)));
        assert_true(span_eq(u.target, span_str(good[i].target)));
        assert_int_equal(u.port, good[i].port);
    }
}

static enum get_why ended;
static unsigned n_ended;

static void on_done(struct get *g, enum get_why why, span body)
{
    (void)g;
    assert_int_equal(body.n, 0);
    ended = why;
    n_ended++;
}

static void what_is_forbidden_is_told_later_and_once(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum get_why why;
    } rows[] = {
        {"https://a.test/", GET_URL},
        {"http://127.0.0.1/", GET_FORBIDDEN},
        {"http://[::1]/", GET_FORBIDDEN},
        {"http://127.0.0.1:25/", GET_PORT},
        {"http://169.254.169.254/", GET_FORBIDDEN},
        {"http://10.0.0.1/", GET_FORBIDDEN},
        {"http://[::ffff:10.0.0.1]/", GET_FORBIDDEN},
        {"http://192.0.2.7/", GET_FORBIDDEN}, /* of the management network */
        {"http://0/", GET_NO_NAME},
        {"http://localhost/", GET_NO_NAME},
    };
    struct prefix admin;
    assert_true(prefix_parse(SPAN("192.0.2.0/24"), &admin));
    struct get_env env = {.fence = {.private_block = true, .management = &admin, .n_management = 1},
                          .held_most = 1000};
    assert_int_equal(ev_new(&env.ev), RC_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct get g = {.env = &env, .most = 100, .timeout_ms = 1000, .done = on_done};
        n_ended = 0;
        assert_int_equal(get_start(&g, span_str(rows[i].url)), RC_OK);
        assert_int_equal(n_ended, 0);
        assert_int_equal(ev_turn(env.ev, 0), RC_OK);
        if (n_ended != 1 || ended != rows[i].why)
            fail_msg("%s: %s", rows[i].url, get_why_name(ended));
        assert_null(g.state);
        get_cancel(&g);
    }
    struct get g = {.env = &env, .most = 100, .timeout_ms = 1000, .done = on_done};
    n_ended = 0;
    assert_int_equal(get_start(&g, SPAN("http://127.0.0.1/")), RC_OK);
    get_cancel(&g);
    assert_int_equal(ev_turn(env.ev, 0), RC_OK);
    assert_int_equal(n_ended, 0);
    assert_int_equal(env.held, 0);
    ev_free(env.ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_http_urls_are_split),
        cmocka_unit_test(what_is_forbidden_is_told_later_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
