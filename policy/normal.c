/* The normal form; see normal.h. What is printed compiles to the same decisions again. */
#include "policy/normal.h"

#include "policy/diag.h"

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

static enum rc put_guard(const struct guard_decl *g, struct buf *b)
{
    if (!g->own && !g->popular.text.n && !g->seen.text.n && !g->accepted.text.n && !g->has_shrink)
        return buf_put_str(b, "\n# guard shrink 50 (default)");
    TRY(buf_put_str(b, "\nguard"));
    for (const struct value *v = g->own; v; v = v->next) {
        TRY(buf_put_str(b, v == g->own ? " own " : ", "));
        TRY(put_quoted(b, v->w.text));
    }
    TRY(put_label(b, " popular ", &g->popular));
    TRY(put_label(b, " seen ", &g->seen));
    TRY(put_label(b, " accepted ", &g->accepted));
    return buf_printf(b, " shrink %u", g->has_shrink ? g->shrink : 50);
}

static enum rc put_settings(const struct settings_decl *s, struct buf *b)
{
    char text[ADDR_TEXT];
    for (unsigned i = 0; i < s->n_listen; i++)
        TRY(put_listen(b, &s->listen[i]));
    for (unsigned i = 0; i < s->n_resolvers; i++)
        TRY(buf_printf(b, "%s%s", i ? ", " : "resolver ", addr_text(&s->resolver[i], text)));
    TRY(buf_put_str(b, s->n_resolvers ? "\n" : "# resolver: as the system's resolver file says\n"));
    if (s->trust.text.n)
        TRY(put_label(b, "trust ", &s->trust));
    else
        TRY(buf_put_str(b, "# trust: the system's bundle"));
    TRY(s->workers ? buf_printf(b, "\nworkers %u\n", s->workers) : buf_put_str(b, "\nworkers auto\n"));
    TRY(buf_printf(b, "private-destinations %s\n", s->private_block ? "block" : "allow"));
    for (unsigned i = 0; i < s->n_ports; i++)
        TRY(buf_printf(b, "%s%u", i ? ", " : "divert tcp ", s->port[i]));
    TRY(put_label(b, "\ncrl ", &s->crl));
    TRY(put_label(b, "\nlists ", &s->lists));
    TRY(put_guard(&s->guard, b));
    if (s->telephone.text.n || s->mail.text.n)
        TRY(buf_put_str(b, "\nhelp"));
    TRY(put_label(b, " telephone ", &s->telephone));
    TRY(put_label(b, " mail ", &s->mail));
    return buf_put_str(b, "\n");
}

/* ---- names ---- */

static enum rc put_zones(const struct tree *t, struct buf *b)
{
    for (const struct zone_decl *z = t->zones.first; z; z = z->next) {
        TRY(put_word(b, "zone ", &z->name));
        if (z->interface.text.n)
            TRY(put_word(b, " interface ", &z->interface));
        TRY(put_values(b, " network ", z->networks));
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
            TRY(put_quoted(b, s->w.text));
        }
        TRY(buf_put_str(b, "\n"));
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

/* ---- rules ---- */

static enum rc put_block(const struct tree *t, struct buf *b, enum block block, const char *name)
{
    TRY(buf_printf(b, "%s {\n", name));
    for (const struct rule *r = t->rules.first; r; r = r->next) {
        if (r->block == block)
            TRY(buf_printf(b, "    %.*s\n", (int)r->text.n, (const char *)r->text.p));
    }
    return buf_put_str(b, block == BLOCK_TLS
                              ? "    # default: inspect any; a certificate defect is blocked\n}\n"
                              : "    # default: block any\n}\n");
}

/* One line an answer; what is not said, by its default. */
static enum rc put_on(const struct tree *t, struct buf *b)
{
    static const char *const defaults[] = {
#define O(id, word, answers, lacks, def) def,
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
    TRY(put_settings(&t->set, b));
    TRY(put_zones(t, b));
    TRY(put_things(t, b));
    TRY(put_people(t, b));
    TRY(put_categories(t, b));
    TRY(put_block(t, b, BLOCK_TLS, "tls"));
    TRY(put_block(t, b, BLOCK_WEB, "web"));
    TRY(put_on(t, b));
    for (const struct expect *e = t->expects.first; e; e = e->next)
        TRY(buf_printf(b, "%.*s\n", (int)e->text.n, (const char *)e->text.p));
    return RC_OK;
}
