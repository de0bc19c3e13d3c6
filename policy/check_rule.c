/* Rules and expectations: names to numbers; see checker.h. */
#include "policy/checker.h"

#include "gw/base/obj.h"

static bool resolve_zone(struct diag *d, struct value *v)
{
    struct word *zone = map_find(&d->tree->zone_map, v->w.text);
    if (!zone)
        return false;
    v->kind = VALUE_ZONE;
    v->id = CONTAINER_OF(zone, struct zone_decl, name)->id;
    return true;
}

static bool resolve_host(struct diag *d, struct value *v)
{
    struct word *host = map_find(&d->tree->host_map, v->w.text);
    if (!host)
        return false;
    v->kind = VALUE_HOST;
    v->members = CONTAINER_OF(host, struct host_decl, name)->addrs;
    return true;
}

static void resolve_place(struct diag *d, struct value *v)
{
    switch (v->kind) {
    case VALUE_NETWORK: return;
    case VALUE_ZONE:
        if (!resolve_zone(d, v))
            check_missing(d, &v->w, "zone", &d->tree->zone_map, NULL);
        return;
    case VALUE_HOST:
        if (!resolve_host(d, v))
            check_missing(d, &v->w, "host", &d->tree->host_map, NULL);
        return;
    default:
        if (!resolve_zone(d, v) && !resolve_host(d, v))
            check_missing(d, &v->w, "zone or host", &d->tree->zone_map, &d->tree->host_map);
    }
}

static void resolve_person(struct diag *d, struct value *v)
{
    if (v->kind == VALUE_UNIDENTIFIED)
        return;
    if (v->kind == VALUE_USER) {
        const struct user_decl *u = check_user(d, &v->w);
        v->id = u ? u->id : 0;
        return;
    }
    struct word *group = map_find(&d->tree->group_map, v->w.text);
    if (group)
        v->id = CONTAINER_OF(group, struct group_decl, name)->id;
    else
        check_missing(d, &v->w, "group", &d->tree->group_map, NULL);
}

static void resolve_category(struct diag *d, struct value *v)
{
    struct word *category = map_find(&d->tree->category_map, v->w.text);
    if (v->kind == VALUE_NONE)
        return;
    if (category)
        v->id = CONTAINER_OF(category, struct category_decl, name)->id;
    else
        check_missing(d, &v->w, "category", &d->tree->category_map, NULL);
}

static void resolve_service(struct diag *d, struct value *v)
{
    struct word *service = map_find(&d->tree->service_map, v->w.text);
    if (!service) {
        check_missing(d, &v->w, "service", &d->tree->service_map, NULL);
        return;
    }
    v->members = CONTAINER_OF(service, struct service_decl, name)->tcp;
    if (!v->members)
        diag_error(d, v->w.pos, NULL, "service `%.*s` has no TCP port: it never comes here", SHOW(v->w.text));
}

enum {
#define D(id, name, text) DEFECT_##id,
#include "certs/defect.tbl"
#undef D
    DEFECT_N
};

static bool find_defect(struct diag *d, const struct word *w, uint32_t *out)
{
    struct suggest near = suggest_for(w->text);
    for (unsigned i = 0; i < DEFECT_N; i++) {
        if (span_eq(w->text, defect_word(i))) {
            *out = i;
            return true;
        }
        suggest_add(&near, defect_word(i));
    }
    if (span_eq(w->text, SPAN("asks-client-certificate")))
        diag_error(
            d, w->pos, NULL,
            "`asks-client-certificate` (a rule on client certificates) is not available in this version");
    else
        diag_error(d, w->pos, suggest_hint(d, &near), "there is no defect `%.*s`", SHOW(w->text));
    return false;
}

static void resolve_defect(struct diag *d, const struct rule *r, struct value *v)
{
    if (!find_defect(d, &v->w, &v->id) || r->verb != VERB_ALLOW)
        return;
    if (v->id == DEFECT_HANDSHAKE)
        diag_error(d, v->w.pos, NULL, "`%.*s` cannot be allowed: there is no connection to go on with",
                   SHOW(v->w.text));
    if (v->id == DEFECT_OWN_CA)
        diag_error(d, v->w.pos, NULL, "`%.*s` cannot be allowed: the gateway would trust its own copies",
                   SHOW(v->w.text));
}

static void resolve_method(struct diag *d, struct value *v)
{
    uint8_t *upper = arena_alloc(&d->tree->mem, v->w.text.n + 1);
    bool ok = upper && v->w.text.n <= 32;
    for (size_t i = 0; ok && i < v->w.text.n; i++) {
        uint8_t c = ascii_lower(v->w.text.p[i]);
        ok = (c >= 'a' && c <= 'z') || c == '-' || c == '_';
        upper[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
    }
    if (ok)
        v->w.text = span_of(upper, v->w.text.n);
    else
        diag_error(d, v->w.pos, NULL, "`%.*s` is not a request method", SHOW(v->w.text));
}

static void resolve_value(struct diag *d, const struct rule *r, enum noun noun, struct value *v)
{
    switch (noun) {
    case NOUN_FROM:
    case NOUN_TO: resolve_place(d, v); return;
    case NOUN_FOR: resolve_person(d, v); return;
    case NOUN_CATEGORY: resolve_category(d, v); return;
    case NOUN_DOMAIN: check_name(d, &v->w); return;
    case NOUN_SERVICE: resolve_service(d, v); return;
    case NOUN_CERTIFICATE: resolve_defect(d, r, v); return;
    case NOUN_METHOD: resolve_method(d, v); return;
    default: return;
    }
}

static const struct cond *find_cond(const struct rule *r, enum noun noun, bool except)
{
    const struct cond *c = r->conds;
    while (c && (c->noun != noun || c->except != except))
        c = c->next;
    return c;
}

/* What `tls` verbs and certificate conditions have to do with each other. */
static void check_tls_rule(struct diag *d, const struct rule *r)
{
    const struct cond *cert = find_cond(r, NOUN_CERTIFICATE, false);
    const struct cond *not_cert = find_cond(r, NOUN_CERTIFICATE, true);
    if (not_cert && !cert)
        diag_error(d, not_cert->pos, "name the defects that are meant: `certificate ...`",
                   "an exception from no certificate condition");
    if (r->verb == VERB_ALLOW && !cert)
        diag_error(d, r->pos, "write `allow certificate DEFECT ...` here, or move the rule to `web`",
                   "in `tls`, `allow` is about certificates");
    if ((r->verb == VERB_EXEMPT || r->verb == VERB_INSPECT) && cert)
        diag_error(d, cert->pos, NULL,
                   "`%.*s certificate` is not available in this version: a certificate is seen only after "
                   "that choice",
                   SHOW(verb_word(r->verb)));
}

void check_rules(struct diag *d)
{
    unsigned per_block[BLOCK_CEILING + 1] = {0};
    for (struct rule *r = d->tree->rules.first; r; r = r->next) {
        for (struct cond *c = r->conds; c; c = c->next) {
            for (struct value *v = c->vals; v; v = v->next)
                resolve_value(d, r, c->noun, v);
        }
        if (r->block == BLOCK_TLS)
            check_tls_rule(d, r);
        if (++per_block[r->block] == LIM_POLICY_RULES + 1)
            diag_error(d, r->pos, NULL, "more than %d rules", LIM_POLICY_RULES);
    }
}

static void one_only(struct diag *d, const struct value *v)
{
    if (v && v->next)
        diag_error(d, v->next->w.pos, "write a second `expect`", "an expectation is about one request");
}

void check_expects(struct diag *d)
{
    for (struct expect *e = d->tree->expects.first; e; e = e->next) {
        if (e->from)
            resolve_place(d, e->from);
        if (e->who)
            resolve_person(d, e->who);
        one_only(d, e->from);
        one_only(d, e->who);
        if (e->certificate.text.n)
            find_defect(d, &e->certificate, &e->defect);
    }
}
