/* The length of a turn; see slice.h. The C library of Debian 12 has neither call nor structure. */
#include "gw/proc/slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct sched_attr of linux/sched/types.h, in its first form. */
struct slice_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

enum rc slice_ask(uint32_t us)
{
    struct slice_attr a = {0};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0) != 0)
        return RC_IO;
    if (a.policy != SCHED_OTHER) /* somebody has chosen for us */
        return RC_OK;
    a.size = sizeof a;
    a.runtime_ns = (uint64_t)us * 1000;
    return syscall(SYS_sched_setattr, 0, &a, 0) == 0 ? RC_OK : RC_IO;
}
