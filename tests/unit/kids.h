/* Child processes of a test that are to be killed. */
#ifndef TESTS_UNIT_KIDS_H
#define TESTS_UNIT_KIDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void nap_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

/* Runs in a process of its own, which dies with ours. */
static inline pid_t child(void (*run)(void *arg, uint32_t number), void *arg, uint32_t number)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(arg, number);
        _exit(0);
    }
    return pid;
}

/* At whatever it is doing. */
static inline void stop_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
