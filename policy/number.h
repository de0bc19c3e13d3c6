/* The rules of a tree by the number that decide() knows them by. */
#ifndef POLICY_NUMBER_H
#define POLICY_NUMBER_H

#include "policy/tree.h"

/* Calls `each` in written order for every rule that is in a table of what was built from this tree. */
void number_rules(const struct tree *t, const struct snapshot *snap,
                  void (*each)(void *arg, uint32_t number, struct rule *r), void *arg);

#endif
