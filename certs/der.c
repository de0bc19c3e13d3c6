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
    uint8_t long_bytes = 0;
    if (n < 0x80) {
        der_put_u8(d, (uint8_t)n);
    } else {
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
