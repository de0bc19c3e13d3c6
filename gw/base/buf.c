/* Spans, buffers and bounded readers; see buf.h. */
#include "gw/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gw/base/obj.h"

bool span_ieq(span a, span b)
{
    if (a.n != b.n)
        return false;
    if (a.n == 0 || (a.p[0] == b.p[0] && memcmp(a.p, b.p, a.n) == 0))
        return true; /* most names come as they are written here */
    for (size_t i = 0; i < a.n; i++) {
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

int span_cmp(span a, span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c != 0)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool span_has_prefix(span s, span prefix)
{
    return s.n >= prefix.n && span_eq(span_cut(s, 0, prefix.n), prefix);
}

bool span_has_suffix(span s, span suffix)
{
    return s.n >= suffix.n && span_eq(span_cut(s, s.n - suffix.n, s.n), suffix);
}

size_t span_find(span s, uint8_t c, size_t from)
{
    if (from >= s.n)
        return SIZE_MAX;
    const uint8_t *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

span span_cut(span s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return s.p ? (span){s.p + from, to - from} : SPAN_NONE;
}

span span_trim(span s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

bool span_to_u64(span s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = (unsigned)s.p[i] - '0';
        if (d > 9 || v > max / 10 || (v == max / 10 && d > max % 10))
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

/* Move what is left to the front, so that room freed at the front is used before the buffer grows. */
static void buf_slide(struct buf *b)
{
    if (b->r == 0)
        return;
    memmove(b->p, b->p + b->r, b->w - b->r);
    b->w -= b->r;
    b->r = 0;
}

enum rc buf_reserve(struct buf *b, size_t n)
{
    if (b->cap - b->w >= n && b->p)
        return RC_OK;
    size_t len = buf_len(b), need = len + n;
    if (need < n || need > SIZE_MAX / 2 || (b->max && need > b->max))
        return RC_LIMIT;
    buf_slide(b);
    if (b->p && b->cap >= need)
        return RC_OK;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    if (b->max && cap > b->max)
        cap = b->max;
    uint8_t *p = realloc(b->p, cap ? cap : 1);
    if (!p)
        return RC_NOMEM;
    b->p = p;
    b->cap = cap;
    return RC_OK;
}

enum rc buf_put(struct buf *b, span s)
{
    TRY(buf_reserve(b, s.n));
    if (s.n)
        memcpy(b->p + b->w, s.p, s.n);
    b->w += s.n;
    return RC_OK;
}

enum rc buf_put_str(struct buf *b, const char *s)
{
    return buf_put(b, span_str(s));
}

static enum rc put_be(struct buf *b, uint64_t v, unsigned n)
{
    TRY(buf_reserve(b, n));
    for (unsigned i = 0; i < n; i++)
        b->p[b->w + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    b->w += n;
    return RC_OK;
}

enum rc buf_put_u8(struct buf *b, uint8_t v)
{
    return put_be(b, v, 1);
}

enum rc buf_put_u16(struct buf *b, uint16_t v)
{
    return put_be(b, v, 2);
}

enum rc buf_put_u32(struct buf *b, uint32_t v)
{
    return put_be(b, v, 4);
}

enum rc buf_put_u64(struct buf *b, uint64_t v)
{
    return put_be(b, v, 8);
}

enum rc buf_put_dec(struct buf *b, uint64_t v)
{
    uint8_t digits[DEC_MOST];
    return buf_put(b, dec_span(v, digits));
}

enum rc buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    enum rc rc = n < 0 ? RC_BUG : buf_reserve(b, (size_t)n + 1);
    if (rc == RC_OK) {
        vsnprintf((char *)b->p + b->w, (size_t)n + 1, fmt, again);
        b->w += (size_t)n;
    }
    va_end(again);
    return rc;
}

void buf_consume(struct buf *b, size_t n)
{
    gw_assert(n <= buf_len(b));
    b->r += n;
    if (b->r == b->w)
        buf_clear(b);
}

span rd_bytes(struct rd *r, size_t n)
{
    if (r->bad || r->s.n - r->at < n) {
        r->bad = true;
        return SPAN_NONE;
    }
    span out = span_cut(r->s, r->at, r->at + n);
    r->at += n;
    return out;
}

static uint64_t rd_be(struct rd *r, unsigned n)
{
    span b = rd_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < b.n; i++)
        v = v << 8 | b.p[i];
    return v;
}

uint8_t rd_u8(struct rd *r)
{
    return (uint8_t)rd_be(r, 1);
}

uint16_t rd_u16(struct rd *r)
{
    return (uint16_t)rd_be(r, 2);
}

uint32_t rd_u24(struct rd *r)
{
    return (uint32_t)rd_be(r, 3);
}

uint32_t rd_u32(struct rd *r)
{
    return (uint32_t)rd_be(r, 4);
}

uint64_t rd_u64(struct rd *r)
{
    return rd_be(r, 8);
}

span rd_vec8(struct rd *r)
{
    return rd_bytes(r, rd_u8(r));
}

span rd_vec16(struct rd *r)
{
    return rd_bytes(r, rd_u16(r));
}

span rd_vec24(struct rd *r)
{
    return rd_bytes(r, rd_u24(r));
}
