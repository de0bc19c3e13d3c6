/* Clocks; see clock.h. */
#include "gw/base/clock.h"

#include <time.h>

static int64_t clock_moved_us;

static int64_t now_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_wall_us(void)
{
    return now_us(CLOCK_REALTIME) + clock_moved_us;
}

void clock_set_offset(int64_t offset_us)
{
    clock_moved_us = offset_us;
}

int64_t clock_offset(void)
{
    return clock_moved_us;
}

static bool field(span text, size_t at, size_t n, unsigned min, unsigned max, int *out)
{
    uint64_t v;
    if (!span_to_u64(span_cut(text, at, at + n), max, &v) || v < min)
        return false;
    *out = (int)v;
    return true;
}

enum rc clock_parse(span text, int64_t *wall_s)
{
    struct tm tm = {0}, again;
    int year, month;
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    if (text.n != sizeof shape - 1)
        return RC_BAD;
    for (size_t i = 0; i < text.n; i++) {
        if (shape[i] != 'd' && text.p[i] != (uint8_t)shape[i])
            return RC_BAD;
    }
    if (!field(text, 0, 4, 1970, 9999, &year) || !field(text, 5, 2, 1, 12, &month) ||
        !field(text, 8, 2, 1, 31, &tm.tm_mday) || !field(text, 11, 2, 0, 23, &tm.tm_hour) ||
        !field(text, 14, 2, 0, 59, &tm.tm_min) || !field(text, 17, 2, 0, 59, &tm.tm_sec))
        return RC_BAD;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    time_t t = timegm(&tm);
    if (!gmtime_r(&t, &again) || again.tm_mon != month - 1)
        return RC_BAD; /* the 31st of a month of 30 days */
    *wall_s = (int64_t)t;
    return RC_OK;
}
