/* Layout of the policy part: a head, then sections of fixed-size records, then nothing. Offsets count from
 * the start of the image, indices from the start of their section; there is no pointer in it. policy/index
 * writes it, policy/image checks every index once at open, and policy/decide then reads it without a further
 * check.
 *
 * Rules are grouped in tables (one per queue of rules that are tried in order). Per table and dimension there
 * is: a bit set of rules that do not ask about the dimension, one of rules that neither ask nor except, and
 * for each value (token) the rules that accept it and those that except it, as a sorted list when short, else
 * as a bit set. */
#ifndef POLICY_IMAGE_H
#define POLICY_IMAGE_H

#include "policy/grants.h"
#include "policy/layout_rule.h"
#include "policy/manifest.h"
#include "signatures/catdb.h"
#include "signatures/cattext.h"

/* An open policy part: typed, checked views of its sections. */
struct image {
    const struct img_settings *set; /* the one record of SETTINGS */
#define S(id, type) \
    const type *id; \
    uint32_t n_##id;
#include "policy/section.tbl"
#undef S
};

/* A mapped part; snapshots with the same part share it. */
struct mapping {
    unsigned refs;
    span bytes;
};

struct snapshot {
    unsigned refs;
    struct image img;
    struct catdb lists;
    struct cattext list_text;
    struct catexpr *exprs;                  /* NULL: the lists have none */
    uint64_t expr_lists[CATFMT_LISTS / 64]; /* lists that have some */
    bool url_lists;                         /* some list has single URLs or expressions */
    struct grants grants;
    struct settings settings;
    struct set_zone *zones;
    struct mapping *part[SNAP_PARTS];
    struct manifest manifest;
    uint8_t hash[SNAP_HASH];
    char text[13];
};

/* Checks the bytes of a policy part and fills `out`; BAD when anything is off. */
enum rc image_open(span part, struct image *out) MUST_USE;
static inline span image_bytes(const struct image *img, struct img_run r)
{
    return span_of(img->BYTES + r.at, r.n);
}
/* Value of the range that holds the key, or UINT32_MAX. */
uint32_t image_range(const struct image *img, struct img_run map, uint64_t hi, uint64_t lo);
/* The same in a map whose keys are all of 64 bits: ports, minutes, IPv4. */
uint32_t image_low(const struct image *img, struct img_run map, uint64_t lo);
uint32_t image_addr(const struct image *img, enum img_map map, const struct addr *a);
/* Value of the string, or UINT32_MAX. */
uint32_t image_string(const struct image *img, enum img_strings which, span key);
uint32_t image_find(const struct image *img, enum img_strings which, span key, uint32_t hash);
/* The hash runs from the last byte to the first, so that one walk over a host name gives it for all its
 * parents. */
#define IMG_HASH_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t image_hash_byte(uint64_t h, uint8_t c)
{
    return (h ^ c) * UINT64_C(0x100000001b3);
}
static inline uint32_t image_hash_end(uint64_t h)
{
    return (uint32_t)(h ^ h >> 29);
}
uint32_t image_hash(span key);
/* Of a host name, label by label from its end, for the same reason: `h` goes on with the label [from, to).
 * Eight bytes at a time. */
static inline uint64_t image_hash_word(uint64_t h, uint64_t w)
{
    unsigned __int128 p = (unsigned __int128)(h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}
static inline uint64_t image_hash_label(uint64_t h, span name, size_t from, size_t to)
{
    size_t n = to - from;
    uint64_t w = 0;
    for (; n > 8; n -= 8) {
        memcpy(&w, name.p + from + n - 8, 8);
        h = image_hash_word(h, w);
    }
    w = 0;
    if (n && from + n >= 8) { /* what stands before it is shifted out */
        memcpy(&w, name.p + from + n - 8, 8);
        w >>= 64 - 8 * n;
    } else {
        for (size_t i = n; i-- > 0;)
            w = w << 8 | name.p[from + i];
    }
    return image_hash_word(h + n, w);
}
uint32_t image_hash_name(span name);
/* The same forwards, for prefixes of paths. */
uint32_t image_hash_forward(span key);
/* Whether rule `rule` of the table accepts the value (or, in a dense set, does not ask); whether it excepts
 * it. */
bool image_accepts(const struct image *img, const struct img_table *t, const struct img_token *token,
                   uint32_t rule);
bool image_excepts(const struct image *img, const struct img_table *t, const struct img_token *token,
                   uint32_t rule);

#endif
