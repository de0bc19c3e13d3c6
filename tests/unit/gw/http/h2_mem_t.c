/* Pieces that libnghttp2 asks for: given back, they are there for the next, as far as they are few bytes. */
#include "gw/http/h2_int.h"

#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gw/base/obj.h"
#include "gw/base/sanitizer.h"

enum { KEPT_MOST = 32 * 1024, MANY = 20000, FEW = 30 };

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

static size_t kept(void)
{
    size_t n = 0;
    for (size_t k = 0; k < N_ELEMS(pool.pieces); k++)
        n += pool.pieces[k].bytes;
    return n;
}

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

/* More of each size than malloc() would give back in this order by itself. */
static void test_a_piece_comes_again(void **state)
{
    void *all[FEW];
    (void)state;
    for (size_t n = 1; n < 600; n += 7) {
        size_t before = kept();
        for (size_t i = 0; i < FEW; i++)
            all[i] = mem.malloc(n, s);
        for (size_t i = 0; i < FEW; i++)
            mem.free(all[i], s);
        assert_true(SANITIZED ? kept() == 0 : kept() >= before && kept() >= FEW * n);
        size_t full = kept();
        for (size_t i = 0; i < FEW; i++) {
            void *again = mem.malloc(n, s);
            assert_true(SANITIZED || again == all[FEW - 1 - i]);
            all[FEW - 1 - i] = again;
        }
        assert_true(SANITIZED || kept() + FEW * n <= full);
        for (size_t i = 0; i < FEW; i++)
            mem.free(all[i], s);
    }
    mem.free(NULL, s);
}

static void test_it_can_grow(void **state)
{
    (void)state;
    uint8_t *at = mem.malloc(40, s);
    memset(at, 7, 40);
    mem.free(at, s);
    assert_true(SANITIZED || kept() > 0);
    at = mem.malloc(40, s);
    assert_int_equal(kept(), 0);
    memset(at, 8, 40);
    at = mem.realloc(at, 5000, s);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(at[i], 8);
    mem.free(at, s);
    assert_int_equal(kept(), 0); /* a large one is not for the lists */
}

static void *all[MANY];

static void give_many(size_t least, size_t sizes)
{
    for (size_t i = 0; i < MANY; i++)
        all[i] = mem.malloc(least + i % sizes, s);
    for (size_t i = 0; i < MANY; i++)
        mem.free(all[i], s);
}

static void test_few_bytes_are_kept(void **state)
{
    (void)state;
    give_many(1, 600);
    assert_true(SANITIZED || kept() > KEPT_MOST);
    for (size_t k = 0; k < N_ELEMS(pool.pieces); k++)
        assert_true(pool.pieces[k].bytes < KEPT_MOST + 1024);
    h2_pieces_fini(&pool);
    assert_int_equal(kept(), 0);
    void *one = mem.malloc(100, s);
    assert_non_null(one);
    mem.free(one, s);
}

static void test_many_of_one_size_leave_room_for_others(void **state)
{
    (void)state;
    give_many(500, 1);
    size_t of_one = kept();
    assert_true(of_one < KEPT_MOST + 1024);
    give_many(100, 1);
    assert_true(SANITIZED || kept() > of_one + KEPT_MOST / 2);
}

static void give_twice(void)
{
    void *at = mem.malloc(100, s);
    mem.free(at, s);
    mem.free(at, s);
}

/* Two that ask later would have the same piece. */
static void test_what_is_given_twice_ends_the_process(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        give_twice();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(SANITIZED ? status != 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_is_not_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_piece_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_can_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_few_bytes_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_of_one_size_leave_room_for_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_given_twice_ends_the_process, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
