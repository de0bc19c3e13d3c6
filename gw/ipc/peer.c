/* One end of a channel; see peer.h. On the wire a packet is [u16 type][payload], descriptors beside it.
 *
 * The receiver trusts nothing: type, direction, length, number of descriptors and `once` are checked against
 * msg.tbl before anybody sees the message, and every descriptor that came with a refused packet is closed.
 * What the kernel does not take at once waits in a queue bounded in messages and in bytes. A peer freed
 * inside one of its own callbacks stays in memory until that callback has returned. */
#include "gw/ipc/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"

enum { TYPE_BYTES = 2, SOCKET_BYTES = 4 * LIM_MSG_BYTES, READS_PER_TURN = 64 };

_Static_assert(MSG_N <= 64, "the `once` set is 64 bits");

struct waiting {
    struct waiting *next;
    int fds[PEER_MAX_FDS];
    size_t n_fds, n;
    uint8_t bytes[];
};

struct peer {
    struct ev *ev;
    struct ev_io io;
    enum role me, them;
    peer_on_msg on_msg;
    peer_on_end on_end;
    void *data;
    uint64_t once_seen;
    struct waiting *first, **last;
    size_t n_waiting, waiting_bytes;
    bool inside, dead; /* in a callback; freed by it */
    size_t in_cap;
    uint8_t in[]; /* one packet and a byte more, so that a longer one shows */
};

/* A packet as it came, before anything about it is believed. */
struct packet {
    int fds[PEER_MAX_FDS];
    size_t n_fds, n;
    bool cut; /* longer or with more descriptors than any row allows */
};

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* Longest packet that `them` may send to `me`. */
static size_t longest(enum role from, enum role to)
{
    struct msg_permit permit;
    size_t most = 0;
    for (unsigned t = 0; t < MSG_N; t++) {
        if (msg_permitted((enum msg_type)t, from, to, &permit) && permit.max_bytes > most)
            most = permit.max_bytes;
    }
    return most + TYPE_BYTES;
}

static void drop_waiting(struct peer *p)
{
    while (p->first) {
        struct waiting *w = p->first;
        p->first = w->next;
        close_all(w->fds, w->n_fds);
        free(w);
    }
    p->last = &p->first;
    p->n_waiting = p->waiting_bytes = 0;
}

static void release(struct peer *p)
{
    ev_unwatch(p->ev, &p->io);
    if (p->io.fd >= 0)
        close(p->io.fd);
    p->io.fd = -1;
    drop_waiting(p);
    p->dead = true;
    if (!p->inside)
        free(p);
}

void peer_free(struct peer *p)
{
    if (p && !p->dead)
        release(p);
}

void *peer_data(const struct peer *p)
{
    return p->data;
}

/* The channel is over: tell the owner once, then free. */
static void end(struct peer *p, enum rc rc)
{
    ev_unwatch(p->ev, &p->io);
    p->inside = true;
    p->on_end(p, rc);
    p->inside = false;
    if (p->dead)
        free(p);
    else
        release(p);
}

static enum rc refuse(struct peer *p, const char *why, unsigned type, size_t n)
{
    log_warn("channel to %s closed: %s (message %s, %zu bytes)", role_name(p->them), why,
             msg_name((enum msg_type)type), n);
    return RC_BAD;
}

/* ---- receiving ---- */

static void take_fds(struct msghdr *mh, struct packet *pk)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (pk->n_fds < PEER_MAX_FDS) {
                pk->fds[pk->n_fds++] = fd;
            } else { /* padding of the control buffer let one more in */
                pk->cut = true;
                close(fd);
            }
        }
    }
}

static enum rc receive(struct peer *p, struct packet *pk)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * PEER_MAX_FDS)];
    } control;
    struct iovec iov = {p->in, p->in_cap};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof control.bytes};
    *pk = (struct packet){.fds = {-1, -1, -1, -1}};
    ssize_t n = recvmsg(p->io.fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == ECONNRESET) /* reported once, ahead of what still waits to be read */
        n = recvmsg(p->io.fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? RC_AGAIN : RC_CLOSED;
    take_fds(&mh, pk);
    pk->n = (size_t)n;
    pk->cut |= (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    if (n == 0) { /* the end, or an empty packet, which is no message */
        close_all(pk->fds, pk->n_fds);
        return RC_CLOSED;
    }
    return RC_OK;
}

/* Is the packet one that this peer may send now? */
static enum rc judge(struct peer *p, const struct packet *pk, enum msg_type *type)
{
    struct msg_permit permit;
    if (pk->n < TYPE_BYTES)
        return refuse(p, "too short", MSG_N, pk->n);
    unsigned t = (unsigned)p->in[0] << 8 | p->in[1];
    size_t bytes = pk->n - TYPE_BYTES;
    if (!msg_permitted((enum msg_type)t, p->them, p->me, &permit))
        return refuse(p, "not permitted", t, bytes);
    if (pk->cut || bytes > permit.max_bytes)
        return refuse(p, "too long", t, bytes);
    if (pk->n_fds > permit.max_fds)
        return refuse(p, "too many descriptors", t, bytes);
    if (permit.once && (p->once_seen >> t & 1))
        return refuse(p, "sent twice", t, bytes);
    p->once_seen |= (uint64_t)permit.once << t;
    *type = (enum msg_type)t;
    return RC_OK;
}

/* One packet from the socket to the owner. CLOSED also when the owner freed the peer (then p->dead). */
static enum rc read_one(struct peer *p)
{
    struct packet pk;
    enum msg_type type;
    TRY(receive(p, &pk));
    enum rc rc = judge(p, &pk, &type);
    if (rc != RC_OK) {
        close_all(pk.fds, pk.n_fds);
        return rc;
    }
    p->inside = true;
    p->on_msg(p, type, span_of(p->in + TYPE_BYTES, pk.n - TYPE_BYTES), pk.fds, pk.n_fds);
    p->inside = false;
    return p->dead ? RC_CLOSED : RC_OK;
}

static void on_readable(struct peer *p)
{
    enum rc rc = RC_OK;
    for (int i = 0; i < READS_PER_TURN && rc == RC_OK; i++)
        rc = read_one(p);
    if (p->dead)
        free(p);
    else if (rc != RC_OK && rc != RC_AGAIN)
        end(p, rc);
}

/* ---- sending ---- */

static enum rc transmit(struct peer *p, const uint8_t type[TYPE_BYTES], span payload, const int *fds,
                        size_t n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * PEER_MAX_FDS)];
    } control = {0};
    struct iovec iov[2] = {{(void *)type, TYPE_BYTES}, {(void *)payload.p, payload.n}};
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
    if (n_fds) {
        mh.msg_control = control.bytes;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    if (sendmsg(p->io.fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return RC_OK;
    if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR || errno == ETOOMANYREFS)
        return RC_AGAIN; /* the last: too many descriptors in flight until the other side reads */
    return errno == EPIPE || errno == ECONNRESET ? RC_CLOSED : RC_IO;
}

static enum rc keep_fds(struct waiting *w, const int *fds, size_t n_fds)
{
    for (; w->n_fds < n_fds; w->n_fds++) {
        w->fds[w->n_fds] = fcntl(fds[w->n_fds], F_DUPFD_CLOEXEC, 0);
        if (w->fds[w->n_fds] < 0)
            return RC_IO;
    }
    return RC_OK;
}

static enum rc queue(struct peer *p, const uint8_t type[TYPE_BYTES], span payload, const int *fds,
                     size_t n_fds)
{
    if (p->n_waiting >= LIM_MSG_QUEUE || p->waiting_bytes + payload.n > LIM_MSG_QUEUE_BYTES)
        return RC_FULL;
    struct waiting *w = calloc(1, sizeof *w + TYPE_BYTES + payload.n);
    if (!w)
        return RC_NOMEM;
    if (keep_fds(w, fds, n_fds) != RC_OK || ev_watch(p->ev, &p->io, EPOLLIN | EPOLLOUT) != RC_OK) {
        close_all(w->fds, w->n_fds);
        free(w);
        return RC_IO;
    }
    w->n = TYPE_BYTES + payload.n;
    memcpy(w->bytes, type, TYPE_BYTES);
    if (payload.n)
        memcpy(w->bytes + TYPE_BYTES, payload.p, payload.n);
    *p->last = w;
    p->last = &w->next;
    p->n_waiting++;
    p->waiting_bytes += payload.n;
    return RC_OK;
}

enum rc peer_send(struct peer *p, enum msg_type type, span payload, const int *fds, size_t n_fds)
{
    struct msg_permit permit;
    const uint8_t head[TYPE_BYTES] = {(uint8_t)(type >> 8), (uint8_t)type};
    gw_assert(msg_permitted(type, p->me, p->them, &permit));
    gw_assert(n_fds <= permit.max_fds);
    if (payload.n > permit.max_bytes)
        return RC_LIMIT;
    if (p->dead)
        return RC_CLOSED;
    enum rc rc = p->first ? RC_AGAIN : transmit(p, head, payload, fds, n_fds);
    return rc == RC_AGAIN ? queue(p, head, payload, fds, n_fds) : rc;
}

/* The socket has room again. A failure shows on the reading side too, which ends the channel. */
static void on_writable(struct peer *p)
{
    while (p->first) {
        struct waiting *w = p->first;
        span payload = span_of(w->bytes + TYPE_BYTES, w->n - TYPE_BYTES);
        enum rc rc = transmit(p, w->bytes, payload, w->fds, w->n_fds);
        if (rc == RC_AGAIN)
            return;
        p->first = w->next;
        p->n_waiting--;
        p->waiting_bytes -= payload.n;
        close_all(w->fds, w->n_fds);
        free(w);
        if (rc != RC_OK)
            drop_waiting(p);
    }
    p->last = &p->first;
    if (ev_watch(p->ev, &p->io, EPOLLIN) != RC_OK)
        log_error("channel to %s: epoll refused a change", role_name(p->them));
}

static void on_event(struct ev_io *io, uint32_t events)
{
    struct peer *p = CONTAINER_OF(io, struct peer, io);
    if (events & EPOLLOUT)
        on_writable(p);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(p);
}

/* ---- making one ---- */

enum rc peer_new(struct ev *ev, int fd, enum role me, enum role them, peer_on_msg on_msg, peer_on_end on_end,
                 void *data, struct peer **out)
{
    size_t in_cap = longest(them, me) + 1;
    struct peer *p = calloc(1, sizeof *p + in_cap);
    if (!p) {
        close(fd);
        return RC_NOMEM;
    }
    p->ev = ev;
    p->io = (struct ev_io){.fd = fd, .cb = on_event};
    p->me = me;
    p->them = them;
    p->on_msg = on_msg;
    p->on_end = on_end;
    p->data = data;
    p->last = &p->first;
    p->in_cap = in_cap;
    if (ev_watch(ev, &p->io, EPOLLIN) != RC_OK) {
        release(p);
        return RC_IO;
    }
    *out = p;
    return RC_OK;
}

/* A whole message must fit into the buffer; where the system allows less, its default of 208 KiB does. It is
 * set here and not in peer_new(), because the two ends live behind sandboxes that do without setsockopt. */
enum rc peer_pair(int out[2])
{
    const int size = SOCKET_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out) < 0)
        return RC_IO;
    (void)setsockopt(out[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    (void)setsockopt(out[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return RC_OK;
}
