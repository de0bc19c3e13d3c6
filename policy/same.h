/* Whether rules, or whole policies as parsed, say the same in other words or another order. */
#ifndef POLICY_SAME_H
#define POLICY_SAME_H

#include "policy/tree.h"

/* Conditions alone; false also where there are too many of them to compare. */
bool same_conditions(const struct rule *a, const struct rule *b);
/* Everything but spacing, comments, places and the order of conditions and labels inside a rule. */
bool same_policy(struct tree *a, struct tree *b);

#endif
