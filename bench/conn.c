/* perron-bench conn: what a new intercepted connection costs. Each is a full TLS 1.3 handshake on both sides,
 * one request for 1 KiB and an orderly close. With --tickets origins give tickets, which Perron uses and
 * HAProxy does not; with --resume clients resume too, and HAProxy uses its sessions with origins. One name,
 * known to the gateway, or with --names so many names that it has never seen; through the transparent way, or
 * with --explicit by CONNECT. */
#include <math.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/measure.h"
#include "gw/base/obj.h"

static enum rc turn(struct turn *t, struct lab *lab, double *values)
{
    struct load_plan plan = turn_plan(t, lab);
    TRY(turn_cpu_begin(t));
    TRY(turn_load(t, lab, &plan));
    TRY(load_wait_end(&t->load, t->what));
    TRY(turn_cpu_end(t));
    const struct load_shared *s = t->load.shared;
    values[0] = t->pid > 0 ? (double)t->cpu_ns / 1e3 / (double)lab->knobs->count : NAN;
    values[1] = (double)load_errors(s);
    values[2] = (double)hist_percentile(&s->latency_us, 50) / 1e3;
    values[3] = (double)hist_percentile(&s->latency_us, 99) / 1e3;
    values[4] = 100.0 * (double)s->resumed / (double)lab->knobs->count;
    return RC_OK;
}

int bench_conn(int argc, char **argv)
{
    static const struct measure_row ROWS[] = {
        {"cpu", "us/connection", MEASURE_MEDIAN},
        {"errors", "connections", MEASURE_TOTAL},
        {"p50", "ms", MEASURE_MEDIAN},
        {"p99", "ms", MEASURE_MEDIAN},
        {"resumed", "% of connections", MEASURE_MEDIAN},
    };
    struct knobs k = knobs_usual(2000, 200);
    char prefix[MEASURE_NAME * 3 / 4];
    enum rc rc = knobs_parse(&k, argc, argv);
    if (rc != RC_OK)
        return rc == RC_CLOSED ? 0 : 1;
    snprintf(prefix, sizeof(prefix), "conn%s%s%s%s%s", k.names > 1 ? "-new-names" : "",
             k.explicit ? "-explicit" : "", k.tickets && !k.resume ? "-tickets" : "",
             k.resume ? "-resumed" : "", k.pool ? "-pool" : "");
    size_t n_rows = k.resume ? N_ELEMS(ROWS) : N_ELEMS(ROWS) - 1; /* otherwise no client resumes */
    return measure_run(&(struct measure){prefix, ROWS, n_rows, turn}, &k);
}
