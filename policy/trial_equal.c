/* Proofs that a change cannot matter; see trial_equal.h. A rule that never decides may still matter in two
 * ways: while it is open it keeps what stands behind it waiting, if it lets through; and a `forbid` keeps
 * grants out wherever it stands. Both are left to the expectations. */
#include "policy/trial_equal.h"

#include <stdlib.h>

#include "gw/base/obj.h"
#include "policy/image.h"
#include "policy/index.h"
#include "policy/number.h"

/* ---- whether a rule can be open ---- */

static bool has_urls(const struct snapshot *snap, const struct cond *c)
{
    uint64_t urls[FACTS_CAT_WORDS], any = 0;
    snapshot_url_categories(snap, urls);
    for (unsigned w = 0; w < FACTS_CAT_WORDS; w++)
        any |= urls[w];
    return c->noun == NOUN_CATEGORY && any;
}

/* What these ask about is known from the first step on. */
static bool is_known(enum noun n)
{
    return n == NOUN_FROM || n == NOUN_FOR || n == NOUN_DOMAIN || n == NOUN_CATEGORY || n == NOUN_TCP ||
           n == NOUN_UDP || n == NOUN_ICMP || n == NOUN_SERVICE || n == NOUN_DURING || n == NOUN_CERTIFICATE;
}

static bool any_open(const struct snapshot *snap, const struct cond *c)
{
    for (; c; c = c->next) {
        if (!is_known(c->noun) || has_urls(snap, c))
            return true;
    }
    return false;
}

static bool may_open(const struct snapshot *snap, const struct rule *r)
{
    return any_open(snap, r->conds) ||
           (r->delegate && (any_open(snap, r->delegate->who) || any_open(snap, r->delegate->ceiling)));
}

static bool lifts(enum verb v)
{
    return v != VERB_BLOCK && v != VERB_FORBID;
}

/* ---- what is proven ---- */

/* Whether the table does what the rule says where none matches. Not of certificates: that one is blocked
 * without any policy is not the same (see enforced() in gw/flow/judge.c). */
static bool is_default(const struct rule *r)
{
    enum verb v = r->verb;
    if (r->has_observe)
        return false;
    switch (index_table(r)) {
    case TABLE_TLS: return v == VERB_INSPECT;
    case TABLE_WEB:
    case TABLE_FIREWALL: return v == VERB_BLOCK;
    case TABLE_CONTENT: return v == VERB_ALLOW;
    default: return false;
    }
}

struct proving {
    const struct snapshot *snap;
    struct trial_proof *out;
    const struct rule **rules; /* by number */
};

static void take_rule(void *arg, uint32_t number, struct rule *r)
{
    struct proving *p = arg;
    p->rules[number] = r;
}

static void take_proof(void *arg, const struct rule *r, const struct reach_of *of)
{
    struct proving *p = arg;
    struct trial_proof *o = &p->out[of->number];
    (void)r;
    o->never = of->how == REACH_NO || of->how == REACH_NEVER;
    o->before = of->how == REACH_NEVER || (of->how == REACH_NO && !of->gate);
}

static void mark_tails(struct proving *p)
{
    for (unsigned t = 0; t < TABLE_N; t++) {
        struct img_run run = p->snap->img.TABLES[t].rules;
        if (t == TABLE_FIREWALL && run.n == 1) /* without a rule there is no firewall, and all of it passes */
            continue;
        for (uint32_t i = run.at + run.n; i-- > run.at;) {
            if (!p->rules[i] || !is_default(p->rules[i]))
                break;
            p->out[i].tail = true;
        }
    }
}

bool trial_prove(const struct tree *t, const struct snapshot *snap, int64_t now, struct trial_proof *out)
{
    struct proving p = {snap, out, calloc(snapshot_n_rules(snap) + 1, sizeof(*p.rules))};
    if (!p.rules)
        return false;
    number_rules(t, snap, take_rule, &p);
    mark_tails(&p);
    free(p.rules);
    return reach_all(t, snap, now, take_proof, &p);
}

bool trial_equal(const struct snapshot *snap, const struct trial_proof *p, const struct trial_mutant *m,
                 bool *again)
{
    const struct rule *r = m->rule;
    enum verb was = m->change == TRIAL_FLIP ? m->was : r->verb;
    *again = false;
    if (p->tail && m->change != TRIAL_FLIP)
        return true;
    if (!p->never || was == VERB_FORBID)
        return false;
    switch (m->change) {
    case TRIAL_DELETE: return !(lifts(was) && may_open(snap, r));
    case TRIAL_FLIP: return p->before && !may_open(snap, r);
    default: return *again = !(lifts(was) && (may_open(snap, r) || has_urls(snap, m->cond)));
    }
}
