/* Idle connections with origins, kept for the next request to the same place by those who may use them. A
 * connection is watched while it is here: when the origin ends it or says anything, it goes; so it does after
 * LIM_POOL_IDLE_MS. Bounded in places (the least recently used goes first) and in connections of a place. */
#ifndef GW_FLOW_POOL_H
#define GW_FLOW_POOL_H

#include "gw/flow/place.h"
#include "gw/tls/stream.h"

struct pool;
enum rc pool_new(struct ev *ev, size_t max_places, struct pool **out) MUST_USE;
void pool_free(struct pool *p); /* the loop runs no more */
/* Trust changed. */
void pool_clear(struct pool *p);
size_t pool_count(const struct pool *p); /* connections */

/* Takes the connection out of `s`, which stays closed and may be used again. `key`: the place and whose it
 * is. `facts`: of its certificate (copied); NULL: plain. false: there is no room, and `s` is as it was. */
bool pool_put(struct pool *p, const uint8_t key[PLACE_KEY], struct stream *s,
              const struct origin_facts *facts);
/* The newest one that is still alive moves to `s`, which has none; the caller facts_free()s *facts. */
bool pool_take(struct pool *p, const uint8_t key[PLACE_KEY], struct stream *s, struct origin_facts *facts);

#endif
