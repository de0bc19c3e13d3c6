/* Spans, buffers, readers: nothing is read or written past an end, and a failure changes nothing. */
#include "gw/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/tools/dies.h"

/* ---- readers */

static void a_short_read_fails_for_good_and_yields_zeros(void **state)
{
    (void)state;
    struct rd r = rd_of(SPAN("\x01\x02\x03"));
    assert_int_equal(rd_u16(&r), 0x0102);
    assert_int_equal(rd_u16(&r), 0);
    assert_true(r.bad);
    assert_int_equal(rd_u8(&r), 0); /* though one byte is left */
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_bytes(&r, 0).n, 0);
}

static void a_vector_longer_than_its_surroundings_fails(void **state)
{
    (void)state;
    struct rd r = rd_of(SPAN("\x03"
                             "ab"));
    assert_int_equal(rd_vec8(&r).n, 0);
    assert_true(r.bad);
    r = rd_of(SPAN("\x00\x03"
                   "ab"));
    assert_int_equal(rd_vec16(&r).n, 0);
    assert_true(r.bad);
    r = rd_of(SPAN("\xff\xff\xff"
                   "ab"));
    assert_int_equal(rd_vec24(&r).n, 0);
    assert_true(r.bad);
    r = rd_of(SPAN("\x00"));
    rd_vec16(&r);
    assert_true(r.bad);
}

static void nothing_can_be_read_from_nothing(void **state)
{
    (void)state;
    struct rd r = rd_of(SPAN_NONE);
    assert_int_equal(rd_left(&r), 0);
    assert_int_equal(rd_bytes(&r, 0).n, 0);
    assert_false(r.bad);
    assert_int_equal(rd_bytes(&r, SIZE_MAX).n, 0);
    assert_true(r.bad);
}

static void a_huge_length_does_not_wrap_around(void **state)
{
    (void)state;
    struct rd r = rd_of(SPAN("abcd"));
    rd_u16(&r);
    assert_int_equal(rd_bytes(&r, SIZE_MAX - 1).n, 0);
    assert_true(r.bad);
}

static void numbers_are_big_endian(void **state)
{
    (void)state;
    struct rd r = rd_of(SPAN("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\xff\x0c\x0d\x0e\x0f\x10\x11\x12"));
    assert_int_equal(rd_u8(&r), 0x01);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_u24(&r), 0x040506);
    assert_int_equal(rd_u32(&r), 0x0708090a);
    assert_true(rd_u64(&r) == UINT64_C(0xff0c0d0e0f101112));
    assert_int_equal(rd_left(&r), 0);
    assert_false(r.bad);
}

/* ---- spans */

static void cutting_stays_inside(void **state)
{
    (void)state;
    span s = SPAN("hello");
    assert_int_equal(span_cut(s, 6, 9).n, 0);
    assert_int_equal(span_cut(s, 3, 2).n, 0);
    assert_int_equal(span_cut(s, SIZE_MAX, SIZE_MAX).n, 0);
    assert_true(span_eq(span_cut(s, 3, SIZE_MAX), SPAN("lo")));
    assert_null(span_cut(SPAN_NONE, 1, 2).p);
    assert_int_equal(span_find(s, 'h', 5), SIZE_MAX);
    assert_int_equal(span_find(s, 'h', SIZE_MAX), SIZE_MAX);
    assert_int_equal(span_find(SPAN_NONE, 'h', 0), SIZE_MAX);
    assert_int_equal(span_find(s, 'l', 3), 3);
}

static void comparing_needs_no_terminator_and_no_locale(void **state)
{
    (void)state;
    assert_false(span_eq(SPAN("ab"), SPAN("abc")));
    assert_false(span_ieq(SPAN("abc"), SPAN("abd")));
    assert_false(span_ieq(SPAN("["), SPAN("{"))); /* 0x5b and 0x7b: 32 apart, but no letters */
    assert_false(span_ieq(SPAN("\xc4"), SPAN("\xe4")));
    assert_true(span_ieq(SPAN("HoSt"), SPAN("hOsT")));
    assert_true(span_eq(SPAN("a\0b"), span_of("a\0b", 3)));
    assert_true(span_eq(SPAN_NONE, SPAN("")));
    assert_true(span_cmp(SPAN("a"), SPAN("ab")) < 0);
    assert_true(span_cmp(SPAN("b"), SPAN("ab")) > 0);
    assert_true(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
    assert_int_equal(span_cmp(SPAN_NONE, SPAN_NONE), 0);
    assert_false(span_has_prefix(SPAN("ab"), SPAN("abc")));
    assert_false(span_has_suffix(SPAN("bc"), SPAN("abc")));
    assert_true(span_has_prefix(SPAN("abc"), SPAN("ab")));
    assert_true(span_has_suffix(SPAN("abc"), SPAN("bc")));
    assert_true(span_has_suffix(SPAN("abc"), SPAN_NONE));
    assert_true(span_eq(span_trim(SPAN(" \t a b\t ")), SPAN("a b")));
    assert_int_equal(span_trim(SPAN(" \t ")).n, 0);
    assert_int_equal(span_str(NULL).n, 0);
}

static void only_plain_numbers_in_range_are_numbers(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    " 1",   "1 ", "+1", "-1", "0x1", "1.", "18446744073709551616",
                                        "256", "99999"};
    uint64_t v = 7;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(span_to_u64(span_str(wrong[i]), 255, &v));
    assert_false(span_to_u64(SPAN("18446744073709551616"), UINT64_MAX, &v));
    assert_true(v == 7);
    assert_true(span_to_u64(SPAN("18446744073709551615"), UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_true(span_to_u64(SPAN("0255"), 255, &v) && v == 255);
    assert_true(span_to_u64(SPAN("0"), 0, &v) && v == 0);
}

/* ---- buffers */

static void a_full_buffer_says_so_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    assert_int_equal(buf_put(&b, SPAN("abc")), RC_OK);
    assert_int_equal(buf_put(&b, SPAN("de")), RC_LIMIT);
    assert_int_equal(buf_put_u16(&b, 1), RC_LIMIT);
    assert_int_equal(buf_put_dec(&b, 10), RC_LIMIT);
    assert_int_equal(buf_printf(&b, "%s", "xy"), RC_LIMIT);
    assert_true(span_eq(buf_span(&b), SPAN("abc")));
    assert_int_equal(buf_put_u8(&b, 'd'), RC_OK);
    assert_int_equal(buf_put_u8(&b, 'e'), RC_LIMIT);
    assert_true(b.cap <= 4);
    buf_fini(&b);
}

static void an_impossible_size_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_put(&b, SPAN("abc")), RC_OK);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), RC_LIMIT);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 2), RC_LIMIT);
    assert_int_equal(buf_reserve(&b, SIZE_MAX / 2 + 1), RC_LIMIT);
    assert_true(span_eq(buf_span(&b), SPAN("abc")));
    buf_fini(&b);
}

static void consume_too_much(void)
{
    struct buf b = {0};
    if (buf_put(&b, SPAN("abc")) == RC_OK)
        buf_consume(&b, 4);
}

static void consuming_more_than_there_is_is_our_bug(void **state)
{
    (void)state;
    assert_true(dies(consume_too_much));
}

static void room_at_the_front_is_used_before_the_buffer_grows(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(buf_put(&b, SPAN("abcdefgh")), RC_OK);
        buf_consume(&b, 5);
        assert_int_equal(buf_put(&b, SPAN("12345")), RC_OK);
        assert_true(span_eq(buf_span(&b), SPAN("fgh12345")) && b.w <= b.cap);
        buf_consume(&b, 8);
        assert_int_equal(buf_len(&b), 0);
    }
    assert_true(b.cap <= 8);
    buf_fini(&b);
}

static void a_zeroed_buffer_is_valid_and_empty(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_null(buf_span(&b).p);
    assert_int_equal(buf_len(&b), 0);
    buf_clear(&b);
    buf_consume(&b, 0);
    assert_int_equal(buf_put(&b, SPAN_NONE), RC_OK);
    buf_fini(&b);
    assert_int_equal(buf_put_str(&b, "again"), RC_OK);
    buf_fini(&b);
    assert_null(b.p);
}

static void what_is_written_can_be_read_again(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_put_u8(&b, 1), RC_OK);
    assert_int_equal(buf_put_u16(&b, 0x0203), RC_OK);
    assert_int_equal(buf_put_u32(&b, 0x04050607), RC_OK);
    assert_int_equal(buf_put_u64(&b, UINT64_C(0xf8090a0b0c0d0e0f)), RC_OK);
    struct rd r = rd_of(buf_span(&b));
    assert_int_equal(rd_u8(&r), 1);
    assert_int_equal(rd_u16(&r), 0x0203);
    assert_int_equal(rd_u32(&r), 0x04050607);
    assert_true(rd_u64(&r) == UINT64_C(0xf8090a0b0c0d0e0f));
    buf_clear(&b);
    assert_int_equal(buf_put_dec(&b, 0), RC_OK);
    assert_int_equal(buf_put_dec(&b, UINT64_MAX), RC_OK);
    assert_int_equal(buf_printf(&b, "<%d %s>", -5, "x"), RC_OK);
    assert_true(span_eq(buf_span(&b), SPAN("018446744073709551615<-5 x>")));
    buf_fini(&b);
}

static void a_megabyte_byte_by_byte_stays_whole(void **state)
{
    (void)state;
    struct buf b = {0};
    for (size_t i = 0; i < 1 << 20; i++)
        assert_int_equal(buf_put_u8(&b, (uint8_t)(i * 7)), RC_OK);
    for (size_t i = 0; i < 1 << 20; i++)
        assert_int_equal(b.p[i], (uint8_t)(i * 7));
    assert_true(b.cap < 3 << 20);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_read_fails_for_good_and_yields_zeros),
        cmocka_unit_test(a_vector_longer_than_its_surroundings_fails),
        cmocka_unit_test(nothing_can_be_read_from_nothing),
        cmocka_unit_test(a_huge_length_does_not_wrap_around),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(cutting_stays_inside),
        cmocka_unit_test(comparing_needs_no_terminator_and_no_locale),
        cmocka_unit_test(only_plain_numbers_in_range_are_numbers),
        cmocka_unit_test(a_full_buffer_says_so_and_keeps_what_it_has),
        cmocka_unit_test(an_impossible_size_is_refused),
        cmocka_unit_test(consuming_more_than_there_is_is_our_bug),
        cmocka_unit_test(room_at_the_front_is_used_before_the_buffer_grows),
        cmocka_unit_test(a_zeroed_buffer_is_valid_and_empty),
        cmocka_unit_test(what_is_written_can_be_read_again),
        cmocka_unit_test(a_megabyte_byte_by_byte_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
