/* The Cookie header of a request (RFC 6265 section 5.4): pairs behind semicolons. Pure; nothing is unquoted
 * or decoded. */
#ifndef GW_HTTP_COOKIE_H
#define GW_HTTP_COOKIE_H

#include "gw/base/buf.h"

/* Takes the next pair off a field's value; false at its end. A piece without "=" is a name without a value;
 * empty pieces are skipped. */
bool cookie_next(span *left, span *name, span *value);
/* Is there a cookie of that name (case does not matter) in the value? */
bool cookie_has(span value, span name);
/* Writes the value without every cookie of that name to `out`, which has room for value.n bytes; the number
 * of bytes written, 0 when no cookie is left. What stays, stays as it was. */
size_t cookie_without(span value, span name, uint8_t *out);

#endif
