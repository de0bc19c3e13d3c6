/* The bit sets of a table; see match.h. Per dimension one set of the rules that can still match, used in
 * place where dense sets alone were met and joined on the stack otherwise. Time is asked about last, rule by
 * rule: one that it alone keeps out is seen, as a verdict says until when it holds.
 *
 * Categories that the path may add make their dimensions half known: its set is then of the rules that may
 * match, and a second one of those that do whatever the path is; a rule in the first alone is open. */
#include "policy/match.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "policy/anchors.h"
#include "policy/words.h"

enum { MOST_WORDS = LIM_POLICY_RULES / 64 + IMG_BLOCK_WORDS, MOST_HALF = 2 /* CATEGORY, CATEGORY2 */ };

/* Four words of a bit set: one register where the processor has AVX2, else two. A block is two of them, kept
 * in registers while the dimensions are ANDed. */
typedef uint64_t quad __attribute__((vector_size(32), aligned(8), may_alias));
_Static_assert(IMG_BLOCK_WORDS == 8, "a block is two quads");

static inline const quad *quads(const uint64_t *bits)
{
    return (const quad *)(const void *)bits;
}

/* A block in memory. */
struct stripe {
    uint64_t w[IMG_BLOCK_WORDS];
};

#define INLINE __attribute__((always_inline)) static inline

/* ---- the rules of a dimension that can match ---- */

/* Dense sets are joined when a block of them is looked at: most tables are left after a few blocks. Lists and
 * exceptions, or more sets than this, make a set of our own beforehand. */
enum { MOST_SETS = 12 };

struct dim_sets {
    const uint64_t *base; /* rules that match whatever was met */
    unsigned n_accept;
    const uint64_t *accept[MOST_SETS];
};

/* What is not accepted as a dense set. */
struct others {
    unsigned n_list, n_except;
    struct img_run list[MOST_SETS], except[MOST_SETS];
};

/* False when there are too many. A dense set of what is accepted has the base in it. */
static bool collect(const struct image *m, const struct img_dim *dim, const struct tokens *k,
                    struct dim_sets *s, struct others *o)
{
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++) {
            if (k->run[r].v[i] >= dim->tokens.n)
                continue;
            const struct img_token *t = &m->TOKENS[dim->tokens.at + k->run[r].v[i]];
            if (s->n_accept == MOST_SETS || o->n_list == MOST_SETS || o->n_except == MOST_SETS)
                return false;
            if (t->accept.n == IMG_DENSE)
                s->accept[s->n_accept++] = &m->BITS[t->accept.at];
            else if (t->accept.n)
                o->list[o->n_list++] = t->accept;
            if (t->except.n)
                o->except[o->n_except++] = t->except;
        }
    }
    return true;
}

static void add_set(const struct image *m, struct img_run set, uint64_t *own, uint32_t n_words)
{
    const uint64_t *from = &m->BITS[set.n == IMG_DENSE ? set.at : 0];
    for (uint32_t w = 0; set.n == IMG_DENSE && w < n_words; w++)
        own[w] |= from[w];
    for (uint32_t i = 0; set.n != IMG_DENSE && i < set.n; i++) {
        uint32_t rule = m->NUMBERS[set.at + i];
        own[rule / 64] |= UINT64_C(1) << (rule % 64);
    }
}

static void remove_set(const struct image *m, struct img_run set, uint64_t *own, uint32_t n_words)
{
    const uint64_t *from = &m->BITS[set.n == IMG_DENSE ? set.at : 0];
    for (uint32_t w = 0; set.n == IMG_DENSE && w < n_words; w++)
        own[w] &= ~from[w];
    for (uint32_t i = 0; set.n != IMG_DENSE && i < set.n; i++) {
        uint32_t rule = m->NUMBERS[set.at + i];
        own[rule / 64] &= ~(UINT64_C(1) << (rule % 64));
    }
}

/* All accepted first, then the exceptions: what is excepted stays out whatever else was met. */
static void join(const struct image *m, const struct img_table *t, const struct img_dim *dim,
                 const struct tokens *k, uint64_t *own)
{
    memcpy(own, &m->BITS[dim->dont_care], t->n_words * sizeof *own);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned r = 0; r < k->n_runs; r++) {
            for (uint32_t i = 0; i < k->run[r].n; i++) {
                if (k->run[r].v[i] >= dim->tokens.n)
                    continue;
                const struct img_token *token = &m->TOKENS[dim->tokens.at + k->run[r].v[i]];
                if (pass == 0)
                    add_set(m, token->accept, own, t->n_words);
                else
                    remove_set(m, token->except, own, t->n_words);
            }
        }
    }
}

/* The same from few sets; what is accepted as dense sets stays apart as long as nothing is excepted. */
static void join_few(const struct image *m, const struct others *o, uint32_t n_words, uint64_t *own,
                     struct dim_sets *s)
{
    memcpy(own, s->base, n_words * sizeof *own);
    s->base = own;
    for (unsigned i = 0; i < o->n_list; i++)
        add_set(m, o->list[i], own, n_words);
    for (; o->n_except && s->n_accept; s->n_accept--) {
        for (uint32_t w = 0; w < n_words; w++)
            own[w] |= s->accept[s->n_accept - 1][w];
    }
    for (unsigned i = 0; i < o->n_except; i++)
        remove_set(m, o->except[i], own, n_words);
}

/* ---- categories that the path may add ---- */

/* Calls fn for the token of every category that may be added, and for that of "in none" where this may cease
 * to be so. */
static void each_may(const struct query *q, const struct img_dim *dim,
                     void (*fn)(void *arg, const struct img_token *t), void *arg)
{
    const struct image *m = q->a->m;
    const struct facts *f = q->a->f;
    for (unsigned used = f->may_used; used; used &= used - 1) {
        unsigned w = (unsigned)__builtin_ctz(used);
        for (uint64_t left = f->may[w]; left; left &= left - 1) {
            uint32_t c = w * 64 + (unsigned)__builtin_ctzll(left);
            if (c < m->n_CATS && c < dim->tokens.n)
                fn(arg, &m->TOKENS[dim->tokens.at + c]);
        }
    }
    if (f->n_cats == 0 && m->n_CATS < dim->tokens.n)
        fn(arg, &m->TOKENS[dim->tokens.at + m->n_CATS]);
}

struct halving {
    const struct image *m;
    uint32_t n_words;
    uint64_t *may, *sure;
};

static void half_accept(void *arg, const struct img_token *t)
{
    const struct halving *h = arg;
    add_set(h->m, t->accept, h->may, h->n_words);
}

static void half_except(void *arg, const struct img_token *t)
{
    const struct halving *h = arg;
    remove_set(h->m, t->except, h->sure, h->n_words);
}

/* Rules that may match and those that do for certain, in a large table. */
static void join_half(const struct query *q, const struct img_dim *dim, uint64_t *may, uint64_t *sure)
{
    static const struct tokens nothing;
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    const struct tokens *k = q->a->f->n_cats ? tokens_of(q->a, DIM_CATEGORY) : &nothing;
    struct halving h = {m, t->n_words, may, sure};
    join(m, t, dim, k, sure);
    memcpy(may, sure, t->n_words * sizeof *may);
    each_may(q, dim, half_accept, &h);
    for (uint32_t i = 0; i < k->n_own; i++) { /* what is excepted for certain stays out */
        if (k->own[i] < dim->tokens.n)
            remove_set(m, m->TOKENS[dim->tokens.at + k->own[i]].except, may, t->n_words);
    }
    each_may(q, dim, half_except, &h);
}

static void half_bits(void *arg, const struct img_token *t)
{
    uint64_t *bits = arg;
    bits[0] |= t->accept_bits;
    bits[1] |= t->except_bits;
}

static void prepare(const struct query *q, enum dim d, uint64_t *own, struct dim_sets *s)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    const struct img_dim *dim = &t->dim[d];
    struct others o;
    o.n_list = o.n_except = s->n_accept = 0;
    if (dim_needs(d) & ~q->a->f->known) { /* it will not come: what asks about it does not match */
        s->base = &m->BITS[dim->free];
        return;
    }
    const struct tokens *k = tokens_of(q->a, d);
    s->base = &m->BITS[dim->dont_care];
    if (collect(m, dim, k, s, &o)) {
        if (s->n_accept)
            s->base = s->accept[--s->n_accept];
        if (o.n_list || o.n_except)
            join_few(m, &o, t->n_words, own, s);
        return;
    }
    s->n_accept = 0;
    s->base = own;
    join(m, t, dim, k, own);
}

INLINE void and_block(const struct dim_sets *s, uint32_t word, quad *lo, quad *hi)
{
    const quad *p = quads(s->base + word);
    quad a = p[0], b = p[1];
    for (unsigned i = 0; i < s->n_accept; i++) {
        p = quads(s->accept[i] + word);
        a |= p[0];
        b |= p[1];
    }
    *lo &= a;
    *hi &= b;
}

/* ---- the rules that match ---- */

struct sets {
    uint32_t asked; /* dimensions, as bits */
    uint32_t open;  /* those whose facts are missing and may come */
    bool half;      /* dimensions of categories are half known */
    unsigned n_half;
    const uint64_t *sure[MOST_HALF]; /* rules that match in them for certain */
    /* of a table that is gone through: dimensions asked first, as long as rules are left */
    unsigned n_prepared;
    uint32_t unprepared;
    struct dim_sets dim[DIM_N];
    uint64_t *own; /* room for DIM_N + MOST_HALF sets */
};

static bool is_half(const struct sets *s, enum dim d)
{
    return s->half && tokens_dim(d) == DIM_CATEGORY;
}

/* A dimension that is half known. */
static void prepare_half(const struct query *q, struct sets *s, enum dim d, uint64_t *own,
                         struct dim_sets *out)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    uint64_t *sure = s->own + (size_t)(DIM_N + s->n_half) * t->n_words;
    join_half(q, &t->dim[d], own, sure);
    s->sure[s->n_half++] = sure;
    *out = (struct dim_sets){.base = own};
}

/* What a walk over the matching rules does with each; true: stop. */
struct visitor {
    struct found found;
    struct verdict *out;
    match_fn fn; /* NULL: the first that matches is looked for */
    void *arg;
};

static void step_trail(struct verdict *out, uint32_t rule, uint8_t match, uint64_t waits)
{
    unsigned at = out->n_trail < TRAIL_MAX ? out->n_trail++ : TRAIL_MAX - 1;
    out->trail[at] = (struct trail_step){rule, match, waits};
}

/* Facts that this rule waits for: 0 when it matches for certain. */
static uint64_t waits_of(const struct query *q, const struct sets *s, uint32_t rule)
{
    const struct image *m = q->a->m;
    uint64_t waits = 0;
    for (uint32_t open = s->open; open; open &= open - 1) {
        enum dim d = (enum dim)__builtin_ctz(open);
        const uint64_t *free_bits = &m->BITS[m->TABLES[q->table].dim[d].free];
        if (!(free_bits[rule / 64] >> (rule % 64) & 1))
            waits |= dim_needs(d) & ~q->a->f->known;
    }
    for (unsigned i = 0; i < s->n_half; i++) {
        if (!(s->sure[i][rule / 64] >> (rule % 64) & 1))
            waits |= FACT_BIT(PATH);
    }
    return waits;
}

static bool visit(const struct query *q, const struct sets *s, uint32_t rule, struct visitor *v)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    uint64_t waits = s->open || s->n_half ? waits_of(q, s, rule) : 0;
    if (v->fn)
        return !waits && v->fn(v->arg, rule);
    if (v->out)
        step_trail(v->out, t->rules.at + rule, waits ? 2 : 1, waits);
    v->found.waits |= waits;
    if (waits) {
        uint8_t verb = match_rule(q, rule)->verb;
        bool lifts = verb != VERB_BLOCK && verb != VERB_FORBID;
        v->found.may_allow |= lifts && rule >= t->lead;
        v->found.may_grant |= lifts && rule < t->lead;
        return false;
    }
    v->found.hit = true;
    v->found.rule = rule;
    return true;
}

/* Whether one of the rule's schedules is active, or none of those it is outside of. */
static bool in_schedule(const struct query *q, const struct img_rule *r, uint32_t rule)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    const struct img_dim *d = &t->dim[DIM_SCHEDULE];
    if (!(t->asked >> DIM_SCHEDULE & 1))
        return true;
    bool in = m->BITS[d->dont_care + rule / 64] >> (rule % 64) & 1, out = false;
    for (uint32_t i = 0; i < r->schedules.n; i++) {
        uint32_t schedule = m->NUMBERS[r->schedules.at + i];
        const struct schedule_state *state = asking_schedule(q->a, schedule);
        asking_until(q->a, state->next);
        if (!state->active || schedule >= d->tokens.n)
            continue;
        in |= image_accepts(m, t, &m->TOKENS[d->tokens.at + schedule], rule);
        out |= image_excepts(m, t, &m->TOKENS[d->tokens.at + schedule], rule);
    }
    return in && !out;
}

/* A rule that has a time was met. Whether it holds now or not: the answer may change when that does. */
static bool holds_now(const struct query *q, uint32_t rule)
{
    const struct img_rule *r = match_rule(q, rule);
    int64_t now = q->a->f->time_s;
    if (now >= r->until)
        return false; /* and never again */
    if (now < r->since) {
        asking_until(q->a, r->since);
        return false;
    }
    asking_until(q->a, r->until);
    return in_schedule(q, r, rule);
}

/* The rules of a small table that match in this dimension, whose facts are known. */
INLINE uint64_t small_known(const struct query *q, enum dim d)
{
    const struct image *m = q->a->m;
    const struct img_dim *dim = &m->TABLES[q->table].dim[d];
    const struct tokens *k = tokens_of(q->a, d);
    uint64_t accept = dim->dont_care_word, except = 0;
    if (!(k->seen & dim->named))
        return accept;
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++) {
            if (k->run[r].v[i] >= dim->tokens.n)
                continue;
            const struct img_token *t = &m->TOKENS[dim->tokens.at + k->run[r].v[i]];
            accept |= t->accept_bits;
            except |= t->except_bits;
        }
    }
    return accept & ~except;
}

static uint64_t small_dim(const struct query *q, enum dim d)
{
    if (dim_needs(d) & ~q->a->f->known) /* it will not come */
        return q->a->m->BITS[q->a->m->TABLES[q->table].dim[d].free];
    return small_known(q, d);
}

/* The same where the dimension is half known; `sure`: those that match for certain. */
static uint64_t small_half(const struct query *q, enum dim d, uint64_t *sure)
{
    const struct image *m = q->a->m;
    const struct img_dim *dim = &m->TABLES[q->table].dim[d];
    uint64_t certain[2] = {m->BITS[dim->dont_care], 0}, possible[2] = {0, 0};
    const struct tokens *k = tokens_of(q->a, d);
    for (uint32_t i = 0; q->a->f->n_cats && i < k->n_own; i++) {
        if (k->own[i] < dim->tokens.n)
            half_bits(certain, &m->TOKENS[dim->tokens.at + k->own[i]]);
    }
    each_may(q, dim, half_bits, possible);
    *sure = certain[0] & ~certain[1] & ~possible[1];
    return (certain[0] | possible[0]) & ~certain[1];
}

/* Goes through the rules of one word that only time may keep out; true when a visitor stops. */
static bool try_word(const struct query *q, const struct sets *s, uint32_t word, uint64_t bits,
                     struct visitor *v)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    uint64_t timed = img_is_small(t->rules.n) ? t->timed_word : m->BITS[t->timed + word];
    for (bits &= q->timeless ? ~timed : ~UINT64_C(0); bits; bits &= bits - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(bits);
        uint32_t rule = word * 64 + bit;
        if (timed >> bit & 1 && !holds_now(q, rule))
            continue;
        if (visit(q, s, rule, v))
            return true;
    }
    return false;
}

/* The next dimension of those that are asked. */
__attribute__((noinline)) static void prepare_next(const struct query *q, struct sets *s)
{
    enum dim d = (enum dim)__builtin_ctz(s->unprepared);
    uint64_t *own = s->own + (size_t)s->n_prepared * q->a->m->TABLES[q->table].n_words;
    struct dim_sets *out = &s->dim[s->n_prepared++];
    s->unprepared &= s->unprepared - 1;
    if (is_half(s, d))
        prepare_half(q, s, d, own, out);
    else
        prepare(q, d, own, out);
}

typedef bool (*empty_fn)(const quad *q);

static inline bool empty_any(const quad *q)
{
    return ((*q)[0] | (*q)[1] | (*q)[2] | (*q)[3]) == 0;
}

/* The first block at or after `word` in which all dimensions but time leave rules, and these; or n_words. */
INLINE uint32_t next_block(const struct query *q, struct sets *s, uint32_t word, struct stripe *left,
                           empty_fn empty)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    const uint64_t *all = &q->a->m->BITS[q->forbids ? t->forbids : t->all];
    const uint32_t n_words = t->n_words;
    for (; word < n_words; word += IMG_BLOCK_WORDS) {
        quad a = quads(all + word)[0], b = quads(all + word)[1], any;
        for (uint32_t i = 0; i < s->n_prepared; i++)
            and_block(&s->dim[i], word, &a, &b);
        for (any = a | b; s->unprepared && !empty(&any); any = a | b) {
            prepare_next(q, s);
            and_block(&s->dim[s->n_prepared - 1], word, &a, &b);
        }
        if (empty(&any))
            continue;
        memcpy(&left->w[0], &a, sizeof a);
        memcpy(&left->w[4], &b, sizeof b);
        return word;
    }
    return n_words;
}

#if defined(__x86_64__)
/* One instruction instead of seven: a third of the time of this loop. */
__attribute__((target("avx2"))) static inline bool empty_avx2(const quad *q)
{
    return _mm256_testz_si256((__m256i)*q, (__m256i)*q);
}

__attribute__((target("avx2"))) static uint32_t next_block_avx2(const struct query *q, struct sets *s,
                                                                uint32_t word, struct stripe *left)
{
    return next_block(q, s, word, left, empty_avx2);
}
#endif

static uint32_t next_block_any(const struct query *q, struct sets *s, uint32_t word, struct stripe *left)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return next_block_avx2(q, s, word, left);
#endif
    return next_block(q, s, word, left, empty_any);
}

/* Goes through the rules of one block; true when a visitor stops. */
static bool try_block(const struct query *q, struct sets *s, uint32_t word, const struct stripe *left,
                      struct visitor *v)
{
    for (uint32_t i = 0; i < IMG_BLOCK_WORDS; i++) {
        uint64_t bits = left->w[i];
        if (!bits || word + i < q->from / 64)
            continue;
        if (word + i == q->from / 64)
            bits &= ~UINT64_C(0) << (q->from % 64);
        if (bits && try_word(q, s, word + i, bits, v))
            return true;
    }
    return false;
}

/* A large table, block by block. */
static void walk_blocks(const struct query *q, struct sets *s, struct visitor *v)
{
    uint64_t
        own[(DIM_N + MOST_HALF) * MOST_WORDS]; /* packed: what is used of it stays in the nearest cache */
    uint32_t w = q->from / 64 / IMG_BLOCK_WORDS * IMG_BLOCK_WORDS;
    struct stripe left;
    s->own = own;
    s->n_prepared = 0;
    s->unprepared = s->asked;
    while ((w = next_block_any(q, s, w, &left)) < q->a->m->TABLES[q->table].n_words) {
        if (try_block(q, s, w, &left, v))
            return;
        w += IMG_BLOCK_WORDS;
    }
}

/* A small table: its rules are one word. */
static void walk_word(const struct query *q, struct sets *s, struct visitor *v)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    uint64_t bits = m->BITS[q->forbids ? t->forbids : t->all] & ~UINT64_C(0) << q->from % 64;
    uint64_t sure[MOST_HALF];
    for (uint32_t asked = s->asked; bits && asked; asked &= asked - 1) {
        enum dim d = (enum dim)__builtin_ctz(asked);
        if (!is_half(s, d)) {
            bits &= small_dim(q, d);
            continue;
        }
        bits &= small_half(q, d, &sure[s->n_half]);
        s->sure[s->n_half] = &sure[s->n_half];
        s->n_half++;
    }
    if (bits)
        (void)try_word(q, s, 0, bits, v);
}

/* The same where all that its rules ask about is known: nothing is open. */
static void walk_known(const struct query *q, uint32_t asked, struct visitor *v)
{
    static const struct sets nothing_open;
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    uint64_t bits = (q->forbids ? m->BITS[t->forbids] : ~UINT64_C(0) >> (64 - t->rules.n)) & ~UINT64_C(0)
                                                                                                 << q->from;
    for (; bits && asked; asked &= asked - 1)
        bits &= small_known(q, (enum dim)__builtin_ctz(asked));
    if (bits)
        (void)try_word(q, &nothing_open, 0, bits, v);
}

/* What of a table cannot be asked. */
static struct gaps gaps_of(const struct query *q, uint32_t asked)
{
    struct gaps g = {0, 0};
    for (; asked; asked &= asked - 1) {
        enum dim d = (enum dim)__builtin_ctz(asked);
        uint64_t missing = dim_needs(d) & ~q->a->f->known;
        if (missing & (q->hope | q->a->f->lost))
            g.open |= UINT32_C(1) << d;
        else if (missing)
            g.dead |= UINT32_C(1) << d;
    }
    return g;
}

/* A large table whose rules are anchored; false where all of it must be gone through. */
static bool walk_anchors(const struct query *q, struct sets *s, struct gaps gaps, struct visitor *v)
{
    uint32_t found[ANCHORS_MOST];
    const struct img_table *t = &q->a->m->TABLES[q->table];
    if (!t->anchored || t->anchored & gaps.open || s->half)
        return false;
    unsigned n = anchors_find(q, gaps, !v->fn, found);
    if (n == ANCHORS_MANY)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (try_word(q, s, found[i] / 64, UINT64_C(1) << found[i] % 64, v))
            break;
    }
    return true;
}

/* Whether categories may yet be added. */
static bool half_known(const struct query *q)
{
    const struct facts *f = q->a->f;
    return f->may_used && FACT_BIT(PATH) & ~f->known & (q->hope | f->lost) && FACT_BIT(NAME) & f->known;
}

/* Its arrays need no zeros, and clearing them would be felt. */
static void begin(const struct query *q, uint32_t asked, struct gaps gaps, struct sets *s)
{
    s->open = gaps.open;
    s->asked = asked & ~gaps.open;
    s->n_half = 0;
    s->half = half_known(q);
}

static void walk_any(const struct query *q, uint32_t asked, struct visitor *v)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    struct gaps gaps = {0, 0};
    struct sets s;
    if (t->needs & ~q->a->f->known)
        gaps = gaps_of(q, asked);
    begin(q, asked, gaps, &s);
    if (img_is_small(t->rules.n))
        walk_word(q, &s, v);
    else if (!walk_anchors(q, &s, gaps, v))
        walk_blocks(q, &s, v);
}

static void walk(const struct query *q, struct visitor *v)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    const uint32_t asked = t->asked & ~(UINT32_C(1) << DIM_SCHEDULE); /* that: of the rules that are left */
    if (img_is_small(t->rules.n) && !(t->needs & ~q->a->f->known) && !half_known(q))
        walk_known(q, asked, v);
    else
        walk_any(q, asked, v);
}

static bool has_rules(const struct query *q)
{
    return q->from < q->a->m->TABLES[q->table].rules.n;
}

struct found match_first(const struct query *q, struct verdict *out)
{
    struct visitor v = {.out = out};
    if (has_rules(q))
        walk(q, &v);
    return v.found;
}

void match_all(const struct query *q, match_fn fn, void *arg)
{
    struct visitor v = {.fn = fn, .arg = arg};
    if (has_rules(q))
        walk(q, &v);
}
