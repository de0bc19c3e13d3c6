/* Accept loop; see listen.h. */
#include "gw/net/listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { ACCEPT_BATCH = 64, BACKOFF_MS = 100, QUEUE_MOST = 8192 };

/* Descriptors or memory ran out: leave the queue to the kernel for a moment. */
static void back_off(struct listener *l)
{
    l->n_backoffs++;
    ev_unwatch(l->ev, &l->io);
    ev_timer_set(l->ev, &l->retry, BACKOFF_MS);
}

static void on_retry(struct ev_timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, retry);
    if (ev_watch(l->ev, &l->io, EPOLLIN) != RC_OK)
        ev_timer_set(l->ev, &l->retry, BACKOFF_MS);
}

static bool accept_one(struct listener *l)
{
    struct sockaddr_storage peer, local;
    socklen_t peer_len = sizeof peer, local_len = sizeof local;
    int one = 1;
    struct accepted a;
    a.fd = accept4(l->io.fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (a.fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            back_off(l);
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (getsockname(a.fd, (struct sockaddr *)&local, &local_len) < 0) {
        close(a.fd);
        return true;
    }
    setsockopt(a.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    a.src = addr_from_sockaddr(&peer, &a.src_port);
    a.dst = addr_from_sockaddr(&local, &a.dst_port);
    l->on_accept(l, &a);
    return true;
}

static void on_ready(struct ev_io *io, uint32_t events)
{
    struct listener *l = CONTAINER_OF(io, struct listener, io);
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && l->io.fd >= 0; i++) {
        if (!accept_one(l))
            return;
    }
}

enum rc listen_start(struct listener *l, struct ev *ev, int fd)
{
    l->ev = ev;
    l->io = (struct ev_io){.fd = fd, .cb = on_ready};
    ev_timer_init(&l->retry, on_retry);
    return ev_watch(ev, &l->io, EPOLLIN);
}

void listen_stop(struct listener *l)
{
    if (l->io.fd < 0)
        return;
    ev_timer_stop(l->ev, &l->retry);
    ev_unwatch(l->ev, &l->io);
    close(l->io.fd);
    l->io.fd = -1;
}

void listen_end(struct listener *l)
{
    for (int i = 0; i < QUEUE_MOST && l->io.fd >= 0 && accept_one(l); i++)
        continue;
    listen_stop(l);
}

bool listen_is_at(const struct listener *l, const struct addr *a, uint16_t port)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    uint16_t there;
    if (l->io.fd < 0 || getsockname(l->io.fd, (struct sockaddr *)&local, &len) < 0)
        return false;
    struct addr at = addr_from_sockaddr(&local, &there);
    return there == port && addr_eq(&at, a);
}
