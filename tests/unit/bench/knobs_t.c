/* The command line of the measurements: wrong ones end with CONFIG and change nothing else, right ones land
 * in the struct. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "bench/knobs.c"

/* The test looks at results, not at messages. */
void say_error(const char *fmt, ...)
{
    (void)fmt;
}

static enum rc parse(struct knobs *k, const char *a, const char *b)
{
    char *argv[] = {(char *)(uintptr_t) "conn", (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL};
    return knobs_parse(k, b ? 3 : a ? 2 : 1, argv);
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"count", NULL},      {"--counts", "5"},   {"--count", NULL},  {"--count", "x"},
        {"--count", "0"},     {"--count", "-1"},   {"--runs", "1001"}, {"--count=", NULL},
        {"--json=yes", NULL}, {"--only", "squid"}, {"--count", "5 "},  {"-c", "5"},
    };
    for (size_t i = 0; i < N_ELEMS(BAD); i++) {
        struct knobs k = {.count = 7, .runs = 3};
        assert_int_equal(parse(&k, BAD[i][0], BAD[i][1]), RC_CONFIG);
        assert_int_equal(k.count, 7);
        assert_int_equal(k.runs, 3);
    }
}

static void no_options_leave_the_defaults(void **state)
{
    (void)state;
    struct knobs k = {.count = 7};
    assert_int_equal(parse(&k, NULL, NULL), RC_OK);
    assert_int_equal(k.count, 7);
    assert_false(k.json);
    assert_null(k.only);
}

static void both_spellings_of_a_value_are_read(void **state)
{
    (void)state;
    struct knobs k = {.count = 7};
    assert_int_equal(parse(&k, "--count", "2000"), RC_OK);
    assert_int_equal(k.count, 2000);
    assert_int_equal(parse(&k, "--count=3000", "--json"), RC_OK);
    assert_int_equal(k.count, 3000);
    assert_true(k.json);
    assert_int_equal(parse(&k, "--only", "haproxy"), RC_OK);
    assert_string_equal(k.only, "haproxy");
}

static void every_option_has_a_sentence_and_a_sane_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(ROWS); i++) {
        assert_true(strlen(ROWS[i].sentence) > 10);
        assert_true(ROWS[i].kind != KIND_NUMBER || ROWS[i].min < ROWS[i].max);
        assert_ptr_equal(find_row(span_str(ROWS[i].option)), &ROWS[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_lines_are_refused),
        cmocka_unit_test(no_options_leave_the_defaults),
        cmocka_unit_test(both_spellings_of_a_value_are_read),
        cmocka_unit_test(every_option_has_a_sentence_and_a_sane_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
