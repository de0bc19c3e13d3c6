/* DER from strangers; see derin.h. */
#include "certs/derin.h"

enum { LENGTH_BYTES_MAX = 4, LONG_FORM = 0x80, TAG_NUMBER = 0x1f };

static bool fail(struct derin *d)
{
    d->bad = true;
    return false;
}

/* X.690 section 10.1: the shortest form, never the indefinite one. */
static bool take_length(struct rd *r, size_t *n)
{
    uint8_t first = rd_u8(r);
    size_t bytes = first & 0x7f, v = 0;
    if (!(first & LONG_FORM)) {
        *n = first;
        return !r->bad;
    }
    if (bytes == 0 || bytes > LENGTH_BYTES_MAX)
        return false;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | rd_u8(r);
    *n = v;
    return !r->bad && v >= LONG_FORM && v >> 8 * (bytes - 1) != 0;
}

static bool next(struct derin *d, uint8_t *tag, span *body, span *whole)
{
    struct rd r = rd_of(d->left);
    size_t n = 0;
    *tag = rd_u8(&r);
    if (d->bad || r.bad || (*tag & TAG_NUMBER) == TAG_NUMBER || !take_length(&r, &n) || n > rd_left(&r))
        return fail(d);
    *body = rd_bytes(&r, n);
    *whole = span_cut(d->left, 0, r.at);
    d->left = span_cut(d->left, r.at, d->left.n);
    return true;
}

bool derin_take(struct derin *d, uint8_t tag, span *body, span *whole)
{
    uint8_t got;
    span all;
    if (!next(d, &got, body, &all) || got != tag)
        return fail(d);
    if (whole)
        *whole = all;
    return true;
}

bool derin_any(struct derin *d, span *whole)
{
    uint8_t got;
    span body;
    return next(d, &got, &body, whole);
}

bool derin_maybe(struct derin *d, uint8_t tag, span *body)
{
    *body = SPAN_NONE;
    return derin_peek(d) == tag ? derin_take(d, tag, body, NULL) : !d->bad;
}
