/* Per variable the classes are cut where a formula's need of them begins or ends; a tree over the pieces
 * holds every need at the few nodes that make it up, and the formulas of one class stand on the way from its
 * piece to the root. See cover.h. */
#include "policy/cover.h"

#include <stdlib.h>

#include "gw/base/array.h"

enum {
    NEEDS_MOST = 8,    /* of one formula: more, and it stands under none */
    RANGES_MOST = 256, /* of those together */
    PIECES_MOST = 64   /* of a domain: more, and all that ask for the variable are looked at */
};

/* Formulas of one variable. */
struct axis {
    uint32_t var, n_pieces;
    uint32_t *cut; /* first class of each piece */
    uint32_t
        *at; /* of each node, where its formulas begin in v; the node's end is the next one's beginning */
    uint32_t *v;
    uint32_t *all; /* in order */
    uint32_t n_all;
    const struct iset *dom; /* to begin with */
    bool never_sure;        /* in that domain no formula is certain */
};

/* ---- what a formula cannot do without ---- */

/* One of the needs is met wherever the formula is true. */
struct needs {
    const struct formula *v[NEEDS_MOST]; /* F_IN */
    uint32_t n;
    bool none;      /* nothing is known */
    double breadth; /* roughly, which share of all choices they let through */
};

static double share(const struct iset *set, const struct iset *dom)
{
    double in = 0, all = 0;
    for (uint32_t i = 0; i < set->n; i++)
        in += set->v[i].hi - set->v[i].lo;
    for (uint32_t i = 0; i < dom->n; i++)
        all += dom->v[i].hi - dom->v[i].lo;
    return in / (all > 0 ? all : 1);
}

static void needs_of(const struct formula *f, const struct iset *const *dom, struct needs *out)
{
    struct needs part;
    *out = (struct needs){.none = true};
    if (f->kind == F_IN) {
        *out = (struct needs){.v = {f}, .n = f->set->n > 0, .breadth = share(f->set, dom[f->var])};
    } else if (f->kind == F_AND) {
        for (uint32_t i = 0; i < f->n; i++) {
            needs_of(f->part[i], dom, &part);
            if (!part.none && (out->none || part.breadth < out->breadth))
                *out = part;
        }
    } else if (f->kind == F_OR && !f->more) {
        out->none = false;
        for (uint32_t i = 0; i < f->n && !out->none; i++) {
            needs_of(f->part[i], dom, &part);
            out->none = part.none || out->n + part.n > NEEDS_MOST;
            for (uint32_t k = 0; k < part.n && !out->none; k++)
                out->v[out->n++] = part.v[k];
            out->breadth += part.breadth;
        }
    }
}

/* ---- making ---- */

/* That formula number `f` needs classes of a variable. */
struct need {
    uint32_t var, f, lo, hi;
};
struct gathered {
    struct need *v;
    size_t n, cap;
    bool full; /* no memory */
};

static void gather(struct gathered *g, uint32_t var, uint32_t f, const struct irange *r)
{
    struct need *v = array_room(g->v, g->n, &g->cap, 256, sizeof *v);
    if (!v) {
        g->full = true;
        return;
    }
    g->v = v;
    g->v[g->n++] = (struct need){var, f, r->lo, r->hi};
}

/* False where it stands under none. */
static bool gather_formula(struct gathered *g, const struct cover *c, uint32_t f,
                           const struct iset *const *dom)
{
    struct needs needs;
    uint32_t n = 0;
    needs_of(c->f[f], dom, &needs);
    for (uint32_t i = 0; i < needs.n && !needs.none; i++)
        n += needs.v[i]->set->n;
    if (needs.none || n > RANGES_MOST)
        return false;
    for (uint32_t i = 0; i < needs.n; i++) {
        for (uint32_t k = 0; k < needs.v[i]->set->n; k++)
            gather(g, needs.v[i]->var, f, &needs.v[i]->set->v[k]);
    }
    return true;
}

static int by_var(const void *a, const void *b)
{
    const struct need *x = a, *y = b;
    if (x->var != y->var)
        return x->var < y->var ? -1 : 1;
    return x->f < y->f ? -1 : x->f > y->f;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t sort_once(uint32_t *v, uint32_t n)
{
    uint32_t kept = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, by_number);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || v[kept - 1] != v[i])
            v[kept++] = v[i];
    }
    return kept;
}

static uint32_t piece_of(const struct axis *a, uint32_t class)
{
    uint32_t lo = 0, hi = a->n_pieces;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (a->cut[mid] <= class)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* Counts (`v` NULL) or puts a need at the nodes that make it up; at[] moves along. */
static void place(const struct axis *a, const struct need *need, uint32_t *at, uint32_t *v)
{
    uint32_t l = piece_of(a, need->lo) + a->n_pieces, r = piece_of(a, need->hi) + a->n_pieces;
    for (; l < r; l /= 2, r /= 2) {
        uint32_t nodes[2], n = 0;
        if (l & 1)
            nodes[n++] = l++;
        if (r & 1)
            nodes[n++] = --r;
        while (n-- > 0) {
            if (v)
                v[at[nodes[n]]] = need->f;
            at[nodes[n]]++;
        }
    }
}

static bool make_cuts(struct axis *a, const struct need *need, size_t n, struct arena *mem)
{
    a->cut = arena_alloc(mem, (2 * n + 1) * sizeof *a->cut);
    a->all = arena_alloc(mem, n * sizeof *a->all);
    if (!a->cut || !a->all)
        return false;
    for (size_t i = 0; i < n; i++) {
        a->cut[2 * i + 1] = need[i].lo;
        a->cut[2 * i + 2] = need[i].hi;
        a->all[i] = need[i].f;
    }
    a->n_pieces = sort_once(a->cut, (uint32_t)(2 * n + 1)); /* with class 0 */
    a->n_all = sort_once(a->all, (uint32_t)n);
    return true;
}

/* Of n needs of one variable, by formula. */
static bool make_axis(struct axis *a, const struct need *need, size_t n, struct arena *mem)
{
    *a = (struct axis){.var = need->var};
    if (!make_cuts(a, need, n, mem))
        return false;
    uint32_t n_nodes = 2 * a->n_pieces;
    a->at = arena_alloc(mem, (n_nodes + 1) * sizeof *a->at);
    uint32_t *next = calloc(n_nodes, sizeof *next);
    for (size_t i = 0; i < n && next && a->at; i++)
        place(a, &need[i], next, NULL);
    for (uint32_t i = 0; i < n_nodes && next && a->at; i++) {
        a->at[i + 1] = a->at[i] + next[i];
        next[i] = a->at[i];
    }
    a->v = a->at ? arena_alloc(mem, (a->at[n_nodes] + 1) * sizeof *a->v) : NULL;
    for (size_t i = 0; i < n && next && a->v; i++)
        place(a, &need[i], next, a->v);
    free(next);
    return next && a->v;
}

static bool is_empty(const struct axis *a, uint32_t piece)
{
    for (uint32_t node = piece + a->n_pieces; node > 0; node /= 2) {
        if (a->at[node] != a->at[node + 1])
            return false;
    }
    return true;
}

static bool make_axes(struct cover *c, struct gathered *g, struct arena *mem, const struct iset *const *dom)
{
    if (g->n)
        qsort(g->v, g->n, sizeof *g->v, by_var);
    for (size_t i = 0; i < g->n; i++)
        c->n_axes += i == 0 || g->v[i].var != g->v[i - 1].var;
    c->axes = arena_alloc(mem, (c->n_axes + 1) * sizeof *c->axes);
    struct axis *a = c->axes;
    for (size_t i = 0, end; a && i < g->n; i = end) {
        for (end = i; end < g->n && g->v[end].var == g->v[i].var;)
            end++;
        if (!make_axis(a, &g->v[i], end - i, mem))
            return false;
        a->dom = dom[a->var];
        a->never_sure = is_empty(a, piece_of(a, a->dom->v[0].lo));
        a++;
    }
    return c->axes != NULL;
}

struct cover *cover_make(struct arena *mem, const struct formula *const *f, uint32_t n,
                         const struct iset *const *dom)
{
    struct gathered g = {0};
    struct cover *c = arena_alloc(mem, sizeof *c);
    uint32_t *rest = arena_alloc(mem, (n + 1) * sizeof *rest);
    if (!c || !rest)
        return NULL;
    *c = (struct cover){.f = f, .n = n, .rest = rest};
    for (uint32_t i = 0; i < n; i++) {
        if (!gather_formula(&g, c, i, dom))
            rest[c->n_rest++] = i;
    }
    c->found = arena_alloc(mem, (n + 1) * sizeof *c->found);
    bool ok = c->found && !g.full && make_axes(c, &g, mem, dom);
    free(g.v);
    return ok ? c : NULL;
}

/* ---- asking ---- */

struct pick {
    struct cover *c;
    uint32_t from, to;
    uint32_t n, most; /* found, and how many are worth it */
};

/* First place in v at or behind `from`. */
static uint32_t at_or_behind(const uint32_t *v, uint32_t n, uint32_t from)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (v[mid] < from)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What of v is in question; false when that makes too many. */
static bool pick_list(struct pick *p, const uint32_t *v, uint32_t n)
{
    uint32_t first = at_or_behind(v, n, p->from), end = at_or_behind(v, n, p->to);
    if (end - first > p->most - p->n)
        return false;
    for (uint32_t i = first; i < end; i++)
        p->c->found[p->n++] = v[i];
    return true;
}

static bool pick_piece(struct pick *p, const struct axis *a, uint32_t piece)
{
    for (uint32_t node = piece + a->n_pieces; node > 0; node /= 2) {
        if (!pick_list(p, &a->v[a->at[node]], a->at[node + 1] - a->at[node]))
            return false;
    }
    return true;
}

static bool pick_domain(struct pick *p, const struct axis *a, const struct iset *dom)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < dom->n && n <= PIECES_MOST; i++)
        n += piece_of(a, dom->v[i].hi - 1) - piece_of(a, dom->v[i].lo) + 1;
    if (n > PIECES_MOST)
        return pick_list(p, a->all, a->n_all);
    for (uint32_t i = 0; i < dom->n; i++) {
        uint32_t last = piece_of(a, dom->v[i].hi - 1);
        for (uint32_t at = piece_of(a, dom->v[i].lo); at <= last; at++) {
            if (!pick_piece(p, a, at))
                return false;
        }
    }
    return true;
}

static struct picked answer(struct pick *p, bool ok)
{
    if (!ok)
        return (struct picked){NULL, p->from, p->to - p->from};
    return (struct picked){p->c->found, 0, sort_once(p->c->found, p->n)};
}

/* Where more than half of all formulas ask for what is as open as it was to begin with, nothing is picked. */
static bool is_open(const struct cover *c, const struct iset *const *dom)
{
    uint32_t n = c->n_rest;
    for (uint32_t i = 0; i < c->n_axes && n <= c->n / 2; i++)
        n += dom[c->axes[i].var] == c->axes[i].dom ? c->axes[i].n_all : 0;
    return n > c->n / 2;
}

struct picked cover_may(struct cover *c, const struct iset *const *dom, uint32_t from, uint32_t to)
{
    struct pick p = {.c = c, .from = from, .to = to, .most = (to - from) / 2};
    bool ok = !is_open(c, dom) && pick_list(&p, c->rest, c->n_rest);
    for (uint32_t i = 0; i < c->n_axes && ok; i++)
        ok = pick_domain(&p, &c->axes[i], dom[c->axes[i].var]);
    return answer(&p, ok);
}

/* What is true for all of a domain is so for its first class. */
struct picked cover_sure(struct cover *c, const struct iset *const *dom, uint32_t from, uint32_t to)
{
    struct pick p = {.c = c, .from = from, .to = to, .most = (to - from) / 2};
    bool ok = pick_list(&p, c->rest, c->n_rest);
    for (uint32_t i = 0; i < c->n_axes && ok; i++) {
        const struct axis *a = &c->axes[i];
        const struct iset *is = dom[a->var];
        ok = (a->never_sure && is == a->dom) || pick_piece(&p, a, piece_of(a, is->v[0].lo));
    }
    return answer(&p, ok);
}

struct picked cover_of(struct cover *c, const uint32_t *choice, uint32_t from, uint32_t to)
{
    struct pick p = {.c = c, .from = from, .to = to, .most = (to - from) / 2};
    bool ok = pick_list(&p, c->rest, c->n_rest);
    for (uint32_t i = 0; i < c->n_axes && ok; i++)
        ok = pick_piece(&p, &c->axes[i], piece_of(&c->axes[i], choice[c->axes[i].var]));
    return answer(&p, ok);
}
