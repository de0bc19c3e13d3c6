/* What decide() considered at one step, rule by rule, for people: the same tables in the same order, each
 * rule with what its conditions say. Slow and pure. The verdict itself is decide()'s alone; this lists the
 * way there. */
#ifndef POLICY_EXPLAIN_H
#define POLICY_EXPLAIN_H

#include "policy/decide.h"
#include "policy/image.h"

enum considered_match { CONSIDERED_NO, CONSIDERED_YES, CONSIDERED_OPEN };

struct considered {
    enum table table;
    uint32_t rule;
    enum considered_match match;
    struct why_not why;
    bool decides; /* the last one of its table: no rule behind it was considered */
};

typedef void (*explain_fn)(const struct considered *c, void *arg);

/* The tables that a step asks, in the order of DESIGN section 4. Returns how many. */
unsigned explain_tables(const struct snapshot *s, const struct facts *f, enum table out[TABLE_N]);
/* Calls `fn` for each rule of the table until the first that matches for certain. Where nothing is decided
 * by order (`set`, `log`, `observe`) all rules are gone through. */
void explain_table(const struct snapshot *s, const struct facts *f, enum table table, explain_fn fn,
                   void *arg);
const char *explain_table_word(enum table table);

#endif
