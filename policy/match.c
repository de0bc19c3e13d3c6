/* The bit sets of a table; see match.h. Per dimension one set of the rules that can still match, used in
 * place where one value alone was met and joined on the stack otherwise. What time takes away is applied
 * last, so that rules which only it keeps out are seen: a verdict says until when it holds. */
#include "policy/match.h"

#include "policy/words.h"

enum { MOST_WORDS = LIM_POLICY_RULES / 64 + IMG_BLOCK_WORDS };

/* Two words of a bit set; the compiler makes vector instructions of it, whatever the processor has. Blocks
 * are written out as four of them: kept in registers, they take a third of the time of an array. */
typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
_Static_assert(IMG_BLOCK_WORDS == 8, "a block is four pairs");

static inline const pair *pairs(const uint64_t *bits)
{
    return (const pair *)(const void *)bits;
}

static inline pair *own_pairs(uint64_t *bits)
{
    return (pair *)(void *)bits;
}

/* ---- the rules of a dimension that can match ---- */

struct joined {
    const struct image *m;
    const struct img_table *t;
    const uint64_t *bits; /* as it stands; in place or `own` */
    uint64_t *own;        /* n_words on the stack */
    bool untouched;       /* `bits` is still "do not ask" */
};

static void make_own(struct joined *j)
{
    if (j->bits != j->own)
        memcpy(j->own, j->bits, j->t->n_words * sizeof *j->own);
    j->bits = j->own;
}

static void join_accept(struct joined *j, struct img_run set)
{
    if (set.n == 0)
        return;
    if (set.n == IMG_DENSE && j->untouched) { /* has the "do not ask" bits in it */
        j->bits = &j->m->BITS[set.at];
    } else if (set.n == IMG_DENSE) {
        make_own(j);
        for (uint32_t w = 0; w < j->t->n_words / 2; w++)
            own_pairs(j->own)[w] |= pairs(&j->m->BITS[set.at])[w];
    } else {
        make_own(j);
        for (uint32_t i = 0; i < set.n; i++) {
            uint32_t rule = j->m->NUMBERS[set.at + i];
            j->own[rule / 64] |= UINT64_C(1) << (rule % 64);
        }
    }
    j->untouched = false;
}

static void join_except(struct joined *j, struct img_run set)
{
    if (set.n == 0)
        return;
    make_own(j);
    if (set.n == IMG_DENSE) {
        for (uint32_t w = 0; w < j->t->n_words / 2; w++)
            own_pairs(j->own)[w] &= ~pairs(&j->m->BITS[set.at])[w];
        return;
    }
    for (uint32_t i = 0; i < set.n; i++) {
        uint32_t rule = j->m->NUMBERS[set.at + i];
        j->own[rule / 64] &= ~(UINT64_C(1) << (rule % 64));
    }
}

/* All accepted first, then the exceptions: what is excepted stays out whatever else was met. */
static const uint64_t *join(const struct query *q, enum dim d, uint64_t *own)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    const struct img_dim *dim = &t->dim[d];
    struct joined j = {.m = m, .t = t, .bits = &m->BITS[dim->dont_care], .own = own, .untouched = true};
    const struct tokens *k = tokens_of(q->a, d);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned r = 0; r < k->n_runs; r++) {
            for (uint32_t i = 0; i < k->run[r].n; i++) {
                if (k->run[r].v[i] >= dim->tokens.n)
                    continue;
                const struct img_token *token = &m->TOKENS[dim->tokens.at + k->run[r].v[i]];
                if (pass == 0)
                    join_accept(&j, token->accept);
                else
                    join_except(&j, token->except);
            }
        }
    }
    return j.bits;
}

/* Rules that hold at this time by their `since` and `until`: the nearest set before it, and what has changed
 * from there on. */
static const uint64_t *join_dates(const struct query *q, uint64_t *own)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    const struct img_date *d = &m->DATES[t->dates.at];
    uint32_t a = 0, b = t->dates.n; /* dates before a have come */
    while (a < b) {
        uint32_t mid = a + (b - a) / 2;
        if (d[mid].at <= q->a->f->time_s)
            a = mid + 1;
        else
            b = mid;
    }
    const uint64_t *set = &m->BITS[t->date_bits + a / IMG_DATE_STEP * t->n_words];
    if (a % IMG_DATE_STEP == 0)
        return set;
    memcpy(own, set, t->n_words * sizeof *own);
    for (uint32_t i = a / IMG_DATE_STEP * IMG_DATE_STEP; i < a; i++) {
        uint64_t bit = UINT64_C(1) << (d[i].rule % 64), *word = &own[d[i].rule / 64];
        *word = d[i].on ? *word | bit : *word & ~bit;
    }
    return own;
}

/* ---- the rules that match ---- */

struct sets {
    const uint64_t *known[DIM_N + 2]; /* to be ANDed */
    unsigned n_known;
    const uint64_t *time[2]; /* schedules and dates: to be ANDed last */
    unsigned n_time;
    enum dim open[DIM_N]; /* dimensions whose facts are missing and may come */
    unsigned n_open;
};

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

/* Facts that this rule waits for: 0 when it asks about none of the open dimensions. */
static uint64_t waits_of(const struct query *q, const struct sets *s, uint32_t rule)
{
    const struct image *m = q->a->m;
    uint64_t waits = 0;
    for (unsigned i = 0; i < s->n_open; i++) {
        const uint64_t *free_bits = &m->BITS[m->TABLES[q->table].dim[s->open[i]].free];
        if (!(free_bits[rule / 64] >> (rule % 64) & 1))
            waits |= dim_needs(s->open[i]) & ~q->a->f->known;
    }
    return waits;
}

static bool visit(const struct query *q, const struct sets *s, uint32_t rule, struct visitor *v)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    uint64_t waits = s->n_open ? waits_of(q, s, rule) : 0;
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

/* A rule that has a time was met, whether it holds now or not: the answer may change when that does. */
static void note_time(const struct query *q, uint32_t rule)
{
    const struct img_rule *r = match_rule(q, rule);
    int64_t now = q->a->f->time_s;
    if (now >= r->until)
        return; /* never again */
    if (now < r->since) {
        asking_until(q->a, r->since);
        return;
    }
    asking_until(q->a, r->until);
    for (uint32_t i = 0; i < r->schedules.n; i++)
        asking_until(q->a, asking_schedule_next(q->a, q->a->m->NUMBERS[r->schedules.at + i]));
}

/* Goes through the rules of one word that only time may keep out; true when a visitor stops. */
static bool try_word(const struct query *q, const struct sets *s, uint32_t word, uint64_t bits,
                     struct visitor *v)
{
    const struct image *m = q->a->m;
    uint64_t timed = m->BITS[m->TABLES[q->table].timed + word], on = bits;
    for (unsigned i = 0; i < s->n_time; i++)
        on &= s->time[i][word];
    if (q->timeless) {
        on &= ~timed;
        timed = 0;
    }
    for (bits &= on | timed; bits; bits &= bits - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(bits);
        uint32_t rule = word * 64 + bit;
        if (timed >> bit & 1)
            note_time(q, rule);
        if ((on >> bit & 1) && visit(q, s, rule, v))
            return true;
    }
    return false;
}

/* The AND of one block; false when nothing is left. */
static inline bool and_block(const struct sets *s, uint32_t word, uint64_t out[IMG_BLOCK_WORDS])
{
    const pair *p = pairs(s->known[0] + word);
    pair a = p[0], b = p[1], c = p[2], d = p[3];
    for (unsigned i = 1; i < s->n_known; i++) {
        p = pairs(s->known[i] + word);
        a &= p[0];
        b &= p[1];
        c &= p[2];
        d &= p[3];
    }
    pair any = a | b | c | d;
    if ((any[0] | any[1]) == 0)
        return false;
    pair *to = own_pairs(out);
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    return true;
}

static void walk_blocks(const struct query *q, const struct sets *s, struct visitor *v)
{
    const struct img_table *t = &q->a->m->TABLES[q->table];
    uint64_t left[IMG_BLOCK_WORDS];
    uint32_t first = q->from / 64;
    for (uint32_t w = first / IMG_BLOCK_WORDS * IMG_BLOCK_WORDS; w < t->n_words; w += IMG_BLOCK_WORDS) {
        if (!and_block(s, w, left))
            continue;
        for (uint32_t i = 0; i < IMG_BLOCK_WORDS; i++) {
            if (w + i < first)
                continue;
            if (w + i == first)
                left[i] &= ~UINT64_C(0) << (q->from % 64);
            if (left[i] && try_word(q, s, w + i, left[i], v))
                return;
        }
    }
}

static void walk(const struct query *q, struct visitor *v)
{
    const struct image *m = q->a->m;
    const struct img_table *t = &m->TABLES[q->table];
    uint64_t own[(DIM_N + 1) * MOST_WORDS]; /* packed: what is used of it stays in the nearest cache */
    struct sets s;
    s.n_known = s.n_time = s.n_open = 0; /* the arrays need no zeros, and clearing them would be felt */
    for (uint32_t asked = t->asked; asked; asked &= asked - 1) {
        enum dim d = (enum dim)__builtin_ctz(asked);
        uint64_t missing = dim_needs(d) & ~q->a->f->known;
        if (d == DIM_SCHEDULE && q->timeless)
            continue;
        if (d == DIM_SCHEDULE)
            s.time[s.n_time++] = join(q, d, own + d * t->n_words);
        else if (!missing)
            s.known[s.n_known++] = join(q, d, own + d * t->n_words);
        else if (missing & (q->hope | q->a->f->lost))
            s.open[s.n_open++] = d;
        else
            s.known[s.n_known++] = &m->BITS[t->dim[d].free];
    }
    if (t->dates.n && !q->timeless)
        s.time[s.n_time++] = join_dates(q, own + DIM_N * t->n_words);
    if (q->forbids)
        s.known[s.n_known++] = &m->BITS[t->forbids];
    if (s.n_known == 0)
        s.known[s.n_known++] = &m->BITS[t->all];
    walk_blocks(q, &s, v);
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
