/* What a policy's own expectations are worth: which rules none of them touches, and which changes of the
 * policy none of them would notice. */
#ifndef POLICY_TRIAL_H
#define POLICY_TRIAL_H

#include "policy/tree.h"

struct trial_count {
    uint32_t n, good; /* rules, and those touched; changes, and those noticed */
    uint32_t unseen;  /* rules that no expectation can be about: `on`, `dns`, `set`, `log`, ... */
    uint32_t equal;   /* changes that no flow can tell, by proof: they do not count */
};

/* Calls `untouched` for each rule that no expectation comes to: that neither decides at any step nor adds to
 * what is decided. False without memory. */
bool trial_coverage(struct tree *t, const struct snapshot *snap, int64_t now,
                    void (*untouched)(void *arg, const struct rule *r), void *arg,
                    struct trial_count *out) MUST_USE;

enum trial_change {
    TRIAL_DELETE, /* the rule is left out */
    TRIAL_FLIP, /* allow for block, block, forbid or warn for allow, exempt for inspect, inspect for exempt */
    TRIAL_DROP  /* one condition or exception is left out */
};
struct trial_mutant {
    const struct rule *rule;
    enum trial_change change;
    const struct cond *cond; /* TRIAL_DROP */
    enum verb was, verb;     /* TRIAL_FLIP: what it was changed from and to */
    bool equal;              /* no flow can tell it, by proof: it is no survivor, and only told */
};
/* Changes each rule in turn, builds the policy anew in memory, and calls `survivor` for each change with
 * which every expectation comes out as before, `equal` ones too. The tree is as it was afterwards. NOMEM,
 * LIMIT. */
enum rc trial_mutate(struct tree *t, const struct snapshot *snap, int64_t now,
                     void (*survivor)(void *arg, const struct trial_mutant *m), void *arg,
                     void (*progress)(const char *what, unsigned long done, unsigned long total),
                     struct trial_count *out) MUST_USE;

#endif
