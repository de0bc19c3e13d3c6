/* Changes of requests; see change.h. */
#include "gw/flow/change.h"

#include "gw/flow/flow.h"
#include "gw/http/modify.h"

static const enum forwarded forwarded_of[] = {[SET_FORWARDED_REMOVE] = FORWARDED_REMOVE,
                                              [SET_FORWARDED_KEEP] = FORWARDED_KEEP,
                                              [SET_FORWARDED_ADD] = FORWARDED_ADD};

/* "Name: text", checked when the policy was compiled. */
static void add_header(struct modify *how, span value)
{
    size_t colon = span_find(value, ':', 0);
    if (colon != SIZE_MAX && how->n_headers < MODIFY_HEADERS)
        how->headers[how->n_headers++] =
            (struct field){.name = span_trim(span_cut(value, 0, colon)),
                           .value = span_trim(span_cut(value, colon + 1, value.n))};
}

static void add_mod(struct modify *how, const struct verdict_mod *m)
{
    switch (m->kind) {
    case MOD_SAFE_SEARCH: how->safe_search = true; break;
    case MOD_YOUTUBE:
        how->youtube = span_eq(m->value, SPAN("strict")) ? YOUTUBE_STRICT : YOUTUBE_MODERATE;
        break;
    case MOD_HEADER: add_header(how, m->value); break;
    default: break; /* a quota changes no request */
    }
}

static uint32_t applied(const struct judged *j, const struct modified *did)
{
    uint32_t bits = 0;
    unsigned header = 0;
    for (unsigned i = 0; i < j->n_mods; i++) {
        enum modifier kind = j->mods[i].kind;
        bool yes = (kind == MOD_SAFE_SEARCH && did->safe_search) || (kind == MOD_YOUTUBE && did->youtube) ||
                   (kind == MOD_HEADER && (did->headers >> header & 1));
        header += kind == MOD_HEADER;
        bits |= yes ? UINT32_C(1) << i : 0;
    }
    return bits;
}

static bool is_set(const struct judged *j, span name)
{
    for (unsigned i = 0; i < j->n_mods; i++) {
        span set = span_cut(j->mods[i].value, 0, span_find(j->mods[i].value, ':', 0));
        if (j->mods[i].kind == MOD_HEADER && modify_same_name(span_trim(set), name))
            return true;
    }
    return false;
}

size_t change_trailers(const struct txn *t, struct field *fields, size_t n)
{
    const struct judged *j = &t->verdict;
    size_t kept = 0;
    if (j->observed)
        return n;
    for (size_t i = 0; i < n; i++) {
        if (!is_set(j, fields[i].name))
            fields[kept++] = fields[i];
    }
    return kept;
}

enum rc change_request(struct txn *t, struct msg *m)
{
    const struct judged *j = &t->verdict;
    struct modify how = {.forwarded = forwarded_of[snapshot_settings(t->snap)->forwarded],
                         .client = t->f->src};
    struct modified did;
    for (unsigned i = 0; i < j->n_mods && !j->observed; i++)
        add_mod(&how, &j->mods[i]);
    TRY(modify_request(m, t->host, &how, &t->arena, &did));
    t->changed = j->observed ? 0 : applied(j, &did);
    t->f->e->n.changed += t->changed != 0;
    return RC_OK;
}
