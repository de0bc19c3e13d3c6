/* Sets of class numbers as sorted, disjoint, half-open ranges. They are made in an arena and never changed
 * afterwards, so that they can be shared. NULL stands for "no memory". */
#ifndef POLICY_ISET_H
#define POLICY_ISET_H

#include <stdbool.h>
#include <stdint.h>

#include "gw/base/arena.h"

struct irange {
    uint32_t lo, hi;
};
struct iset {
    uint32_t n;
    struct irange v[];
};

const struct iset *iset_range(struct arena *mem, uint32_t lo, uint32_t hi);
/* Of n numbers in any order, which are sorted in place. */
const struct iset *iset_of(struct arena *mem, uint32_t *v, uint32_t n);
const struct iset *iset_and(struct arena *mem, const struct iset *a, const struct iset *b);
const struct iset *iset_or(struct arena *mem, const struct iset *a, const struct iset *b);
const struct iset *iset_minus(struct arena *mem, const struct iset *a, const struct iset *b);
bool iset_has(const struct iset *s, uint32_t x);
/* What b is to a: bit 0: some of a is in b; bit 1: some of a is not. */
enum { ISET_IN = 1, ISET_OUT = 2 };
unsigned iset_meet(const struct iset *a, const struct iset *b);

#endif
