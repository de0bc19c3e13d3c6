/* A state directory of a test's own. */
#ifndef TESTS_UNIT_GW_PROC_STATE_HELP_H
#define TESTS_UNIT_GW_PROC_STATE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state_dir {
    char path[32];
    int fd;
};

static inline void state_dir_make(struct state_dir *d)
{
    snprintf(d->path, sizeof d->path, "/tmp/perron-state-XXXXXX");
    assert_non_null(mkdtemp(d->path));
    d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(d->fd >= 0);
}

static inline void state_dir_remove(struct state_dir *d)
{
    char cmd[64];
    close(d->fd);
    snprintf(cmd, sizeof cmd, "rm -rf %s", d->path);
    assert_int_equal(system(cmd), 0);
}

static inline void state_dir_put(const struct state_dir *d, const char *name, const void *bytes, size_t n)
{
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static inline bool state_dir_has(const struct state_dir *d, const char *name)
{
    return faccessat(d->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#endif
