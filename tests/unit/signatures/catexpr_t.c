/* Expressions of lists: which are refused and with what cost, what matches, and damaged sections. */
#include "signatures/catexpr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "gw/base/obj.h"
#include "tests/unit/signatures/list_help.h"

static void what_cannot_be_used_is_refused_with_its_cost(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {{"(", "close parenthesis"},
                {"a[", "class"},
                {"*a", ""},
                {"a*", "matches an empty text too; if it is not tied to both ends, it matches every URL"},
                {"^$", "matches an empty text too; if it is not tied to both ends"},
                {".*", "every URL of every host"},
                {"(x|)", "every URL of every host"},
                {"^", "every URL of every host"},
                {"x?$", "every URL of every host"},
                {"(a)\\1", "Back"},
                {"(a{1000}){1000}b", "multiply to 1000000, 1000 is the most"},
                {"((x{40}){40}){40}", "multiply to 64000"},
                {"a{2,5000}", "multiply to 5000"},
                {"(.\\\\{900}b.){30}c", "multiply to 27000"},
                {"(.{1,30}[ab].{1,30}c){1,1}(.*x.*y.*z.{400})", "multiply to"}};
    static const struct catexpr_sum none;
    char why[128];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        why[0] = '\0';
        if (catexpr_check(&none, span_str(rows[i].text), why) || !strstr(why, rows[i].why))
            print_error("%s: %s\n", rows[i].text, why);
        assert_false(catexpr_check(&none, span_str(rows[i].text), why));
        assert_non_null(strstr(why, rows[i].why));
    }
}

/* Whatever is tried, the answer comes at once. */
static void refusing_takes_no_time(void **state)
{
    static const struct catexpr_sum none;
    char text[1200] = "", why[128];
    struct timespec a, b;
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        memcpy(text + i * 8, "(.*[a-z]", 8);
    memset(text + 800, ')', 100);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    (void)catexpr_check(&none, span_str(text), why);
    (void)catexpr_check(&none, SPAN("(a|b|ab|ba|.a|.b){1,900}c"), why);
    (void)catexpr_check(&none, SPAN(".*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*x"), why);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    assert_true(b.tv_sec - a.tv_sec < 5);
}

static const struct listed LISTS[] = {
    {"a", LIST_EXPRESSIONS, "# comment\n(/banner/|/Ads/)\n^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+/search$\n(\n"},
    {"b", LIST_EXPRESSIONS, "\\.exe$\n(a{900}){900}\n"}};

static void count(void *arg, const struct catexpr_item *item, span text)
{
    char *at = (char *)arg + strlen(arg);
    assert_true(text.n > 0);
    snprintf(at, 200, "%u:%u ", (unsigned)item->list, (unsigned)item->line);
}

static const char *matches(const struct catexpr *x, const char *host, const char *path)
{
    static char got[4096];
    got[0] = '\0';
    catexpr_match(x, span_str(host), span_str(path), count, got);
    return got;
}

/* Nor do many that are cheap alone: those that are too much are left out, and the others hold. */
static void what_is_too_much_together_is_refused_line_by_line(void **state)
{
    static char costly[40 * 32], many[5000 * 16];
    struct listed lists[] = {{"many", LIST_EXPRESSIONS, many}, {"costly", LIST_EXPRESSIONS, costly}};
    struct parts p;
    struct catexpr *x;
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        n += (size_t)snprintf(costly + n, sizeof costly - n, "c%u_d{0,900}e\n", i);
    n = 0;
    for (unsigned i = 0; i < 100; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "x%u\\{900}\n", i);
    parts_build(&p, lists, 2);
    assert_int_equal(catc_file_report(p.c, 0)->n_bad, 0);
    assert_int_equal(catc_file_report(p.c, 1)->n_entries, 22); /* 100 + 22 * 900 */
    assert_int_equal(catc_file_report(p.c, 1)->n_bad, 18);
    assert_int_equal(catc_file_report(p.c, 1)->bad[0], 23);
    assert_string_equal(catc_file_report(p.c, 1)->bad_why[0],
                        "with it the repeats of all expressions come to 20800, 20000 is the most");
    assert_int_equal(catexpr_open(p.hot.expressions, 2, &x), RC_OK);
    assert_string_equal(matches(x, "a.test", "/c21_ddde"), "1:22 ");
    catexpr_free(x);
    parts_fini(&p);
    n = 0;
    for (unsigned i = 0; i < 5000; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "x%u\n", i);
    parts_build(&p, lists, 1);
    assert_int_equal(catc_file_report(p.c, 0)->n_entries, CATEXPR_MOST);
    assert_int_equal(catc_file_report(p.c, 0)->bad[0], CATEXPR_MOST + 1);
    assert_string_equal(catc_file_report(p.c, 0)->bad_why[0],
                        "there are 4096 expressions before it, 4096 is the most");
    parts_fini(&p);
}

static void expressions_match_host_and_path(void **state)
{
    struct parts p;
    struct catexpr *x;
    (void)state;
    parts_build(&p, LISTS, 2);
    assert_int_equal(catc_file_report(p.c, 0)->n_bad, 1);
    assert_int_equal(catc_file_report(p.c, 0)->bad[0], 4);
    assert_non_null(strstr(catc_file_report(p.c, 1)->bad_why[0], "multiply to 810000"));
    assert_int_equal(catexpr_open(p.hot.expressions, 2, &x), RC_OK);
    assert_string_equal(matches(x, "a.test", ""), "");
    assert_string_equal(matches(x, "a.test", "/banners/x"), "");
    assert_string_equal(matches(x, "a.test", "/search"), "");
    assert_string_equal(matches(x, "a.test", "/x.exe/y"), "");
    assert_string_equal(matches(x, "a.test", "/x/banner/y"), "0:2 ");
    assert_string_equal(matches(x, "a.test", "/ads/ads/banner/"), "0:2 ");
    assert_string_equal(matches(x, "192.0.2.1", "/search"), "0:3 ");
    assert_string_equal(matches(x, "a.test", "/x.exe"), "1:1 ");
    assert_string_equal(found_at(&p.hot, "a.test", "/x.exe"), ""); /* they are no keys of the table */
    catexpr_free(x);
    assert_int_equal(catexpr_open(p.hot.expressions, 1, &x), RC_BAD);
    parts_fini(&p);
}

static void damaged_sections_are_refused(void **state)
{
    struct parts p;
    struct catexpr *x;
    unsigned refused = 0;
    (void)state;
    parts_build(&p, LISTS, 2);
    span whole = p.hot.expressions;
    assert_int_equal(catexpr_open(SPAN_NONE, 2, &x), RC_OK);
    assert_null(x);
    for (size_t n = 1; n < whole.n; n++)
        assert_int_equal(catexpr_open(span_cut(whole, 0, n), 2, &x), RC_BAD);
    for (size_t i = 0; i < whole.n; i++) {
        uint8_t *at = (uint8_t *)(uintptr_t)whole.p + i, keep = *at;
        *at ^= 0x40;
        if (catexpr_open(whole, 2, &x) == RC_OK) {
            matches(x, "a.test", "/x/banner/y");
            catexpr_free(x);
        } else {
            refused++;
        }
        *at = keep;
    }
    assert_true(refused > whole.n / 2);
    parts_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_used_is_refused_with_its_cost),
        cmocka_unit_test(refusing_takes_no_time),
        cmocka_unit_test(what_is_too_much_together_is_refused_line_by_line),
        cmocka_unit_test(expressions_match_host_and_path),
        cmocka_unit_test(damaged_sections_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
