/* Schedules in an open policy part: which of them a moment is in, and when that changes. Pure: time zones are
 * in the part, no clock and no file is read. A schedule is judged by the clock on the wall: an hour that
 * comes twice counts twice, one that is left out never comes. */
#ifndef POLICY_SCHEDULE_H
#define POLICY_SCHEDULE_H

#include "policy/image.h"

/* Seconds that local time is ahead at `t`, by a time zone's shifts; `until`: when that changes next
 * (INT64_MAX: never). */
int32_t schedule_shift(const struct image *m, struct img_run shifts, int64_t t, int64_t *until);
/* The same by the zone's number. */
int32_t schedule_offset(const struct image *m, uint32_t tzone, int64_t t, int64_t *until);
bool schedule_active(const struct image *m, uint32_t schedule, int64_t t);
/* A moment after `t` before which schedule_active() does not change: that of the next change, or an earlier
 * one when the next SCHEDULE_TRIES ends of slots and changes of the clock change nothing. INT64_MAX: never
 * again. */
enum { SCHEDULE_TRIES = 16 };
int64_t schedule_next(const struct image *m, uint32_t schedule, int64_t t);
/* Both at once, for less than the two cost. */
struct schedule_state {
    int64_t next;
    bool active;
};
struct schedule_state schedule_state(const struct image *m, uint32_t schedule, int64_t t);
/* Lists of the active schedules of one time zone, those that `except` takes away apart; indices into LISTS
 * or UINT32_MAX. One look-up each, however many schedules there are. */
struct schedule_lists {
    uint32_t weekly, dated, except;
};
struct schedule_lists schedule_lists(const struct image *m, uint32_t tzone, int64_t t);

#endif
