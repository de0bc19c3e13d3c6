/* perron-bench keepalive: what one more request costs on a connection that is open: 1 KiB answers, so many
 * connections busy at once. The connections are opened before the clock runs. */
#include <math.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "gw/base/obj.h"

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    const struct knobs *k = lab->knobs;
    struct load_plan plan = turn_plan(t, lab);
    plan.hold = true;
    plan.connections = k->parallel;
    plan.requests = (k->count + k->parallel - 1) / k->parallel;
    TRY(turn_load(t, lab, &plan));
    TRY(load_wait_held(&t->load, t->what));
    TRY(turn_cpu_begin(t));
    load_go(&t->load);
    TRY(load_wait_end(&t->load, t->what));
    TRY(turn_cpu_end(t));
    const struct load_shared *s = t->load.shared;
    values[0] = t->pid > 0 ? (double)t->cpu_ns / 1e3 / (double)(plan.requests * plan.connections) : NAN;
    values[1] = (double)load_errors(s);
    values[2] = (double)hist_percentile(&s->latency_us, 50) / 1e3;
    values[3] = (double)hist_percentile(&s->latency_us, 99) / 1e3;
    return RC_OK;
}

int bench_keepalive(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"cpu", "us/request", MEASURE_MEDIAN},
        {"errors", "connections", MEASURE_TOTAL},
        {"p50", "ms", MEASURE_MEDIAN},
        {"p99", "ms", MEASURE_MEDIAN},
    };
    struct knobs k = knobs_usual(100000, 32);
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    const char *prefix = k.explicit ? "keepalive-explicit" : "keepalive";
    return measure_run(&(struct measure){prefix, ROWS, N_ELEMS(ROWS), turn}, &k);
}
