/* Arenas: the cap holds, what was given stays put until the reset, and it comes zeroed and aligned. */
#include "gw/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void the_cap_holds(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1000);
    assert_null(arena_alloc(&a, 1001));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 20));
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, 200));
    assert_non_null(arena_alloc(&a, 80));
    assert_true(a.used <= 1000);
    arena_fini(&a);
}

static void without_room_a_copy_is_nothing(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 16);
    assert_int_equal(arena_dup(&a, SPAN("0123456789abcdefg")).n, 0);
    assert_null(arena_str(&a, SPAN("0123456789abcdef"))); /* its NUL does not fit */
    assert_int_equal(arena_dup(&a, SPAN_NONE).n, 0);
    assert_string_equal(arena_str(&a, SPAN("0123456789abcde")), "0123456789abcde");
    arena_fini(&a);
}

static void an_arena_without_a_cap_gives_nothing(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_null(arena_alloc(&a, 1));
    arena_fini(&a);
}

static void what_was_given_stays_put_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena a;
    unsigned char *p[300];
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < 300; i++) {
        size_t n = 1 + i * 7 % 400;
        p[i] = arena_alloc(&a, n);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(p[i][k], 0);
        memset(p[i], (int)(i & 0xff), n);
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t k = 0; k < 1 + i * 7 % 400; k++)
            assert_int_equal(p[i][k], i & 0xff);
    }
    arena_fini(&a);
}

static void larger_than_any_block_is_fine_below_the_cap(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    uint8_t *small = arena_alloc(&a, 10), *large = arena_alloc(&a, 100000), *then = arena_alloc(&a, 10);
    assert_true(small && large && then);
    memset(large, 1, 100000);
    assert_int_equal(small[0] + then[0], 0);
    arena_fini(&a);
}

static void a_reset_gives_everything_back_and_keeps_the_high_water_mark(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    for (int round = 0; round < 50; round++) {
        assert_non_null(arena_alloc(&a, 4000));
        assert_null(arena_alloc(&a, 4000));
        arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    assert_true(a.high >= 4000 && a.high <= 4096);
    arena_fini(&a);
}

static void copies_are_copies(void **state)
{
    (void)state;
    struct arena a;
    char from[] = "a\0b";
    arena_init(&a, 4096);
    span s = arena_dup(&a, span_of(from, 3));
    char *z = arena_str(&a, span_of(from, 3));
    from[0] = 'x';
    assert_true(span_eq(s, SPAN("a\0b")));
    assert_memory_equal(z, "a\0b", 4);
    assert_string_equal(arena_str(&a, SPAN_NONE), "");
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cap_holds),
        cmocka_unit_test(without_room_a_copy_is_nothing),
        cmocka_unit_test(an_arena_without_a_cap_gives_nothing),
        cmocka_unit_test(what_was_given_stays_put_zeroed_and_aligned),
        cmocka_unit_test(larger_than_any_block_is_fine_below_the_cap),
        cmocka_unit_test(a_reset_gives_everything_back_and_keeps_the_high_water_mark),
        cmocka_unit_test(copies_are_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
