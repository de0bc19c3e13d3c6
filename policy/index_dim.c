/* Rules to bit sets; see index_dim.h. Every value a rule names becomes a token of its dimension; a table then
 * knows per token which of its rules accept it and which except it. */
#include "policy/index_dim.h"

#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/limits.h"
#include "policy/ranges.h"

/* ---- lists and strings ---- */

enum rc index_lists_init(struct index_lists *l, uint32_t n)
{
    *l = (struct index_lists){calloc((size_t)n + 1, sizeof *l->v), n};
    return l->v ? RC_OK : RC_NOMEM;
}

enum rc index_lists_add(struct index_lists *l, uint32_t key, uint32_t number)
{
    if (key >= l->n)
        return RC_BUG;
    struct index_list *list = &l->v[key];
    if (list->n && list->v[list->n - 1] == number)
        return RC_OK;
    uint32_t *v = array_room(list->v, list->n, &list->cap, 4, sizeof *v);
    if (!v)
        return RC_NOMEM;
    list->v = v;
    list->v[list->n++] = number;
    return RC_OK;
}

void index_lists_fini(struct index_lists *l)
{
    for (uint32_t i = 0; l->v && i < l->n; i++)
        free(l->v[i].v);
    free(l->v);
    *l = (struct index_lists){0};
}

enum rc index_strings_add(struct index_strings *s, span text, uint32_t *id)
{
    uintptr_t known = (uintptr_t)map_find(&s->ids, text);
    if (known) {
        *id = (uint32_t)known - 1;
        return RC_OK;
    }
    span *v = array_room(s->v, s->n, &s->cap, 32, sizeof *v);
    if (!v)
        return RC_NOMEM;
    s->v = v;
    s->v[s->n] = text;
    *id = s->n++;
    return map_put(&s->ids, text, (void *)((uintptr_t)*id + 1));
}

enum rc index_strings_emit(const struct index_strings *s, struct part *p, struct img_run *out)
{
    uint32_t n = 4;
    while (n < s->n * 2)
        n *= 2;
    struct img_bucket *b = calloc(n, sizeof *b);
    enum rc rc = b ? RC_OK : RC_NOMEM;
    for (uint32_t i = 0; i < s->n && rc == RC_OK; i++) {
        uint32_t at = image_hash(s->v[i]) & (n - 1);
        while (b[at].key.n)
            at = (at + 1) & (n - 1);
        b[at].value = i;
        rc = part_text(p, s->v[i], &b[at].key);
    }
    *out = (struct img_run){part_count(p, SECT_BUCKETS), n};
    if (rc == RC_OK)
        rc = buf_put(&p->sect[SECT_BUCKETS], span_of(b, n * sizeof *b));
    free(b);
    return rc;
}

void index_strings_fini(struct index_strings *s)
{
    map_fini(&s->ids);
    free(s->v);
}

/* ---- tokens ---- */

static const enum dim noun_dim[] = {
#define N(id, word, dim, blocks, text) DIM_##dim,
#include "policy/noun.tbl"
#undef N
};

struct indexer {
    struct tree *t;
    struct part *p;
    struct index_strings atoms[DIM_N]; /* FROM, TO, PORT: different intervals; DOMAIN, METHOD: strings */
    struct intervals v4[DIM_N], v6[DIM_N];
    /* of the table at hand */
    uint32_t n_rules, n_words;
    bool asked[DIM_N];
    struct index_lists accept[DIM_N], except[DIM_N];
    uint64_t *conditioned[DIM_N],
        *touched[DIM_N]; /* rules with a condition; with a condition or an exception */
    uint64_t scratch[LIM_POLICY_RULES / 64 + IMG_BLOCK_WORDS];
};

/* Number of an interval; a new one is remembered for the range map. */
static enum rc atom(struct indexer *x, enum dim d, const struct prefix *p, uint16_t lo, uint16_t hi,
                    uint32_t *id)
{
    uint8_t key[24] = {0};
    uint32_t before = x->atoms[d].n;
    if (p) {
        key[0] = p->a.family;
        key[1] = p->bits;
        memcpy(key + 2, p->a.b, 16);
    }
    memcpy(key + 18, &lo, 2);
    memcpy(key + 20, &hi, 2);
    char *keep = arena_str(&x->t->mem, span_of(key, sizeof key));
    if (!keep)
        return RC_NOMEM;
    TRY(index_strings_add(&x->atoms[d], span_of(keep, sizeof key), id));
    if (x->atoms[d].n == before)
        return RC_OK;
    if (!p)
        return intervals_add(&x->v4[d], lo, hi, *id);
    uint32_t token = *id + x->t->zones.n;
    return intervals_add_prefix(p->a.family == 4 ? &x->v4[d] : &x->v6[d], p, token);
}

typedef enum rc (*token_fn)(struct indexer *x, enum dim d, uint32_t token, void *arg);

static enum rc place_tokens(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    uint32_t id;
    if (v->kind == VALUE_ZONE)
        return fn(x, d, v->id, arg);
    for (const struct value *m = v->kind == VALUE_HOST ? v->members : v; m;
         m = v->kind == VALUE_HOST ? m->next : NULL) {
        TRY(atom(x, d, &m->prefix, 0, 0, &id));
        TRY(fn(x, d, id + x->t->zones.n, arg));
    }
    return RC_OK;
}

static enum rc port_tokens(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    uint32_t id;
    for (const struct value *m = v->members ? v->members : v; m; m = v->members ? m->next : NULL) {
        TRY(atom(x, d, NULL, m->lo, m->hi, &id));
        TRY(fn(x, d, id, arg));
    }
    return RC_OK;
}

static enum rc person_token(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    uint32_t groups = x->t->groups.n, users = x->t->users.n;
    if (v->kind == VALUE_UNIDENTIFIED)
        return fn(x, d, img_token_unidentified(groups, users), arg);
    return fn(x, d, v->kind == VALUE_USER ? groups + v->id : v->id, arg);
}

/* Calls fn for every token that the value stands for. */
static enum rc value_tokens(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    uint32_t id;
    switch (d) {
    case DIM_FROM:
    case DIM_TO: return place_tokens(x, d, v, fn, arg);
    case DIM_FOR: return person_token(x, d, v, fn, arg);
    case DIM_PORT: return port_tokens(x, d, v, fn, arg);
    case DIM_CATEGORY: return fn(x, d, v->kind == VALUE_NONE ? x->t->categories.n : v->id, arg);
    case DIM_DOMAIN:
    case DIM_METHOD: TRY(index_strings_add(&x->atoms[d], v->w.text, &id)); return fn(x, d, id, arg);
    case DIM_DEFECT: return fn(x, d, v->id, arg);
    case DIM_UPLOAD:
    case DIM_EVENT:
    case DIM_N: break;
    default: return RC_OK;
    }
    return RC_BUG;
}

static uint32_t n_tokens(const struct indexer *x, enum dim d)
{
    switch (d) {
    case DIM_FROM:
    case DIM_TO: return x->t->zones.n + x->atoms[d].n;
    case DIM_FOR: return img_token_unidentified(x->t->groups.n, x->t->users.n) + 1;
    case DIM_PORT:
    case DIM_DOMAIN:
    case DIM_METHOD: return x->atoms[d].n;
    case DIM_CATEGORY: return x->t->categories.n + 1;
    case DIM_UPLOAD: return 1;
    case DIM_DEFECT: return 32;
    case DIM_EVENT: return ON_N;
    default: break;
    }
    return 0;
}

/* ---- one table ---- */

static enum rc number_token(struct indexer *x, enum dim d, uint32_t token, void *arg)
{
    (void)x, (void)d, (void)token, (void)arg;
    return RC_OK; /* naming it was enough */
}

struct adding {
    uint32_t rule;
    bool except;
};

static void set_bit(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static enum rc add_token(struct indexer *x, enum dim d, uint32_t token, void *arg)
{
    const struct adding *a = arg;
    return index_lists_add(a->except ? &x->except[d] : &x->accept[d], token, a->rule);
}

static enum rc add_cond(struct indexer *x, const struct cond *c, uint32_t rule)
{
    enum dim d = noun_dim[c->noun];
    struct adding a = {rule, c->except};
    x->asked[d] = true;
    set_bit(x->touched[d], rule);
    if (!c->except)
        set_bit(x->conditioned[d], rule);
    if (d == DIM_UPLOAD)
        return add_token(x, d, 0, &a);
    for (const struct value *v = c->vals; v; v = v->next)
        TRY(value_tokens(x, d, v, add_token, &a));
    return RC_OK;
}

static enum rc add_rule(struct indexer *x, const struct rule *r, uint32_t rule)
{
    struct adding a = {rule, false};
    for (const struct cond *c = r->conds; c; c = c->next)
        TRY(add_cond(x, c, rule));
    if (r->block != BLOCK_ON)
        return RC_OK;
    x->asked[DIM_EVENT] = true;
    set_bit(x->touched[DIM_EVENT], rule);
    set_bit(x->conditioned[DIM_EVENT], rule);
    return add_token(x, DIM_EVENT, r->event, &a);
}

/* ~bits, without the bits behind the last rule. */
static void complement(const struct indexer *x, const uint64_t *bits, uint64_t *out)
{
    for (uint32_t w = 0; w < x->n_words; w++) {
        uint32_t left = x->n_rules > w * 64 ? x->n_rules - w * 64 : 0;
        out[w] = left >= 64 ? ~bits[w] : ~bits[w] & ((UINT64_C(1) << left) - 1);
    }
}

static enum rc put_bits(struct indexer *x, const uint64_t *bits, uint32_t *at)
{
    *at = part_count(x->p, SECT_BITS);
    return buf_put(&x->p->sect[SECT_BITS], span_of(bits, x->n_words * sizeof *bits));
}

static enum rc put_clear(struct indexer *x, const uint64_t *bits, uint32_t *at)
{
    complement(x, bits, x->scratch);
    return put_bits(x, x->scratch, at);
}

/* A set of rules: a list when short, else bits (for `accept` on top of the rules that do not ask). */
static enum rc put_set(struct indexer *x, const struct index_list *l, const uint64_t *conditioned,
                       struct img_run *out)
{
    if (l->n * 4 <= x->n_words) {
        *out = (struct img_run){part_count(x->p, SECT_NUMBERS), l->n};
        return buf_put(&x->p->sect[SECT_NUMBERS], span_of(l->v, l->n * sizeof *l->v));
    }
    if (conditioned)
        complement(x, conditioned, x->scratch);
    else
        memset(x->scratch, 0, x->n_words * sizeof *x->scratch);
    for (uint32_t i = 0; i < l->n; i++)
        set_bit(x->scratch, l->v[i]);
    out->n = IMG_DENSE;
    return put_bits(x, x->scratch, &out->at);
}

static enum rc put_dim(struct indexer *x, enum dim d, struct img_dim *out)
{
    *out = (struct img_dim){.asked = x->asked[d], .tokens = {part_count(x->p, SECT_TOKENS), 0}};
    if (!x->asked[d])
        return RC_OK;
    TRY(put_clear(x, x->conditioned[d], &out->dont_care));
    TRY(put_clear(x, x->touched[d], &out->free));
    for (uint32_t i = 0; i < x->accept[d].n; i++) {
        struct img_token t;
        TRY(put_set(x, &x->accept[d].v[i], x->conditioned[d], &t.accept));
        TRY(put_set(x, &x->except[d].v[i], NULL, &t.except));
        TRY(part_put(x->p, SECT_TOKENS, &t, NULL));
        out->tokens.n++;
    }
    return RC_OK;
}

static enum rc table_start(struct indexer *x, enum table table)
{
    x->n_rules = 0;
    for (const struct rule *r = x->t->rules.first; r; r = r->next)
        x->n_rules += index_table(r) == table;
    x->n_words = img_words(x->n_rules);
    for (unsigned d = 0; d < DIM_N; d++) {
        x->asked[d] = false;
        x->conditioned[d] = calloc((size_t)x->n_words + 1, sizeof(uint64_t));
        x->touched[d] = calloc((size_t)x->n_words + 1, sizeof(uint64_t));
        if (!x->conditioned[d] || !x->touched[d])
            return RC_NOMEM;
        TRY(index_lists_init(&x->accept[d], n_tokens(x, d)));
        TRY(index_lists_init(&x->except[d], n_tokens(x, d)));
    }
    return RC_OK;
}

static void table_end(struct indexer *x)
{
    for (unsigned d = 0; d < DIM_N; d++) {
        free(x->conditioned[d]);
        free(x->touched[d]);
        x->conditioned[d] = x->touched[d] = NULL;
        index_lists_fini(&x->accept[d]);
        index_lists_fini(&x->except[d]);
    }
}

static enum rc table_build(struct indexer *x, enum table table, uint32_t first)
{
    struct img_table o = {.rules = {first, x->n_rules}, .n_words = x->n_words};
    uint32_t rule = 0;
    for (const struct rule *r = x->t->rules.first; r; r = r->next) {
        if (index_table(r) == table)
            TRY(add_rule(x, r, rule++));
    }
    memset(x->scratch, 0, sizeof x->scratch);
    complement(x, x->scratch, x->scratch);
    TRY(put_bits(x, x->scratch, &o.all));
    for (unsigned d = 0; d < DIM_N; d++)
        TRY(put_dim(x, d, &o.dim[d]));
    return part_put(x->p, SECT_TABLES, &o, NULL);
}

/* ---- all of them ---- */

/* Numbers every interval and string first, so that each table knows how many tokens there are. */
static enum rc number_all(struct indexer *x)
{
    for (const struct rule *r = x->t->rules.first; r; r = r->next) {
        for (const struct cond *c = r->conds; c; c = c->next) {
            for (const struct value *v = c->vals; v; v = v->next)
                TRY(value_tokens(x, noun_dim[c->noun], v, number_token, NULL));
        }
    }
    return RC_OK;
}

static enum rc put_maps(struct indexer *x)
{
    struct img_settings *s = &x->p->set;
    TRY(ranges_emit(x->p, &x->v4[DIM_FROM], RANGE_ALL, &s->map_v4[MAP_FROM]));
    TRY(ranges_emit(x->p, &x->v6[DIM_FROM], RANGE_ALL, &s->map_v6[MAP_FROM]));
    TRY(ranges_emit(x->p, &x->v4[DIM_TO], RANGE_ALL, &s->map_v4[MAP_TO]));
    TRY(ranges_emit(x->p, &x->v6[DIM_TO], RANGE_ALL, &s->map_v6[MAP_TO]));
    TRY(ranges_emit(x->p, &x->v4[DIM_PORT], RANGE_ALL, &s->map_v4[MAP_PORT]));
    TRY(index_strings_emit(&x->atoms[DIM_DOMAIN], x->p, &s->strings[STRINGS_DOMAIN]));
    return index_strings_emit(&x->atoms[DIM_METHOD], x->p, &s->strings[STRINGS_METHOD]);
}

enum rc index_tables(struct tree *t, struct part *p)
{
    struct indexer *x = calloc(1, sizeof *x);
    enum rc rc = x ? RC_OK : RC_NOMEM;
    uint32_t first = 0;
    if (!x)
        return rc;
    x->t = t;
    x->p = p;
    rc = number_all(x);
    if (rc == RC_OK)
        rc = put_maps(x);
    for (unsigned table = 0; table < TABLE_N && rc == RC_OK; table++) {
        rc = table_start(x, table);
        if (rc == RC_OK)
            rc = table_build(x, table, first);
        first += x->n_rules;
        table_end(x);
    }
    for (unsigned d = 0; d < DIM_N; d++) {
        index_strings_fini(&x->atoms[d]);
        intervals_fini(&x->v4[d]);
        intervals_fini(&x->v6[d]);
    }
    free(x);
    return rc;
}
