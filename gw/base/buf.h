/* Bytes: `struct span` borrows them, `struct buf` owns them. No C string function ever touches network data.
 * A reader (`struct rd`) walks a span with bounds; after the first short read it stays failed and yields
 * zeros. */
#ifndef GW_BASE_BUF_H
#define GW_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "gw/base/err.h"

typedef struct span {
    const uint8_t *p;
    size_t n;
} span;

#define SPAN_NONE ((span){NULL, 0})
/* Span of a string literal, and of a NUL-terminated C string. */
#define SPAN(lit) ((span){(const uint8_t *)(lit), sizeof(lit) - 1})
static inline span span_of(const void *p, size_t n)
{
    return (span){(const uint8_t *)p, n};
}
static inline span span_str(const char *s)
{
    return s ? (span){(const uint8_t *)s, strlen(s)} : SPAN_NONE;
}

static inline bool span_eq(span a, span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
/* ASCII case-insensitive equality and order; no locale. */
bool span_ieq(span a, span b);
int span_cmp(span a, span b);
bool span_has_prefix(span s, span prefix);
bool span_has_suffix(span s, span suffix);
/* Index of the first byte c at or after `from`, or SIZE_MAX. */
size_t span_find(span s, uint8_t c, size_t from);
/* s[from, to), clamped to what is there. */
span span_cut(span s, size_t from, size_t to);
/* Without leading and trailing space and tab. */
span span_trim(span s);
/* Decimal number, digits only, whole span; false when empty, other bytes or above `max`. */
bool span_to_u64(span s, uint64_t max, uint64_t *out);
/* The digits of a number, written from the end of `out`. Safe in a dying process. */
enum { DEC_MOST = 20 };
static inline span dec_span(uint64_t v, uint8_t out[DEC_MOST])
{
    size_t at = DEC_MOST;
    do {
        out[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v);
    return (span){out + at, DEC_MOST - at};
}
static inline uint8_t ascii_lower(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t)(c + 32) : c;
}

/* Owned, growing bytes [r, w) of p. Zero-initialised is valid and empty. `max` caps growth (0: no cap). */
struct buf {
    uint8_t *p;
    size_t r, w, cap, max;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees; the buf is empty and usable again */
/* Room for n more bytes at p + w. LIMIT above max, NOMEM when malloc fails; then b is unchanged. */
enum rc buf_reserve(struct buf *b, size_t n) MUST_USE;
enum rc buf_put(struct buf *b, span s) MUST_USE;
enum rc buf_put_str(struct buf *b, const char *s) MUST_USE;
enum rc buf_put_u8(struct buf *b, uint8_t v) MUST_USE;
enum rc buf_put_u16(struct buf *b, uint16_t v) MUST_USE; /* big endian */
enum rc buf_put_u32(struct buf *b, uint32_t v) MUST_USE;
enum rc buf_put_u64(struct buf *b, uint64_t v) MUST_USE;
enum rc buf_put_dec(struct buf *b, uint64_t v) MUST_USE; /* decimal digits */
enum rc buf_printf(struct buf *b, const char *fmt, ...) MUST_USE __attribute__((format(printf, 2, 3)));
static inline size_t buf_len(const struct buf *b)
{
    return b->w - b->r;
}
static inline span buf_span(const struct buf *b)
{
    return b->p ? (span){b->p + b->r, b->w - b->r} : SPAN_NONE;
}
/* Drop n bytes from the front (n <= length). */
void buf_consume(struct buf *b, size_t n);
static inline void buf_clear(struct buf *b)
{
    b->r = b->w = 0;
}

/* Bounded big-endian reader. */
struct rd {
    span s;
    size_t at;
    bool bad; /* a read went past the end */
};

static inline struct rd rd_of(span s)
{
    return (struct rd){s, 0, false};
}
static inline size_t rd_left(const struct rd *r)
{
    return r->bad ? 0 : r->s.n - r->at;
}
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u24(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
span rd_bytes(struct rd *r, size_t n);
/* A vector with its length before it (1, 2 or 3 bytes), as TLS writes them. */
span rd_vec8(struct rd *r);
span rd_vec16(struct rd *r);
span rd_vec24(struct rd *r);

#endif
