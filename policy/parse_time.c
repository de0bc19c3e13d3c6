/* Times: durations, dates, schedules, the time zone. See parser.h. Moments are local here: seconds that a
 * clock on the wall shows; the checker turns them into UTC once it knows the zone. */
#include "policy/parser.h"

#include "gw/base/obj.h"
#include "policy/tz.h"

enum { DAY_S = 86400, DAY_MIN = 1440, FIRST_YEAR = 2000, LAST_YEAR = 2099 };

/* ---- durations, dates, times of day ---- */

bool p_duration(struct parser *p, uint32_t *out)
{
    static const struct {
        uint8_t unit;
        uint32_t s;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', DAY_S}, {'w', 7 * DAY_S}};
    span w = p->lx.word.text;
    uint64_t n;
    for (size_t i = 0; p->lx.tok == TOK_WORD && w.n && i < N_ELEMS(units); i++) {
        if (w.p[w.n - 1] != units[i].unit || !span_to_u64(span_cut(w, 0, w.n - 1), 366 * DAY_S, &n))
            continue;
        if (n == 0 || n * units[i].s > 366u * DAY_S)
            break;
        *out = (uint32_t)(n * units[i].s);
        lex_next(&p->lx);
        return true;
    }
    return p_expected(p, "a duration such as `30m`, `8h`, `2d` or `1w` (a year at most)");
}

static bool two(span s, size_t at, unsigned most, int *out)
{
    uint64_t v;
    if (!span_to_u64(span_cut(s, at, at + 2), most, &v))
        return false;
    *out = (int)v;
    return true;
}

/* 2026-11-24 in days. */
static bool date_of(span s, int32_t *days)
{
    uint64_t year;
    int month, day, back[3];
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !span_to_u64(span_cut(s, 0, 4), LAST_YEAR, &year) ||
        year < FIRST_YEAR || !two(s, 5, 12, &month) || !two(s, 8, 31, &day))
        return false;
    *days = tz_days((int)year, month, day);
    tz_date(*days, &back[0], &back[1], &back[2]);
    return back[1] == month && back[2] == day;
}

/* 08:15 in minutes; 24:00 too. */
static bool minutes_of(span s, uint16_t *out)
{
    int hour, minute;
    if (s.n != 5 || s.p[2] != ':' || !two(s, 0, 24, &hour) || !two(s, 3, 59, &minute))
        return false;
    *out = (uint16_t)(hour * 60 + minute);
    return *out <= DAY_MIN;
}

static bool looks_like_time(const struct parser *p)
{
    span s = p->lx.word.text;
    return p->lx.tok == TOK_WORD && s.n && s.p[0] >= '0' && s.p[0] <= '9' && span_find(s, ':', 0) != SIZE_MAX;
}

static bool wrong_date(struct parser *p, const char *hint)
{
    if (p->lx.tok != TOK_WORD)
        return p_expected(p, "a date such as 2027-06-30");
    diag_error(p->d, p->lx.word.pos, hint, "`%.*s` is not a date (2000-01-01 to 2099-12-31)",
               SHOW(p->lx.word.text));
    return false;
}

static bool wrong_time(struct parser *p)
{
    diag_error(p->d, p->lx.word.pos, "write it as 08:15", "`%.*s` is not a time of day",
               SHOW(p->lx.word.text));
    return false;
}

bool p_date(struct parser *p, bool end, int64_t *local_s)
{
    int32_t days;
    uint16_t minutes;
    if (p->lx.tok != TOK_WORD || !date_of(p->lx.word.text, &days))
        return wrong_date(p, "write it as 2027-06-30, or with a time: 2027-06-30 18:00");
    lex_next(&p->lx);
    *local_s = (int64_t)(days + end) * DAY_S;
    if (!looks_like_time(p))
        return true;
    if (!minutes_of(p->lx.word.text, &minutes))
        return wrong_time(p);
    *local_s = (int64_t)days * DAY_S + minutes * 60;
    lex_next(&p->lx);
    return true;
}

bool p_moment(struct parser *p, int64_t *local_s)
{
    int32_t days;
    uint16_t minutes;
    if (p->lx.tok != TOK_WORD || !date_of(p->lx.word.text, &days))
        return wrong_date(p, "write it as 2026-11-24 10:00");
    lex_next(&p->lx);
    if (!looks_like_time(p))
        return p_expected(p, "a time such as 10:00");
    if (!minutes_of(p->lx.word.text, &minutes))
        return wrong_time(p);
    *local_s = (int64_t)days * DAY_S + minutes * 60;
    lex_next(&p->lx);
    return true;
}

/* ---- schedules ---- */

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool day_of(span s, unsigned *out)
{
    for (*out = 0; *out < N_ELEMS(day_names); ++*out) {
        if (span_eq(s, span_str(day_names[*out])))
            return true;
    }
    return false;
}

/* "mon-fri", "sat-mon", "sun" as a set of days. */
static bool days_of(span s, uint8_t *out)
{
    unsigned from, to;
    size_t dash = span_find(s, '-', 0);
    if (!day_of(span_cut(s, 0, dash), &from) ||
        !day_of(dash == SIZE_MAX ? s : span_cut(s, dash + 1, s.n), &to))
        return false;
    for (;; from = (from + 1) % 7) {
        *out |= (uint8_t)(1u << from);
        if (from == to)
            return true;
    }
}

/* "2026-12-21..2027-01-03" or one date. */
static bool dates_of(span s, int32_t *first, int32_t *last)
{
    size_t dots = span_find(s, '.', 0);
    if (dots == SIZE_MAX)
        return date_of(s, first) && date_of(s, last);
    return span_eq(span_cut(s, dots, dots + 2), SPAN("..")) && date_of(span_cut(s, 0, dots), first) &&
           date_of(span_cut(s, dots + 2, s.n), last) && *first <= *last;
}

/* Which days a slot is about: `days`, or `first` to `last`. One or more, joined by commas. */
static bool slot_days(struct parser *p, struct slot *out, size_t most, size_t *n)
{
    *n = 0;
    do {
        struct slot s = {0};
        span w = p->lx.word.text;
        if (p->lx.tok != TOK_WORD || (!days_of(w, &s.days) && !dates_of(w, &s.first, &s.last))) {
            struct suggest near = suggest_for(w);
            for (size_t i = 0; i < N_ELEMS(day_names); i++)
                suggest_add(&near, span_str(day_names[i]));
            if (looks_like_time(p))
                return p_expected(p, "days or dates before the hours");
            if (p->lx.tok == TOK_WORD && w.n && w.p[0] >= '0' && w.p[0] <= '9')
                return wrong_date(p, "write 2026-12-24, or 2026-12-21..2027-01-03");
            return p_unknown(p, "days such as `mon-fri`, or a date", &near);
        }
        if (*n == most) {
            diag_error(p->d, p->lx.word.pos, "write a second schedule; `during a, b` joins them",
                       "more than %zu days or dates in a row", most);
            return false;
        }
        out[(*n)++] = s;
        lex_next(&p->lx);
    } while (p_take_comma(p));
    return true;
}

static bool slot_add(struct parser *p, struct slot proto, uint16_t from, uint16_t to, struct slot ***last)
{
    struct slot *s;
    if (!p_new(p, sizeof *s, &s))
        return false;
    *s = proto;
    s->from_min = from;
    s->to_min = to;
    **last = s;
    *last = &s->next;
    return true;
}

/* 08:15-12:00. `22:00-06:00` ends on the next day: a dated one becomes two. */
static bool slot_hours(struct parser *p, const struct slot *days, size_t n, struct slot ***last)
{
    span w = p->lx.word.text;
    uint16_t from, to;
    size_t dash = span_find(w, '-', 0);
    if (dash == SIZE_MAX || !minutes_of(span_cut(w, 0, dash), &from) ||
        !minutes_of(span_cut(w, dash + 1, w.n), &to) || from == DAY_MIN) {
        diag_error(p->d, p->lx.word.pos, "write them as 08:15-12:00; 22:00-06:00 ends on the next day",
                   "`%.*s` are not hours", SHOW(w));
        return false;
    }
    if (from == to) {
        diag_error(p->d, p->lx.word.pos, "a whole day is 00:00-24:00", "these hours end where they begin");
        return false;
    }
    lex_next(&p->lx);
    to = to ? to : DAY_MIN;
    for (size_t i = 0; i < n; i++) {
        bool dated = days[i].days == 0, over = to < from;
        struct slot next = days[i];
        next.first++, next.last++;
        if (!slot_add(p, days[i], from, dated && over ? DAY_MIN : to, last))
            return false;
        if (dated && over && !slot_add(p, next, 0, to, last))
            return false;
    }
    return true;
}

/* Days with their hours; without hours the whole day. */
static bool slot_line(struct parser *p, struct slot ***last)
{
    struct slot days[16];
    size_t n;
    if (!slot_days(p, days, N_ELEMS(days), &n))
        return false;
    if (!looks_like_time(p)) {
        for (size_t i = 0; i < n; i++) {
            if (!slot_add(p, days[i], 0, DAY_MIN, last))
                return false;
        }
        return true;
    }
    while (looks_like_time(p)) {
        if (!slot_hours(p, days, n, last))
            return false;
    }
    return true;
}

static bool slot_except(struct parser *p, struct slot ***last)
{
    do {
        struct slot s = {0};
        if (p->lx.tok != TOK_WORD || !dates_of(p->lx.word.text, &s.first, &s.last))
            return wrong_date(p, "write 2026-12-24, or 2026-12-21..2027-01-03");
        lex_next(&p->lx);
        if (!slot_add(p, s, 0, DAY_MIN, last))
            return false;
    } while (p_take_comma(p));
    return true;
}

bool p_schedule(struct parser *p, struct pos at)
{
    struct schedule_decl *s;
    (void)at;
    if (!p_new(p, sizeof *s, &s) || !p_word(p, "a name", &s->name))
        return false;
    P_APPEND(p->t->schedules, s);
    struct slot **slots = &s->slots, **except = &s->except;
    do {
        if (p_take(p, "except")) {
            if (!slot_except(p, &except))
                return false;
        } else if (p_at(p, "zone")) {
            if (s->zone.text.n)
                return p_expected(p, "the end of the line: `zone` was given");
            lex_next(&p->lx);
            if (!p_string(p, "a time zone", &s->zone))
                return false;
        } else if (!slot_line(p, &slots)) {
            return false;
        }
    } while (!p_at_end(p));
    return true;
}

bool p_time_zone(struct parser *p, struct pos at)
{
    return p_once(p, &p->t->set.once_time_zone, at) && p_string(p, "a time zone", &p->t->set.time_zone);
}
