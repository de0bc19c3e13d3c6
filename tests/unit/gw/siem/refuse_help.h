/* A disk that refuses what a logger writes, and a log that says nothing of it. */
#ifndef TESTS_UNIT_GW_SIEM_REFUSE_HELP_H
#define TESTS_UNIT_GW_SIEM_REFUSE_HELP_H

#include <errno.h>
#include <sys/types.h>

#include "gw/base/log.h"

static int disk_errno;

static inline ssize_t no_write(int fd, const void *p, size_t n, off_t at)
{
    (void)fd, (void)p, (void)n, (void)at;
    errno = disk_errno;
    return -1;
}

static inline ssize_t no_line(int fd, const void *p, size_t n)
{
    (void)fd, (void)p, (void)n;
    errno = disk_errno;
    return -1;
}

static inline int quiet(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR);
    return 0;
}

#endif
