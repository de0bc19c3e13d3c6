/* Rules that are never reached; see checker.h. Only what is certain is said: rules with the very same
 * conditions, and rules behind one that matches everything at any time. */
#include "policy/checker.h"

/* Rules that are tried one after the other share a queue: `tls`, certificates, each other block, each `on`
 * event; and each delegate's own. 0: never in anybody's way (`set`, `log`, `masquerade` decide nothing). */
static uint8_t queue_of(const struct rule *r)
{
    if (r->verb == VERB_SET || r->verb == VERB_LOG || r->verb == VERB_MASQUERADE)
        return 0;
    switch (r->block) {
    case BLOCK_TLS: return check_is_certificate(r) ? 1 : 2;
    case BLOCK_WEB: return 3;
    case BLOCK_FIREWALL: return 4;
    case BLOCK_CONTENT: return 5;
    case BLOCK_DNS: return 6;
    default: return (uint8_t)(7 + r->event);
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

/* The queue of a rule as bytes. */
static bool put_queue(struct buf *key, const struct rule *r)
{
    buf_clear(key);
    return buf_put_u8(key, queue_of(r)) == RC_OK &&
           buf_put_u32(key, r->delegate ? r->delegate->id + 1 : 0) == RC_OK;
}

/* Its queue and conditions as bytes, the same for rules that match the same. */
static bool rule_key(struct buf *key, const struct rule *r)
{
    const struct cond *sorted[ORDER_MOST];
    size_t n = 0;
    for (const struct cond *c = r->conds; c; c = c->next) {
        size_t i = n;
        if (n == ORDER_MOST)
            return false;
        for (; i > 0 && cond_order(c, sorted[i - 1]) < 0; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = c;
        n++;
    }
    if (!put_queue(key, r))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (buf_printf(key, "|%d%d", (int)sorted[i]->noun, sorted[i]->except) != RC_OK ||
            !put_values(key, sorted[i]->vals))
            return false;
    }
    return true;
}

struct reached {
    struct diag *d;
    struct map seen; /* rules that are always on, by key; those without a condition by their queue alone */
    struct buf key;
};

static const struct rule *before(struct reached *x, bool keyed)
{
    return keyed ? map_find(&x->seen, buf_span(&x->key)) : NULL;
}

/* False without memory. */
static bool one_rule(struct reached *x, struct rule *r)
{
    const struct rule *everything = before(x, put_queue(&x->key, r));
    bool keyed = rule_key(&x->key, r);
    const struct rule *same = before(x, keyed);
    if (everything)
        diag_warn(x->d, r->pos, diag_at(x->d, "it stands at", everything->pos),
                  "this rule is never reached: one before it matches everything");
    else if (same)
        diag_warn(x->d, r->pos, diag_at(x->d, "it stands at", same->pos),
                  "this rule is never reached: one before it has the same conditions");
    if (!keyed || everything || same || r->has_since || r->has_until)
        return true;
    return map_put(&x->seen, buf_span(&x->key), r) == RC_OK;
}

static void check_reached(struct diag *d)
{
    struct reached x = {.d = d};
    map_init(&x.seen, 0);
    buf_init(&x.key, 0);
    for (struct rule *r = d->tree->rules.first; r; r = r->next) {
        if (queue_of(r) && !one_rule(&x, r))
            break;
    }
    map_fini(&x.seen);
    buf_fini(&x.key);
}

void check_order(struct diag *d)
{
    bool web = false;
    for (const struct rule *r = d->tree->rules.first; r; r = r->next)
        web = web || (r->block == BLOCK_WEB && !r->delegate);
    if (!web && d->tree->n_files)
        diag_warn(d, (struct pos){.line = 1}, "add `web { allow any }`",
                  "no rule in a `web` block: everything is blocked");
    check_reached(d);
    check_layers(d);
}
