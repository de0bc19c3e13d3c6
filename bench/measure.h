/* The frame of every comparison: build the bench, let each gateway take its turn in each run (A B A B, so
 * that a machine that gets slower meanwhile slows both), collect values, print figures, tear down. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench/lab.h"

enum { MEASURE_ROWS = 8, MEASURE_NAME = 64 };

enum measure_sum { MEASURE_MEDIAN, MEASURE_TOTAL };

/* A figure of a measurement: named PREFIX-name. */
struct measure_row {
    const char *name, *unit;
    enum measure_sum sum; /* over the runs */
};

struct measure {
    const char *prefix;
    const struct measure_row *rows;
    size_t n_rows;
    /* One turn: fills values[0 .. n_rows). NAN where a gateway has no such value. */
    enum rc (*turn)(struct turn *t, struct lab *lab, double *values);
};

/* Exit status: 0; 1 when something failed (said on standard error), failed connections included. */
int measure_run(const struct measure *m, const struct knobs *knobs);
/* Says which connections failed, if any. */
void measure_tell_errors(const char *what, const struct load *l);

#endif
