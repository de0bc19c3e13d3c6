/* Which rules can ever decide. For each rule of a compiled policy either facts with which decide() itself
 * says that it decides, or a proof that there are none: the rules that take its place, by an exact search
 * over the classes of addresses, users, names, moments, ... that the policy tells apart. Lists may overlap in
 * any way: being in one category says nothing about another. What the search does not settle within its bound
 * is UNSETTLED, and nobody is warned about it. */
#ifndef POLICY_REACH_H
#define POLICY_REACH_H

#include "policy/diag.h"

enum reach {
    REACH_YES,       /* `facts` is an example */
    REACH_NO,        /* rules in `by` take its place */
    REACH_NEVER,     /* its own conditions exclude each other, or leave nobody and nothing */
    REACH_UNSETTLED, /* not settled within the bound, or nothing that decides */
};

enum { REACH_BY_MOST = 8 };

struct reach_of {
    enum reach how;
    const struct facts *facts; /* REACH_YES */
    uint32_t number;           /* of the rule in the snapshot */
    /* REACH_NO: the rules that stand in its way, the first REACH_BY_MOST of them in written order. `gate`:
     * they belong to a step that comes before this rule's own; `later`: they stand behind it, and settle
     * the matter before its request is seen. Without any, the default of that step does. */
    const struct rule *by[REACH_BY_MOST];
    uint32_t n_by;
    bool gate, later;
    uint64_t steps;      /* that it took, of those that all rules have together */
    bool no_ca, no_time; /* REACH_NEVER: nothing is intercepted where it asks; its time does not come again */
};

/* Calls `each` for every rule of the tree that has a number, in written order; what is in `of` dies with the
 * call. `now`: the moment from which on examples are looked for. False without memory. */
bool reach_all(const struct tree *t, const struct snapshot *snap, int64_t now,
               void (*each)(void *arg, const struct rule *r, const struct reach_of *of), void *arg) MUST_USE;
/* The same of one rule; the facts of an example are not given. */
bool reach_one(const struct tree *t, const struct snapshot *snap, int64_t now, const struct rule *r,
               struct reach_of *out) MUST_USE;
/* An example in one line: "from 10.0.0.1 (lan) to a.test tcp 443 at 2026-11-28 16:00 UTC". */
enum rc reach_example(const struct snapshot *snap, const struct facts *f, struct buf *b) MUST_USE;

#endif
