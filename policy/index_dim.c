/* Rules to bit sets; see index_dim.h. Every value a rule names becomes a token of its dimension; a table then
 * knows per token which of its rules accept it and which except it. */
#include "policy/index_dim.h"

#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"
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

enum rc index_strings_emit(const struct index_strings *s, index_hash hash, struct part *p,
                           struct img_run *out)
{
    uint32_t n = 4;
    while (n < s->n * 2)
        n *= 2;
    struct img_bucket *b = calloc(n, sizeof *b);
    enum rc rc = b ? RC_OK : RC_NOMEM;
    for (uint32_t i = 0; i < s->n && rc == RC_OK; i++) {
        uint32_t h = hash(s->v[i]), at = h & (n - 1);
        while (b[at].key.n)
            at = (at + 1) & (n - 1);
        b[at].value = i;
        b[at].hash = h;
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

/* Dimensions that share their values with another one. */
static enum dim values_of(enum dim d)
{
    switch (d) {
    case DIM_FROM2: return DIM_FROM;
    case DIM_FOR2: return DIM_FOR;
    case DIM_CATEGORY2: return DIM_CATEGORY;
    case DIM_DOMAIN2: return DIM_DOMAIN;
    default: return d;
    }
}

struct indexer {
    struct tree *t;
    struct part *p;
    struct index_order *o;
    struct index_strings atoms[DIM_N]; /* FROM, TO, PORT: different intervals; others: strings */
    struct intervals v4[DIM_N], v6[DIM_N];
    struct index_table now;
    struct index_anchors anchors; /* of it */
    uint64_t anchor_room;         /* bytes left for those of the tables to come */
    uint64_t scratch[LIM_POLICY_RULES / 64 + IMG_BLOCK_WORDS];
};

/* Number of an interval; a new one is remembered for the range map. */
static enum rc atom(struct indexer *x, enum dim d, const struct prefix *p, uint32_t lo, uint32_t hi,
                    uint32_t *id)
{
    uint8_t key[26] = {0};
    uint32_t before = x->atoms[d].n;
    if (p) {
        key[0] = p->a.family;
        key[1] = p->bits;
        memcpy(key + 2, p->a.b, 16);
    }
    memcpy(key + 18, &lo, 4);
    memcpy(key + 22, &hi, 4);
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
        TRY(atom(x, values_of(d), &m->prefix, 0, 0, &id));
        TRY(fn(x, d, id + x->t->zones.n, arg));
    }
    return RC_OK;
}

/* A port with its protocol before it; what speaks no TCP, UDP or ICMP has no rule. */
static enum rc port_token(struct indexer *x, enum dim d, unsigned proto, struct img_run ports, token_fn fn,
                          void *arg)
{
    uint32_t id;
    TRY(atom(x, d, NULL, img_port(proto, ports.at), img_port(proto, ports.n), &id));
    return fn(x, d, id, arg);
}

static enum rc port_tokens(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    for (const struct value *m = v->members ? v->members : v; m; m = v->members ? m->next : NULL)
        TRY(port_token(x, d, m->proto ? m->proto : IMG_TCP, (struct img_run){m->lo, m->hi}, fn, arg));
    return RC_OK;
}

static enum rc person_token(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    uint32_t groups = x->t->groups.n, users = x->t->users.n;
    if (v->kind == VALUE_UNIDENTIFIED)
        return fn(x, d, img_token_unidentified(groups, users), arg);
    return fn(x, d, v->kind == VALUE_USER ? groups + v->id : v->id, arg);
}

static enum rc severity_tokens(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    for (uint32_t severity = v->lo; severity <= v->hi && severity < IMG_SEVERITIES; severity++)
        TRY(fn(x, d, severity, arg));
    return RC_OK;
}

/* Calls fn for every token that the value stands for. */
static enum rc value_tokens(struct indexer *x, enum dim d, const struct value *v, token_fn fn, void *arg)
{
    uint32_t id;
    switch (values_of(d)) {
    case DIM_FROM:
    case DIM_TO: return place_tokens(x, d, v, fn, arg);
    case DIM_FOR: return person_token(x, d, v, fn, arg);
    case DIM_PORT: return port_tokens(x, d, v, fn, arg);
    case DIM_CATEGORY: return fn(x, d, v->kind == VALUE_NONE ? x->t->categories.n : v->id, arg);
    case DIM_DOMAIN:
    case DIM_METHOD:
    case DIM_PATH:
    case DIM_TYPE:
    case DIM_PATTERN:
    case DIM_APPLICATION:
        TRY(index_strings_add(&x->atoms[values_of(d)], v->w.text, &id));
        return fn(x, d, id, arg);
    case DIM_SCHEDULE:
    case DIM_DEFECT: return fn(x, d, v->id, arg);
    case DIM_SIGNATURE: return severity_tokens(x, d, v, fn, arg);
    default: return RC_BUG;
    }
}

static uint32_t n_tokens(const struct indexer *x, enum dim d)
{
    switch (values_of(d)) {
    case DIM_FROM:
    case DIM_TO: return x->t->zones.n + x->atoms[values_of(d)].n;
    case DIM_FOR: return img_token_unidentified(x->t->groups.n, x->t->users.n) + 1;
    case DIM_CATEGORY: return x->t->categories.n + 1;
    case DIM_SCHEDULE: return x->t->schedules.n;
    case DIM_UPLOAD:
    case DIM_VIRUS: return 1;
    case DIM_SIGNATURE: return IMG_SEVERITIES;
    case DIM_DEFECT: return 32;
    case DIM_EVENT: return ON_N;
    default: return x->atoms[values_of(d)].n;
    }
}

/* Every token of a condition; those of nouns without a value too. */
static enum rc cond_tokens(struct indexer *x, enum dim d, const struct cond *c, token_fn fn, void *arg)
{
    struct img_run all = {0, UINT16_MAX};
    if (c->noun == NOUN_UPLOAD || c->noun == NOUN_VIRUS)
        return fn(x, d, 0, arg);
    if (c->noun == NOUN_ICMP) {
        TRY(port_token(x, d, IMG_ICMP, all, fn, arg));
        return port_token(x, d, IMG_ICMP6, all, fn, arg);
    }
    for (const struct value *v = c->vals; v; v = v->next)
        TRY(value_tokens(x, d, v, fn, arg));
    return RC_OK;
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
    return index_lists_add(a->except ? &x->now.except[d] : &x->now.accept[d], token, a->rule);
}

static enum rc add_cond(struct indexer *x, enum dim d, const struct cond *c, uint32_t rule)
{
    struct adding a = {rule, c->except};
    x->now.asked[d] = true;
    set_bit(x->now.touched[d], rule);
    if (!c->except)
        set_bit(x->now.conditioned[d], rule);
    return cond_tokens(x, d, c, add_token, &a);
}

/* Dimension of a condition that a delegated file's rules get. */
static enum dim second_dim(const struct cond *c)
{
    switch (noun_dim[c->noun]) {
    case DIM_FROM: return DIM_FROM2;
    case DIM_FOR: return DIM_FOR2;
    case DIM_CATEGORY: return DIM_CATEGORY2;
    case DIM_DOMAIN: return DIM_DOMAIN2;
    default: return DIM_N;
    }
}

typedef enum rc (*cond_fn)(struct indexer *x, enum dim d, const struct cond *c, uint32_t rule);

static enum rc second_conds(struct indexer *x, const struct cond *c, uint32_t rule, cond_fn fn)
{
    for (; c; c = c->next) {
        if (second_dim(c) == DIM_N)
            return RC_BUG;
        TRY(fn(x, second_dim(c), c, rule));
    }
    return RC_OK;
}

/* Calls fn for all conditions of an item, its delegate's too. A ceiling is about what is granted: to block or
 * to warn of is within every one. */
static enum rc item_conds(struct indexer *x, const struct index_item *i, uint32_t rule, cond_fn fn)
{
    const struct rule *r = i->rule;
    for (const struct cond *c = index_own(i); c; c = c->next)
        TRY(fn(x, noun_dim[c->noun], c, rule));
    if (!r || !r->delegate)
        return RC_OK;
    TRY(second_conds(x, r->delegate->who, rule, fn));
    return r->verb == VERB_ALLOW ? second_conds(x, r->delegate->ceiling, rule, fn) : RC_OK;
}

static enum rc add_rule(struct indexer *x, const struct index_item *i, uint32_t rule)
{
    struct adding a = {rule, false};
    TRY(item_conds(x, i, rule, add_cond));
    if (!i->rule || i->rule->block != BLOCK_ON)
        return RC_OK;
    x->now.asked[DIM_EVENT] = true;
    set_bit(x->now.touched[DIM_EVENT], rule);
    set_bit(x->now.conditioned[DIM_EVENT], rule);
    return add_token(x, DIM_EVENT, i->rule->event, &a);
}

/* ~bits, without the bits behind the last rule. */
static void complement(const struct indexer *x, const uint64_t *bits, uint64_t *out)
{
    for (uint32_t w = 0; w < x->now.n_words; w++) {
        uint32_t left = x->now.n_rules > w * 64 ? x->now.n_rules - w * 64 : 0;
        out[w] = left >= 64 ? ~bits[w] : ~bits[w] & ((UINT64_C(1) << left) - 1);
    }
}

static enum rc put_bits(struct indexer *x, const uint64_t *bits, uint32_t *at)
{
    *at = part_count(x->p, SECT_BITS);
    return buf_put(&x->p->sect[SECT_BITS], span_of(bits, x->now.n_words * sizeof *bits));
}

static const uint64_t *bits_at(const struct indexer *x, uint32_t at)
{
    return (const uint64_t *)(const void *)buf_span(&x->p->sect[SECT_BITS]).p + at;
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
    if (l->n * 4 <= x->now.n_words) {
        *out = (struct img_run){part_count(x->p, SECT_NUMBERS), l->n};
        return buf_put(&x->p->sect[SECT_NUMBERS], span_of(l->v, l->n * sizeof *l->v));
    }
    if (conditioned)
        complement(x, conditioned, x->scratch);
    else
        memset(x->scratch, 0, x->now.n_words * sizeof *x->scratch);
    for (uint32_t i = 0; i < l->n; i++)
        set_bit(x->scratch, l->v[i]);
    out->n = IMG_DENSE;
    return put_bits(x, x->scratch, &out->at);
}

static uint64_t word_of(const struct index_list *l)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < l->n; i++)
        set_bit(&bits, l->v[i]);
    return bits;
}

static enum rc put_token(struct indexer *x, enum dim d, uint32_t token)
{
    struct img_token t;
    const struct index_list *accept = &x->now.accept[d].v[token], *except = &x->now.except[d].v[token];
    if (img_is_small(x->now.n_rules)) {
        t.accept_bits = word_of(accept);
        t.except_bits = word_of(except);
    } else {
        TRY(put_set(x, accept, x->now.conditioned[d], &t.accept));
        TRY(put_set(x, except, NULL, &t.except));
    }
    TRY(index_anchors_put(&x->anchors, accept, d, x->p, &t.anchors));
    return part_put(x->p, SECT_TOKENS, &t, NULL);
}

static enum rc put_dim(struct indexer *x, enum dim d, struct img_dim *out)
{
    *out = (struct img_dim){.tokens = {part_count(x->p, SECT_TOKENS), 0}};
    if (!x->now.asked[d])
        return RC_OK;
    TRY(put_clear(x, x->now.conditioned[d], &out->dont_care));
    TRY(put_clear(x, x->now.touched[d], &out->free));
    for (uint32_t i = 0; i < x->now.accept[d].n; i++) {
        TRY(put_token(x, d, i));
        out->tokens.n++;
        out->named |= x->now.accept[d].v[i].n || x->now.except[d].v[i].n ? img_seen(i) : 0;
    }
    out->dont_care_word = *bits_at(x, out->dont_care);
    return RC_OK;
}

static enum rc table_start(struct indexer *x, enum table table)
{
    x->now.n_rules = x->o->first[table + 1] - x->o->first[table];
    x->now.n_words = img_words(x->now.n_rules);
    if (x->now.n_rules > LIM_POLICY_RULES)
        return RC_LIMIT; /* the checker counts too */
    for (unsigned d = 0; d < DIM_N; d++) {
        x->now.asked[d] = false;
        x->now.conditioned[d] = calloc((size_t)x->now.n_words + 1, sizeof(uint64_t));
        x->now.touched[d] = calloc((size_t)x->now.n_words + 1, sizeof(uint64_t));
        if (!x->now.conditioned[d] || !x->now.touched[d])
            return RC_NOMEM;
        TRY(index_lists_init(&x->now.accept[d], n_tokens(x, d)));
        TRY(index_lists_init(&x->now.except[d], n_tokens(x, d)));
    }
    return RC_OK;
}

static void table_end(struct indexer *x)
{
    index_anchors_fini(&x->anchors);
    for (unsigned d = 0; d < DIM_N; d++) {
        free(x->now.conditioned[d]);
        free(x->now.touched[d]);
        x->now.conditioned[d] = x->now.touched[d] = NULL;
        index_lists_fini(&x->now.accept[d]);
        index_lists_fini(&x->now.except[d]);
    }
}

/* ---- time ---- */

struct span_of_time {
    int64_t since, until;
};

static struct span_of_time holds(const struct index_item *i)
{
    const struct rule *r = i->rule;
    if (!r)
        return (struct span_of_time){INT64_MIN, i->observe->until};
    return (struct span_of_time){r->has_since ? r->since : INT64_MIN, r->has_until ? r->until : INT64_MAX};
}

/* Numbers of the schedules that a rule names, so that it can be asked when it begins or ends. */
static enum rc put_schedules(struct indexer *x, struct index_item *i)
{
    i->schedules = (struct img_run){part_count(x->p, SECT_NUMBERS), 0};
    for (const struct cond *c = index_own(i); c; c = c->next) {
        for (const struct value *v = c->noun == NOUN_DURING ? c->vals : NULL; v; v = v->next) {
            TRY(part_put(x->p, SECT_NUMBERS, &v->id, NULL));
            i->schedules.n++;
        }
    }
    return RC_OK;
}

static enum rc put_timed(struct indexer *x, struct index_item *items, struct img_table *o)
{
    memset(x->scratch, 0, sizeof x->scratch);
    for (uint32_t rule = 0; rule < x->now.n_rules; rule++) {
        struct span_of_time t = holds(&items[rule]);
        TRY(put_schedules(x, &items[rule]));
        if (items[rule].schedules.n || t.since != INT64_MIN || t.until != INT64_MAX)
            set_bit(x->scratch, rule);
    }
    return put_bits(x, x->scratch, &o->timed);
}

static enum rc put_forbids(struct indexer *x, const struct index_item *items, struct img_table *o)
{
    memset(x->scratch, 0, sizeof x->scratch);
    for (uint32_t rule = 0; rule < x->now.n_rules; rule++) {
        if (items[rule].rule && items[rule].rule->verb == VERB_FORBID)
            set_bit(x->scratch, rule);
    }
    return put_bits(x, x->scratch, &o->forbids);
}

static enum rc table_build(struct indexer *x, enum table table)
{
    struct index_item *items = x->o->items + x->o->first[table];
    struct img_table o = {.rules = {x->o->first[table], x->now.n_rules},
                          .n_words = x->now.n_words,
                          .lead = table == TABLE_WEB ? x->o->lead : 0};
    for (uint32_t rule = 0; rule < x->now.n_rules; rule++)
        TRY(add_rule(x, &items[rule], rule));
    memset(x->scratch, 0, sizeof x->scratch);
    complement(x, x->scratch, x->scratch);
    TRY(put_bits(x, x->scratch, &o.all));
    TRY(put_forbids(x, items, &o));
    TRY(put_timed(x, items, &o));
    o.timed_word = x->now.n_words ? *bits_at(x, o.timed) : 0;
    TRY(index_anchors_choose(&x->now, &x->anchor_room, &x->anchors));
    TRY(index_asks_put(&x->now, &x->anchors, bits_at(x, o.timed), bits_at(x, o.forbids), x->p, &o));
    for (unsigned d = 0; d < DIM_N; d++) {
        o.asked |= (uint32_t)x->now.asked[d] << d;
        o.needs |= x->now.asked[d] ? dim_needs(d) : 0;
        TRY(put_dim(x, d, &o.dim[d]));
    }
    return part_put(x->p, SECT_TABLES, &o, NULL);
}

/* ---- all of them ---- */

static enum rc number_cond(struct indexer *x, enum dim d, const struct cond *c, uint32_t rule)
{
    (void)rule;
    return cond_tokens(x, d, c, number_token, NULL);
}

/* Numbers every interval and string first, so that each table knows how many tokens there are. */
static enum rc number_all(struct indexer *x)
{
    for (uint32_t i = 0; i < x->o->first[TABLE_N]; i++)
        TRY(item_conds(x, &x->o->items[i], 0, number_cond));
    return RC_OK;
}

static enum rc put_maps(struct indexer *x)
{
    struct img_settings *s = &x->p->set;
    TRY(ranges_emit(x->p, &x->v4[DIM_FROM], RANGE_ALL, &s->map_v4[MAP_FROM]));
    TRY(ranges_emit(x->p, &x->v6[DIM_FROM], RANGE_ALL, &s->map_v6[MAP_FROM]));
    TRY(ranges_emit(x->p, &x->v4[DIM_TO], RANGE_ALL, &s->map_v4[MAP_TO]));
    TRY(ranges_emit(x->p, &x->v6[DIM_TO], RANGE_ALL, &s->map_v6[MAP_TO]));
    return ranges_emit(x->p, &x->v4[DIM_PORT], RANGE_ALL, &s->map_v4[MAP_PORT]);
}

static enum rc put_strings(struct indexer *x)
{
    static const struct {
        enum dim dim;
        enum img_strings strings;
        index_hash hash;
    } all[] = {{DIM_DOMAIN, STRINGS_DOMAIN, image_hash_name}, {DIM_METHOD, STRINGS_METHOD, image_hash},
               {DIM_PATH, STRINGS_PATH, image_hash_forward},  {DIM_TYPE, STRINGS_TYPE, image_hash},
               {DIM_PATTERN, STRINGS_PATTERN, image_hash},    {DIM_APPLICATION, STRINGS_APP, image_hash}};
    struct img_settings *s = &x->p->set;
    for (size_t i = 0; i < N_ELEMS(all); i++)
        TRY(index_strings_emit(&x->atoms[all[i].dim], all[i].hash, x->p, &s->strings[all[i].strings]));
    for (uint32_t i = 0; i < x->atoms[DIM_PATH].n; i++) {
        uint32_t n = (uint32_t)x->atoms[DIM_PATH].v[i].n;
        if (n > LIM_POLICY_PATH_BYTES)
            return RC_LIMIT;
        s->path_most = n > s->path_most ? n : s->path_most;
    }
    return RC_OK;
}

enum rc index_tables(struct tree *t, struct index_order *o, struct part *p)
{
    struct indexer *x = calloc(1, sizeof *x);
    enum rc rc = x ? RC_OK : RC_NOMEM;
    if (!x)
        return rc;
    x->t = t;
    x->p = p;
    x->o = o;
    x->anchor_room = LIM_POLICY_ANCHOR_BYTES;
    rc = number_all(x);
    if (rc == RC_OK)
        rc = put_maps(x);
    if (rc == RC_OK)
        rc = put_strings(x);
    for (unsigned table = 0; table < TABLE_N && rc == RC_OK; table++) {
        rc = table_start(x, table);
        if (rc == RC_OK)
            rc = table_build(x, table);
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
