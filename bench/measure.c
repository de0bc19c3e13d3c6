/* Runs, turns and figures. Perron is the subject and HAProxy its peer; with --only, or where HAProxy cannot
 * take part (explicit proxy), a gateway stands alone, and one that is not Perron has its name in the figure:
 * conn-cpu@haproxy. */
#include "bench/measure.h"

#include <math.h>
#include <stdio.h>

#include "bench/say.h"
#include "bench/stop.h"
#include "gw/base/obj.h"

enum { SIDES = 2 };

struct side {
    const struct gateway *gateway; /* NULL: this place is empty */
    struct samples samples[MEASURE_ROWS];
};

static void choose_sides(const struct knobs *k, struct side sides[SIDES])
{
    sides[0].gateway = gateway_find(k->only ? k->only : "perron");
    sides[1].gateway = k->only || k->explicit ? NULL : gateway_find("haproxy");
}

void measure_tell_errors(const char *what, const struct load *l)
{
    const struct load_shared *s = l->shared;
    if (s && load_errors(s) > 0)
        say_error("%s: %llu connections failed; the first: %s", what, (unsigned long long)load_errors(s),
                  s->first_error);
}

static enum rc one_turn(const struct measure *m, struct lab *lab, struct side *side, unsigned long run)
{
    struct turn t;
    double values[MEASURE_ROWS] = {0};
    enum rc rc = turn_begin(&t, lab, side->gateway, run);
    if (rc == RC_OK)
        rc = m->turn(&t, lab, values);
    measure_tell_errors(t.what, &t.load);
    enum rc ended = turn_end(&t, lab);
    TRY(rc);
    for (size_t i = 0; i < m->n_rows; i++) {
        if (!isnan(values[i]))
            samples_add(&side->samples[i], values[i]);
    }
    return ended;
}

static enum rc all_turns(const struct measure *m, struct lab *lab, struct side sides[SIDES])
{
    for (unsigned long run = 0; run < lab->knobs->runs; run++) {
        for (int i = 0; i < SIDES; i++) {
            if (sides[i].gateway)
                TRY(one_turn(m, lab, &sides[i], run));
        }
    }
    return RC_OK;
}

static void print_figure(const struct measure *m, size_t row, const struct side sides[SIDES],
                         struct report *report)
{
    char name[MEASURE_NAME];
    const char *alone = sides[0].gateway->name, *peer = sides[1].gateway ? sides[1].gateway->name : NULL;
    bool named = !span_eq(span_str(alone), SPAN("perron"));
    snprintf(name, sizeof(name), "%s-%s%s%s", m->prefix, m->rows[row].name, named ? "@" : "",
             named ? alone : "");
    if (sides[0].samples[row].n == 0)
        return;
    struct figure f =
        figure_of(name, m->rows[row].unit, &sides[0].samples[row], peer, &sides[1].samples[row]);
    if (m->rows[row].sum == MEASURE_TOTAL) {
        f.value = samples_sum(&sides[0].samples[row]);
        f.peer_value = samples_sum(&sides[1].samples[row]);
    }
    report_figure(report, &f);
}

/* True when a row of failures is not zero. */
static bool any_failed(const struct measure *m, const struct side sides[SIDES])
{
    for (size_t row = 0; row < m->n_rows; row++) {
        if (m->rows[row].sum == MEASURE_TOTAL &&
            samples_sum(&sides[0].samples[row]) + samples_sum(&sides[1].samples[row]) > 0)
            return true;
    }
    return false;
}

int measure_run(const struct measure *m, const struct knobs *knobs)
{
    struct lab lab;
    gw_assert(m->n_rows <= MEASURE_ROWS);
    AUTO_FREE struct side *sides = calloc(SIDES, sizeof(*sides));
    if (!sides)
        return 1;
    choose_sides(knobs, sides);
    if (knobs->explicit && !sides[0].gateway->explicit_too) {
        say_error("%s is no explicit proxy for TLS: leave out --explicit or --only", sides[0].gateway->name);
        return 1;
    }
    stop_block();
    enum rc rc = lab_up(&lab, knobs);
    if (rc == RC_OK)
        rc = all_turns(m, &lab, sides);
    lab_down(&lab, rc != RC_OK && rc != RC_CLOSED && rc != RC_CONFIG);
    stop_release(); /* an interrupted bench ends here, as any interrupted program */
    for (size_t row = 0; row < m->n_rows && rc == RC_OK; row++)
        print_figure(m, row, sides, &lab.report);
    return rc == RC_OK && !any_failed(m, sides) ? 0 : 1;
}
