/* Moments as people write them on a command line. */
#ifndef GW_CTL_MOMENT_H
#define GW_CTL_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#define MOMENT_FORMS "a time is 2h, 30m or 5d from now, 2026-12-31 (its end), or \"2026-12-31 18:00\""

/* Local time of this machine; a date alone is the end of that day. */
bool moment_parse(const char *text, int64_t now_s, int64_t *out);
enum { MOMENT_TEXT = 40 };
/* "2026-12-31 18:00:00 CET", local time of this machine; "-": no such time. */
void moment_text(int64_t s, char out[MOMENT_TEXT]);

#endif
