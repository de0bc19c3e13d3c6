/* Where each rule of a large table is anchored, and what it asks besides; see index_dim.h. A rule is anchored
 * at the one of its conditions whose commonest value the fewest rules of the table share, so that a decision
 * looks at few rules however many there are. Where too many rules have no such condition, or the anchors
 * would take too much room, the table is not anchored, and its bit sets are ANDed as a whole. */
#include "policy/index_dim.h"

#include <stdlib.h>

#include "gw/base/obj.h"

/* Those whose facts are known as a rule; on equal terms the first. */
static const enum dim places[] = {DIM_CATEGORY, DIM_FOR, DIM_DOMAIN, DIM_FROM, DIM_TO};

/* Rules that one value may anchor, and that may have no anchor. */
static uint32_t most_rules(const struct index_table *x)
{
    return 64 + x->n_words;
}

/* Per rule how many rules its commonest value of the dimension has; 0: it has none. */
static void count_shared(const struct index_table *x, enum dim d, uint32_t *shared)
{
    memset(shared, 0, x->n_rules * sizeof *shared);
    for (uint32_t token = 0; token < x->accept[d].n; token++) {
        const struct index_list *l = &x->accept[d].v[token];
        for (uint32_t i = 0; i < l->n; i++) {
            if (l->n > shared[l->v[i]])
                shared[l->v[i]] = l->n;
        }
    }
}

static void choose(const struct index_table *x, struct index_anchors *a, uint32_t *shared, uint32_t *least)
{
    for (uint32_t rule = 0; rule < x->n_rules; rule++) {
        a->dim[rule] = DIM_N;
        least[rule] = most_rules(x) + 1;
    }
    for (size_t i = 0; i < N_ELEMS(places); i++) {
        count_shared(x, places[i], shared);
        for (uint32_t rule = 0; rule < x->n_rules; rule++) {
            if (shared[rule] == 0 || shared[rule] >= least[rule])
                continue;
            least[rule] = shared[rule];
            a->dim[rule] = (uint8_t)places[i];
        }
    }
}

static void sign_all(const struct index_table *x, enum img_sign s, struct img_anchor *anchor)
{
    enum dim d = img_sign_dim(s);
    for (uint32_t rule = 0; rule < x->n_rules; rule++)
        anchor[rule].sign |= index_bit(x->conditioned[d], rule) ? 0 : img_sign_all(s);
    for (uint32_t token = 0; token < x->accept[d].n; token++) {
        const struct index_list *l = &x->accept[d].v[token];
        for (uint32_t i = 0; i < l->n; i++)
            anchor[l->v[i]].sign |= img_sign_of(s, img_seen(token));
    }
}

static bool is_asked(const struct index_table *x, enum dim d)
{
    return x->asked[d] && d != DIM_SCHEDULE; /* schedules are asked of the rules that are left */
}

/* What the anchored rules would take: a record for every value of their anchors, a number for every other
 * value that they name. Rules may share long lists (a `host` with all its members), and each writes out its
 * own. */
static uint64_t anchored_bytes(const struct index_table *x, const struct index_anchors *a)
{
    uint64_t bytes = 0;
    for (unsigned d = 0; d < DIM_N; d++) {
        for (uint32_t token = 0; is_asked(x, d) && token < x->accept[d].n; token++) {
            const struct index_list *l = &x->accept[d].v[token];
            bytes += x->except[d].v[token].n * sizeof(uint32_t);
            for (uint32_t i = 0; i < l->n; i++)
                bytes += a->dim[l->v[i]] == d ? sizeof *a->anchor : sizeof(uint32_t);
        }
    }
    return bytes;
}

enum rc index_anchors_choose(const struct index_table *x, uint64_t *room, struct index_anchors *a)
{
    uint32_t loose = 0;
    *a = (struct index_anchors){NULL, NULL};
    if (img_is_small(x->n_rules))
        return RC_OK;
    AUTO_FREE uint32_t *shared = calloc(x->n_rules, sizeof *shared);
    AUTO_FREE uint32_t *least = calloc(x->n_rules, sizeof *least);
    a->dim = calloc(x->n_rules, sizeof *a->dim);
    a->anchor = calloc(x->n_rules, sizeof *a->anchor);
    if (!shared || !least || !a->dim || !a->anchor)
        return RC_NOMEM;
    choose(x, a, shared, least);
    for (uint32_t rule = 0; rule < x->n_rules; rule++)
        loose += a->dim[rule] == DIM_N;
    uint64_t bytes = anchored_bytes(x, a);
    if (loose > most_rules(x) || loose == x->n_rules || bytes > *room) {
        index_anchors_fini(a);
        return RC_OK;
    }
    *room -= bytes;
    for (uint32_t rule = 0; rule < x->n_rules; rule++)
        a->anchor[rule].rule = (uint16_t)rule;
    for (unsigned s = 0; s < SIGN_N; s++)
        sign_all(x, s, a->anchor);
    return RC_OK;
}

void index_anchors_fini(struct index_anchors *a)
{
    free(a->dim);
    free(a->anchor);
    *a = (struct index_anchors){NULL, NULL};
}

static enum rc put_anchor(const struct index_anchors *a, uint32_t rule, struct part *p, struct img_run *out)
{
    out->n++;
    return part_put(p, SECT_ANCHORS, &a->anchor[rule], NULL);
}

enum rc index_anchors_put(const struct index_anchors *a, const struct index_list *rules, enum dim d,
                          struct part *p, struct img_run *out)
{
    *out = (struct img_run){part_count(p, SECT_ANCHORS), 0};
    for (uint32_t i = 0; a->anchor && i < rules->n; i++) {
        if (a->dim[rules->v[i]] == d)
            TRY(put_anchor(a, rules->v[i], p, out));
    }
    return RC_OK;
}

/* ---- what rules ask ---- */

/* Tokens by rule, of one dimension each. */
struct asks {
    struct index_lists accept[DIM_N], except[DIM_N];
};

static enum rc invert(const struct index_lists *rules, uint32_t n_rules, struct index_lists *out)
{
    TRY(index_lists_init(out, n_rules));
    for (uint32_t token = 0; token < rules->n; token++) {
        for (uint32_t i = 0; i < rules->v[token].n; i++)
            TRY(index_lists_add(out, rules->v[token].v[i], token));
    }
    return RC_OK;
}

static enum rc put_number(struct part *p, uint32_t number)
{
    return part_put(p, SECT_NUMBERS, &number, NULL);
}

/* Has the rule a clause of what it accepts, or of what it excepts? What it is anchored at is met when it is
 * looked at. */
static bool wants(const struct index_table *x, const struct index_anchors *a, enum dim d, uint32_t rule)
{
    return index_bit(x->conditioned[d], rule) && a->dim[rule] != d;
}

static bool shuns(const struct index_table *x, const struct asks *asks, enum dim d, uint32_t rule)
{
    return asks->except[d].v[rule].n > 0 ||
           (index_bit(x->touched[d], rule) && !index_bit(x->conditioned[d], rule));
}

static bool is_signed(enum dim d)
{
    return d == img_sign_dim(SIGN_CATEGORY) || d == img_sign_dim(SIGN_FOR) || d == img_sign_dim(SIGN_FROM);
}

/* The first dimension in which it wants one value: one without a sign, else one of the others, whose signs
 * tell fewer values apart. */
static uint16_t also_of(const struct index_table *x, const struct index_anchors *a, const struct asks *asks,
                        uint32_t rule)
{
    for (unsigned i = 0; i < 2 * DIM_N; i++) {
        enum dim d = (enum dim)(i % DIM_N);
        if (is_asked(x, d) && is_signed(d) == (i >= DIM_N) && wants(x, a, d, rule) &&
            asks->accept[d].v[rule].n == 1)
            return (uint16_t)(d << IMG_ALSO_SHIFT | asks->accept[d].v[rule].v[0] % IMG_SEEN);
    }
    return (uint16_t)(DIM_N << IMG_ALSO_SHIFT);
}

static enum rc put_clause(struct part *p, uint32_t head, const struct index_list *tokens)
{
    if (tokens->n >= UINT32_MAX >> IMG_CLAUSE_SHIFT)
        return RC_LIMIT;
    TRY(put_number(p, head | tokens->n << IMG_CLAUSE_SHIFT));
    return buf_put(&p->sect[SECT_NUMBERS], span_of(tokens->v, tokens->n * sizeof *tokens->v));
}

static enum rc put_asks(const struct index_table *x, const struct index_anchors *a, const struct asks *asks,
                        uint32_t rule, uint32_t flags, struct part *p)
{
    uint32_t n = 0;
    a->anchor[rule].asks = part_count(p, SECT_NUMBERS);
    a->anchor[rule].also = also_of(x, a, asks, rule);
    for (unsigned d = 0; d < DIM_N; d++) {
        if (is_asked(x, d))
            n += (uint32_t)wants(x, a, d, rule) + (uint32_t)shuns(x, asks, d, rule);
    }
    TRY(put_number(p, n << IMG_ASKS_SHIFT | flags));
    for (unsigned d = 0; d < DIM_N; d++) {
        if (is_asked(x, d) && wants(x, a, d, rule))
            TRY(put_clause(p, d, &asks->accept[d].v[rule]));
        if (is_asked(x, d) && shuns(x, asks, d, rule))
            TRY(put_clause(p, d | IMG_CLAUSE_EXCEPT, &asks->except[d].v[rule]));
    }
    return RC_OK;
}

static enum rc invert_all(const struct index_table *x, struct asks *asks)
{
    for (unsigned d = 0; d < DIM_N; d++) {
        if (!is_asked(x, d))
            continue;
        TRY(invert(&x->accept[d], x->n_rules, &asks->accept[d]));
        TRY(invert(&x->except[d], x->n_rules, &asks->except[d]));
    }
    return RC_OK;
}

enum rc index_asks_put(const struct index_table *x, const struct index_anchors *a, const uint64_t *timed,
                       const uint64_t *forbids, struct part *p, struct img_table *out)
{
    struct asks asks = {.accept = {{0}}};
    out->loose.at = part_count(p, SECT_ANCHORS);
    if (!a->anchor)
        return RC_OK;
    enum rc rc = invert_all(x, &asks);
    for (uint32_t rule = 0; rc == RC_OK && rule < x->n_rules; rule++) {
        uint32_t flags =
            (index_bit(timed, rule) ? IMG_ASKS_TIMED : 0) | (index_bit(forbids, rule) ? IMG_ASKS_FORBID : 0);
        rc = put_asks(x, a, &asks, rule, flags, p);
        if (rc == RC_OK && a->dim[rule] == DIM_N)
            rc = put_anchor(a, rule, p, &out->loose);
        else
            out->anchored |= UINT32_C(1) << a->dim[rule];
    }
    for (unsigned d = 0; d < DIM_N; d++) {
        index_lists_fini(&asks.accept[d]);
        index_lists_fini(&asks.except[d]);
    }
    return rc;
}
