/* Schedules beside a model that asks libc's clock minute by minute: slots over midnight and over the week's
 * end, days taken away, hours that come twice or never, zones on both sides of Greenwich. */
#include "policy/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "gw/base/obj.h"
#include "policy/index.h"
#include "policy/tz.h"

enum { MON = 1, TUE = 2, FRI = 16, SAT = 32, SUN = 64, WORK = 31, DAILY = 127, MOST_SLOTS = 4 };

struct plan {
    const char *zone;
    unsigned n_slots, n_except;
    struct slot slots[MOST_SLOTS], except[MOST_SLOTS];
};

static struct slot weekly(unsigned days, unsigned from, unsigned to)
{
    return (struct slot){.days = (uint8_t)days, .from_min = (uint16_t)from, .to_min = (uint16_t)to};
}

static struct slot dated(int32_t first, int32_t last, unsigned from, unsigned to)
{
    return (struct slot){.first = first, .last = last, .from_min = (uint16_t)from, .to_min = (uint16_t)to};
}

/* ---- a part with these schedules and nothing else ---- */

struct made {
    struct tree tree;
    struct part part;
    struct buf bytes;
    struct image img;
};

static struct slot *chain(struct arena *mem, const struct slot *s, unsigned n)
{
    struct slot *first = NULL, **last = &first;
    for (unsigned i = 0; i < n; i++) {
        struct slot *copy = arena_alloc(mem, sizeof *copy);
        assert_non_null(copy);
        *copy = s[i];
        copy->next = NULL;
        *last = copy;
        last = &copy->next;
    }
    return first;
}

static void declare(struct tree *t, const struct plan *plans, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct schedule_decl *d = arena_alloc(&t->mem, sizeof *d);
        assert_non_null(d);
        *d = (struct schedule_decl){.name.text = SPAN("s"), .zone.text = span_str(plans[i].zone), .id = i};
        d->slots = chain(&t->mem, plans[i].slots, plans[i].n_slots);
        d->except = chain(&t->mem, plans[i].except, plans[i].n_except);
        *t->schedules.last = d;
        t->schedules.last = &d->next;
        t->schedules.n++;
    }
}

static enum rc try_make(struct made *m, const struct plan *plans, unsigned n)
{
    tree_init(&m->tree);
    part_init(&m->part);
    buf_init(&m->bytes, 0);
    declare(&m->tree, plans, n);
    return index_build(&m->tree, &m->part);
}

static void make(struct made *m, const struct plan *plans, unsigned n)
{
    assert_int_equal(try_make(m, plans, n), RC_OK);
    assert_int_equal(part_emit(&m->part, &m->bytes), RC_OK);
    assert_int_equal(image_open(buf_span(&m->bytes), &m->img), RC_OK);
}

static void unmake(struct made *m)
{
    buf_fini(&m->bytes);
    part_fini(&m->part);
    tree_fini(&m->tree);
}

/* ---- the model ---- */

static bool slot_holds(const struct slot *s, const struct tm *t)
{
    int32_t day = tz_days(t->tm_year + 1900, t->tm_mon + 1, t->tm_mday);
    unsigned minute = (unsigned)t->tm_hour * 60 + (unsigned)t->tm_min,
             weekday = (unsigned)(t->tm_wday + 6) % 7;
    bool over = s->to_min <= s->from_min;
    bool today = s->days ? s->days >> weekday & 1 : day >= s->first && day <= s->last;
    bool yesterday = s->days ? s->days >> (weekday + 6) % 7 & 1 : day - 1 >= s->first && day - 1 <= s->last;
    if (!over)
        return today && minute >= s->from_min && minute < s->to_min;
    return (today && minute >= s->from_min) || (yesterday && minute < s->to_min);
}

/* The process must be in the plan's zone. */
static bool holds(const struct plan *p, int64_t at)
{
    time_t when = (time_t)at;
    struct tm t;
    bool on = false;
    assert_non_null(localtime_r(&when, &t));
    for (unsigned i = 0; i < p->n_except; i++) {
        if (slot_holds(&p->except[i], &t))
            return false;
    }
    for (unsigned i = 0; i < p->n_slots; i++)
        on = on || slot_holds(&p->slots[i], &t);
    return on;
}

static void go_to(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static bool in_list(const struct image *m, uint32_t list, uint32_t schedule)
{
    struct img_run r = list == UINT32_MAX ? (struct img_run){0} : m->LISTS[list].numbers;
    for (uint32_t i = 0; i < r.n; i++) {
        if (m->NUMBERS[r.at + i] == schedule)
            return true;
    }
    return false;
}

/* All that is said of one moment. */
static void check_at(const struct image *m, const struct plan *p, uint32_t schedule, int64_t at)
{
    bool want = holds(p, at), got = schedule_active(m, schedule, at);
    struct schedule_lists l = schedule_lists(m, m->SCHEDULES[schedule].tzone, at);
    bool listed =
        (in_list(m, l.weekly, schedule) || in_list(m, l.dated, schedule)) && !in_list(m, l.except, schedule);
    if (got != want || listed != want)
        print_error("schedule %u at %lld: %d, listed %d, want %d\n", schedule, (long long)at, got, listed,
                    want);
    assert_int_equal(got, want);
    assert_int_equal(listed, want);
}

/* Minute by minute; at every change the moment before it named it. */
static void check_minutes(const struct image *m, const struct plan *p, uint32_t schedule, int64_t from,
                          int64_t to)
{
    bool was = holds(p, from);
    int64_t since = from, said = schedule_next(m, schedule, from);
    check_at(m, p, schedule, from);
    assert_true(said > from);
    for (int64_t at = from + 60; at < to; at += 60) {
        bool now = holds(p, at);
        check_at(m, p, schedule, at);
        check_at(m, p, schedule, at - 1);
        if (now == was && at < said)
            continue;
        if (at < said) /* it changed before the moment that was named */
            print_error("schedule %u: from %lld until %lld, not %lld\n", schedule, (long long)since,
                        (long long)at, (long long)said);
        assert_true(at >= said);
        assert_true(now != was); /* nor is it named for nothing here */
        was = now;
        since = at;
        said = schedule_next(m, schedule, at);
        assert_true(said > at);
    }
}

static const struct plan PLANS[] = {
    {"Europe/Brussels", 2, 1, {{0}}, {{0}}}, /* class hours, filled below */
    {"Europe/Brussels", 1, 0, {{0}}, {{0}}},
    {"America/New_York", 1, 1, {{0}}, {{0}}},
    {"Asia/Kathmandu", 2, 0, {{0}}, {{0}}},
    {"Europe/Brussels", 2, 1, {{0}}, {{0}}},
    {"UTC", 1, 0, {{0}}, {{0}}},
};
enum { N_PLANS = N_ELEMS(PLANS) };

static void fill(struct plan plans[N_PLANS])
{
    int32_t winter = tz_days(2026, 12, 21), exam = tz_days(2027, 3, 27);
    memcpy(plans, PLANS, sizeof PLANS);
    plans[0].slots[0] = weekly(WORK, 495, 720);
    plans[0].slots[1] = weekly(WORK, 780, 990);
    plans[0].except[0] = dated(winter, tz_days(2027, 1, 3), 0, 1440);
    plans[1].slots[0] =
        weekly(SAT | SUN, 1320, 180);            /* over midnight, the week's end and the clock's change */
    plans[2].slots[0] = weekly(DAILY, 120, 150); /* the hour that comes twice, or never */
    plans[2].except[0] = dated(exam, exam + 1, 60, 130);
    plans[3].slots[0] = weekly(TUE, 0, 1440);
    plans[3].slots[1] = dated(winter, winter + 5, 600, 601);
    plans[4].slots[0] = dated(exam, exam + 2, 0, 1440);
    plans[4].slots[1] = weekly(FRI | MON, 0, 60);
    plans[4].except[0] = dated(exam + 1, exam + 1, 150, 200); /* in the hour that is left out in 2027 */
    plans[5].slots[0] = weekly(DAILY, 0, 1440);
}

static void every_minute_is_as_the_clock_says(void **state)
{
    struct made *m = calloc(1, sizeof *m);
    struct plan plans[N_PLANS];
    (void)state;
    fill(plans);
    make(m, plans, N_PLANS);
    for (unsigned i = 0; i < N_PLANS; i++) {
        static const int from[][3] = {
            {2026, 12, 17}, {2027, 3, 12}, {2027, 3, 26}, {2027, 10, 29}, {2098, 10, 24}};
        go_to(plans[i].zone);
        for (unsigned k = 0; k < N_ELEMS(from); k++) {
            int64_t day = (int64_t)tz_days(from[k][0], from[k][1], from[k][2]) * 86400;
            check_minutes(&m->img, &plans[i], i, day, day + 5 * 86400);
        }
    }
    unmake(m);
    free(m);
}

static void moments_of_a_century(void **state)
{
    struct made *m = calloc(1, sizeof *m);
    struct plan plans[N_PLANS];
    uint64_t seed = 9;
    (void)state;
    fill(plans);
    make(m, plans, N_PLANS);
    for (unsigned i = 0; i < N_PLANS; i++) {
        go_to(plans[i].zone);
        for (unsigned k = 0; k < 20000; k++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            int64_t at = (int64_t)(seed >> 33) % (INT64_C(129) * 31556952) + 86400;
            check_at(&m->img, &plans[i], i, at);
            int64_t next = schedule_next(&m->img, i, at);
            assert_true(next > at);
            if (next != INT64_MAX)
                assert_int_equal(holds(&plans[i], next - 1), holds(&plans[i], at));
        }
    }
    unmake(m);
    free(m);
}

static void what_never_comes_again_never_changes(void **state)
{
    struct made *m = calloc(1, sizeof *m);
    struct plan past = {"UTC", 1, 0, {dated(0, 9, 0, 1440)}, {{0}}},
                always = {"UTC", 1, 0, {weekly(DAILY, 0, 1440)}, {{0}}};
    struct plan both[] = {past, always};
    (void)state;
    make(m, both, 2);
    assert_int_equal(schedule_next(&m->img, 0, 0), 10 * 86400);
    assert_true(schedule_active(&m->img, 0, 10 * 86400 - 1));
    assert_int_equal(schedule_next(&m->img, 0, 10 * 86400), INT64_MAX);
    assert_false(schedule_active(&m->img, 0, INT64_MAX));
    assert_false(schedule_active(&m->img, 0, INT64_MIN));
    assert_true(schedule_active(&m->img, 1, INT64_MAX));
    assert_true(schedule_active(&m->img, 1, INT64_MIN));
    assert_true(schedule_next(&m->img, 1, 0) >= SCHEDULE_TRIES * 43200);
    int64_t until;
    assert_int_equal(schedule_offset(&m->img, 0, 0, &until), 0);
    assert_int_equal(until, INT64_MAX);
    unmake(m);
    free(m);
}

static void offsets_change_at_their_second(void **state)
{
    struct made *m = calloc(1, sizeof *m);
    struct plan p = {"Europe/Brussels", 1, 0, {weekly(DAILY, 0, 1)}, {{0}}};
    int64_t until, spring = 1806195600; /* 2027-03-28 01:00 UTC */
    (void)state;
    make(m, &p, 1);
    assert_int_equal(schedule_offset(&m->img, 0, spring - 1, &until), 3600);
    assert_int_equal(until, spring);
    assert_int_equal(schedule_offset(&m->img, 0, spring, &until), 7200);
    assert_int_equal(until, 1824944400); /* 2027-10-31 01:00 UTC */
    unmake(m);
    free(m);
}

static void too_many_are_refused(void **state)
{
    static struct plan plans[LIM_POLICY_SCHEDULES + 1];
    static const char *const zones[] = {"Europe/Brussels", "Europe/Paris",  "Europe/Berlin", "Europe/Rome",
                                        "Europe/Madrid",   "Europe/Lisbon", "Europe/London", "Europe/Dublin",
                                        "Europe/Oslo",     "Europe/Vienna", "Europe/Warsaw", "Europe/Athens",
                                        "Europe/Sofia",    "Europe/Zurich", "Europe/Prague", "Europe/Malta",
                                        "Europe/Helsinki"};
    struct made *m = calloc(1, sizeof *m);
    (void)state;
    for (unsigned i = 0; i < N_ELEMS(plans); i++)
        plans[i] = (struct plan){"UTC", 1, 0, {weekly(MON, i, i + 1)}, {{0}}};
    assert_int_equal(try_make(m, plans, N_ELEMS(plans)), RC_LIMIT);
    unmake(m);
    assert_int_equal(try_make(m, plans, N_ELEMS(plans) - 1), RC_OK);
    unmake(m);
    for (unsigned i = 0; i < N_ELEMS(zones); i++)
        plans[i].zone = zones[i];
    assert_int_equal(N_ELEMS(zones), LIM_POLICY_TIME_ZONES + 1);
    assert_int_equal(try_make(m, plans, N_ELEMS(zones)), RC_LIMIT);
    unmake(m);
    assert_int_equal(try_make(m, plans, N_ELEMS(zones) - 1), RC_OK);
    unmake(m);
    plans[0].zone = "Europe/Nowhere";
    assert_int_equal(try_make(m, plans, 1), RC_NOTFOUND);
    unmake(m);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(offsets_change_at_their_second),
        cmocka_unit_test(what_never_comes_again_never_changes),
        cmocka_unit_test(every_minute_is_as_the_clock_says),
        cmocka_unit_test(moments_of_a_century),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
