/* perron-bench idle: what an open connection costs while nothing happens on it. So many are opened
 * (--parallel), each asks once, all fall silent (--hold seconds), then the gateway's process tree is weighed:
 * the difference to before, divided by their number. Pss counts shared pages once. Then every connection asks
 * again: those that do not answer are lost. The kernel's memory for sockets is not in it. */
#include <math.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/procs.h"
#include "bench/stop.h"
#include "gw/base/obj.h"

enum { OPENING_AT_ONCE = 100 };

static enum rc weigh(const struct turn *t, struct proc_memory *out)
{
    *out = (struct proc_memory){0};
    return t->pid > 0 ? procs_memory(t->pid, out) : RC_OK;
}

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    const struct knobs *k = lab->knobs;
    struct proc_memory before, after;
    struct load_plan plan = turn_plan(t, lab);
    plan.hold = true;
    plan.connections = k->parallel;
    plan.parallel = k->parallel < OPENING_AT_ONCE ? k->parallel : OPENING_AT_ONCE;
    TRY(weigh(t, &before));
    TRY(turn_load(t, lab, &plan));
    TRY(load_wait_held(&t->load, t->what));
    if (stop_sleep_ms((long)k->hold_s * 1000))
        return RC_CLOSED;
    TRY(weigh(t, &after));
    double held = (double)t->load.shared->held_n;
    load_go(&t->load);
    TRY(load_wait_end(&t->load, t->what));
    bool known = t->pid > 0 && held > 0;
    values[0] = known ? ((double)after.pss_kib - (double)before.pss_kib) / held : NAN;
    values[1] = known ? ((double)after.rss_kib - (double)before.rss_kib) / held : NAN;
    values[2] = (double)k->parallel - (double)t->load.shared->ok;
    return RC_OK;
}

int bench_idle(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"memory", "KiB/connection", MEASURE_MEDIAN},
        {"rss", "KiB/connection", MEASURE_MEDIAN},
        {"lost", "connections", MEASURE_TOTAL},
    };
    struct knobs k = {.runs = 3,
                      .count = 1,
                      .parallel = 5000,
                      .names = 1,
                      .size_mib = 1,
                      .hold_s = 5,
                      .rate = 1,
                      .minutes = 1};
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    const char *prefix = k.explicit ? "idle-explicit" : "idle";
    return measure_run(&(struct measure){prefix, ROWS, N_ELEMS(ROWS), turn}, &k);
}
