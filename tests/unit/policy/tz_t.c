/* Time zones against the C library's own reading of the same files, and files that are damaged. */
#include "policy/tz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "gw/base/obj.h"

static int64_t local_s(int y, int mo, int d, int h, int mi)
{
    return (int64_t)tz_days(y, mo, d) * 86400 + h * 3600 + mi * 60;
}

static void names_that_are_no_zones(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",        "Europe/Brusels", "/etc/passwd",       "../../../etc/passwd",
        "Europe/", "Europe//Paris",  "zone1970.tab",      "Europe",
        "-x",      "Europe/.",       "posix/../tzdata.zi"};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        struct tz z;
        assert_int_not_equal(tz_load(span_str(names[i]), &z), RC_OK);
        tz_fini(&z);
    }
}

static void damaged_files(void **state)
{
    (void)state;
    static uint8_t file[8192], bad[8192];
    FILE *f = fopen("/usr/share/zoneinfo/Europe/Brussels", "r");
    assert_non_null(f);
    size_t n = fread(file, 1, sizeof file, f), refused = 0;
    fclose(f);
    struct tz z;
    assert_int_equal(tz_parse(span_of(file, n), &z), RC_OK);
    tz_fini(&z);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(tz_parse(span_of(file, cut), &z), RC_BAD);
        tz_fini(&z);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(bad, file, n);
        bad[i] ^= 0xff;
        refused += tz_parse(span_of(bad, n), &z) == RC_BAD;
        for (size_t k = 1; k < z.n; k++)
            assert_true(z.v[k].at > z.v[k - 1].at);
        tz_fini(&z);
    }
    assert_true(refused > n / 4);
}

static void dates(void **state)
{
    (void)state;
    int y, m, d;
    assert_int_equal(tz_days(1970, 1, 1), 0);
    assert_int_equal(tz_days(2000, 3, 1), 11017);
    assert_int_equal(tz_weekday(tz_days(2026, 11, 24)), 1); /* a Tuesday */
    assert_int_equal(tz_weekday(tz_days(1969, 12, 31)), 2);
    for (int32_t days = -200000; days < 200000; days++) {
        tz_date(days, &y, &m, &d);
        assert_int_equal(tz_days(y, m, d), days);
    }
}

/* Every three hours and some minutes from 1970 to 2099. */
static void offsets_are_those_of_the_library(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Brussels", "Europe/Dublin",       "America/New_York",
                                        "Asia/Kolkata",    "Australia/Lord_Howe", "Africa/Casablanca",
                                        "Pacific/Apia",    "America/Nuuk",        "UTC"};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        struct tz z;
        assert_int_equal(tz_load(span_str(names[i]), &z), RC_OK);
        setenv("TZ", names[i], 1);
        tzset();
        for (time_t t = 0; t < 4102444800; t += 11177) {
            struct tm tm;
            localtime_r(&t, &tm);
            if (tz_offset(&z, t) != tm.tm_gmtoff)
                fail_msg("%s: %ld: %d, not %ld", names[i], (long)t, tz_offset(&z, t), (long)tm.tm_gmtoff);
            int64_t back = tz_utc(&z, t + tm.tm_gmtoff);
            assert_true(back == t || (back < t && back + tz_offset(&z, back) == t + tm.tm_gmtoff));
        }
        tz_fini(&z);
    }
    unsetenv("TZ");
}

static void hours_that_come_twice_or_never(void **state)
{
    (void)state;
    struct tz z, none = {0};
    assert_int_equal(tz_load(SPAN("Europe/Brussels"), &z), RC_OK);
    /* 2027-03-28 02:00 -> 03:00, 01:00 UTC */
    assert_int_equal(tz_utc(&z, local_s(2027, 3, 28, 1, 59)), local_s(2027, 3, 28, 0, 59));
    assert_int_equal(tz_utc(&z, local_s(2027, 3, 28, 2, 30)), local_s(2027, 3, 28, 1, 0));
    assert_int_equal(tz_utc(&z, local_s(2027, 3, 28, 3, 0)), local_s(2027, 3, 28, 1, 0));
    /* 2027-10-31 03:00 -> 02:00, 01:00 UTC */
    assert_int_equal(tz_utc(&z, local_s(2027, 10, 31, 2, 30)), local_s(2027, 10, 31, 0, 30));
    assert_int_equal(tz_utc(&z, local_s(2027, 10, 31, 3, 0)), local_s(2027, 10, 31, 2, 0));
    assert_int_equal(tz_utc(&none, 77), 77);
    assert_int_equal(tz_offset(&none, 77), 0);
    tz_fini(&z);
}

static void count_brussels(span name, void *arg)
{
    unsigned *n = arg;
    *n += span_eq(name, SPAN("Europe/Brussels"));
}

static void the_database_has_names(void **state)
{
    (void)state;
    unsigned n = 0;
    tz_names(count_brussels, &n);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_no_zones),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(dates),
        cmocka_unit_test(offsets_are_those_of_the_library),
        cmocka_unit_test(hours_that_come_twice_or_never),
        cmocka_unit_test(the_database_has_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
