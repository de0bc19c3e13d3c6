/* The two comparisons of sixteen bytes that a look-up of a name is made of, with SSE2 where there is one. */
#ifndef SIGNATURES_CATSIMD_H
#define SIGNATURES_CATSIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)

#include <emmintrin.h>

/* A bit for each of sixteen bytes that is a dot. */
static inline uint64_t cat_dots(const uint8_t p[16])
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
}

/* Bit 2 * i for each of eight numbers v[i] (16-byte aligned) that is `n`. */
static inline uint64_t cat_same(const uint16_t v[8], uint16_t n)
{
    __m128i all = _mm_load_si128((const __m128i *)(const void *)v);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(all, _mm_set1_epi16((short)n))) & 0x5555;
}

#else

static inline uint64_t cat_dots(const uint8_t p[16])
{
    uint64_t dots = 0;
    for (unsigned i = 0; i < 16; i++)
        dots |= (uint64_t)(p[i] == '.') << i;
    return dots;
}

static inline uint64_t cat_same(const uint16_t v[8], uint16_t n)
{
    uint64_t same = 0;
    for (unsigned i = 0; i < 8; i++)
        same |= (uint64_t)(v[i] == n) << (2 * i);
    return same;
}

#endif
#endif
