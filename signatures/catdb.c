/* The reader of category images; see catdb.h. */
#include "signatures/catdb.h"

#include "signatures/catfmt.h"

static bool sets_ok(const struct catdb *db)
{
    if (db->set_at[0] != 0 || db->set_at[db->n_sets + 1] != db->n_members)
        return false;
    for (uint32_t i = 0; i <= db->n_sets; i++) {
        if (db->set_at[i] > db->set_at[i + 1])
            return false;
    }
    for (uint32_t i = 0; i < db->n_members; i++) {
        if ((db->members[i] & ~CATFMT_MEMBER_OUT) >= db->n_categories)
            return false;
    }
    return true;
}

/* Bytes that an image with this header must have; 0 when the counts are absurd. */
static uint64_t image_bytes(const struct catfmt_head *h)
{
    if (h->n_slots == 0 || h->n_slots > UINT64_C(1) << 32 || h->n_sets > CATDB_SETS ||
        h->n_members > UINT32_C(1) << 26 || h->n_categories > CATDB_CATEGORIES)
        return 0;
    return sizeof *h + h->n_slots * 8 + ((uint64_t)h->n_sets + 2) * 4 + (uint64_t)h->n_members * 2;
}

enum rc catdb_open(span image, struct catdb *out)
{
    struct catfmt_head h;
    if (image.n < sizeof h || (uintptr_t)image.p % 8 != 0)
        return RC_BAD;
    memcpy(&h, image.p, sizeof h);
    uint64_t want = image_bytes(&h);
    if (h.magic != CATFMT_MAGIC || h.version != CATFMT_VERSION || want == 0 || want != image.n)
        return RC_BAD;
    const uint8_t *slots = image.p + sizeof h;
    const uint8_t *sets = slots + h.n_slots * 8;
    *out = (struct catdb){
        .slots = (const void *)slots,
        .n_slots = h.n_slots,
        .set_at = (const void *)sets,
        .n_sets = h.n_sets,
        .members = (const void *)(sets + ((size_t)h.n_sets + 2) * 4),
        .n_members = h.n_members,
        .n_categories = (uint16_t)h.n_categories,
        .n_names = h.n_names,
    };
    memcpy(out->seed, h.seed, sizeof h.seed);
    return sets_ok(out) ? RC_OK : RC_BAD;
}

/* Keys of the name and all its parents, shortest first; their slots are fetched while the next label is
 * hashed. */
static size_t keys_of(const struct catdb *db, span name, struct catfmt_key keys[CATFMT_LABELS])
{
    uint64_t h = db->seed[0];
    size_t n = 0, end = name.n;
    while (n < CATFMT_LABELS) {
        size_t start = end;
        while (start > 0 && name.p[start - 1] != '.')
            start--;
        if (start == end)
            return 0; /* an empty label: not a normalised name */
        h = catfmt_label(db->seed, h, name.p + start, end - start);
        keys[n] = catfmt_key(db->seed, h, db->n_slots);
        __builtin_prefetch(&db->slots[keys[n++].at]);
        if (start == 0)
            break;
        end = start - 1;
    }
    return n;
}

static uint32_t probe(const struct catdb *db, struct catfmt_key k)
{
    uint64_t at = k.at;
    for (int i = 0; i < CATFMT_PROBES; i++) {
        uint64_t slot = db->slots[at];
        if (slot == 0)
            return 0;
        if (slot >> 16 == k.tag)
            return (uint32_t)(slot & 0xffff) <= db->n_sets ? (uint32_t)(slot & 0xffff) : 0;
        if (++at == db->n_slots)
            at = 0;
    }
    return 0;
}

struct hits {
    uint64_t in[CATDB_CATEGORIES / 64], out[CATDB_CATEGORIES / 64];
};

static void take_set(const struct catdb *db, uint32_t set, struct hits *hits)
{
    for (uint32_t i = db->set_at[set]; i < db->set_at[set + 1]; i++) {
        unsigned c = db->members[i] & ~(unsigned)CATFMT_MEMBER_OUT;
        uint64_t *to = db->members[i] & CATFMT_MEMBER_OUT ? hits->out : hits->in;
        to[c / 64] |= UINT64_C(1) << (c % 64);
    }
}

static size_t list_hits(const struct hits *hits, unsigned n_categories, uint16_t *out, size_t cap)
{
    size_t n = 0;
    for (unsigned w = 0; w * 64 < n_categories; w++) {
        for (uint64_t left = hits->in[w] & ~hits->out[w]; left && n < cap; left &= left - 1)
            out[n++] = (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(left));
    }
    return n;
}

size_t catdb_find(const struct catdb *db, span name, uint16_t *out, size_t cap)
{
    struct catfmt_key keys[CATFMT_LABELS];
    uint32_t sets[CATFMT_LABELS];
    size_t n_keys = keys_of(db, name, keys), n_sets = 0;
    for (size_t i = 0; i < n_keys; i++) {
        uint32_t set = probe(db, keys[i]);
        if (set)
            sets[n_sets++] = set;
    }
    if (n_sets == 0)
        return 0;
    struct hits hits = {0};
    for (size_t i = 0; i < n_sets; i++)
        take_set(db, sets[i], &hits);
    return list_hits(&hits, db->n_categories, out, cap);
}
