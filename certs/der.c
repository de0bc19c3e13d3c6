/* DER from back to front; see der.h. */
#include "certs/der.h"

void der_put(struct der *d, span s)
{
    if (d->full || s.n > d->at) {
        d->full = true;
        return;
    }
    d->at -= s.n;
    if (s.n)
        memcpy(d->p + d->at, s.p, s.n);
}

void der_put_u8(struct der *d, uint8_t v)
{
    der_put(d, span_of(&v, 1));
}

void der_wrap(struct der *d, uint8_t tag, size_t mark)
{
    size_t n = mark - d->at;
    if (n < 0x80) {
        der_put_u8(d, (uint8_t)n);
    } else {
        uint8_t long_bytes = 0;
        for (; n; n >>= 8, long_bytes++)
            der_put_u8(d, (uint8_t)n);
        der_put_u8(d, 0x80 | long_bytes);
    }
    der_put_u8(d, tag);
}

void der_elem(struct der *d, uint8_t tag, span value)
{
    size_t mark = der_mark(d);
    der_put(d, value);
    der_wrap(d, tag, mark);
}

/* Days to a civil date, proleptic Gregorian (the era arithmetic of H. Hinnant's "chrono-compatible low-level
 * date algorithms"): 146097 days are 400 years. */
struct der_date der_date_of(int64_t utc_s)
{
    int64_t days = utc_s / 86400, rest = utc_s % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct der_date t;
    t.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    t.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    t.year = (int)(yoe + era * 400 + (t.month <= 2));
    t.hour = (int)(rest / 3600);
    t.min = (int)(rest / 60 % 60);
    t.sec = (int)(rest % 60);
    return t;
}

static uint8_t *two_digits(uint8_t *p, int v)
{
    *p++ = (uint8_t)('0' + v / 10 % 10);
    *p++ = (uint8_t)('0' + v % 10);
    return p;
}

void der_time(struct der *d, int64_t utc_s)
{
    struct der_date t = der_date_of(utc_s);
    uint8_t text[16], *p = text;
    bool utc = t.year < 2050;
    if (t.year < 1950 || t.year > 9999) {
        d->full = true;
        return;
    }
    if (!utc)
        p = two_digits(p, t.year / 100);
    p = two_digits(p, t.year);
    p = two_digits(p, t.month);
    p = two_digits(p, t.day);
    p = two_digits(p, t.hour);
    p = two_digits(p, t.min);
    p = two_digits(p, t.sec);
    *p++ = 'Z';
    der_elem(d, utc ? DER_UTCTIME : DER_GENTIME, span_of(text, (size_t)(p - text)));
}

span der_done(const struct der *d)
{
    return d->full ? SPAN_NONE : span_of(d->p + d->at, d->cap - d->at);
}

static int number(span s, size_t at, size_t n)
{
    uint64_t v;
    return span_to_u64(span_cut(s, at, at + n), 9999, &v) ? (int)v : -1;
}

static bool date_exists(const struct der_date *t)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (t->year < 0 || t->month < 1 || t->month > 12)
        return false;
    bool leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;
    int last = days[t->month - 1] + (t->month == 2 && leap);
    return t->day >= 1 && t->day <= last && t->hour >= 0 && t->hour < 24 && t->min >= 0 && t->min < 60 &&
           t->sec >= 0 && t->sec < 60;
}

/* The inverse of der_date_of, by the same author. */
static int64_t days_of(const struct der_date *t)
{
    int64_t y = t->year - (t->month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (t->month + (t->month > 2 ? -3 : 9)) + 2) / 5 + t->day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t der_time_read(uint8_t tag, span s)
{
    size_t y = tag == DER_GENTIME ? 4 : 2;
    if ((tag != DER_GENTIME && tag != DER_UTCTIME) || s.n != y + 11 || s.p[s.n - 1] != 'Z')
        return INT64_MIN;
    struct der_date t = {.year = number(s, 0, y)};
    t.month = number(s, y, 2);
    t.day = number(s, y + 2, 2);
    t.hour = number(s, y + 4, 2);
    t.min = number(s, y + 6, 2);
    t.sec = number(s, y + 8, 2);
    if (y == 2 && t.year >= 0)
        t.year += t.year < 50 ? 2000 : 1900;
    if (!date_exists(&t))
        return INT64_MIN;
    return days_of(&t) * 86400 + t.hour * 3600 + t.min * 60 + t.sec;
}
