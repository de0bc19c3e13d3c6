/* Interns sets of members (small sorted lists of lists with flags, see catfmt.h) while a table is built: set
 * number
 * + member -> set number. */
#ifndef SIGNATURES_CATSET_H
#define SIGNATURES_CATSET_H

#include "gw/base/buf.h"
#include "gw/base/map.h"

enum { CATSET_MEMBERS = 4096 };

struct catset {
    struct map steps;    /* (set, member) -> set + 1 */
    struct map by_value; /* members -> set */
    uint16_t **members;  /* [set]: sorted */
    uint32_t *sizes;
    uint32_t n_sets, cap; /* 1..n_sets; 0 is the empty set */
    uint32_t last_set, last_member, last_result;
};

enum rc catset_init(struct catset *s) MUST_USE;
void catset_fini(struct catset *s);
/* Number of the set that has all of `set` and `member` too. LIMIT above CATFMT_SETS, or when
 * the set would hold more than CATSET_MEMBERS. */
enum rc catset_with(struct catset *s, uint16_t set, uint16_t member, uint16_t *out) MUST_USE;
static inline uint32_t catset_size(const struct catset *s, uint32_t set)
{
    return s->sizes[set];
}
static inline const uint16_t *catset_members(const struct catset *s, uint32_t set)
{
    return s->members[set];
}
uint32_t catset_total(const struct catset *s);

#endif
