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
                {"(.{1,30}[ab].{1,30}c){1,1}(.*x.*y.*z.{400})", "multiply to"}};
    char why[128];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        why[0] = '\0';
        if (catexpr_check(span_str(rows[i].text), why) || !strstr(why, rows[i].why))
            print_error("%s: %s\n", rows[i].text, why);
        assert_false(catexpr_check(span_str(rows[i].text), why));
        assert_non_null(strstr(why, rows[i].why));
    }
}

/* Whatever is tried, the answer comes at once. */
static void refusing_takes_no_time(void **state)
{
    char text[1200] = "", why[128];
    struct timespec a, b;
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        memcpy(text + i * 8, "(.*[a-z]", 8);
    memset(text + 800, ')', 100);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    (void)catexpr_check(span_str(text), why);
    (void)catexpr_check(SPAN("(a|b|ab|ba|.a|.b){1,900}c"), why);
    (void)catexpr_check(SPAN(".*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*x"), why);
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

static void expressions_match_host_and_path(void **state)
{
    struct parts p;
    struct catexpr *x;
    (void)state;
    parts_build(&p, LISTS, 2);
    assert_int_equal(catc_file_report(p.c, 0)->n_bad, 1);
    assert_int_equal(catc_file_report(p.c, 0)->bad[0], 4);
    assert_non_null(strstr(catc_file_report(p.c, 1)->refused, "multiply to 810000"));
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
        cmocka_unit_test(expressions_match_host_and_path),
        cmocka_unit_test(damaged_sections_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
