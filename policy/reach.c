/* The search: facts that fit the rule, tried on decide(); whatever decided instead is excluded, and so on
 * until the rule decides or nothing is left. What was excluded by then is the proof. See reach.h. */
#include "policy/reach.h"

#include <stdlib.h>

#include "gw/base/obj.h"
#include "policy/number.h"
#include "policy/reach_int.h"

enum { TRIES_MOST = 400 }; /* rules that are excluded one after the other */
static const uint64_t RULE_BUDGET = 600000, TOTAL_BUDGET = 400000000;

/* What was excluded, newest first. */
struct learnt {
    struct walked by;
    struct goal goal;
    bool dropped;
    struct learnt *next;
};

struct search {
    struct model *m;
    struct solver s;
    uint32_t number;
    uint32_t *choice;
    uint32_t *usual; /* what is chosen where nothing is asked for */
    bool early;      /* looked for: that it blocks before the request is seen */
    uint64_t total;  /* budget of all rules that is left */
    struct arena mem;
    struct goal *base; /* the rule itself and what its table asks for */
    struct learnt *learnt;
    struct facts facts;
};

/* ---- one rule ---- */

static bool add_base(struct search *x, const struct formula *f)
{
    struct goal *g = f ? arena_alloc(&x->mem, sizeof *g) : NULL;
    if (!g)
        return false;
    *g = (struct goal){f, true, x->base};
    x->base = g;
    return true;
}

static bool add_in(struct search *x, uint32_t var, const struct iset *set)
{
    return add_base(x, formula_in(x->m, var, set));
}

static bool needs_ca(const struct model *m, uint32_t number)
{
    return rule_table(m, number) == TABLE_CERT || m->rules[number]->verb == VERB_INSPECT;
}

static bool outside_ca_none(struct search *x)
{
    struct model *m = x->m;
    for (const struct zone_decl *z = m->t->zones.first; z; z = z->next) {
        const struct iset *in = z->ca_none ? class_zone(m, &m->src, z->id) : NULL;
        if (z->ca_none && !add_in(x, V_SRC, iset_minus(&m->mem, m->dom[V_SRC], in)))
            return false;
    }
    return true;
}

/* What every flow of the rule's table is like. */
static bool set_base(struct search *x, bool ca, bool time)
{
    struct model *m = x->m;
    const struct rule *r = m->rules[x->number];
    enum table table = rule_table(m, x->number);
    bool ok = true;
    x->base = NULL;
    if (r->block != BLOCK_FIREWALL)
        ok = add_in(x, V_PORT, class_ports(m, 6, 0, UINT16_MAX));
    if ((table == TABLE_TLS || table == TABLE_CERT) && r->verb == VERB_EXEMPT)
        ok = ok && add_in(x, V_SEEN, iset_range(&m->mem, 0, 1));
    else if (table != TABLE_TLS && table != TABLE_CERT && !(table == TABLE_WEB && m->exempts))
        ok = ok && add_in(x, V_SEEN, iset_range(&m->mem, 1, 2));
    if (ca && needs_ca(m, x->number))
        ok = ok && outside_ca_none(x);
    enum view view = x->early ? VIEW_SURE : VIEW_FINAL;
    return ok && add_base(x, time ? rule_formula(m, x->number, view) : rule_timeless(m, x->number));
}

/* The goals of the rule and of what was learnt; NULL without memory. */
static struct goal *all_goals(struct search *x)
{
    struct goal *list = x->base;
    for (struct learnt *l = x->learnt; l; l = l->next) {
        if (l->dropped)
            continue;
        l->goal.next = list;
        list = &l->goal;
    }
    return list;
}

static void spend(struct search *x, uint64_t steps)
{
    x->total = x->total > steps ? x->total - steps : 0;
}

static enum sat solve_once(struct search *x)
{
    uint64_t before = RULE_BUDGET < x->total ? RULE_BUDGET : x->total;
    memcpy(x->s.dom, x->m->dom, x->m->n_vars * sizeof(*x->s.dom));
    x->s.budget = before;
    x->s.undo = NULL;
    enum sat out = solve(&x->s, all_goals(x));
    spend(x, before - x->s.budget);
    return out;
}

/* What is preferred of a domain. */
static uint32_t choose_of(const struct model *m, uint32_t var, const struct iset *dom)
{
    uint32_t want = var < V_FIXED ? m->prefer[var] : 0;
    return iset_has(dom, want) ? want : dom->v[0].lo;
}

static void choose(struct search *x)
{
    const struct iset *const *dom = x->s.dom, *const *first = x->m->dom;
    for (uint32_t i = 0; i < x->m->n_vars; i++)
        x->choice[i] = dom[i] == first[i] ? x->usual[i] : choose_of(x->m, i, dom[i]);
}

static const struct formula *excluded(struct search *x, const struct walked *w, bool *want)
{
    *want = w->how == WALK_GATE;
    if (w->how == WALK_GATE)
        return gate_formula(x->m, w->table, w->rule, w->closed);
    return rule_formula(x->m, w->rule, w->how == WALK_OPEN ? VIEW_MAY : x->early ? VIEW_SURE : VIEW_FINAL);
}

/* False when it was excluded before: then the model and decide() do not see the same. */
static bool learn(struct search *x, const struct walked *w)
{
    struct learnt *l = arena_alloc(&x->mem, sizeof *l);
    for (const struct learnt *k = x->learnt; k; k = k->next) {
        if (k->by.how == w->how && k->by.rule == w->rule && k->by.table == w->table)
            return false;
    }
    if (!l)
        return false;
    *l = (struct learnt){.by = *w, .next = x->learnt};
    l->goal.f = excluded(x, w, &l->goal.want);
    x->learnt = l;
    return l->goal.f != NULL;
}

static bool has_empty(const struct search *x)
{
    for (uint32_t i = 0; i < x->m->n_vars; i++) {
        if (x->m->dom[i]->n == 0)
            return true;
    }
    return false;
}

/* What decide() made of the choice; it, and going through what was learnt, counts as steps too. */
static struct walked try_facts(struct search *x, bool early, const struct set_part *mod, unsigned tries)
{
    uint64_t before = x->m->asked->steps;
    struct walked w = walk_rule(x->m, x->number, early, mod, &x->facts);
    spend(x, x->m->asked->steps - before + x->m->n_vars / 4 + tries);
    return w;
}

static enum sat search(struct search *x, bool early, const struct set_part *mod)
{
    for (unsigned i = 0; i < TRIES_MOST && x->total; i++) {
        enum sat one = solve_once(x);
        if (one != SAT_YES)
            return one;
        choose(x);
        x->m->choice = x->choice;
        if (!walk_facts(x->m, x->choice, &x->facts))
            return SAT_UNSETTLED;
        struct walked w = try_facts(x, early, mod, i);
        if (w.how == WALK_DECIDES)
            return SAT_YES;
        if (w.how == WALK_UNCLEAR || !learn(x, &w))
            return SAT_UNSETTLED;
    }
    return SAT_UNSETTLED;
}

/* ---- what takes its place ---- */

/* Leaves out what the proof does not need, newest first. */
static void shrink(struct search *x)
{
    for (struct learnt *l = x->learnt; l; l = l->next) {
        l->dropped = true;
        if (solve_once(x) != SAT_NO)
            l->dropped = false;
    }
}

static void note(const struct search *x, struct reach_of *of, const struct learnt *l)
{
    const struct model *m = x->m;
    if (l->by.how == WALK_GATE)
        of->gate = true;
    if (l->by.rule == RULE_NONE)
        return;
    uint32_t at = of->n_by < REACH_BY_MOST ? of->n_by : REACH_BY_MOST;
    for (uint32_t i = 0; i < at; i++) {
        if (of->by[i] == m->rules[l->by.rule])
            return;
    }
    of->n_by++;
    uint32_t i = at < REACH_BY_MOST ? at : REACH_BY_MOST - 1;
    for (; i > 0 && of->by[i - 1]->pos.off > m->rules[l->by.rule]->pos.off; i--)
        of->by[i] = of->by[i - 1];
    of->by[i] = m->rules[l->by.rule];
}

static bool is_later(const struct search *x, const struct learnt *l)
{
    return l->by.how == WALK_GATE && l->by.rule != RULE_NONE && l->by.rule > x->number &&
           rule_table(x->m, l->by.rule) == rule_table(x->m, x->number);
}

/* Where rules behind it settle the matter, they alone are named. */
static void explain(struct search *x, struct reach_of *of)
{
    bool any = false;
    shrink(x);
    for (const struct learnt *l = x->learnt; l; l = l->next)
        of->later = of->later || (!l->dropped && is_later(x, l));
    for (const struct learnt *l = x->learnt; l; l = l->next) {
        if (l->dropped)
            continue;
        any = true;
        if (!of->later || is_later(x, l))
            note(x, of, l);
    }
    of->how = any || of->n_by ? REACH_NO : REACH_NEVER;
}

static void forget(struct search *x)
{
    x->learnt = NULL;
    arena_reset(&x->mem);
}

/* By decide(), in one way of coming to it. */
static enum sat try_way(struct search *x, bool early, const struct set_part *mod, struct reach_of *of)
{
    forget(x);
    x->early = early;
    if (!set_base(x, true, true))
        return SAT_UNSETTLED;
    enum sat out = search(x, early, mod);
    if (out == SAT_NO)
        explain(x, of);
    x->early = false;
    return out;
}

static void finish(struct search *x, struct reach_of *of, enum sat out)
{
    if (out == SAT_YES) {
        *of = (struct reach_of){.how = REACH_YES, .facts = &x->facts, .number = of->number};
    } else if (out == SAT_UNSETTLED) {
        *of = (struct reach_of){.how = REACH_UNSETTLED, .number = of->number};
    } else if (of->how == REACH_NEVER) {
        forget(x);
        of->no_time = set_base(x, true, false) && solve_once(x) == SAT_YES;
        forget(x);
        of->no_ca = needs_ca(x->m, x->number) && set_base(x, false, true) && solve_once(x) == SAT_YES;
    }
}

/* Rules that block by what is known may decide before the request is seen, and after. */
static enum sat by_decide(struct search *x, struct reach_of *of)
{
    const struct rule *r = x->m->rules[x->number];
    enum sat out = SAT_NO;
    if (r->verb != VERB_SET) {
        if (r->block == BLOCK_WEB && rule_blocks(r) && !rule_asks_request(r))
            out = try_way(x, true, NULL, of);
        return out == SAT_NO ? try_way(x, false, NULL, of) : out;
    }
    for (const struct set_part *p = r->sets; p && out == SAT_NO; p = p->next)
        out = try_way(x, false, p, of);
    return out;
}

/* Against the rules before it alone: for tables that no verdict speaks of, and for the plainer reason. */
static enum sat by_itself(struct search *x, struct reach_of *of)
{
    const struct rule *r = x->m->rules[x->number];
    bool in_order = r->verb != VERB_LOG && r->verb != VERB_SET && r->block != BLOCK_OBSERVE;
    forget(x);
    if (!set_base(x, true, true))
        return SAT_UNSETTLED;
    for (unsigned i = 0; i < TRIES_MOST && x->total; i++) {
        enum sat one = solve_once(x);
        if (one == SAT_NO)
            explain(x, of);
        if (one != SAT_YES)
            return one;
        choose(x);
        struct walked w = {.how = WALK_EARLIER,
                           .rule = in_order ? first_match(x->m, x->number, x->choice) : RULE_NONE};
        if (w.rule == RULE_NONE || !learn(x, &w))
            return SAT_UNSETTLED;
    }
    return SAT_UNSETTLED;
}

/* A rule of its own table is the reason that is looked for first. */
static void plainer(struct search *x, struct reach_of *of)
{
    struct reach_of own = {.number = of->number};
    if (of->how == REACH_NO && of->gate && by_itself(x, &own) == SAT_NO)
        *of = own;
}

static void one_rule(struct search *x, struct reach_of *of)
{
    enum table table = rule_table(x->m, x->number);
    *of = (struct reach_of){.how = REACH_UNSETTLED, .number = x->number};
    bool decides = table == TABLE_TLS || table == TABLE_CERT || table == TABLE_WEB ||
                   table == TABLE_FIREWALL || table == TABLE_CONTENT || table == TABLE_SET ||
                   table == TABLE_DNS || table == TABLE_ON;
    enum sat out = decides ? by_decide(x, of) : by_itself(x, of);
    if (out == SAT_NO)
        plainer(x, of);
    finish(x, of, out);
}

/* ---- all rules ---- */

static void keep_rule(void *arg, uint32_t number, struct rule *r)
{
    struct model *m = arg;
    m->rules[number] = r;
    m->exempts = m->exempts || r->verb == VERB_EXEMPT;
}

struct telling {
    struct search *x;
    const struct rule *only; /* NULL: all */
    void (*each)(void *arg, const struct rule *r, const struct reach_of *of);
    void *arg;
};

static void tell_rule(void *arg, uint32_t number, struct rule *r)
{
    struct telling *t = arg;
    struct reach_of of;
    if (t->only && t->only != r)
        return;
    t->x->number = number;
    uint64_t before = t->x->total;
    one_rule(t->x, &of);
    of.steps = before - t->x->total;
    t->each(t->arg, r, &of);
}

static bool make_tables(struct model *m)
{
    uint32_t n = m->n_rules = snapshot_n_rules(m->snap);
    m->rules = arena_alloc(&m->mem, (n + 1) * sizeof(*m->rules));
    bool ok = true;
    for (unsigned v = 0; v < VIEWS; v++) {
        m->formula[v] = arena_alloc(&m->mem, (n + 1) * sizeof(*m->formula[v]));
        ok = ok && m->formula[v];
    }
    m->groups = arena_alloc(&m->mem, (m->t->groups.n + 1) * sizeof(*m->groups));
    m->of_group = arena_alloc(&m->mem, (m->t->groups.n + 1) * sizeof(*m->of_group));
    for (unsigned closed = 0; closed < 2; closed++) {
        m->gate[closed] = arena_alloc(&m->mem, (n + TABLE_N) * sizeof(*m->gate[closed]));
        ok = ok && m->gate[closed];
    }
    for (const struct zone_decl *z = m->t->zones.first; z; z = z->next)
        m->exempts = m->exempts || z->ca_none;
    for (const struct group_decl *g = m->t->groups.first; g && m->groups; g = g->next)
        m->groups[g->id] = g;
    return ok && m->groups && m->of_group && m->rules;
}

static bool start(struct search *x, const struct tree *t, const struct snapshot *snap, int64_t now,
                  bool *complete)
{
    struct model *m = x->m;
    *m = (struct model){.t = t, .snap = snap};
    arena_init(&m->mem, LIM_POLICY_TREE_BYTES);
    arena_init(&x->mem, LIM_POLICY_TREE_BYTES);
    if (!make_tables(m))
        return false;
    number_rules(t, snap, keep_rule, m);
    if (!model_classes(m, now, complete))
        return false;
    x->s = (struct solver){.mem = &x->mem, .n_vars = m->n_vars};
    x->s.dom = arena_alloc(&m->mem, m->n_vars * sizeof(*x->s.dom));
    x->choice = arena_alloc(&m->mem, m->n_vars * sizeof *x->choice);
    x->usual = arena_alloc(&m->mem, m->n_vars * sizeof *x->usual);
    x->total = TOTAL_BUDGET;
    m->asked = arena_alloc(&m->mem, sizeof *m->asked);
    if (m->asked)
        m->asked->choice = arena_alloc(&m->mem, m->n_vars * sizeof *x->choice);
    return x->s.dom && x->choice && x->usual && m->asked && m->asked->choice;
}

static bool run(const struct tree *t, const struct snapshot *snap, int64_t now, struct telling *telling)
{
    struct model *m = calloc(1, sizeof *m);
    struct search *x = calloc(1, sizeof *x);
    bool ok = m && x, complete = false;
    if (ok) {
        x->m = m;
        telling->x = x;
        ok = start(x, t, snap, now, &complete);
        if (ok && complete && !has_empty(x)) {
            for (uint32_t i = 0; i < m->n_vars; i++)
                x->usual[i] = choose_of(m, i, m->dom[i]);
            number_rules(t, snap, tell_rule, telling);
        }
        free(m->times);
        arena_fini(&m->mem);
        arena_fini(&x->mem);
    }
    free(m);
    free(x);
    return ok;
}

bool reach_all(const struct tree *t, const struct snapshot *snap, int64_t now,
               void (*each)(void *arg, const struct rule *r, const struct reach_of *of), void *arg)
{
    return run(t, snap, now, &(struct telling){.each = each, .arg = arg});
}

static void take_one(void *arg, const struct rule *r, const struct reach_of *of)
{
    struct reach_of *out = arg;
    (void)r;
    *out = *of;
    out->facts = NULL;
}

bool reach_one(const struct tree *t, const struct snapshot *snap, int64_t now, const struct rule *r,
               struct reach_of *out)
{
    *out = (struct reach_of){.how = REACH_UNSETTLED};
    return run(t, snap, now, &(struct telling){.only = r, .each = take_one, .arg = out});
}
