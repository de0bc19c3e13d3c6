/* Changes of a rule that no flow can tell, by proof: what policy/reach says of the rule, and what its table
 * does where no rule matches. For policy/trial alone. */
#ifndef POLICY_TRIAL_EQUAL_H
#define POLICY_TRIAL_EQUAL_H

#include "policy/reach.h"
#include "policy/tree.h"
#include "policy/trial.h"

/* What is proven of one rule. */
struct trial_proof {
    bool never;  /* it decides nothing */
    bool before; /* ... and that is so by itself or by rules before it, whatever its own verb is */
    bool tail;   /* its table would do the same without it, and without all rules behind it */
};

/* Of every rule, by number. False without memory. */
bool trial_prove(const struct tree *t, const struct snapshot *snap, int64_t now,
                 struct trial_proof *out) MUST_USE;
/* Whether the change is one that no flow can tell; DROP of a rule that never decides: whether it is when the
 * changed rule never decides either (`again`). */
bool trial_equal(const struct snapshot *snap, const struct trial_proof *p, const struct trial_mutant *m,
                 bool *again);

#endif
