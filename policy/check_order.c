/* What can be seen before anything is built: no `web` block, and conditions that only part of the flows of a
 * `ca none` zone can fulfil. See checker.h; what is never reached is for check_reach.c. */
#include "policy/checker.h"

static bool is_certificate_rule(const struct rule *r)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->noun == NOUN_CERTIFICATE && !c->except)
            return true;
    }
    return false;
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
        if (r->verb == VERB_INSPECT || (r->block == BLOCK_TLS && is_certificate_rule(r)))
            continue; /* check_reach says that it never matches */
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
    check_without_ca(d);
}
