/* perron-bench bulk: what a GiB costs. Large bodies of random bytes over a few connections that are open
 * before the clock runs; nginx sends full TLS records of 16 KiB. */
#include <math.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    const struct knobs *k = lab->knobs;
    const double gib = 1024.0 * 1024.0 * 1024.0;
    struct load_plan plan = turn_plan(t, lab);
    plan.hold = true;
    plan.connections = k->parallel;
    plan.requests = (k->count + k->parallel - 1) / k->parallel;
    plan.path = "/large";
    plan.body_len = k->size_mib << 20;
    TRY(turn_load(t, lab, &plan));
    TRY(load_wait_held(&t->load, t->what));
    uint64_t before = t->load.shared->bytes;
    int64_t begun_us = clock_mono_us();
    TRY(turn_cpu_begin(t));
    load_go(&t->load);
    TRY(load_wait_end(&t->load, t->what));
    double wall_s = (double)(clock_mono_us() - begun_us) / 1e6;
    TRY(turn_cpu_end(t));
    double moved = (double)(t->load.shared->bytes - before) / gib;
    values[0] = t->pid > 0 && moved > 0 ? (double)t->cpu_ns / 1e9 / moved : NAN;
    values[1] = (double)load_errors(t->load.shared);
    values[2] = moved * 1024.0 / wall_s;
    return RC_OK;
}

int bench_bulk(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"cpu", "s/GiB", MEASURE_MEDIAN},
        {"errors", "connections", MEASURE_TOTAL},
        {"rate", "MiB/s", MEASURE_MEDIAN},
    };
    struct knobs k = knobs_usual(32, 4);
    k.size_mib = 64;
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    const char *prefix = k.explicit ? "bulk-explicit" : "bulk";
    return measure_run(&(struct measure){prefix, ROWS, N_ELEMS(ROWS), turn}, &k);
}
