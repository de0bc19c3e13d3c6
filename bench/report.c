/* Medians, the JSON line and the table row of a figure. Numbers are written with six significant digits: more
 * would pretend a precision that no run has. JSON has no infinity and no NaN: such a value is written as
 * null. */
#include "bench/report.h"

#include <math.h>
#include <stdlib.h>

void samples_add(struct samples *s, double value)
{
    if (s->n < SAMPLES_MAX)
        s->v[s->n++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_median(const struct samples *s)
{
    if (s->n == 0)
        return 0.0;
    struct samples sorted = *s;
    qsort(sorted.v, sorted.n, sizeof(sorted.v[0]), by_value);
    size_t mid = sorted.n / 2;
    return sorted.n % 2 ? sorted.v[mid] : (sorted.v[mid - 1] + sorted.v[mid]) / 2.0;
}

double samples_min(const struct samples *s)
{
    double least = s->n ? s->v[0] : 0.0;
    for (size_t i = 1; i < s->n; i++)
        least = s->v[i] < least ? s->v[i] : least;
    return least;
}

double samples_max(const struct samples *s)
{
    double most = s->n ? s->v[0] : 0.0;
    for (size_t i = 1; i < s->n; i++)
        most = s->v[i] > most ? s->v[i] : most;
    return most;
}

double samples_sum(const struct samples *s)
{
    double sum = 0.0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->v[i];
    return sum;
}

struct figure figure_of(const char *name, const char *unit, const struct samples *mine, const char *peer,
                        const struct samples *theirs)
{
    struct figure f = {.name = name, .unit = unit, .peer = peer, .runs = (unsigned long)mine->n};
    f.value = samples_median(mine);
    f.low = samples_min(mine);
    f.high = samples_max(mine);
    if (peer && theirs) {
        f.peer_value = samples_median(theirs);
        f.peer_low = samples_min(theirs);
        f.peer_high = samples_max(theirs);
    }
    return f;
}

bool figure_ratio(const struct figure *f, double *ratio)
{
    if (!f->peer || f->peer_value == 0.0)
        return false;
    *ratio = f->value / f->peer_value;
    return isfinite(*ratio);
}

/* "name":VALUE, with null for what is not a number. */
static enum rc put_number(struct buf *out, const char *key, bool there, double value)
{
    if (!there || !isfinite(value))
        return buf_printf(out, ",\"%s\":null", key);
    return buf_printf(out, ",\"%s\":%.6g", key, value);
}

/* Names and units are ours, yet a quotation mark in one must not break the line. */
static enum rc put_string(struct buf *out, const char *text)
{
    TRY(buf_put_u8(out, '"'));
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            TRY(buf_put_u8(out, '\\'));
        TRY(buf_put_u8(out, (unsigned char)*text < 0x20 ? ' ' : (uint8_t)*text));
    }
    return buf_put_u8(out, '"');
}

enum rc figure_json(const struct figure *f, struct buf *out)
{
    double ratio = 0.0;
    bool has_ratio = figure_ratio(f, &ratio);
    TRY(buf_put_str(out, "{\"figure\":"));
    TRY(put_string(out, f->name));
    TRY(put_number(out, "value", true, f->value));
    TRY(buf_put_str(out, ",\"unit\":"));
    TRY(put_string(out, f->unit));
    TRY(buf_put_str(out, ",\"peer\":"));
    TRY(f->peer ? put_string(out, f->peer) : buf_put_str(out, "null"));
    TRY(put_number(out, "peer_value", f->peer != NULL, f->peer_value));
    TRY(put_number(out, "ratio", has_ratio, ratio));
    return buf_printf(out, ",\"runs\":%lu}\n", f->runs);
}

enum { COLUMN_VALUE = 24 };

enum rc figure_heading(struct buf *out)
{
    return buf_printf(out, "%-30s %10s %-14s %-17s %10s %-17s %6s %4s\n", "figure", "value", "unit",
                      "(runs from - to)", "peer", "(runs from - to)", "ratio", "runs");
}

/* "(12.3 - 14.5)" */
static const char *spread_text(double low, double high, char out[2 * COLUMN_VALUE])
{
    snprintf(out, 2 * COLUMN_VALUE, "(%.4g - %.4g)", low, high);
    return out;
}

enum rc figure_row(const struct figure *f, struct buf *out)
{
    char spread[2 * COLUMN_VALUE], ratio_text[COLUMN_VALUE] = "-";
    double ratio = 0.0;
    if (figure_ratio(f, &ratio))
        snprintf(ratio_text, sizeof(ratio_text), "%.3f", ratio);
    TRY(buf_printf(out, "%-30s %10.5g %-14s %-17s", f->name, f->value, f->unit,
                   spread_text(f->low, f->high, spread)));
    if (f->peer)
        TRY(buf_printf(out, " %10.5g %-17s", f->peer_value, spread_text(f->peer_low, f->peer_high, spread)));
    else
        TRY(buf_printf(out, " %10s %-17s", "-", "-"));
    return buf_printf(out, " %6s %4lu\n", ratio_text, f->runs);
}

void report_figure(struct report *r, const struct figure *f)
{
    struct buf line;
    buf_init(&line, 0);
    enum rc rc = RC_OK;
    if (!r->json && !r->begun)
        rc = figure_heading(&line);
    r->begun = true;
    if (rc == RC_OK)
        rc = r->json ? figure_json(f, &line) : figure_row(f, &line);
    if (rc == RC_OK) {
        fwrite(line.p + line.r, 1, buf_len(&line), stdout);
        fflush(stdout);
    }
    buf_fini(&line);
}
