/* Moments: one of each kind that schedules and dates tell apart. Between two dates the calendar goes round by
 * the week, so that a little more than a week behind each of them has all there is. See reach_int.h. */
#include <stdlib.h>

#include "gw/base/array.h"
#include "policy/reach_int.h"
#include "policy/schedule.h"

enum { DAY_S = 86400, WINDOW_DAYS = 9, SHIFTS_FOR_DAYS = 400, STEPS_MOST = 4000000, TIMES_MOST = 200000 };

struct moments {
    struct model *m;
    int64_t *dates; /* at which the calendar may change other than by the week */
    size_t n_dates, dates_cap;
    int64_t *edges; /* of `since` and `until` */
    size_t n_edges, edges_cap;
    size_t times_cap;
    struct map seen; /* what is on, and between which edges */
    int64_t next[LIM_POLICY_SCHEDULES];
    uint8_t key[LIM_POLICY_SCHEDULES / 8 + 8];
    unsigned steps;
    bool full;
};

static void add(struct moments *x, int64_t **v, size_t *n, size_t *cap, int64_t at)
{
    int64_t *more = array_room(*v, *n, cap, 32, sizeof *more);
    if (!more) {
        x->full = true;
        return;
    }
    *v = more;
    more[(*n)++] = at;
}

static void add_date(struct moments *x, int64_t at)
{
    add(x, &x->dates, &x->n_dates, &x->dates_cap, at);
}

static void add_edge(struct moments *x, int64_t at)
{
    add(x, &x->edges, &x->n_edges, &x->edges_cap, at);
    add_date(x, at);
}

static void slot_dates(struct moments *x, const struct slot *s)
{
    for (; s; s = s->next) {
        if (s->days)
            continue;
        add_date(x, (int64_t)s->first * DAY_S);
        add_date(x, ((int64_t)s->last + 1) * DAY_S);
    }
}

/* The clocks of different zones need not change at the same moment. */
static void shift_dates(struct moments *x, int64_t now)
{
    const struct image *m = &x->m->snap->img;
    for (uint32_t z = 0; z < m->n_TZONES && m->n_TZONES > 1; z++) {
        int64_t at = now;
        while (at < now + (int64_t)SHIFTS_FOR_DAYS * DAY_S && !x->full) {
            (void)schedule_offset(m, z, at, &at);
            add_date(x, at == INT64_MAX ? now : at);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void gather(struct moments *x, int64_t now)
{
    const struct tree *t = x->m->t;
    add_date(x, now);
    for (const struct schedule_decl *s = t->schedules.first; s; s = s->next) {
        slot_dates(x, s->slots);
        slot_dates(x, s->except);
    }
    for (const struct rule *r = t->rules.first; r; r = r->next) {
        if (r->has_since)
            add_edge(x, r->since);
        if (r->has_until)
            add_edge(x, r->until);
    }
    shift_dates(x, now);
    if (x->n_dates)
        qsort(x->dates, x->n_dates, sizeof *x->dates, by_time);
    if (x->n_edges)
        qsort(x->edges, x->n_edges, sizeof *x->edges, by_time);
}

static uint32_t edges_before(const struct moments *x, int64_t t)
{
    size_t lo = 0, hi = x->n_edges;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->edges[mid] <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

/* Keeps the moment when nothing like it was met. */
static void look_at(struct moments *x, int64_t t)
{
    uint32_t n = x->m->t->schedules.n, edge = edges_before(x, t);
    size_t len = (n + 7) / 8 + sizeof edge;
    memset(x->key, 0, len);
    memcpy(x->key, &edge, sizeof edge);
    for (uint32_t i = 0; i < n; i++) {
        if (schedule_active(&x->m->snap->img, i, t))
            x->key[sizeof edge + i / 8] |= (uint8_t)(1u << (i % 8));
    }
    if (map_find(&x->seen, span_of(x->key, len)))
        return;
    int64_t *times = array_room(x->m->times, x->m->n_classes[V_TIME], &x->times_cap, 64, sizeof *times);
    if (!times || map_put(&x->seen, span_of(x->key, len), x) != RC_OK) {
        x->full = true;
        return;
    }
    x->m->times = times;
    times[x->m->n_classes[V_TIME]++] = t;
    x->full = x->full || x->m->n_classes[V_TIME] == TIMES_MOST;
}

/* The next moment at which a schedule or a date may make a difference. */
static int64_t step(struct moments *x, int64_t t)
{
    int64_t next = INT64_MAX;
    uint32_t edge = edges_before(x, t);
    for (uint32_t i = 0; i < x->m->t->schedules.n; i++) {
        if (x->next[i] <= t)
            x->next[i] = schedule_next(&x->m->snap->img, i, t);
        next = x->next[i] < next ? x->next[i] : next;
    }
    if (edge < x->n_edges && x->edges[edge] < next)
        next = x->edges[edge];
    return next;
}

static void walk(struct moments *x, int64_t now)
{
    int64_t t = INT64_MIN;
    for (size_t i = 0; i < x->n_dates && !x->full; i++) {
        int64_t from = x->dates[i] - DAY_S, end = x->dates[i] + (int64_t)WINDOW_DAYS * DAY_S;
        from = from < now ? now : from;
        if (t < from) {
            t = from;
            memset(x->next, 0x80, sizeof x->next); /* before all time */
        }
        while (t < end && !x->full) {
            look_at(x, t);
            t = step(x, t);
            x->full = x->full || ++x->steps == STEPS_MOST;
        }
    }
}

bool model_times(struct model *m, int64_t now, bool *complete)
{
    struct moments *x = calloc(1, sizeof *x);
    if (!x)
        return false;
    x->m = m;
    map_init(&x->seen, 0);
    gather(x, now);
    walk(x, now);
    *complete = !x->full;
    free(x->dates);
    free(x->edges);
    map_fini(&x->seen);
    free(x);
    m->of_schedule = arena_alloc(&m->mem, (m->t->schedules.n + 1) * sizeof(*m->of_schedule));
    return m->of_schedule != NULL;
}

const struct iset *class_schedule(struct model *m, uint32_t schedule)
{
    if (m->of_schedule[schedule])
        return m->of_schedule[schedule];
    uint32_t n = 0, *v = calloc(m->n_classes[V_TIME] + 1, sizeof *v);
    for (uint32_t i = 0; v && i < m->n_classes[V_TIME]; i++) {
        if (schedule_active(&m->snap->img, schedule, m->times[i]))
            v[n++] = i;
    }
    m->of_schedule[schedule] = v ? iset_of(&m->mem, v, n) : NULL;
    free(v);
    return m->of_schedule[schedule];
}

/* First moment at or behind t; they stand in order. */
static uint32_t time_at_or_behind(const struct model *m, int64_t t)
{
    uint32_t lo = 0, hi = m->n_classes[V_TIME];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->times[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct iset *class_between(struct model *m, int64_t since, int64_t until)
{
    return iset_range(&m->mem, time_at_or_behind(m, since), time_at_or_behind(m, until));
}
