/* The bench's side of the load process: starts it in the client's network, waits for it, shows how far it is.
 * The two share one piece of memory and nothing else. */
#include "bench/load.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/load_loop.h"
#include "bench/say.h"
#include "bench/stop.h"
#include "gw/base/clock.h"

enum { POLL_MS = 5, PROGRESS_MS = 250, NOTHING_MS = 90000 };

const char *load_error_text(enum load_error e)
{
    static const char *const TEXTS[LOAD_E_N] = {
#define L(code, text) [LOAD_E_##code] = text,
#include "bench/load_error.tbl"
#undef L
    };
    return e < LOAD_E_N ? TEXTS[e] : "unknown";
}

/* Runs in the load process. */
static _Noreturn void child(const struct load_plan *plan, struct load_shared *shared, struct net *net,
                            unsigned cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && sched_setaffinity(0, sizeof(one), &one) == 0;
    ready = ready && net_enter(net, NET_CLIENT) == RC_OK;
    _exit(ready && load_loop_run(plan, shared) == RC_OK ? 0 : 1);
}

enum rc load_start(struct load *l, const struct load_plan *plan, struct net *net, unsigned cpu)
{
    l->pid = -1;
    l->shared = mmap(NULL, sizeof(*l->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l->shared == MAP_FAILED) {
        l->shared = NULL;
        return RC_NOMEM;
    }
    l->pid = fork();
    if (l->pid == 0)
        child(plan, l->shared, net, cpu);
    return l->pid > 0 ? RC_OK : RC_IO;
}

/* True when the process is gone; a status other than 0 is told once. */
bool load_ended(struct load *l)
{
    int status = 0;
    if (l->pid <= 0)
        return true;
    if (waitpid(l->pid, &status, WNOHANG) == 0)
        return false;
    l->pid = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        say_error("the load client failed: %s",
                  l->shared->first_error[0] ? l->shared->first_error : "it died");
    return true;
}

/* Waits for `held`, or (want_held false) for the end. A load on which nothing at all moves is given up. */
static enum rc wait_for(struct load *l, const char *what, bool want_held)
{
    struct load_shared *s = l->shared;
    int64_t shown_ms = 0, moved_ms = clock_mono_ms();
    uint64_t seen = 0;
    while (!(want_held && atomic_load(&s->held))) {
        if (load_ended(l))
            return want_held ? RC_GONE : RC_OK;
        if (stop_sleep_ms(POLL_MS))
            return RC_CLOSED;
        int64_t now = clock_mono_ms();
        uint64_t sum =
            atomic_load(&s->started) + atomic_load(&s->ended) + atomic_load(&s->requests_ok) + s->bytes;
        moved_ms = sum != seen ? now : moved_ms;
        seen = sum;
        if (now - moved_ms > NOTHING_MS) {
            say_error("%s: nothing moved for %d s", what, NOTHING_MS / 1000);
            return RC_TIMEOUT;
        }
        if (now - shown_ms > PROGRESS_MS) {
            shown_ms = now;
            say_progress("%s: %llu connections begun, %llu requests answered, %llu MiB", what,
                         (unsigned long long)atomic_load(&s->started),
                         (unsigned long long)atomic_load(&s->requests_ok),
                         (unsigned long long)(s->bytes >> 20));
        }
    }
    return RC_OK;
}

enum rc load_wait_held(struct load *l, const char *what)
{
    return wait_for(l, what, true);
}

void load_go(struct load *l)
{
    atomic_store(&l->shared->go, true);
}

enum rc load_wait_end(struct load *l, const char *what)
{
    return wait_for(l, what, false);
}

void load_free(struct load *l)
{
    if (l->pid > 0) {
        kill(l->pid, SIGKILL);
        waitpid(l->pid, NULL, 0);
    }
    l->pid = -1;
    if (l->shared)
        munmap(l->shared, sizeof(*l->shared));
    l->shared = NULL;
}

uint64_t load_errors(const struct load_shared *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < LOAD_E_N; i++)
        sum += s->errors[i];
    return sum;
}
