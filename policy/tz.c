/* Time zones; see tz.h. A file has its changes up to some year, and a rule (POSIX TZ, the "footer") for all
 * years behind them: `CET-1CEST,M3.5.0,M10.5.0/3`. The rule is written out up to TZ_LAST_YEAR. */
#include "policy/tz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/array.h"
#include "gw/base/obj.h"

#define TZ_DIR "/usr/share/zoneinfo/"

enum { DAY_S = 86400, MOST_CHANGES = 8192, MOST_TYPES = 256, MOST_OFFSET_S = 26 * 3600 };

/* ---- the calendar ---- */

/* Years are counted from March, so that the leap day comes last. */
int32_t tz_days(int year, int month, int day)
{
    int y = month > 2 ? year : year - 1;
    int era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void tz_date(int32_t days, int *year, int *month, int *day)
{
    int32_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int32_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int32_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int days_of_month(int year, int month)
{
    return month == 12 ? 31 : (int)(tz_days(year, month + 1, 1) - tz_days(year, month, 1));
}

/* ---- the list of changes ---- */

static int64_t first_moment(void)
{
    return (int64_t)tz_days(TZ_FIRST_YEAR, 1, 1) * DAY_S;
}

/* In order of time. What lies before TZ_FIRST_YEAR only says how it begins. */
static enum rc add(struct tz *z, int64_t at, int32_t offset_s)
{
    if (z->n && at < first_moment()) {
        z->v[0].offset_s = offset_s;
        return RC_OK;
    }
    if (z->n && z->v[z->n - 1].at == at)
        return z->v[z->n - 1].offset_s = offset_s, RC_OK;
    if (z->n && z->v[z->n - 1].offset_s == offset_s)
        return RC_OK;
    if (z->n == MOST_CHANGES || (z->n && z->v[z->n - 1].at >= at))
        return RC_BAD;
    struct tz_change *v = array_room(z->v, z->n, &z->cap, 64, sizeof *v);
    if (!v)
        return RC_NOMEM;
    z->v = v;
    z->v[z->n] = (struct tz_change){z->n ? at : INT64_MIN, offset_s};
    z->n++;
    return RC_OK;
}

/* ---- the footer ---- */

struct text {
    span s;
    size_t at;
    bool bad;
};

static uint8_t peek(const struct text *t)
{
    return t->at < t->s.n ? t->s.p[t->at] : 0;
}

static bool take(struct text *t, uint8_t c)
{
    if (peek(t) != c)
        return false;
    t->at++;
    return true;
}

static int number(struct text *t, int most)
{
    int v = 0;
    size_t from = t->at;
    while (peek(t) >= '0' && peek(t) <= '9' && v <= most)
        v = v * 10 + (t->s.p[t->at++] - '0');
    t->bad = t->bad || t->at == from || v > most;
    return v;
}

/* "3", "-1", "02:30", "+5:45:10" in seconds. */
static int32_t clock_time(struct text *t, int most_hours)
{
    bool minus = take(t, '-');
    if (!minus)
        (void)take(t, '+');
    int32_t s = number(t, most_hours) * 3600;
    if (take(t, ':'))
        s += number(t, 59) * 60;
    if (take(t, ':'))
        s += number(t, 59);
    return minus ? -s : s;
}

/* An abbreviation: letters, or anything between angle brackets. */
static void skip_name(struct text *t)
{
    size_t from = t->at;
    if (take(t, '<')) {
        while (t->at < t->s.n && peek(t) != '>')
            t->at++;
        t->bad = t->bad || !take(t, '>');
        return;
    }
    while ((ascii_lower(peek(t)) >= 'a' && ascii_lower(peek(t)) <= 'z'))
        t->at++;
    t->bad = t->bad || t->at == from;
}

/* Mm.w.d: day d (0 Sunday) of week w (5: the last) of month m. Jn: day n of a year without a leap day. n: day
 * n from 0. */
struct year_day {
    enum { BY_WEEK, JULIAN, PLAIN } kind;
    int month, week, day;
    int32_t time_s;
};

static struct year_day year_day(struct text *t)
{
    struct year_day d = {.kind = PLAIN, .time_s = 7200};
    if (take(t, 'M')) {
        d.kind = BY_WEEK;
        d.month = number(t, 12);
        t->bad = t->bad || !take(t, '.');
        d.week = number(t, 5);
        t->bad = t->bad || !take(t, '.');
        d.day = number(t, 6);
        t->bad = t->bad || d.month == 0 || d.week == 0;
    } else {
        d.kind = take(t, 'J') ? JULIAN : PLAIN;
        d.day = number(t, 365);
        t->bad = t->bad || (d.kind == JULIAN && d.day == 0);
    }
    if (take(t, '/'))
        d.time_s = clock_time(t, 167);
    return d;
}

/* Local seconds of that day and time in a year. */
static int64_t in_year(const struct year_day *d, int year)
{
    int32_t days = tz_days(year, 1, 1);
    if (d->kind == PLAIN) {
        days += d->day;
    } else if (d->kind == JULIAN) {
        days += d->day - 1 + (d->day > 59 && days_of_month(year, 2) == 29);
    } else {
        int32_t first = tz_days(year, d->month, 1);
        int wanted = (d->day + 6) % 7, ahead = (wanted - tz_weekday(first) + 7) % 7;
        int day = ahead + (d->week - 1) * 7;
        days = first + (day >= days_of_month(year, d->month) ? day - 7 : day);
    }
    return (int64_t)days * DAY_S + d->time_s;
}

/* From behind `last`, the last change of the file, on. */
static enum rc write_out(struct tz *z, int64_t last, const int32_t offset[2], const struct year_day day[2])
{
    int year = TZ_FIRST_YEAR, month, dom;
    if (last > first_moment())
        tz_date((int32_t)(last / DAY_S), &year, &month, &dom);
    for (; year <= TZ_LAST_YEAR; year++) {
        int64_t at[2] = {in_year(&day[0], year) - offset[0], in_year(&day[1], year) - offset[1]};
        int first = at[0] > at[1];
        for (int i = 0; i < 2; i++) {
            int which = first ^ i; /* 0: to summer time, 1: back */
            if (at[which] > last)
                TRY(add(z, at[which], offset[!which]));
        }
    }
    return RC_OK;
}

static enum rc footer(struct tz *z, span rule, int64_t last)
{
    struct text t = {.s = rule};
    struct year_day day[2];
    if (rule.n == 0)
        return RC_OK;
    skip_name(&t);
    int32_t standard = -clock_time(&t, 24), offset[2] = {standard, standard + 3600};
    if (t.bad)
        return RC_BAD;
    if (t.at == t.s.n)
        return RC_OK;
    skip_name(&t);
    if (peek(&t) != ',' && t.at < t.s.n)
        offset[1] = -clock_time(&t, 24);
    t.bad = t.bad || !take(&t, ',');
    day[0] = year_day(&t);
    t.bad = t.bad || !take(&t, ',');
    day[1] = year_day(&t);
    if (t.bad || t.at != t.s.n)
        return RC_BAD;
    return write_out(z, last, offset, day);
}

/* ---- the file ---- */

struct header {
    uint8_t version;
    uint32_t is_ut, is_std, leaps, times, types, chars;
};

static bool header(struct rd *r, struct header *h)
{
    span magic = rd_bytes(r, 4);
    h->version = rd_u8(r);
    (void)rd_bytes(r, 15);
    h->is_ut = rd_u32(r);
    h->is_std = rd_u32(r);
    h->leaps = rd_u32(r);
    h->times = rd_u32(r);
    h->types = rd_u32(r);
    h->chars = rd_u32(r);
    return !r->bad && span_eq(magic, SPAN("TZif")) && h->times <= MOST_CHANGES && h->types >= 1 &&
           h->types <= MOST_TYPES && h->chars <= TZ_MOST_BYTES && h->leaps <= TZ_MOST_BYTES &&
           h->is_ut <= MOST_TYPES && h->is_std <= MOST_TYPES;
}

static void skip_data(struct rd *r, const struct header *h, size_t time_size)
{
    (void)rd_bytes(r, h->times * (time_size + 1) + (size_t)h->types * 6 + h->chars +
                          h->leaps * (time_size + 4) + h->is_std + h->is_ut);
}

/* The changes of the second, 64-bit block. */
static enum rc changes(struct rd *r, const struct header *h, struct tz *z, int64_t *last)
{
    struct rd times = rd_of(rd_bytes(r, (size_t)h->times * 8));
    struct rd index = rd_of(rd_bytes(r, h->times));
    int32_t offset[MOST_TYPES];
    for (uint32_t i = 0; i < h->types; i++) {
        offset[i] = (int32_t)rd_u32(r);
        (void)rd_u16(r);
        if (offset[i] < -MOST_OFFSET_S || offset[i] > MOST_OFFSET_S)
            return RC_BAD;
    }
    (void)rd_bytes(r, (size_t)h->chars + (size_t)h->leaps * 12 + h->is_std + h->is_ut);
    if (r->bad)
        return RC_BAD;
    TRY(add(z, INT64_MIN, offset[0]));
    for (uint32_t i = 0; i < h->times; i++) {
        int64_t at = *last = (int64_t)rd_u64(&times);
        uint8_t type = rd_u8(&index);
        if (type >= h->types)
            return RC_BAD;
        TRY(add(z, at, offset[type]));
    }
    return RC_OK;
}

enum rc tz_parse(span file, struct tz *out)
{
    struct rd r = rd_of(file);
    struct header h;
    int64_t last = INT64_MIN;
    *out = (struct tz){0};
    if (!header(&r, &h) || h.version < '2')
        return RC_BAD;
    skip_data(&r, &h, 4);
    if (!header(&r, &h))
        return RC_BAD;
    TRY(changes(&r, &h, out, &last));
    span rest = span_cut(file, r.at, file.n);
    if (rest.n < 2 || rest.p[0] != '\n' || rest.p[rest.n - 1] != '\n')
        return RC_BAD;
    return footer(out, span_cut(rest, 1, rest.n - 1), last);
}

/* ---- the database ---- */

static enum rc read_file(const char *path, struct buf *out)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return RC_NOTFOUND;
    for (;;) {
        TRY(buf_reserve(out, 4096));
        ssize_t n = read(fd, out->p + out->w, 4096);
        if (n <= 0)
            return n == 0 ? RC_OK : RC_BAD;
        out->w += (size_t)n;
    }
}

/* Letters, digits, `_`, `+`, `-` and `/` with a letter before and behind it: no way out of the folder. */
static bool is_zone_name(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = ascii_lower(s.p[i]);
        bool letter = c >= 'a' && c <= 'z';
        bool inner = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-' || c == '/';
        if (!letter && (!inner || i == 0 || (s.p[i - 1] == '/')))
            return false;
    }
    return s.n && s.n < 64 && s.p[s.n - 1] != '/';
}

enum rc tz_load(span name, struct tz *out)
{
    char path[sizeof TZ_DIR + 64];
    struct buf file;
    *out = (struct tz){0};
    if (!is_zone_name(name))
        return RC_NOTFOUND;
    snprintf(path, sizeof path, TZ_DIR "%.*s", (int)name.n, (const char *)name.p);
    buf_init(&file, (size_t)TZ_MOST_BYTES + 4096);
    enum rc rc = read_file(path, &file);
    if (rc == RC_OK)
        rc = tz_parse(buf_span(&file), out);
    buf_fini(&file);
    return rc;
}

void tz_fini(struct tz *z)
{
    free(z->v);
    *z = (struct tz){0};
}

void tz_names(void (*fn)(span name, void *arg), void *arg)
{
    struct buf file;
    buf_init(&file, 0);
    span rest = read_file(TZ_DIR "zone1970.tab", &file) == RC_OK ? buf_span(&file) : SPAN_NONE;
    while (rest.n) {
        size_t end = span_find(rest, '\n', 0);
        span line = span_cut(rest, 0, end);
        size_t tab = span_find(line, '\t', 0);
        tab = tab == SIZE_MAX ? tab : span_find(line, '\t', tab + 1);
        if (tab != SIZE_MAX && line.p[0] != '#')
            fn(span_cut(line, tab + 1, span_find(line, '\t', tab + 1)), arg);
        rest = span_cut(rest, end == SIZE_MAX ? rest.n : end + 1, rest.n);
    }
    buf_fini(&file);
}

/* ---- look-ups ---- */

/* Index of the change in force at a moment. */
static size_t in_force(const struct tz *z, int64_t utc_s)
{
    size_t lo = 0, hi = z->n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (z->v[mid].at <= utc_s)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

int32_t tz_offset(const struct tz *z, int64_t utc_s)
{
    return z->n ? z->v[in_force(z, utc_s)].offset_s : 0;
}

int64_t tz_utc(const struct tz *z, int64_t local_s)
{
    if (z->n == 0)
        return local_s;
    size_t i = in_force(z, local_s - MOST_OFFSET_S);
    for (; i + 1 < z->n && local_s - z->v[i].offset_s >= z->v[i + 1].at; i++)
        ;
    int64_t utc = local_s - z->v[i].offset_s;
    return utc < z->v[i].at ? z->v[i].at : utc;
}
