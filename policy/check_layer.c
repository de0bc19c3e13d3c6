/* Where the order in which a policy is written and the order in which it is asked differ; see checker.h.
 * `web` is asked before `tls` on what a name settles, and again per request, which an exempt connection and a
 * zone without our CA never show. Only what is certain is said. */
#include "policy/checker.h"

/* How many values are compared at most: what a huge policy has beyond that is not warned of. */
enum { COMPARE_MOST = 20000000 };

struct layers {
    struct diag *d;
    const struct zone_decl **zones; /* by number */
    uint32_t n_zones;
    const struct rule **late; /* what waits for a request or shows a page, of zones with our CA too */
    uint32_t n_late;
    uint64_t compared;
};

/* Whether the rule waits for a request, or for what one carries. */
static bool needs_request(const struct rule *r)
{
    return r->verb == VERB_SET || r->block == BLOCK_CONTENT || check_find(r, NOUN_METHOD, false) ||
           check_find(r, NOUN_UPLOAD, false) || check_find(r, NOUN_PATH, false);
}

/* ---- zones without our CA ---- */

/* Whether the rule can only come from zones where nothing is intercepted. */
static bool only_without_ca(const struct layers *x, const struct rule *r)
{
    const struct cond *from = check_find(r, NOUN_FROM, false);
    for (const struct value *v = from ? from->vals : NULL; v; v = v->next) {
        if (v->kind != VALUE_ZONE || v->id >= x->n_zones || !x->zones[v->id]->ca_none)
            return false;
    }
    return from != NULL;
}

static void check_without_ca(const struct layers *x)
{
    struct diag *d = x->d;
    for (const struct rule *r = d->tree->rules.first; r; r = r->next) {
        if (!only_without_ca(x, r))
            continue;
        if (r->verb == VERB_WARN)
            diag_warn(
                d, r->pos, "write `block` where that is meant",
                "its zone has `ca none`: no warning can be shown there, encrypted requests are blocked");
        else if (needs_request(r))
            diag_warn(d, r->pos, NULL,
                      "this rule can match only unencrypted requests: its zone has `ca none`");
    }
}

/* ---- one rule takes all of another ---- */

static bool domain_below(span name, span parent)
{
    return span_eq(name, parent) ||
           (name.n > parent.n && span_has_suffix(name, parent) && name.p[name.n - parent.n - 1] == '.');
}

static bool value_below(struct layers *x, const struct value *v, const struct cond *c)
{
    for (const struct value *o = c->vals; o && x->compared < COMPARE_MOST; o = o->next, x->compared++) {
        if (c->noun == NOUN_DOMAIN ? domain_below(v->w.text, o->w.text)
                                   : v->kind == o->kind && span_eq(v->w.text, o->w.text))
            return true;
    }
    return false;
}

/* Whether the rule asks for names and categories alone, at any time. */
static bool names_alone(const struct rule *r)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->except || (c->noun != NOUN_CATEGORY && c->noun != NOUN_DOMAIN))
            return false;
    }
    return !r->has_since && !r->has_until && !r->has_observe && !r->delegate;
}

/* Whether `wide` matches whatever `narrow` matches. */
static bool covers(struct layers *x, const struct rule *wide, const struct rule *narrow)
{
    if (x->compared++ >= COMPARE_MOST || !names_alone(wide))
        return false;
    for (const struct cond *c = wide->conds; c; c = c->next) {
        const struct cond *own = check_find(narrow, c->noun, false);
        if (!own)
            return false;
        for (const struct value *v = own->vals; v; v = v->next) {
            if (!value_below(x, v, c))
                return false;
        }
    }
    return true;
}

/* ---- what `tls` exempts is seen by name alone ---- */

static void check_exempted(struct diag *d, const struct rule *r, const struct rule *exempt)
{
    const char *where = diag_at(d, "it is exempted at", exempt->pos);
    if (r->verb == VERB_WARN)
        diag_warn(d, r->pos, where,
                  "no warning can be shown: `tls` exempts these, and encrypted requests are blocked instead");
    else
        diag_warn(d, r->pos, where,
                  "this rule can match only unencrypted requests: `tls` exempts them before");
}

static void check_behind_tls(struct layers *x)
{
    for (const struct rule *e = x->d->tree->rules.first; e; e = e->next) {
        if (e->block != BLOCK_TLS || check_is_certificate(e))
            continue;
        if (e->verb != VERB_EXEMPT)
            return; /* it may take some of them: what follows is not certain */
        for (uint32_t i = 0; i < x->n_late && x->compared < COMPARE_MOST; i++) {
            if (covers(x, e, x->late[i]))
                check_exempted(x->d, x->late[i], e);
        }
    }
}

static bool is_late(const struct layers *x, const struct rule *r)
{
    return (r->block == BLOCK_WEB || r->block == BLOCK_CONTENT) && r->verb != VERB_LOG &&
           (r->verb == VERB_WARN || needs_request(r)) && !only_without_ca(x, r);
}

void check_layers(struct diag *d)
{
    struct tree *t = d->tree;
    struct layers x = {.d = d, .n_zones = t->zones.n};
    x.zones = arena_alloc(&t->mem, (t->zones.n + (size_t)1) * sizeof *x.zones);
    x.late = arena_alloc(&t->mem, (t->rules.n + (size_t)1) * sizeof *x.late);
    if (!x.zones || !x.late)
        return;
    for (const struct zone_decl *z = t->zones.first; z; z = z->next)
        x.zones[z->id] = z;
    for (const struct rule *r = t->rules.first; r; r = r->next) {
        if (is_late(&x, r))
            x.late[x.n_late++] = r;
    }
    check_without_ca(&x);
    check_behind_tls(&x);
}
