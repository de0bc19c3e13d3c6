/* Runs real tools: ip, nft, nginx, dnsmasq, HAProxy, perrond. Each child may be put into a network namespace,
 * on to one CPU, and writes what it says into a log file. Children are ended by their process id and die with
 * the bench (PR_SET_PDEATHSIG), so that nothing stays behind also when the bench itself is killed. */
#ifndef BENCH_SPAWN_H
#define BENCH_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "gw/base/err.h"

enum { SPAWN_ANY_CPU = -1, SPAWN_HERE = -1 };

struct spawn {
    const char *const *argv; /* argv[0] is looked up in PATH */
    int netns;               /* descriptor of a network namespace, or SPAWN_HERE */
    int cpu;                 /* or SPAWN_ANY_CPU */
    const char *log;         /* file for standard output and error (appended); NULL: shown as ours */
};

/* Starts and returns. */
enum rc spawn_start(const struct spawn *what, pid_t *pid) MUST_USE;
/* Starts and waits; IO unless it ended with status 0. */
enum rc spawn_run(const struct spawn *what) MUST_USE;
/* One line of words separated by spaces, run in `netns`; what it says goes to `log`. */
enum rc spawn_line(int netns, const char *log, const char *line) MUST_USE;
/* Still running? A child that has ended is reaped. */
bool spawn_alive(pid_t pid);
/* SIGTERM, then SIGKILL after grace_ms. Harmless for pid <= 0. */
void spawn_stop(pid_t pid, int grace_ms);
/* True when `name` can be run from PATH (or is a path to something executable). */
bool spawn_has(const char *name);

#endif
