/* What a captured process may put on its channel: first byte chooses sender and receiver, then packets, each
 * behind a u16 length, its first byte's top bits saying how many descriptors go along. Whatever comes, the
 * receiver closes the channel or hands over a message that its row permits; it never keeps a descriptor that
 * it did not hand over. */
#include <stdint.h>
#include <sys/socket.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct peer *us;
    enum role me, them;
    uint64_t once;
};

static void on_msg(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds)
{
    struct world *w = peer_data(p);
    struct msg_permit permit;
    gw_assert(msg_permitted(type, w->them, w->me, &permit));
    gw_assert(payload.n <= permit.max_bytes && n_fds <= permit.max_fds);
    gw_assert(!permit.once || !(w->once >> type & 1));
    w->once |= (uint64_t)permit.once << type;
    struct role_config c;
    if (type == MSG_CONFIG && role_config_get(payload, &c) == RC_OK)
        gw_assert(c.index <= LIM_WORKERS && c.n_resolvers <= N_ELEMS(c.resolver));
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static void on_end(struct peer *p, enum rc rc)
{
    struct world *w = peer_data(p);
    (void)rc;
    w->us = NULL;
}

static void send_packet(int fd, span packet, size_t n_fds)
{
    static const int fds[8];
    char control[CMSG_SPACE(sizeof fds)] __attribute__((aligned(16))) = {0};
    struct iovec iov = {(void *)packet.p, packet.n};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    if (n_fds) {
        mh.msg_control = control;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * n_fds)};
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    if (sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
}

static int lowest_free_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));
    int pair[2], before = lowest_free_fd();
    struct ev *ev;
    uint8_t who = rd_u8(&r);
    struct world w = {.me = (enum role)(who % ROLE_N), .them = (enum role)(who / ROLE_N % ROLE_N)};
    log_setup("fuzz", LOG_ERROR);
    gw_assert(ev_new(&ev) == RC_OK && peer_pair(pair) == RC_OK);
    gw_assert(peer_new(ev, pair[0], w.me, w.them, on_msg, on_end, &w, &w.us) == RC_OK);
    while (w.us && rd_left(&r)) {
        uint8_t n_fds = rd_u8(&r) & 7;
        send_packet(pair[1], rd_vec16(&r), n_fds);
        gw_assert(ev_turn(ev, 0) == RC_OK);
    }
    peer_free(w.us);
    close(pair[1]);
    ev_free(ev);
    gw_assert(lowest_free_fd() == before);
    return 0;
}
