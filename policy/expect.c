/* Expectations; see expect.h. */
#include "policy/expect.h"

#include "gw/base/obj.h"

/* The parts of `https://host:port/path?query`. */
struct url {
    bool tls;
    span host, path;
    uint16_t port;
};

/* First byte of `marks` at or after `from`; the end when there is none. */
static size_t url_mark(span s, size_t from, span marks)
{
    while (from < s.n && span_find(marks, s.p[from], 0) == SIZE_MAX)
        from++;
    return from;
}

static bool url_split(span text, struct url *out)
{
    uint64_t port;
    out->tls = span_has_prefix(text, SPAN("https://"));
    span rest = span_cut(text, out->tls ? 8 : 7, text.n);
    size_t end = url_mark(rest, 0, SPAN("/?#")), path_end = url_mark(rest, end, SPAN("?#"));
    span authority = span_cut(rest, 0, end);
    out->path = path_end > end ? span_cut(rest, end, path_end) : SPAN("/");
    out->port = out->tls ? 443 : 80;
    size_t close = span_find(authority, ']', 0);
    size_t colon = span_find(authority, ':', close == SIZE_MAX ? 0 : close);
    out->host = span_cut(authority, 0, colon);
    if (colon != SIZE_MAX) {
        if (!span_to_u64(span_cut(authority, colon + 1, authority.n), 65535, &port) || port == 0)
            return false;
        out->port = (uint16_t)port;
    }
    if (out->host.n > 2 && out->host.p[0] == '[' && out->host.p[out->host.n - 1] == ']')
        out->host = span_cut(out->host, 1, out->host.n - 1);
    return out->host.n > 0;
}

static const struct group_decl *group_with_id(const struct tree *t, uint32_t id)
{
    const struct group_decl *g = t->groups.first;
    while (g && g->id != id)
        g = g->next;
    return g;
}

/* An address that belongs to the value and, where it is asked for, to no client zone with `ca none`. */
static bool address_of(const struct snapshot *snap, const struct value *v, struct addr *out)
{
    if (v->kind != VALUE_ZONE) {
        *out = v->kind == VALUE_HOST && v->members ? v->members->prefix.a : v->prefix.a;
        return true;
    }
    *out = snapshot_zone_network(snap, (uint16_t)v->id, 0).addr;
    return out->family != 0;
}

/* First zone of clients in which things are intercepted; else the first of clients. */
static bool some_client(const struct snapshot *snap, struct addr *out)
{
    uint16_t best = ZONE_NONE;
    for (uint16_t i = 0; i < snapshot_settings(snap)->n_zones; i++) {
        const struct set_zone *z = snapshot_zone(snap, i);
        if (z->internet || z->n_networks == 0)
            continue;
        if (best == ZONE_NONE || (snapshot_zone(snap, best)->ca_none && !z->ca_none))
            best = i;
    }
    if (best != ZONE_NONE)
        *out = snapshot_zone_network(snap, best, 0).addr;
    return best != ZONE_NONE;
}

static bool set_person(struct diag *d, const struct expect *e, struct facts *f, bool *has_address)
{
    const struct group_decl *g;
    if (!e->who || e->who->kind == VALUE_UNIDENTIFIED)
        return true;
    if (e->who->kind == VALUE_USER) {
        f->user = e->who->w.text;
        return true;
    }
    g = group_with_id(d->tree, e->who->id);
    if (g && g->users) {
        f->user = g->users->w.text;
        return true;
    }
    if (g && g->networks && !e->from) {
        f->src = g->networks->prefix.a;
        *has_address = true;
        return true;
    }
    diag_error(d, e->who->w.pos, "name a user, or a group of users",
               "nobody can be chosen from group `%.*s` here", SHOW(e->who->w.text));
    return false;
}

/* The connect step's facts. */
static bool set_facts(struct diag *d, const struct snapshot *snap, const struct expect *e, struct facts *f)
{
    struct url u;
    uint8_t name[LIM_NAME_BYTES];
    bool has_address = false;
    if (!url_split(e->url.text, &u)) {
        diag_error(d, e->url.pos, NULL, "this is not a URL");
        return false;
    }
    if (!set_person(d, e, f, &has_address))
        return false;
    if (e->from)
        has_address = address_of(snap, e->from, &f->src);
    if (!has_address && (e->from || !some_client(snap, &f->src))) {
        diag_error(d, e->from ? e->from->w.pos : e->pos, NULL,
                   "there is no address from which this could be asked");
        return false;
    }
    f->zone = snapshot_zone_of(snap, &f->src);
    f->tls = u.tls;
    f->dst_port = u.port;
    f->path = u.path;
    f->known = FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(NAME) | FACT_BIT(TLS);
    size_t n = name_normalise(u.host, name);
    f->name = arena_dup(&d->tree->mem, span_of(name, n));
    if (n == 0 && addr_parse(u.host, &f->dst))
        f->known |= FACT_BIT(DST);
    snapshot_categories(snap, f);
    return true;
}

static span upper(struct tree *t, span s)
{
    uint8_t *out = arena_alloc(&t->mem, s.n + 1);
    for (size_t i = 0; out && i < s.n; i++)
        out[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (uint8_t)(s.p[i] - 32) : s.p[i];
    return span_of(out, out ? s.n : 0);
}

/* All steps. `connect` is what the first one said; `v` the one that ended it. */
static void walk(struct diag *d, const struct snapshot *snap, const struct expect *e, struct facts *f,
                 enum action *connect, struct verdict *v)
{
    f->step = STEP_CONNECT;
    decide(snap, f, v);
    *connect = v->action;
    if (v->action != ACT_INSPECT)
        return;
    f->defects = e->certificate.text.n ? UINT32_C(1) << e->defect : 0;
    f->known |= FACT_BIT(DEFECTS);
    f->step = STEP_CERTIFICATE;
    if (f->tls) {
        decide(snap, f, v);
        if (v->action != ACT_ALLOW)
            return;
    }
    f->step = STEP_REQUEST;
    f->method = upper(d->tree, e->method.text);
    f->upload = e->upload || span_eq(f->method, SPAN("POST")) || span_eq(f->method, SPAN("PUT"));
    f->decrypted = f->tls;
    f->known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    snapshot_categories(snap, f); /* the path may add some */
    decide(snap, f, v);
}

static bool as_expected(span outcome, enum action connect, const struct verdict *v)
{
    if (span_eq(outcome, SPAN("allow")))
        return v->action == ACT_ALLOW || v->action == ACT_EXEMPT;
    if (span_eq(outcome, SPAN("block")))
        return v->action == ACT_BLOCK;
    if (span_eq(outcome, SPAN("forbid")))
        return v->action == ACT_BLOCK && v->forbid;
    if (span_eq(outcome, SPAN("exempt")))
        return v->action == ACT_EXEMPT;
    return connect == ACT_INSPECT;
}

static const char *happened(enum action a)
{
    static const char *const words[] = {"allowed", "blocked", "exempted (not decrypted)", "inspected",
                                        "warned about"};
    return (size_t)a < N_ELEMS(words) ? words[a] : "?";
}

static void report(struct diag *d, const struct snapshot *snap, const struct expect *e,
                   const struct verdict *v)
{
    static const char *const whys[] = {"by a rule", "because no rule matches",
                                       "because no rule allows this defect of a certificate",
                                       "because its zone has `ca none`", "because the client is in no zone"};
    if (v->rule == RULE_NONE) {
        diag_error(d, e->pos, NULL, "this is not what happens: the request is %s %s", happened(v->action),
                   whys[v->why]);
        return;
    }
    struct rule_info r = snapshot_rule(snap, v->rule);
    bool liftable = v->action == ACT_BLOCK && span_eq(e->outcome.text, SPAN("forbid"));
    diag_error(d, e->pos, diag_hint(d, "%.*s:%u says `%.*s`", SHOW(r.file), r.line, SHOW(r.text)),
               "this is not what happens: the request is %s%s", happened(v->action),
               liftable ? ", but not by `forbid`" : "");
}

void policy_expect(struct diag *d, const struct snapshot *snap, int64_t now)
{
    for (const struct expect *e = d->tree->expects.first; e; e = e->next) {
        struct facts f = {.time_s = e->at ? e->at : now};
        struct verdict v;
        enum action connect;
        if (!set_facts(d, snap, e, &f))
            continue;
        walk(d, snap, e, &f, &connect, &v);
        if (!as_expected(e->outcome.text, connect, &v))
            report(d, snap, e, &v);
    }
}
