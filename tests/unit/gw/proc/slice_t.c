/* A wish for short turns changes nothing else, and is the kernel's to grant: since 6.12 it reads back. */
#include "gw/proc/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct attr now(void)
{
    struct attr a = {0};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0), 0);
    return a;
}

/* In a child: the test itself goes on as it was. */
static void in_child(void (*run)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void ask(void)
{
    if (setpriority(PRIO_PROCESS, 0, 5) != 0)
        _exit(1);
    struct attr before = now();
    if (slice_ask(500) != RC_OK)
        _exit(2);
    struct attr after = now();
    if (after.policy != before.policy || after.nice != before.nice || after.priority != before.priority)
        _exit(3);
    if (before.runtime_ns > 0 && after.runtime_ns != 500000) /* 0: a kernel without such wishes */
        _exit(4);
}

static void a_wish_changes_the_turn_alone(void **state)
{
    (void)state;
    in_child(ask);
}

static void ask_as_batch(void)
{
    const struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        _exit(1);
    struct attr before = now();
    if (slice_ask(500) != RC_OK)
        _exit(2);
    struct attr after = now();
    if (after.policy != SCHED_BATCH || after.runtime_ns != before.runtime_ns)
        _exit(3);
}

static void what_somebody_else_chose_stays(void **state)
{
    (void)state;
    in_child(ask_as_batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wish_changes_the_turn_alone),
        cmocka_unit_test(what_somebody_else_chose_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
