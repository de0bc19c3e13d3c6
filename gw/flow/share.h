/* Fair shares of what one client could use up for all: new leaves. One bucket per source (an IPv6 client is
 * its /64); the table is bounded and forgets everybody when it is full. */
#ifndef GW_FLOW_SHARE_H
#define GW_FLOW_SHARE_H

#include "gw/base/addr.h"
#include "gw/base/map.h"

struct share {
    struct map by_client;
};

void share_init(struct share *s);
void share_fini(struct share *s);
/* Takes one from the client's bucket (LIM_CLIENT_MINT_BURST, refilled at LIM_CLIENT_MINT_RATE a second);
 * false when it is empty. Without memory for a new bucket the answer is true: the signer's own limit still
 * holds. */
bool share_take(struct share *s, const struct addr *client, int64_t now_ms);

#endif
