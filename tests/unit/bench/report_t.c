/* The JSON line of a figure is a contract (its keys, its nulls); medians and ratios; nothing that is not a
 * number gets out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bench/report.c"

static struct samples samples_of(const double *v, size_t n)
{
    struct samples s = {.n = 0};
    for (size_t i = 0; i < n; i++)
        samples_add(&s, v[i]);
    return s;
}

static void assert_json(const struct figure *f, const char *want)
{
    struct buf out;
    buf_init(&out, 0);
    assert_int_equal(figure_json(f, &out), RC_OK);
    assert_true(span_eq(buf_span(&out), span_str(want)));
    buf_fini(&out);
}

static void a_figure_without_a_peer_has_nulls(void **state)
{
    (void)state;
    assert_json(&(struct figure){.name = "conn-errors", .unit = "connections", .value = 0, .runs = 5},
                "{\"figure\":\"conn-errors\",\"value\":0,\"unit\":\"connections\",\"peer\":null,"
                "\"peer_value\":null,\"ratio\":null,\"runs\":5}\n");
}

static void a_peer_of_value_zero_gives_no_ratio(void **state)
{
    (void)state;
    assert_json(&(struct figure){.name = "x", .unit = "s", .value = 3, .peer = "haproxy", .runs = 1},
                "{\"figure\":\"x\",\"value\":3,\"unit\":\"s\",\"peer\":\"haproxy\",\"peer_value\":0,"
                "\"ratio\":null,\"runs\":1}\n");
}

static void what_is_no_number_is_null(void **state)
{
    (void)state;
    assert_json(
        &(struct figure){
            .name = "x", .unit = "s", .value = NAN, .peer = "y", .peer_value = INFINITY, .runs = 1},
        "{\"figure\":\"x\",\"value\":null,\"unit\":\"s\",\"peer\":\"y\",\"peer_value\":null,"
        "\"ratio\":null,\"runs\":1}\n");
}

static void quotes_and_controls_cannot_break_the_line(void **state)
{
    (void)state;
    assert_json(&(struct figure){.name = "a\"b\\c\nd", .unit = "s", .value = 1, .runs = 1},
                "{\"figure\":\"a\\\"b\\\\c d\",\"value\":1,\"unit\":\"s\",\"peer\":null,\"peer_value\":null,"
                "\"ratio\":null,\"runs\":1}\n");
}

static void value_peer_and_ratio_are_medians(void **state)
{
    (void)state;
    static const double MINE[] = {9, 1, 2, 100, 3}, THEIRS[] = {2, 2, 2, 2, 50};
    struct samples mine = samples_of(MINE, 5), theirs = samples_of(THEIRS, 5);
    struct figure f = figure_of("conn-cpu", "us/connection", &mine, "haproxy", &theirs);
    assert_json(&f, "{\"figure\":\"conn-cpu\",\"value\":3,\"unit\":\"us/connection\",\"peer\":\"haproxy\","
                    "\"peer_value\":2,\"ratio\":1.5,\"runs\":5}\n");
    assert_true(f.low == 1 && f.high == 100 && f.peer_low == 2 && f.peer_high == 50);
}

static void the_median_of_an_even_number_lies_between(void **state)
{
    (void)state;
    static const double V[] = {4, 1, 3, 2};
    struct samples s = samples_of(V, 4), none = {.n = 0};
    assert_true(samples_median(&s) == 2.5);
    assert_true(samples_sum(&s) == 10);
    assert_true(samples_median(&none) == 0 && samples_min(&none) == 0 && samples_max(&none) == 0);
}

static void samples_beyond_the_cap_are_dropped(void **state)
{
    (void)state;
    struct samples s = {.n = 0};
    for (int i = 0; i < SAMPLES_MAX + 10; i++)
        samples_add(&s, i);
    assert_int_equal(s.n, SAMPLES_MAX);
}

static void a_table_row_shows_value_peer_and_ratio(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 0);
    struct figure f = {.name = "bulk-cpu",
                       .unit = "s/GiB",
                       .value = 1.25,
                       .low = 1,
                       .high = 2,
                       .peer = "haproxy",
                       .peer_value = 1,
                       .peer_low = 1,
                       .peer_high = 1,
                       .runs = 7};
    assert_int_equal(figure_heading(&out), RC_OK);
    assert_int_equal(figure_row(&f, &out), RC_OK);
    assert_int_equal(buf_put_u8(&out, 0), RC_OK);
    const char *text = (const char *)out.p;
    assert_non_null(strstr(text, "figure"));
    assert_non_null(strstr(text, "1.25 s/GiB"));
    assert_non_null(strstr(text, "(1 - 2)"));
    assert_non_null(strstr(text, " 1.250    7\n"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_figure_without_a_peer_has_nulls),
        cmocka_unit_test(a_peer_of_value_zero_gives_no_ratio),
        cmocka_unit_test(what_is_no_number_is_null),
        cmocka_unit_test(quotes_and_controls_cannot_break_the_line),
        cmocka_unit_test(value_peer_and_ratio_are_medians),
        cmocka_unit_test(the_median_of_an_even_number_lies_between),
        cmocka_unit_test(samples_beyond_the_cap_are_dropped),
        cmocka_unit_test(a_table_row_shows_value_peer_and_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
