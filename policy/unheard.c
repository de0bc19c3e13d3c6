/* See unheard.h: the tree is walked once, and what nothing acts on is counted. */
#include "policy/unheard.h"

static void count(struct unheard *u, struct pos at)
{
    if (u->n++ == 0)
        u->first = at;
}

/* Events that are reported; the others wait for their parts. */
static bool is_reported(enum on_event ev)
{
    return ev != ON_LISTS_MISSING && ev != ON_SCANNER_DOWN && ev != ON_DPI_DOWN && ev != ON_PACKETS_DOWN;
}

static void look_at_rule(struct unheard u[UNHEARD_N], const struct rule *r)
{
    if (r->block == BLOCK_CONTENT)
        count(&u[UNHEARD_CONTENT], r->pos);
    if (r->block == BLOCK_DNS)
        count(&u[UNHEARD_DNS], r->pos);
    if (r->verb == VERB_MASQUERADE)
        count(&u[UNHEARD_MASQUERADE], r->pos);
    if (r->block == BLOCK_ON && !is_reported(r->event))
        count(&u[UNHEARD_EVENT], r->pos);
    for (const struct set_part *s = r->sets; s; s = s->next) {
        if (s->kind == MOD_QUOTA)
            count(&u[UNHEARD_QUOTA], r->pos);
    }
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->noun == NOUN_APPLICATION)
            count(&u[UNHEARD_APPLICATION], r->pos);
    }
}

size_t policy_unheard(const struct tree *t, struct unheard out[UNHEARD_N])
{
    struct unheard u[UNHEARD_N] = {
#define U(id, words, text) {words, text, 0, {0}},
#include "policy/unheard.tbl"
#undef U
    };
    size_t n = 0;
    for (const struct group_decl *g = t->groups.first; g; g = g->next) {
        if (g->attrs)
            count(&u[UNHEARD_DIRECTORY], g->name.pos);
    }
    for (const struct zone_decl *z = t->zones.first; z; z = z->next) {
        if (z->vpn.text.n)
            count(&u[UNHEARD_VPN], z->name.pos);
    }
    for (const struct rule *r = t->rules.first; r; r = r->next)
        look_at_rule(u, r);
    for (unsigned i = 0; i < UNHEARD_N; i++) {
        if (u[i].n)
            out[n++] = u[i];
    }
    return n;
}
