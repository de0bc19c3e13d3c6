/* Process trees from /proc. Parsing is apart from reading (the parsers are pure and tested with texts); a
 * process that ends while we look is left out, since its time then stands in its parent's ended_ticks. */
#include "bench/procs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "gw/base/obj.h"

/* The next field, spaces before it skipped. */
static span next_field(span text, size_t *at)
{
    while (*at < text.n && (text.p[*at] == ' ' || text.p[*at] == '\n'))
        (*at)++;
    size_t from = *at;
    while (*at < text.n && text.p[*at] != ' ' && text.p[*at] != '\n')
        (*at)++;
    return span_cut(text, from, *at);
}

static bool next_number(span text, size_t *at, uint64_t *out)
{
    return span_to_u64(next_field(text, at), UINT64_MAX, out);
}

/* Where the last ')' stands: the name may hold any byte (proc(5)). */
static size_t name_end(span text)
{
    for (size_t i = text.n; i > 0; i--) {
        if (text.p[i - 1] == ')')
            return i;
    }
    return 0;
}

enum rc proc_stat_parse(span text, struct proc_stat *out)
{
    enum { SKIP_AFTER_PARENT = 9 }; /* pgrp ... cmajflt: fields 5 to 13 */
    uint64_t pid = 0, parent = 0, v[4] = {0};
    size_t at = 0;
    if (!next_number(text, &at, &pid) || name_end(text) == 0)
        return RC_BAD;
    at = name_end(text);
    next_field(text, &at); /* state */
    if (!next_number(text, &at, &parent))
        return RC_BAD;
    for (int i = 0; i < SKIP_AFTER_PARENT; i++)
        next_field(text, &at);
    for (int i = 0; i < 4; i++) {
        if (!next_number(text, &at, &v[i]))
            return RC_BAD;
    }
    *out = (struct proc_stat){(pid_t)pid, (pid_t)parent, v[0] + v[1], v[2] + v[3]};
    return RC_OK;
}

/* The number behind "Key:" at the start of a line. */
static bool line_value(span text, span key, uint64_t *out)
{
    for (size_t from = 0; from < text.n;) {
        size_t end = span_find(text, '\n', from);
        end = end == SIZE_MAX ? text.n : end;
        span line = span_cut(text, from, end);
        size_t at = key.n;
        if (span_has_prefix(line, key))
            return next_number(line, &at, out);
        from = end + 1;
    }
    return false;
}

enum rc proc_memory_parse(span text, struct proc_memory *out)
{
    bool whole = line_value(text, SPAN("Rss:"), &out->rss_kib) &&
                 line_value(text, SPAN("Pss:"), &out->pss_kib) &&
                 line_value(text, SPAN("Anonymous:"), &out->own_kib);
    return whole ? RC_OK : RC_BAD;
}

/* The start of /proc/PID/NAME (these files are short). */
static enum rc read_proc(pid_t pid, const char *name, char *room, size_t size, span *out)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return RC_GONE;
    size_t have = 0;
    ssize_t got = 1;
    while (have < size && got > 0) {
        got = read(fd, room + have, size - have);
        have += got > 0 ? (size_t)got : 0;
    }
    *out = span_of(room, have);
    return have > 0 ? RC_OK : RC_GONE;
}

static enum rc stat_of(pid_t pid, struct proc_stat *out)
{
    char room[2048];
    span text;
    TRY(read_proc(pid, "stat", room, sizeof(room), &text));
    return proc_stat_parse(text, out);
}

static bool holds(const struct procs *set, pid_t pid)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->pid[i] == pid)
            return true;
    }
    return false;
}

/* Adds to the set every process whose parent is in it; true when there was one. */
static bool add_children(struct procs *set)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return false;
    bool grew = false;
    for (struct dirent *e = readdir(dir); e && set->n < PROCS_MAX; e = readdir(dir)) {
        uint64_t pid;
        struct proc_stat st;
        if (!span_to_u64(span_str(e->d_name), INT32_MAX, &pid) || holds(set, (pid_t)pid))
            continue;
        if (stat_of((pid_t)pid, &st) == RC_OK && holds(set, st.parent)) {
            set->pid[set->n++] = (pid_t)pid;
            grew = true;
        }
    }
    closedir(dir);
    return grew;
}

enum rc procs_find(pid_t root, struct procs *out)
{
    struct proc_stat st;
    TRY(stat_of(root, &st));
    out->n = 0;
    out->pid[out->n++] = root;
    while (out->n < PROCS_MAX && add_children(out))
        ;
    return RC_OK;
}

/* The process' own clock where the kernel gives it (nanoseconds), else its ticks. */
static uint64_t own_ns(pid_t pid, const struct proc_stat *st, uint64_t tick_ns)
{
    clockid_t clock;
    struct timespec ts;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ts) == 0)
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    return st->own_ticks * tick_ns;
}

enum rc procs_cpu_ns(pid_t root, uint64_t *ns)
{
    struct procs set;
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    TRY(procs_find(root, &set));
    *ns = 0;
    for (size_t i = 0; i < set.n; i++) {
        struct proc_stat st;
        if (stat_of(set.pid[i], &st) == RC_OK)
            *ns += own_ns(set.pid[i], &st, tick_ns) + st.ended_ticks * tick_ns;
    }
    return RC_OK;
}

enum rc procs_memory(pid_t root, struct proc_memory *sum)
{
    struct procs set;
    TRY(procs_find(root, &set));
    *sum = (struct proc_memory){0};
    for (size_t i = 0; i < set.n; i++) {
        char room[4096];
        span text;
        struct proc_memory one;
        if (read_proc(set.pid[i], "smaps_rollup", room, sizeof(room), &text) != RC_OK ||
            proc_memory_parse(text, &one) != RC_OK)
            continue;
        sum->rss_kib += one.rss_kib;
        sum->pss_kib += one.pss_kib;
        sum->own_kib += one.own_kib;
    }
    return sum->pss_kib > 0 ? RC_OK : RC_IO;
}

/* Calls nothing: counts the numbered entries of /proc/PID/NAME and, when asked, pins each of them (threads).
 */
static uint64_t each_entry(pid_t pid, const char *name, const cpu_set_t *pin)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    uint64_t n = 0, number;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (!span_to_u64(span_str(e->d_name), INT32_MAX, &number))
            continue;
        n++;
        if (pin && sched_setaffinity((pid_t)number, sizeof(*pin), pin) != 0)
            n--;
    }
    closedir(dir);
    return n;
}

enum rc procs_fds(pid_t root, uint64_t *n)
{
    struct procs set;
    TRY(procs_find(root, &set));
    *n = 0;
    for (size_t i = 0; i < set.n; i++)
        *n += each_entry(set.pid[i], "fd", NULL);
    return RC_OK;
}

enum rc procs_pin(pid_t root, unsigned cpu)
{
    struct procs set;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    TRY(procs_find(root, &set));
    uint64_t pinned = 0;
    for (size_t i = 0; i < set.n; i++)
        pinned += each_entry(set.pid[i], "task", &one);
    return pinned >= set.n ? RC_OK : RC_IO;
}
