/* Buckets: how many at once, how many a second, and that useful work earns frames that move nothing. */
#include "gw/http/h2_flood.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static unsigned take_all(struct h2_flood *f, enum h2_bucket b, int64_t now_ms)
{
    unsigned n = 0;
    while (h2_flood_take(f, b, now_ms) == H2_NONE)
        n++;
    return n;
}

static void test_each_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum h2_bucket b;
        enum h2_why why;
        unsigned most;
    } rows[] = {{H2B_RESETS, H2_RESETS, LIM_H2_RESETS},
                {H2B_SETTINGS, H2_SETTINGS, 32},
                {H2B_PINGS, H2_PINGS, LIM_H2_PINGS},
                {H2B_FRAMES, H2_FRAMES, LIM_H2_FRAMES}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct h2_flood f = {0};
        assert_int_equal(take_all(&f, rows[i].b, 1), rows[i].most);
        assert_int_equal(h2_flood_take(&f, rows[i].b, 1), rows[i].why);
    }
}

static void test_time_fills_again(void **state)
{
    (void)state;
    struct h2_flood f = {0};
    take_all(&f, H2B_RESETS, 1000);
    assert_int_equal(take_all(&f, H2B_RESETS, 1999), 0);
    assert_int_equal(take_all(&f, H2B_RESETS, 2000), LIM_H2_RESETS / 8);
    assert_int_equal(take_all(&f, H2B_RESETS, 4500), 2 * (LIM_H2_RESETS / 8));
    assert_int_equal(take_all(&f, H2B_RESETS, 5000), LIM_H2_RESETS / 8); /* the half second was not lost */
    assert_int_equal(take_all(&f, H2B_RESETS, INT64_C(1) << 50), LIM_H2_RESETS);
}

static void test_work_earns(void **state)
{
    (void)state;
    struct h2_flood f = {0};
    h2_flood_earn(&f, 100);
    assert_int_equal(take_all(&f, H2B_FRAMES, 1), LIM_H2_FRAMES);
    h2_flood_earn(&f, 100);
    assert_int_equal(take_all(&f, H2B_FRAMES, 1), 100);
    for (int i = 0; i < 100; i++)
        h2_flood_earn(&f, LIM_H2_FRAMES);
    assert_true(take_all(&f, H2B_FRAMES, 1) <= 16 * LIM_H2_FRAMES); /* but not without end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_its_reason),
        cmocka_unit_test(test_time_fills_again),
        cmocka_unit_test(test_work_earns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
