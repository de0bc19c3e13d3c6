/* Percentiles of the bench's histogram: exact for small values, right to one cell for large ones, sane at the
 * edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "bench/hist.c"

static void an_empty_histogram_says_zero(void **state)
{
    (void)state;
    struct hist h = {0};
    assert_int_equal(hist_percentile(&h, 50), 0);
    assert_true(hist_mean(&h) == 0.0);
}

static void values_beyond_the_last_cell_are_kept_there(void **state)
{
    (void)state;
    struct hist h = {0};
    hist_add(&h, UINT64_MAX);
    assert_int_equal(h.cell[HIST_CELLS - 1], 1);
    assert_int_equal(h.max, UINT64_MAX);
    assert_int_equal(h.n, 1);
}

static void every_value_lies_at_or_below_the_edge_of_its_cell_and_above_the_one_before(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < (1u << 20); v = v < 300 ? v + 1 : v + v / 97) {
        unsigned cell = cell_of(v);
        assert_true(v <= cell_edge(cell));
        assert_true(cell == 0 || v > cell_edge(cell - 1));
    }
    for (unsigned bit = 20; bit < 40; bit++) {
        uint64_t v = 1ull << bit;
        assert_int_equal(cell_of(v), cell_of(v - 1) + 1);
    }
}

static void small_values_are_exact(void **state)
{
    (void)state;
    struct hist h = {0};
    for (uint64_t v = 1; v <= 50; v++)
        hist_add(&h, v);
    assert_int_equal(hist_percentile(&h, 50), 25);
    assert_int_equal(hist_percentile(&h, 100), 50);
    assert_int_equal(hist_percentile(&h, 0), 1);
    assert_true(hist_mean(&h) == 25.5);
}

static void percentiles_of_large_values_are_right_to_two_percent(void **state)
{
    (void)state;
    struct hist h = {0};
    for (uint64_t v = 1; v <= 100000; v++)
        hist_add(&h, v * 10);
    static const double PERCENTS[] = {10, 50, 90, 99, 99.9};
    for (size_t i = 0; i < sizeof(PERCENTS) / sizeof(PERCENTS[0]); i++) {
        double want = PERCENTS[i] * 10000.0, got = (double)hist_percentile(&h, PERCENTS[i]);
        assert_true(got >= want * 0.999 && got <= want * 1.02);
    }
}

static void no_percentile_is_above_the_largest_value(void **state)
{
    (void)state;
    struct hist h = {0};
    hist_add(&h, 1000001);
    assert_int_equal(hist_percentile(&h, 99), 1000001);
    assert_int_equal(hist_percentile(&h, 100), 1000001);
}

static void one_slow_answer_in_a_hundred_shows_at_99_9_and_not_at_50(void **state)
{
    (void)state;
    struct hist h = {0};
    for (int i = 0; i < 99; i++)
        hist_add(&h, 10);
    hist_add(&h, 5000);
    assert_int_equal(hist_percentile(&h, 50), 10);
    assert_int_equal(hist_percentile(&h, 99), 10);
    assert_int_equal(hist_percentile(&h, 99.9), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_says_zero),
        cmocka_unit_test(values_beyond_the_last_cell_are_kept_there),
        cmocka_unit_test(every_value_lies_at_or_below_the_edge_of_its_cell_and_above_the_one_before),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(percentiles_of_large_values_are_right_to_two_percent),
        cmocka_unit_test(no_percentile_is_above_the_largest_value),
        cmocka_unit_test(one_slow_answer_in_a_hundred_shows_at_99_9_and_not_at_50),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
