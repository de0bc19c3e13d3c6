/* The tree's declarations as sections, then its rules as tables; see index.h. The bit sets are made by
 * index_dim. */
#include "policy/index.h"

#include <stdlib.h>

#include "policy/attr.h"
#include "policy/index_dim.h"
#include "policy/ranges.h"

/* ---- settings, zones, names ---- */

static struct img_addr addr_of(const struct addr *a, uint8_t bits)
{
    struct img_addr out = {.family = a->family, .bits = bits};
    memcpy(out.b, a->b, sizeof out.b);
    return out;
}

static enum rc put_settings(const struct tree *t, struct part *p)
{
    const struct settings_decl *s = &t->set;
    struct img_settings *o = &p->set;
    o->n_listen = s->n_listen;
    o->n_resolvers = s->n_resolvers;
    o->n_ports = s->n_ports;
    o->private_block = s->private_block;
    o->pool = (uint8_t)s->pool;
    o->workers = s->workers;
    o->n_categories = t->categories.n;
    o->internet_zone = UINT32_MAX;
    for (unsigned i = 0; i < s->n_listen; i++) {
        o->listen[i].addr = addr_of(&s->listen[i].addr, 0);
        o->listen[i].kind = s->listen[i].kind;
        o->listen[i].port = s->listen[i].port;
    }
    for (unsigned i = 0; i < s->n_resolvers; i++)
        o->resolver[i] = addr_of(&s->resolver[i], 0);
    memcpy(o->port, s->port, sizeof o->port);
    o->n_open = s->n_open;
    o->forwarded = s->forwarded;
    o->n_management = s->n_management;
    for (unsigned i = 0; i < s->n_open; i++)
        o->open[i] = addr_of(&s->open[i].a, s->open[i].bits);
    for (unsigned i = 0; i < s->n_management; i++)
        o->management[i] = addr_of(&s->management[i].a, s->management[i].bits);
    TRY(part_text(p, s->trust.text, &o->trust));
    TRY(part_text(p, s->crl.text, &o->crl));
    TRY(part_text(p, s->telephone.text, &o->telephone));
    TRY(part_text(p, s->time_zone.text, &o->time_zone));
    TRY(part_text(p, s->mail.text, &o->mail));
    return part_text(p, t->node, &o->node);
}

static enum rc put_zone(struct part *p, const struct zone_decl *z)
{
    struct img_zone o = {.ca_none = z->ca_none,
                         .internet = z->internet,
                         .source_keep = z->source_keep,
                         .vpn_remote = z->vpn_remote};
    TRY(part_text(p, z->name.text, &o.name));
    TRY(part_text(p, z->interface.text, &o.interface));
    TRY(part_text(p, z->vpn.text, &o.vpn));
    o.networks.at = part_count(p, SECT_NETWORKS);
    for (const struct value *v = z->networks; v; v = v->next) {
        struct img_addr net = addr_of(&v->prefix.a, v->prefix.bits);
        TRY(part_put(p, SECT_NETWORKS, &net, NULL));
        o.networks.n++;
    }
    if (z->internet)
        p->set.internet_zone = z->id;
    return part_put(p, SECT_ZONES, &o, NULL);
}

static enum rc put_names(const struct tree *t, struct part *p)
{
    struct img_run name;
    uint32_t n_stale = 0;
    for (const struct zone_decl *z = t->zones.first; z; z = z->next)
        TRY(put_zone(p, z));
    for (const struct group_decl *g = t->groups.first; g; g = g->next) {
        struct img_group o = {.stale_s = g->stale_s};
        TRY(part_text(p, g->name.text, &o.name));
        TRY(part_put(p, SECT_GROUPS, &o, NULL));
        n_stale += g->stale_s != 0;
    }
    if (n_stale > LIM_POLICY_STALE_GROUPS)
        return RC_LIMIT;
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        TRY(part_text(p, c->name.text, &name));
        TRY(part_put(p, SECT_CATS, &name, NULL));
    }
    return RC_OK;
}

/* Users with the groups that name them, those without `stale` first. */
static enum rc put_users(const struct tree *t, struct part *p)
{
    struct index_lists groups = {0};
    enum rc rc = index_lists_init(&groups, t->users.n);
    for (unsigned stale = 0; stale < 2; stale++) {
        for (const struct group_decl *g = t->groups.first; g && rc == RC_OK; g = g->next) {
            for (const struct value *v = g->users; v && rc == RC_OK && (g->stale_s != 0) == stale;
                 v = v->next)
                rc = index_lists_add(&groups, v->id, g->id);
        }
    }
    uint32_t i = 0;
    for (const struct user_decl *u = t->users.first; u && rc == RC_OK; u = u->next, i++) {
        struct img_user o = {.groups = {part_count(p, SECT_NUMBERS), groups.v[i].n}};
        rc = part_text(p, u->name.text, &o.name);
        if (rc == RC_OK)
            rc = buf_put(&p->sect[SECT_NUMBERS], span_of(groups.v[i].v, groups.v[i].n * sizeof(uint32_t)));
        if (rc == RC_OK)
            rc = part_put(p, SECT_USERS, &o, NULL);
    }
    index_lists_fini(&groups);
    return rc;
}

static enum rc put_user_strings(const struct tree *t, struct part *p)
{
    struct index_strings users = {0};
    enum rc rc = RC_OK;
    for (const struct user_decl *u = t->users.first; u && rc == RC_OK; u = u->next) {
        uint32_t id;
        rc = index_strings_add(&users, u->name.text, &id);
    }
    if (rc == RC_OK)
        rc = index_strings_emit(&users, image_hash, p, &p->set.strings[STRINGS_USER]);
    index_strings_fini(&users);
    return rc;
}

/* VPNs by name. The strings are numbered as they come, zones without a VPN in between: so each is put under
 * its zone's number. */
static enum rc put_vpns(const struct tree *t, struct part *p)
{
    uint32_t n = 4;
    while (n < t->zones.n * 2)
        n *= 2;
    struct img_bucket *b = calloc(n, sizeof *b);
    enum rc rc = b ? RC_OK : RC_NOMEM;
    for (const struct zone_decl *z = t->zones.first; z && rc == RC_OK; z = z->next) {
        uint32_t hash = image_hash(z->vpn.text), at = hash & (n - 1);
        if (z->vpn.text.n == 0)
            continue;
        while (b[at].key.n)
            at = (at + 1) & (n - 1);
        b[at].value = z->id;
        b[at].hash = hash;
        rc = part_text(p, z->vpn.text, &b[at].key);
    }
    p->set.strings[STRINGS_VPN] = (struct img_run){part_count(p, SECT_BUCKETS), n};
    if (rc == RC_OK)
        rc = buf_put(&p->sect[SECT_BUCKETS], span_of(b, n * sizeof *b));
    free(b);
    return rc;
}

/* ---- groups by what directories say ---- */

struct attrs {
    struct index_strings text;
    struct index_lists groups; /* by number of the text */
};

static enum rc number_attr(struct tree *t, struct attrs *x, const struct value *v, uint32_t *id)
{
    uint8_t norm[ATTR_MOST];
    size_t n = attr_normalise(v->w.text, norm);
    if (n == 0)
        return RC_LIMIT;
    span keep = arena_dup(&t->mem, span_of(norm, n));
    return keep.p ? index_strings_add(&x->text, keep, id) : RC_NOMEM;
}

static enum rc collect_attrs(struct tree *t, struct attrs *x)
{
    uint32_t id;
    for (const struct group_decl *g = t->groups.first; g; g = g->next) {
        for (const struct value *v = g->attrs; v; v = v->next)
            TRY(number_attr(t, x, v, &id));
    }
    TRY(index_lists_init(&x->groups, x->text.n));
    for (unsigned stale = 0; stale < 2; stale++) {
        for (const struct group_decl *g = t->groups.first; g; g = g->next) {
            for (const struct value *v = g->attrs; v && (g->stale_s != 0) == stale; v = v->next) {
                TRY(number_attr(t, x, v, &id));
                TRY(index_lists_add(&x->groups, id, g->id));
            }
        }
    }
    return RC_OK;
}

static enum rc put_attrs(struct tree *t, struct part *p)
{
    struct attrs x = {0};
    enum rc rc = collect_attrs(t, &x);
    for (uint32_t i = 0; i < x.text.n && rc == RC_OK; i++) {
        struct img_list o = {{part_count(p, SECT_NUMBERS), x.groups.v[i].n}};
        rc = buf_put(&p->sect[SECT_NUMBERS], span_of(x.groups.v[i].v, o.numbers.n * sizeof(uint32_t)));
        if (rc == RC_OK)
            rc = part_put(p, SECT_ATTRS, &o, NULL);
    }
    if (rc == RC_OK)
        rc = index_strings_emit(&x.text, attr_hash, p, &p->set.strings[STRINGS_ATTR]);
    index_strings_fini(&x.text);
    index_lists_fini(&x.groups);
    return rc;
}

/* ---- categories ---- */

/* Per list the categories that name it. */
static enum rc put_list_categories(const struct tree *t, struct part *p)
{
    for (uint32_t list = 0; list < t->n_lists; list++) {
        struct img_run run = {part_count(p, SECT_NUMBERS), 0};
        for (const struct category_decl *c = t->categories.first; c; c = c->next) {
            bool has = false;
            for (const struct category_source *s = c->sources; s; s = s->next)
                has = has || (s->kind != CAT_DOMAIN && s->list == list);
            if (!has)
                continue;
            TRY(part_put(p, SECT_NUMBERS, &c->id, NULL));
            run.n++;
        }
        TRY(part_put(p, SECT_LISTCATS, &run, NULL));
    }
    return RC_OK;
}

/* What categories say of one name. */
static enum rc put_named(const struct tree *t, struct part *p, span name)
{
    struct img_run run = {part_count(p, SECT_NUMBERS), 0}, file;
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        for (const struct category_source *s = c->sources; s; s = s->next) {
            if (s->kind != CAT_DOMAIN || !span_eq(s->w.text, name))
                continue;
            TRY(part_text(p, t->files[s->w.pos.file]->path, &file));
            const uint32_t numbers[IMG_NAMED] = {c->id, s->except, s->w.pos.line, file.at, file.n};
            TRY(buf_put(&p->sect[SECT_NUMBERS], span_of(numbers, sizeof numbers)));
            run.n += IMG_NAMED;
        }
    }
    return part_put(p, SECT_NAMECATS, &run, NULL);
}

static enum rc add_category_strings(const struct tree *t, struct index_strings *names)
{
    uint32_t id;
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        for (const struct category_source *s = c->sources; s; s = s->next) {
            if (s->kind == CAT_DOMAIN)
                TRY(index_strings_add(names, s->w.text, &id));
        }
    }
    return RC_OK;
}

static enum rc put_categories(const struct tree *t, struct part *p)
{
    struct index_strings names = {0};
    enum rc rc = add_category_strings(t, &names);
    for (uint32_t i = 0; i < names.n && rc == RC_OK; i++)
        rc = put_named(t, p, names.v[i]);
    if (rc == RC_OK)
        rc = index_strings_emit(&names, image_hash, p, &p->set.strings[STRINGS_CATEGORY]);
    index_strings_fini(&names);
    return rc == RC_OK ? put_list_categories(t, p) : rc;
}

/* ---- address maps of declarations ---- */

static enum rc add_networks(struct intervals iv[2], const struct value *v, uint32_t id)
{
    for (; v; v = v->next)
        TRY(intervals_add_prefix(&iv[v->prefix.a.family == 6], &v->prefix, id));
    return RC_OK;
}

static enum rc emit_map(struct part *p, enum img_map map, struct intervals iv[2], enum range_value how)
{
    TRY(ranges_emit(p, &iv[0], how, &p->set.map_v4[map]));
    return ranges_emit(p, &iv[1], how, &p->set.map_v6[map]);
}

static enum rc collect_map(const struct tree *t, enum img_map map, struct intervals iv[2])
{
    if (map == MAP_ZONE) {
        for (const struct zone_decl *z = t->zones.first; z; z = z->next)
            TRY(add_networks(iv, z->networks, z->id));
    } else if (map == MAP_USER) {
        for (const struct user_decl *u = t->users.first; u; u = u->next)
            TRY(add_networks(iv, u->addrs, u->id));
    } else {
        for (const struct group_decl *g = t->groups.first; g; g = g->next)
            TRY(add_networks(iv, g->networks, g->id));
    }
    return RC_OK;
}

static enum rc put_map(const struct tree *t, struct part *p, enum img_map map)
{
    struct intervals iv[2] = {{0}};
    enum rc rc = collect_map(t, map, iv);
    if (rc == RC_OK)
        rc = emit_map(p, map, iv, map == MAP_GROUP ? RANGE_ALL : RANGE_NARROWEST);
    intervals_fini(&iv[0]);
    intervals_fini(&iv[1]);
    return rc;
}

/* ---- rules ---- */

static bool about_certificates(const struct rule *r)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->noun == NOUN_CERTIFICATE && !c->except)
            return true;
    }
    return false;
}

enum table index_table(const struct rule *r)
{
    if (r->verb == VERB_LOG)
        return TABLE_LOG;
    if (r->verb == VERB_SET)
        return TABLE_SET;
    if (r->verb == VERB_MASQUERADE)
        return TABLE_N;
    switch (r->block) {
    case BLOCK_WEB: return TABLE_WEB;
    case BLOCK_ON: return TABLE_ON;
    case BLOCK_FIREWALL: return TABLE_FIREWALL;
    case BLOCK_CONTENT: return TABLE_CONTENT;
    case BLOCK_DNS: return TABLE_DNS;
    case BLOCK_TLS: return about_certificates(r) ? TABLE_CERT : TABLE_TLS;
    default: return TABLE_N;
    }
}

/* Rules of delegated files stand ahead of the main policy's, but what they set counts after it. */
static void order_table(const struct tree *t, enum table table, struct index_order *o)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        bool delegated = (pass == 0) == (table == TABLE_WEB);
        for (const struct rule *r = t->rules.first; r; r = r->next) {
            if (index_table(r) == table && (r->delegate != NULL) == delegated)
                o->items[o->n++].rule = r;
        }
        if (table == TABLE_WEB && pass == 0)
            o->lead = o->n - o->first[table];
    }
    for (const struct observe_decl *w = table == TABLE_OBSERVE ? t->observes.first : NULL; w; w = w->next)
        o->items[o->n++].observe = w;
}

static enum rc order_rules(const struct tree *t, struct index_order *o)
{
    o->items = calloc((size_t)t->rules.n + t->observes.n + 1, sizeof *o->items);
    if (!o->items)
        return RC_NOMEM;
    for (unsigned table = 0; table <= TABLE_N; table++) {
        o->first[table] = o->n;
        order_table(t, table, o);
    }
    return RC_OK;
}

static enum rc put_mods(struct part *p, const struct rule *r, struct img_run *out)
{
    out->at = part_count(p, SECT_MODS);
    for (const struct set_part *s = r->sets; s; s = s->next) {
        struct img_mod o = {.kind = s->kind, .limit_s = s->limit_s};
        TRY(part_text(p, s->value.text, &o.value));
        TRY(part_put(p, SECT_MODS, &o, NULL));
        out->n++;
    }
    return RC_OK;
}

static enum rc put_observe(const struct tree *t, struct part *p, const struct index_item *i)
{
    const struct observe_decl *w = i->observe;
    struct img_rule o = {.line = w->pos.line,
                         .verb = VERB_N,
                         .table = TABLE_OBSERVE,
                         .block = BLOCK_OBSERVE,
                         .key = i->key,
                         .since = INT64_MIN,
                         .until = w->until,
                         .observe_until = INT64_MIN,
                         .schedules = i->schedules};
    TRY(part_text(p, w->text, &o.text));
    o.shown = o.text;
    TRY(part_text(p, t->files[w->pos.file]->path, &o.file));
    return part_put(p, SECT_RULES, &o, NULL);
}

static enum rc put_rule(const struct tree *t, struct part *p, const struct index_item *i)
{
    const struct rule *r = i->rule;
    struct img_rule o = {.line = r->pos.line,
                         .verb = (uint8_t)r->verb,
                         .table = (uint8_t)index_table(r),
                         .block = (uint16_t)r->block,
                         .log = r->log,
                         .answer = (uint8_t)r->answer,
                         .exempt_s = r->exempt_s,
                         .quic_refuse = r->quic_refuse,
                         .delegated = r->delegate != NULL,
                         .key = i->key,
                         .since = r->has_since ? r->since : INT64_MIN,
                         .until = r->has_until ? r->until : INT64_MAX,
                         .observe_until = r->has_observe ? r->observe_until : INT64_MIN,
                         .schedules = i->schedules};
    TRY(part_text(p, r->text, &o.text));
    TRY(part_text(p, r->shown, &o.shown));
    TRY(part_text(p, r->name.text, &o.name));
    TRY(part_text(p, t->files[r->pos.file]->path, &o.file));
    TRY(part_text(p, r->reason.text, &o.reason));
    TRY(part_text(p, r->owner.text, &o.owner));
    TRY(part_text(p, r->ticket.text, &o.ticket));
    TRY(part_text(p, r->purpose.text, &o.purpose));
    TRY(put_mods(p, r, &o.mods));
    p->set.has_firewall |= r->block == BLOCK_FIREWALL;
    return part_put(p, SECT_RULES, &o, NULL);
}

static enum rc put_rules(struct tree *t, struct part *p)
{
    struct index_order o = {0};
    enum rc rc = order_rules(t, &o);
    if (rc == RC_OK)
        rc = index_keys(&o);
    if (rc == RC_OK)
        rc = index_tables(t, &o, p);
    for (uint32_t i = 0; i < o.n && rc == RC_OK; i++)
        rc = o.items[i].rule ? put_rule(t, p, &o.items[i]) : put_observe(t, p, &o.items[i]);
    free(o.items);
    return rc;
}

enum rc index_build(struct tree *t, struct part *p)
{
    TRY(put_settings(t, p));
    TRY(put_names(t, p));
    TRY(put_users(t, p));
    TRY(put_user_strings(t, p));
    TRY(put_vpns(t, p));
    TRY(put_attrs(t, p));
    TRY(put_categories(t, p));
    TRY(put_map(t, p, MAP_ZONE));
    TRY(put_map(t, p, MAP_USER));
    TRY(put_map(t, p, MAP_GROUP));
    TRY(index_schedules(t, p));
    TRY(put_rules(t, p));
    return part_put(p, SECT_SETTINGS, &p->set, NULL);
}
