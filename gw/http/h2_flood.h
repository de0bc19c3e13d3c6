/* Limits on frames that move nothing: what costs their sender nothing must not cost us more (threats.md row
 * 77). Each kind has a bucket: so many at once, so many a second after that. Pure. */
#ifndef GW_HTTP_H2_FLOOD_H
#define GW_HTTP_H2_FLOOD_H

#include "gw/http/h2_head.h"

enum h2_bucket { H2B_RESETS, H2B_SETTINGS, H2B_PINGS, H2B_FRAMES, H2B_N };

struct h2_flood {
    int64_t since_ms[H2B_N]; /* 0: never used */
    uint32_t left[H2B_N];
};
/* One more; H2_NONE, or why the session has to end. */
enum h2_why h2_flood_take(struct h2_flood *f, enum h2_bucket b, int64_t now_ms);
/* Something useful moved: so many frames that move nothing may follow for free. */
void h2_flood_earn(struct h2_flood *f, uint32_t n);

#endif
