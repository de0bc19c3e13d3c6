/* Declarations: zones, nodes, hosts, services, groups, users, categories; see check.h. */
#include "policy/check.h"

#include <errno.h>

#include "gw/base/obj.h"
#include "policy/checker.h"
#include "policy/source.h"
#include "signatures/catkey.h"

void check_declare(struct diag *d, struct map *m, struct word *name, const char *what)
{
    const struct word *before = map_find(m, name->text);
    if (before) {
        diag_error(d, name->pos, diag_first(d, before->pos), "there are two %s with the name `%.*s`", what,
                   SHOW(name->text));
        return;
    }
    if (map_put(m, name->text, name) != RC_OK)
        diag_error(d, name->pos, NULL, "the policy is too large");
}

static void suggest_all(struct suggest *near, const struct map *known)
{
    size_t it = 0;
    span key;
    void *value;
    while (known && map_next(known, &it, &key, &value))
        suggest_add(near, ((const struct word *)value)->text);
}

void check_missing(struct diag *d, const struct word *w, const char *what, const struct map *known,
                   const struct map *more)
{
    struct suggest near = suggest_for(w->text);
    suggest_all(&near, known);
    suggest_all(&near, more);
    diag_error(d, w->pos, suggest_hint(d, &near), "there is no %s `%.*s`", what, SHOW(w->text));
}

void check_name(struct diag *d, struct word *w)
{
    uint8_t out[LIM_NAME_BYTES];
    char text[ADDR_TEXT];
    struct addr a;
    span s = w->text;
    if (span_has_prefix(s, SPAN("*.")))
        s = span_cut(s, 2, s.n);
    else if (span_has_prefix(s, SPAN(".")))
        s = span_cut(s, 1, s.n);
    size_t n = catkey_name(s, out);
    span good = n ? span_of(out, n) : addr_parse(s, &a) ? span_str(addr_text(&a, text)) : SPAN_NONE;
    if (good.n == 0) {
        diag_error(d, w->pos, "a host name has letters, digits, `-`, `_` and dots; no scheme, no path",
                   "\"%.*s\" is not a host name", SHOW(w->text));
        return;
    }
    w->text = arena_dup(&d->tree->mem, good);
}

/* ---- zones and nodes ---- */

static void check_networks(struct diag *d, struct zone_decl *z, struct map *seen)
{
    for (struct value *v = z->networks; v; v = v->next) {
        uint8_t key[18] = {v->prefix.a.family, v->prefix.bits};
        memcpy(key + 2, v->prefix.a.b, 16);
        if (v->prefix.a.family == 0)
            continue; /* it is wrong, and was said to be */
        const struct zone_decl *other = map_find(seen, span_of(key, sizeof key));
        if (other)
            diag_error(d, v->w.pos, diag_first(d, other->name.pos), "this network is in zone `%.*s` too",
                       SHOW(other->name.text));
        else if (map_put(seen, span_of(key, sizeof key), z) != RC_OK)
            diag_error(d, v->w.pos, NULL, "the policy is too large");
    }
}

/* There is always a zone for what lies outside, also where nobody wrote one. */
static void add_internet(struct diag *d)
{
    struct tree *t = d->tree;
    for (const struct zone_decl *z = t->zones.first; z; z = z->next) {
        if (z->internet || span_eq(z->name.text, SPAN("internet")))
            return;
    }
    struct zone_decl *z = arena_alloc(&t->mem, sizeof *z);
    if (!z)
        return;
    *z = (struct zone_decl){.name.text = SPAN("internet"), .internet = true};
    *t->zones.last = z;
    t->zones.last = &z->next;
    t->zones.n++;
}

/* A tunnel leads to one zone, and a zone is reached in one way. `seen`: zones by VPN. */
static void check_vpn(struct diag *d, struct zone_decl *z, struct map *seen)
{
    struct buf key = {0};
    if (z->vpn.text.n == 0)
        return;
    if (z->internet || z->interface.text.n)
        diag_error(d, z->vpn.pos, NULL,
                   "a zone behind a VPN is neither the internet nor behind an interface");
    enum rc rc = buf_put_u8(&key, z->vpn_remote);
    if (rc == RC_OK)
        rc = buf_put(&key, z->vpn.text);
    const struct zone_decl *other = map_find(seen, buf_span(&key));
    if (other)
        diag_error(d, z->vpn.pos, diag_first(d, other->vpn.pos), "this VPN leads to zone `%.*s` already",
                   SHOW(other->name.text));
    else if (rc != RC_OK || map_put(seen, buf_span(&key), z) != RC_OK)
        diag_error(d, z->vpn.pos, NULL, "the policy is too large");
    buf_fini(&key);
}

static void check_zones(struct diag *d)
{
    struct map seen, vpns;
    const struct zone_decl *internet = NULL;
    uint32_t id = 0;
    add_internet(d);
    map_init(&seen, 0);
    map_init(&vpns, 0);
    for (struct zone_decl *z = d->tree->zones.first; z; z = z->next) {
        check_declare(d, &d->tree->zone_map, &z->name, "zones");
        z->id = (uint16_t)id++;
        if (!z->networks && !z->internet && !z->vpn.text.n && !d->unread)
            diag_error(d, z->name.pos, "add `network 10.0.0.0/8` or the like; only `internet` goes without",
                       "zone `%.*s` has no network: nobody would be in it", SHOW(z->name.text));
        check_vpn(d, z, &vpns);
        if (z->internet && internet)
            diag_error(d, z->name.pos, diag_first(d, internet->name.pos),
                       "only one zone can be the internet");
        if (z->internet)
            internet = z;
        check_networks(d, z, &seen);
    }
    map_fini(&seen);
    map_fini(&vpns);
    if (id >= ZONE_NONE)
        diag_error(d, d->tree->zones.first->name.pos, NULL, "more than %d zones", ZONE_NONE - 1);
}

static struct zone_decl *zone_named(struct tree *t, span name)
{
    struct word *w = map_find(&t->zone_map, name);
    return w ? CONTAINER_OF(w, struct zone_decl, name) : NULL;
}

static void bind_node(struct diag *d, struct node_decl *n)
{
    for (struct node_zone *nz = n->zones; nz; nz = nz->next) {
        struct zone_decl *z = zone_named(d->tree, nz->zone.text);
        if (z && z->interface.text.n)
            diag_error(d, nz->interface.pos, diag_first(d, z->interface.pos),
                       "zone `%.*s` has an interface already", SHOW(z->name.text));
        else if (z)
            z->interface = nz->interface;
    }
}

static bool node_is_ours(const struct tree *t, const struct node_decl *n, const struct compile_opts *opts)
{
    return opts->node ? span_eq(n->name.text, span_str(opts->node)) : t->nodes.n == 1;
}

static void check_nodes(struct diag *d, const struct compile_opts *opts)
{
    struct map names;
    bool ours = false;
    map_init(&names, 0);
    for (struct node_decl *n = d->tree->nodes.first; n; n = n->next) {
        check_declare(d, &names, &n->name, "nodes");
        for (struct node_zone *nz = n->zones; nz; nz = nz->next) {
            if (!zone_named(d->tree, nz->zone.text))
                check_missing(d, &nz->zone, "zone", &d->tree->zone_map, NULL);
        }
        if (node_is_ours(d->tree, n, opts)) {
            bind_node(d, n);
            d->tree->node = n->name.text;
            ours = true;
        }
    }
    map_fini(&names);
    if (d->tree->nodes.n && !ours && !opts->check_only)
        diag_error(d, d->tree->nodes.first->name.pos, "say which one with --node NAME",
                   "which of these nodes is this machine?");
}

static void check_interfaces(struct diag *d, const struct compile_opts *opts)
{
    for (struct zone_decl *z = d->tree->zones.first; z && opts->has_interface; z = z->next) {
        char name[32] = "";
        if (z->interface.text.n == 0)
            continue;
        if (z->interface.text.n < sizeof name)
            memcpy(name, z->interface.text.p, z->interface.text.n);
        if (name[0] && opts->has_interface(name))
            continue;
        if (opts->check_only)
            diag_warn(d, z->interface.pos, NULL, "this machine has no interface `%.*s`",
                      SHOW(z->interface.text));
        else
            diag_error(d, z->interface.pos, "`ip link` lists the interfaces",
                       "this machine has no interface `%.*s`", SHOW(z->interface.text));
    }
}

/* ---- users, groups, the rest ---- */

struct user_decl *check_user(struct diag *d, const struct word *name)
{
    struct tree *t = d->tree;
    struct word *known = map_find(&t->user_map, name->text);
    if (known)
        return CONTAINER_OF(known, struct user_decl, name);
    struct user_decl *u = arena_alloc(&t->mem, sizeof *u);
    if (!u || map_put(&t->user_map, name->text, &u->name) != RC_OK) {
        diag_error(d, name->pos, NULL, "the policy is too large");
        return NULL;
    }
    u->name = *name;
    u->id = t->users.n++;
    *t->users.last = u;
    t->users.last = &u->next;
    return u;
}

static void check_user_addrs(struct diag *d, const struct user_decl *u, struct map *seen)
{
    for (struct value *v = u->addrs; v; v = v->next) {
        span key = span_of(&v->prefix.a, sizeof v->prefix.a);
        const struct user_decl *other = map_find(seen, key);
        if (v->prefix.bits != (v->prefix.a.family == 4 ? 32 : 128))
            diag_error(d, v->w.pos, "use `group NAME network ...` for a network",
                       "a user has an address, not a network");
        else if (other)
            diag_error(d, v->w.pos, diag_first(d, other->name.pos),
                       "this address belongs to \"%.*s\" already", SHOW(other->name.text));
        else if (map_put(seen, key, (void *)(uintptr_t)u) != RC_OK)
            diag_error(d, v->w.pos, NULL, "the policy is too large");
    }
}

static void check_users(struct diag *d)
{
    struct map seen;
    uint32_t id = 0;
    map_init(&seen, 0);
    for (struct user_decl *u = d->tree->users.first; u; u = u->next) {
        u->id = id++;
        check_declare(d, &d->tree->user_map, &u->name, "users");
        check_user_addrs(d, u, &seen);
    }
    map_fini(&seen);
}

static void check_members(struct diag *d, const struct group_decl *g)
{
    bool identified = g->users || g->attrs;
    if (d->unread)
        return;
    if (!identified && !g->networks)
        diag_error(d, g->name.pos, "add `user`, `network`, `ldap` or `radius class`",
                   "group `%.*s` holds nobody", SHOW(g->name.text));
    else if (g->stale_s && !identified)
        diag_error(d, g->name.pos, "take `stale` out: it is the age of an identity",
                   "group `%.*s` is a group of networks: nobody in it is identified", SHOW(g->name.text));
}

static void check_groups(struct diag *d)
{
    uint32_t id = 0, stale = 0;
    for (struct group_decl *g = d->tree->groups.first; g; g = g->next) {
        check_declare(d, &d->tree->group_map, &g->name, "groups");
        g->id = id++;
        if (span_eq(g->name.text, SPAN("unidentified")))
            diag_error(d, g->name.pos, NULL, "`unidentified` has a meaning of its own");
        check_members(d, g);
        if (g->stale_s && ++stale == LIM_POLICY_STALE_GROUPS + 1)
            diag_error(d, g->name.pos, NULL, "more than %d groups with `stale`", LIM_POLICY_STALE_GROUPS);
        for (struct value *v = g->users; v; v = v->next) {
            const struct user_decl *u = check_user(d, &v->w);
            v->id = u ? u->id : 0;
        }
    }
}

static void check_categories(struct diag *d)
{
    uint32_t id = 0;
    for (struct category_decl *c = d->tree->categories.first; c; c = c->next) {
        bool has = false;
        check_declare(d, &d->tree->category_map, &c->name, "categories");
        c->id = id++;
        if (span_eq(c->name.text, SPAN("none")))
            diag_error(d, c->name.pos, NULL, "`none` means \"in no category\" and cannot be a name");
        for (struct category_source *s = c->sources; s; s = s->next) {
            has = has || !s->except;
            if (s->kind == CAT_DOMAIN)
                check_name(d, &s->w);
        }
        if (!has && !d->unread)
            diag_error(d, c->name.pos, NULL, "category `%.*s` holds nothing", SHOW(c->name.text));
    }
}

/* The ports of both protocols in one list. */
static void join_ports(struct diag *d, struct service_decl *s)
{
    struct value **last = &s->ports;
    for (unsigned i = 0; i < 2; i++) {
        for (const struct value *v = i ? s->udp : s->tcp; v; v = v->next) {
            struct value *copy = arena_alloc(&d->tree->mem, sizeof *copy);
            if (!copy) {
                diag_error(d, s->name.pos, NULL, "the policy is too large");
                return;
            }
            *copy = *v;
            copy->next = NULL;
            *last = copy;
            last = &copy->next;
        }
    }
}

static void check_hosts(struct diag *d)
{
    for (struct host_decl *h = d->tree->hosts.first; h; h = h->next)
        check_declare(d, &d->tree->host_map, &h->name, "hosts");
    for (struct service_decl *s = d->tree->services.first; s; s = s->next) {
        check_declare(d, &d->tree->service_map, &s->name, "services");
        join_ports(d, s);
    }
}

static void check_settings(struct diag *d)
{
    struct settings_decl *s = &d->tree->set;
    if (s->trust.text.n) {
        const char *path = source_beside(d->tree, s->trust.pos.file, s->trust.text);
        if (path && access(path, F_OK) != 0 && errno == ENOENT)
            diag_error(d, s->trust.pos, "Debian's bundle is /etc/ssl/certs/ca-certificates.crt",
                       "there is no such file: %s", path);
        s->trust.text = span_str(path);
    }
    if (s->n_ports == 0) {
        s->port[s->n_ports++] = 80;
        s->port[s->n_ports++] = 443;
    }
}

void policy_check(struct diag *d, const struct compile_opts *opts)
{
    d->unread = d->errors;
    check_settings(d);
    check_zones(d);
    check_crl(d);
    check_nodes(d, opts);
    check_interfaces(d, opts);
    check_users(d);
    check_groups(d);
    check_categories(d);
    check_hosts(d);
    check_times(d, opts->time_s);
    check_rules(d);
    check_delegates(d);
    check_expects(d);
    if (d->errors == 0)
        check_order(d);
}
