/* Time zones of the system's tz database (RFC 8536 files under /usr/share/zoneinfo), as a list of changes of
 * the offset from UTC. Read at compile time alone: what decide() needs of it is copied into the policy part.
 *
 * "Local seconds" are what a clock on the wall shows, counted as if it showed UTC. */
#ifndef POLICY_TZ_H
#define POLICY_TZ_H

#include "gw/base/buf.h"

enum { TZ_FIRST_YEAR = 1970, TZ_LAST_YEAR = 2100, TZ_MOST_BYTES = 65536 };

/* From this UTC second on local time is UTC + offset_s. */
struct tz_change {
    int64_t at;
    int32_t offset_s;
};

/* Changes in order; the first one's `at` is INT64_MIN. Covers TZ_FIRST_YEAR to TZ_LAST_YEAR. Zero-initialised
 * is valid and stands for UTC. */
struct tz {
    struct tz_change *v;
    size_t n, cap;
};

/* Reads a zone by name ("Europe/Brussels"). NOTFOUND: there is none, or no tz database; BAD: the file makes
 * no sense. tz_fini frees, also after an error. */
enum rc tz_load(span name, struct tz *out) MUST_USE;
/* The same from the bytes of a file. */
enum rc tz_parse(span file, struct tz *out) MUST_USE;
void tz_fini(struct tz *z);

/* Offset at a moment. */
int32_t tz_offset(const struct tz *z, int64_t utc_s);
/* The moment at which clocks show this. Shown twice (clocks go back): the first one. Never shown (clocks go
 * forward): the moment of the jump. */
int64_t tz_utc(const struct tz *z, int64_t local_s);

/* Calls fn for each name of the database, for "did you mean". */
void tz_names(void (*fn)(span name, void *arg), void *arg);

/* Days since 1970-01-01 of a date, and back. Month 1 to 12, day 1 to 31. */
int32_t tz_days(int year, int month, int day);
void tz_date(int32_t days, int *year, int *month, int *day);
/* 0 Monday to 6 Sunday. */
static inline int tz_weekday(int32_t days)
{
    return (int)(((int64_t)days % 7 + 10) % 7);
}

#endif
