/* Signals that ask us to stop stay pending while they are blocked: the kernel keeps the flag, we need no
 * handler and no global. */
#include "bench/stop.h"

#include <signal.h>
#include <time.h>

static sigset_t stop_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

void stop_block(void)
{
    sigset_t set = stop_set();
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool stop_asked(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
           sigismember(&pending, SIGHUP) == 1;
}

bool stop_sleep_ms(long ms)
{
    enum { STEP_MS = 20 };
    for (long left = ms; left > 0 && !stop_asked(); left -= STEP_MS) {
        long step = left < STEP_MS ? left : STEP_MS;
        struct timespec ts = {0, step * 1000000};
        nanosleep(&ts, NULL);
    }
    return stop_asked();
}

void stop_release(void)
{
    sigset_t set = stop_set();
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
