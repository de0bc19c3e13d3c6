/* The part of grants: builder, checker, look-ups; see grants.h. */
#include "policy/grants.h"

#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

#define GRANTS_MAGIC UINT64_C(0x31544e5247525050) /* "PPRGRNT1" */
enum { GRANTS_VERSION = 1, TEXTS = 4 };

struct grants_head {
    uint64_t magic;
    uint32_t version, n;
    uint64_t n_bytes;
};

struct text_run {
    uint32_t at, n;
};

/* Indices of `text`. */
enum { TEXT_TARGET, TEXT_WHO, TEXT_BY, TEXT_REASON };

struct grant_rec {
    int64_t since_s, until_s;
    uint32_t id;
    uint8_t kind, scope, pad[2];
    struct text_run text[TEXTS];
};
_Static_assert(sizeof(struct grants_head) % 8 == 0 && sizeof(struct grant_rec) % 8 == 0,
               "records stay aligned");

const char *grant_kind_text(enum grant_kind k)
{
    static const char *const texts[GRANT_KINDS] = {"url", "name", "category", "exempt"};
    return (unsigned)k < GRANT_KINDS ? texts[k] : "?";
}

const char *grant_scope_text(enum grant_scope s)
{
    static const char *const texts[GRANT_SCOPES] = {"user", "address", "group", "zone", "all"};
    return (unsigned)s < GRANT_SCOPES ? texts[s] : "?";
}

/* ---- order ---- */

static int text_cmp(span a, span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* Kind, target, scope, who: what a look-up asks for. */
static int key_cmp(const struct grant *a, const struct grant *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int c = text_cmp(a->target, b->target);
    if (c)
        return c;
    if (a->scope != b->scope)
        return a->scope < b->scope ? -1 : 1;
    return text_cmp(a->who, b->who);
}

/* Of equal ones the one that lasts longest first. */
static int full_cmp(const void *x, const void *y)
{
    const struct grant *a = x, *b = y;
    int c = key_cmp(a, b);
    if (c)
        return c;
    if (a->until_s != b->until_s)
        return a->until_s > b->until_s ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

/* ---- building ---- */

static bool sound(const struct grant *g)
{
    return (unsigned)g->kind < GRANT_KINDS && (unsigned)g->scope < GRANT_SCOPES && g->id &&
           g->since_s < g->until_s && g->target.n > 0 && (g->who.n > 0) == (g->scope != GRANT_FOR_ALL) &&
           g->target.n <= LIM_GRANT_TEXT && g->who.n <= LIM_GRANT_TEXT && g->by.n <= LIM_GRANT_TEXT &&
           g->reason.n <= LIM_GRANT_TEXT;
}

static enum rc put_grants(const struct grant *v, size_t n, struct buf *out)
{
    struct buf texts = {0};
    struct grants_head head = {.magic = GRANTS_MAGIC, .version = GRANTS_VERSION, .n = (uint32_t)n};
    size_t head_at = out->w;
    enum rc rc = buf_put(out, span_of(&head, sizeof head));
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        const span s[TEXTS] = {v[i].target, v[i].who, v[i].by, v[i].reason};
        struct grant_rec r = {.since_s = v[i].since_s,
                              .until_s = v[i].until_s,
                              .id = v[i].id,
                              .kind = (uint8_t)v[i].kind,
                              .scope = (uint8_t)v[i].scope};
        for (size_t k = 0; rc == RC_OK && k < TEXTS; k++) {
            r.text[k] = (struct text_run){(uint32_t)buf_len(&texts), (uint32_t)s[k].n};
            rc = buf_put(&texts, s[k]);
        }
        if (rc == RC_OK)
            rc = buf_put(out, span_of(&r, sizeof r));
    }
    head.n_bytes = buf_len(&texts);
    if (rc == RC_OK)
        rc = buf_put(out, buf_span(&texts));
    if (rc == RC_OK)
        memcpy(out->p + head_at, &head, sizeof head);
    buf_fini(&texts);
    return rc;
}

enum rc grants_build(const struct grant *v, size_t n, struct buf *out)
{
    if (n == 0)
        return RC_OK;
    if (n > LIM_GRANTS)
        return RC_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (!sound(&v[i]))
            return RC_LIMIT;
    }
    struct grant *sorted = malloc(n * sizeof *sorted);
    if (!sorted)
        return RC_NOMEM;
    memcpy(sorted, v, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, full_cmp);
    enum rc rc = put_grants(sorted, n, out);
    free(sorted);
    return rc;
}

/* ---- opening ---- */

struct grant grants_at(const struct grants *g, uint32_t i)
{
    if (i >= g->n)
        return (struct grant){0};
    const struct grant_rec *r = &g->v[i];
    span s[TEXTS];
    for (size_t k = 0; k < TEXTS; k++)
        s[k] = span_of(g->bytes + r->text[k].at, r->text[k].n);
    return (struct grant){.id = r->id,
                          .kind = (enum grant_kind)r->kind,
                          .scope = (enum grant_scope)r->scope,
                          .since_s = r->since_s,
                          .until_s = r->until_s,
                          .target = s[TEXT_TARGET],
                          .who = s[TEXT_WHO],
                          .by = s[TEXT_BY],
                          .reason = s[TEXT_REASON]};
}

static bool runs_fit(const struct grant_rec *r, uint64_t n_bytes)
{
    for (size_t k = 0; k < TEXTS; k++) {
        if ((uint64_t)r->text[k].at + r->text[k].n > n_bytes)
            return false;
    }
    return true;
}

enum rc grants_open(span part, struct grants *out)
{
    struct grants_head h;
    *out = (struct grants){0};
    if (part.n == 0)
        return RC_OK;
    if (part.n < sizeof h || (uintptr_t)part.p % 8 != 0)
        return RC_BAD;
    memcpy(&h, part.p, sizeof h);
    if (h.magic != GRANTS_MAGIC || h.version != GRANTS_VERSION || h.n == 0 || h.n > LIM_GRANTS ||
        h.n_bytes > part.n || sizeof h + (uint64_t)h.n * sizeof(struct grant_rec) + h.n_bytes != part.n)
        return RC_BAD;
    struct grants g = {.v = (const void *)(part.p + sizeof h), .n = h.n};
    g.bytes = (const uint8_t *)(g.v + h.n);
    struct grant before = {0};
    for (uint32_t i = 0; i < h.n; i++) {
        if (!runs_fit(&g.v[i], h.n_bytes))
            return RC_BAD;
        struct grant one = grants_at(&g, i);
        if (!sound(&one) || (i > 0 && full_cmp(&before, &one) >= 0))
            return RC_BAD;
        g.n_exempt += one.kind == GRANT_EXEMPT;
        g.n_urls += one.kind == GRANT_URL;
        before = one;
    }
    *out = g;
    return RC_OK;
}

bool grants_by_id(const struct grants *g, uint32_t id, struct grant *out)
{
    for (uint32_t i = 0; i < g->n; i++) {
        if (g->v[i].id != id)
            continue;
        *out = grants_at(g, i);
        return true;
    }
    return false;
}

/* ---- look-ups ---- */

/* First record that is not before the key; `whole`: all of the key counts, else kind and target alone. */
static uint32_t first_of(const struct grants *g, const struct grant *key)
{
    uint32_t lo = 0, hi = g->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        struct grant at = grants_at(g, mid);
        if (key_cmp(&at, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The grant with exactly this key that holds at that moment. */
static bool holds(const struct grants *g, const struct grant *key, int64_t time_s, struct grant *out)
{
    for (uint32_t i = first_of(g, key); i < g->n; i++) {
        struct grant at = grants_at(g, i);
        if (key_cmp(&at, key) != 0)
            return false;
        if (at.since_s <= time_s && time_s < at.until_s) {
            *out = at;
            return true;
        }
    }
    return false;
}

bool grants_exempt(const struct grants *g, span zone, int64_t time_s, struct grant *out)
{
    const struct grant key = {.kind = GRANT_EXEMPT, .target = zone, .scope = GRANT_FOR_ZONE, .who = zone};
    return g->n_exempt && holds(g, &key, time_s, out);
}

/* Targets of the query that have a grant at all: the others are not asked for again per scope. */
struct targets {
    struct {
        enum grant_kind kind;
        span text;
    } v[2 + LIM_NAME_BYTES / 2 + GRANTS_CATS];
    size_t n;
    uint8_t url[LIM_NAME_BYTES + LIM_GRANT_TEXT];
};

static void add_target(const struct grants *g, struct targets *t, enum grant_kind kind, span text)
{
    const struct grant key = {.kind = kind, .target = text}; /* the least of this target */
    struct grant at = grants_at(g, first_of(g, &key));
    if (text.n == 0 || at.id == 0 || at.kind != kind || !span_eq(at.target, text) || t->n == N_ELEMS(t->v))
        return;
    t->v[t->n].kind = kind;
    t->v[t->n++].text = text;
}

static void add_url(const struct grants *g, const struct grants_query *q, struct targets *t)
{
    if (q->name.n > LIM_NAME_BYTES || q->path.n > LIM_GRANT_TEXT || q->name.n == 0)
        return;
    memcpy(t->url, q->name.p, q->name.n);
    if (q->path.n)
        memcpy(t->url + q->name.n, q->path.p, q->path.n);
    add_target(g, t, GRANT_URL, span_of(t->url, q->name.n + q->path.n));
}

static void collect(const struct grants *g, const struct grants_query *q, struct targets *t)
{
    t->n = 0;
    if (q->path_known)
        add_url(g, q, t);
    for (size_t at = 0; at < q->name.n && t->n < LIM_NAME_BYTES / 2;) {
        add_target(g, t, GRANT_NAME, span_cut(q->name, at, q->name.n));
        size_t dot = span_find(q->name, '.', at);
        at = dot == SIZE_MAX ? q->name.n : dot + 1;
    }
    for (size_t i = 0; i < q->n_cats && i < GRANTS_CATS; i++)
        add_target(g, t, GRANT_CATEGORY, q->cat[i]);
}

static bool for_whom(const struct grants *g, const struct grants_query *q, const struct targets *t,
                     enum grant_scope scope, span who, struct grant *out)
{
    for (size_t i = 0; i < t->n && (who.n || scope == GRANT_FOR_ALL); i++) {
        const struct grant key = {.kind = t->v[i].kind, .target = t->v[i].text, .scope = scope, .who = who};
        if (holds(g, &key, q->time_s, out))
            return true;
    }
    return false;
}

/* The user is not known by name, but which grant was his. */
static bool was_granted(const struct grants *g, const struct grants_query *q, const struct targets *t,
                        struct grant *out)
{
    for (size_t i = 0; i < t->n && q->granted; i++) {
        const struct grant key = {.kind = t->v[i].kind, .target = t->v[i].text};
        for (uint32_t k = first_of(g, &key); k < g->n; k++) {
            struct grant at = grants_at(g, k);
            if (at.kind != key.kind || !span_eq(at.target, key.target) || at.scope != GRANT_FOR_USER)
                break;
            if ((at.id == q->granted || q->granted == GRANTED_ANY) && at.since_s <= q->time_s &&
                q->time_s < at.until_s) {
                *out = at;
                return true;
            }
        }
    }
    return false;
}

static bool narrowest(const struct grants *g, const struct grants_query *q, const struct targets *t,
                      struct grant *out)
{
    if (t->n == 0)
        return false;
    if (for_whom(g, q, t, GRANT_FOR_USER, q->user, out) || was_granted(g, q, t, out) ||
        for_whom(g, q, t, GRANT_FOR_ADDRESS, q->address, out))
        return true;
    for (size_t i = 0; i < q->n_groups && i < GRANTS_GROUPS; i++) {
        if (for_whom(g, q, t, GRANT_FOR_GROUP, q->group[i], out))
            return true;
    }
    span name;
    for (size_t i = 0; q->more && q->more(q->arg, i, &name); i++) {
        if (for_whom(g, q, t, GRANT_FOR_GROUP, name, out))
            return true;
    }
    return for_whom(g, q, t, GRANT_FOR_ZONE, q->zone, out) ||
           for_whom(g, q, t, GRANT_FOR_ALL, SPAN_NONE, out);
}

/* Grants of single pages of this host, whichever they are. */
static bool some_page(const struct grants *g, const struct grants_query *q, struct grant *out)
{
    struct targets t = {0};
    uint8_t host[LIM_NAME_BYTES + 1];
    if (q->path_known || q->name.n == 0 || q->name.n > LIM_NAME_BYTES)
        return false;
    memcpy(host, q->name.p, q->name.n);
    host[q->name.n] = '/';
    span prefix = span_of(host, q->name.n + 1);
    const struct grant key = {.kind = GRANT_URL, .target = prefix};
    for (uint32_t i = first_of(g, &key); i < g->n; i++) {
        struct grant at = grants_at(g, i);
        if (at.kind != GRANT_URL || !span_has_prefix(at.target, prefix))
            return false;
        t.v[0].kind = GRANT_URL;
        t.v[0].text = at.target;
        t.n = 1;
        if (narrowest(g, q, &t, out))
            return true;
    }
    return false;
}

enum grants_word grants_find(const struct grants *g, const struct grants_query *q, struct grant *out)
{
    struct targets t;
    if (g->n == g->n_exempt)
        return GRANTS_NO;
    collect(g, q, &t);
    if (narrowest(g, q, &t, out))
        return GRANTS_YES;
    return some_page(g, q, out) ? GRANTS_OPEN : GRANTS_NO;
}
