/* The opener: gives workers sockets bound to a client's address (`source keep`), which needs CAP_NET_ADMIN
 * and which a worker therefore cannot do itself. It parses nothing but its own messages, and a socket that it
 * gives away is neither connected nor listening.
 *
 * A worker may be captured, so it gets no socket for an address of the machine itself, for a group, or for a
 * well-known port; a request of the wrong size closes that worker's channel. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/role.h"

enum { FIRST_PORT = 1024, REQUEST_BYTES = 8 + 1 + 2 + 16 };

struct client {
    struct role_ctx *ctx;
    struct peer *peer;
};

static struct client clients[LIM_WORKERS];

static bool set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

/* With port 0 the kernel chooses one at connect(), when it knows the other end too. */
static bool prepare(int fd, bool v6, uint16_t port)
{
    bool ok = v6 ? set_on(fd, IPPROTO_IPV6, IPV6_TRANSPARENT) : set_on(fd, IPPROTO_IP, IP_TRANSPARENT);
    ok = ok && set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    return ok && (port != 0 || set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT));
}

/* A bound socket, or -1 with errno. */
static int bound(const struct addr *a, uint16_t port)
{
    struct sockaddr_storage ss;
    socklen_t n = addr_to_sockaddr(a, port, &ss);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (prepare(fd, a->family == 6, port) && bind(fd, (struct sockaddr *)&ss, n) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static bool allowed(const struct addr *a, uint16_t port)
{
    return !addr_is_local(a) && (port == 0 || port >= FIRST_PORT);
}

static enum rc answer(struct client *c, uint64_t id, int fd, int err)
{
    struct buf b = {0};
    enum rc rc = buf_put_u64(&b, id);
    if (rc == RC_OK)
        rc = buf_put_u32(&b, (uint32_t)err);
    if (rc == RC_OK)
        rc = peer_send(c->peer, MSG_SRCSOCK, buf_span(&b), &fd, fd >= 0);
    buf_fini(&b);
    return rc;
}

static enum rc serve(struct client *c, span payload)
{
    struct rd r = rd_of(payload);
    struct addr a = {0};
    uint64_t id = rd_u64(&r);
    a.family = rd_u8(&r);
    uint16_t port = rd_u16(&r);
    span bytes = rd_bytes(&r, sizeof a.b);
    if (r.bad || payload.n != REQUEST_BYTES || (a.family != 4 && a.family != 6))
        return RC_BAD;
    memcpy(a.b, bytes.p, sizeof a.b);
    if (!allowed(&a, port))
        return answer(c, id, -1, EACCES);
    AUTO_CLOSE int fd = bound(&a, port);
    return answer(c, id, fd, fd < 0 ? errno : 0);
}

static void drop(struct client *c)
{
    peer_free(c->peer);
    c->peer = NULL;
}

static void on_worker_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct client *c = peer_data(p);
    (void)fds;
    (void)n_fds; /* its row allows none */
    enum rc rc = t == MSG_SRCSOCK_REQ ? serve(c, payload) : RC_BAD;
    if (rc == RC_OK)
        return;
    log_warn("opener: worker %d: %s: its channel is closed", (int)(c - clients), rc_text(rc));
    drop(c);
}

static void on_worker_end(struct peer *p, enum rc rc)
{
    struct client *c = peer_data(p);
    (void)rc;
    c->peer = NULL;
}

static enum rc take_worker(struct role_ctx *ctx, span payload, int *fd)
{
    struct rd r = rd_of(payload);
    uint32_t worker = rd_u32(&r);
    if (r.bad || worker >= LIM_WORKERS)
        return RC_BAD;
    struct client *c = &clients[worker];
    drop(c); /* its predecessor's */
    c->ctx = ctx;
    int taken = *fd;
    *fd = -1;
    return peer_new(ctx->ev, taken, ROLE_OPENER, ROLE_WORKER, on_worker_msg, on_worker_end, c, &c->peer);
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    enum rc rc = t == MSG_OPENER_PEER && n_fds == 1 ? take_worker(ctx, payload, &fds[0]) : RC_BAD;
    if (rc != RC_OK)
        log_warn("opener: message %s: %s", msg_name(t), rc_text(rc));
    for (size_t i = 0; i < n_fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static enum rc start(struct role_ctx *ctx)
{
    return role_ready(ctx);
}

const struct role_ops opener_ops = {.role = ROLE_OPENER, .start = start, .on_msg = on_msg};
