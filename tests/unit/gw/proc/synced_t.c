/* What another process appends is synced once for many lines, also to the file before, and again after a
 * failure. */
#include "gw/proc/synced.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int n_syncs, last_fd;
static bool disk_fails;

static int count(int fd)
{
    n_syncs++;
    last_fd = fd;
    errno = EIO;
    return disk_fails ? -1 : fdatasync(fd);
}

/* An open file that has no name any more, to write and to read. */
static void new_file(int *writes, int *reads)
{
    char path[] = "/tmp/perron-synced-XXXXXX";
    *writes = mkstemp(path);
    *reads = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(*writes >= 0 && *reads >= 0);
    unlink(path);
}

static void append(int fd)
{
    assert_int_equal(write(fd, "line\n", 5), 5);
}

static void begin(struct synced *s)
{
    synced_init(s);
    assert_ptr_equal(s->sync, fdatasync);
    s->sync = count;
    n_syncs = 0;
    last_fd = -1;
    disk_fails = false;
}

static void without_a_file_there_is_nothing_to_do(void **state)
{
    struct synced s;
    (void)state;
    begin(&s);
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_int_equal(synced_fini(&s), RC_OK);
    assert_int_equal(n_syncs, 0);
}

static void a_failure_is_said_and_tried_again(void **state)
{
    struct synced s;
    int w, r;
    (void)state;
    begin(&s);
    new_file(&w, &r);
    assert_int_equal(synced_target(&s, r), RC_OK);
    append(w);
    disk_fails = true;
    assert_int_equal(synced_turn(&s), RC_IO);
    assert_int_equal(errno, EIO);
    disk_fails = false;
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_int_equal(n_syncs, 2);
    assert_int_equal(synced_fini(&s), RC_OK);
    close(w);
}

static void one_sync_serves_many_lines(void **state)
{
    struct synced s;
    int w, r;
    (void)state;
    begin(&s);
    new_file(&w, &r);
    append(w); /* before it was known */
    assert_int_equal(synced_target(&s, r), RC_OK);
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_int_equal(n_syncs, 1);
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_int_equal(n_syncs, 1);
    append(w);
    append(w);
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_int_equal(n_syncs, 2);
    append(w);
    assert_int_equal(synced_fini(&s), RC_OK);
    assert_int_equal(n_syncs, 3);
    assert_int_equal(fcntl(r, F_GETFD), -1);
    close(w);
}

static void the_file_before_is_synced_until_another_one_comes(void **state)
{
    struct synced s;
    int w[3], r[3];
    (void)state;
    begin(&s);
    for (int i = 0; i < 3; i++)
        new_file(&w[i], &r[i]);
    assert_int_equal(synced_target(&s, r[0]), RC_OK);
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_int_equal(synced_target(&s, r[1]), RC_OK);
    assert_int_equal(synced_turn(&s), RC_OK);
    n_syncs = 0;
    append(w[0]); /* its writer had not heard of the new one */
    assert_int_equal(synced_turn(&s), RC_OK);
    assert_true(n_syncs == 1 && last_fd == r[0]);
    append(w[0]);
    assert_int_equal(synced_target(&s, r[2]), RC_OK);
    assert_true(n_syncs == 2 && last_fd == r[0]);
    assert_int_equal(fcntl(r[0], F_GETFD), -1);
    assert_int_equal(synced_fini(&s), RC_OK);
    for (int i = 0; i < 3; i++)
        close(w[i]);
}

static void a_file_that_is_let_go_unsynced_is_told(void **state)
{
    struct synced s;
    int w[3], r[3];
    (void)state;
    begin(&s);
    for (int i = 0; i < 3; i++) {
        new_file(&w[i], &r[i]);
        append(w[i]);
    }
    assert_int_equal(synced_target(&s, r[0]), RC_OK);
    assert_int_equal(synced_target(&s, r[1]), RC_OK);
    disk_fails = true;
    assert_int_equal(synced_target(&s, r[2]), RC_IO);
    assert_int_equal(errno, EIO);
    assert_int_equal(fcntl(r[0], F_GETFD), -1);
    errno = 0;
    assert_int_equal(synced_fini(&s), RC_IO);
    assert_int_equal(errno, EIO);
    for (int i = 0; i < 3; i++)
        close(w[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_there_is_nothing_to_do),
        cmocka_unit_test(a_failure_is_said_and_tried_again),
        cmocka_unit_test(one_sync_serves_many_lines),
        cmocka_unit_test(the_file_before_is_synced_until_another_one_comes),
        cmocka_unit_test(a_file_that_is_let_go_unsynced_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
