/* What a gateway costs: CPU time, memory and descriptors of a process and all its descendants, read from
 * /proc. CPU time is user + system as the scheduler counts it (nanoseconds), children that have ended
 * included. The kernel of most machines charges interrupt work to whoever runs at that moment, so the figure
 * holds the receive work that fell on the gateway's CPU while it ran. */
#ifndef BENCH_PROCS_H
#define BENCH_PROCS_H

#include <sys/types.h>

#include "gw/base/buf.h"

enum { PROCS_MAX = 256 };

/* A process tree; the root is pid[0]. */
struct procs {
    pid_t pid[PROCS_MAX];
    size_t n;
};

/* From /proc/PID/stat. */
struct proc_stat {
    pid_t pid, parent;
    uint64_t own_ticks;   /* utime + stime */
    uint64_t ended_ticks; /* cutime + cstime: of children that were waited for */
};

struct proc_memory {
    uint64_t rss_kib; /* Rss: shared pages counted in each process */
    uint64_t pss_kib; /* Pss: shared pages divided among those that share them */
    uint64_t own_kib; /* Anonymous: neither of files nor shared (a ring between processes is not in it) */
};

/* The text of /proc/PID/stat (the command's name may hold spaces and brackets). BAD when it is not one. */
enum rc proc_stat_parse(span text, struct proc_stat *out) MUST_USE;
/* The text of /proc/PID/smaps_rollup; BAD without Rss, Pss and Anonymous. */
enum rc proc_memory_parse(span text, struct proc_memory *out) MUST_USE;

/* Root and descendants that live now; GONE when the root is not there. */
enum rc procs_find(pid_t root, struct procs *out) MUST_USE;
/* CPU time of the tree so far, in nanoseconds. */
enum rc procs_cpu_ns(pid_t root, uint64_t *ns) MUST_USE;
enum rc procs_memory(pid_t root, struct proc_memory *sum) MUST_USE;
/* Open descriptors of the tree. */
enum rc procs_fds(pid_t root, uint64_t *n) MUST_USE;
/* Every thread of the tree on to one CPU. */
enum rc procs_pin(pid_t root, unsigned cpu) MUST_USE;

#endif
