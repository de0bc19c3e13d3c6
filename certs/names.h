/* Host names in certificates: what a dNSName may look like, when one covers a host (RFC 9525 section 6.3),
 * and which names our own CA never signs. Pure; the public suffix list is the one compiled into libpsl (no
 * file is opened). */
#ifndef CERTS_NAMES_H
#define CERTS_NAMES_H

#include "gw/base/addr.h"
#include "gw/base/buf.h"

/* Is a dNSName of a certificate a host name at all, wildcard in the left-most label or not? Upper case is
 * fine, NUL, space, other bytes, empty labels and a trailing dot are not. */
bool names_san_ok(span san);
/* Does the dNSName cover this normalised host name? A wildcard stands for exactly one whole left-most label,
 * has at least two labels after it, and never sits directly above a public suffix ("*.co.uk", "*.github.io").
 */
bool names_match(span san, span host);
/* Is a normalised name a public suffix (nobody's own)? Single labels count as one. */
bool names_is_suffix(span name);

/* Why our CA never signs this: a literal for the log, or NULL when it may. `name`: normalised, may start with
 * "*.". */
const char *names_never(span name);
const char *names_never_ip(span ip);

#endif
