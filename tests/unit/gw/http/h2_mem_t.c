/* Pieces that libnghttp2 asks for: given back, they are there for the next, as far as they are few bytes. */
#include "gw/http/h2_int.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { KEPT_MOST = 512 * 1024, MANY = 20000 };

static struct h2_pool pool;
static struct h2 *s;
static nghttp2_mem mem;

static void none_leg(struct h2_leg *l)
{
    (void)l;
}

static void none_goaway(void *owner, int32_t last)
{
    (void)owner;
    (void)last;
}

static const struct h2_ops ops = {.end = none_leg, .goaway = none_goaway};

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(h2_new(&s, true, &ops, NULL, &pool), RC_OK);
    mem = h2_mem(s);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    h2_free(s);
    h2_pool_fini(&pool);
    return 0;
}

static void test_what_does_not_fit_is_not_given(void **state)
{
    (void)state;
    for (size_t n = 1; n < 800; n++) {
        uint8_t *small = mem.malloc(n, s);
        assert_non_null(small);
        mem.free(small, s);
        uint8_t *large = mem.malloc(n + 1, s);
        assert_non_null(large);
        assert_true(malloc_usable_size(large) >= n + 1);
        memset(large, 0xa5, n + 1);
        mem.free(large, s);
    }
}

static void test_a_piece_comes_again(void **state)
{
    (void)state;
    for (size_t n = 1; n < 600; n += 7) {
        void *first = mem.malloc(n, s), *other = mem.malloc(n, s);
        mem.free(first, s);
        void *again = mem.malloc(n, s);
        assert_ptr_equal(again, first);
        assert_ptr_not_equal(again, other);
        mem.free(again, s);
        mem.free(other, s);
    }
    mem.free(NULL, s);
}

static void test_it_can_grow(void **state)
{
    (void)state;
    uint8_t *at = mem.malloc(40, s);
    memset(at, 7, 40);
    mem.free(at, s);
    at = mem.malloc(40, s);
    memset(at, 8, 40);
    at = mem.realloc(at, 5000, s);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(at[i], 8);
    mem.free(at, s);
}

static void test_few_bytes_are_kept(void **state)
{
    static void *all[MANY];
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        all[i] = mem.malloc(i % 500 + 1, s);
    size_t before = pool.pieces_bytes;
    for (size_t i = 0; i < MANY; i++)
        mem.free(all[i], s);
    assert_true(pool.pieces_bytes > before);
    assert_true(pool.pieces_bytes < KEPT_MOST + 1024);
    h2_pieces_fini(&pool);
    assert_int_equal(pool.pieces_bytes, 0);
    void *one = mem.malloc(100, s);
    assert_non_null(one);
    mem.free(one, s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_not_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_piece_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_can_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_few_bytes_are_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
