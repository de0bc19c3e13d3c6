/* From facts to tokens: the numbers under which a policy part knows the values that a flow has in each
 * dimension. Made once per decision, however many tables are asked. */
#ifndef POLICY_TOKENS_H
#define POLICY_TOKENS_H

#include "gw/base/limits.h"
#include "policy/image.h"
#include "policy/schedule.h"

/* Room for all there can be: 127 labels of a name, segments of LIM_POLICY_PATH_BYTES, every schedule twice
 * (by week and by date), every group with `stale` once; runs: one an attribute, two a time zone. */
enum { TOKENS_OWN = 2 * LIM_POLICY_SCHEDULES + 16, TOKENS_RUNS = FACTS_MAX_ATTRS + 8 };
_Static_assert(LIM_POLICY_PATH_BYTES / 2 < (int)TOKENS_OWN && (int)FACTS_MAX_CATS < (int)TOKENS_OWN,
               "all tokens have room");
_Static_assert(LIM_POLICY_STALE_GROUPS + 2 <= (int)TOKENS_OWN, "groups and the user");
_Static_assert(2 * LIM_POLICY_TIME_ZONES < (int)TOKENS_RUNS, "two lists a time zone");

struct tokens {
    unsigned n_runs, n_own;
    uint64_t seen; /* img_seen() of all of them */
    struct {
        const uint32_t *v;
        uint32_t n;
    } run[TOKENS_RUNS];
    uint32_t own[TOKENS_OWN];
};

/* One decision at work. */
struct asking {
    const struct snapshot *snap;
    const struct image *m;
    const struct facts *f;
    uint32_t zone;          /* of the client: by its VPN, else as the facts say */
    uint32_t defect, event; /* tokens of DIM_DEFECT and DIM_EVENT */
    uint32_t made;          /* dimensions whose tokens are made */
    int64_t next;           /* first moment at which time alone may change what was asked so far */
    uint64_t schedule_made[(LIM_POLICY_SCHEDULES + 63) / 64]; /* schedules that were asked about: */
    struct schedule_state schedule[LIM_POLICY_SCHEDULES];
    struct tokens tok[DIM_N];
};

void asking_start(struct asking *a, const struct snapshot *snap, const struct facts *f);
static inline void asking_until(struct asking *a, int64_t t)
{
    if (t < a->next)
        a->next = t;
}
/* Dimension whose tokens this one has. */
static inline enum dim tokens_dim(enum dim d)
{
    return d < DIM_FROM2        ? d
           : d == DIM_FROM2     ? DIM_FROM
           : d == DIM_FOR2      ? DIM_FOR
           : d == DIM_CATEGORY2 ? DIM_CATEGORY
                                : DIM_DOMAIN;
}
const struct tokens *tokens_make(struct asking *a, enum dim d);
static inline const struct tokens *tokens_of(struct asking *a, enum dim d)
{
    d = tokens_dim(d);
    return a->made >> d & 1 ? &a->tok[d] : tokens_make(a, d);
}
/* Whether the schedule is active, and until when; remembered. */
const struct schedule_state *asking_schedule(struct asking *a, uint32_t schedule);

#endif
