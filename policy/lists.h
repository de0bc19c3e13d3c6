/* The lists that the categories of a policy name -> the two list parts. The parts know lists, not categories:
 * a list that two categories name is in them once, and a change of rules, or of what a category says by name,
 * leaves them as they are. */
#ifndef POLICY_LISTS_H
#define POLICY_LISTS_H

#include "policy/compile.h"
#include "policy/diag.h"

struct policy_lists {
    int hot, text; /* sealed; the caller closes them */
    bool same;     /* duplicates of those in force, which are still right */
    bool kept;     /* built, but the file of one or more cannot be used: these are as they were */
    bool fits;     /* those in force are made of lists of the same names: they could stay for all of these */
};

/* Numbers the lists in the tree (category_source.list, tree.n_lists) and makes the parts. `before`: hot and
 * text part in force (borrowed), or NULL. CONFIG after an error was shown. */
enum rc policy_lists(struct diag *d, const struct compile_opts *opts, const int before[2],
                     struct policy_lists *out) MUST_USE;

#endif
