/* One cookie is taken out of a header, whatever stands around it, and nothing else changes. */
#include "gw/http/cookie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/base/obj.h"

#define OURS SPAN("perron-warn")

static void pairs_are_read_in_order(void **state)
{
    (void)state;
    span left = SPAN(" a=1;; b = x=y ;c; ;=z"), n, v;
    assert_true(cookie_next(&left, &n, &v) && span_eq(n, SPAN("a")) && span_eq(v, SPAN("1")));
    assert_true(cookie_next(&left, &n, &v) && span_eq(n, SPAN("b")) && span_eq(v, SPAN("x=y")));
    assert_true(cookie_next(&left, &n, &v) && span_eq(n, SPAN("c")) && v.n == 0);
    assert_true(cookie_next(&left, &n, &v) && n.n == 0 && span_eq(v, SPAN("z")));
    assert_false(cookie_next(&left, &n, &v));
}

static void ours_is_taken_out_and_the_rest_stays(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } t[] = {
        {"perron-warn=x", ""},
        {"perron-warn", ""},
        {" perron-warn = x ; ", ""},
        {"a=1; perron-warn=x; b=2", "a=1; b=2"},
        {"perron-warn=x; a=1", "a=1"},
        {"a=1; perron-warn=x", "a=1"},
        {"a=1;perron-warn=x;b=2", "a=1;b=2"},
        {"Perron-Warn=x; PERRON-WARN=y; a=\"1 2\"", "a=\"1 2\""},
        {"a=perron-warn; perron-warn2=1; xperron-warn=2", "a=perron-warn; perron-warn2=1; xperron-warn=2"},
        {"a=1;  b=2", "a=1;  b=2"},
        {"", ""},
        {";;;", ""},
    };
    for (size_t i = 0; i < N_ELEMS(t); i++) {
        uint8_t out[128];
        span in = span_str(t[i].in);
        size_t n = cookie_without(in, OURS, out);
        assert_true(n <= in.n);
        if (!span_eq(span_of(out, n), span_str(t[i].out)))
            fail_msg("\"%s\" became \"%.*s\"", t[i].in, (int)n, (const char *)out);
        assert_false(cookie_has(span_of(out, n), OURS));
    }
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
    (void)state;
    assert_true(cookie_has(SPAN("a=1; perron-warn=2"), OURS));
    assert_true(cookie_has(SPAN("PERRON-warn"), OURS));
    assert_false(cookie_has(SPAN("a=perron-warn; perron-warn2=1"), OURS));
    assert_false(cookie_has(SPAN(""), OURS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read_in_order),
        cmocka_unit_test(ours_is_taken_out_and_the_rest_stays),
        cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
