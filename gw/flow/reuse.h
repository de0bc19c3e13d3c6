/* Connections with origins that outlive their flow (reuse.c): to the pool and out of it, and what is done
 * about one that turned out dead. */
#ifndef GW_FLOW_REUSE_H
#define GW_FLOW_REUSE_H

#include "gw/flow/flow.h"

/* Moves the origin's connection to the pool if another flow may use it. */
void reuse_give(struct flow *f);
/* Takes one from there that leads to any of these addresses. */
bool reuse_take(struct flow *f, const struct addr *addrs, size_t n);
/* The request that is about to leave, should it have to be repeated. */
void reuse_remember(struct flow *f, const struct msg *m);
/* The connection has ended: true when it had been idle, and the origin is asked anew, or dialled when needed.
 */
bool reuse_again(struct flow *f);
/* Dials the flow's origin once more. */
void reuse_dial(struct flow *f);
/* The origin has answered on it. */
void reuse_proved(struct flow *f);
/* Dialled anew and judged, with a client that has its leaf. */
void reuse_certified(struct flow *f);

#endif
