/* Attributes of every length: what is compared sixteen bytes at a time, eight, or one by one is the same. */
#include "policy/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LONGEST = 70 };

/* Exactly n bytes, so that a sanitizer sees a byte too many: letters, digits, signs; `capitals`: some large.
 */
static uint8_t *draw(size_t n, bool capitals)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz019=,.-_@[`{\xc3\xa9";
    uint8_t *out = malloc(n ? n : 1);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)bytes[(i * 7 + n) % (sizeof bytes - 1)];
        out[i] = capitals && i % 3 && c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
    }
    return out;
}

static void capitals_and_small_letters_are_one(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        uint8_t *small = draw(n, false), *large = draw(n, true), norm[ATTR_MOST];
        span a = span_of(small, n), b = span_of(large, n);
        assert_int_equal(attr_normalise(b, norm), n);
        assert_memory_equal(norm, small, n);
        assert_int_equal(attr_plain_hash(a), attr_hash(a));
        assert_int_equal(attr_plain_hash(b), attr_hash(a));
        assert_true(attr_is(a, a) && attr_is(a, b));
        free(small);
        free(large);
    }
}

/* Another byte at any place, in bit 5 too where it is no letter; and another length. */
static void others_are_told_apart(void **state)
{
    static const uint8_t flips[] = {0x01, 0x20, 0x80};
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        uint8_t *one = draw(n, false), *two = draw(n, true);
        span a = span_of(one, n), b = span_of(two, n);
        for (size_t i = 0; i < n * sizeof flips; i++) {
            uint8_t *at = &two[i / sizeof flips], was = *at;
            *at ^= flips[i % sizeof flips];
            bool letter = ascii_lower(*at) == ascii_lower(was);
            assert_int_equal(attr_is(a, b), letter);
            if (flips[i % sizeof flips] == 0x01)
                assert_int_not_equal(attr_plain_hash(b), attr_hash(a));
            *at = was;
        }
        assert_false(attr_is(span_of(one, n - 1), b));
        assert_int_not_equal(attr_hash(span_of(one, n - 1)), attr_hash(a));
        free(one);
        free(two);
    }
}

static void spaces_take_the_long_way(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        uint8_t *one = draw(n, true);
        for (size_t i = 0; i < n; i++) {
            uint8_t was = one[i];
            one[i] = ' ';
            assert_true(attr_plain_hash(span_of(one, n)) == ATTR_OTHER);
            one[i] = was;
        }
        assert_true(attr_plain_hash(span_of(one, n)) <= UINT32_MAX);
        free(one);
    }
}

/* Beside a separator and at the ends, however long the rest is; between letters they stay. */
static void spaces_beside_separators_are_taken_out(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LONGEST; n++) {
        for (size_t i = 0; i < n; i++) {
            char want[LONGEST + 1], in[LONGEST + 16];
            uint8_t norm[ATTR_MOST];
            memset(want, 'x', n);
            want[i] = i % 2 ? ',' : '=';
            want[n] = 0;
            int len = snprintf(in, sizeof in, "%.*s  %c %s", (int)i, want, want[i], want + i + 1);
            size_t got = attr_normalise(span_of(in, (size_t)len), norm);
            assert_true(span_eq(span_of(norm, got), span_of(want, n)));
            want[i] = ' ';
            got = attr_normalise(span_of(want, n), norm);
            if (i == 0)
                assert_true(span_eq(span_of(norm, got), span_of(want + 1, n - 1)));
            else
                assert_true(span_eq(span_of(norm, got), span_of(want, i == n - 1 ? n - 1 : n)));
        }
    }
}

static void nothing_and_too_much_are_no_attributes(void **state)
{
    static uint8_t much[ATTR_MOST + 1], norm[ATTR_MOST];
    (void)state;
    memset(much, 'x', sizeof much);
    assert_true(attr_plain_hash(SPAN_NONE) == ATTR_OTHER);
    assert_true(attr_plain_hash(span_of(much, sizeof much)) == ATTR_OTHER);
    assert_true(attr_plain_hash(span_of(much, ATTR_MOST)) != ATTR_OTHER);
    assert_int_equal(attr_normalise(span_of(much, sizeof much), norm), 0);
    assert_int_equal(attr_normalise(SPAN("   "), norm), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capitals_and_small_letters_are_one),
        cmocka_unit_test(others_are_told_apart),
        cmocka_unit_test(spaces_take_the_long_way),
        cmocka_unit_test(spaces_beside_separators_are_taken_out),
        cmocka_unit_test(nothing_and_too_much_are_no_attributes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
