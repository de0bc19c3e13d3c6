/* Which rules of one table match: the bit sets of the values met, ANDed word by word. Used by policy/decide
 * and its like alone. */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "policy/tokens.h"

struct query {
    struct asking *a;
    enum table table;
    uint64_t hope; /* facts that can still come: a rule that waits for others does not match */
    uint32_t from; /* first rule of the table that is asked */
    bool forbids;  /* only `forbid` rules are asked */
    bool timeless; /* nobody's question, at no time: rules that have one do not match */
};
#define HOPE_NONE UINT64_C(0)
#define HOPE_ALL  (~UINT64_C(0))

/* What came out of a table. */
struct found {
    bool hit;
    uint32_t rule;  /* of the table: the first that matches for certain */
    uint64_t waits; /* facts that open rules before it (or all, without a hit) wait for */
    bool may_allow; /* one of those open rules does not block */
    bool may_grant; /* the same for rules of delegated files */
};
/* The first rule that matches. Steps of the trail go to `out` where that is not NULL. */
struct found match_first(const struct query *q, struct verdict *out);

/* Calls fn for every rule that matches for certain, in order, until it returns true. */
typedef bool (*match_fn)(void *arg, uint32_t rule);
void match_all(const struct query *q, match_fn fn, void *arg);

/* The rule in RULES. */
static inline const struct img_rule *match_rule(const struct query *q, uint32_t rule)
{
    return &q->a->m->RULES[q->a->m->TABLES[q->table].rules.at + rule];
}

#endif
