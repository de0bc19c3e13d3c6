/* Layout of a category image, shared by catdb (reader) and catc (writer). Little endian, 8-byte aligned,
 * offsets implied by the counts: header, slots, set offsets, members. */
#ifndef SIGNATURES_CATFMT_H
#define SIGNATURES_CATFMT_H

#include "gw/base/buf.h"

#define CATFMT_MAGIC   UINT64_C(0x3154414345525250) /* "PRRECAT1" */
#define CATFMT_VERSION 1

enum {
    CATFMT_MEMBER_OUT = 0x8000, /* member of a set: takes the name out of this category */
    CATFMT_LABELS = 128,        /* more labels than a 253-byte name can have */
    CATFMT_PROBES = 512,        /* a table with a longer run of full slots is refused at build */
};

struct catfmt_head {
    uint64_t magic;
    uint32_t version;
    uint32_t n_categories;
    uint64_t n_names;
    uint64_t n_slots;
    uint32_t n_sets; /* sets 1..n_sets; set_at has n_sets + 2 entries, set 0 is empty */
    uint32_t n_members;
    uint64_t seed[4];
};

/* Where a name lives: first slot to look at, and its tag. */
struct catfmt_key {
    uint64_t at;
    uint64_t tag;
};

static inline uint64_t catfmt_mum(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* State of the hash after one more label to the left. Chunks of eight bytes; the last one is marked with its
 * length so that label boundaries are part of what is hashed. */
static inline uint64_t catfmt_label(const uint64_t seed[4], uint64_t h, const uint8_t *p, size_t n)
{
    while (n > 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = catfmt_mum(h ^ v, seed[1] | 1) + v;
        p += 8;
        n -= 8;
    }
    uint64_t v = 0;
    memcpy(&v, p, n);
    return catfmt_mum(h ^ v, (seed[1] | 1) ^ ((uint64_t)(n | 16) << 56)) + v;
}

static inline struct catfmt_key catfmt_key(const uint64_t seed[4], uint64_t h, uint64_t n_slots)
{
    uint64_t a = catfmt_mum(h ^ seed[2], UINT64_C(0x9fb21c651e98df25));
    uint64_t b = catfmt_mum(h ^ seed[3], UINT64_C(0xa0761d6478bd642f));
    return (struct catfmt_key){(uint64_t)(((unsigned __int128)b * n_slots) >> 64), a >> 16};
}

#endif
