/* DER from back to front: bounds first, then the same bytes and moments that OpenSSL makes. */
#include "certs/der.h"

#include <openssl/asn1.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "gw/base/obj.h"

static void a_full_writer_stays_failed_and_yields_nothing(void **state)
{
    (void)state;
    uint8_t mem[8];
    struct der d = der_of(mem, sizeof mem);
    der_put(&d, SPAN("12345678"));
    assert_int_equal(der_done(&d).n, 8);
    der_put_u8(&d, 1);
    assert_true(d.full);
    assert_int_equal(der_done(&d).n, 0);
    der_put(&d, SPAN_NONE);
    der_wrap(&d, DER_SEQ, sizeof mem);
    assert_int_equal(der_done(&d).n, 0);
    d = der_of(mem, sizeof mem);
    der_elem(&d, DER_OCTETS, SPAN("1234567")); /* the header has no room */
    assert_int_equal(der_done(&d).n, 0);
}

static void lengths_are_minimal_on_both_sides_of_each_border(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536};
    static uint8_t mem[70000], value[65536];
    for (size_t i = 0; i < N_ELEMS(sizes); i++) {
        struct der d = der_of(mem, sizeof mem);
        der_elem(&d, DER_OCTETS, span_of(value, sizes[i]));
        span got = der_done(&d);
        ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
        uint8_t *want = NULL;
        ASN1_OCTET_STRING_set(s, value, (int)sizes[i]);
        int n = i2d_ASN1_OCTET_STRING(s, &want);
        assert_int_equal(got.n, n);
        assert_memory_equal(got.p, want, (size_t)n);
        OPENSSL_free(want);
        ASN1_OCTET_STRING_free(s);
    }
}

static void dates_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const char *const utc[] = {"",
                                      "2611240000Z",
                                      "261124000000",
                                      "261124000000+0100",
                                      "26112400000Z",
                                      "261324000000Z",
                                      "260024000000Z",
                                      "261100000000Z",
                                      "261131000000Z",
                                      "260229000000Z",
                                      "261124240000Z",
                                      "261124006000Z",
                                      "261124000060Z",
                                      "26112400000aZ",
                                      "-61124000000Z",
                                      "261124000000.Z",
                                      "20261124000000Z"};
    for (size_t i = 0; i < N_ELEMS(utc); i++) {
        if (der_time_read(DER_UTCTIME, span_str(utc[i])) != INT64_MIN)
            fail_msg("accepted %s", utc[i]);
    }
    assert_int_equal(der_time_read(DER_GENTIME, SPAN("261124000000Z")), INT64_MIN);
    assert_int_equal(der_time_read(DER_GENTIME, SPAN("20261124000000.5Z")), INT64_MIN);
    assert_int_equal(der_time_read(DER_UTF8, SPAN("261124000000Z")), INT64_MIN);
}

static int64_t by_libc(int64_t t, struct der_date *out)
{
    time_t tt = (time_t)t;
    struct tm tm;
    gmtime_r(&tt, &tm);
    *out = (struct der_date){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};
    return t;
}

static void dates_agree_with_the_c_library_and_survive_both_ways(void **state)
{
    (void)state;
    uint8_t mem[32];
    /* every 13 days and some seconds from 1950 to 2200, which meets all leap years and months */
    for (int64_t t = INT64_C(-631152000); t < INT64_C(7258118400); t += 13 * 86400 + 4321) {
        struct der_date want, got = der_date_of(t);
        by_libc(t, &want);
        assert_memory_equal(&want, &got, sizeof want);
        struct der d = der_of(mem, sizeof mem);
        der_time(&d, t);
        span s = der_done(&d);
        assert_int_equal(s.p[0], want.year < 2050 ? DER_UTCTIME : DER_GENTIME);
        assert_int_equal(der_time_read(s.p[0], span_cut(s, 2, s.n)), t);
    }
}

static void years_that_no_certificate_can_hold_are_refused(void **state)
{
    (void)state;
    static const int64_t bad[] = {INT64_C(-631152001), INT64_C(253402300800), INT64_MIN / 2, INT64_MAX / 2};
    uint8_t mem[32];
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        struct der d = der_of(mem, sizeof mem);
        der_time(&d, bad[i]);
        assert_int_equal(der_done(&d).n, 0);
    }
    assert_int_equal(der_time_read(DER_GENTIME, SPAN("99991231235959Z")), INT64_C(253402300799));
    assert_int_equal(der_time_read(DER_UTCTIME, SPAN("491231235959Z")), INT64_C(2524607999));
    assert_int_equal(der_time_read(DER_UTCTIME, SPAN("500101000000Z")), INT64_C(-631152000));
    assert_int_equal(der_time_read(DER_UTCTIME, SPAN("280229000000Z")), INT64_C(1835395200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_writer_stays_failed_and_yields_nothing),
        cmocka_unit_test(lengths_are_minimal_on_both_sides_of_each_border),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
        cmocka_unit_test(dates_agree_with_the_c_library_and_survive_both_ways),
        cmocka_unit_test(years_that_no_certificate_can_hold_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
