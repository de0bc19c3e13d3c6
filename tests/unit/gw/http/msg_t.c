/* Look-ups in a message, lists, and the host of a Referer. */
#include "tests/unit/gw/http/h1_help.h"

static void test_referer_without_a_host_gives_none(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",
        "/x",
        "a.example",
        "//a.example/x",
        "http:/a",
        "http://",
        "http:///x",
        "http://?x",
        "ftp://a/",
        "data:,x",
        "javascript://a",
        "http://a b/",
        "http://a\xc3/",
        "http://u@/",
        "http://[::1",
        "http://a:x/",
        "https:",
        "about:blank",
        "android-app://com.example",
        "http://a,b/",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(referer_host(span_str(none[i])).n, 0);
}

static void test_referer_keeps_the_host_alone(void **state)
{
    (void)state;
    static const char *const t[][2] = {
        {"http://a.example", "a.example"},
        {"https://A.example:8443/path?secret=1#x", "A.example"},
        {"HTTPS://a.example?q", "a.example"},
        {"https://a.example#f", "a.example"},
        {"https://user:pass@a.example/x", "a.example"},
        {"https://b@c@a.example/x@y", "a.example"},
        {"https://a.example\\@b.example/", "a.example"},
        {"http://[2001:db8::1]:80/x", "2001:db8::1"},
        {"http://192.0.2.1/", "192.0.2.1"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_true(span_eq(referer_host(span_str(t[i][0])), span_str(t[i][1])));
}

static void test_lists(void **state)
{
    (void)state;
    span list = SPAN(", a ,,\tb\t, c d,"), e;
    assert_true(list_next(&list, &e) && span_eq(e, SPAN("a")));
    assert_true(list_next(&list, &e) && span_eq(e, SPAN("b")));
    assert_true(list_next(&list, &e) && span_eq(e, SPAN("c d")));
    assert_false(list_next(&list, &e));
    list = SPAN("");
    assert_false(list_next(&list, &e));
    list = SPAN(" ,\t, ");
    assert_false(list_next(&list, &e));
}

static void test_fields_are_found_in_any_case(void **state)
{
    (void)state;
    static struct msg m;
    m.n_fields = 4;
    m.fields[0] = (struct field){SPAN("Accept"), SPAN("x")};
    m.fields[1] = (struct field){SPAN("Vary"), SPAN("a, B")};
    m.fields[2] = (struct field){SPAN("vary"), SPAN("c")};
    m.fields[3] = (struct field){SPAN("Empty"), span_of("", 0)};
    m.fields[4] = (struct field){SPAN("Stale"), SPAN("x")};
    assert_null(msg_field(&m, SPAN("Stale")).p);
    assert_null(msg_field(&m, SPAN("Var")).p);
    assert_true(span_eq(msg_field(&m, SPAN("VARY")), SPAN("a, B")));
    assert_non_null(msg_field(&m, SPAN("empty")).p);
    assert_true(msg_has_token(&m, SPAN("vary"), SPAN("b")));
    assert_true(msg_has_token(&m, SPAN("Vary"), SPAN("C")));
    assert_false(msg_has_token(&m, SPAN("Vary"), SPAN("a, B")));
    assert_false(msg_has_token(&m, SPAN("Stale"), SPAN("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_referer_without_a_host_gives_none),
        cmocka_unit_test(test_referer_keeps_the_host_alone),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_fields_are_found_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
