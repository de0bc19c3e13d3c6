/* Things with a name: node, zone, host, service, group, user, category. See parser.h. A thing is known as
 * soon as its name was read, so that a mistake in the rest of its line is not followed by one for each use of
 * the name. */
#include "policy/parser.h"

#include "gw/base/obj.h"
#include "policy/attr.h"

/* ---- node ---- */

static bool node_zone(struct parser *p, struct node_zone ***last)
{
    struct node_zone *z;
    if (!p_take(p, "zone"))
        return p_expected(p, "`zone NAME interface NAME`");
    if (!p_new(p, sizeof *z, &z) || !p_word(p, "a zone", &z->zone))
        return false;
    if (!p_take(p, "interface"))
        return p_expected(p, "`interface NAME`");
    if (!p_word(p, "an interface", &z->interface))
        return false;
    **last = z;
    *last = &z->next;
    return true;
}

bool p_node(struct parser *p, struct pos at)
{
    struct node_decl *n;
    (void)at;
    if (!p_new(p, sizeof *n, &n) || !p_word(p, "a name", &n->name) || !p_open(p))
        return false;
    struct node_zone **last = &n->zones;
    p->in_block = true;
    bool ok = true;
    while (ok && p->lx.tok != TOK_CLOSE && p->lx.tok != TOK_END) {
        if (p->lx.tok == TOK_LINE)
            lex_next(&p->lx);
        else
            ok = node_zone(p, &last);
    }
    p->in_block = false;
    if (!ok) /* the rest of the block belongs to the mistake */
        while (p->lx.tok != TOK_CLOSE && p->lx.tok != TOK_END)
            lex_next(&p->lx);
    if (p->lx.tok != TOK_CLOSE)
        return p_expected(p, "`}`");
    lex_next(&p->lx);
    P_APPEND(p->t->nodes, n);
    return true;
}

/* ---- zone ---- */

/* vpn site "NAME", vpn remote "NAME" */
static bool zone_vpn(struct parser *p, struct zone_decl *z)
{
    if (z->vpn.text.n)
        return p_expected(p, "one `vpn` for a zone");
    z->vpn_remote = p_take(p, "remote");
    if (!z->vpn_remote && !p_take(p, "site"))
        return p_expected(p, "`site` or `remote`");
    return p_string(p, "the name of a VPN", &z->vpn);
}

static bool zone_part(struct parser *p, struct zone_decl *z)
{
    struct value **last = &z->networks;
    while (*last)
        last = &(*last)->next;
    if (p_take(p, "interface"))
        return p_word(p, "an interface", &z->interface);
    if (p_take(p, "network"))
        return p_networks(p, &last);
    if (p_take(p, "internet"))
        return z->internet = true;
    if (p_take(p, "ca"))
        return (z->ca_none = p_take(p, "none")) || p_expected(p, "`none`");
    if (p_take(p, "vpn"))
        return zone_vpn(p, z);
    if (p_take(p, "source"))
        return (z->source_keep = p_take(p, "keep")) || p_expected(p, "`keep`");
    struct suggest near = suggest_for(p->lx.word.text);
    suggest_add(&near, SPAN("interface"));
    suggest_add(&near, SPAN("network"));
    suggest_add(&near, SPAN("internet"));
    suggest_add(&near, SPAN("source"));
    suggest_add(&near, SPAN("vpn"));
    return p_unknown(p, "`interface`, `network`, `vpn`, `internet`, `ca none` or `source keep`", &near);
}

bool p_zone(struct parser *p, struct pos at)
{
    struct zone_decl *z;
    (void)at;
    if (!p_new(p, sizeof *z, &z) || !p_word(p, "a name", &z->name))
        return false;
    P_APPEND(p->t->zones, z);
    if (span_eq(z->name.text, SPAN("internet")))
        z->internet = true;
    while (!p_at_end(p)) {
        if (!zone_part(p, z))
            return false;
    }
    return true;
}

/* ---- host, service ---- */

bool p_host(struct parser *p, struct pos at)
{
    struct host_decl *h;
    (void)at;
    if (!p_new(p, sizeof *h, &h) || !p_word(p, "a name", &h->name))
        return false;
    P_APPEND(p->t->hosts, h);
    struct value **last = &h->addrs;
    if (!p_networks(p, &last))
        return false;
    return true;
}

bool p_service(struct parser *p, struct pos at)
{
    struct service_decl *s;
    (void)at;
    if (!p_new(p, sizeof *s, &s) || !p_word(p, "a name", &s->name))
        return false;
    P_APPEND(p->t->services, s);
    struct value **tcp = &s->tcp, **udp = &s->udp;
    do {
        if (p_take(p, "tcp")) {
            if (!p_ports(p, 6, &tcp))
                return false;
        } else if (p_take(p, "udp")) {
            if (!p_ports(p, 17, &udp))
                return false;
        } else {
            return p_expected(p, "`tcp PORT, ...` or `udp PORT, ...`");
        }
    } while (!p_at_end(p));
    return true;
}

/* ---- group, user ---- */

/* What a source of identities says of a member: "ldap:DN", "radius:class=VALUE" (policy/attr.h). */
static bool group_attrs(struct parser *p, const char *source, const char *what, struct value ***last)
{
    bool dn = span_eq(span_str(source), SPAN("ldap:"));
    size_t n = strlen(source);
    do {
        struct value *v;
        uint8_t *attr;
        if (!p_new(p, sizeof *v, &v) || !p_string(p, what, &v->w))
            return false;
        span text = span_trim(v->w.text);
        if (text.n == 0 || n + text.n > ATTR_MOST || (dn && span_find(text, '=', 0) == SIZE_MAX)) {
            diag_error(p->d, v->w.pos, dn ? "write \"cn=agents,ou=groups,dc=province,dc=example\"" : NULL,
                       "\"%.*s\" is not %s", SHOW(v->w.text), what);
            return false;
        }
        if (!p_new(p, n + text.n, &attr))
            return false;
        memcpy(attr, source, n);
        memcpy(attr + n, text.p, text.n);
        v->w.text = span_of(attr, n + text.n);
        **last = v;
        *last = &v->next;
    } while (p_take_comma(p));
    return true;
}

static bool group_radius(struct parser *p, struct value ***last)
{
    if (!p_take(p, "class"))
        return p_expected(p, "`class \"...\"`");
    return group_attrs(p, "radius:class=", "a class", last);
}

static bool group_stale(struct parser *p, struct group_decl *g)
{
    if (g->stale_s)
        return p_expected(p, "one `stale` for a group");
    return p_duration(p, &g->stale_s);
}

static bool group_part(struct parser *p, struct group_decl *g)
{
    static const char *const words[] = {"network", "user", "ldap", "radius", "stale"};
    struct value **networks = &g->networks, **users = &g->users, **attrs = &g->attrs;
    struct suggest near = suggest_for(p->lx.word.text);
    for (size_t i = 0; i < N_ELEMS(words); i++)
        suggest_add(&near, span_str(words[i]));
    while (*networks)
        networks = &(*networks)->next;
    while (*users)
        users = &(*users)->next;
    while (*attrs)
        attrs = &(*attrs)->next;
    if (p_take(p, "network"))
        return p_networks(p, &networks);
    if (p_take(p, "user"))
        return p_strings(p, "a user", &users);
    if (p_take(p, "ldap"))
        return group_attrs(p, "ldap:", "the name of a group in the directory", &attrs);
    if (p_take(p, "radius"))
        return group_radius(p, &attrs);
    if (p_take(p, "stale"))
        return group_stale(p, g);
    return p_unknown(p, "`network`, `user`, `ldap`, `radius class` or `stale`", &near);
}

bool p_group(struct parser *p, struct pos at)
{
    struct group_decl *g;
    (void)at;
    if (!p_new(p, sizeof *g, &g) || !p_word(p, "a name", &g->name))
        return false;
    P_APPEND(p->t->groups, g);
    do {
        if (!group_part(p, g))
            return false;
    } while (!p_at_end(p));
    return true;
}

bool p_user(struct parser *p, struct pos at)
{
    struct user_decl *u;
    (void)at;
    if (!p_new(p, sizeof *u, &u) || !p_string(p, "a user", &u->name))
        return false;
    if (!p_take(p, "address"))
        return p_expected(p, "`address ADDRESS`");
    struct value **last = &u->addrs;
    if (!p_networks(p, &last))
        return false;
    P_APPEND(p->t->users, u);
    return true;
}

/* ---- category ---- */

static bool category_strings(struct parser *p, struct category_source *proto, struct category_source ***last)
{
    static const char *const what[] = {
#define L(id, word, what) what,
#include "policy/listkind.tbl"
#undef L
    };
    do {
        struct category_source *s;
        if (!p_new(p, sizeof *s, &s))
            return false;
        *s = *proto;
        if (!p_string(p, what[s->kind], &s->w))
            return false;
        **last = s;
        *last = &s->next;
    } while (p_take_comma(p));
    return true;
}

static const char *const category_word[] = {
#define L(id, word, what) word,
#include "policy/listkind.tbl"
#undef L
};

static bool category_part(struct parser *p, struct category_source ***last)
{
    struct category_source proto = {.except = p_take(p, "except")};
    struct suggest near = suggest_for(p->lx.word.text);
    if (proto.except && !p_at(p, "domain"))
        return p_expected(p, "`domain \"...\"` (what is taken out is named one by one)");
    for (unsigned kind = 0; kind < CAT_N; kind++) {
        suggest_add(&near, span_str(category_word[kind]));
        if (!p_take(p, category_word[kind]))
            continue;
        proto.kind = (enum category_kind)kind;
        return category_strings(p, &proto, last);
    }
    suggest_add(&near, SPAN("except"));
    return p_unknown(p, "`ut1`, `file`, `hosts`, `rpz`, `adblock`, `urls`, `domain` or `except domain`",
                     &near);
}

bool p_category(struct parser *p, struct pos at)
{
    struct category_decl *c;
    (void)at;
    if (!p_new(p, sizeof *c, &c) || !p_word(p, "a name", &c->name))
        return false;
    P_APPEND(p->t->categories, c);
    struct category_source **last = &c->sources;
    do {
        if (!category_part(p, &last))
            return false;
    } while (!p_at_end(p));
    return true;
}
