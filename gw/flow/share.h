/* Fair shares of what one client could use up for all: new leaves, open flows, and memory of HTTP/2.
 *
 * Leaves: one bucket per source (an IPv6 client is its /64); the table is bounded and forgets everybody when
 * it is full. Flows: counted per address and per network (/24, /64), exactly; who has none has no entry.
 * Memory: content that waits for readers, per client and of the worker, counted where it waits
 * (gw/http/h2_wait.h). */
#ifndef GW_FLOW_SHARE_H
#define GW_FLOW_SHARE_H

#include "gw/base/addr.h"
#include "gw/base/map.h"
#include "gw/http/h2_wait.h"

struct share {
    struct map by_client; /* buckets */
    struct map open;      /* addresses and networks -> how many flows */
    struct map waiting;   /* clients that speak HTTP/2 */
    struct h2_waiting all;
};

void share_init(struct share *s);
void share_fini(struct share *s);
/* Takes one from the client's bucket (LIM_CLIENT_MINT_BURST, refilled at LIM_CLIENT_MINT_RATE a second);
 * false when it is empty. Without memory for a new bucket the answer is true: the signer's own limit still
 * holds. */
bool share_take(struct share *s, const struct addr *client, int64_t now_ms);

/* One flow more of this client; false, and nothing is counted, when LIM_CLIENT_FLOWS of its address or
 * LIM_NETWORK_FLOWS of its network are open (or without memory). */
bool share_enter(struct share *s, const struct addr *client) MUST_USE;
/* Once for each share_enter() that was true. */
void share_leave(struct share *s, const struct addr *client);

/* Where content of this client counts, an IPv6 client being its /64; NULL without memory. Valid until as many
 * share_waiting_put() have followed. */
struct h2_waiting *share_waiting_get(struct share *s, const struct addr *client);
void share_waiting_put(struct share *s, const struct addr *client);

#endif
