/* Counts of rules survive their tables, their workers and the gateway; a damaged file is put aside. */
#include "gw/proc/counts.h"

#include "tests/unit/gw/proc/state_help.h"

static struct state_dir dir;
static struct buf err;

static int setup(void **state)
{
    (void)state;
    state_dir_make(&dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&err);
    state_dir_remove(&dir);
    return 0;
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
        state_dir_put(&dir, "hits", bad[i], strlen(bad[i]));
        counts_init(&c);
        assert_int_equal(counts_open(&c, dir.fd, &err), RC_CONFIG);
        assert_true(buf_len(&err) > 0);
        buf_clear(&err);
        assert_false(state_dir_has(&dir, "hits"));
        assert_true(state_dir_has(&dir, "hits.damaged"));
        assert_int_equal(count_of(&c, 1), 0);
        counts_close(&c);
    }
}

static void counts_survive_the_gateway(void **state)
{
    struct counts c;
    (void)state;
    counts_init(&c);
    assert_int_equal(counts_open(&c, dir.fd, &err), RC_OK); /* none yet */
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
        assert_int_equal(counts_open(&c, dir.fd, &err), RC_OK);
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
