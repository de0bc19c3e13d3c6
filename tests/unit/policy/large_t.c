/* Texts that are made to cost: each ends soon, with one clear error or none. What runs too long is ended by
 * the runner; under sanitizers all of it takes some seconds. */
#include "tests/unit/policy/snap_help.h"

#include <time.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

#define HEAD "zone lan network 10.0.0.0/8\n"

static struct buf text;
static struct compiled out;

static void put(const char *s)
{
    assert_int_equal(buf_put_str(&text, s), RC_OK);
}

static void start(const char *s)
{
    buf_clear(&text);
    put(s);
}

/* `times` times "before I behind". */
static void many(const char *before, unsigned times, const char *behind)
{
    for (unsigned i = 0; i < times; i++)
        assert_int_equal(buf_printf(&text, "%s%u%s", before, i, behind), RC_OK);
}

static void compile(void)
{
    struct compile_opts opts = {.check_only = true, .time_s = 1790000000};
    compile_bytes(buf_span(&text), &opts, &out);
}

static void passes(void)
{
    compile();
    if (out.rc != RC_OK)
        print_error("%.2000s", out.diag);
    assert_int_equal(out.rc, RC_OK);
}

/* One error, of one place, and nothing else. */
static void refused(const char *why)
{
    compile();
    if (!strstr(out.diag, why))
        print_error("%.2000s", out.diag);
    assert_int_equal(out.rc, RC_CONFIG);
    assert_non_null(strstr(out.diag, why));
    const char *first = strstr(out.diag, ": error: ");
    assert_non_null(first);
    assert_null(strstr(first + 1, ": error: "));
    assert_true(strlen(out.diag) < 1024);
}

static void lines_of_a_megabyte(void **state)
{
    (void)state;
    static const char *const before[] = {
        "", "#", "help mail \"", "web { block domain \"a.test\", \"", "schedule s mon ", "delegate \""};
    for (size_t i = 0; i < N_ELEMS(before); i++) {
        start(HEAD);
        put(before[i]);
        for (unsigned n = 0; n < 1048576 / 8; n++)
            put("aaaaaaa,");
        put("\nnonsense\n");
        refused("this line is longer than 65536 bytes");
    }
}

static void brackets_without_end(void **state)
{
    (void)state;
    start(HEAD "web {\n");
    for (unsigned i = 0; i < 200000; i++)
        put("{\n");
    compile();
    assert_int_equal(out.rc, RC_CONFIG);
    assert_true(strlen(out.diag) < 8192);
    start(HEAD "node n ");
    for (unsigned i = 0; i < 200000; i++)
        put("{ zone\n");
    compile();
    assert_int_equal(out.rc, RC_CONFIG);
    assert_true(strlen(out.diag) < 8192);
}

static void values_by_the_hundred_thousand(void **state)
{
    (void)state;
    start(HEAD "web {\n block domain ");
    many("\"a", 50000, ".test\",\n");
    put("\"z.test\" except domain ");
    many("\"a", 50000, ".test\",\n");
    put("\"z.test\"\n allow any\n}\n");
    passes();
}

static void rules_that_could_cover_each_other(void **state)
{
    (void)state;
    start(HEAD "tls {\n");
    many(" exempt domain \"a", 10000, ".test\"\n");
    put("}\nweb {\n");
    many(" warn domain \"b", 10000, ".test\"\n");
    put(" allow any\n}\n");
    passes();
}

/* What is made of a rule takes no look at all the rules or groups before it: some seconds, where the squares
 * of these numbers are minutes. */
static void rules_that_say_the_same(void **state)
{
    (void)state;
    clock_t began = clock();
    start(HEAD "web {\n");
    many(" block domain \"a.test\" owner \"o", 60000, "\"\n");
    put(" allow any\n}\n");
    passes();
    start(HEAD);
    for (unsigned i = 0; i < 60000; i++)
        assert_int_equal(buf_printf(&text, "group g%u user \"u%u\"\n", i, i), RC_OK);
    put("web {\n");
    many(" block domain \"a.test\" for g", 60000, "\n");
    put(" allow any\n}\n");
    passes();
    assert_true((clock() - began) / CLOCKS_PER_SEC < 20);
}

static const char *const zone_names[LIM_POLICY_TIME_ZONES] = {
    "Europe/Brussels", "Europe/Paris",  "Europe/London",  "Europe/Berlin",  "Europe/Madrid", "Europe/Rome",
    "Europe/Lisbon",   "Europe/Vienna", "Europe/Prague",  "Europe/Warsaw",  "Europe/Athens", "Europe/Dublin",
    "Europe/Sofia",    "Europe/Zurich", "Europe/Vilnius", "Europe/Helsinki"};

static void declarations_without_end(void **state)
{
    (void)state;
    start("");
    many("zone z", 1, " vpn site \"x\"\n");
    many("zone y", 20000, " vpn remote \"y\"\n");
    compile();
    assert_int_equal(out.rc, RC_CONFIG);
    assert_non_null(strstr(out.diag, "and 19979 more errors"));
    start(HEAD);
    many("schedule s", LIM_POLICY_SCHEDULES + 2, " mon-fri 08:00-12:00\n");
    put("web { allow any }\n");
    refused("more than 128 schedules");
    start(HEAD);
    for (size_t i = 0; i < N_ELEMS(zone_names); i++)
        assert_int_equal(buf_printf(&text, "schedule s%zu mon zone \"%s\"\nschedule t%zu tue zone \"%s\"\n",
                                    i, zone_names[i], i, zone_names[i]),
                         RC_OK);
    put("web { allow any }\n");
    passes();
    put("schedule more wed zone \"Asia/Tokyo\"\n");
    refused("schedules in more than 16 time zones");
    start(HEAD "schedule s 2000-01-01..2099-12-31 08:00-12:00\nweb { allow any }\n");
    refused("more than 16384 stretches of hours");
    start(HEAD "schedule s 2000-01-01..2099-12-31 00:00-12:00\nweb { allow any }\n");
    refused("more than 16384 stretches of hours");
    start(HEAD "schedule s 2000-01-01..2044-11-08 08:00-12:00\nweb { allow any }\n");
    compile(); /* warned of when it is over; within the limit */
    assert_int_equal(out.rc, RC_OK);
    start(HEAD "schedule s 2000-01-01..2044-11-09 08:00-12:00\nweb { allow any }\n");
    refused("more than 16384 stretches of hours");
    start(HEAD "schedule s 2000-01-01..2099-12-31\nweb { block any during s\n allow any }\n");
    passes();
    start(HEAD);
    many("group g", LIM_POLICY_STALE_GROUPS + 2, " ldap \"cn=x\" stale 8h\n");
    put("web { allow any }\n");
    refused("more than 128 groups with `stale`");
}

static void conditions_without_end(void **state)
{
    (void)state;
    start(HEAD "web {\n block any");
    for (unsigned i = 0; i < 4500; i++)
        put(" except upload");
    put("\n allow any\n}\n");
    passes();
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_megabyte),
        cmocka_unit_test(brackets_without_end),
        cmocka_unit_test(values_by_the_hundred_thousand),
        cmocka_unit_test(rules_that_could_cover_each_other),
        cmocka_unit_test(rules_that_say_the_same),
        cmocka_unit_test(declarations_without_end),
        cmocka_unit_test(conditions_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
