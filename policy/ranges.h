/* Intervals (networks, ports) -> a sorted list of ranges that is searched by halving. Where intervals
 * overlap, a range either has the value of the narrowest one, or the list of all that cover it. */
#ifndef POLICY_RANGES_H
#define POLICY_RANGES_H

#include "policy/part.h"

struct interval {
    unsigned __int128 lo, hi; /* inclusive */
    uint32_t id;
};

struct intervals {
    struct interval *v;
    size_t n, cap;
};

void intervals_fini(struct intervals *iv);
enum rc intervals_add(struct intervals *iv, unsigned __int128 lo, unsigned __int128 hi, uint32_t id) MUST_USE;
enum rc intervals_add_prefix(struct intervals *iv, const struct prefix *p, uint32_t id) MUST_USE;
/* The address as a key; IPv4 in the low 32 bits. */
unsigned __int128 interval_key(const struct addr *a);
enum range_value { RANGE_NARROWEST, RANGE_ALL };
enum rc ranges_emit(struct part *p, struct intervals *iv, enum range_value how, struct img_run *out) MUST_USE;

#endif
