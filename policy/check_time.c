/* Times: zones, schedules, dates; see checker.h. The parser leaves local seconds; behind this everything is
 * UTC.
 */
#include "policy/checker.h"

#include <stdio.h>

#include "policy/tz.h"

#define DEFAULT_ZONE "Europe/Brussels"

enum { DAY_S = 86400 };

struct times {
    struct diag *d;
    int64_t now_s;
    struct tz tz;        /* of the policy */
    bool loaded, usable; /* it is read when the first date asks for it */
};

/* ---- zones ---- */

static void offer(span name, void *arg)
{
    struct suggest *near = ((void **)arg)[0];
    struct tree *t = ((void **)arg)[1];
    suggest_add(near, arena_dup(&t->mem, name));
}

/* Loads a zone; an error where it is named. */
static bool load(struct diag *d, const struct word *name, struct tz *out)
{
    enum rc rc = tz_load(name->text, out);
    if (rc == RC_OK)
        return true;
    struct suggest near = suggest_for(name->text);
    void *arg[] = {&near, d->tree};
    tz_names(offer, arg);
    if (near.best.n == 0 && tz_load(SPAN("UTC"), out) != RC_OK)
        diag_error(d, name->pos, "install Debian's tzdata", "this machine has no time zones");
    else
        diag_error(d, name->pos, suggest_hint(d, &near), "there is no time zone \"%.*s\"", SHOW(name->text));
    tz_fini(out);
    return false;
}

static bool policy_zone(struct times *x, struct pos used_at)
{
    struct word name = x->d->tree->set.time_zone;
    if (!x->loaded) {
        x->loaded = true;
        if (!x->d->tree->set.once_time_zone.given)
            name.pos = used_at;
        x->usable = load(x->d, &name, &x->tz);
    }
    return x->usable;
}

/* Local to UTC seconds in place. False: clocks never show that time, as they jump over it; it became the
 * moment of the jump. */
static bool to_utc(struct times *x, int64_t *s, struct pos at)
{
    int64_t local = *s;
    if (!policy_zone(x, at))
        return true;
    *s = tz_utc(&x->tz, local);
    return *s + tz_offset(&x->tz, *s) == local;
}

/* "2027-06-30", or with the time where it is not the end of a day. */
static const char *day_text(const struct times *x, int64_t utc, char out[48])
{
    int y, m, day;
    int64_t local = utc + tz_offset(&x->tz, utc), of_day = local % DAY_S;
    tz_date((int32_t)(local / DAY_S) - (of_day == 0), &y, &m, &day);
    if (of_day)
        snprintf(out, 48, "%04d-%02d-%02d %02d:%02d", y, m, day, (int)(of_day / 3600),
                 (int)(of_day / 60 % 60));
    else
        snprintf(out, 48, "%04d-%02d-%02d", y, m, day);
    return out;
}

/* ---- schedules ---- */

static void check_over(struct times *x, const struct schedule_decl *s, const struct tz *tz)
{
    int32_t last = INT32_MIN;
    for (const struct slot *i = s->slots; i; i = i->next) {
        if (i->days)
            return;
        last = i->last > last ? i->last : last;
    }
    if (s->slots && tz_utc(tz, ((int64_t)last + 1) * DAY_S) <= x->now_s)
        diag_warn(x->d, s->name.pos, NULL, "schedule `%.*s` is over: it will not come again",
                  SHOW(s->name.text));
}

/* Stretches that the schedule becomes: whole days in a row are one. */
static uint64_t count_slots(const struct slot *s)
{
    uint64_t n = 0;
    for (; s; s = s->next) {
        bool whole = s->from_min == 0 && s->to_min == 1440;
        n += s->days ? 7 : whole ? 1 : (uint64_t)(s->last - s->first) + 1;
    }
    return n;
}

static void check_size(struct diag *d, const struct schedule_decl *s)
{
    if (count_slots(s->slots) + count_slots(s->except) > LIM_POLICY_SLOTS)
        diag_error(d, s->name.pos, NULL, "schedule `%.*s` has more than %d stretches of hours",
                   SHOW(s->name.text), LIM_POLICY_SLOTS);
    if (s->id == LIM_POLICY_SCHEDULES)
        diag_error(d, s->name.pos, "`during a, b` joins schedules", "more than %d schedules",
                   LIM_POLICY_SCHEDULES);
}

/* Zones that schedules name. */
static void check_zone_count(struct diag *d)
{
    struct map zones;
    uint32_t n = 0;
    map_init(&zones, 0);
    for (const struct schedule_decl *s = d->tree->schedules.first; s; s = s->next) {
        if (map_find(&zones, s->zone.text))
            continue;
        if (map_put(&zones, s->zone.text, d) != RC_OK)
            break;
        if (++n == LIM_POLICY_TIME_ZONES + 1)
            diag_error(d, s->zone.pos, NULL, "schedules in more than %d time zones", LIM_POLICY_TIME_ZONES);
    }
    map_fini(&zones);
}

static void check_schedules(struct times *x)
{
    uint32_t id = 0;
    for (struct schedule_decl *s = x->d->tree->schedules.first; s; s = s->next) {
        struct tz own = {0};
        check_declare(x->d, &x->d->tree->schedule_map, &s->name, "schedules");
        s->id = id++;
        if (!s->slots && !x->d->unread)
            diag_error(x->d, s->name.pos, "add `mon-fri 08:15-12:00` or the like",
                       "schedule `%.*s` has no days", SHOW(s->name.text));
        check_size(x->d, s);
        if (s->zone.text.n) {
            if (load(x->d, &s->zone, &own))
                check_over(x, s, &own);
            tz_fini(&own);
            continue;
        }
        if (policy_zone(x, s->name.pos))
            check_over(x, s, &x->tz);
        s->zone = (struct word){.text = x->d->tree->set.time_zone.text, .pos = s->name.pos, .quoted = true};
    }
}

/* ---- dates ---- */

static const char *jump_hint(const struct times *x, int64_t utc)
{
    int64_t of_day = (utc + tz_offset(&x->tz, utc)) % DAY_S;
    return diag_hint(x->d, "clocks are put forward then, to %02d:%02d", (int)(of_day / 3600),
                     (int)(of_day / 60 % 60));
}

/* Of a rule. The end of a day that clocks jump over is the jump, and nothing is to be said of it. */
static void date_to_utc(struct times *x, int64_t *s, struct pos at)
{
    bool midnight = *s % DAY_S == 0;
    if (!to_utc(x, s, at) && !midnight)
        diag_warn(x->d, at, jump_hint(x, *s), "clocks do not show that time on that day");
}

static void moment_to_utc(struct times *x, struct expect *e)
{
    if (!to_utc(x, &e->at, e->at_pos))
        diag_error(x->d, e->at_pos, jump_hint(x, e->at), "clocks do not show that time on that day");
}

static void check_rule_dates(struct times *x, struct rule *r)
{
    char text[48];
    if (r->has_since)
        date_to_utc(x, &r->since, r->since_pos);
    if (r->has_until)
        date_to_utc(x, &r->until, r->until_pos);
    if (r->has_observe)
        date_to_utc(x, &r->observe_until, r->observe_pos);
    if (r->has_since && r->has_until && r->until <= r->since)
        diag_error(x->d, r->until_pos, NULL, "`until` comes before `since`: this rule would never be on");
    else if (r->has_until && r->until <= x->now_s)
        diag_warn(x->d, r->until_pos, "take the rule out, or give it a new end",
                  "this rule is off: its `until` was %s", day_text(x, r->until, text));
    else if (r->has_observe && r->observe_until <= x->now_s)
        diag_warn(x->d, r->observe_pos, "take `observe until` out",
                  "this rule is enforced: its `observe until` was %s", day_text(x, r->observe_until, text));
}

static void check_observes(struct times *x)
{
    char text[48];
    for (struct observe_decl *o = x->d->tree->observes.first; o; o = o->next) {
        date_to_utc(x, &o->until, o->pos);
        if (o->until <= x->now_s)
            diag_warn(x->d, o->pos, "take the line out",
                      "nothing is observed by this line: its `until` was %s", day_text(x, o->until, text));
    }
}

void check_times(struct diag *d, int64_t now_s)
{
    struct times x = {.d = d, .now_s = now_s};
    struct tree *t = d->tree;
    struct word *zone = &t->set.time_zone;
    if (zone->text.n)
        policy_zone(&x, zone->pos);
    else
        *zone = (struct word){.text = SPAN(DEFAULT_ZONE), .quoted = true};
    check_schedules(&x);
    check_zone_count(d);
    for (struct rule *r = t->rules.first; r; r = r->next)
        check_rule_dates(&x, r);
    check_observes(&x);
    for (struct expect *e = t->expects.first; e; e = e->next) {
        if (e->at)
            moment_to_utc(&x, e);
    }
    tz_fini(&x.tz);
}
