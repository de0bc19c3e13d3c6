/* Local time and slots; see schedule.h. */
#include "policy/schedule.h"

/* Beyond these years nothing of the calendar is told apart, so that no sum below overflows. */
enum { YEAR_S = 31556952 };
#define FAR ((int64_t)YEAR_S * 10000)

static int64_t near_time(int64_t t)
{
    return t < -FAR ? -FAR : t > FAR ? FAR : t;
}

int32_t schedule_shift(const struct image *m, struct img_run r, int64_t t, int64_t *until)
{
    const struct img_shift *s = &m->SHIFTS[r.at];
    uint32_t at = 0, n = r.n; /* as image_range() does it */
    while (n > 1) {
        uint32_t half = n / 2;
        at += s[at + half].at <= t ? half : 0;
        n -= half;
    }
    *until = at + 1 < r.n ? s[at + 1].at : INT64_MAX;
    return s[at].offset_s;
}

int32_t schedule_offset(const struct image *m, uint32_t tzone, int64_t t, int64_t *until)
{
    return schedule_shift(m, m->TZONES[tzone].shifts, t, until);
}

/* Local minute since 1970, rounded down. */
static int64_t local_minute(int64_t t, int32_t offset_s)
{
    int64_t s = t + offset_s;
    return s >= 0 ? s / 60 : -((59 - s) / 60);
}

/* 1970 began on a Thursday. */
static int64_t minute_of_week(int64_t minute)
{
    int64_t w = (minute + 3 * 1440) % WEEK_MIN;
    return w < 0 ? w + WEEK_MIN : w;
}

/* `week`: the minute's place in the week. */
static bool slot_has(const struct img_slot *s, int64_t minute, int64_t week)
{
    if (!s->weekly)
        return minute >= s->from && minute < s->to;
    return (week >= s->from && week < s->to) || week + WEEK_MIN < s->to;
}

static bool active_at(const struct image *m, const struct img_schedule *s, int64_t minute)
{
    bool active = false;
    int64_t week = minute_of_week(minute);
    for (uint32_t i = 0; i < s->slots.n; i++) {
        const struct img_slot *slot = &m->SLOTS[s->slots.at + i];
        if (!slot_has(slot, minute, week))
            continue;
        if (slot->except)
            return false;
        active = true;
    }
    return active;
}

bool schedule_active(const struct image *m, uint32_t schedule, int64_t t)
{
    int64_t until;
    const struct img_schedule *s = &m->SCHEDULES[schedule];
    t = near_time(t);
    return active_at(m, s, local_minute(t, schedule_offset(m, s->tzone, t, &until)));
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Minutes from one place in the week to the next time that the other one comes. */
static int64_t ahead(int64_t week, int64_t place)
{
    int64_t d = place - week;
    d -= d > WEEK_MIN ? WEEK_MIN : 0; /* slots may end in the next week */
    return d <= 0 ? d + WEEK_MIN : d;
}

/* The next minute at which a slot begins or ends; INT64_MAX. */
static int64_t next_end(const struct image *m, const struct img_schedule *s, int64_t minute)
{
    int64_t next = INT64_MAX, week = minute_of_week(minute);
    for (uint32_t i = 0; i < s->slots.n; i++) {
        const struct img_slot *slot = &m->SLOTS[s->slots.at + i];
        if (slot->weekly)
            next = sooner(next, minute + sooner(ahead(week, slot->from), ahead(week, slot->to)));
        else if (slot->from > minute)
            next = sooner(next, slot->from);
        else if (slot->to > minute)
            next = sooner(next, slot->to);
    }
    return next;
}

struct schedule_state schedule_state(const struct image *m, uint32_t schedule, int64_t t)
{
    const struct img_schedule *s = &m->SCHEDULES[schedule];
    int64_t until, next = 0, at = near_time(t);
    int32_t offset = schedule_offset(m, s->tzone, at, &until);
    int64_t minute = local_minute(at, offset);
    bool now = active_at(m, s, minute);
    for (unsigned i = 0; i < SCHEDULE_TRIES; i++) {
        int64_t end = next_end(m, s, minute);
        next = sooner(until, end == INT64_MAX ? INT64_MAX : end * 60 - offset);
        at = near_time(next);
        offset = schedule_offset(m, s->tzone, at, &until);
        minute = local_minute(at, offset);
        if (next == INT64_MAX || active_at(m, s, minute) != now)
            return (struct schedule_state){next, now};
    }
    return (struct schedule_state){next, now};
}

int64_t schedule_next(const struct image *m, uint32_t schedule, int64_t t)
{
    return schedule_state(m, schedule, t).next;
}

struct schedule_lists schedule_lists(const struct image *m, uint32_t tzone, int64_t t)
{
    const struct img_tzone *z = &m->TZONES[tzone];
    int64_t until;
    t = near_time(t);
    int64_t minute = local_minute(t, schedule_offset(m, tzone, t, &until));
    uint64_t dated = (uint64_t)minute + IMG_MINUTE_BIAS;
    return (struct schedule_lists){
        .weekly = image_low(m, z->weekly, (uint64_t)minute_of_week(minute)),
        .dated = image_low(m, z->dated, dated),
        .except = image_low(m, z->except, dated),
    };
}
