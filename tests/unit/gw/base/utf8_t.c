/* What is UTF-8 and what is not, and what nobody would see. */
#include "gw/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/base/obj.h"

/* The reader by the definition of RFC 3629: encode the code point and compare. */
static size_t encode(uint32_t cp, uint8_t to[4])
{
    if (cp < 0x800) {
        to[0] = (uint8_t)(0xc0 | cp >> 6);
        to[1] = (uint8_t)(0x80 | (cp & 63));
        return 2;
    }
    if (cp < 0x10000) {
        to[0] = (uint8_t)(0xe0 | cp >> 12);
        to[1] = (uint8_t)(0x80 | (cp >> 6 & 63));
        to[2] = (uint8_t)(0x80 | (cp & 63));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | cp >> 18);
    to[1] = (uint8_t)(0x80 | (cp >> 12 & 63));
    to[2] = (uint8_t)(0x80 | (cp >> 6 & 63));
    to[3] = (uint8_t)(0x80 | (cp & 63));
    return 4;
}

static void malformed_sequences_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",
        "\xc2",         "\xc2\x41",     "\xe0\x9f\xbf",     "\xe2\x82",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5",         "\xff",         "\xe2\x41\x80",     "\xf0\x9f\x98",
    };
    uint32_t cp;
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_int_equal(utf8_at(span_str(bad[i]), 0, &cp), 0);
}

static void every_pair_of_bytes_is_judged_as_the_definition_says(void **state)
{
    (void)state;
    for (unsigned a = 0x80; a < 0x100; a++) {
        for (unsigned b = 0; b < 0x100; b++) {
            uint8_t in[2] = {(uint8_t)a, (uint8_t)b};
            uint32_t cp;
            bool want = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;
            assert_int_equal(utf8_at(span_of(in, 2), 0, &cp), want ? 2 : 0);
        }
    }
}

static void every_code_point_is_read(void **state)
{
    (void)state;
    for (uint32_t cp = 0x80; cp <= 0x110fff; cp++) {
        uint8_t in[5] = {'x'};
        uint32_t got = 0;
        size_t n = encode(cp, in + 1);
        bool want = cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff);
        assert_int_equal(utf8_at(span_of(in, n + 1), 1, &got), want ? n : 0);
        if (want)
            assert_int_equal(got, cp);
        assert_int_equal(utf8_at(span_of(in, n), 1, &got), 0); /* one byte short */
    }
}

static void what_nobody_sees_is_known(void **state)
{
    (void)state;
    static const uint32_t hidden[] = {0x80,   0x9f,   0xad,   0x61c,  0x200b, 0x200e, 0x2028,  0x202a,
                                      0x202e, 0x2060, 0x2066, 0x2069, 0xfeff, 0xfff9, 0xe0001, 0xe007f};
    static const uint32_t shown[] = {0xa0, 0xe9, 0x2019, 0x2026, 0x20ac, 0x202f, 0x4e2d, 0xfffd, 0x1f600};
    for (size_t i = 0; i < N_ELEMS(hidden); i++)
        assert_true(utf8_is_invisible(hidden[i]));
    for (size_t i = 0; i < N_ELEMS(shown); i++)
        assert_false(utf8_is_invisible(shown[i]));
}

static void what_a_terminal_can_be_given(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool shown;
    } rows[] = {{"a", 1, true},
                {" ", 1, true},
                {"\xc3\xa9", 2, true},
                {"\xe2\x82\xac", 3, true},
                {"\xf0\x9f\x98\x80", 4, true},
                {"\n", 1, false},
                {"\x1b[31m", 1, false},
                {"\x7f", 1, false},
                {"\xc2\x9b"
                 "31m",
                 2, false},
                {"\xe2\x80\xae", 3, false},
                {"\xc2\xad", 2, false},
                {"\xff"
                 "a",
                 1, false},
                {"\xc3", 1, false},
                {"\xed\xa0\x80", 1, false}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        bool shown;
        assert_int_equal(utf8_shown(span_str(rows[i].text), 0, &shown), rows[i].len);
        assert_int_equal(shown, rows[i].shown);
    }
}

static void no_character_is_cut_in_two(void **state)
{
    (void)state;
    span s = SPAN("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t most = 0; most < N_ELEMS(want); most++)
        assert_int_equal(utf8_cut(s, most).n, want[most]);
    assert_int_equal(utf8_cut(SPAN_NONE, 5).n, 0);
    assert_int_equal(utf8_cut(SPAN("\x80\x80\x80\x80\x80\x80"), 5).n, 2); /* no text: cut anywhere */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_sequences_are_refused),
        cmocka_unit_test(every_pair_of_bytes_is_judged_as_the_definition_says),
        cmocka_unit_test(every_code_point_is_read),
        cmocka_unit_test(what_nobody_sees_is_known),
        cmocka_unit_test(what_a_terminal_can_be_given),
        cmocka_unit_test(no_character_is_cut_in_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
