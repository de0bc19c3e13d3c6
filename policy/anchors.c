/* From values to rules; see anchors.h. Each value that was met names the rules that are anchored at it; what
 * else they ask stands in a few numbers behind each other, so that a rule is refused or found within a line
 * or two of the cache. Most are refused before that, by their sign. */
#include "policy/anchors.h"

struct hunt {
    const struct query *q;
    const struct image *m;
    const struct img_table *t;
    struct gaps gaps;
    bool first;
    uint16_t sign[SIGN_N]; /* of what was met */
    uint32_t end;          /* rules from here on do not matter any more */
    uint32_t *found;
    unsigned n;
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
    if (n == 1 && !(k->seen & tokens_seen(*v)))
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
    if (h->n < ANCHORS_MOST) {
        memmove(h->found + at + 1, h->found + at, (h->n - at) * sizeof *h->found);
        h->found[at] = rule;
        h->n++;
    } else {
        h->n = ANCHORS_MANY;
        h->end = 0;
    }
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

static void try_run(struct hunt *h, struct img_run run)
{
    const struct img_anchor *a = h->m->ANCHORS + run.at, *end = a + run.n;
    for (; a < end && a->rule < h->end; a++) {
        if ((a->sign[SIGN_CATEGORY] & h->sign[SIGN_CATEGORY]) && (a->sign[SIGN_FOR] & h->sign[SIGN_FOR]) &&
            (a->sign[SIGN_FROM] & h->sign[SIGN_FROM]) && a->rule >= h->q->from)
            try_rule(h, a);
    }
}

static void try_dim(struct hunt *h, enum dim d)
{
    const struct img_dim *dim = &h->t->dim[d];
    const struct tokens *k = tokens_of(h->q->a, d);
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++) {
            if (k->run[r].v[i] < dim->tokens.n)
                try_run(h, h->m->TOKENS[dim->tokens.at + k->run[r].v[i]].anchors);
        }
    }
}

static uint16_t sign_of(const struct hunt *h, enum dim d)
{
    if (!(h->t->asked >> d & 1) || h->gaps.dead >> d & 1)
        return IMG_SIGN_ANY;
    if (h->gaps.open >> d & 1)
        return UINT16_MAX;
    uint64_t seen = tokens_of(h->q->a, d)->seen;
    seen |= seen >> 2 * IMG_SIGN_VALUES;
    return (uint16_t)((seen | seen >> IMG_SIGN_VALUES) % IMG_SIGN_ANY | IMG_SIGN_ANY);
}

unsigned anchors_find(const struct query *q, struct gaps gaps, bool first, uint32_t out[ANCHORS_MOST])
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    struct hunt h = {.q = q, .m = m, .t = t, .gaps = gaps, .first = first, .end = t->rules.n, .found = out};
    for (unsigned s = 0; s < SIGN_N; s++)
        h.sign[s] = sign_of(&h, img_sign_dim(s));
    for (uint32_t left = t->anchored & ~gaps.dead; left; left &= left - 1)
        try_dim(&h, (enum dim)__builtin_ctz(left));
    try_run(&h, t->loose);
    return h.n;
}
