/* Histogram of durations with a bounded relative error, as HdrHistogram does it: 64 cells for each doubling,
 * so a percentile is right to 1.6 %. A plain value of fixed size: it may lie in memory that two processes
 * share. Values above the last cell (about 12 days in microseconds) are counted in it. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum {
    HIST_SUB_BITS = 6,
    HIST_SUB = 1 << HIST_SUB_BITS,
    HIST_DOUBLINGS = 34,
    HIST_CELLS = HIST_SUB * (HIST_DOUBLINGS + 1)
};

struct hist {
    uint64_t n, sum, max;
    uint64_t cell[HIST_CELLS];
};

void hist_add(struct hist *h, uint64_t value);
/* The value below which `percent` (0 to 100) of all values lie: the upper edge of its cell, never above the
 * largest value that was added; 0 when nothing was added. */
uint64_t hist_percentile(const struct hist *h, double percent);
double hist_mean(const struct hist *h);

#endif
