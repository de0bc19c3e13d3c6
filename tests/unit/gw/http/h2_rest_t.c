/* What rests is put back to the last bit, whatever the model of its side looks like, and is small. */
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gw/base/obj.h"
#include "gw/http/h2_int.h"

enum { WORDS = H2_CORE_BYTES / 8, N = 3, LIGHT = 512 };

static struct h2_pool pool;
static struct h2 *of[2][N]; /* towards servers, towards clients */
static uint64_t was[WORDS];

static void none_owner(void *owner)
{
    (void)owner;
}

static void none_goaway(void *owner, int32_t last)
{
    (void)owner;
    (void)last;
}

static const struct h2_ops ops = {.goaway = none_goaway, .settings = none_owner};

/* All that it has to say, and the other side's answer to it. */
static void settle(struct h2 *client, struct h2 *server)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    for (int64_t now = 1; h2_wants_write(client) || h2_wants_write(server); now++) {
        assert_int_equal(h2_write(client, &out, SIZE_MAX), RC_OK);
        assert_int_equal(h2_feed(server, buf_span(&out), now), RC_OK);
        buf_clear(&out);
        assert_int_equal(h2_write(server, &out, SIZE_MAX), RC_OK);
        assert_int_equal(h2_feed(client, buf_span(&out), now), RC_OK);
        buf_clear(&out);
    }
    buf_fini(&out);
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(h2_new(&of[0][i], false, &ops, NULL, &pool), RC_OK);
        assert_int_equal(h2_new(&of[1][i], true, &ops, NULL, &pool), RC_OK);
        assert_int_equal(h2_begin(of[0][i], false), RC_OK);
        assert_int_equal(h2_begin(of[1][i], false), RC_OK);
        settle(of[0][i], of[1][i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) {
        h2_free(of[0][i]);
        h2_free(of[1][i]);
    }
    h2_pool_fini(&pool);
    return 0;
}

static uint64_t *words_of(struct h2 *s)
{
    return (uint64_t *)(void *)s->core->at;
}

static void rest(struct h2 *s)
{
    memcpy(was, words_of(s), sizeof was);
    h2_rest(s);
    assert_non_null(s->core->packed);
    for (size_t i = 0; i < WORDS; i++)
        assert_int_equal(words_of(s)[i], 0);
}

static void wake(struct h2 *s)
{
    assert_ptr_equal(h2_ng(s), s->ng);
    assert_null(s->core->packed);
    assert_memory_equal(was, words_of(s), sizeof was);
}

static size_t weight(const struct h2 *s)
{
    return malloc_usable_size(s->core->packed);
}

static void test_comes_back_to_the_bit(void **state)
{
    (void)state;
    for (unsigned twice = 0; twice < 2; twice++) {
        for (size_t i = 0; i < 2 * N; i++) {
            rest(of[i % 2][i / 2]);
            assert_true(weight(of[i % 2][i / 2]) < LIGHT);
            wake(of[i % 2][i / 2]);
        }
    }
}

/* Words behind those that the library uses are ours to write. */
static uint64_t *tail_of(struct h2 *s, size_t *n)
{
    size_t used = s->core->used / 8;
    *n = WORDS - used;
    assert_true(*n >= 16);
    return words_of(s) + used;
}

/* The model is from one that is like no other. */
static void test_a_strange_model(void **state)
{
    size_t n;
    (void)state;
    uint64_t *tail = tail_of(of[1][0], &n);
    for (size_t i = 0; i < n; i++)
        tail[i] = i % 3 == 0 ? (uintptr_t)(words_of(of[1][0]) + i) : i % 3 == 1 ? (uintptr_t)of[1][0] : i;
    rest(of[1][0]);
    assert_true(weight(of[1][0]) < LIGHT); /* its own words are as expected */
    wake(of[1][0]);
    rest(of[1][1]);
    assert_true(weight(of[1][1]) >= n * 8); /* all of them are kept as the zeros they are */
    wake(of[1][1]);
    memset(tail, 0, n * 8);
    rest(of[1][0]);
    wake(of[1][0]);
}

static void test_a_strange_session(void **state)
{
    size_t n;
    (void)state;
    rest(of[0][0]);
    wake(of[0][0]);
    uint64_t *tail = tail_of(of[0][1], &n);
    memset(tail, 0xa5, n * 8);
    rest(of[0][1]);
    assert_true(weight(of[0][1]) >= n * 8);
    wake(of[0][1]);
    for (size_t i = 0; i < n; i++) /* addresses of another */
        tail[i] = (uintptr_t)(i % 2 ? (void *)of[0][0] : of[0][0]->core->at);
    rest(of[0][1]);
    wake(of[0][1]);
}

/* One address within the session is an address within each: moved along, not kept. */
static void test_addresses_move_along(void **state)
{
    size_t n;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        uint64_t *tail = tail_of(of[1][i], &n);
        for (size_t k = 0; k < n; k++)
            tail[k] = k % 2 ? (uintptr_t)of[1][i] + k % sizeof **of[1] : (uintptr_t)(words_of(of[1][i]) + k);
        rest(of[1][i]);
        assert_true(weight(of[1][i]) < LIGHT);
        wake(of[1][i]);
    }
}

/* Its memory goes to the next one, which is none the heavier for what was there. */
static void test_memory_that_comes_again(void **state)
{
    size_t n;
    for (size_t i = 0; i < N; i++) {
        uint64_t *tail = tail_of(of[1][i], &n);
        memset(tail, (int)i + 1, n * 8);
    }
    for (size_t i = 0; i < N; i++) {
        h2_free(of[0][i]);
        h2_free(of[1][i]);
    }
    set_up(state);
    for (size_t i = 0; i < 2 * N; i++) {
        rest(of[i % 2][i / 2]);
        assert_true(weight(of[i % 2][i / 2]) < LIGHT);
        wake(of[i % 2][i / 2]);
    }
}

/* The sum is not the one of what is kept. */
static void spoil(void)
{
    memset(of[1][1]->core->packed, 0xa5, sizeof(uint64_t));
    (void)h2_ng(of[1][1]);
}

static void test_what_is_not_what_it_was_ends_the_process(void **state)
{
    int status;
    (void)state;
    rest(of[1][0]);
    rest(of[1][1]);
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        spoil();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    wake(of[1][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_back_to_the_bit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_strange_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_strange_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_addresses_move_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_that_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_what_it_was_ends_the_process, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
