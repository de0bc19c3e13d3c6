/* Host names that were asked for here lately and let through, with how many connections asked: what the guard
 * of list updates (`guard seen` of the policy) holds new entries against. Names and counts; no person, no
 * address, no path. A name is kept once two different flows asked for it; until then there is only a hash of
 * it, under a key of this process, so that a name made up for one visitor is never written down.
 *
 * The file "names" of its directory: `name count day` a line, the least recent first; `day` counts from 1970,
 * UTC. It is replaced whole, so a reader finds the old or the new one. */
#ifndef GW_SIEM_SEEN_H
#define GW_SIEM_SEEN_H

#include "gw/base/buf.h"

struct seen;

enum rc seen_new(struct seen **out) MUST_USE;
void seen_free(struct seen *s);
/* Takes the directory (-1: none) and reads back what stands there. A file that is no such file is left out as
 * a whole, with one line in the operator log; the next write replaces it. */
void seen_target(struct seen *s, int dir);
/* A connection asked for the name. What is no normalised host name with a dot in it does not count. At
 * LIM_SEEN_NAMES the name that nobody asked for longest goes; without memory the new one does. */
void seen_ask(struct seen *s, span name, uint64_t flow, uint32_t day);
/* Forgets what nobody asked for in LIM_SEEN_DAYS, and replaces the file where anything is new. NOTFOUND: no
 * directory; IO: see errno, the old file stands as it was and the next call tries again. */
enum rc seen_write(struct seen *s, uint32_t day) MUST_USE;
/* How many names are kept; how many connections asked for this one, 0: it is not kept. */
size_t seen_total(const struct seen *s);
uint32_t seen_count(const struct seen *s, span name);

#endif
