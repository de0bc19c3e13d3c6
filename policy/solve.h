/* Is there a value for every variable with which all of these formulas come out as wanted? Variables range
 * over class numbers; a formula is "variable is in set", AND, OR, NOT. The answer is exact: YES leaves
 * domains from which any choice will do, NO is a proof; what takes more than `budget` steps is left
 * UNSETTLED. */
#ifndef POLICY_SOLVE_H
#define POLICY_SOLVE_H

#include "policy/iset.h"

struct formula {
    enum { F_IN, F_AND, F_OR, F_NOT } kind;
    uint32_t var, n; /* F_IN: its variable; else: how many parts (F_NOT: one) */
    union {
        const struct iset *set;
        const struct formula **part;
    };
    struct cover *more; /* F_OR: its formulas from .. to-1 are parts too, behind the others; may be NULL */
    uint32_t from, to;
};

/* One formula and how it has to come out. */
struct goal {
    const struct formula *f;
    bool want;
    struct goal *next;
};

enum sat { SAT_NO, SAT_YES, SAT_UNSETTLED };

struct solver {
    struct arena *mem; /* for sets and goals made on the way */
    const struct iset **dom;
    uint32_t n_vars;
    uint64_t budget; /* steps left */
    struct undo *undo;
};

/* What is known of a formula: true, false, or either. */
enum truth { T_FALSE, T_TRUE, T_EITHER };
enum truth solve_eval(struct solver *s, const struct formula *f);
/* `goals` is borrowed; dom holds the domains to begin with, and after YES those that remain. */
enum sat solve(struct solver *s, const struct goal *goals) MUST_USE;

#endif
