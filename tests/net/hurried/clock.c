/* Time that hurries, for tests of deadlines that nobody wants to wait for: linked into a second perrond
 * (build/tests/net/perrond_hurried) in the place of two calls of libc; nothing in the gateway knows of it.
 *
 * Only workers hurry; the master's heartbeats and the signer keep real time. While a worker has something to
 * do its monotonic clock is the real one. When nothing happened for QUIET_MS it is moved on towards the next
 * timer, by more each time, until something but a heartbeat happens. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_MS = 50, FIRST_STEP_MS = 400, LAST_STEP_MS = 16000, HEARTBEAT_WAKES = 2 };

int __real_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout);
int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);

static bool hurries;
static int64_t ahead_ms, step_ms = FIRST_STEP_MS;
static int wakes; /* since the last jump */

__attribute__((constructor)) static void who_am_i(void)
{
    char line[256] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    hurries = n > 0 && memmem(line, (size_t)n, "worker", 6) != NULL;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = __real_clock_gettime(id, t);
    if (rc == 0 && id == CLOCK_MONOTONIC) {
        int64_t ns = t->tv_nsec + ahead_ms % 1000 * 1000000;
        t->tv_sec += ahead_ms / 1000 + ns / 1000000000;
        t->tv_nsec = ns % 1000000000;
    }
    return rc;
}

int __wrap_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout)
{
    if (!hurries || (timeout >= 0 && timeout <= QUIET_MS))
        return __real_epoll_wait(epfd, events, n, timeout);
    int got = __real_epoll_wait(epfd, events, n, QUIET_MS);
    if (got == 0 && timeout > 0) {
        int64_t left = timeout - QUIET_MS;
        ahead_ms += step_ms < left ? step_ms : left;
        step_ms += step_ms < LAST_STEP_MS ? step_ms / 5 : 0;
        wakes = 0;
    } else if (got > 0 && ++wakes > HEARTBEAT_WAKES) {
        step_ms = FIRST_STEP_MS;
    }
    return got;
}
