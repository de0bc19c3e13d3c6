/* The reader of the hot list part; see catdb.h. */
#include "signatures/catdb.h"

#include <stdio.h>

#include "gw/base/limits.h"
#include "gw/base/urlpath.h"
#include "signatures/catkey.h"
#include "signatures/catname.h"

/* ---- opening ---- */

static bool sets_ok(const struct catdb *db)
{
    const struct catfmt_head *h = &db->head;
    if (db->set_at[0] != 0 || db->set_at[h->n_sets + 1] != h->n_members)
        return false;
    for (uint32_t i = 0; i <= h->n_sets; i++) {
        if (db->set_at[i] > db->set_at[i + 1])
            return false;
    }
    for (uint32_t i = 0; i < h->n_members; i++) {
        unsigned m = db->members[i];
        if ((m & CATFMT_SPARE) != 0 || (m & CATFMT_LIST) >= h->n_lists ||
            (m & CATFMT_URLS && m != (CATFMT_URLS | (m & CATFMT_LIST))))
            return false;
    }
    return true;
}

/* Bytes that an image with this header must have; 0 when the counts are absurd. */
static uint64_t image_bytes(const struct catfmt_head *h)
{
    if (h->n_lines == 0 || h->n_lines > UINT64_C(1) << 30 || h->n_words == 0 || h->n_words % 8 != 0 ||
        h->n_words > UINT64_C(1) << 30 || h->n_sets > CATFMT_SETS || h->n_members > UINT32_C(1) << 26 ||
        h->n_lists > CATFMT_LISTS || h->expr_bytes > UINT32_MAX)
        return 0;
    return sizeof *h + h->n_words * 8 + h->n_lines * sizeof(struct catfmt_line) +
           catfmt_align(((uint64_t)h->n_sets + 2) * 4) + catfmt_align((uint64_t)h->n_members * 2) +
           catfmt_align(h->expr_bytes);
}

enum rc catdb_open(span image, struct catdb *out)
{
    struct catfmt_head *h = &out->head;
    if (image.n < sizeof *h || (uintptr_t)image.p % 16 != 0)
        return RC_BAD;
    memcpy(h, image.p, sizeof *h);
    uint64_t want = image_bytes(h);
    if (h->magic != CATFMT_MAGIC || h->version != CATFMT_VERSION || want == 0 || want != image.n ||
        h->size != want)
        return RC_BAD;
    const uint8_t *at = image.p + sizeof *h;
    out->filter = (const void *)at;
    at += h->n_words * 8;
    out->lines = (const void *)at;
    at += h->n_lines * sizeof *out->lines;
    out->set_at = (const void *)at;
    at += catfmt_align(((uint64_t)h->n_sets + 2) * 4);
    out->members = (const void *)at;
    out->expressions = span_of(at + catfmt_align((uint64_t)h->n_members * 2), h->expr_bytes);
    return sets_ok(out) ? RC_OK : RC_BAD;
}

/* ---- the table ---- */

static bool in_line(const struct catfmt_line *l, uint64_t tag, uint32_t *set)
{
    for (uint64_t m = catfmt_match(l, tag); m; m &= m - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(m) / 2;
        *set = l->set[slot];
        if (l->high[slot] == (uint32_t)(tag >> 16) && *set)
            return true;
    }
    return false;
}

/* The set of what found its first line full; 0: none. */
static __attribute__((noinline)) uint32_t find_passed(const struct catdb *db, uint64_t tag)
{
    uint64_t at = catfmt_place(tag, db->head.n_lines);
    uint32_t set;
    for (int i = 0; i < CATFMT_PROBES; i++) {
        const struct catfmt_line *l = &db->lines[at];
        if (in_line(l, tag, &set))
            return set;
        if (!(l->passed & catfmt_passed(tag)))
            return 0;
        if (++at == db->head.n_lines)
            at = 0;
    }
    return 0;
}

static bool is_base_known(const struct catdb *db, uint64_t base)
{
    uint64_t bits = catfmt_filter(base);
    return (db->filter[catfmt_place(base, db->head.n_words)] & bits) == bits;
}

static const struct catfmt_line *first_line(const struct catdb *db, uint64_t base)
{
    return &db->lines[catfmt_place(base, db->head.n_lines)];
}

/* The set of a key that is its own base; 0: none. */
static uint32_t find_own(const struct catdb *db, uint64_t tag)
{
    uint64_t base = catfmt_base(db->head.seed, tag);
    uint32_t set = 0;
    if (!is_base_known(db, base))
        return 0;
    const struct catfmt_line *l = first_line(db, base);
    if (!in_line(l, tag, &set))
        set = l->passed & catfmt_passed(tag) ? find_passed(db, tag) : 0;
    return set <= db->head.n_sets ? set : 0;
}

struct finding {
    const struct catdb *db;
    const struct cat_query *q;
    struct cat_hits *hits;
};

static void urls_of(const struct finding *f, uint64_t h);

/* Takes what a set says of a key that is the whole of what was asked for, or a parent. */
static void take_set(const struct finding *f, uint32_t set, uint64_t h, bool whole)
{
    const struct catdb *db = f->db;
    bool urls = false;
    if (set > db->head.n_sets)
        return;
    for (uint32_t i = db->set_at[set]; i < db->set_at[set + 1]; i++) {
        unsigned m = db->members[i];
        if (m & CATFMT_URLS && !f->q->path)
            cat_hits_may(f->hits, m & CATFMT_LIST);
        else if (m & CATFMT_URLS)
            urls = true;
        else if (!((m & CATFMT_EXACT && !whole) || (m & CATFMT_BELOW && whole)))
            cat_hits_add(f->hits, m & CATFMT_LIST, (m & CATFMT_MEMBER_OUT) != 0);
    }
    if (urls)
        urls_of(f, h);
}

enum { AT_ONCE = 4 }; /* keys: 64 bits of matches */

/* Calls take_set() for each key that is in the line (`found`: what may be) or passed it. */
static __attribute__((noinline)) void take_keys(const struct finding *f, const struct catfmt_line *l,
                                                uint64_t found, const uint64_t *tags, size_t n, bool whole)
{
    for (; found; found &= found - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(found), slot = bit % 16 / 2, i = bit / 16;
        if (l->high[slot] == (uint32_t)(tags[i] >> 16))
            take_set(f, l->set[slot], tags[i], whole && i + 1 == n);
    }
    for (size_t i = 0; l->passed && i < n; i++) {
        if (l->passed & catfmt_passed(tags[i]))
            take_set(f, find_passed(f->db, tags[i]), tags[i], whole && i + 1 == n);
    }
}

/* Looks for each of the keys of one base, at most AT_ONCE, of which the last one is the whole of what was
 * asked for, or a parent too. All are compared before anything is decided, as what stands in the line comes
 * late. */
static inline void find_keys(const struct finding *f, uint64_t base, const uint64_t *tags, size_t n,
                             bool whole)
{
    const struct catfmt_line *l = first_line(f->db, base);
    uint64_t found = 0;
    uint32_t passed = 0;
    for (size_t i = 0; i < n; i++) {
        found |= catfmt_match(l, tags[i]) << (16 * i);
        passed |= catfmt_passed(tags[i]);
    }
    if (found || l->passed & passed)
        take_keys(f, l, found, tags, n, whole);
}

/* All beginnings of the path behind a host (with hash h) that has URLs. */
static __attribute__((noinline)) void urls_of(const struct finding *f, uint64_t h)
{
    uint8_t normal[LIM_TARGET_BYTES + 1];
    const uint64_t *seed = f->db->head.seed;
    span path = span_of(normal, urlpath_normalise(span_cut(*f->q->path, 0, LIM_TARGET_BYTES), normal));
    size_t at = 0;
    for (unsigned i = 0; i < CATFMT_SEGMENTS && at < path.n; i++) {
        h = catkey_hash_segment(seed, h, path, &at);
        uint32_t set = find_own(f->db, h);
        for (uint32_t m = f->db->set_at[set]; m < f->db->set_at[set + 1]; m++) {
            unsigned member = f->db->members[m];
            if (!(member & CATFMT_URLS))
                cat_hits_add(f->hits, member & CATFMT_LIST, (member & CATFMT_MEMBER_OUT) != 0);
        }
    }
}

/* ---- names ---- */

/* Hashes the name and all its parents, and fetches what their bases will need. Where the look-up follows at
 * once that is the filter too, which is often at hand long before the line is and then saves the wait for it.
 * Inlined, as a call of what only fetches has no effect that gcc knows of, and is left out. */
static inline __attribute__((always_inline)) void keys_of(const struct catdb *db, span name, bool at_once,
                                                          struct cat_keys *k)
{
    size_t n = catname_hashes(db->head.seed, name, k->tag, &k->n_own);
    k->n = (uint32_t)n;
    for (size_t i = 0; i < n && i <= k->n_own; i++) {
        k->base[i] = catfmt_base(db->head.seed, k->tag[i]);
        if (at_once)
            __builtin_prefetch(&db->filter[catfmt_place(k->base[i], db->head.n_words)]);
        __builtin_prefetch(first_line(db, k->base[i]));
    }
}

static inline bool may_hold(const struct finding *f, uint64_t base, bool at_once)
{
    return !at_once || is_base_known(f->db, base);
}

static inline __attribute__((always_inline)) void find_name(const struct finding *f, const struct cat_keys *k,
                                                            bool at_once)
{
    size_t own = k->n_own;
    for (size_t i = 0; i < own; i++) {
        if (may_hold(f, k->base[i], at_once))
            find_keys(f, k->base[i], k->tag + i, 1, i + 1 == k->n);
    }
    if (own == k->n || !may_hold(f, k->base[own], at_once))
        return;
    for (size_t i = own; i < k->n; i += AT_ONCE) {
        size_t n = k->n - i < AT_ONCE ? k->n - i : AT_ONCE;
        find_keys(f, k->base[own], k->tag + i, n, i + n == k->n);
    }
}

void catdb_expect(const struct catdb *db, span name, struct cat_keys *out)
{
    out->n = out->n_own = 0;
    if (db->lines)
        keys_of(db, name, false, out);
}

/* ---- addresses ---- */

/* Calls fn for the network of each length that occurs and holds the address, shortest first. */
static void each_net(const struct catdb *db, const struct addr *a,
                     void (*fn)(void *arg, const struct prefix *net), void *arg)
{
    unsigned full = a->family == 4 ? 32 : 128;
    const uint64_t *lengths = a->family == 4 ? &db->head.v4_lengths : db->head.v6_lengths;
    for (unsigned bits = 0; bits <= full; bits++) {
        struct prefix net = {*a, (uint8_t)bits};
        if (!(lengths[bits / 64] >> (bits % 64) & 1))
            continue;
        for (unsigned i = bits; i < full; i++)
            net.a.b[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
        fn(arg, &net);
    }
}

static void find_net(void *arg, const struct prefix *net)
{
    const struct finding *f = arg;
    uint64_t h = catkey_hash_net(f->db->head.seed, net);
    uint32_t set = find_own(f->db, h);
    if (set)
        take_set(f, set, h, net->bits == (net->a.family == 4 ? 32 : 128));
}

bool catdb_find(const struct catdb *db, const struct cat_query *q, struct cat_hits *hits)
{
    struct finding f = {db, q, hits};
    hits->used = hits->may_used = 0;
    if (!db->lines)
        return false; /* of a snapshot without its lists */
    if (q->name.n) {
        struct cat_keys k;
        keys_of(db, q->name, true, &k);
        find_name(&f, &k, true);
    } else if (q->addr && q->addr->family)
        each_net(db, q->addr, find_net, &f);
    return hits->used != 0;
}

bool catdb_find_expected(const struct catdb *db, const struct cat_query *q, const struct cat_keys *k,
                         struct cat_hits *hits)
{
    struct finding f = {db, q, hits};
    if (q->name.n == 0)
        return catdb_find(db, q, hits);
    hits->used = hits->may_used = 0;
    find_name(&f, k, false);
    return hits->used != 0;
}

size_t cat_hits_lists(const struct cat_hits *hits, uint16_t *out, size_t cap)
{
    size_t n = 0;
    for (unsigned used = hits->used; used; used &= used - 1) {
        unsigned w = (unsigned)__builtin_ctz(used);
        for (uint64_t left = hits->in[w] & ~hits->out[w]; left && n < cap; left &= left - 1)
            out[n++] = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(left));
    }
    return n;
}

void catdb_url_lists(const struct catdb *db, uint64_t lists[CATFMT_LISTS / 64])
{
    for (uint32_t i = 0; db->lines && i < db->head.n_members; i++) {
        unsigned list = db->members[i] & CATFMT_LIST;
        if (db->members[i] & CATFMT_URLS)
            lists[list / 64] |= UINT64_C(1) << (list % 64);
    }
}

/* ---- keys as text ---- */

struct naming {
    const struct catdb *db;
    const struct cat_query *q;
    cat_key_fn fn;
    void *arg;
};

static void name_urls(const struct naming *n, span host)
{
    uint8_t text[LIM_NAME_BYTES + LIM_TARGET_BYTES + 2];
    if (!n->q->path || host.n > LIM_NAME_BYTES)
        return;
    memcpy(text, host.p, host.n);
    size_t len = urlpath_normalise(span_cut(*n->q->path, 0, LIM_TARGET_BYTES), text + host.n);
    for (size_t i = 1, segments = 0; i <= len && segments < CATFMT_SEGMENTS; i++) {
        if (i < len && text[host.n + i] != '/')
            continue;
        n->fn(n->arg, CATKEY_URL, span_of(text, host.n + i), true);
        segments++;
    }
}

static void name_net(void *arg, const struct prefix *net)
{
    const struct naming *n = arg;
    char text[ADDR_TEXT + 4], z[ADDR_TEXT];
    bool whole = net->bits == (net->a.family == 4 ? 32 : 128);
    if (whole)
        snprintf(text, sizeof text, "%s", addr_text(&net->a, z));
    else
        snprintf(text, sizeof text, "%s/%u", addr_text(&net->a, z), (unsigned)net->bits);
    n->fn(n->arg, CATKEY_NET, span_str(text), whole);
    if (whole)
        name_urls(n, span_str(text));
}

void cat_query_keys(const struct catdb *db, const struct cat_query *q, cat_key_fn fn, void *arg)
{
    struct naming n = {db, q, fn, arg};
    if (q->name.n == 0) {
        if (q->addr && q->addr->family)
            each_net(db, q->addr, name_net, &n);
        return;
    }
    for (size_t i = q->name.n; i-- > 0;) {
        if (i != 0 && q->name.p[i - 1] != '.')
            continue;
        span key = span_cut(q->name, i, q->name.n);
        fn(arg, CATKEY_NAME, key, i == 0);
        name_urls(&n, key);
    }
}
