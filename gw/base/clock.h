/* Two clocks. The monotonic one drives every timer; the wall clock is only ever a fact (policy, certificates,
 * logs). A scripted wall clock (`perrond --clock 2026-11-24T10:00:00Z`) starts at the given moment and runs
 * on from there, so that a demonstration or a test gives the same verdicts on any day. */
#ifndef GW_BASE_CLOCK_H
#define GW_BASE_CLOCK_H

#include <stdint.h>

#include "gw/base/buf.h"

int64_t clock_mono_us(void);
int64_t clock_mono_ns(void);
static inline int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}
/* Microseconds, milliseconds, seconds since 1970 UTC, moved by the offset. */
int64_t clock_wall_us(void);
static inline int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}
static inline int64_t clock_wall_s(void)
{
    return clock_wall_us() / 1000000;
}
/* Moves the wall clock of this process by offset_us from now on; 0 is the real one. */
void clock_set_offset(int64_t offset_us);
int64_t clock_offset(void);
/* Reads YYYY-MM-DDTHH:MM:SSZ (UTC). */
enum rc clock_parse(span text, int64_t *wall_s) MUST_USE;

#endif
