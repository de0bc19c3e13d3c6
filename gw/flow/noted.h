/* Origins of which a worker remembers one thing, so that the next flow need not find it out again: they ask
 * clients for a certificate (asking.h), or agree to the weak offer alone (handshake.c). Known by name,
 * address and port together, each for a time, and only as long as the rule is there that lets them be treated
 * so: what is remembered is how to begin, and each flow is decided by the policy in force all the same. */
#ifndef GW_FLOW_NOTED_H
#define GW_FLOW_NOTED_H

#include <jansson.h>

#include "gw/base/addr.h"
#include "policy/snapshot.h"

struct noted;

/* At most `max` origins, the least recently used goes first; each for `life_s` seconds. */
enum rc noted_new(size_t max, int64_t life_s, struct noted **out) MUST_USE;
void noted_free(struct noted *a); /* NULL is fine */

/* `rule`: key of the rule that lets it be treated so. Without memory it is forgotten: the next
 * flow finds out for itself. */
void noted_note(struct noted *a, span name, const struct addr *ip, uint16_t port, uint64_t rule,
                int64_t now_s);
bool noted_known(struct noted *a, span name, const struct addr *ip, uint16_t port, int64_t now_s);
/* It is as others are, after all. */
void noted_forget(struct noted *a, span name, const struct addr *ip, uint16_t port);
/* Another snapshot is in force: what was of rules that it has not goes. */
void noted_reloaded(struct noted *a, const struct snapshot *s);
/* For `perronctl show asking`: [{name, address, port, until}], NULL: no memory. */
json_t *noted_json(const struct noted *a, int64_t now_s);

#endif
