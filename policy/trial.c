/* Coverage and mutants; see trial.h. A change is tried only on those expectations that come to a step at
 * which the changed rule can match, or can no longer: at every other step decide() would do the very same. */
#include "policy/trial.h"

#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/obj.h"
#include "policy/expect.h"
#include "policy/index.h"
#include "policy/number.h"
#include "policy/trial_equal.h"

/* ---- coverage ---- */

struct cover {
    const struct snapshot *snap;
    bool *touched; /* by number */
    struct trial_count *out;
    void (*untouched)(void *arg, const struct rule *r);
    void *arg;
};

static void touch(void *arg, const struct facts *f, const struct verdict *v)
{
    struct cover *c = arg;
    (void)f;
    if (v->rule != RULE_NONE)
        c->touched[v->rule] = true;
    for (unsigned i = 0; i < v->n_trail; i++)
        c->touched[v->trail[i].rule] |= v->trail[i].match == 1;
    for (unsigned i = 0; i < v->n_mods; i++)
        c->touched[v->mods[i].rule] = true;
    for (unsigned i = 0; i < v->n_logs; i++)
        c->touched[v->logs[i]] = true;
}

/* Whether an expectation can come to rules of this kind. */
static bool can_be_seen(const struct rule *r)
{
    return r->block != BLOCK_ON && r->block != BLOCK_DNS;
}

static void count_rule(void *arg, uint32_t number, struct rule *r)
{
    struct cover *c = arg;
    if (!can_be_seen(r)) {
        c->out->unseen++;
        return;
    }
    c->out->n++;
    c->out->good += c->touched[number];
    if (!c->touched[number] && c->untouched)
        c->untouched(c->arg, r);
}

bool trial_coverage(struct tree *t, const struct snapshot *snap, int64_t now,
                    void (*untouched)(void *arg, const struct rule *r), void *arg, struct trial_count *out)
{
    struct cover c = {.snap = snap, .untouched = untouched, .arg = arg, .out = out};
    *out = (struct trial_count){0};
    c.touched = calloc(snapshot_n_rules(snap) + 1, sizeof *c.touched);
    if (!c.touched)
        return false;
    for (const struct expect *e = t->expects.first; e; e = e->next)
        (void)expect_try(t, snap, e, now, touch, &c);
    number_rules(t, snap, count_rule, &c);
    free(c.touched);
    return true;
}

/* ---- the steps that expectations come to ---- */

struct taken {
    struct facts f;
    uint32_t expect;
    uint32_t why; /* for the rule at work: dimensions in which it does not match */
    bool asked;   /* whether its table is asked, at a time when it is on */
};

struct trial {
    struct tree *t;
    const struct snapshot *snap;
    int64_t now;
    struct taken *steps;
    size_t n_steps, cap_steps;
    const struct expect **expects;
    enum expect_said *before;
    bool *wanted;              /* expectations to be tried with the change at work */
    struct trial_proof *proof; /* by number */
    uint32_t number;           /* of the rule at work */
    const struct rule *rule;
    uint32_t n_expects, at;
    void (*survivor)(void *arg, const struct trial_mutant *m);
    void *arg;
    void (*progress)(const char *what, unsigned long done, unsigned long total);
    uint32_t done;
    struct trial_count *out;
    enum rc rc;
};

static void keep_step(void *arg, const struct facts *f, const struct verdict *v)
{
    struct trial *x = arg;
    struct taken *more = array_room(x->steps, x->n_steps, &x->cap_steps, 64, sizeof *more);
    (void)v;
    if (!more) {
        x->rc = RC_NOMEM;
        return;
    }
    x->steps = more;
    more[x->n_steps++] = (struct taken){.f = *f, .expect = x->at};
}

static enum rc take_steps(struct trial *x)
{
    uint32_t n = x->t->expects.n;
    x->expects = calloc(n + 1, sizeof(*x->expects));
    x->before = calloc(n + 1, sizeof *x->before);
    x->wanted = calloc(n + 1, sizeof *x->wanted);
    if (!x->expects || !x->before || !x->wanted)
        return RC_NOMEM;
    for (const struct expect *e = x->t->expects.first; e; e = e->next) {
        x->at = x->n_expects++;
        x->expects[x->at] = e;
        x->before[x->at] = expect_try(x->t, x->snap, e, x->now, keep_step, x);
    }
    return x->rc;
}

/* Whether rules of this block are asked at the step. */
static bool asks_at(const struct rule *r, enum step step)
{
    switch (r->block) {
    case BLOCK_TLS: return step == STEP_CONNECT || step == STEP_CERTIFICATE;
    case BLOCK_CONTENT: return step == STEP_CONTENT;
    default: return step != STEP_CONTENT;
    }
}

static void look_at_steps(struct trial *x, uint32_t number, const struct rule *r)
{
    for (size_t i = 0; i < x->n_steps; i++) {
        struct taken *s = &x->steps[i];
        s->asked = asks_at(r, s->f.step);
        if (!s->asked)
            continue;
        struct why_not why = decide_why_not(x->snap, &s->f, number);
        s->why = why.refuses;
        s->asked = !why.not_yet && !why.over;
    }
}

/* ---- one change ---- */

/* The policy as it stands now, on those expectations. False when one comes out otherwise. */
static bool holds_still(struct trial *x, const struct snapshot *snap)
{
    for (uint32_t i = 0; i < x->n_expects; i++) {
        if (x->wanted[i] && expect_try(x->t, snap, x->expects[i], x->now, NULL, NULL) != x->before[i])
            return false;
    }
    return true;
}

/* Whether the rule at work, as it stands now, never decides either. */
static bool never_still(struct trial *x, const struct snapshot *snap)
{
    struct reach_of of;
    if (!reach_one(x->t, snap, x->now, x->rule, &of))
        x->rc = RC_NOMEM;
    return of.how == REACH_NO || of.how == REACH_NEVER;
}

static bool build_and_ask(struct trial *x, bool (*ask)(struct trial *x, const struct snapshot *snap))
{
    struct part part;
    struct buf image;
    struct snapshot changed = *x->snap; /* lists and zones are the same */
    bool still = true;
    part_init(&part);
    buf_init(&image, 0);
    enum rc rc = index_build(x->t, &part);
    if (rc == RC_OK)
        rc = part_emit(&part, &image);
    if (rc == RC_OK)
        rc = image_open(buf_span(&image), &changed.img);
    if (rc == RC_OK)
        still = ask(x, &changed);
    else
        x->rc = rc == RC_BAD ? RC_BUG : rc;
    part_fini(&part);
    buf_fini(&image);
    return still;
}

static enum dim dim_of(enum noun noun)
{
    static const uint8_t dims[] = {
#define N(id, word, dim, blocks, text) DIM_##dim,
#include "policy/noun.tbl"
#undef N
    };
    return dims[noun];
}

/* Which expectations the change can matter to. */
static bool want_some(struct trial *x, const struct cond *dropped)
{
    uint32_t gone = dropped ? UINT32_C(1) << dim_of(dropped->noun) : 0;
    bool any = false;
    memset(x->wanted, 0, x->n_expects * sizeof *x->wanted);
    for (size_t i = 0; i < x->n_steps; i++) {
        const struct taken *s = &x->steps[i];
        if (s->asked && (s->why & ~gone) == 0)
            x->wanted[s->expect] = any = true;
    }
    return any;
}

static bool is_equal(struct trial *x, const struct trial_mutant *m)
{
    bool again;
    return trial_equal(x->snap, &x->proof[x->number], m, &again) && (!again || build_and_ask(x, never_still));
}

static void judge(struct trial *x, struct trial_mutant *m, bool matters)
{
    if (matters && !build_and_ask(x, holds_still)) {
        x->out->n++;
        x->out->good++;
        return;
    }
    m->equal = x->rc == RC_OK && is_equal(x, m);
    *(m->equal ? &x->out->equal : &x->out->n) += 1;
    if (x->rc == RC_OK)
        x->survivor(x->arg, m);
}

static void without_rule(struct trial *x, struct rule *r)
{
    struct trial_mutant m = {.rule = r, .change = TRIAL_DELETE};
    struct rule **at = &x->t->rules.first, **last = x->t->rules.last;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    if (last == &r->next)
        x->t->rules.last = at;
    x->t->rules.n--;
    judge(x, &m, want_some(x, NULL));
    *at = r;
    x->t->rules.last = last;
    x->t->rules.n++;
}

static enum verb flipped(enum verb v)
{
    switch (v) {
    case VERB_ALLOW: return VERB_BLOCK;
    case VERB_EXEMPT: return VERB_INSPECT;
    case VERB_INSPECT: return VERB_EXEMPT;
    default: return VERB_ALLOW;
    }
}

static bool is_certificate(const struct rule *r)
{
    return r->block == BLOCK_TLS && index_table(r) == TABLE_CERT;
}

static void with_other_verb(struct trial *x, struct rule *r)
{
    enum verb verb = r->verb;
    struct trial_mutant m = {.rule = r, .change = TRIAL_FLIP, .was = verb, .verb = flipped(verb)};
    if ((is_certificate(r) && verb == VERB_EXEMPT) ||
        (r->block == BLOCK_TLS && !is_certificate(r) && m.verb == VERB_ALLOW))
        return; /* there is no such rule */
    r->verb = m.verb;
    judge(x, &m, want_some(x, NULL));
    r->verb = verb;
}

static void without_condition(struct trial *x, struct rule *r, struct cond **at)
{
    struct cond *c = *at;
    struct trial_mutant m = {.rule = r, .change = TRIAL_DROP, .cond = c};
    if (c->noun == NOUN_CERTIFICATE)
        return; /* it would be another kind of rule */
    *at = c->next;
    judge(x, &m, want_some(x, c));
    *at = c;
}

static bool decides(const struct rule *r)
{
    return can_be_seen(r) && r->verb != VERB_SET && r->verb != VERB_LOG;
}

static void change_rule(void *arg, uint32_t number, struct rule *r)
{
    struct trial *x = arg;
    if (x->progress)
        x->progress("changes", ++x->done, x->t->rules.n);
    if (!decides(r)) {
        x->out->unseen++;
        return;
    }
    if (x->rc != RC_OK)
        return;
    x->number = number;
    x->rule = r;
    look_at_steps(x, number, r);
    without_rule(x, r);
    with_other_verb(x, r);
    for (struct cond **c = &r->conds; *c && x->rc == RC_OK; c = &(*c)->next)
        without_condition(x, r, c);
}

enum rc trial_mutate(struct tree *t, const struct snapshot *snap, int64_t now,
                     void (*survivor)(void *arg, const struct trial_mutant *m), void *arg,
                     void (*progress)(const char *what, unsigned long done, unsigned long total),
                     struct trial_count *out)
{
    struct trial x = {
        .t = t, .snap = snap, .now = now, .survivor = survivor, .arg = arg, .progress = progress, .out = out};
    *out = (struct trial_count){0};
    x.rc = take_steps(&x);
    x.proof = calloc(snapshot_n_rules(snap) + 1, sizeof *x.proof);
    if (x.rc == RC_OK && (!x.proof || !trial_prove(t, snap, now, x.proof)))
        x.rc = RC_NOMEM;
    if (x.rc == RC_OK)
        number_rules(t, snap, change_rule, &x);
    free(x.steps);
    free(x.expects);
    free(x.before);
    free(x.wanted);
    free(x.proof);
    return x.rc;
}
