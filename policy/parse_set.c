/* Settings: listen, resolver, trust, workers, private-destinations, divert, crl, lists, guard, help. See
 * parser.h.
 */
#include "policy/parser.h"

#include "gw/base/obj.h"

static bool too_many(struct parser *p, struct pos at, size_t most)
{
    diag_error(p->d, at, NULL, "at most %zu of these", most);
    return false;
}

static bool port_number(struct parser *p, uint64_t *out)
{
    if (p_at(p, "0"))
        return p_expected(p, "a port");
    return p_number(p, 65535, "a port", out);
}

/* "10.0.0.1:3128", "[::1]:3128", ":3128" (all addresses). */
static bool split_endpoint(span text, struct set_listen *out)
{
    uint64_t port;
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon == 0 || !span_to_u64(span_cut(text, colon, text.n), 65535, &port) || port == 0)
        return false;
    span host = span_cut(text, 0, colon - 1);
    out->port = (uint16_t)port;
    if (host.n == 0)
        return true;
    bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed)
        host = span_cut(host, 1, host.n - 1);
    return addr_parse(host, &out->addr) && (bracketed || span_find(host, ':', 0) == SIZE_MAX);
}

static bool listen_transparent(struct parser *p, struct set_listen *l)
{
    uint64_t port;
    if (!p_take(p, "port"))
        return p_expected(p, "`port NUMBER`");
    if (!port_number(p, &port))
        return false;
    *l = (struct set_listen){.kind = LISTEN_TRANSPARENT, .port = (uint16_t)port};
    return true;
}

bool p_listen(struct parser *p, struct pos at)
{
    struct set_listen l = {.kind = LISTEN_EXPLICIT};
    struct settings_decl *s = &p->t->set;
    if (s->n_listen == N_ELEMS(s->listen))
        return too_many(p, at, N_ELEMS(s->listen));
    if (p_take(p, "transparent")) {
        if (!listen_transparent(p, &l))
            return false;
    } else if (p_take(p, "explicit")) {
        if (p->lx.tok != TOK_WORD || !split_endpoint(p->lx.word.text, &l))
            return p_expected(p, "ADDRESS:PORT, an IPv6 address in brackets");
        lex_next(&p->lx);
    } else {
        return p_expected(p, "`transparent` or `explicit`");
    }
    for (unsigned i = 0; i < s->n_listen; i++) {
        if (s->listen[i].port == l.port && addr_eq(&s->listen[i].addr, &l.addr))
            return diag_error(p->d, at, NULL, "port %u is listened on twice", l.port), false;
    }
    s->listen[s->n_listen++] = l;
    return true;
}

bool p_resolver(struct parser *p, struct pos at)
{
    struct settings_decl *s = &p->t->set;
    do {
        if (s->n_resolvers == N_ELEMS(s->resolver))
            return too_many(p, at, N_ELEMS(s->resolver));
        if (p->lx.tok != TOK_WORD || !addr_parse(p->lx.word.text, &s->resolver[s->n_resolvers]))
            return p_expected(p, "an address");
        s->n_resolvers++;
        lex_next(&p->lx);
    } while (p_take_comma(p));
    return true;
}

bool p_trust(struct parser *p, struct pos at)
{
    return p_once(p, &p->t->set.once_trust, at) && p_string(p, "the path of a PEM file", &p->t->set.trust);
}

bool p_crl(struct parser *p, struct pos at)
{
    struct word *url = &p->t->set.crl;
    if (!p_once(p, &p->t->set.once_crl, at) || !p_string(p, "a URL", url))
        return false;
    if (!span_has_prefix(url->text, SPAN("http://")) || url->text.n < 9) {
        diag_error(p->d, url->pos, "clients fetch it before they trust anything: `http://` only",
                   "this is not an http URL");
        return false;
    }
    return true;
}

bool p_lists(struct parser *p, struct pos at)
{
    return p_once(p, &p->t->set.once_lists, at) && p_string(p, "a folder", &p->t->set.lists);
}

static bool guard_part(struct parser *p, struct guard_decl *g)
{
    struct suggest near = suggest_for(p->lx.word.text);
    uint64_t per_cent;
    struct value **last = &g->own;
    while (*last)
        last = &(*last)->next;
    if (p_take(p, "own"))
        return p_strings(p, "a name of our own", &last);
    if (p_take(p, "popular"))
        return p_string(p, "a file of names", &g->popular);
    if (p_take(p, "seen"))
        return p_string(p, "a file of names", &g->seen);
    if (p_take(p, "accepted"))
        return p_string(p, "a file of names", &g->accepted);
    if (p_take(p, "shrink")) {
        if (!p_number(p, 100, "a number of per cent", &per_cent))
            return false;
        g->shrink = (unsigned)per_cent;
        return g->has_shrink = true;
    }
    suggest_add(&near, SPAN("own"));
    suggest_add(&near, SPAN("popular"));
    suggest_add(&near, SPAN("seen"));
    suggest_add(&near, SPAN("accepted"));
    suggest_add(&near, SPAN("shrink"));
    return p_unknown(p, "`own`, `popular`, `seen`, `accepted` or `shrink`", &near);
}

bool p_guard(struct parser *p, struct pos at)
{
    if (!p_once(p, &p->t->set.once_guard, at))
        return false;
    do {
        if (!guard_part(p, &p->t->set.guard))
            return false;
    } while (!p_at_end(p));
    return true;
}

bool p_workers(struct parser *p, struct pos at)
{
    uint64_t n = 0;
    if (!p_once(p, &p->t->set.once_workers, at))
        return false;
    if (!p_take(p, "auto") && (!p_number(p, LIM_WORKERS, "`auto` or a number", &n) || n == 0))
        return n == 0 && p_at_end(p)
               ? diag_error(p->d, at, "write `auto` for one per core", "no workers at all"),
               false : false;
    p->t->set.workers = (uint32_t)n;
    return true;
}

bool p_private(struct parser *p, struct pos at)
{
    if (!p_once(p, &p->t->set.once_private, at))
        return false;
    bool block = p_take(p, "block");
    if (!block && !p_take(p, "allow"))
        return p_expected(p, "`block` or `allow`");
    p->t->set.private_block = block;
    return true;
}

bool p_pool(struct parser *p, struct pos at)
{
    static const char *const words[] = {[POOL_OWN] = "own", [POOL_SHARED] = "shared", [POOL_NONE] = "none"};
    if (!p_once(p, &p->t->set.once_pool, at))
        return false;
    for (unsigned i = 0; i < N_ELEMS(words); i++) {
        if (p_take(p, words[i])) {
            p->t->set.pool = (enum pool_sharing)i;
            return true;
        }
    }
    return p_expected(p, "`own`, `shared` or `none`");
}

bool p_divert(struct parser *p, struct pos at)
{
    struct settings_decl *s = &p->t->set;
    uint64_t port;
    if (!p_once(p, &s->once_divert, at))
        return false;
    if (!p_take(p, "tcp"))
        return p_expected(p, "`tcp PORT, ...`");
    do {
        if (s->n_ports == N_ELEMS(s->port))
            return too_many(p, p->lx.word.pos, N_ELEMS(s->port));
        if (!port_number(p, &port))
            return false;
        s->port[s->n_ports++] = (uint16_t)port;
    } while (p_take_comma(p));
    return true;
}

bool p_help(struct parser *p, struct pos at)
{
    struct settings_decl *s = &p->t->set;
    if (!p_once(p, &s->once_help, at))
        return false;
    while (!p_at_end(p)) {
        if (p_take(p, "telephone")) {
            if (!p_string(p, "a number", &s->telephone))
                return false;
        } else if (p_take(p, "mail")) {
            if (!p_string(p, "an address", &s->mail))
                return false;
        } else {
            return p_expected(p, "`telephone \"...\"` or `mail \"...\"`");
        }
    }
    return s->telephone.text.n || s->mail.text.n || p_expected(p, "`telephone \"...\"` or `mail \"...\"`");
}
