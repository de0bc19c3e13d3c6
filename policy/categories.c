/* Host -> lists -> categories, and what the policy's categories say by name themselves; see snapshot.h. */
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/base/urlpath.h"
#include "policy/image.h"
#include "signatures/catexpr.h"
#include "signatures/catkey.h"

enum { WORDS = IMG_CATEGORIES / 64 };
_Static_assert((int)WORDS == (int)FACTS_CAT_WORDS && (int)CATFMT_LISTS / 64 <= 16, "words are the same");

/* Categories as bits, as cat_hits are. */
struct cats {
    uint16_t used;
    uint64_t in[WORDS], out[WORDS];
};

static void cats_add(struct cats *c, uint32_t category, bool except)
{
    uint32_t w = category / 64;
    if (!(c->used >> w & 1))
        c->in[w] = c->out[w] = 0;
    c->used |= (uint16_t)(1u << w);
    *(except ? &c->out[w] : &c->in[w]) |= UINT64_C(1) << (category % 64);
}

static void add_list(const struct image *m, struct cats *c, uint16_t list)
{
    if (list >= m->n_LISTCATS)
        return;
    for (uint32_t i = 0; i < m->LISTCATS[list].n; i++)
        cats_add(c, m->NUMBERS[m->LISTCATS[list].at + i], false);
}

/* Lists in `used` words of `in` without those of `out`. */
static void add_these(const struct image *m, struct cats *c, unsigned used, const uint64_t *in,
                      const struct cat_hits *out)
{
    for (; used; used &= used - 1) {
        unsigned w = (unsigned)__builtin_ctz(used);
        for (uint64_t left = in[w] & ~(out->used >> w & 1 ? out->out[w] : 0); left; left &= left - 1)
            add_list(m, c, (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(left)));
    }
}

static void add_lists(const struct image *m, struct cats *c, const struct cat_hits *hits)
{
    add_these(m, c, hits->used, hits->in, hits);
}

/* ---- names that stand in the policy itself ---- */

typedef void (*named_fn)(void *arg, const uint32_t named[IMG_NAMED], span name);

static void each_named_of(const struct image *m, uint32_t string, span name, named_fn fn, void *arg)
{
    if (string >= m->n_NAMECATS)
        return;
    struct img_run r = m->NAMECATS[string];
    for (uint32_t i = 0; i < r.n; i += IMG_NAMED)
        fn(arg, m->NUMBERS + r.at + i, name);
}

static void each_named(const struct image *m, const struct facts *f, named_fn fn, void *arg)
{
    char text[ADDR_TEXT];
    span name = f->name;
    uint64_t h = IMG_HASH_START;
    if (m->n_NAMECATS == 0)
        return;
    if (name.n == 0 && f->dst.family) {
        name = span_str(addr_text(&f->dst, text));
        each_named_of(m, image_string(m, STRINGS_CATEGORY, name), name, fn, arg);
        return;
    }
    for (size_t i = name.n; i-- > 0;) {
        h = image_hash_byte(h, name.p[i]);
        if (i != 0 && name.p[i - 1] != '.')
            continue;
        span key = span_cut(name, i, name.n);
        each_named_of(m, image_find(m, STRINGS_CATEGORY, key, image_hash_end(h)), key, fn, arg);
    }
}

static void add_named(void *arg, const uint32_t named[IMG_NAMED], span name)
{
    (void)name;
    cats_add(arg, named[0], named[1] != 0);
}

/* ---- from facts to categories ---- */

static struct cat_query query_of(const struct facts *f)
{
    return (struct cat_query){
        .name = f->name, .addr = &f->dst, .path = f->known & FACT_BIT(PATH) ? &f->path : NULL};
}

static void write_cats(const struct cats *c, struct facts *f)
{
    f->n_cats = 0;
    for (unsigned used = c->used; used; used &= used - 1) {
        unsigned w = (unsigned)__builtin_ctz(used);
        for (uint64_t left = c->in[w] & ~c->out[w]; left && f->n_cats < FACTS_MAX_CATS; left &= left - 1)
            f->cats[f->n_cats++] = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(left));
    }
}

typedef void (*expr_fn)(void *arg, const struct catexpr_item *item, span text);

/* Expressions that match host and path. */
static __attribute__((noinline)) void each_expression(const struct snapshot *s, const struct facts *f,
                                                      expr_fn fn, void *arg)
{
    uint8_t normal[LIM_TARGET_BYTES + 1];
    char text[ADDR_TEXT];
    span host = f->name.n || !f->dst.family ? f->name : span_str(addr_text(&f->dst, text));
    size_t n = urlpath_normalise(span_cut(f->path, 0, LIM_TARGET_BYTES - 1), normal);
    catexpr_match(s->exprs, host, span_of(normal, n), fn, arg);
}

static void add_expression(void *arg, const struct catexpr_item *item, span text)
{
    (void)text;
    cat_hits_add(arg, item->list, false);
}

/* What the path could add, without what is there and what the policy takes out by name. */
static __attribute__((noinline)) void write_may(const struct snapshot *s, const struct cat_hits *hits,
                                                const struct cats *c, struct facts *f)
{
    struct cats may;
    may.used = 0;
    add_these(&s->img, &may, hits->may_used, hits->may, hits);
    if (s->exprs)
        add_these(&s->img, &may, UINT16_MAX, s->expr_lists, hits);
    for (unsigned used = may.used; used; used &= used - 1) {
        unsigned w = (unsigned)__builtin_ctz(used);
        uint64_t left = may.in[w] & ~(c->used >> w & 1 ? c->in[w] | c->out[w] : 0);
        f->may[w] = left;
        f->may_used |= (uint16_t)(left ? 1u << w : 0);
    }
}

/* `keys`: NULL where the name was not expected. */
static inline void categories(const struct snapshot *s, const struct cat_keys *keys, struct facts *f)
{
    struct cat_query q = query_of(f);
    struct cat_hits hits; /* only what is used of it is ever set */
    hits.used = hits.may_used = 0;
    struct cats cats;
    f->n_cats = 0;
    f->may_used = 0;
    if (!s->part[PART_LISTS])
        return;
    cats.used = 0;
    bool any = keys ? catdb_find_expected(&s->lists, &q, keys, &hits) : catdb_find(&s->lists, &q, &hits);
    if (s->exprs && q.path)
        each_expression(s, f, add_expression, &hits);
    if (!any && !s->exprs && s->img.n_NAMECATS == 0 && !hits.may_used)
        return;
    if (any || s->exprs)
        add_lists(&s->img, &cats, &hits);
    each_named(&s->img, f, add_named, &cats);
    write_cats(&cats, f);
    if (!q.path && (hits.may_used || s->exprs))
        write_may(s, &hits, &cats, f);
}

void snapshot_categories(const struct snapshot *s, struct facts *f)
{
    categories(s, NULL, f);
}

void snapshot_expect(const struct snapshot *s, span name, struct cat_keys *out)
{
    catdb_expect(&s->lists, name, out);
}

void snapshot_categories_expected(const struct snapshot *s, const struct cat_keys *keys, struct facts *f)
{
    categories(s, keys, f);
}

void snapshot_url_categories(const struct snapshot *s, uint64_t out[FACTS_CAT_WORDS])
{
    uint64_t lists[CATFMT_LISTS / 64];
    struct cat_hits none = {0};
    struct cats cats = {0};
    memcpy(lists, s->expr_lists, sizeof lists);
    catdb_url_lists(&s->lists, lists);
    add_these(&s->img, &cats, UINT16_MAX, lists, &none);
    for (unsigned w = 0; w < WORDS; w++)
        out[w] = cats.used >> w & 1 ? cats.in[w] : 0;
}

/* ---- entries ---- */

typedef void (*entry_fn)(void *arg, const struct cattext_entry *e);

struct asking {
    const struct cattext *text;
    entry_fn fn;
    void *arg;
};

static void ask_text(void *arg, unsigned kind, span text, bool whole)
{
    const struct asking *a = arg;
    struct catkey key;
    struct cattext_entry e;
    struct cattext_find find = {0};
    if (!catkey_again((enum catkey_kind)kind, text, &key))
        return;
    while (cattext_find(a->text, &key, &find, &e)) {
        if (e.held == HOLD_NONE && !(e.flags & CATFMT_EXACT && !whole) && !(e.flags & CATFMT_BELOW && whole))
            a->fn(a->arg, &e);
    }
}

/* Every live entry that speaks of the host, by the text alone. */
static void each_entry(const struct snapshot *s, const struct facts *f, entry_fn fn, void *arg)
{
    struct cat_query q = query_of(f);
    struct asking a = {&s->list_text, fn, arg};
    cat_query_keys(&s->lists, &q, ask_text, &a);
}

static void mark_list(void *arg, const struct cattext_entry *e)
{
    cat_hits_add(arg, e->list, (e->flags & CATFMT_MEMBER_OUT) != 0);
}

bool snapshot_categories_confirm(const struct snapshot *s, struct facts *f)
{
    struct cat_hits hits = {0};
    struct cats cats = {0};
    struct facts sure = *f;
    if (!s->part[PART_LISTS])
        return false;
    each_entry(s, f, mark_list, &hits);
    if (s->exprs && f->known & FACT_BIT(PATH))
        each_expression(s, f, add_expression, &hits);
    add_lists(&s->img, &cats, &hits);
    each_named(&s->img, f, add_named, &cats);
    write_cats(&cats, &sure);
    bool same = sure.n_cats == f->n_cats && memcmp(sure.cats, f->cats, f->n_cats * sizeof *f->cats) == 0;
    memcpy(f->cats, sure.cats, sizeof f->cats);
    f->n_cats = sure.n_cats;
    return !same;
}

void snapshot_decide(const struct snapshot *s, struct facts *f, struct verdict *out)
{
    decide(s, f, out);
    if (out->category != CATEGORY_NONE && snapshot_categories_confirm(s, f))
        decide(s, f, out); /* two names that the table cannot tell apart */
}

/* ---- hits ---- */

struct listing {
    const struct snapshot *s;
    struct category_hit *out;
    size_t n, cap;
};

static void list_entry(void *arg, const struct cattext_entry *e)
{
    struct listing *l = arg;
    const struct image *m = &l->s->img;
    struct img_run r = e->list < m->n_LISTCATS ? m->LISTCATS[e->list] : (struct img_run){0};
    for (uint32_t i = 0; i < r.n && l->n < l->cap; i++)
        l->out[l->n++] = (struct category_hit){.category = (uint16_t)m->NUMBERS[r.at + i],
                                               .except = (e->flags & CATFMT_MEMBER_OUT) != 0,
                                               .list = cattext_list_name(&l->s->list_text, e->list),
                                               .file = cattext_file_path(&l->s->list_text, e->file),
                                               .line = e->line,
                                               .entry = e->raw};
}

static void list_expression(void *arg, const struct catexpr_item *item, span text)
{
    struct cattext_entry e = {
        .kind = CATKEY_N, .raw = text, .list = item->list, .file = item->file, .line = item->line};
    list_entry(arg, &e);
}

/* The part's own copy of a key, which lives as long as it does. */
static span kept_key(const struct image *m, span name)
{
    struct img_run r = m->set->strings[STRINGS_CATEGORY];
    for (uint32_t i = 0; i < r.n; i++) {
        const struct img_bucket *b = &m->BUCKETS[r.at + ((image_hash(name) + i) & (r.n - 1))];
        if (span_eq(image_bytes(m, b->key), name))
            return image_bytes(m, b->key);
    }
    return SPAN_NONE;
}

static void list_named(void *arg, const uint32_t named[IMG_NAMED], span name)
{
    struct listing *l = arg;
    const struct image *m = &l->s->img;
    if (l->n < l->cap)
        l->out[l->n++] = (struct category_hit){.category = (uint16_t)named[0],
                                               .except = named[1] != 0,
                                               .list = SPAN("domain"),
                                               .file = image_bytes(m, (struct img_run){named[3], named[4]}),
                                               .line = named[2],
                                               .entry = kept_key(m, name)};
}

size_t snapshot_category_hits(const struct snapshot *s, const struct facts *f, struct category_hit *out,
                              size_t cap)
{
    struct listing l = {s, out, 0, cap};
    if (!s->part[PART_LISTS])
        return 0;
    each_entry(s, f, list_entry, &l);
    if (s->exprs && f->known & FACT_BIT(PATH))
        each_expression(s, f, list_expression, &l);
    each_named(&s->img, f, list_named, &l);
    return l.n;
}

bool snapshot_held(const struct snapshot *s, uint64_t i, struct held_entry *out)
{
    struct cattext_entry e;
    if (!cattext_held(&s->list_text, i, &e))
        return false;
    *out = (struct held_entry){.list = cattext_list_name(&s->list_text, e.list),
                               .file = cattext_file_path(&s->list_text, e.file),
                               .entry = e.raw,
                               .line = e.line,
                               .why = hold_text(e.held)};
    return true;
}
