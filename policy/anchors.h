/* The rules of an anchored table that can match, found by the values that were met instead of by bit sets.
 * Used by policy/match alone. */
#ifndef POLICY_ANCHORS_H
#define POLICY_ANCHORS_H

#include "policy/match.h"

/* Dimensions, as bits, whose facts are missing: such as may come, and such as will not. */
struct gaps {
    uint32_t open, dead;
};

enum { ANCHORS_MOST = 48, ANCHORS_MANY = ANCHORS_MOST + 1 };

/* Rules of which all that is known and is not about time is met, ascending; with `first` those at least that
 * stand before the first one which matches for certain, and this. Returns how many; ANCHORS_MANY: more than
 * there is room for. Only where no rule is anchored in an open dimension. */
unsigned anchors_find(const struct query *q, struct gaps gaps, bool first, uint32_t out[ANCHORS_MOST]);

#endif
