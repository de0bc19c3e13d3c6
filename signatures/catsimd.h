/* What is done to sixteen bytes at once where names are read and looked up. The functions that end in _plain
 * do the same on any processor; a test holds the two against each other. */
#ifndef SIGNATURES_CATSIMD_H
#define SIGNATURES_CATSIMD_H

#include <stdint.h>
#include <string.h>

/* A bit for each of sixteen bytes that is a dot. */
static inline uint64_t cat_dots_plain(const uint8_t p[16])
{
    uint64_t dots = 0;
    for (unsigned i = 0; i < 16; i++)
        dots |= (uint64_t)(p[i] == '.') << i;
    return dots;
}

/* Bit 2 * i for each of eight numbers v[i] that is `n`. */
static inline uint64_t cat_same_plain(const uint16_t v[8], uint16_t n)
{
    uint64_t same = 0;
    for (unsigned i = 0; i < 8; i++)
        same |= (uint64_t)(v[i] == n) << (2 * i);
    return same;
}

/* Writes sixteen bytes in lower case; a bit for each that may stand in a host name: letters, digits, `-`, `_`
 * and `.`. */
static inline uint64_t cat_lower_plain(const uint8_t p[16], uint8_t low[16])
{
    uint64_t ok = 0;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t c = p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i];
        low[i] = c;
        ok |= (uint64_t)((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')
              << i;
    }
    return ok;
}

#if defined(__SSE2__)

#include <emmintrin.h>

static inline uint64_t cat_dots(const uint8_t p[16])
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('.')));
}

/* v is 16-byte aligned. */
static inline uint64_t cat_same(const uint16_t v[8], uint16_t n)
{
    __m128i all = _mm_load_si128((const __m128i *)(const void *)v);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(all, _mm_set1_epi16((short)n))) & 0x5555;
}

/* Bytes from `first` to first + n - 1. */
static inline __m128i cat_among(__m128i v, char first, char n)
{
    __m128i from = _mm_sub_epi8(v, _mm_set1_epi8(first));
    return _mm_cmpeq_epi8(_mm_min_epu8(from, _mm_set1_epi8((char)(n - 1))), from);
}

static inline uint64_t cat_lower(const uint8_t p[16], uint8_t low[16])
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    v = _mm_or_si128(v, _mm_and_si128(cat_among(v, 'A', 26), _mm_set1_epi8(0x20)));
    _mm_storeu_si128((__m128i *)(void *)low, v);
    __m128i ok = _mm_or_si128(cat_among(v, 'a', 26), cat_among(v, '0', 10));
    ok = _mm_or_si128(ok, _mm_or_si128(cat_among(v, '-', 2), _mm_cmpeq_epi8(v, _mm_set1_epi8('_'))));
    return (unsigned)_mm_movemask_epi8(ok);
}

#else

static inline uint64_t cat_dots(const uint8_t p[16])
{
    return cat_dots_plain(p);
}

static inline uint64_t cat_same(const uint16_t v[8], uint16_t n)
{
    return cat_same_plain(v, n);
}

static inline uint64_t cat_lower(const uint8_t p[16], uint8_t low[16])
{
    return cat_lower_plain(p, low);
}

#endif
#endif
