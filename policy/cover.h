/* A list of formulas in which those that may hold are found without a look at each: every formula stands
 * under the classes of a variable that it cannot do without, so that narrow domains leave few to look at.
 * Pure. */
#ifndef POLICY_COVER_H
#define POLICY_COVER_H

#include "policy/solve.h"

struct cover {
    const struct formula *const *f;
    uint32_t n;
    struct axis *axes; /* a variable each */
    uint32_t n_axes;
    const uint32_t *rest; /* formulas that stand under none, in order */
    uint32_t n_rest;
    uint32_t *found; /* room for an answer */
};

/* Of f[0] to f[n-1]; these are borrowed, as is dom: the domains to begin with. Those that are asked about
 * later have to lie within them and may not be empty. NULL without memory. */
struct cover *cover_make(struct arena *mem, const struct formula *const *f, uint32_t n,
                         const struct iset *const *dom);

/* Numbers of formulas in ascending order; gone with the next question to the same cover. */
struct picked {
    const uint32_t *v; /* NULL: all from `from` on */
    uint32_t from, n;
};
static inline uint32_t picked_at(const struct picked *p, uint32_t i)
{
    return p->v ? p->v[i] : p->from + i;
}

/* Of the formulas from .. to-1 all that are not false in these domains, and hardly any others. */
struct picked cover_may(struct cover *c, const struct iset *const *dom, uint32_t from, uint32_t to);
/* The same of those that are true whatever is chosen. */
struct picked cover_sure(struct cover *c, const struct iset *const *dom, uint32_t from, uint32_t to);
/* The same of those that are true of one choice: a class of each variable. */
struct picked cover_of(struct cover *c, const uint32_t *choice, uint32_t from, uint32_t to);

#endif
