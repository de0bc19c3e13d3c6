/* The files of a series in a directory, whatever else stands there. */
#include "gw/base/dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static int dir;

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/perron-dir-t.XXXXXX");
    if (!mkdtemp(path))
        return -1;
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    DIR *d = dir_walk(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dir, e->d_name, 0);
    if (d)
        closedir(d);
    close(dir);
    return rmdir(path);
}

static void touch(const char *name)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* "n17" is number 17 */
static bool number_of(const char *name, uint64_t *number)
{
    char *end;
    if (name[0] != 'n' || !name[1])
        return false;
    *number = strtoull(name + 1, &end, 10);
    return *end == '\0';
}

static void what_is_no_directory_has_no_entries(void **state)
{
    uint64_t *list;
    size_t n;
    (void)state;
    touch("file");
    int fd = openat(dir, "file", O_RDONLY | O_CLOEXEC);
    errno = 0;
    assert_null(dir_walk(fd));
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(dir_numbers(fd, number_of, &list, &n), RC_IO);
    assert_null(list);
    assert_int_equal(n, 0);
    close(fd);
}

static void without_files_of_the_series_there_is_none(void **state)
{
    uint64_t *list;
    size_t n;
    (void)state;
    touch("n");
    touch("nx");
    touch("m3");
    assert_int_equal(dir_numbers(dir, number_of, &list, &n), RC_OK);
    assert_null(list);
    assert_int_equal(n, 0);
}

static void numbers_come_in_order_however_many(void **state)
{
    uint64_t *list;
    size_t n;
    char name[32];
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "n%u", (i * 7) % 300);
        touch(name);
    }
    touch("n18446744073709551615");
    for (int twice = 0; twice < 2; twice++) { /* the handle has no position that a walk would move */
        assert_int_equal(dir_numbers(dir, number_of, &list, &n), RC_OK);
        assert_int_equal(n, 301);
        for (size_t i = 0; i < 300; i++)
            assert_int_equal(list[i], i);
        assert_true(list[300] == UINT64_MAX);
        free(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_directory_has_no_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(without_files_of_the_series_there_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_come_in_order_however_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
