/* Hashes of a host name and of all its parents, in one walk from the right.
 *
 * The hash of a name is that of its last sixteen bytes, of the sixteen before, and so on, and then of its
 * first sixteen bytes, which may lie over others that were hashed already; of a shorter one what there is,
 * behind zeros. Where these lie the length says, which is the mark of that last piece (catfmt_chunk). So all
 * parents of a name have their pieces where the name has its own, each costs two multiplications more, none
 * waits for another, and nothing outside the name is read. */
#ifndef SIGNATURES_CATNAME_H
#define SIGNATURES_CATNAME_H

#include "gw/base/limits.h"
#include "signatures/catfmt.h"
#include "signatures/catkeys.h"

enum { CATNAME_PIECE = 16, CATNAME_WORDS = LIM_NAME_BYTES / 64 + 1 };

/* What is known of a name while its labels are hashed. */
struct catname {
    const uint8_t *end; /* of n bytes, sixteen at least: before a shorter name there are zeros */
    size_t n;
    uint64_t last[LIM_NAME_BYTES / CATNAME_PIECE + 1]; /* the hash of so many pieces at the end */
    uint8_t below[CATKEYS_MAX];                        /* bytes of each parent */
};

/* The hash of the n bytes before the end. */
static inline uint64_t catname_hash(const uint64_t seed[4], const struct catname *s, size_t n)
{
    static const uint8_t mask[2 * CATNAME_PIECE] = {
        [16] = 0xff, [17] = 0xff, [18] = 0xff, [19] = 0xff, [20] = 0xff, [21] = 0xff,
        [22] = 0xff, [23] = 0xff, [24] = 0xff, [25] = 0xff, [26] = 0xff, [27] = 0xff,
        [28] = 0xff, [29] = 0xff, [30] = 0xff, [31] = 0xff};
    uint64_t v[2], keep[2];
    size_t few = n < CATNAME_PIECE ? n : CATNAME_PIECE;
    memcpy(v, s->end - (n + CATNAME_PIECE - few), sizeof v);
    memcpy(keep, mask + few, sizeof keep);
    v[0] &= keep[0];
    v[1] &= keep[1];
    return catfmt_chunk(seed, s->last[(n - 1) / CATNAME_PIECE], v, n);
}

/* Hashes what begins at each bit that is set, from the right; `n`: bytes from bit 0 to the end. */
static inline size_t catname_labels(const uint64_t seed[4], struct catname *s, uint64_t starts, size_t n,
                                    uint64_t *hash, size_t labels)
{
    for (; starts; labels++) {
        unsigned bit = 63 ^ (unsigned)__builtin_clzll(starts);
        starts ^= UINT64_C(1) << bit;
        s->below[labels] = (uint8_t)(n - bit);
        hash[labels] = catname_hash(seed, s, n - bit);
    }
    return labels;
}

/* As catname_hashes(), of a name that is longer than a word has bits. */
static __attribute__((noinline, unused)) size_t catname_long(const uint64_t seed[4], struct catname *s,
                                                             uint64_t *hash)
{
    const uint8_t *p = s->end - s->n;
    uint64_t dots[CATNAME_WORDS] = {0}, start = 1, empty = dots[0];
    size_t labels = 0, last = (s->n - 1) / 64;
    for (size_t i = 0; i < s->n; i++)
        dots[i / 64] |= (uint64_t)(p[i] == '.') << (i % 64);
    for (size_t w = 0; w <= last; w++) {
        uint64_t starts = dots[w] << 1 | start;
        empty |= dots[w] & starts;
        start = dots[w] >> 63;
        dots[w] = starts;
    }
    if (empty || p[s->n - 1] == '.')
        return 0;
    for (size_t w = last + 1; w-- > 0;)
        labels = catname_labels(seed, s, dots[w], s->n - w * 64, hash, labels);
    return labels;
}

/* Writes the hash of each parent, shortest first, and of the name; returns how many. 0: it is empty, too long
 * to be a name, or has an empty label. *own: how many come before the base (see catfmt_is_base). */
static inline size_t catname_hashes(const uint64_t seed[4], span name, uint64_t hash[CATKEYS_MAX],
                                    uint32_t *own)
{
    struct catname s;
    uint8_t few[CATNAME_PIECE];
    uint64_t dots = 0, v[2];
    size_t n = name.n, zeros = 0, labels, i = 0;
    const uint8_t *p = name.p;
    *own = 0;
    if (n == 0 || n > LIM_NAME_BYTES)
        return 0;
    if (n < CATNAME_PIECE) {
        zeros = CATNAME_PIECE - n;
        memset(few, 0, sizeof few);
        memcpy(few + zeros, p, n);
        p = few;
        n = CATNAME_PIECE;
    }
    s.end = p + n;
    s.n = n;
    s.last[0] = seed[0];
    for (; i + CATNAME_PIECE < n; i += CATNAME_PIECE) {
        dots |= cat_dots(p + i) << (i % 64);
        memcpy(v, s.end - i - CATNAME_PIECE, sizeof v);
        s.last[i / CATNAME_PIECE + 1] = catfmt_chunk(seed, s.last[i / CATNAME_PIECE], v, 0);
    }
    if (n <= 64) {
        dots |= cat_dots(s.end - CATNAME_PIECE) << (n - CATNAME_PIECE);
        uint64_t starts = dots << 1 | UINT64_C(1) << zeros;
        if (dots & (starts | UINT64_C(1) << (n - 1)))
            return 0;
        labels = catname_labels(seed, &s, starts, n, hash, 0);
    } else {
        labels = catname_long(seed, &s, hash);
    }
    *own = labels < 2 ? (uint32_t)labels : catfmt_is_base(1, s.below[1] - s.below[0] - 1u) ? 1 : 2;
    return labels;
}

#endif
