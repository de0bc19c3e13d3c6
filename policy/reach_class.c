/* What the policy tells apart: the address space cut at the ends of every network, the ports, names, paths,
 * users, moments. See reach_int.h. */
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/array.h"
#include "gw/base/obj.h"
#include "policy/ranges.h"
#include "policy/reach_int.h"

typedef unsigned __int128 key128;

static const struct iset NOTHING = {0};

/* ---- what is gathered from rules ---- */

struct keys {
    key128 *v;
    size_t n, cap;
};

/* 203.0.113.0/24: addresses of examples (RFC 5737). */
#define EXAMPLE_NET ((key128)203 << 24 | 113 << 8)

/* Cuts of both address families and of both kinds of ports, and the words of rules. */
struct gather {
    struct keys addr[2], port[2];
    struct {
        span *v;
        size_t n, cap;
    } words[NOUN_N + 1]; /* those of NOUN_N: attributes of groups */
    bool full;           /* no memory */
};

static void cut(struct gather *g, struct keys *k, key128 at)
{
    key128 *v = array_room(k->v, k->n, &k->cap, 64, sizeof *v);
    if (!v) {
        g->full = true;
        return;
    }
    k->v = v;
    k->v[k->n++] = at;
}

static void cut_prefix(struct gather *g, const struct prefix *p)
{
    bool v6 = p->a.family == 6;
    unsigned host = (v6 ? 128u : 32u) - p->bits;
    key128 lo = interval_key(&p->a), size = host >= 128 ? 0 : (key128)1 << host;
    if (p->a.family == 0)
        return;
    cut(g, &g->addr[v6], lo);
    if (size && (v6 ? lo + size != 0 : lo + size < (key128)1 << 32))
        cut(g, &g->addr[v6], lo + size);
}

static void cut_places(struct gather *g, const struct value *v)
{
    for (; v; v = v->next) {
        if (v->kind == VALUE_HOST)
            cut_places(g, v->members);
        else if (v->kind != VALUE_ZONE)
            cut_prefix(g, &v->prefix);
    }
}

static void cut_ports(struct gather *g, const struct value *v, enum noun noun)
{
    for (; v; v = v->next) {
        if (noun == NOUN_SERVICE && v->members) {
            cut_ports(g, v->members, NOUN_TCP);
            continue;
        }
        cut(g, &g->port[v->proto == 17], v->lo);
        cut(g, &g->port[v->proto == 17], (key128)v->hi + 1);
    }
}

static void gather_words(struct gather *g, enum noun noun, const struct value *v)
{
    for (; v; v = v->next) {
        span *w = array_room(g->words[noun].v, g->words[noun].n, &g->words[noun].cap, 64, sizeof *w);
        if (!w) {
            g->full = true;
            return;
        }
        g->words[noun].v = w;
        w[g->words[noun].n++] = v->w.text;
    }
}

static void gather_conds(struct gather *g, const struct cond *c)
{
    for (; c; c = c->next) {
        switch (c->noun) {
        case NOUN_FROM:
        case NOUN_TO: cut_places(g, c->vals); break;
        case NOUN_TCP:
        case NOUN_UDP:
        case NOUN_SERVICE: cut_ports(g, c->vals, c->noun); break;
        case NOUN_DOMAIN:
        case NOUN_METHOD:
        case NOUN_PATH:
        case NOUN_TYPE:
        case NOUN_PATTERN:
        case NOUN_APPLICATION: gather_words(g, c->noun, c->vals); break;
        default: break;
        }
    }
}

static void gather_tree(struct gather *g, const struct tree *t)
{
    for (const struct group_decl *gr = t->groups.first; gr; gr = gr->next) {
        cut_places(g, gr->networks);
        gather_words(g, NOUN_N, gr->attrs);
    }
    for (const struct rule *r = t->rules.first; r; r = r->next)
        gather_conds(g, r->conds);
    for (const struct delegate_decl *e = t->delegates.first; e; e = e->next) {
        gather_conds(g, e->who);
        gather_conds(g, e->ceiling);
    }
    for (const struct zone_decl *z = t->zones.first; z; z = z->next)
        cut_places(g, z->networks);
    cut(g, &g->addr[0], EXAMPLE_NET);
    for (unsigned i = 0; i < 2; i++) {
        cut(g, &g->addr[i], 0);
        cut(g, &g->port[i], 1);
        cut(g, &g->port[i], i ? 53 : 80);
        cut(g, &g->port[i], i ? 54 : 81);
        cut(g, &g->port[i], 443);
        cut(g, &g->port[i], 444);
    }
}

static void gather_fini(struct gather *g)
{
    for (unsigned i = 0; i < 2; i++) {
        free(g->addr[i].v);
        free(g->port[i].v);
    }
    for (unsigned n = 0; n <= NOUN_N; n++)
        free(g->words[n].v);
}

/* ---- numbers in order ---- */

static int by_key(const void *a, const void *b)
{
    const key128 *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void sort_keys(struct keys *k)
{
    size_t n = 0;
    qsort(k->v, k->n, sizeof *k->v, by_key);
    for (size_t i = 0; i < k->n; i++) {
        if (n == 0 || k->v[n - 1] != k->v[i])
            k->v[n++] = k->v[i];
    }
    k->n = n;
}

/* ---- places ---- */

static struct addr addr_at(key128 k, bool v6)
{
    struct addr a = {.family = v6 ? 6 : 4};
    unsigned bytes = v6 ? 16 : 4;
    for (unsigned i = bytes; i-- > 0; k >>= 8)
        a.b[i] = (uint8_t)k;
    return a;
}

/* One address of each piece: the second one where there is one, as the first often means the network. */
static bool make_places(struct model *m, struct gather *g)
{
    struct places *p = &m->src;
    sort_keys(&g->addr[0]);
    sort_keys(&g->addr[1]);
    p->n = (uint32_t)(g->addr[0].n + g->addr[1].n);
    p->first_v6 = (uint32_t)g->addr[0].n;
    p->v = arena_alloc(&m->mem, p->n * sizeof *p->v);
    p->of_zone = arena_alloc(&m->mem, m->t->zones.n * sizeof(*p->of_zone));
    const struct iset **dst_zone = arena_alloc(&m->mem, m->t->zones.n * sizeof(*p->of_zone));
    if (!p->v || !p->of_zone || !dst_zone)
        return false;
    for (uint32_t i = 0; i < p->n; i++) {
        bool v6 = i >= p->first_v6;
        const struct keys *k = &g->addr[v6];
        size_t at = v6 ? i - p->first_v6 : i;
        key128 next = at + 1 < k->n ? k->v[at + 1] : v6 ? 0 : (key128)1 << 32;
        key128 one = k->v[at] + (next - k->v[at] > 1 ? 1 : 0);
        p->v[i] = (struct place){.addr = addr_at(one, v6), .lo = k->v[at]};
        p->v[i].zone = snapshot_zone_of(m->snap, &p->v[i].addr);
        if (!v6 && k->v[at] == EXAMPLE_NET)
            m->prefer[V_DST] = i + 1;
    }
    m->dst = *p;
    m->dst.of_zone = dst_zone;
    m->dst.skip = 1;
    m->dst.copies = 1;
    p->copies = 1;
    for (const struct zone_decl *z = m->t->zones.first; z; z = z->next)
        p->copies += z->vpn.text.n != 0;
    m->n_classes[V_SRC] = p->n * p->copies;
    m->n_classes[V_DST] = p->n + 1;
    return true;
}

/* First piece at or behind k. */
static uint32_t piece_at(const struct places *p, key128 k, bool v6)
{
    uint32_t lo = v6 ? p->first_v6 : 0, hi = v6 ? p->n : p->first_v6;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->v[mid].lo < k)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct iset *class_network(struct model *m, const struct places *p, const struct prefix *net)
{
    bool v6 = net->a.family == 6;
    unsigned host = (v6 ? 128u : 32u) - net->bits;
    key128 lo = interval_key(&net->a), size = host >= 128 ? 0 : (key128)1 << host;
    bool to_end = size == 0 || (v6 ? lo + size == 0 : lo + size == (key128)1 << 32);
    uint32_t from = piece_at(p, lo, v6);
    uint32_t end = v6 ? p->n : p->first_v6;
    uint32_t to = to_end ? end : piece_at(p, lo + size, v6);
    const struct iset *out = iset_range(&m->mem, p->skip + from, p->skip + to);
    for (uint32_t c = 1; c < p->copies; c++)
        out = iset_or(&m->mem, out, iset_range(&m->mem, c * p->n + from, c * p->n + to));
    return out;
}

static const struct zone_decl *vpn_zone(const struct model *m, uint32_t copy)
{
    const struct zone_decl *z = m->t->zones.first;
    for (; z; z = z->next) {
        if (z->vpn.text.n && --copy == 0)
            return z;
    }
    return NULL;
}

static const struct iset *make_zone(struct model *m, const struct places *p, uint32_t zone)
{
    uint32_t n = 0, *v = malloc((size_t)p->n * sizeof *v);
    uint32_t internet = m->snap->img.set->internet_zone;
    for (uint32_t i = 0; v && i < p->n; i++) {
        uint32_t z = p == &m->dst && p->v[i].zone == ZONE_NONE ? internet : p->v[i].zone;
        if (z == zone)
            v[n++] = p->skip + i;
    }
    const struct iset *out = v ? iset_of(&m->mem, v, n) : NULL;
    free(v);
    for (uint32_t c = 1; c < p->copies; c++) {
        const struct zone_decl *z = vpn_zone(m, c);
        if (z && z->id == zone)
            out = iset_or(&m->mem, out, iset_range(&m->mem, c * p->n, (c + 1) * p->n));
    }
    return out;
}

const struct iset *class_zone(struct model *m, const struct places *p, uint32_t zone)
{
    if (zone >= m->t->zones.n)
        return &NOTHING;
    if (!p->of_zone[zone])
        p->of_zone[zone] = make_zone(m, p, zone);
    return p->of_zone[zone];
}

/* ---- ports ---- */

static bool make_ports(struct model *m, struct gather *g)
{
    uint32_t n = 0;
    sort_keys(&g->port[0]);
    sort_keys(&g->port[1]);
    m->ports = arena_alloc(&m->mem, (g->port[0].n + g->port[1].n + 1) * sizeof *m->ports);
    if (!m->ports)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        for (size_t k = 0; k < g->port[i].n && g->port[i].v[k] <= 65535; k++) {
            m->ports[n] = (struct port_at){i ? 17 : 6, (uint16_t)g->port[i].v[k]};
            if (i == 0 && m->ports[n].port == 443)
                m->prefer[V_PORT] = n;
            n++;
        }
    }
    m->ports[n++] = (struct port_at){1, 0};
    m->n_classes[V_PORT] = n;
    return true;
}

/* First class at or behind a port; they stand by protocol: TCP, UDP, ICMP. */
static uint32_t port_at_or_behind(const struct model *m, uint8_t proto, uint32_t port)
{
    uint32_t lo = 0, hi = m->n_classes[V_PORT];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct port_at *p = &m->ports[mid];
        if (p->proto == proto ? p->port < port : p->proto == 6 || proto == 1)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct iset *class_ports(struct model *m, uint8_t proto, uint32_t lo, uint32_t hi)
{
    return iset_range(&m->mem, port_at_or_behind(m, proto, lo), port_at_or_behind(m, proto, hi + 1));
}

/* ---- words ---- */

static uint8_t byte_at(const struct words_of *w, span s, size_t i)
{
    uint8_t c = s.p[w->back ? s.n - 1 - i : i];
    return w->sep && c == w->sep ? 0 : c;
}

static int word_order(const struct words_of *w, span a, span b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int d = (int)byte_at(w, a, i) - (int)byte_at(w, b, i);
        if (d)
            return d;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static int by_word(const void *a, const void *b, void *w)
{
    return word_order(w, *(const span *)a, *(const span *)b);
}

static bool is_under(const struct words_of *w, span s, span word)
{
    if (s.n < word.n)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        if (byte_at(w, s, i) != byte_at(w, word, i))
            return false;
    }
    return s.n == word.n || (w->sep && byte_at(w, s, word.n) == 0);
}

static bool make_words(struct model *m, struct words_of *w, const struct gather *g, enum noun noun)
{
    size_t n = g->words[noun].n;
    w->v = arena_alloc(&m->mem, (n + 1) * sizeof *w->v);
    if (!w->v)
        return false;
    if (n)
        qsort_r(g->words[noun].v, n, sizeof *w->v, by_word, w);
    for (size_t i = 0; i < n; i++) {
        if (w->n == 0 || !span_eq(w->v[w->n - 1], g->words[noun].v[i]))
            w->v[w->n++] = g->words[noun].v[i];
    }
    return true;
}

const struct iset *class_under(struct model *m, const struct words_of *w, span word)
{
    uint32_t lo = 0, hi = w->n;
    if (w->sep == '/' && span_eq(word, SPAN("/")))
        return iset_range(&m->mem, 0, w->skip + w->n);
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (word_order(w, w->v[mid], word) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    uint32_t first = lo;
    for (hi = w->n; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (is_under(w, w->v[mid], word))
            lo = mid + 1;
        else
            hi = mid;
    }
    return iset_range(&m->mem, w->skip + first, w->skip + lo);
}

static bool make_all_words(struct model *m, const struct gather *g)
{
    m->names = (struct words_of){.skip = 2, .sep = '.', .back = true};
    m->methods = m->types = (struct words_of){.skip = 1};
    m->paths = (struct words_of){.skip = 1, .sep = '/'};
    m->apps = (struct words_of){.skip = 2};
    bool ok = make_words(m, &m->names, g, NOUN_DOMAIN) && make_words(m, &m->methods, g, NOUN_METHOD) &&
              make_words(m, &m->paths, g, NOUN_PATH) && make_words(m, &m->types, g, NOUN_TYPE) &&
              make_words(m, &m->patterns, g, NOUN_PATTERN) && make_words(m, &m->apps, g, NOUN_APPLICATION) &&
              make_words(m, &m->attrs, g, NOUN_N);
    m->n_classes[V_NAME] = m->names.skip + m->names.n;
    m->n_classes[V_METHOD] = m->methods.skip + m->methods.n;
    m->n_classes[V_PATH] = m->paths.skip + m->paths.n;
    m->n_classes[V_TYPE] = m->types.skip + m->types.n;
    m->n_classes[V_APP] = m->apps.skip + m->apps.n;
    m->prefer[V_NAME] = 1;
    return ok;
}

/* A name under none that rules name. */
static bool make_other_name(struct model *m)
{
    char text[64];
    for (unsigned i = 0; i < 1000; i++) {
        bool taken = false;
        snprintf(text, sizeof text, i ? "www.unlisted%u" : "www.unlisted.example", i);
        for (uint32_t k = 0; k < m->names.n && !taken; k++)
            taken = span_has_suffix(span_str(text), m->names.v[k]);
        if (!taken)
            m->other_name = arena_dup(&m->mem, span_str(text));
        if (!taken)
            break;
    }
    return m->other_name.n != 0;
}

/* ---- users ---- */

enum { USERS_BEFORE = 2 }; /* unidentified, one that the policy does not know */

static bool make_users(struct model *m)
{
    m->ages = arena_alloc(&m->mem, (m->t->groups.n + 1) * sizeof *m->ages);
    m->users = arena_alloc(&m->mem, (m->t->users.n + 1) * sizeof(*m->users));
    if (!m->ages || !m->users)
        return false;
    uint32_t n = 0;
    for (const struct user_decl *u = m->t->users.first; u; u = u->next)
        m->users[n++] = u;
    m->n_ages = 1;
    for (const struct group_decl *g = m->t->groups.first; g; g = g->next) {
        uint32_t i = 0;
        while (i < m->n_ages && m->ages[i] != g->stale_s + 1)
            i++;
        if (g->stale_s && i == m->n_ages)
            m->ages[m->n_ages++] = g->stale_s + 1;
    }
    m->n_classes[V_USER] = m->n_ages * (m->t->users.n + USERS_BEFORE);
    return true;
}

/* Users lo to hi - 1, with an identity that is no older. */
static const struct iset *users_between(struct model *m, uint32_t lo, uint32_t hi, uint32_t stale_s)
{
    const struct iset *out = &NOTHING;
    for (uint32_t a = 0; a < m->n_ages; a++) {
        uint32_t base = a * (m->t->users.n + USERS_BEFORE);
        if (!stale_s || m->ages[a] <= stale_s)
            out = iset_or(&m->mem, out, iset_range(&m->mem, base + lo, base + hi));
    }
    return out;
}

const struct iset *class_user(struct model *m, uint32_t user, uint32_t stale_s)
{
    return users_between(m, USERS_BEFORE + user, USERS_BEFORE + user + 1, stale_s);
}

const struct iset *class_nobody(struct model *m)
{
    return users_between(m, 0, 1, 0);
}

const struct iset *class_fresh(struct model *m, uint32_t stale_s)
{
    return users_between(m, 0, USERS_BEFORE + m->t->users.n, stale_s);
}

/* ---- all ---- */

static bool make_domains(struct model *m)
{
    m->first_cat = V_FIXED;
    m->first_pattern = m->first_cat + m->t->categories.n;
    m->first_attr = m->first_pattern + m->patterns.n;
    m->n_vars = m->first_attr + m->attrs.n;
    m->dom = arena_alloc(&m->mem, m->n_vars * sizeof *m->dom);
    const struct iset *both = iset_range(&m->mem, 0, 2), *four = iset_range(&m->mem, 0, C_N);
    snapshot_url_categories(m->snap, m->url_cats);
    if (!m->dom || !both || !four)
        return false;
    for (uint32_t i = 0; i < m->n_vars; i++) {
        bool urls = i >= m->first_cat && i < m->first_pattern && class_has_urls(m, i - m->first_cat);
        m->dom[i] = i < V_FIXED ? iset_range(&m->mem, 0, m->n_classes[i]) : urls ? four : both;
        if (!m->dom[i])
            return false;
    }
    return true;
}

/* Clients: whoever is in a zone that is not the internet. The first of a zone where things are intercepted
 * makes the better example. */
static bool only_clients(struct model *m)
{
    const struct places *p = &m->src;
    const struct iset *out = &NOTHING;
    bool ca = false;
    for (const struct zone_decl *z = m->t->zones.first; z && out; z = z->next) {
        if (z->internet)
            continue;
        const struct iset *in = class_zone(m, p, z->id);
        out = iset_or(&m->mem, out, in);
        if (in && in->n && !ca)
            m->prefer[V_SRC] = in->v[0].lo;
        ca = ca || (in && in->n && !z->ca_none);
    }
    m->dom[V_SRC] = out;
    return out != NULL;
}

bool model_classes(struct model *m, int64_t now, bool *complete)
{
    struct gather g = {0};
    gather_tree(&g, m->t);
    m->n_classes[V_SEEN] = m->n_classes[V_UPLOAD] = m->n_classes[V_VIRUS] = 2;
    m->prefer[V_SEEN] = 1;
    m->n_classes[V_SEVERITY] = UINT8_MAX + 1;
    m->n_classes[V_DEFECT] = 32;
    bool ok = !g.full && make_places(m, &g) && make_ports(m, &g) && make_all_words(m, &g) &&
              make_other_name(m) && make_users(m) && model_times(m, now, complete) && make_domains(m) &&
              only_clients(m);
    gather_fini(&g);
    return ok;
}
