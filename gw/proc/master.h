/* perrond's first process: opens, spawns, watches, hands out descriptors. It keeps root and therefore parses
 * no byte that a stranger could have written. Reading order: master.c (start, run, stop), children.c (one
 * child's life), feed.c (what each role is given), reload.c (a policy's way into force), control.c
 * (perronctl). */
#ifndef GW_PROC_MASTER_H
#define GW_PROC_MASTER_H

#include "gw/base/log.h"

struct master_opts {
    const char *policy; /* -f */
    const char *state;  /* -d */
    const char *log_dir;
    int64_t clock_offset_us;
    uint32_t node;
    enum log_level log_level;
};

/* Runs until SIGTERM or SIGINT; the exit status of the program. */
int master_run(const struct master_opts *opts);

#endif
