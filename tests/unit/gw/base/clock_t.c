/* Clocks: what is no moment is refused, and a moved wall clock runs on from where it was put. */
#include "gw/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void what_is_no_moment_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026-11-24",
        "2026-11-24T10:00:00",
        "2026-11-24T10:00:00z",
        "2026-11-24 10:00:00Z",
        "2026-11-24T10:00:00ZZ",
        "2026-11-24T10:00:00+01:00",
        "2026-11-24T10:00:0 Z",
        "2026-13-24T10:00:00Z",
        "2026-00-24T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:60:00Z",
        "2026-11-24T10:00:60Z",
        "1969-12-31T23:59:59Z",
        "-026-11-24T10:00:00Z",
        "2026-+1-24T10:00:00Z",
    };
    int64_t s = -7;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(clock_parse(span_str(wrong[i]), &s), RC_BAD);
    assert_int_equal(s, -7);
}

static void expect(const char *text, int64_t want)
{
    int64_t s;
    assert_int_equal(clock_parse(span_str(text), &s), RC_OK);
    assert_true(s == want);
}

static void moments_are_utc(void **state)
{
    (void)state;
    expect("1970-01-01T00:00:00Z", 0);
    expect("2024-02-29T12:34:56Z", 1709210096);
    expect("2026-11-24T10:00:00Z", 1795514400);
    expect("2038-01-19T03:14:08Z", INT64_C(2147483648));
    expect("9999-12-31T23:59:59Z", INT64_C(253402300799));
}

static void a_moved_wall_clock_runs_on(void **state)
{
    (void)state;
    int64_t real = clock_wall_us(), mono = clock_mono_us();
    clock_set_offset(INT64_C(86400000000));
    int64_t moved = clock_wall_us();
    assert_true(moved - real >= INT64_C(86400000000) && moved - real < INT64_C(86410000000));
    assert_true(clock_offset() == INT64_C(86400000000));
    assert_true(clock_wall_ms() >= moved / 1000 && clock_wall_s() >= moved / 1000000);
    assert_true(clock_wall_us() >= moved);
    assert_true(clock_mono_us() - mono < 10000000); /* timers did not notice */
    clock_set_offset(0);
    assert_true(clock_wall_us() - real < 10000000);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_mono_us();
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(moments_are_utc),
        cmocka_unit_test(a_moved_wall_clock_runs_on),
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
