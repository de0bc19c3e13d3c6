/* A host name label by label from the right, as it is hashed: each label gives the hash of one more parent.
 */
#ifndef SIGNATURES_CATNAME_H
#define SIGNATURES_CATNAME_H

#include "gw/base/limits.h"
#include "signatures/catfmt.h"

/* A name and where its dots are. It is read where it stands, as what is written to be read again in other
 * pieces has to wait; and without asking how long it is, as nobody can guess that. */
struct catname {
    const uint8_t *p; /* sixteen bytes at least */
    uint64_t dots[LIM_NAME_BYTES / 64 + 1];
    uint8_t few[16];
};

/* What is left of a name: its labels up to `end`. */
struct catname_left {
    uint64_t dots; /* of the 64 bytes of `word` */
    size_t word, end;
};

/* Dots of at most 64 bytes at p + at: pieces that would end behind the name end with it instead. */
static inline uint64_t catname_dots(const uint8_t *p, size_t at, size_t n)
{
    uint64_t dots = 0, most = n < 16 ? 0 : n - 16;
    for (size_t i = 0; i < 64; i += 16) {
        size_t from = at + i < most ? at + i : most;
        size_t again = at + i - from < 63 ? at + i - from : 63;
        dots |= cat_dots(p + from) >> again << i;
    }
    return dots;
}

/* False: it is empty or too long to be a name. */
static inline bool catname_scan(span name, struct catname *out)
{
    if (name.n == 0 || name.n > LIM_NAME_BYTES)
        return false;
    out->p = name.p;
    if (name.n < 16) {
        memset(out->few, 0, sizeof out->few);
        out->p = memcpy(out->few, name.p, name.n);
    }
    for (size_t w = 0; w <= name.n / 64; w++)
        out->dots[w] = catname_dots(out->p, w * 64, name.n);
    return true;
}

static inline struct catname_left catname_whole(const struct catname *s, size_t n)
{
    return (struct catname_left){s->dots[n / 64], n / 64, n};
}

/* Where the last label of what is left begins. */
static inline size_t catname_start(const struct catname *s, struct catname_left *left)
{
    while (left->dots == 0 && left->word > 0)
        left->dots = s->dots[--left->word];
    if (left->dots == 0)
        return 0;
    unsigned bit = 63 - (unsigned)__builtin_clzll(left->dots);
    left->dots ^= UINT64_C(1) << bit;
    return left->word * 64 + bit + 1;
}

/* The sixteen bytes before `end`; zeros stand for those before the name. */
static inline unsigned __int128 catname_before(const struct catname *s, size_t end)
{
    unsigned __int128 v;
    size_t lack = end < 16 ? 16 - end : 0;
    memcpy(&v, s->p + end + lack - 16, 16);
    return v << (8 * lack);
}

/* As catfmt_label(), of the label from start to end, which is not empty. */
static inline uint64_t catname_label(const uint64_t seed[4], uint64_t h, const struct catname *s,
                                     size_t start, size_t end)
{
    uint64_t v[2];
    unsigned __int128 last;
    for (; end - start > 16; end -= 16) {
        last = catname_before(s, end);
        v[0] = (uint64_t)last;
        v[1] = (uint64_t)(last >> 64);
        h = catfmt_chunk(seed, h, v, 17);
    }
    size_t n = end - start, none = 8 * (16 - n);
    last = catname_before(s, end) & ~(unsigned __int128)0 << none;
    v[0] = (uint64_t)last;
    v[1] = (uint64_t)(last >> 64);
    return catfmt_chunk(seed, h, v, n);
}

#endif
