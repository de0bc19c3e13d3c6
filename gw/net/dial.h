/* Connecting to an origin: up to DIAL_MAX addresses, one after the other, the next one as soon as one fails
 * or after a quarter of a second without an answer (RFC 8305 section 5, one attempt at a time kept open).
 * Never blocks. With `given` the first attempt uses that socket (bound to the client's address by the
 * opener). */
#ifndef GW_NET_DIAL_H
#define GW_NET_DIAL_H

#include "gw/base/addr.h"
#include "gw/base/ev.h"

enum { DIAL_MAX = 8 };

struct dial {
    struct ev *ev;
    struct ev_timer timer;
    struct dial_try {
        struct ev_io io;
        struct dial *owner;
    } tries[DIAL_MAX];
    struct addr addrs[DIAL_MAX];
    uint16_t port, n_addrs, next;
    int given;
    int64_t give_up_ms;
    int last_errno;
    void *data; /* the owner's, like on_done set before dial_start */
    /* fd >= 0: connected, the callee's, `to` says where; -1: failed, with errno (ETIMEDOUT at the deadline).
     */
    void (*on_done)(struct dial *d, int fd, const struct addr *to, int err);
};

/* Where to, and how long to try. `given`: a socket to use for the first address, or -1. */
struct dial_to {
    const struct addr *addrs;
    size_t n;
    uint16_t port;
    int given;
    int64_t timeout_ms;
};

/* Starts; the callback comes later, never from inside. Takes to->given; the addresses are copied. */
void dial_start(struct dial *d, struct ev *ev, const struct dial_to *to);
/* Ends without a callback; safe when nothing runs (d zeroed). */
void dial_cancel(struct dial *d);

#endif
