/* Conditions as sorted bytes; see same.h. */
#include "policy/same.h"

#include <stdlib.h>

#include "policy/normal.h"

static int value_order(const void *x, const void *y)
{
    const struct value *a = *(const struct value *const *)x, *b = *(const struct value *const *)y;
    return a->kind != b->kind ? (int)a->kind - (int)b->kind : span_cmp(a->w.text, b->w.text);
}

static int cond_order(const struct cond *a, const struct cond *b)
{
    return a->noun != b->noun ? (int)a->noun - (int)b->noun : (int)a->except - (int)b->except;
}

/* Values sorted, so that `a, b` and `b, a` read alike. */
static enum rc put_values(struct buf *key, const struct value *first)
{
    size_t n = 0;
    for (const struct value *v = first; v; v = v->next)
        n++;
    const struct value **sorted = calloc(n + 1, sizeof(*sorted));
    enum rc rc = sorted ? RC_OK : RC_NOMEM;
    n = 0;
    for (const struct value *v = first; v && sorted; v = v->next)
        sorted[n++] = v;
    if (sorted)
        qsort(sorted, n, sizeof(*sorted), value_order);
    for (size_t i = 0; i < n && rc == RC_OK; i++) {
        rc = buf_printf(key, "%d:%zu:", (int)sorted[i]->kind, sorted[i]->w.text.n);
        if (rc == RC_OK)
            rc = buf_put(key, sorted[i]->w.text);
    }
    free(sorted);
    return rc;
}

enum { CONDS_MOST = 64 };

/* The conditions of a rule as bytes, the same for rules that match the same. */
static bool rule_key(struct buf *key, const struct rule *r)
{
    const struct cond *sorted[CONDS_MOST];
    size_t n = 0;
    buf_clear(key);
    for (const struct cond *c = r->conds; c; c = c->next) {
        size_t i = n;
        if (n == CONDS_MOST)
            return false;
        for (; i > 0 && cond_order(c, sorted[i - 1]) < 0; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = c;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        if (buf_printf(key, "|%d%d", (int)sorted[i]->noun, sorted[i]->except) != RC_OK ||
            put_values(key, sorted[i]->vals) != RC_OK)
            return false;
    }
    return true;
}

bool same_conditions(const struct rule *a, const struct rule *b)
{
    struct buf x, y;
    buf_init(&x, 0);
    buf_init(&y, 0);
    bool same = rule_key(&x, a) && rule_key(&y, b) && span_eq(buf_span(&x), buf_span(&y));
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

static bool same_word(const struct word *a, const struct word *b)
{
    return span_eq(a->text, b->text);
}

static bool same_sets(const struct set_part *a, const struct set_part *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (a->kind != b->kind || !same_word(&a->value, &b->value))
            return false;
    }
    return a == b;
}

static bool same_rule(const struct rule *a, const struct rule *b)
{
    return a->verb == b->verb && a->block == b->block && a->any == b->any && a->log == b->log &&
           a->has_since == b->has_since && a->has_until == b->has_until && a->has_observe == b->has_observe &&
           (!a->has_since || a->since == b->since) && (!a->has_until || a->until == b->until) &&
           (!a->has_observe || a->observe_until == b->observe_until) && a->quic_refuse == b->quic_refuse &&
           a->event == b->event && a->answer == b->answer && a->exempt_s == b->exempt_s &&
           same_word(&a->name, &b->name) && same_word(&a->owner, &b->owner) &&
           same_word(&a->ticket, &b->ticket) && same_word(&a->reason, &b->reason) &&
           same_word(&a->purpose, &b->purpose) && same_sets(a->sets, b->sets) && same_conditions(a, b);
}

/* Rules one by one; what else there is, and whether one has more of them, by the normal form. */
bool same_policy(struct tree *a, struct tree *b)
{
    struct rule *x = a->rules.first, *y = b->rules.first;
    struct buf one, two;
    for (; x && y; x = x->next, y = y->next) {
        if (!same_rule(x, y))
            return false;
        x->text = y->text = x->part = y->part = SPAN_NONE;
    }
    buf_init(&one, 0);
    buf_init(&two, 0);
    bool same = policy_normal(a, &one) == RC_OK && policy_normal(b, &two) == RC_OK &&
                span_eq(buf_span(&one), buf_span(&two));
    buf_fini(&one);
    buf_fini(&two);
    return same;
}
