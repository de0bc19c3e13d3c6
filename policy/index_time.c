/* Schedules and their time zones to sections; see index_dim.h. What decide() needs of the tz database is
 * copied into the part here. */
#include "policy/index_dim.h"

#include <stdlib.h>

#include "policy/ranges.h"
#include "policy/tz.h"

/* What is in force in one time zone. */
struct zone_slots {
    struct intervals weekly, dated, except;
    struct img_run name, shifts;
};

struct times {
    struct part *p;
    struct index_strings names;
    struct zone_slots zone[LIM_POLICY_TIME_ZONES];
};

static enum rc put_utc(struct part *p, struct img_run *out)
{
    *out = (struct img_run){.at = part_count(p, SECT_SHIFTS), .n = 1};
    return part_put(p, SECT_SHIFTS, &(struct img_shift){.at = INT64_MIN}, NULL);
}

static enum rc put_shifts(struct part *p, span name, struct img_run *out)
{
    struct tz tz = {0};
    enum rc rc = tz_load(name, &tz);
    *out = (struct img_run){.at = part_count(p, SECT_SHIFTS)};
    for (size_t i = 0; i < tz.n && rc == RC_OK; i++) {
        struct img_shift s = {.at = tz.v[i].at, .offset_s = tz.v[i].offset_s};
        rc = part_put(p, SECT_SHIFTS, &s, NULL);
        out->n++;
    }
    tz_fini(&tz);
    return rc == RC_OK && out->n == 0 ? put_utc(p, out) : rc;
}

/* The policy's own. UTC where it names none and the machine has none; the checker refuses it with a date. */
static enum rc put_own_shifts(const struct tree *t, struct part *p)
{
    enum rc rc = put_shifts(p, t->set.time_zone.text, &p->set.shifts);
    return rc == RC_NOTFOUND && !t->set.once_time_zone.given ? put_utc(p, &p->set.shifts) : rc;
}

static enum rc put_slot(struct times *x, struct zone_slots *z, uint32_t schedule, struct img_slot s)
{
    struct intervals *iv = s.weekly ? &z->weekly : s.except ? &z->except : &z->dated;
    TRY(part_put(x->p, SECT_SLOTS, &s, NULL));
    if (!s.weekly) {
        int64_t bias = (int64_t)IMG_MINUTE_BIAS;
        return intervals_add(iv, (uint64_t)(s.from + bias), (uint64_t)(s.to - 1 + bias), schedule);
    }
    if (s.to <= WEEK_MIN)
        return intervals_add(iv, (uint64_t)s.from, (uint64_t)s.to - 1, schedule);
    TRY(intervals_add(iv, (uint64_t)s.from, WEEK_MIN - 1, schedule));
    return intervals_add(iv, 0, (uint64_t)s.to - 1 - WEEK_MIN, schedule);
}

static enum rc put_slots(struct times *x, struct zone_slots *z, uint32_t id, const struct slot *s,
                         bool except)
{
    for (; s; s = s->next) {
        int64_t to = s->to_min > s->from_min ? s->to_min : s->to_min + 1440;
        for (int64_t day = 0; day < 7; day++) {
            struct img_slot o = {day * 1440 + s->from_min, day * 1440 + to, 1, except};
            if (s->days >> day & 1)
                TRY(put_slot(x, z, id, o));
        }
        if (s->days)
            continue;
        bool whole = s->from_min == 0 && s->to_min == 1440; /* one stretch, however many days */
        for (int64_t day = s->first; day <= s->last; day = whole ? (int64_t)s->last + 1 : day + 1) {
            int64_t last = whole ? s->last : day;
            struct img_slot o = {day * 1440 + s->from_min, last * 1440 + to, 0, except};
            TRY(put_slot(x, z, id, o));
        }
    }
    return RC_OK;
}

static enum rc put_schedule(struct times *x, const struct schedule_decl *s)
{
    span name = s->zone.text.n ? s->zone.text : SPAN("Europe/Brussels");
    struct img_schedule o = {.slots.at = part_count(x->p, SECT_SLOTS)};
    uint32_t known = x->names.n;
    TRY(index_strings_add(&x->names, name, &o.tzone));
    if (o.tzone >= LIM_POLICY_TIME_ZONES)
        return RC_LIMIT;
    struct zone_slots *z = &x->zone[o.tzone];
    if (o.tzone == known) {
        TRY(put_shifts(x->p, name, &z->shifts));
        TRY(part_text(x->p, name, &z->name));
    }
    TRY(put_slots(x, z, s->id, s->slots, false));
    TRY(put_slots(x, z, s->id, s->except, true));
    o.slots.n = part_count(x->p, SECT_SLOTS) - o.slots.at;
    TRY(part_text(x->p, s->name.text, &o.name));
    return part_put(x->p, SECT_SCHEDULES, &o, NULL);
}

static enum rc put_zone(struct part *p, struct zone_slots *z)
{
    struct img_tzone o = {.name = z->name, .shifts = z->shifts};
    TRY(ranges_emit(p, &z->weekly, RANGE_ALL, &o.weekly));
    TRY(ranges_emit(p, &z->dated, RANGE_ALL, &o.dated));
    TRY(ranges_emit(p, &z->except, RANGE_ALL, &o.except));
    return part_put(p, SECT_TZONES, &o, NULL);
}

enum rc index_schedules(const struct tree *t, struct part *p)
{
    if (t->schedules.n > LIM_POLICY_SCHEDULES)
        return RC_LIMIT;
    struct times *x = calloc(1, sizeof *x);
    enum rc rc = x ? RC_OK : RC_NOMEM;
    if (!x)
        return rc;
    x->p = p;
    rc = put_own_shifts(t, p);
    for (const struct schedule_decl *s = t->schedules.first; s && rc == RC_OK; s = s->next)
        rc = put_schedule(x, s);
    for (uint32_t i = 0; i < x->names.n && rc == RC_OK; i++)
        rc = put_zone(p, &x->zone[i]);
    for (uint32_t i = 0; i < LIM_POLICY_TIME_ZONES; i++) {
        intervals_fini(&x->zone[i].weekly);
        intervals_fini(&x->zone[i].dated);
        intervals_fini(&x->zone[i].except);
    }
    index_strings_fini(&x->names);
    free(x);
    return rc;
}
