/* perron-bench latency: how long a request waits for its 1 KiB answer while the gateway has little to do: so
 * many a second by the clock (--rate), over --parallel open connections in turn. What a gateway adds is the
 * difference to `--only direct`. */
#include "bench/bench.h"
#include "bench/measure.h"
#include "gw/base/obj.h"

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    const struct knobs *k = lab->knobs;
    struct load_plan plan = turn_plan(t, lab);
    plan.hold = true;
    plan.pace = k->rate;
    plan.rate = 0;
    plan.connections = k->parallel;
    plan.requests = (k->count + k->parallel - 1) / k->parallel;
    TRY(turn_load(t, lab, &plan));
    TRY(load_wait_held(&t->load, t->what));
    load_go(&t->load);
    TRY(load_wait_end(&t->load, t->what));
    const struct load_shared *s = t->load.shared;
    values[0] = (double)hist_percentile(&s->latency_us, 50);
    values[1] = (double)hist_percentile(&s->latency_us, 99);
    values[2] = (double)load_errors(s);
    return RC_OK;
}

int bench_latency(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"p50", "us", MEASURE_MEDIAN},
        {"p99", "us", MEASURE_MEDIAN},
        {"errors", "connections", MEASURE_TOTAL},
    };
    struct knobs k = knobs_usual(4000, 16);
    k.rate = 200;
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    const char *prefix = k.explicit ? "latency-explicit" : "latency";
    return measure_run(&(struct measure){prefix, ROWS, N_ELEMS(ROWS), turn}, &k);
}
