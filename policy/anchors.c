/* From values to rules; see anchors.h. Each value that was met names the rules that are anchored at it; what
 * else they ask stands in a few numbers behind each other, so that a rule is refused or found within a line
 * or two of the cache. Most are refused before that, by their sign and one more value. */
#include "policy/anchors.h"

struct hunt {
    const struct query *q;
    const struct image *m;
    const struct img_table *t;
    struct gaps gaps;
    bool first;
    uint64_t sign; /* of what was met, where an anchor has its own */
    uint32_t end;  /* rules from here on do not matter any more */
    uint32_t *found;
    unsigned n;
    uint32_t made;            /* dimensions, as bits, of which there is: */
    uint64_t seen[DIM_N + 1]; /* img_seen() of what was met; all bits, where that is not known */
};

/* ---- what a rule asks ---- */

static bool has_token(const uint32_t *v, uint32_t n, uint32_t token)
{
    while (n > 1) {
        uint32_t half = n / 2;
        v += v[half] <= token ? half : 0;
        n -= half;
    }
    return n && *v == token;
}

static bool meets(const struct tokens *k, const uint32_t *v, uint32_t n)
{
    if (n == 1 && !(k->seen & img_seen(*v)))
        return false;
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++) {
            if (has_token(v, n, k->run[r].v[i]))
                return true;
        }
    }
    return false;
}

/* In order of rules, each once: it may have been met by two values. */
static void keep(struct hunt *h, uint32_t rule)
{
    unsigned at = h->n;
    while (at && h->found[at - 1] > rule)
        at--;
    if (at && h->found[at - 1] == rule)
        return;
    if (h->n == ANCHORS_MOST) {
        h->n = ANCHORS_MANY;
        h->end = 0;
        return;
    }
    for (unsigned i = h->n++; i > at; i--)
        h->found[i] = h->found[i - 1];
    h->found[at] = rule;
    __builtin_prefetch(match_rule(h->q, rule));
}

static void try_rule(struct hunt *h, const struct img_anchor *anchor)
{
    const uint32_t *v = h->m->NUMBERS + anchor->asks;
    uint32_t head = *v++, rule = anchor->rule;
    bool certain = !(head & IMG_ASKS_TIMED);
    if (h->q->forbids && !(head & IMG_ASKS_FORBID))
        return;
    for (uint32_t left = head >> IMG_ASKS_SHIFT; left; left--) {
        uint32_t clause = *v++, n = clause >> IMG_CLAUSE_SHIFT, d = clause & IMG_CLAUSE_DIM;
        bool except = clause & IMG_CLAUSE_EXCEPT;
        if (h->gaps.dead >> d & 1)
            return;
        if (h->gaps.open >> d & 1)
            certain = false;
        else if (meets(tokens_of(h->q->a, (enum dim)d), v, n) == except)
            return;
        v += n;
    }
    keep(h, rule);
    if (certain && h->first && rule < h->end)
        h->end = rule;
}

/* ---- rules by what was met ---- */

/* Whether it has something in common in each sign with what was met: one bit of each place is its carry. */
static bool signs_met(const struct hunt *h, const struct img_anchor *a)
{
    const uint64_t high = UINT64_C(0x8000000080008000);
    uint64_t met = a->sign & h->sign;
    return (((met & ~high) + ~high) | met | ~high) == ~UINT64_C(0);
}

static uint64_t seen_in(struct hunt *h, unsigned d)
{
    if (!(h->made >> d & 1)) {
        bool known = d < DIM_N && !((h->gaps.open | h->gaps.dead) >> d & 1);
        h->made |= UINT32_C(1) << d;
        h->seen[d] = known ? tokens_of(h->q->a, (enum dim)d)->seen : ~UINT64_C(0);
    }
    return h->seen[d];
}

static void try_run(struct hunt *h, struct img_run run)
{
    const struct img_anchor *a = h->m->ANCHORS + run.at, *end = a + run.n;
    for (; a < end && a->rule < h->end; a++) {
        if (signs_met(h, a) && seen_in(h, a->also >> IMG_ALSO_SHIFT) >> a->also % IMG_SEEN & 1 &&
            a->rule >= h->q->from)
            try_rule(h, a);
    }
}

/* Runs that wait to be tried, fetched meanwhile. */
enum { RUNS_MOST = 32 };
struct waiting {
    struct hunt *h;
    unsigned n;
    struct img_run run[RUNS_MOST];
};

static void try_waiting(struct waiting *w)
{
    for (unsigned i = 0; i < w->n; i++)
        try_run(w->h, w->run[i]);
    w->n = 0;
}

static inline void wait_run(struct waiting *w, struct img_run run)
{
    if (w->n == RUNS_MOST)
        try_waiting(w);
    __builtin_prefetch(w->h->m->ANCHORS + run.at);
    w->run[w->n++] = run;
}

static void try_dim(struct waiting *w, enum dim d)
{
    struct hunt *h = w->h;
    const struct img_dim *dim = &h->t->dim[d];
    const struct tokens *k = tokens_of(h->q->a, d);
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++) {
            if (k->run[r].v[i] >= dim->tokens.n)
                continue;
            struct img_run run = h->m->TOKENS[dim->tokens.at + k->run[r].v[i]].anchors;
            if (run.n)
                wait_run(w, run);
        }
    }
}

/* Where nothing was met: so that what does not ask has something in common with it. */
static uint64_t sign_of(const struct hunt *h, enum img_sign s)
{
    enum dim d = img_sign_dim(s);
    if (!(h->t->asked >> d & 1) || h->gaps.open >> d & 1)
        return img_sign_all(s);
    uint64_t met = h->gaps.dead >> d & 1 ? 0 : img_sign_of(s, tokens_of(h->q->a, d)->seen);
    return met ? met : img_sign_all(s) & -img_sign_all(s);
}

unsigned anchors_find(const struct query *q, struct gaps gaps, bool first, uint32_t out[ANCHORS_MOST])
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    struct hunt h; /* of its arrays only what was made is read: clearing them would be felt */
    struct waiting w;
    w.h = &h;
    w.n = 0;
    h.q = q;
    h.m = m;
    h.t = t;
    h.gaps = gaps;
    h.first = first;
    h.end = t->rules.n;
    h.found = out;
    h.n = 0;
    h.made = 0;
    h.sign = sign_of(&h, SIGN_CATEGORY) | sign_of(&h, SIGN_FROM) | sign_of(&h, SIGN_FOR);
    for (uint32_t left = t->anchored & ~gaps.dead; left; left &= left - 1)
        try_dim(&w, (enum dim)__builtin_ctz(left));
    if (t->loose.n)
        wait_run(&w, t->loose);
    try_waiting(&w);
    return h.n;
}
