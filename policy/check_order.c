/* What is never reached or never matches; see checker.h. Only what is certain is said: rules with the very
 * same conditions, rules behind one that matches everything, and conditions that a `ca none` zone can never
 * fulfil. */
#include "policy/checker.h"

static bool is_certificate_rule(const struct rule *r)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->noun == NOUN_CERTIFICATE && !c->except)
            return true;
    }
    return false;
}

/* Rules that are tried one after the other share a queue: `tls`, certificates, `web`, and each `on` event. */
static uint8_t queue_of(const struct rule *r)
{
    switch (r->block) {
    case BLOCK_TLS: return is_certificate_rule(r) ? 1 : 0;
    case BLOCK_WEB: return 2;
    default: return (uint8_t)(3 + r->event);
    }
}

static int value_order(const struct value *a, const struct value *b)
{
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : span_cmp(a->w.text, b->w.text);
}

static int cond_order(const struct cond *a, const struct cond *b)
{
    return a->noun != b->noun ? (int)a->noun - (int)b->noun : (int)a->except - (int)b->except;
}

enum { ORDER_MOST = 64 };

/* Values sorted, so that `a, b` and `b, a` read alike. False when there are too many to compare. */
static bool put_values(struct buf *key, const struct value *v)
{
    const struct value *sorted[ORDER_MOST];
    size_t n = 0;
    for (; v; v = v->next) {
        size_t i = n;
        if (n == ORDER_MOST)
            return false;
        for (; i > 0 && value_order(v, sorted[i - 1]) < 0; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = v;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        if (buf_printf(key, "%d:%zu:", (int)sorted[i]->kind, sorted[i]->w.text.n) != RC_OK ||
            buf_put(key, sorted[i]->w.text) != RC_OK)
            return false;
    }
    return true;
}

/* The queue and conditions of a rule as bytes, the same for rules that match the same. */
static bool rule_key(struct buf *key, const struct rule *r)
{
    const struct cond *sorted[ORDER_MOST];
    size_t n = 0;
    buf_clear(key);
    for (const struct cond *c = r->conds; c; c = c->next) {
        size_t i = n;
        if (n == ORDER_MOST)
            return false;
        for (; i > 0 && cond_order(c, sorted[i - 1]) < 0; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = c;
        n++;
    }
    if (buf_put_u8(key, queue_of(r)) != RC_OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (buf_printf(key, "|%d%d", (int)sorted[i]->noun, sorted[i]->except) != RC_OK ||
            !put_values(key, sorted[i]->vals))
            return false;
    }
    return true;
}

static void check_reached(struct diag *d)
{
    const struct rule *all[3 + ON_N] = {0};
    struct buf key;
    struct map seen;
    buf_init(&key, 0);
    map_init(&seen, 0);
    for (struct rule *r = d->tree->rules.first; r; r = r->next) {
        const struct rule **everything = &all[queue_of(r)];
        bool keyed = rule_key(&key, r);
        const struct rule *same = keyed ? map_find(&seen, buf_span(&key)) : NULL;
        if (*everything)
            diag_warn(d, r->pos, diag_at(d, "it stands at", (*everything)->pos),
                      "this rule is never reached: one before it matches everything");
        else if (same)
            diag_warn(d, r->pos, diag_at(d, "it stands at", same->pos),
                      "this rule is never reached: one before it has the same conditions");
        else if (!r->conds)
            *everything = r;
        if (keyed && !same && map_put(&seen, buf_span(&key), r) != RC_OK)
            break;
    }
    map_fini(&seen);
    buf_fini(&key);
}

static bool zone_has_ca(const struct tree *t, uint32_t id)
{
    const struct zone_decl *z = t->zones.first;
    while (z && z->id != id)
        z = z->next;
    return !z || !z->ca_none;
}

/* Whether the rule can only come from zones where nothing is intercepted. */
static bool only_without_ca(const struct tree *t, const struct rule *r)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->noun != NOUN_FROM || c->except)
            continue;
        for (const struct value *v = c->vals; v; v = v->next) {
            if (v->kind != VALUE_ZONE || zone_has_ca(t, v->id))
                return false;
        }
        return true;
    }
    return false;
}

static void check_without_ca(struct diag *d)
{
    for (const struct rule *r = d->tree->rules.first; r; r = r->next) {
        if (!only_without_ca(d->tree, r))
            continue;
        if (r->verb == VERB_INSPECT || (r->block == BLOCK_TLS && is_certificate_rule(r))) {
            diag_warn(d, r->pos, NULL,
                      "this rule can never match: its zone has `ca none`, nothing is intercepted there");
            continue;
        }
        for (const struct cond *c = r->conds; c; c = c->next) {
            if (c->noun == NOUN_METHOD || c->noun == NOUN_UPLOAD)
                diag_warn(d, c->pos, NULL,
                          "`%.*s` can match only unencrypted requests: the zone has `ca none`",
                          SHOW(noun_word(c->noun)));
        }
    }
}

void check_order(struct diag *d)
{
    bool web = false;
    for (const struct rule *r = d->tree->rules.first; r; r = r->next)
        web = web || r->block == BLOCK_WEB;
    if (!web && d->tree->n_files)
        diag_warn(d, (struct pos){.line = 1}, "add `web { allow any }`",
                  "no rule in a `web` block: everything is blocked");
    check_reached(d);
    check_without_ca(d);
}
