/* Simplify until nothing follows by itself, then try the parts of the narrowest choice one after the other;
 * see solve.h. */
#include "policy/solve.h"

/* A domain as it was before it was narrowed. */
struct undo {
    uint32_t var;
    const struct iset *dom;
    struct undo *next;
};

static enum truth eval_parts(struct solver *s, const struct formula *f, enum truth ends)
{
    enum truth out = ends == T_TRUE ? T_FALSE : T_TRUE;
    for (uint32_t i = 0; i < f->n; i++) {
        enum truth t = solve_eval(s, f->part[i]);
        if (t == ends)
            return ends;
        if (t == T_EITHER)
            out = T_EITHER;
    }
    return out;
}

enum truth solve_eval(struct solver *s, const struct formula *f)
{
    if (s->budget)
        s->budget--;
    if (f->kind == F_NOT) {
        enum truth t = solve_eval(s, f->part[0]);
        return t == T_EITHER ? T_EITHER : t == T_TRUE ? T_FALSE : T_TRUE;
    }
    if (f->kind == F_AND)
        return eval_parts(s, f, T_FALSE);
    if (f->kind == F_OR)
        return eval_parts(s, f, T_TRUE);
    unsigned meet = iset_meet(s->dom[f->var], f->set);
    return meet == ISET_IN ? T_TRUE : meet == ISET_OUT ? T_FALSE : T_EITHER;
}

/* As wanted, against, or open. */
static enum truth stands(struct solver *s, const struct formula *f, bool want)
{
    enum truth t = solve_eval(s, f);
    return t == T_EITHER ? T_EITHER : (t == T_TRUE) == want ? T_TRUE : T_FALSE;
}

static bool push(struct solver *s, struct goal **list, const struct formula *f, bool want)
{
    struct goal *g = arena_alloc(s->mem, sizeof *g);
    if (!g)
        return false;
    *g = (struct goal){f, want, *list};
    *list = g;
    return true;
}

static bool narrow(struct solver *s, const struct formula *f, bool want)
{
    struct undo *u = arena_alloc(s->mem, sizeof *u);
    const struct iset *old = s->dom[f->var];
    const struct iset *dom = want ? iset_and(s->mem, old, f->set) : iset_minus(s->mem, old, f->set);
    if (!u || !dom)
        return false;
    *u = (struct undo){f->var, old, s->undo};
    s->undo = u;
    s->dom[f->var] = dom;
    return true;
}

static void undo_to(struct solver *s, const struct undo *mark)
{
    while (s->undo != mark) {
        s->dom[s->undo->var] = s->undo->dom;
        s->undo = s->undo->next;
    }
}

/* A formula that must hold in all its parts, or in one of them. */
static bool is_choice(const struct formula *f, bool want)
{
    return f->kind != F_NOT && (f->kind == F_OR) == want;
}

/* How many parts of a choice are open, and the last of them. */
static uint32_t choices(struct solver *s, const struct goal *g, const struct formula **last)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->f->n; i++) {
        if (stands(s, g->f->part[i], g->want) == T_FALSE)
            continue;
        *last = g->f->part[i];
        n++;
    }
    return n;
}

struct round {
    struct goal *next; /* what is left */
    const struct goal *best;
    uint32_t fewest;
    bool changed;
};

/* One goal: done, impossible (SAT_NO), taken apart, or kept. */
static enum sat one_goal(struct solver *s, const struct goal *g, struct round *r)
{
    const struct formula *only = NULL;
    enum truth t = stands(s, g->f, g->want);
    bool ok = true;
    if (t != T_EITHER)
        return t == T_TRUE ? SAT_YES : SAT_NO;
    if (g->f->kind == F_IN) {
        r->changed = true;
        return narrow(s, g->f, g->want) ? SAT_YES : SAT_UNSETTLED;
    }
    if (!is_choice(g->f, g->want)) {
        for (uint32_t i = 0; i < g->f->n && ok; i++)
            ok = push(s, &r->next, g->f->part[i], g->want != (g->f->kind == F_NOT));
        r->changed = true;
        return ok ? SAT_YES : SAT_UNSETTLED;
    }
    uint32_t n = choices(s, g, &only);
    ok = push(s, &r->next, n == 1 ? only : g->f, g->want);
    r->changed = r->changed || n == 1;
    if (ok && n > 1 && n < r->fewest) {
        r->fewest = n;
        r->best = r->next;
    }
    return ok ? SAT_YES : SAT_UNSETTLED;
}

static enum sat simplify(struct solver *s, const struct goal *goals, struct round *r)
{
    do {
        *r = (struct round){.fewest = UINT32_MAX};
        for (const struct goal *g = goals; g; g = g->next) {
            enum sat one = s->budget ? one_goal(s, g, r) : SAT_UNSETTLED;
            if (one != SAT_YES)
                return one;
        }
        goals = r->next;
    } while (r->changed);
    return SAT_YES;
}

/* All goals but `best`, and one part of that. */
static struct goal *with_part(struct solver *s, const struct round *r, const struct formula *part)
{
    struct goal *list = NULL;
    for (const struct goal *g = r->next; g; g = g->next) {
        if (g != r->best && !push(s, &list, g->f, g->want))
            return NULL;
    }
    return push(s, &list, part, r->best->want) ? list : NULL;
}

enum sat solve(struct solver *s, const struct goal *goals)
{
    const struct undo *mark = s->undo;
    struct round r;
    enum sat out = simplify(s, goals, &r);
    if (out == SAT_YES && !r.best)
        return SAT_YES;
    if (out == SAT_YES)
        out = SAT_NO;
    else
        r.best = NULL;
    for (uint32_t i = 0; r.best && i < r.best->f->n; i++) {
        const struct formula *part = r.best->f->part[i];
        if (stands(s, part, r.best->want) == T_FALSE)
            continue;
        const struct goal *list = with_part(s, &r, part);
        enum sat one = list ? solve(s, list) : SAT_UNSETTLED;
        if (one == SAT_YES)
            return SAT_YES;
        if (one == SAT_UNSETTLED)
            out = SAT_UNSETTLED;
        if (!s->budget)
            break;
    }
    undo_to(s, mark);
    return out;
}
