/* Reads DER, strictly: one element after the other, definite lengths in their shortest form, low tag numbers
 * only. For what comes from strangers and is too large or too simple for OpenSSL's own types. After the first
 * mistake a reader stays bad and yields nothing. Pure. */
#ifndef CERTS_DERIN_H
#define CERTS_DERIN_H

#include "gw/base/buf.h"

struct derin {
    span left;
    bool bad;
};

static inline struct derin derin_of(span s)
{
    return (struct derin){s, false};
}
/* Tag of the element that comes next; 0 at the end or when bad. */
static inline uint8_t derin_peek(const struct derin *d)
{
    return d->bad || d->left.n == 0 ? 0 : d->left.p[0];
}
static inline bool derin_end(const struct derin *d)
{
    return !d->bad && d->left.n == 0;
}
/* Takes the next element, which must have this tag: its contents and, where `whole` is not NULL, the element
 * with its header. */
bool derin_take(struct derin *d, uint8_t tag, span *body, span *whole) MUST_USE;
/* Takes whatever comes next. */
bool derin_any(struct derin *d, span *whole) MUST_USE;
/* The same where it is there and an empty span where it is not; false: it is broken. */
bool derin_maybe(struct derin *d, uint8_t tag, span *body) MUST_USE;

#endif
