/* Kernel relay: bytes, half-close, resets, pipes held only while bytes are in them, copying where no pipe is
 * to be had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/net/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    struct splice s;
    int client, origin; /* the test's ends */
    int ended;
};

static struct ev *ev;
static struct pipe_pool pool;

static void on_end(struct splice *s)
{
    struct pair *p = s->data;
    p->ended++;
}

static void make(struct pair *p, struct buf *first)
{
    int a[2], b[2];
    *p = (struct pair){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
    p->client = a[0];
    p->origin = b[0];
    p->s.on_end = on_end;
    p->s.data = p;
    assert_int_equal(splice_start(&p->s, ev, &pool, a[1], b[1], first), RC_OK);
}

static void unmake(struct pair *p)
{
    splice_stop(&p->s, false);
    close(p->client);
    close(p->origin);
}

static void turns(int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(ev_turn(ev, 0), RC_OK);
}

static int setup(void **state)
{
    (void)state;
    return ev_new(&ev) != RC_OK || pipe_pool_init(&pool, 4) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    pipe_pool_fini(&pool);
    ev_free(ev);
    return 0;
}

static void a_reset_ends_both_sides(void **state)
{
    struct pair p;
    struct buf none = {0};
    char c;
    (void)state;
    make(&p, &none);
    turns(2);
    close(p.client);
    p.client = -1;
    turns(4);
    assert_int_equal(read(p.origin, &c, 1), 0); /* end, not silence */
    close(p.origin);
    p.origin = -1;
    turns(4);
    assert_int_equal(p.ended, 1);
    unmake(&p);
}

static void kept_bytes_leave_first(void **state)
{
    struct pair p;
    struct buf first = {0};
    char got[16] = {0};
    (void)state;
    assert_int_equal(buf_put_str(&first, "hello "), RC_OK);
    make(&p, &first);
    assert_int_equal(write(p.client, "world", 5), 5);
    turns(4);
    assert_int_equal(read(p.origin, got, sizeof got), 11);
    assert_string_equal(got, "hello world");
    assert_int_equal(p.s.way[0].bytes, 11);
    unmake(&p);
}

static void half_close_is_carried_over(void **state)
{
    struct pair p;
    struct buf none = {0};
    char got[8] = {0};
    (void)state;
    make(&p, &none);
    assert_int_equal(write(p.client, "ask", 3), 3);
    shutdown(p.client, SHUT_WR);
    turns(4);
    assert_int_equal(read(p.origin, got, sizeof got), 3);
    assert_int_equal(read(p.origin, got, sizeof got), 0);
    assert_int_equal(p.ended, 0);
    assert_int_equal(write(p.origin, "answer", 6), 6);
    shutdown(p.origin, SHUT_WR);
    turns(4);
    assert_int_equal(read(p.client, got, sizeof got), 6);
    assert_int_equal(read(p.client, got, sizeof got), 0);
    assert_int_equal(p.ended, 1);
    assert_false(p.s.aborted);
    unmake(&p);
}

static void no_pipe_is_held_while_nothing_is_in_it(void **state)
{
    enum { N = 200 };
    static struct pair p[N];
    struct buf none = {0};
    char c;
    (void)state;
    for (int i = 0; i < N; i++)
        make(&p[i], &none);
    turns(2);
    for (int i = 0; i < N; i++) {
        assert_int_equal(write(p[i].client, "x", 1), 1);
        turns(1);
        assert_int_equal(read(p[i].origin, &c, 1), 1);
        assert_int_equal(p[i].s.way[0].pipe[0], -1);
    }
    assert_true(pool.n_made <= 2); /* one pipe served them all, one after the other */
    for (int i = 0; i < N; i++)
        unmake(&p[i]);
}

static void a_slow_reader_pauses_its_writer_and_loses_nothing(void **state)
{
    struct pair p;
    struct buf none = {0};
    static char block[65536];
    size_t sent = 0, got = 0;
    (void)state;
    make(&p, &none);
    for (int i = 0; i < 400; i++) {
        ssize_t n = write(p.client, block, sizeof block);
        sent += n > 0 ? (size_t)n : 0;
        turns(1);
    }
    assert_true(sent < 8u << 20); /* nobody reads: the relay holds a pipe's worth, not all */
    for (int i = 0; i < 4000 && got < sent; i++) {
        ssize_t n = read(p.origin, block, sizeof block);
        got += n > 0 ? (size_t)n : 0;
        turns(1);
    }
    assert_int_equal(got, sent);
    unmake(&p);
}

static void without_descriptors_for_pipes_bytes_are_copied(void **state)
{
    struct pair p;
    struct buf none = {0};
    struct rlimit old, tight;
    char got[8] = {0};
    (void)state;
    make(&p, &none);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(write(p.client, "copied", 6), 6);
    turns(3);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(read(p.origin, got, sizeof got), 6);
    assert_string_equal(got, "copied");
    assert_true(pool.n_refused > 0 && pool.n_copied == 6);
    unmake(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reset_ends_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(kept_bytes_leave_first, setup, teardown),
        cmocka_unit_test_setup_teardown(half_close_is_carried_over, setup, teardown),
        cmocka_unit_test_setup_teardown(no_pipe_is_held_while_nothing_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_pauses_its_writer_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(without_descriptors_for_pipes_bytes_are_copied, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
