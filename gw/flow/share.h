/* Fair shares of what one client could use up for all: new leaves and open flows.
 *
 * Leaves: one bucket per source (an IPv6 client is its /64); the table is bounded and forgets everybody when
 * it is full. Flows: counted per address and per network (/24, /64), exactly; who has none has no entry. */
#ifndef GW_FLOW_SHARE_H
#define GW_FLOW_SHARE_H

#include "gw/base/addr.h"
#include "gw/base/map.h"

struct share {
    struct map by_client; /* buckets */
    struct map open;      /* addresses and networks -> how many flows */
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

#endif
