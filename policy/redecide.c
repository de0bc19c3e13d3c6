/* Decisions again; see redecide.h. What an identity might be besides what the record says of it is a set of
 * tokens (users, vague groups), made once into the set of rules that name one of them. A
 * record is decided with its certain groups; where it has an identity and such rules exist, it is decided
 * once more as if nobody knew who it is, and the rules that this leaves open tell whether one of them stood
 * in the way. */
#include "policy/redecide.h"

#include <stdlib.h>

#include "gw/base/map.h"
#include "gw/base/obj.h"
#include "policy/image.h"

struct redecide {
    struct snapshot with; /* another policy, with the grants that count */
    const struct snapshot *snap, *from;
    bool own, gone;      /* gone: nobody knows the grants of the record's time */
    struct map groups;   /* name (cut as in records) -> number + 1 */
    bool *vague;         /* of a group: who is in it is not certain */
    uint64_t *uncertain; /* a bit a rule: it names a user, or a vague group */
    uint64_t *excepts;   /* ... in its exceptions */
    bool some_uncertain;
};

/* ---- what a group means ---- */

static uint64_t mix(uint64_t h, span s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ s.p[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static void add_member(const struct image *m, struct img_run groups, uint64_t member, uint64_t *sum)
{
    for (uint32_t i = 0; i < groups.n; i++) {
        uint32_t g = m->NUMBERS[groups.at + i];
        if (g < m->n_GROUPS)
            sum[g] += member;
    }
}

/* A number a group that is the same where the same users and attributes are in it; 0: none are. */
static uint64_t *meanings(const struct snapshot *s)
{
    const struct image *m = &s->img;
    uint64_t *sum = calloc((size_t)m->n_GROUPS + 1, sizeof *sum);
    struct img_run attrs = m->set->strings[STRINGS_ATTR];
    for (uint32_t u = 0; sum && u < m->n_USERS; u++)
        add_member(m, m->USERS[u].groups, mix(1, image_bytes(m, m->USERS[u].name)), sum);
    for (uint32_t i = 0; sum && i < attrs.n; i++) {
        const struct img_bucket *b = &m->BUCKETS[attrs.at + i];
        if (b->key.n && b->value < m->n_ATTRS)
            add_member(m, m->ATTRS[b->value].numbers, mix(2, image_bytes(m, b->key)), sum);
    }
    return sum;
}

static span cut_name(const struct snapshot *s, uint32_t group)
{
    return span_cut(snapshot_group_name(s, group), 0, RECORD_TEXT);
}

static enum rc map_groups(struct map *map, const struct snapshot *s)
{
    map_init(map, 0);
    for (uint32_t g = 0; g < s->img.n_GROUPS; g++)
        TRY(map_put(map, cut_name(s, g), (void *)((uintptr_t)g + 1)));
    return RC_OK;
}

/* ---- rules that name somebody who may or may not be meant ---- */

static void mark_rule(struct redecide *d, uint64_t *bits, const struct img_table *t, uint32_t rule)
{
    rule += t->rules.at;
    bits[rule / 64] |= UINT64_C(1) << (rule % 64);
    d->some_uncertain = true;
}

/* Of an accepting set the rules that do not ask at all are in the dense form too. */
static void mark(struct redecide *d, uint64_t *bits, const struct img_table *t, struct img_run set,
                 const uint64_t *not_these)
{
    const struct image *m = &d->snap->img;
    for (uint32_t i = 0; i < (set.n == IMG_DENSE ? t->rules.n : set.n); i++) {
        uint32_t rule = set.n == IMG_DENSE ? i : m->NUMBERS[set.at + i];
        if (set.n == IMG_DENSE &&
            (!(m->BITS[set.at + i / 64] >> (i % 64) & 1) || (not_these && not_these[i / 64] >> (i % 64) & 1)))
            continue;
        mark_rule(d, bits, t, rule);
    }
}

static void mark_word(struct redecide *d, uint64_t *bits, const struct img_table *t, uint64_t rules)
{
    for (; rules; rules &= rules - 1)
        mark_rule(d, bits, t, (uint32_t)__builtin_ctzll(rules));
}

static void mark_token(struct redecide *d, uint32_t token)
{
    static const enum dim dims[] = {DIM_FOR, DIM_FOR2};
    const struct image *m = &d->snap->img;
    for (uint32_t t = 0; t < m->n_TABLES; t++) {
        for (size_t i = 0; i < N_ELEMS(dims); i++) {
            const struct img_table *table = &m->TABLES[t];
            const struct img_dim *dim = &table->dim[dims[i]];
            if (!(table->asked >> dims[i] & 1) || token >= dim->tokens.n)
                continue;
            const struct img_token *k = &m->TOKENS[dim->tokens.at + token];
            if (img_is_small(table->rules.n)) {
                mark_word(d, d->uncertain, table, k->accept_bits | k->except_bits);
                mark_word(d, d->excepts, table, k->except_bits);
                continue;
            }
            mark(d, d->uncertain, table, k->accept, &m->BITS[dim->dont_care]);
            mark(d, d->uncertain, table, k->except, NULL);
            mark(d, d->excepts, table, k->except, NULL);
        }
    }
}

static void mark_groups(struct redecide *d, const struct snapshot *from, const uint64_t *now,
                        const uint64_t *then, const struct map *old)
{
    const struct image *m = &d->snap->img;
    bool stale = false;
    for (uint32_t g = 0; g < m->n_GROUPS; g++) {
        uintptr_t was = from ? (uintptr_t)map_find(old, cut_name(d->snap, g)) : 0;
        bool same = now[g] == 0 || (was && then[was - 1] == now[g]);
        if (same)
            continue;
        d->vague[g] = true;
        mark_token(d, g);
        stale |= m->GROUPS[g].stale_s > 0;
    }
    if (stale) /* whether such a one counts as unidentified is as uncertain */
        mark_token(d, img_token_unidentified(m->n_GROUPS, m->n_USERS));
}

static enum rc find_uncertain(struct redecide *d, const struct snapshot *from)
{
    const struct image *m = &d->snap->img;
    struct map old = {0};
    AUTO_FREE uint64_t *now = meanings(d->snap);
    AUTO_FREE uint64_t *then = from ? meanings(from) : NULL;
    enum rc rc = now && (then || !from) ? RC_OK : RC_NOMEM;
    if (rc == RC_OK && from)
        rc = map_groups(&old, from);
    for (uint32_t u = 0; rc == RC_OK && u < m->n_USERS; u++)
        mark_token(d, m->n_GROUPS + u);
    if (rc == RC_OK)
        mark_groups(d, from, now, then, &old);
    map_fini(&old);
    return rc;
}

enum rc redecide_new(const struct snapshot *snap, const struct snapshot *from, struct redecide **out)
{
    struct redecide *d = calloc(1, sizeof *d);
    if (!d)
        return RC_NOMEM;
    d->with = *snap;
    if (snap->grants.n == 0 && from)
        d->with.grants = from->grants;
    d->snap = snap == from ? snap : &d->with;
    d->own = snap == from;
    d->from = from;
    d->gone = !from && snap->grants.n == 0;
    d->uncertain = calloc((size_t)snap->img.n_RULES / 64 + 1, sizeof *d->uncertain);
    d->excepts = calloc((size_t)snap->img.n_RULES / 64 + 1, sizeof *d->excepts);
    d->vague = calloc((size_t)snap->img.n_GROUPS + 1, sizeof *d->vague);
    enum rc rc = d->uncertain && d->excepts && d->vague ? map_groups(&d->groups, snap) : RC_NOMEM;
    if (rc == RC_OK)
        rc = find_uncertain(d, from);
    if (rc == RC_OK)
        *out = d;
    else
        redecide_free(d);
    return rc;
}

void redecide_free(struct redecide *d)
{
    if (!d)
        return;
    map_fini(&d->groups);
    free(d->uncertain);
    free(d->excepts);
    free(d->vague);
    free(d);
}

/* ---- one record ---- */

/* The policy's own word on who sits at an address is looked up again. */
static bool is_policys_own(const struct facts *f)
{
    return (f->known & FACT_BIT(USER)) && (f->id_source == ID_NONE || f->id_source == ID_POLICY) &&
           (f->user.n > 0) == (f->id_source == ID_POLICY);
}

static void take_groups(const struct redecide *d, struct record *r)
{
    struct facts *f = &r->facts;
    unsigned n = 0;
    for (unsigned i = 0; i < f->n_groups && !d->own; i++) {
        uintptr_t g = (uintptr_t)map_find(&d->groups, r->groups[i]);
        if (g && g - 1 <= UINT16_MAX && !d->vague[g - 1])
            f->groups[n++] = (uint16_t)(g - 1);
    }
    if (!d->own)
        f->n_groups = (uint16_t)n;
}

/* Returns whether an identity is left of which the record does not know all. */
static bool take_person(const struct redecide *d, struct record *r)
{
    struct facts *f = &r->facts;
    if (is_policys_own(f)) {
        f->regroup = false;
        f->user = snapshot_user_of(d->snap, &f->src);
        return false;
    }
    bool somebody = f->user.n > 0 || f->n_groups > 0;
    take_groups(d, r);
    return somebody;
}

static bool has(const uint64_t *bits, uint32_t rule)
{
    return bits[rule / 64] >> (rule % 64) & 1;
}

/* Does one of the rules that nobody can tell of stand before the verdict, or has the rule that decided an
 * exception that nobody can tell of? */
static bool may_be_another(const struct redecide *d, const struct facts *f, const struct verdict *v)
{
    const struct img_rule *rules = d->snap->img.RULES;
    uint32_t n_rules = d->snap->img.n_RULES;
    struct facts nobody = *f;
    struct verdict w;
    nobody.known &= ~FACT_BIT(USER);
    nobody.lost |= FACT_BIT(USER);
    decide(d->snap, &nobody, &w);
    if (w.n_trail == TRAIL_MAX)
        return true;
    for (unsigned i = 0; i < w.n_trail; i++) {
        uint32_t rule = w.trail[i].rule;
        bool open = w.trail[i].match == 2 && (w.trail[i].waits_for & FACT_BIT(USER));
        if (!open || rule >= n_rules)
            continue;
        bool before = rule < v->rule || rules[rule].table != rules[v->rule].table;
        if (before ? has(d->uncertain, rule) : rule == v->rule && has(d->excepts, rule))
            return true;
    }
    return false;
}

/* What stops a flow and a grant can lift. */
static bool is_liftable(const struct verdict *v)
{
    return (v->action == ACT_BLOCK || v->action == ACT_WARN) && v->layer == LAYER_WEB && !v->forbid;
}

/* Whether the verdict would be another one if every grant for a user were his. */
static bool grants_differ(const struct snapshot *s, const struct facts *f, const struct verdict *v)
{
    struct facts lucky = *f;
    struct verdict w;
    lucky.granted = GRANTED_ANY;
    decide(s, &lucky, &w);
    return w.action != v->action;
}

static bool has_grants(const struct snapshot *s)
{
    return s->grants.n > s->grants.n_exempt;
}

/* Stopped then, where a grant of his would have lifted it: he has none. */
static bool had_none(const struct redecide *d, const struct record *r)
{
    return d->from && has_grants(d->from) && d->snap->grants.v == d->from->grants.v &&
           is_liftable(&r->verdict) && grants_differ(d->from, &r->facts, &r->verdict);
}

/* Can a grant for some user lift it, or can one have done so that is not known any more? */
static uint64_t lacks_grant(const struct redecide *d, const struct record *r, bool somebody,
                            const struct verdict *v)
{
    if (d->own || !is_liftable(v))
        return 0;
    if (d->gone) /* what was stopped then was not lifted by any */
        return is_liftable(&r->verdict) ? 0 : FACT_BIT(GRANTS);
    bool may = somebody && r->facts.regroup && has_grants(d->snap);
    return may && grants_differ(d->snap, &r->facts, v) ? FACT_BIT(USER) : 0;
}

uint64_t redecide(const struct redecide *d, const struct cat_keys *keys, struct record *r,
                  struct verdict *out)
{
    struct facts *f = &r->facts;
    bool none = !d->own && f->user.n && had_none(d, r), somebody = take_person(d, r);
    if (!d->own) {
        f->zone = snapshot_zone_of(d->snap, &f->src);
        if (keys)
            snapshot_categories_expected(d->snap, keys, f);
        else
            snapshot_categories(d->snap, f);
    }
    decide(d->snap, f, out);
    uint64_t lacks = out->waits_for & f->lost;
    if (somebody && d->some_uncertain && (f->known & FACT_BIT(USER)) && may_be_another(d, f, out))
        lacks |= FACT_BIT(USER);
    return none ? lacks : lacks | lacks_grant(d, r, somebody, out);
}
