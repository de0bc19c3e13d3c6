/* One spelling for a URL path, so that a list entry and a request that mean the same place compare equal.
 * Pure; used on list entries when they are compiled and on request paths when they are looked up. */
#ifndef GW_BASE_URLPATH_H
#define GW_BASE_URLPATH_H

#include "gw/base/buf.h"

/* Writes at most in.n + 1 bytes to `out` and returns the length: percent-encoding undone until none is left,
 * ASCII letters small, `\` as `/`, empty and `.` segments left out, `..` taking the one before it, parameters
 * (`;...` of a segment), query and fragment left out. The result is empty (the root) or begins with a slash
 * and does not end with one. `out` may not overlap `in`. */
size_t urlpath_normalise(span in, uint8_t *out);
/* True only where that would take away nothing but a slash at the end: so it is with most paths. */
bool urlpath_is_plain(span in);

#endif
