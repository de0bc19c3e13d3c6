/* Expressions of lists by Hyperscan; see catexpr.h. */
#include "signatures/catexpr.h"

#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum {
    FLAGS = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL,
    SUBJECT = LIM_NAME_BYTES + LIM_TARGET_BYTES
};

struct head {
    uint64_t n, text_bytes, db_bytes;
};

struct catexpr {
    uint64_t n;
    const struct catexpr_item *items;
    span texts;
    hs_database_t *db;
    hs_scratch_t *scratch;
};

/* ---- one expression ---- */

/* The number of a {n}, {n,} or {n,m} at `at`, the larger one; 0 when there is none. */
static uint64_t repeat_at(span s, size_t at)
{
    uint64_t v = 0, most = 0;
    for (size_t i = at + 1; i < s.n && i < at + 16; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9')
            v = v * 10 + (uint64_t)(s.p[i] - '0');
        else if (s.p[i] == ',' || s.p[i] == '}') {
            most = v > most ? v : most;
            v = 0;
            if (s.p[i] == '}')
                return most;
        } else {
            return 0;
        }
    }
    return 0;
}

/* What the bounded repeats multiply to, as if each stood inside the next. */
static uint64_t repeats(span s)
{
    uint64_t all = 1;
    for (size_t i = 0; i < s.n && all <= UINT32_MAX; i++) {
        uint64_t n = s.p[i] == '{' ? repeat_at(s, i) : 0;
        all *= n > 1 ? n : 1;
        i += s.p[i] == '\\'; /* what it escapes, be it another one */
    }
    return all;
}

/* Does it match where there is nothing to match, and so, but for one like `^$`, everything? False too when it
 * makes no sense. */
static bool matches_empty(const char *z)
{
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *err = NULL;
    bool all = hs_expression_info(z, FLAGS, &info, &err) == HS_SUCCESS && info->min_width == 0;
    free(info);
    hs_free_compile_error(err);
    return all;
}

void catexpr_add(struct catexpr_sum *sum, span text)
{
    sum->n++;
    sum->repeats += repeats(text);
}

/* Costs that show before it is compiled. */
static bool within(const struct catexpr_sum *sum, uint64_t cost, char why[128])
{
    if (cost > CATEXPR_REPEATS)
        snprintf(why, 128, "its repeats multiply to %llu, %d is the most", (unsigned long long)cost,
                 CATEXPR_REPEATS);
    else if (sum->n >= CATEXPR_MOST)
        snprintf(why, 128, "there are %llu expressions before it, %d is the most", (unsigned long long)sum->n,
                 CATEXPR_MOST);
    else if (sum->repeats + cost > CATEXPR_ALL_REPEATS)
        snprintf(why, 128, "with it the repeats of all expressions come to %llu, %d is the most",
                 (unsigned long long)(sum->repeats + cost), CATEXPR_ALL_REPEATS);
    else
        return true;
    return false;
}

bool catexpr_check(const struct catexpr_sum *sum, span text, char why[128])
{
    hs_database_t *db = NULL;
    hs_compile_error_t *err = NULL;
    size_t bytes = 0;
    AUTO_FREE char *z = strndup((const char *)text.p, text.n);
    if (!within(sum, repeats(text), why))
        return false;
    if (z && matches_empty(z)) {
        snprintf(why, 128,
                 "it matches an empty text too; if it is not tied to both ends, it matches every URL of "
                 "every host");
        return false;
    }
    if (!z || hs_compile(z, FLAGS, HS_MODE_BLOCK, NULL, &db, &err) != HS_SUCCESS) {
        snprintf(why, 128, "%.100s", err ? err->message : rc_text(RC_NOMEM));
        hs_free_compile_error(err);
        return false;
    }
    bool ok = hs_database_size(db, &bytes) == HS_SUCCESS && bytes <= CATEXPR_BYTES;
    if (!ok)
        snprintf(why, 128, "it takes %zu bytes compiled, %d is the most", bytes, CATEXPR_BYTES);
    hs_free_database(db);
    return ok;
}

/* ---- all of them ---- */

static enum rc compile_all(const struct catexpr_item *items, uint32_t n, span texts, hs_database_t **db)
{
    hs_compile_error_t *err = NULL;
    const char **z = calloc(n + 1, sizeof *z);
    unsigned *flags = calloc(n + 1, sizeof *flags), *ids = calloc(n + 1, sizeof *ids);
    bool ok = z && flags && ids;
    for (uint32_t i = 0; i < n && ok; i++) {
        z[i] = strndup((const char *)texts.p + items[i].text_at, items[i].text_n);
        flags[i] = FLAGS;
        ids[i] = i;
        ok = z[i] != NULL;
    }
    enum rc rc = !ok                                                                               ? RC_NOMEM
                 : hs_compile_multi(z, flags, ids, n, HS_MODE_BLOCK, NULL, db, &err) == HS_SUCCESS ? RC_OK
                                                                                                   : RC_LIMIT;
    hs_free_compile_error(err);
    for (uint32_t i = 0; i < n && z; i++)
        free((void *)(uintptr_t)z[i]);
    free((void *)z);
    free(flags);
    free(ids);
    return rc;
}

static enum rc pad(struct buf *out, size_t start)
{
    static const uint8_t zeros[8];
    return buf_put(out, span_of(zeros, (8 - (out->w - start) % 8) % 8));
}

enum rc catexpr_build(const struct catexpr_item *items, uint32_t n, span texts, struct buf *out)
{
    hs_database_t *db = NULL;
    char *bytes = NULL;
    size_t n_bytes = 0, start = out->w;
    if (n == 0)
        return RC_OK;
    if (n > CATEXPR_MOST)
        return RC_LIMIT;
    TRY(compile_all(items, n, texts, &db));
    enum rc rc = hs_serialize_database(db, &bytes, &n_bytes) == HS_SUCCESS ? RC_OK : RC_NOMEM;
    if (rc == RC_OK && n_bytes > CATEXPR_ALL_BYTES)
        rc = RC_LIMIT;
    struct head h = {n, texts.n, n_bytes};
    if (rc == RC_OK)
        rc = buf_put(out, span_of(&h, sizeof h));
    if (rc == RC_OK)
        rc = buf_put(out, span_of(items, n * sizeof *items));
    if (rc == RC_OK)
        rc = buf_put(out, texts);
    if (rc == RC_OK)
        rc = pad(out, start);
    if (rc == RC_OK)
        rc = buf_put(out, span_of(bytes, n_bytes));
    if (rc == RC_OK)
        rc = pad(out, start);
    free(bytes);
    hs_free_database(db);
    return rc;
}

/* ---- looking up ---- */

static bool items_ok(const struct catexpr *x, uint64_t n, uint32_t n_lists)
{
    for (uint64_t i = 0; i < n; i++) {
        const struct catexpr_item *e = &x->items[i];
        if (e->list >= n_lists || e->text_at > x->texts.n || e->text_n > x->texts.n - e->text_at)
            return false;
    }
    return true;
}

enum rc catexpr_open(span section, uint32_t n_lists, struct catexpr **out)
{
    struct head h;
    *out = NULL;
    if (section.n == 0)
        return RC_OK;
    if (section.n < sizeof h)
        return RC_BAD;
    memcpy(&h, section.p, sizeof h);
    if (h.n == 0 || h.n > CATEXPR_MOST || h.text_bytes > section.n || h.db_bytes > CATEXPR_ALL_BYTES)
        return RC_BAD;
    uint64_t texts = sizeof h + h.n * sizeof(struct catexpr_item),
             db = (texts + h.text_bytes + 7) & ~UINT64_C(7);
    if (section.n != ((db + h.db_bytes + 7) & ~UINT64_C(7)))
        return RC_BAD;
    struct catexpr *x = calloc(1, sizeof *x);
    if (!x)
        return RC_NOMEM;
    x->n = h.n;
    x->items = (const void *)(section.p + sizeof h);
    x->texts = span_of(section.p + texts, h.text_bytes);
    if (!items_ok(x, h.n, n_lists) ||
        hs_deserialize_database((const char *)section.p + db, h.db_bytes, &x->db) != HS_SUCCESS ||
        hs_alloc_scratch(x->db, &x->scratch) != HS_SUCCESS) {
        catexpr_free(x);
        return RC_BAD;
    }
    *out = x;
    return RC_OK;
}

void catexpr_free(struct catexpr *x)
{
    if (!x)
        return;
    hs_free_scratch(x->scratch);
    hs_free_database(x->db);
    free(x);
}

void catexpr_lists(const struct catexpr *x, uint64_t *lists)
{
    for (uint64_t i = 0; x && i < x->n; i++)
        lists[x->items[i].list / 64] |= UINT64_C(1) << (x->items[i].list % 64);
}

struct matching {
    const struct catexpr *x;
    void (*fn)(void *arg, const struct catexpr_item *item, span text);
    void *arg;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
    const struct matching *m = arg;
    const struct catexpr_item *e = &m->x->items[id];
    (void)from, (void)to, (void)flags;
    m->fn(m->arg, e, span_cut(m->x->texts, e->text_at, (size_t)e->text_at + e->text_n));
    return 0;
}

void catexpr_match(const struct catexpr *x, span host, span path,
                   void (*fn)(void *arg, const struct catexpr_item *item, span text), void *arg)
{
    char subject[SUBJECT + 1];
    struct matching m = {x, fn, arg};
    if (!x || host.n > LIM_NAME_BYTES || path.n > LIM_TARGET_BYTES)
        return;
    memcpy(subject, host.p, host.n);
    if (path.n)
        memcpy(subject + host.n, path.p, path.n);
    (void)hs_scan(x->db, subject, (unsigned)(host.n + path.n), 0, x->scratch, on_match, &m);
}
