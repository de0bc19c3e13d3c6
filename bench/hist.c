/* Histogram with 64 cells per doubling. The cell of a value: its position of the highest bit gives the row,
 * the next six bits give the column. Values below 64 have a cell each. Owns nothing, allocates nothing. */
#include "bench/hist.h"

static unsigned cell_of(uint64_t value)
{
    if (value < HIST_SUB)
        return (unsigned)value;
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    unsigned row = top - HIST_SUB_BITS + 1;
    if (row > HIST_DOUBLINGS)
        return HIST_CELLS - 1;
    unsigned column = (unsigned)(value >> (top - HIST_SUB_BITS)) & (HIST_SUB - 1);
    return row * HIST_SUB + column;
}

/* Largest value that falls into this cell. */
static uint64_t cell_edge(unsigned cell)
{
    unsigned row = cell / HIST_SUB, column = cell % HIST_SUB;
    if (row == 0)
        return column;
    return ((((uint64_t)HIST_SUB + column + 1) << (row - 1))) - 1;
}

void hist_add(struct hist *h, uint64_t value)
{
    h->cell[cell_of(value)]++;
    h->n++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
    if (h->n == 0)
        return 0;
    double rank = percent / 100.0 * (double)h->n;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_CELLS; i++) {
        seen += h->cell[i];
        if (seen > 0 && (double)seen >= rank) {
            uint64_t edge = cell_edge(i);
            return edge < h->max ? edge : h->max;
        }
    }
    return h->max;
}

double hist_mean(const struct hist *h)
{
    return h->n ? (double)h->sum / (double)h->n : 0.0;
}
