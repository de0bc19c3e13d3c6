/* Expectations; see expect.h. */
#include "policy/expect.h"

#include "gw/base/obj.h"
#include "policy/url.h"
#include "signatures/catkey.h"

static const struct group_decl *group_with_id(const struct tree *t, uint32_t id)
{
    const struct group_decl *g = t->groups.first;
    while (g && g->id != id)
        g = g->next;
    return g;
}

/* An address in no client's zone, where a name is taken to lead. */
static bool outside(const struct snapshot *snap, struct addr *out)
{
    static const char *const nets[] = {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"};
    for (size_t i = 0; i < N_ELEMS(nets); i++) {
        uint16_t zone;
        if (!addr_parse(span_str(nets[i]), out))
            continue;
        zone = snapshot_zone_of(snap, out);
        if (zone == ZONE_NONE || snapshot_zone(snap, zone)->internet)
            return true;
    }
    return false;
}

/* An address that belongs to the value. */
static bool address_of(const struct snapshot *snap, const struct value *v, struct addr *out)
{
    if (v->kind != VALUE_ZONE) {
        *out = v->kind == VALUE_HOST && v->members ? v->members->prefix.a : v->prefix.a;
        return true;
    }
    *out = snapshot_zone_network(snap, (uint16_t)v->id, 0).addr;
    if (out->family == 0 && snapshot_zone(snap, (uint16_t)v->id)->internet)
        return outside(snap, out);
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

/* A user of the group: by name, by what a directory says, else by address. */
static bool set_member(const struct group_decl *g, bool placed, struct facts *f, bool *has_address)
{
    if (g->users) {
        f->user = g->users->w.text;
        return true;
    }
    if (g->attrs) {
        f->attrs[f->n_attrs++] = g->attrs->w.text;
        return true;
    }
    if (!g->networks || placed)
        return false;
    f->src = g->networks->prefix.a;
    return *has_address = true;
}

static bool set_person(struct diag *d, const struct expect *e, struct facts *f, bool *has_address)
{
    if (!e->who || e->who->kind == VALUE_UNIDENTIFIED)
        return true;
    if (e->who->kind == VALUE_USER) {
        f->user = e->who->w.text;
        return true;
    }
    const struct group_decl *g = group_with_id(d->tree, e->who->id);
    if (g && set_member(g, e->from != NULL, f, has_address))
        return true;
    diag_error(d, e->who->w.pos, "name a user, or a group of users",
               "nobody can be chosen from group `%.*s` here", SHOW(e->who->w.text));
    return false;
}

/* Who asks, and from where. */
static bool set_client(struct diag *d, const struct snapshot *snap, const struct expect *e, struct facts *f)
{
    bool has_address = false;
    if (!set_person(d, e, f, &has_address))
        return false;
    if (e->from && e->from->kind == VALUE_ZONE)
        f->vpn = snapshot_zone(snap, (uint16_t)e->from->id)->vpn;
    if (e->from)
        has_address = address_of(snap, e->from, &f->src) || f->vpn.n;
    if (!has_address && (e->from || !some_client(snap, &f->src))) {
        diag_error(d, e->from ? e->from->w.pos : e->pos, NULL,
                   "there is no address from which this could be asked");
        return false;
    }
    f->zone = snapshot_zone_of(snap, &f->src);
    f->app = e->application.text;
    f->known = FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(APP);
    return true;
}

/* Where it goes: as said, else to the internet. */
static bool set_destination(struct diag *d, const struct snapshot *snap, const struct expect *e,
                            struct facts *f)
{
    if (e->to && !address_of(snap, e->to, &f->dst)) {
        diag_error(d, e->to->w.pos, NULL, "there is no address to which this could lead");
        return false;
    }
    if (e->to || f->dst.family || outside(snap, &f->dst))
        f->known |= FACT_BIT(DST);
    return true;
}

/* The connect step's facts of a request. */
static bool set_request(struct diag *d, const struct snapshot *snap, const struct expect *e, struct facts *f)
{
    struct url u;
    uint8_t name[LIM_NAME_BYTES];
    if (!url_split(e->url.text, &u)) {
        diag_error(d, e->url.pos, NULL, "this is not a URL");
        return false;
    }
    f->tls = u.tls;
    f->dst_port = u.port;
    f->path = u.path;
    f->known |= FACT_BIT(NAME) | FACT_BIT(TLS);
    size_t n = catkey_name(u.host, name);
    f->name = arena_dup(&d->tree->mem, span_of(name, n));
    if (n == 0 && !addr_parse(u.host, &f->dst)) {
        diag_error(d, e->url.pos, NULL, "`%.*s` is no host name and no address", SHOW(u.host));
        return false;
    }
    snapshot_categories(snap, f);
    return set_destination(d, snap, e, f);
}

static span upper(struct tree *t, span s)
{
    uint8_t *out = arena_alloc(&t->mem, s.n + 1);
    for (size_t i = 0; out && i < s.n; i++)
        out[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (uint8_t)(s.p[i] - 32) : s.p[i];
    return span_of(out, out ? s.n : 0);
}

static void set_content(const struct expect *e, struct facts *f)
{
    f->step = STEP_CONTENT;
    f->type = e->type.text;
    f->severity = e->severity;
    f->signature = e->severity != 0;
    f->virus = e->virus ? SPAN("expected") : SPAN_NONE;
    f->patterns[0] = e->pattern.text;
    f->n_patterns = e->pattern.text.n != 0;
    f->known |= FACT_BIT(TYPE) | FACT_BIT(SIGNATURE) | FACT_BIT(VIRUS) | FACT_BIT(PATTERN);
}

/* One expectation at work. */
struct trying {
    struct tree *t;
    const struct snapshot *snap;
    const struct expect *e;
    void (*step)(void *arg, const struct facts *f, const struct verdict *v);
    void *arg;
};

static void ask(const struct trying *x, const struct facts *f, struct verdict *v)
{
    decide(x->snap, f, v);
    if (x->step)
        x->step(x->arg, f, v);
}

/* All steps. `connect` is what the first one said; `v` the one that ended it. */
static void walk(const struct trying *x, struct facts *f, enum action *connect, struct verdict *v)
{
    const struct expect *e = x->e;
    f->step = STEP_CONNECT;
    ask(x, f, v);
    *connect = v->action;
    if (v->action != ACT_INSPECT)
        return;
    f->defects = e->certificate.text.n ? UINT32_C(1) << e->defect : 0;
    f->known |= FACT_BIT(DEFECTS);
    f->step = STEP_CERTIFICATE;
    if (f->tls) {
        ask(x, f, v);
        if (v->action != ACT_ALLOW)
            return;
    }
    f->step = STEP_REQUEST;
    f->method = upper(x->t, e->method.text);
    f->upload = e->upload || span_eq(f->method, SPAN("POST")) || span_eq(f->method, SPAN("PUT"));
    f->decrypted = f->tls;
    f->known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    snapshot_categories(x->snap, f); /* the path may add some */
    ask(x, f, v);
    if (v->action != ACT_ALLOW)
        return;
    struct verdict content;
    set_content(e, f);
    ask(x, f, &content);
    if (content.action != ACT_ALLOW)
        *v = content;
}

/* A packet: the firewall alone speaks of it. */
static void walk_packet(const struct trying *x, struct facts *f, enum action *connect, struct verdict *v)
{
    f->step = STEP_CONNECT;
    f->proto = x->e->proto;
    f->dst_port = x->e->port;
    ask(x, f, v);
    if (v->layer != LAYER_FIREWALL && v->layer != LAYER_NONE)
        v->action = ACT_ALLOW;
    *connect = v->action;
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
    if (span_eq(outcome, SPAN("warn")))
        return v->action == ACT_WARN;
    return connect == ACT_INSPECT && v->action != ACT_EXEMPT; /* as its certificate may make of it */
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

static enum expect_said try_one(struct diag *d, const struct trying *x, int64_t now, struct verdict *v)
{
    const struct expect *e = x->e;
    struct facts f = {.time_s = e->at ? e->at : now};
    enum action connect;
    if (!set_client(d, x->snap, e, &f))
        return EXPECT_CANNOT;
    if (!(e->firewall ? set_destination(d, x->snap, e, &f) : set_request(d, x->snap, e, &f)))
        return EXPECT_CANNOT;
    if (e->firewall)
        walk_packet(x, &f, &connect, v);
    else
        walk(x, &f, &connect, v);
    return as_expected(e->outcome.text, connect, v) ? EXPECT_HOLDS : EXPECT_FAILS;
}

enum expect_said expect_try(struct tree *t, const struct snapshot *snap, const struct expect *e, int64_t now,
                            void (*step)(void *arg, const struct facts *f, const struct verdict *v),
                            void *arg)
{
    struct trying x = {t, snap, e, step, arg};
    struct buf out;
    struct verdict v;
    buf_init(&out, 0);
    struct diag quiet = {.out = &out, .tree = t};
    enum expect_said said = try_one(&quiet, &x, now, &v);
    buf_fini(&out);
    return said;
}

void policy_expect(struct diag *d, const struct snapshot *snap, int64_t now)
{
    for (const struct expect *e = d->tree->expects.first; e; e = e->next) {
        struct trying x = {.t = d->tree, .snap = snap, .e = e};
        struct verdict v;
        if (try_one(d, &x, now, &v) == EXPECT_FAILS)
            report(d, snap, e, &v);
    }
}
