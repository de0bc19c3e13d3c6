/* Values in conditions: names to numbers; see checker.h. */
#include "policy/checker.h"

#include "gw/base/obj.h"
#include "gw/base/urlpath.h"

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

void check_place(struct diag *d, struct value *v)
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
        if (map_find(&d->tree->zone_map, v->w.text) && map_find(&d->tree->host_map, v->w.text))
            diag_error(d, v->w.pos,
                       diag_hint(d, "write `zone %.*s` or `host %.*s`", SHOW(v->w.text), SHOW(v->w.text)),
                       "`%.*s` is the name of a zone and of a host", SHOW(v->w.text));
        else if (!resolve_zone(d, v) && !resolve_host(d, v))
            check_missing(d, &v->w, "zone or host", &d->tree->zone_map, &d->tree->host_map);
    }
}

void check_person(struct diag *d, struct value *v)
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

static void resolve_service(struct diag *d, const struct rule *r, struct value *v)
{
    struct word *service = map_find(&d->tree->service_map, v->w.text);
    if (!service) {
        check_missing(d, &v->w, "service", &d->tree->service_map, NULL);
        return;
    }
    const struct service_decl *s = CONTAINER_OF(service, struct service_decl, name);
    v->members = s->ports;
    if (!s->tcp && r->block != BLOCK_FIREWALL)
        diag_error(d, v->w.pos, NULL, "service `%.*s` has no TCP port: it never comes here", SHOW(v->w.text));
}

enum {
#define D(id, name, text) DEFECT_##id,
#include "certs/defect.tbl"
#undef D
    DEFECT_N
};

bool check_defect(struct diag *d, const struct word *w, uint32_t *out)
{
    struct suggest near = suggest_for(w->text);
    for (unsigned i = 0; i < DEFECT_N; i++) {
        if (span_eq(w->text, defect_word(i))) {
            *out = i;
            return true;
        }
        suggest_add(&near, defect_word(i));
    }
    diag_error(d, w->pos, suggest_hint(d, &near), "there is no defect `%.*s`", SHOW(w->text));
    return false;
}

static void resolve_defect(struct diag *d, const struct rule *r, struct value *v)
{
    if (!check_defect(d, &v->w, &v->id) || r->verb != VERB_ALLOW)
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

static void resolve_schedule(struct diag *d, struct value *v)
{
    struct word *s = map_find(&d->tree->schedule_map, v->w.text);
    if (s)
        v->id = CONTAINER_OF(s, struct schedule_decl, name)->id;
    else
        check_missing(d, &v->w, "schedule", &d->tree->schedule_map, NULL);
}

/* "one of `a`, `b`": for a table that is short enough to show. */
static const char *all_of(struct diag *d, span (*word)(unsigned))
{
    struct buf b = {0};
    enum rc rc = buf_put_str(&b, "one of ");
    for (unsigned i = 0; word(i).n && rc == RC_OK; i++)
        rc = buf_printf(&b, "%s%.*s", i ? ", " : "", SHOW(word(i)));
    const char *hint = rc == RC_OK ? arena_str(&d->tree->mem, buf_span(&b)) : NULL;
    buf_fini(&b);
    return hint;
}

void check_in_table(struct diag *d, const struct word *w, const char *what, span (*word)(unsigned))
{
    struct suggest near = suggest_for(w->text);
    for (unsigned i = 0; word(i).n; i++) {
        if (span_eq(w->text, word(i)))
            return;
        suggest_add(&near, word(i));
    }
    const char *hint = suggest_hint(d, &near);
    diag_error(d, w->pos, hint ? hint : all_of(d, word), "there is no %s `%.*s`", what, SHOW(w->text));
}

/* "/a/b", without a slash at the end. */
static void resolve_path(struct diag *d, struct value *v)
{
    span s = v->w.text;
    if (s.n == 0 || s.p[0] != '/' || span_find(s, '?', 0) != SIZE_MAX || span_find(s, '#', 0) != SIZE_MAX ||
        span_find(s, ';', 0) != SIZE_MAX) {
        diag_error(d, v->w.pos, "a path begins with `/` and ends before any `?`, `#` or `;`",
                   "\"%.*s\" is not a path", SHOW(s));
        return;
    }
    if (s.n > LIM_POLICY_PATH_BYTES) {
        diag_error(d, v->w.pos, NULL, "a path of more than %d bytes", LIM_POLICY_PATH_BYTES);
        return;
    }
    uint8_t *normal = arena_alloc(&d->tree->mem, s.n + 1);
    size_t n = normal ? urlpath_normalise(s, normal) : 0;
    v->w.text = n ? span_of(normal, n) : SPAN("/");
}

void check_application(struct diag *d, struct word *w)
{
    uint8_t *lower = arena_alloc(&d->tree->mem, w->text.n + 1);
    bool ok = lower && w->text.n && w->text.n <= 64;
    for (size_t i = 0; ok && i < w->text.n; i++) {
        lower[i] = ascii_lower(w->text.p[i]);
        ok = lower[i] > ' ' && lower[i] < 0x7f;
    }
    if (ok)
        w->text = span_of(lower, w->text.n);
    else
        diag_error(d, w->pos, NULL, "\"%.*s\" is not the name of an application", SHOW(w->text));
}

static void resolve_value(struct diag *d, const struct rule *r, enum noun noun, struct value *v)
{
    switch (noun) {
    case NOUN_FROM:
    case NOUN_TO: check_place(d, v); return;
    case NOUN_FOR: check_person(d, v); return;
    case NOUN_CATEGORY: resolve_category(d, v); return;
    case NOUN_DOMAIN: check_name(d, &v->w); return;
    case NOUN_SERVICE: resolve_service(d, r, v); return;
    case NOUN_CERTIFICATE: resolve_defect(d, r, v); return;
    case NOUN_METHOD: resolve_method(d, v); return;
    case NOUN_PATH: resolve_path(d, v); return;
    case NOUN_DURING: resolve_schedule(d, v); return;
    case NOUN_TYPE: check_in_table(d, &v->w, "type of file", type_word); return;
    case NOUN_PATTERN: check_in_table(d, &v->w, "pattern", pattern_word); return;
    case NOUN_APPLICATION: check_application(d, &v->w); return;
    case NOUN_TCP:
    case NOUN_UDP:
    case NOUN_ICMP:
    case NOUN_UPLOAD:
    case NOUN_SIGNATURE:
    case NOUN_VIRUS:
    case NOUN_N: return;
    }
}

void check_conds(struct diag *d, const struct rule *r, struct cond *conds)
{
    for (struct cond *c = conds; c; c = c->next) {
        for (struct value *v = c->vals; v; v = v->next)
            resolve_value(d, r, c->noun, v);
    }
}
