/* What directories and RADIUS say of a user ("ldap:cn=agents,dc=province", "radius:class=eleve"), made
 * comparable: ASCII letters lower, no space beside `,` and `=`, none at either end. The policy's spellings
 * are made so when it is compiled, those of facts when they are looked up; most of these have no space, and
 * are compared as they are. */
#ifndef POLICY_ATTR_H
#define POLICY_ATTR_H

#include "gw/base/buf.h"

enum { ATTR_MOST = 1024 };

/* Normalised into `out`, its length returned; 0 when it is empty or longer than ATTR_MOST. */
size_t attr_normalise(span in, uint8_t out[ATTR_MOST]);
/* Of a normalised one, or one in which only letters would change. */
uint32_t attr_hash(span attr);
/* The hash of one in which only letters would change, as no space is in it; ATTR_OTHER: it is another one. */
#define ATTR_OTHER UINT64_MAX
uint64_t attr_plain_hash(span attr);
/* Whether such a one is `norm` when it is normalised. */
bool attr_is(span norm, span plain);

#endif
