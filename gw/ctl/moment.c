/* Moments on a command line; see moment.h. */
#include "gw/ctl/moment.h"

#include <stdio.h>
#include <time.h>

#include "gw/base/buf.h"

enum { SPAN_MOST = 100000 };

static bool from_now(span s, int64_t now_s, int64_t *out)
{
    static const struct {
        uint8_t unit;
        int64_t s;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t n;
    if (s.n < 2 || !span_to_u64(span_cut(s, 0, s.n - 1), SPAN_MOST, &n) || n == 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (s.p[s.n - 1] == units[i].unit) {
            *out = now_s + (int64_t)n * units[i].s;
            return true;
        }
    }
    return false;
}

bool moment_parse(const char *text, int64_t now_s, int64_t *out)
{
    struct tm tm = {.tm_isdst = -1}, given;
    if (from_now(span_str(text), now_s, out))
        return true;
    const char *rest = strptime(text, "%Y-%m-%d", &tm), *timed = rest;
    if (!rest)
        return false;
    if (*rest == '\0') {
        given = tm;
        tm.tm_mday++; /* its end is the next day's beginning */
    } else {
        rest = strptime(rest, " %H:%M", &tm);
        given = tm;
        if (!rest || *rest != '\0')
            return false;
    }
    struct tm day = given; /* mktime() takes 31 February for a day of March, and an hour that clocks jump over
                            * for another */
    day.tm_isdst = -1;
    tm.tm_isdst = -1;
    time_t at = mktime(&tm);
    if (mktime(&day) == (time_t)-1 || at == (time_t)-1 || day.tm_mday != given.tm_mday)
        return false;
    if (*timed && (day.tm_hour != given.tm_hour || day.tm_min != given.tm_min))
        return false;
    *out = at;
    return true;
}

void moment_text(int64_t s, char out[MOMENT_TEXT])
{
    time_t at = (time_t)s;
    struct tm tm;
    snprintf(out, MOMENT_TEXT, "-");
    if (localtime_r(&at, &tm))
        strftime(out, MOMENT_TEXT, "%F %H:%M:%S %Z", &tm);
}
