/* What a measurement says: one figure is one number with its unit, beside the same number of a peer and their
 * ratio. Shown as one JSON object a line (for programs; the keys are a contract), or as a table (for people,
 * with the spread). */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "gw/base/buf.h"

enum { SAMPLES_MAX = 1000 };

/* Values of one figure over the runs. Zero-initialised is empty. */
struct samples {
    double v[SAMPLES_MAX];
    size_t n;
};

/* Further values than SAMPLES_MAX are dropped. */
void samples_add(struct samples *s, double value);
/* 0 when empty. */
double samples_median(const struct samples *s);
double samples_min(const struct samples *s);
double samples_max(const struct samples *s);
double samples_sum(const struct samples *s);

struct figure {
    const char *name, *unit;
    double value;
    double low, high;  /* smallest and largest of the runs; for the table */
    const char *peer;  /* NULL: nobody to compare with */
    double peer_value; /* of the peer, when there is one */
    double peer_low, peer_high;
    unsigned long runs;
};

/* The median of `mine` beside the median of `theirs`; peer NULL (then `theirs` is not read): alone. */
struct figure figure_of(const char *name, const char *unit, const struct samples *mine, const char *peer,
                        const struct samples *theirs);
/* value / peer_value; false when there is no peer or its value is 0. */
bool figure_ratio(const struct figure *f, double *ratio);
/* {"figure":...,"value":...,"unit":...,"peer":...,"peer_value":...,"ratio":...,"runs":...} and a newline. */
enum rc figure_json(const struct figure *f, struct buf *out) MUST_USE;
/* One table row; figure_heading() goes before the first. */
enum rc figure_heading(struct buf *out) MUST_USE;
enum rc figure_row(const struct figure *f, struct buf *out) MUST_USE;

/* Where figures go: standard output, as JSON lines or as a table. */
struct report {
    bool json;
    bool begun; /* the heading is out */
};
void report_figure(struct report *r, const struct figure *f);

#endif
