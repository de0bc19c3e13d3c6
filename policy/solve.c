/* Simplify until nothing follows by itself, then try the parts of the narrowest choice one after the other;
 * see solve.h. */
#include "policy/solve.h"

#include "policy/cover.h"

/* A domain as it was before it was narrowed. */
struct undo {
    uint32_t var;
    const struct iset *dom;
    struct undo *next;
};

static void spend(struct solver *s, uint32_t steps)
{
    s->budget = s->budget > steps ? s->budget - steps : 0;
}

/* What those of a cover come to, as parts of an OR. */
static enum truth eval_more(struct solver *s, const struct formula *f, enum truth out)
{
    struct picked sure = cover_sure(f->more, s->dom, f->from, f->to);
    for (uint32_t i = 0; i < sure.n; i++) {
        if (solve_eval(s, f->more->f[picked_at(&sure, i)]) == T_TRUE)
            return T_TRUE;
    }
    if (out == T_EITHER)
        return out;
    struct picked may = cover_may(f->more, s->dom, f->from, f->to);
    spend(s, may.v ? may.n : 0);
    for (uint32_t i = 0; i < may.n; i++) {
        if (solve_eval(s, f->more->f[picked_at(&may, i)]) != T_FALSE)
            return T_EITHER;
    }
    return out;
}

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
    return f->more ? eval_more(s, f, out) : out;
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

/* The parts of a formula, but for those of its cover that are false. Lives as long as the solver's memory. */
struct open {
    const struct formula *f;
    struct picked more;
    uint32_t n;
};

static bool open_parts(struct solver *s, const struct formula *f, struct open *out)
{
    *out = (struct open){.f = f, .n = f->n};
    if (!f->more)
        return true;
    out->more = cover_may(f->more, s->dom, f->from, f->to);
    out->n += out->more.n;
    if (!out->more.v)
        return true;
    uint32_t *copy = arena_alloc(s->mem, (out->more.n + 1) * sizeof *copy);
    for (uint32_t i = 0; i < out->more.n && copy; i++)
        copy[i] = out->more.v[i];
    out->more.v = copy;
    spend(s, out->more.n);
    return copy != NULL;
}

static const struct formula *part_at(const struct open *o, uint32_t i)
{
    return i < o->f->n ? o->f->part[i] : o->f->more->f[picked_at(&o->more, i - o->f->n)];
}

/* How many parts of a choice are open, at most `most`, and the last of those. */
static uint32_t choices(struct solver *s, const struct open *o, bool want, uint32_t most,
                        const struct formula **last)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n && n < most; i++) {
        if (stands(s, part_at(o, i), want) == T_FALSE)
            continue;
        *last = part_at(o, i);
        n++;
    }
    return n;
}

struct round {
    struct goal *next; /* what is left */
    bool changed;
};

/* One goal: done, impossible (SAT_NO), taken apart, or kept. */
static enum sat one_goal(struct solver *s, const struct goal *g, struct round *r)
{
    const struct formula *only = NULL;
    enum truth t = stands(s, g->f, g->want);
    struct open open;
    bool ok = true;
    if (t != T_EITHER)
        return t == T_TRUE ? SAT_YES : SAT_NO;
    if (g->f->kind == F_IN) {
        r->changed = true;
        return narrow(s, g->f, g->want) ? SAT_YES : SAT_UNSETTLED;
    }
    if (!open_parts(s, g->f, &open))
        return SAT_UNSETTLED;
    if (!is_choice(g->f, g->want)) {
        for (uint32_t i = 0; i < open.n && ok; i++)
            ok = push(s, &r->next, part_at(&open, i), g->want != (g->f->kind == F_NOT));
        r->changed = true;
        return ok ? SAT_YES : SAT_UNSETTLED;
    }
    bool one = choices(s, &open, g->want, 2, &only) == 1;
    r->changed = r->changed || one;
    return push(s, &r->next, one ? only : g->f, g->want) ? SAT_YES : SAT_UNSETTLED;
}

static enum sat simplify(struct solver *s, const struct goal *goals, struct round *r)
{
    do {
        *r = (struct round){0};
        for (const struct goal *g = goals; g; g = g->next) {
            enum sat one = s->budget ? one_goal(s, g, r) : SAT_UNSETTLED;
            if (one != SAT_YES)
                return one;
        }
        goals = r->next;
    } while (r->changed);
    return SAT_YES;
}

/* The goal with the fewest open parts, of those the last one; NULL: none is left. What has a cover may be
 * long: it is counted after the others, and only as far as it matters. */
static const struct goal *narrowest(struct solver *s, const struct goal *goals)
{
    const struct goal *best = goals;
    const struct formula *last;
    uint32_t fewest = UINT32_MAX, best_at = 0;
    struct open open;
    for (unsigned pass = 0; pass < 2 && goals && goals->next; pass++) {
        uint32_t at = 0;
        for (const struct goal *g = goals; g; g = g->next, at++) {
            if ((g->f->more != NULL) != pass || !open_parts(s, g->f, &open))
                continue;
            uint32_t n = choices(s, &open, g->want, fewest == UINT32_MAX ? fewest : fewest + 1, &last);
            if (n > fewest || (n == fewest && at < best_at))
                continue;
            best = g;
            best_at = at;
            fewest = n;
        }
    }
    return best;
}

/* All goals but `best`, and one part of that. */
static struct goal *with_part(struct solver *s, const struct goal *goals, const struct goal *best,
                              const struct formula *part)
{
    struct goal *list = NULL;
    for (const struct goal *g = goals; g; g = g->next) {
        if (g != best && !push(s, &list, g->f, g->want))
            return NULL;
    }
    return push(s, &list, part, best->want) ? list : NULL;
}

/* Goals of which nothing follows by itself. */
static enum sat branch(struct solver *s, const struct goal *goals)
{
    const struct goal *best = narrowest(s, goals);
    enum sat out = SAT_NO;
    struct open open;
    if (!best)
        return SAT_YES;
    if (!open_parts(s, best->f, &open))
        return SAT_UNSETTLED;
    for (uint32_t i = 0; i < open.n; i++) {
        const struct formula *part = part_at(&open, i);
        if (stands(s, part, best->want) == T_FALSE)
            continue;
        const struct goal *list = with_part(s, goals, best, part);
        enum sat one = list ? solve(s, list) : SAT_UNSETTLED;
        if (one == SAT_YES)
            return SAT_YES;
        if (one == SAT_UNSETTLED)
            out = SAT_UNSETTLED;
        if (!s->budget)
            return SAT_UNSETTLED;
    }
    return out;
}

enum sat solve(struct solver *s, const struct goal *goals)
{
    const struct undo *mark = s->undo;
    struct round r;
    enum sat out = simplify(s, goals, &r);
    if (out == SAT_YES)
        out = branch(s, r.next);
    if (out != SAT_YES)
        undo_to(s, mark);
    return out;
}
