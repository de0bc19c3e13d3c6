/* A table that is none of ours is refused, one that is full loses counts and nothing else, every count is
 * found. */
#include "gw/ipc/hits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gw/base/limits.h"

static void other_memory_is_refused(void **state)
{
    struct hits *h;
    int fd = memfd_create("t", MFD_ALLOW_SEALING), good;
    uint8_t head[64];
    (void)state;
    assert_int_equal(hits_map(-1, &h), RC_BAD);
    assert_int_equal(hits_map(fd, &h), RC_BAD);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(hits_map(fd, &h), RC_BAD);
    close(fd);
    assert_int_equal(hits_create(&good), RC_OK);
    assert_int_equal(ftruncate(good, 4096), -1); /* or the reader could be made to fault */
    assert_int_equal(pread(good, head, sizeof head, 0), sizeof head);
    head[0] ^= 1;
    assert_int_equal(pwrite(good, head, 8, 0), 8);
    assert_int_equal(hits_map(good, &h), RC_BAD);
    assert_null(h);
    close(good);
    hits_unmap(NULL);
}

static void every_count_is_found(void **state)
{
    struct hits *w, *r;
    struct hit h;
    int fd;
    (void)state;
    assert_int_equal(hits_create(&fd), RC_OK);
    assert_int_equal(hits_map(fd, &w), RC_OK);
    assert_int_equal(hits_map(fd, &r), RC_OK);
    assert_false(hits_find(r, 5, &h));
    for (uint64_t k = 1; k <= 10000; k++) {
        for (uint64_t i = 0; i < k % 3 + 1; i++)
            hits_add(w, k * UINT64_C(0x9e3779b97f4a7c15) | 1, (int64_t)(1000 + k + i));
    }
    for (uint64_t k = 1; k <= 10000; k++) {
        assert_true(hits_find(r, k * UINT64_C(0x9e3779b97f4a7c15) | 1, &h));
        assert_true(h.n >= k % 3 + 1);
        assert_true(h.last_s >= (int64_t)(1000 + k + k % 3));
    }
    size_t n = 0;
    for (size_t it = 0; hits_next(r, &it, &h); n++)
        assert_int_not_equal(h.key, 0);
    assert_int_equal(n, hits_used(r));
    assert_int_equal(hits_lost(r), 0);
    hits_unmap(w);
    hits_unmap(r);
    close(fd);
}

static void keys_that_fall_together_are_kept_apart(void **state)
{
    struct hits *w;
    struct hit h;
    int fd;
    (void)state;
    assert_int_equal(hits_create(&fd), RC_OK);
    assert_int_equal(hits_map(fd, &w), RC_OK);
    for (uint64_t k = 1; k <= 80; k++) /* one slot for all: room for a run of 64 */
        hits_add(w, 7 + k * LIM_HITS_SLOTS, 1);
    for (uint64_t k = 1; k <= 80; k++)
        assert_int_equal(hits_find(w, 7 + k * LIM_HITS_SLOTS, &h), k <= 64);
    assert_int_equal(hits_lost(w), 16);
    assert_int_equal(hits_used(w), 64);
    hits_unmap(w);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_memory_is_refused),
        cmocka_unit_test(every_count_is_found),
        cmocka_unit_test(keys_that_fall_together_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
