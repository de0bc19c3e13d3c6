/* Counts of rules survive their tables, their workers and the gateway; a damaged file is put aside. */
#include "gw/proc/counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char base[] = "/tmp/perron-counts-XXXXXX";
static int dir;
static struct buf err;

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    dir = open(base, O_RDONLY | O_DIRECTORY);
    return dir < 0;
}

static int teardown(void **state)
{
    char cmd[128];
    (void)state;
    close(dir);
    buf_fini(&err);
    snprintf(cmd, sizeof cmd, "rm -rf %s", base);
    return system(cmd);
}

static void put_file(const char *text)
{
    int fd = openat(dir, "hits", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct hits *writer(struct counts *c, uint32_t w)
{
    struct hits *h;
    int fd;
    assert_int_equal(counts_table(c, w, &fd), RC_OK);
    assert_int_equal(hits_map(fd, &h), RC_OK);
    return h;
}

static uint64_t count_of(const struct counts *c, uint64_t key)
{
    struct hit h;
    return counts_find(c, key, &h) ? h.n : 0;
}

static void damaged_files_are_put_aside(void **state)
{
    static const char *const bad[] = {"",
                                      "perron hits 2\nend 0\n",
                                      "perron hits 1\n",
                                      "perron hits 1\n0000000000000001 2 3\n",
                                      "perron hits 1\n0000000000000001 2 3\nend 2\n",
                                      "perron hits 1\n0000000000000000 2 3\nend 1\n",
                                      "perron hits 1\n0000000000000001 2\nend 1\n",
                                      "perron hits 1\nnonsense\nend 1\n"};
    struct counts c;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(bad[i]);
        counts_init(&c);
        assert_int_equal(counts_open(&c, dir, &err), RC_CONFIG);
        assert_true(buf_len(&err) > 0);
        buf_clear(&err);
        assert_int_equal(faccessat(dir, "hits", F_OK, 0), -1);
        assert_int_equal(faccessat(dir, "hits.damaged", F_OK, 0), 0);
        assert_int_equal(count_of(&c, 1), 0);
        counts_close(&c);
    }
}

static void counts_survive_the_gateway(void **state)
{
    struct counts c;
    (void)state;
    counts_init(&c);
    assert_int_equal(counts_open(&c, dir, &err), RC_OK); /* none yet */
    struct hits *a = writer(&c, 0), *b = writer(&c, 3);
    hits_add(a, 5, 100);
    hits_add(a, 5, 101);
    hits_add(b, 5, 99);
    hits_add(b, 77, 98);
    struct hit h;
    assert_true(counts_find(&c, 5, &h));
    assert_int_equal(h.n, 3);
    assert_int_equal(h.last_s, 101);
    assert_int_equal(counts_write(&c), RC_OK);
    hits_unmap(a);
    hits_unmap(b);
    counts_close(&c);
    for (int again = 0; again < 3; again++) {
        counts_init(&c);
        assert_int_equal(counts_open(&c, dir, &err), RC_OK);
        assert_true(counts_find(&c, 5, &h));
        assert_int_equal(h.n, 3);
        assert_int_equal(h.last_s, 101);
        assert_int_equal(count_of(&c, 77), 1);
        assert_false(counts_find(&c, 6, &h));
        assert_int_equal(counts_write(&c), RC_OK); /* nothing new: nothing is added twice */
        counts_close(&c);
    }
}

static void a_worker_goes_on_counting_in_its_table(void **state)
{
    struct counts c;
    (void)state;
    counts_init(&c);
    struct hits *a = writer(&c, 1);
    hits_add(a, 9, 1);
    hits_unmap(a); /* killed */
    a = writer(&c, 1);
    hits_add(a, 9, 2);
    assert_int_equal(count_of(&c, 9), 2);
    hits_unmap(a);
    counts_close(&c);
}

static void a_full_table_is_replaced_and_nothing_is_lost(void **state)
{
    struct counts c;
    (void)state;
    counts_init(&c);
    struct hits *a = writer(&c, 0);
    assert_false(counts_turn(&c, 0));
    for (uint64_t k = 1; k <= LIM_HITS_SLOTS / 2; k++)
        hits_add(a, k * 2, 50);
    assert_true(counts_turn(&c, 0));
    struct hits *b = writer(&c, 0);
    hits_add(b, 2, 60);
    hits_add(a, 4, 55); /* the worker has not heard of it yet */
    assert_int_equal(count_of(&c, 2), 2);
    assert_false(counts_turn(&c, 0));
    assert_int_equal(count_of(&c, 2), 2);
    assert_int_equal(count_of(&c, 4), 2);
    assert_int_equal(count_of(&c, LIM_HITS_SLOTS), 1);
    hits_unmap(a);
    hits_unmap(b);
    counts_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_are_put_aside),
        cmocka_unit_test(counts_survive_the_gateway),
        cmocka_unit_test(a_worker_goes_on_counting_in_its_table),
        cmocka_unit_test(a_full_table_is_replaced_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
