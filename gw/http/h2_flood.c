/* Buckets; see h2_flood.h. */
#include "gw/http/h2_flood.h"

/* Browsers take back a page's requests together when their user goes away, gRPC pings once a round trip, and
 * some clients open windows with each piece of content: all of that stays far below. */
static const struct {
    uint32_t most, per_s;
    enum h2_why why;
} buckets[H2B_N] = {
    [H2B_RESETS] = {LIM_H2_RESETS, LIM_H2_RESETS / 8, H2_RESETS},
    [H2B_SETTINGS] = {32, 1, H2_SETTINGS},
    [H2B_PINGS] = {LIM_H2_PINGS, LIM_H2_PINGS / 8, H2_PINGS},
    [H2B_FRAMES] = {LIM_H2_FRAMES, LIM_H2_FRAMES / 8, H2_FRAMES},
};

static void refill(struct h2_flood *f, enum h2_bucket b, int64_t now_ms)
{
    uint32_t most = buckets[b].most;
    if (f->since_ms[b] == 0) {
        f->left[b] = most;
        f->since_ms[b] = now_ms;
        return;
    }
    int64_t passed = now_ms - f->since_ms[b], more = passed / 1000 * buckets[b].per_s;
    if (passed < 1000)
        return;
    f->since_ms[b] += passed / 1000 * 1000;
    if (more > most)
        more = most;
    if (f->left[b] < most)
        f->left[b] = f->left[b] + (uint32_t)more < most ? f->left[b] + (uint32_t)more : most;
}

enum h2_why h2_flood_take(struct h2_flood *f, enum h2_bucket b, int64_t now_ms)
{
    refill(f, b, now_ms);
    if (f->left[b] == 0)
        return buckets[b].why;
    f->left[b]--;
    return H2_NONE;
}

void h2_flood_earn(struct h2_flood *f, uint32_t n)
{
    uint32_t most = 16 * buckets[H2B_FRAMES].most;
    if (f->since_ms[H2B_FRAMES] != 0 && f->left[H2B_FRAMES] + n <= most)
        f->left[H2B_FRAMES] += n;
}
