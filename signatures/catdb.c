/* The reader of the hot list part; see catdb.h. */
#include "signatures/catdb.h"

#include <stdio.h>

#include "gw/base/limits.h"
#include "gw/base/urlpath.h"
#include "signatures/catkey.h"

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
    if (h->n_slots == 0 || h->n_slots > UINT64_C(1) << 32 || h->n_blocks == 0 ||
        h->n_blocks > UINT64_C(1) << 28 || h->n_sets > CATFMT_SETS || h->n_members > UINT32_C(1) << 26 ||
        h->n_lists > CATFMT_LISTS || h->expr_bytes > UINT32_MAX)
        return 0;
    return sizeof *h + (h->n_blocks * CATFMT_WORDS + h->n_slots) * 8 +
           catfmt_align(((uint64_t)h->n_sets + 2) * 4) + catfmt_align((uint64_t)h->n_members * 2) +
           catfmt_align(h->expr_bytes);
}

enum rc catdb_open(span image, struct catdb *out)
{
    struct catfmt_head *h = &out->head;
    if (image.n < sizeof *h || (uintptr_t)image.p % 8 != 0)
        return RC_BAD;
    memcpy(h, image.p, sizeof *h);
    uint64_t want = image_bytes(h);
    if (h->magic != CATFMT_MAGIC || h->version != CATFMT_VERSION || want == 0 || want != image.n ||
        h->size != want)
        return RC_BAD;
    const uint8_t *at = image.p + sizeof *h;
    out->bloom = (const void *)at;
    at += h->n_blocks * CATFMT_WORDS * 8;
    out->slots = (const void *)at;
    at += h->n_slots * 8;
    out->set_at = (const void *)at;
    at += catfmt_align(((uint64_t)h->n_sets + 2) * 4);
    out->members = (const void *)at;
    out->expressions = span_of(at + catfmt_align((uint64_t)h->n_members * 2), h->expr_bytes);
    return sets_ok(out) ? RC_OK : RC_BAD;
}

/* ---- the table ---- */

static uint32_t probe(const struct catdb *db, struct catfmt_key k)
{
    uint64_t at = catfmt_place(k.at, db->head.n_slots), tag = k.tag >> 16;
    for (int i = 0; i < CATFMT_PROBES; i++) {
        uint64_t slot = db->slots[at];
        if (slot == 0)
            return 0;
        if (slot >> 16 == tag)
            return (uint32_t)(slot & 0xffff) <= db->head.n_sets ? (uint32_t)(slot & 0xffff) : 0;
        if (++at == db->head.n_slots)
            at = 0;
    }
    return 0;
}

static uint32_t find_key(const struct catdb *db, struct catfmt_key k, uint64_t base)
{
    uint64_t bits = catfmt_bloom(k.tag);
    return (db->bloom[catfmt_word(base, k.tag, db->head.n_blocks)] & bits) == bits ? probe(db, k) : 0;
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

/* All beginnings of the path behind a host (with hash h) that has URLs. */
static __attribute__((noinline)) void urls_of(const struct finding *f, uint64_t h)
{
    uint8_t normal[LIM_TARGET_BYTES + 1];
    const uint64_t *seed = f->db->head.seed;
    span path = span_of(normal, urlpath_normalise(span_cut(*f->q->path, 0, LIM_TARGET_BYTES), normal));
    size_t at = 0;
    for (unsigned i = 0; i < CATFMT_SEGMENTS && at < path.n; i++) {
        h = catkey_hash_segment(seed, h, path, &at);
        struct catfmt_key k = catfmt_key(seed, h);
        uint32_t set = find_key(f->db, k, k.at);
        for (uint32_t m = f->db->set_at[set]; m < f->db->set_at[set + 1]; m++) {
            unsigned member = f->db->members[m];
            if (!(member & CATFMT_URLS))
                cat_hits_add(f->hits, member & CATFMT_LIST, (member & CATFMT_MEMBER_OUT) != 0);
        }
    }
}

/* ---- names ---- */

struct walk {
    struct catfmt_key key[CATFMT_LABELS]; /* shortest first; the tag is the hash itself */
    size_t n, base; /* labels; number of the first key that the filter's block is chosen by */
};

/* A bit for each dot of at most 8 bytes. */
static uint64_t dots_of(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    v ^= UINT64_C(0x2e2e2e2e2e2e2e2e);
    v = ~(((v & UINT64_C(0x7f7f7f7f7f7f7f7f)) + UINT64_C(0x7f7f7f7f7f7f7f7f)) | v |
          UINT64_C(0x7f7f7f7f7f7f7f7f));
    return (v >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

/* A name with room around it, and where its dots are. */
struct scanned {
    uint8_t room[16 + LIM_NAME_BYTES + 11];
    uint64_t dots[(LIM_NAME_BYTES + 11) / 64 + 1];
    size_t n;
};

static bool scan(span name, struct scanned *s)
{
    if (name.n > LIM_NAME_BYTES)
        return false;
    uint8_t *p = s->room + 16;
    s->n = name.n;
    memcpy(p, name.p, name.n);
    memset(p + name.n, 0, 8);
    for (size_t w = 0; w * 64 < name.n; w++) {
        s->dots[w] = 0;
        for (size_t i = w * 64; i < w * 64 + 64 && i < name.n; i += 8)
            s->dots[w] |= dots_of(p + i) << (i % 64);
    }
    return true;
}

/* Where the label that ends at `end` begins; its dot is taken out. */
static size_t label_start(struct scanned *s, size_t end)
{
    for (size_t w = (end + 63) / 64; w-- > 0;) {
        if (!s->dots[w])
            continue;
        unsigned bit = 63 - (unsigned)__builtin_clzll(s->dots[w]);
        s->dots[w] ^= UINT64_C(1) << bit;
        return w * 64 + bit + 1;
    }
    return 0;
}

/* What a key will need, while the next label is hashed. */
static void fetch(const struct catdb *db, const struct walk *w, size_t i)
{
    if (i <= w->base)
        __builtin_prefetch(&db->bloom[catfmt_place(w->key[i].at, db->head.n_blocks) * CATFMT_WORDS]);
    if (i == w->base || i == w->base + 1) /* most of what is found is found here */
        __builtin_prefetch(&db->slots[catfmt_place(w->key[i].at, db->head.n_slots)]);
}

/* Keys of the name and all its parents; false when it is no normalised name. */
static bool keys_of(const struct catdb *db, span name, struct walk *w)
{
    struct scanned s;
    uint64_t h = db->head.seed[0];
    size_t end = name.n, n = 0;
    w->base = CATFMT_LABELS;
    if (!scan(name, &s))
        return false;
    for (;;) {
        size_t start = label_start(&s, end);
        if (start >= end || n == CATFMT_LABELS)
            return false;
        h = catfmt_label_padded(db->head.seed, h, s.room + 16 + start, end - start);
        w->key[n] = catfmt_key(db->head.seed, h);
        if (n < w->base && catfmt_is_base(n, end - start))
            w->base = n;
        fetch(db, w, n++);
        if (start == 0)
            break;
        end = start - 1;
    }
    w->n = n;
    return true;
}

static void find_name(const struct finding *f, span name)
{
    struct walk w;
    if (!keys_of(f->db, name, &w))
        return;
    for (size_t i = 0; i < w.n; i++) {
        uint32_t set = find_key(f->db, w.key[i], w.key[i < w.base ? i : w.base].at);
        if (set)
            take_set(f, set, w.key[i].tag, i + 1 == w.n);
    }
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
    struct catfmt_key k = catfmt_key(f->db->head.seed, h);
    uint32_t set = find_key(f->db, k, k.at);
    if (set)
        take_set(f, set, h, net->bits == (net->a.family == 4 ? 32 : 128));
}

bool catdb_find(const struct catdb *db, const struct cat_query *q, struct cat_hits *hits)
{
    struct finding f = {db, q, hits};
    hits->used = hits->may_used = 0;
    if (!db->slots)
        return false; /* of a snapshot without its lists */
    if (q->name.n)
        find_name(&f, q->name);
    else if (q->addr && q->addr->family)
        each_net(db, q->addr, find_net, &f);
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
    for (uint32_t i = 0; db->slots && i < db->head.n_members; i++) {
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
