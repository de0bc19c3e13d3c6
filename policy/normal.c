/* The normal form; see normal.h. What is printed compiles to the same decisions again. */
#include "policy/normal.h"

#include "policy/diag.h"
#include "policy/tz.h"

static enum rc put_quoted(struct buf *b, span s)
{
    TRY(buf_put_u8(b, '"'));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            TRY(buf_put_u8(b, '\\'));
        TRY(buf_put_u8(b, s.p[i]));
    }
    return buf_put_u8(b, '"');
}

static enum rc put_word(struct buf *b, const char *before, const struct word *w)
{
    TRY(buf_put_str(b, before));
    return w->quoted ? put_quoted(b, w->text) : buf_put(b, w->text);
}

/* " before "text"", or nothing where it was not given. */
static enum rc put_label(struct buf *b, const char *before, const struct word *w)
{
    if (w->text.n == 0)
        return RC_OK;
    TRY(buf_put_str(b, before));
    return put_quoted(b, w->text);
}

static enum rc put_values(struct buf *b, const char *before, const struct value *v)
{
    for (const struct value *x = v; x; x = x->next)
        TRY(put_word(b, x == v ? before : ", ", &x->w));
    return RC_OK;
}

/* Seconds in the largest unit that fits. */
static enum rc put_duration(struct buf *b, const char *before, uint32_t s)
{
    if (s == 0)
        return RC_OK;
    return s % 604800 == 0  ? buf_printf(b, "%s%uw", before, s / 604800)
           : s % 86400 == 0 ? buf_printf(b, "%s%ud", before, s / 86400)
           : s % 3600 == 0  ? buf_printf(b, "%s%uh", before, s / 3600)
                            : buf_printf(b, "%s%um", before, s / 60);
}

static span folder_of(span path)
{
    while (path.n && path.p[path.n - 1] != '/')
        path.n--;
    return path;
}

/* A path as it would be written in the main file. */
static enum rc put_path(const struct tree *t, struct buf *b, const struct word *w)
{
    span main = folder_of(t->files[0]->path), own = folder_of(t->files[w->pos.file]->path);
    if (w->text.n && w->text.p[0] == '/')
        return put_quoted(b, w->text);
    struct buf path = {0};
    enum rc rc = buf_put(&path, span_has_prefix(own, main) ? span_cut(own, main.n, own.n) : own);
    if (rc == RC_OK)
        rc = buf_put(&path, w->text);
    if (rc == RC_OK)
        rc = put_quoted(b, buf_span(&path));
    buf_fini(&path);
    return rc;
}

/* ---- settings ---- */

static enum rc put_listen(struct buf *b, const struct set_listen *l)
{
    char text[ADDR_TEXT];
    if (l->kind == LISTEN_TRANSPARENT)
        return buf_printf(b, "listen transparent port %u\n", l->port);
    const char *a = l->addr.family ? addr_text(&l->addr, text) : "";
    return buf_printf(b, l->addr.family == 6 ? "listen explicit [%s]:%u\n" : "listen explicit %s:%u\n", a,
                      l->port);
}

static enum rc put_guard_file(const struct tree *t, struct buf *b, const char *before, const struct word *w)
{
    if (w->text.n == 0)
        return RC_OK;
    TRY(buf_put_str(b, before));
    return put_path(t, b, w);
}

static enum rc put_guard(const struct tree *t, const struct guard_decl *g, struct buf *b)
{
    if (!g->own && !g->popular.text.n && !g->seen.text.n && !g->accepted.text.n && !g->has_shrink)
        return buf_put_str(b, "\n# guard shrink 50 (default)");
    TRY(buf_put_str(b, "\nguard"));
    for (const struct value *v = g->own; v; v = v->next) {
        TRY(buf_put_str(b, v == g->own ? " own " : ", "));
        TRY(put_quoted(b, v->w.text));
    }
    TRY(put_guard_file(t, b, " popular ", &g->popular));
    TRY(put_guard_file(t, b, " seen ", &g->seen));
    TRY(put_guard_file(t, b, " accepted ", &g->accepted));
    return buf_printf(b, " shrink %u", g->has_shrink ? g->shrink : 50);
}

/* The checker has put the folder of its file before it. */
static enum rc put_trust(const struct tree *t, struct buf *b)
{
    span path = t->set.trust.text, main = folder_of(t->files[0]->path);
    TRY(buf_put_str(b, "trust "));
    return put_quoted(b, span_has_prefix(path, main) ? span_cut(path, main.n, path.n) : path);
}

static enum rc put_settings(const struct tree *t, struct buf *b)
{
    static const char *const pools[] = {"own", "shared", "none"};
    const struct settings_decl *s = &t->set;
    char text[ADDR_TEXT];
    for (unsigned i = 0; i < s->n_listen; i++)
        TRY(put_listen(b, &s->listen[i]));
    for (unsigned i = 0; i < s->n_resolvers; i++)
        TRY(buf_printf(b, "%s%s", i ? ", " : "resolver ", addr_text(&s->resolver[i], text)));
    TRY(buf_put_str(b, s->n_resolvers ? "\n" : "# resolver: as the system's resolver file says\n"));
    if (s->trust.text.n)
        TRY(put_trust(t, b));
    else
        TRY(buf_put_str(b, "# trust: the system's bundle"));
    TRY(s->workers ? buf_printf(b, "\nworkers %u\n", s->workers) : buf_put_str(b, "\nworkers auto\n"));
    TRY(buf_printf(b, "private-destinations %s\n", s->private_block ? "block" : "allow"));
    TRY(buf_printf(b, "pool %s\n", pools[s->pool]));
    for (unsigned i = 0; i < s->n_ports; i++)
        TRY(buf_printf(b, "%s%u", i ? ", " : "divert tcp ", s->port[i]));
    TRY(put_label(b, "\ncrl ", &s->crl));
    TRY(buf_put_str(b, s->lists.text.n ? "\nlists " : "\n# lists: none"));
    TRY(s->lists.text.n ? put_path(t, b, &s->lists) : RC_OK);
    TRY(put_guard(t, &s->guard, b));
    TRY(put_label(b, "\ntime-zone ", &s->time_zone));
    TRY(buf_put_str(b, s->telephone.text.n || s->mail.text.n ? "\nhelp" : "\n# help: none"));
    TRY(put_label(b, " telephone ", &s->telephone));
    TRY(put_label(b, " mail ", &s->mail));
    return buf_put_str(b, "\n");
}

/* ---- names ---- */

/* Whether the zone has its interface from a `node` block. */
static bool by_node(const struct tree *t, const struct zone_decl *z)
{
    for (const struct node_decl *n = t->nodes.first; n; n = n->next) {
        for (const struct node_zone *nz = n->zones; nz; nz = nz->next) {
            if (nz->interface.pos.file == z->interface.pos.file &&
                nz->interface.pos.off == z->interface.pos.off)
                return true;
        }
    }
    return false;
}

static enum rc put_nodes(const struct tree *t, struct buf *b)
{
    for (const struct node_decl *n = t->nodes.first; n; n = n->next) {
        TRY(put_word(b, "node ", &n->name));
        TRY(buf_put_str(b, span_eq(n->name.text, t->node) ? " { # this machine\n" : " {\n"));
        for (const struct node_zone *nz = n->zones; nz; nz = nz->next) {
            TRY(put_word(b, "    zone ", &nz->zone));
            TRY(put_word(b, " interface ", &nz->interface));
            TRY(buf_put_str(b, "\n"));
        }
        TRY(buf_put_str(b, "}\n"));
    }
    return RC_OK;
}

static enum rc put_zones(const struct tree *t, struct buf *b)
{
    for (const struct zone_decl *z = t->zones.first; z; z = z->next) {
        TRY(put_word(b, "zone ", &z->name));
        if (z->interface.text.n && !by_node(t, z))
            TRY(put_word(b, " interface ", &z->interface));
        TRY(put_values(b, " network ", z->networks));
        TRY(put_label(b, z->vpn_remote ? " vpn remote " : " vpn site ", &z->vpn));
        TRY(buf_printf(b, "%s%s%s\n",
                       z->internet && !span_eq(z->name.text, SPAN("internet")) ? " internet" : "",
                       z->ca_none ? " ca none" : "", z->source_keep ? " source keep" : ""));
    }
    return RC_OK;
}

static enum rc put_categories(const struct tree *t, struct buf *b)
{
    static const char *const kinds[] = {
#define L(id, word, what) " " word " ",
#include "policy/listkind.tbl"
#undef L
    };
    for (const struct category_decl *c = t->categories.first; c; c = c->next) {
        TRY(put_word(b, "category ", &c->name));
        for (const struct category_source *s = c->sources; s; s = s->next) {
            TRY(buf_put_str(b, s->except ? " except" : ""));
            TRY(buf_put_str(b, kinds[s->kind]));
            TRY(s->kind == CAT_UT1 || s->kind == CAT_DOMAIN ? put_quoted(b, s->w.text)
                                                            : put_path(t, b, &s->w));
        }
        TRY(buf_put_str(b, "\n"));
    }
    return RC_OK;
}

/* " ldap "DN", "DN"" without what marks them in the tree. */
static enum rc put_attrs(struct buf *b, const char *before, span mark, const struct value *v)
{
    bool first = true;
    for (; v; v = v->next) {
        if (!span_has_prefix(v->w.text, mark))
            continue;
        TRY(buf_put_str(b, first ? before : ", "));
        TRY(put_quoted(b, span_cut(v->w.text, mark.n, v->w.text.n)));
        first = false;
    }
    return RC_OK;
}

static enum rc put_people(const struct tree *t, struct buf *b)
{
    for (const struct user_decl *u = t->users.first; u; u = u->next) {
        if (!u->addrs)
            continue;
        TRY(put_label(b, "user ", &u->name));
        TRY(put_values(b, " address ", u->addrs));
        TRY(buf_put_str(b, "\n"));
    }
    for (const struct group_decl *g = t->groups.first; g; g = g->next) {
        TRY(put_word(b, "group ", &g->name));
        TRY(put_values(b, " network ", g->networks));
        TRY(put_values(b, " user ", g->users));
        TRY(put_attrs(b, " ldap ", SPAN("ldap:"), g->attrs));
        TRY(put_attrs(b, " radius class ", SPAN("radius:class="), g->attrs));
        TRY(put_duration(b, " stale ", g->stale_s));
        TRY(buf_put_str(b, "\n"));
    }
    return RC_OK;
}

static enum rc put_things(const struct tree *t, struct buf *b)
{
    for (const struct host_decl *h = t->hosts.first; h; h = h->next) {
        TRY(put_word(b, "host ", &h->name));
        TRY(put_values(b, " ", h->addrs));
        TRY(buf_put_str(b, "\n"));
    }
    for (const struct service_decl *s = t->services.first; s; s = s->next) {
        TRY(put_word(b, "service ", &s->name));
        TRY(put_values(b, " tcp ", s->tcp));
        TRY(put_values(b, " udp ", s->udp));
        TRY(buf_put_str(b, "\n"));
    }
    return RC_OK;
}

/* ---- schedules ---- */

static enum rc put_date(struct buf *b, const char *before, int32_t days)
{
    int y, m, d;
    tz_date(days, &y, &m, &d);
    return buf_printf(b, "%s%04d-%02d-%02d", before, y, m, d);
}

static enum rc put_dates(struct buf *b, const char *before, const struct slot *s)
{
    TRY(put_date(b, before, s->first));
    return s->last == s->first ? RC_OK : put_date(b, "..", s->last);
}

/* Days of a slot are in a row, perhaps over Sunday. */
static enum rc put_days(struct buf *b, uint8_t days)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    unsigned from = 0, n = 1;
    while (from < 6 && (!(days >> from & 1) || (days >> (from + 6) % 7 & 1)))
        from++;
    if (days == 0x7f)
        from = 0;
    while (n < 7 && (days >> (from + n) % 7 & 1))
        n++;
    return n == 1 ? buf_printf(b, " %s", names[from])
                  : buf_printf(b, " %s-%s", names[from], names[(from + n - 1) % 7]);
}

static enum rc put_schedules(const struct tree *t, struct buf *b)
{
    for (const struct schedule_decl *s = t->schedules.first; s; s = s->next) {
        TRY(put_word(b, "schedule ", &s->name));
        for (const struct slot *i = s->slots; i; i = i->next) {
            TRY(i->days ? put_days(b, i->days) : put_dates(b, " ", i));
            TRY(buf_printf(b, " %02u:%02u-%02u:%02u", i->from_min / 60, i->from_min % 60, i->to_min / 60,
                           i->to_min % 60));
        }
        for (const struct slot *i = s->except; i; i = i->next)
            TRY(put_dates(b, i == s->except ? " except " : ", ", i));
        TRY(put_label(b, " zone ", &s->zone));
        TRY(buf_put_str(b, "\n"));
    }
    return RC_OK;
}

/* ---- rules ---- */

static enum rc put_line(struct buf *b, const char *before, span text)
{
    TRY(buf_put_str(b, before));
    TRY(buf_put(b, text));
    return buf_put_str(b, "\n");
}

/* A block with what holds behind its last rule. `absent`: what holds where there is none of it. */
static enum rc put_block(const struct tree *t, struct buf *b, enum block block, const char *otherwise,
                         const char *absent)
{
    bool first = true;
    for (const struct rule *r = t->rules.first; r; r = r->next) {
        if (r->block != block || r->delegate)
            continue;
        if (first)
            TRY(buf_printf(b, "%s {\n", (const char *)block_word(block).p));
        first = false;
        TRY(put_line(b, "    ", r->text));
    }
    if (!first)
        return buf_printf(b, "    # default: %s\n}\n", otherwise);
    return absent
               ? buf_printf(b, "# %s: %s\n", (const char *)block_word(block).p, absent)
               : buf_printf(b, "%s {\n    # default: %s\n}\n", (const char *)block_word(block).p, otherwise);
}

/* Each delegate, and as comments what its owner wrote. */
static enum rc put_delegates(const struct tree *t, struct buf *b)
{
    for (const struct delegate_decl *d = t->delegates.first; d; d = d->next) {
        TRY(buf_put_str(b, "delegate "));
        TRY(put_path(t, b, &d->file));
        TRY(put_label(b, " to ", &d->name));
        TRY(put_line(b, " ", d->may));
        for (const struct rule *r = t->rules.first; r; r = r->next) {
            if (r->delegate == d)
                TRY(put_line(b, "#   web: ", r->text));
        }
    }
    return RC_OK;
}

/* One line an answer; what is not said, by its default. */
static enum rc put_on(const struct tree *t, struct buf *b)
{
    static const char *const defaults[] = {
#define O(id, word, answers, def) def,
#include "policy/event.tbl"
#undef O
    };
    for (unsigned e = 0; e < ON_N; e++) {
        bool whole = false, first = true;
        for (const struct rule *r = t->rules.first; r; r = r->next) {
            if (r->block != BLOCK_ON || r->event != e)
                continue;
            if (first)
                TRY(buf_printf(b, "on %s", (const char *)event_word(e).p));
            first = false;
            TRY(buf_printf(b, " %.*s", (int)r->part.n, (const char *)r->part.p));
            whole = whole || !r->conds;
        }
        if (first)
            TRY(buf_printf(b, "# on %s %s (default)", (const char *)event_word(e).p, defaults[e]));
        else if (!whole)
            TRY(buf_printf(b, "   # else %s (default)", defaults[e]));
        TRY(buf_put_str(b, "\n"));
    }
    return RC_OK;
}

enum rc policy_normal(const struct tree *t, struct buf *b)
{
    TRY(put_settings(t, b));
    TRY(put_nodes(t, b));
    TRY(put_zones(t, b));
    TRY(put_things(t, b));
    TRY(put_people(t, b));
    TRY(put_categories(t, b));
    TRY(put_schedules(t, b));
    TRY(put_block(t, b, BLOCK_FIREWALL, "block any", "none: what other programs forward is not judged"));
    TRY(put_block(t, b, BLOCK_TLS, "inspect any; a certificate defect is blocked", NULL));
    TRY(put_block(t, b, BLOCK_WEB, "block any", NULL));
    TRY(put_block(t, b, BLOCK_CONTENT, "allow any", NULL));
    TRY(put_block(t, b, BLOCK_DNS, "allow any", NULL));
    TRY(put_delegates(t, b));
    TRY(put_on(t, b));
    for (const struct observe_decl *o = t->observes.first; o; o = o->next)
        TRY(put_line(b, "", o->text));
    for (const struct expect *e = t->expects.first; e; e = e->next) {
        if (!t->files[e->pos.file]->delegated)
            TRY(put_line(b, "", e->text));
    }
    return RC_OK;
}
