/* Non-blocking connect over several addresses; see dial.h. */
#include "gw/net/dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { STAGGER_MS = 250 };

static void close_try(struct dial *d, struct dial_try *t)
{
    if (t->io.fd < 0)
        return;
    ev_unwatch(d->ev, &t->io);
    close(t->io.fd);
    t->io.fd = -1;
}

void dial_cancel(struct dial *d)
{
    if (!d->ev)
        return;
    ev_timer_stop(d->ev, &d->timer);
    for (size_t i = 0; i < DIAL_MAX; i++)
        close_try(d, &d->tries[i]);
    if (d->given >= 0)
        close(d->given);
    d->given = -1;
    d->ev = NULL;
}

static void finish(struct dial *d, int fd, const struct addr *to, int err)
{
    struct addr where = to ? *to : (struct addr){0};
    dial_cancel(d);
    d->on_done(d, fd, &where, err);
}

static int open_socket(struct dial *d, const struct addr *a)
{
    int one = 1, fd = d->given;
    d->given = -1;
    if (fd < 0)
        fd = socket(a->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void on_connected(struct ev_io *io, uint32_t events);

static bool running(const struct dial *d)
{
    for (size_t i = 0; i < DIAL_MAX; i++) {
        if (d->tries[i].io.fd >= 0)
            return true;
    }
    return false;
}

/* Starts the next attempt that can be started at all; false when none is left and none runs. */
static bool try_next(struct dial *d)
{
    struct sockaddr_storage ss;
    while (d->next < d->n_addrs) {
        uint16_t i = d->next++;
        struct dial_try *t = &d->tries[i];
        socklen_t len = addr_to_sockaddr(&d->addrs[i], d->port, &ss);
        int fd = open_socket(d, &d->addrs[i]);
        if (fd < 0) {
            d->last_errno = errno;
            continue;
        }
        t->io = (struct ev_io){.fd = fd, .cb = on_connected};
        if ((connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) ||
            ev_watch(d->ev, &t->io, EPOLLOUT) != RC_OK) {
            d->last_errno = errno;
            close_try(d, t);
            continue;
        }
        return true;
    }
    return running(d);
}

static void on_connected(struct ev_io *io, uint32_t events)
{
    struct dial_try *t = CONTAINER_OF(io, struct dial_try, io);
    struct dial *d = t->owner;
    int err = 0;
    socklen_t len = sizeof err;
    (void)events;
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err != 0) {
        d->last_errno = err;
        close_try(d, t);
        if (!try_next(d))
            finish(d, -1, NULL, d->last_errno);
        return;
    }
    int fd = io->fd;
    ev_unwatch(d->ev, io);
    io->fd = -1;
    finish(d, fd, &d->addrs[t - d->tries], 0);
}

static void on_timer(struct ev_timer *timer)
{
    struct dial *d = CONTAINER_OF(timer, struct dial, timer);
    if (ev_now_ms(d->ev) >= d->give_up_ms) {
        finish(d, -1, NULL, d->last_errno ? d->last_errno : ETIMEDOUT);
        return;
    }
    if (!try_next(d)) {
        finish(d, -1, NULL, d->last_errno ? d->last_errno : EADDRNOTAVAIL);
        return;
    }
    int64_t left = d->give_up_ms - ev_now_ms(d->ev);
    ev_timer_set(d->ev, &d->timer, d->next < d->n_addrs && left > STAGGER_MS ? STAGGER_MS : left);
}

void dial_start(struct dial *d, struct ev *ev, const struct dial_to *to)
{
    struct addr copy[DIAL_MAX]; /* to->addrs may be d's own */
    size_t n = to->n < DIAL_MAX ? to->n : DIAL_MAX;
    memcpy(copy, to->addrs, n * sizeof *copy);
    *d =
        (struct dial){.ev = ev, .port = to->port, .given = to->given, .on_done = d->on_done, .data = d->data};
    for (size_t i = 0; i < DIAL_MAX; i++)
        d->tries[i] = (struct dial_try){.io = {.fd = -1}, .owner = d};
    d->n_addrs = (uint16_t)n;
    memcpy(d->addrs, copy, n * sizeof *copy);
    d->give_up_ms = ev_now_ms(ev) + to->timeout_ms;
    ev_timer_init(&d->timer, on_timer);
    bool started = try_next(d);
    int64_t wait = d->next < d->n_addrs && STAGGER_MS < to->timeout_ms ? STAGGER_MS : to->timeout_ms;
    ev_timer_set(ev, &d->timer, started ? wait : 1); /* a failure is told from the loop, not from in here */
}
