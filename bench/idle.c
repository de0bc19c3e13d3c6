/* perron-bench idle: what an open connection costs while nothing happens on it. So many are opened
 * (--parallel), each asks once, all fall silent (--hold seconds), then the gateway's process tree is weighed:
 * the difference to before, divided by their number. Pss counts shared pages once. Then every connection asks
 * again: those that do not answer are lost. The kernel's memory for sockets is not in it. */
#include <math.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "bench/procs.h"
#include "bench/say.h"
#include "bench/stop.h"
#include "gw/base/obj.h"

enum { OPENING_AT_ONCE = 100, CROWD_MAX = 16 };

static enum rc weigh(const struct turn *t, struct proc_memory *out)
{
    *out = (struct proc_memory){0};
    return t->pid > 0 ? procs_memory(t->pid, out) : RC_OK;
}

/* One process has descriptors for a part of them only. */
static enum rc open_all(struct turn *t, struct lab *lab, struct load crowd[CROWD_MAX])
{
    const struct knobs *k = lab->knobs;
    struct load_plan plan = turn_plan(t, lab);
    plan.hold = true;
    plan.h2 = k->h2;
    for (uint64_t i = 0; i < k->workers; i++) {
        plan.connections = k->parallel * (i + 1) / k->workers - k->parallel * i / k->workers;
        plan.parallel = plan.connections < OPENING_AT_ONCE ? plan.connections : OPENING_AT_ONCE;
        TRY(load_start(&crowd[i], &plan, &lab->net, lab->load_cpu));
    }
    for (uint64_t i = 0; i < k->workers; i++)
        TRY(load_wait_held(&crowd[i], t->what));
    return RC_OK;
}

static enum rc hold_all(struct turn *t, struct lab *lab, struct load crowd[CROWD_MAX], double *values)
{
    const struct knobs *k = lab->knobs;
    struct proc_memory before, after;
    uint64_t held = 0, answered = 0;
    TRY(weigh(t, &before));
    TRY(open_all(t, lab, crowd));
    if (stop_sleep_ms((long)k->hold_s * 1000))
        return RC_CLOSED;
    TRY(weigh(t, &after));
    for (uint64_t i = 0; i < k->workers; i++) {
        held += crowd[i].shared->held_n;
        load_go(&crowd[i]);
    }
    for (uint64_t i = 0; i < k->workers; i++) {
        TRY(load_wait_end(&crowd[i], t->what));
        answered += crowd[i].shared->ok;
    }
    bool known = t->pid > 0 && held > 0;
    values[0] = known ? ((double)after.pss_kib - (double)before.pss_kib) / (double)held : NAN;
    values[1] = known ? ((double)after.rss_kib - (double)before.rss_kib) / (double)held : NAN;
    values[2] = (double)k->parallel - (double)answered;
    return RC_OK;
}

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    struct load crowd[CROWD_MAX];
    for (int i = 0; i < CROWD_MAX; i++)
        crowd[i] = (struct load){.pid = -1};
    enum rc rc = hold_all(t, lab, crowd, values);
    for (int i = 0; i < CROWD_MAX; i++) {
        measure_tell_errors(t->what, &crowd[i]);
        load_free(&crowd[i]);
    }
    return rc;
}

int bench_idle(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"memory", "KiB/connection", MEASURE_MEDIAN},
        {"rss", "KiB/connection", MEASURE_MEDIAN},
        {"lost", "connections", MEASURE_TOTAL},
    };
    struct knobs k = knobs_usual(1, 5000);
    k.runs = 3;
    k.hold_s = 5;
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    k.streams = k.h2; /* at a time */
    if (k.h2 && k.explicit) {
        say_error("HTTP/2 is measured on the transparent way");
        return 1;
    }
    const char *prefix = k.h2 ? "idle-h2" : k.explicit ? "idle-explicit" : "idle";
    return measure_run(&(struct measure){prefix, ROWS, N_ELEMS(ROWS), turn}, &k);
}
