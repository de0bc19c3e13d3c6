/* The judge of list entries; see guard.h. */
#include "signatures/guard.h"

#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "signatures/catexpr.h"
#include "signatures/catfile.h"

enum {
    RULES = 2,           /* of judging: another number has lists judged again that did not change */
    MANY_BYTES = 262144, /* of lists: the filter of suffixes takes longer to make than it saves below */
    WIDE_V4 = 8,         /* networks of fewer bits are held back */
    WIDE_V6 = 20,
};

void guard_init(struct guard *g)
{
    *g = (struct guard){.shrink = GUARD_SHRINK};
    for (unsigned i = 0; i < GUARD_SETS; i++)
        buf_init(&g->set[i].text, LIM_LIST_BYTES);
}

void guard_fini(struct guard *g)
{
    for (size_t i = 0; i < g->n_own; i++)
        free((void *)(uintptr_t)g->own[i].p);
    for (unsigned i = 0; i < GUARD_SETS; i++) {
        buf_fini(&g->set[i].text);
        free(g->set[i].slots);
    }
    *g = (struct guard){0};
}

enum rc guard_own(struct guard *g, span name)
{
    uint8_t canon[LIM_NAME_BYTES];
    size_t n = name_normalise(name, canon);
    uint8_t *copy = n ? malloc(n) : NULL;
    if (n == 0)
        return RC_BAD;
    if (!copy)
        return RC_NOMEM;
    if (g->n_own == GUARD_OWN) {
        free(copy);
        return RC_LIMIT;
    }
    memcpy(copy, canon, n);
    g->own[g->n_own++] = span_of(copy, n);
    return RC_OK;
}

enum rc guard_file(struct guard *g, enum guard_set set, const char *path)
{
    return catfile_read(path, &g->set[set].text, NULL);
}

enum rc guard_text(struct guard *g, enum guard_set set, span text)
{
    return buf_put(&g->set[set].text, text);
}

enum rc guard_digest(const struct guard *g, uint8_t out[SHA256_BYTES])
{
    struct buf all = {0};
    enum rc rc = buf_put_u32(&all, g->shrink);
    if (rc == RC_OK)
        rc = buf_put_u32(&all, RULES);
    for (size_t i = 0; i < g->n_own && rc == RC_OK; i++) {
        rc = buf_put(&all, g->own[i]);
        if (rc == RC_OK)
            rc = buf_put_u8(&all, '\n');
    }
    span parts[] = {buf_span(&all), buf_span(&g->set[GUARD_ACCEPTED].text)};
    if (rc == RC_OK)
        rc = sha256(parts, N_ELEMS(parts), out);
    buf_fini(&all);
    return rc;
}

/* ---- sets of hashes ---- */

static void names_add(struct guard_names *s, uint64_t hash)
{
    uint64_t at = catfmt_place(catfmt_mum(hash, UINT64_C(0x9fb21c651e98df25)), s->n_slots);
    hash |= 1; /* 0 is a free slot */
    while (s->slots[at] && s->slots[at] != hash)
        at = at + 1 == s->n_slots ? 0 : at + 1;
    s->slots[at] = hash;
}

static bool names_have(const struct guard_names *s, uint64_t hash)
{
    if (!s->slots)
        return false;
    uint64_t at = catfmt_place(catfmt_mum(hash, UINT64_C(0x9fb21c651e98df25)), s->n_slots);
    hash |= 1;
    while (s->slots[at] && s->slots[at] != hash)
        at = at + 1 == s->n_slots ? 0 : at + 1;
    return s->slots[at] != 0;
}

static size_t count_dots_and_lines(span text)
{
    size_t n = 2;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '.' || text.p[i] == '\n';
    return n;
}

/* The name of a line: its first word that is one, and (unless `suffixes`) has a dot. */
static size_t line_name(span line, bool suffixes, uint8_t *out)
{
    for (size_t at = 0; at < line.n;) {
        size_t end = at;
        while (end < line.n && !memchr(", \t\r;", line.p[end], 5))
            end++;
        span word = span_cut(line, at, end);
        if (word.n && word.p[0] == '#')
            return 0;
        size_t n = name_normalise(word, out);
        if (n && (suffixes || span_find(word, '.', 0) != SIZE_MAX))
            return n;
        at = end + 1;
    }
    return 0;
}

static void add_line(struct guard_names *s, const uint64_t seed[4], span line, bool parents)
{
    uint8_t name[LIM_NAME_BYTES];
    size_t n = line_name(line, !parents, name);
    for (size_t i = n; i-- > 0;) {
        if ((i == 0 || name[i - 1] == '.') && (parents || i == 0))
            names_add(s, catkey_hash_name(seed, span_of(name + i, n - i), NULL));
    }
}

static enum rc prepare(struct guard_names *s, const uint64_t seed[4], bool parents)
{
    span text = buf_span(&s->text);
    free(s->slots);
    s->slots = NULL;
    if (text.n == 0)
        return RC_OK;
    s->n_slots = count_dots_and_lines(text) * 2;
    s->slots = calloc(s->n_slots, sizeof *s->slots);
    if (!s->slots)
        return RC_NOMEM;
    for (size_t at = 0; at < text.n;) {
        size_t end = span_find(text, '\n', at);
        span line = span_cut(text, at, end);
        add_line(s, seed, line, parents);
        at += line.n + 1;
    }
    return RC_OK;
}

enum rc guard_prepare(struct guard *g, const uint64_t seed[4], uint64_t bytes)
{
    if (bytes >= MANY_BYTES)
        suffixes_init(&g->suffixes, seed);
    TRY(prepare(&g->set[GUARD_ACCEPTED], seed, false));
    TRY(prepare(&g->set[GUARD_POPULAR], seed, true));
    return prepare(&g->set[GUARD_SEEN], seed, true);
}

/* ---- judgement ---- */

static bool is_below(span name, span parent)
{
    return span_has_suffix(name, parent) && (name.n == parent.n || name.p[name.n - parent.n - 1] == '.');
}

/* The entry is one of ours, above one or below one. */
static bool is_own(const struct guard *g, const struct catkey *k)
{
    span host = span_of(k->text, k->host_n);
    for (size_t i = 0; i < g->n_own; i++) {
        if (is_below(host, g->own[i]) || (k->kind == CATKEY_NAME && is_below(g->own[i], host)))
            return true;
    }
    return false;
}

enum hold guard_judge(const struct guard *g, const struct catkey *k, unsigned flags,
                      const struct catkey_hashes *h)
{
    if (flags & CATFMT_MEMBER_OUT || k->kind == CATKEY_N)
        return HOLD_NONE;
    if (names_have(&g->set[GUARD_ACCEPTED], h->own))
        return HOLD_NONE;
    if (k->kind == CATKEY_NET)
        return k->net.bits < (k->net.a.family == 4 ? WIDE_V4 : WIDE_V6) ? HOLD_WIDE : HOLD_NONE;
    if (is_own(g, k))
        return HOLD_OWN;
    if (k->kind == CATKEY_URL)
        return HOLD_NONE;
    /* one that means the name alone is harmless, but nobody lists `be` to mean that */
    if (suffixes_have(&g->suffixes, span_of(k->text, k->n), h))
        return HOLD_SUFFIX;
    if (names_have(&g->set[GUARD_POPULAR], h->own))
        return HOLD_POPULAR;
    return names_have(&g->set[GUARD_SEEN], h->own) ? HOLD_SEEN : HOLD_NONE;
}

/* ---- expressions ---- */

/* Names without a letter in common: what matches them all matches about everything. */
static const char *const UNLIKE[] = {"abc.de", "fgh.ij", "klm.no"};

struct trying {
    struct catexpr *set;
    bool *hit; /* by the last names */
};

static void on_hit(void *arg, const struct catexpr_item *item, span text)
{
    struct trying *t = arg;
    (void)text;
    t->hit[item->line] = true;
}

static void try_name(struct trying *t, span name)
{
    catexpr_match(t->set, name, SPAN("/"), on_hit, t);
}

static void try_lines(struct trying *t, span text)
{
    uint8_t name[LIM_NAME_BYTES];
    for (size_t at = 0; at < text.n;) {
        span line = span_cut(text, at, span_find(text, '\n', at));
        size_t n = line_name(line, false, name);
        if (n)
            try_name(t, span_of(name, n));
        at += line.n + 1;
    }
}

/* A line of the review file that is the expression, or begins with it and a blank. */
static bool accepted(const struct guard *g, span expr)
{
    span text = buf_span(&g->set[GUARD_ACCEPTED].text);
    for (size_t at = 0; at < text.n;) {
        span line = span_cut(text, at, span_find(text, '\n', at));
        if (span_has_prefix(line, expr) && (line.n == expr.n || memchr(" \t\r", line.p[expr.n], 3)))
            return true;
        at += line.n + 1;
    }
    return false;
}

/* As one set, which is how they will be looked up. */
static enum rc open_set(const span *expr, size_t n, struct buf *section, struct catexpr **out)
{
    struct buf texts = {0};
    struct catexpr_item *item = calloc(n, sizeof *item);
    enum rc rc = item ? RC_OK : RC_NOMEM;
    for (size_t i = 0; i < n && rc == RC_OK; i++) {
        item[i] = (struct catexpr_item){
            .text_at = (uint32_t)buf_len(&texts), .text_n = (uint32_t)expr[i].n, .line = (uint32_t)i};
        rc = buf_put(&texts, expr[i]);
    }
    if (rc == RC_OK)
        rc = catexpr_build(item, (uint32_t)n, buf_span(&texts), section);
    if (rc == RC_OK)
        rc = catexpr_open(buf_span(section), 1, out);
    buf_fini(&texts);
    free(item);
    return rc;
}

/* Those that are not held yet and matched since the last call are held for this. */
static void hold(const struct trying *t, size_t n, const bool *only, enum hold why, enum hold *out)
{
    for (size_t i = 0; i < n; i++) {
        if (t->hit[i] && out[i] == HOLD_NONE && (!only || only[i]))
            out[i] = why;
        t->hit[i] = false;
    }
}

static void judge_all(const struct guard *g, struct trying *t, const bool *fresh, size_t n, enum hold *out)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        out[i] = HOLD_WIDE;
        any |= fresh[i];
    }
    for (size_t k = 0; k < N_ELEMS(UNLIKE); k++) {
        try_name(t, span_str(UNLIKE[k]));
        for (size_t i = 0; i < n; i++) {
            if (!t->hit[i])
                out[i] = HOLD_NONE;
            t->hit[i] = false;
        }
    }
    for (size_t k = 0; k < g->n_own; k++)
        try_name(t, g->own[k]);
    hold(t, n, NULL, HOLD_OWN, out);
    if (any) {
        try_lines(t, buf_span(&g->set[GUARD_POPULAR].text));
        hold(t, n, fresh, HOLD_POPULAR, out);
        try_lines(t, buf_span(&g->set[GUARD_SEEN].text));
        hold(t, n, fresh, HOLD_SEEN, out);
    }
}

enum rc guard_judge_expressions(const struct guard *g, const span *expr, const bool *fresh, size_t n,
                                enum hold *out)
{
    struct buf section = {0};
    struct trying t = {.hit = calloc(n + 1, sizeof *t.hit)};
    enum rc rc = t.hit ? open_set(expr, n, &section, &t.set) : RC_NOMEM;
    if (rc == RC_OK) {
        judge_all(g, &t, fresh, n, out);
        for (size_t i = 0; i < n; i++) {
            if (out[i] != HOLD_NONE && accepted(g, expr[i]))
                out[i] = HOLD_NONE;
        }
    }
    catexpr_free(t.set);
    buf_fini(&section);
    free(t.hit);
    return rc;
}
