/* Listening sockets; see doors.h. Transparent ones take connections to any address (TPROXY hands them over
 * with the address the client wanted), and may be bound before that address or interface is there. */
#include "gw/proc/doors.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { CLOSING_NAPS = 30 };

static const char *kind_word(enum listen_kind k)
{
    return k == LISTEN_TRANSPARENT ? "transparent" : "explicit";
}

static enum rc refuse(struct buf *err, const struct set_listen *at, const char *what, const char *remedy)
{
    char text[ADDR_TEXT];
    int why = errno;
    enum rc rc = buf_printf(err, "listen %s %s%s%s port %u: %s: %s%s\n", kind_word(at->kind),
                            at->addr.family == 6 ? "[" : "", addr_text(&at->addr, text),
                            at->addr.family == 6 ? "]" : "", (unsigned)at->port, what, strerror(why), remedy);
    return rc == RC_OK ? RC_CONFIG : rc;
}

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* Accepted sockets inherit it: a client that vanished without a word is noticed after two minutes. */
static bool keep_alive(int fd)
{
    int idle_s = 60, every_s = 15, probes = 4;
    return set_on(fd, SOL_SOCKET, SO_KEEPALIVE) &&
           setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) == 0;
}

static bool prepare(int fd, const struct set_listen *at, bool shared)
{
    bool v6 = at->addr.family == 6;
    bool ok = set_on(fd, SOL_SOCKET, SO_REUSEADDR) && set_on(fd, IPPROTO_TCP, TCP_NODELAY) && keep_alive(fd);
    if (shared)
        ok = ok && set_on(fd, SOL_SOCKET, SO_REUSEPORT);
    if (v6)
        ok = ok && set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (at->kind == LISTEN_TRANSPARENT) {
        ok = ok && (v6 ? set_on(fd, IPPROTO_IPV6, IPV6_TRANSPARENT) : set_on(fd, IPPROTO_IP, IP_TRANSPARENT));
        ok = ok && (v6 ? set_on(fd, IPPROTO_IPV6, IPV6_FREEBIND) : set_on(fd, IPPROTO_IP, IP_FREEBIND));
    }
    return ok;
}

/* A bound socket or -1 with errno. */
static int bound(const struct set_listen *at, bool shared)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(&at->addr, at->port, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (!prepare(fd, at, shared) || bind(fd, (struct sockaddr *)&ss, n) < 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static const char *remedy_for(int why)
{
    if (why == EADDRINUSE)
        return "; another program listens there";
    if (why == EADDRNOTAVAIL)
        return "; is that address on one of this machine's interfaces?";
    return why == EPERM ? "; perrond must be started by root" : "";
}

/* Sharing a port lets two gateways of root share it unnoticed: first ask whether anybody is there. Workers
 * may still be closing what the reload before took away. */
static int ask(const struct set_listen *at, bool reload)
{
    static const struct timespec nap = {.tv_nsec = 10000000};
    int probe = bound(at, false);
    for (unsigned i = 0; i < CLOSING_NAPS && probe < 0 && errno == EADDRINUSE && reload; i++) {
        nanosleep(&nap, NULL);
        probe = bound(at, false);
    }
    return probe;
}

static enum rc open_door(struct door *d, uint32_t n_workers, bool reload, struct buf *err)
{
    int probe = ask(&d->at, reload);
    if (probe < 0)
        return refuse(err, &d->at, "cannot be bound", remedy_for(errno));
    close(probe);
    for (uint32_t w = 0; w < n_workers; w++) {
        d->fd[w] = bound(&d->at, true);
        if (d->fd[w] < 0 || listen(d->fd[w], DOOR_BACKLOG) < 0)
            return refuse(err, &d->at, "cannot be opened", remedy_for(errno));
    }
    return RC_OK;
}

static enum rc share_door(struct door *d, const struct door *old, uint32_t n_workers)
{
    for (uint32_t w = 0; w < n_workers; w++) {
        d->fd[w] = fcntl(old->fd[w], F_DUPFD_CLOEXEC, 0);
        if (d->fd[w] < 0)
            return RC_IO;
    }
    return RC_OK;
}

static bool same(const struct set_listen *a, const struct set_listen *b)
{
    return a->kind == b->kind && a->port == b->port && addr_eq(&a->addr, &b->addr);
}

const struct door *doors_find(const struct doors *d, const struct set_listen *at)
{
    for (size_t i = 0; d && i < d->n; i++) {
        if (same(&d->door[i].at, at))
            return &d->door[i];
    }
    return NULL;
}

static enum rc add(struct doors *d, const struct set_listen *at, const struct doors *old, struct buf *err)
{
    if (doors_find(d, at))
        return RC_OK;
    gw_assert(d->n < DOORS);
    struct door *new = &d->door[d->n++];
    new->at = *at;
    for (size_t w = 0; w < LIM_WORKERS; w++)
        new->fd[w] = -1;
    const struct door *had = doors_find(old, at);
    return had ? share_door(new, had, d->n_workers) : open_door(new, d->n_workers, old != NULL, err);
}

static bool machine_has_ipv6(void)
{
    AUTO_CLOSE int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0;
}

static enum rc add_all(struct doors *d, const struct settings *want, const struct doors *old, struct buf *err)
{
    for (unsigned i = 0; i < want->n_listen; i++) {
        struct set_listen at = want->listen[i];
        if (at.addr.family) {
            TRY(add(d, &at, old, err));
            continue;
        }
        at.addr.family = 4;
        TRY(add(d, &at, old, err));
        at.addr.family = 6;
        if (machine_has_ipv6())
            TRY(add(d, &at, old, err));
    }
    return RC_OK;
}

enum rc doors_open(struct doors *d, const struct settings *want, uint32_t n_workers, const struct doors *old,
                   struct buf *err)
{
    *d = (struct doors){.n_workers = n_workers};
    enum rc rc = add_all(d, want, old, err);
    if (rc != RC_OK)
        doors_close(d);
    return rc;
}

void doors_close(struct doors *d)
{
    for (size_t i = 0; i < d->n; i++) {
        for (uint32_t w = 0; w < d->n_workers; w++) {
            if (d->door[i].fd[w] >= 0)
                close(d->door[i].fd[w]);
        }
    }
    d->n = 0;
}
