/* Accepting connections on sockets that the master bound. In the transparent way the socket's local address
 * is where the client wanted to go (TPROXY leaves it as it was). When descriptors run out, accepting pauses
 * and recovers alone. */
#ifndef GW_NET_LISTEN_H
#define GW_NET_LISTEN_H

#include "gw/base/addr.h"
#include "gw/base/ev.h"

struct accepted {
    int fd; /* the callee's */
    struct addr src, dst;
    uint16_t src_port, dst_port;
};

struct listener {
    struct ev_io io;
    struct ev *ev;
    struct ev_timer retry;
    bool explicit_proxy;
    void (*on_accept)(struct listener *l, const struct accepted *a);
    void *data;
    uint64_t n_backoffs;
};

/* Takes fd, a bound and listening non-blocking socket. */
enum rc listen_start(struct listener *l, struct ev *ev, int fd) MUST_USE;
/* Stops and closes. */
void listen_stop(struct listener *l);
/* The same, when whoever waits in its queue has been accepted. */
void listen_end(struct listener *l);
/* Whether it is open, and at this address. */
bool listen_is_at(const struct listener *l, const struct addr *a, uint16_t port);

#endif
