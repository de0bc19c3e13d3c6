/* Policy routing by rtnetlink; see route.h. One request, one acknowledgement, on a socket of its own that is
 * closed at once: nothing here is done often. Adding is exclusive, so "exists" is known from "added": the
 * same rule left by a gateway that was killed is taken over. */
#include "gw/net/route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { LOOPBACK = 1 /* the first device of every network namespace */, ANSWER_S = 5 };

struct request {
    struct nlmsghdr head;
    union {
        struct rtmsg route;
        struct fib_rule_hdr rule;
    };
    uint8_t attrs[64];
};

static void put_attr(struct request *q, uint16_t type, uint32_t value)
{
    struct rtattr a = {.rta_len = RTA_LENGTH(sizeof value), .rta_type = type};
    uint8_t *at = (uint8_t *)q + NLMSG_ALIGN(q->head.nlmsg_len);
    gw_assert(at + RTA_SPACE(sizeof value) <= (uint8_t *)(q + 1));
    memcpy(at, &a, sizeof a);
    memcpy(at + RTA_LENGTH(0), &value, sizeof value);
    q->head.nlmsg_len = NLMSG_ALIGN(q->head.nlmsg_len) + (uint32_t)RTA_SPACE(sizeof value);
}

/* 0 or the kernel's errno, positive. */
static int acknowledgement(int fd)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr err;
        uint8_t rest[512];
    } a;
    ssize_t n = recv(fd, &a, sizeof a, 0);
    if (n < 0)
        return errno;
    if ((size_t)n < sizeof a.head + sizeof a.err || a.head.nlmsg_type != NLMSG_ERROR)
        return EPROTO;
    return -a.err.error;
}

static int ask(struct request *q)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct timeval patience = {.tv_sec = ANSWER_S};
    AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    q->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0)
        return errno;
    if (sendto(fd, q, q->head.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return errno;
    return acknowledgement(fd);
}

static int ask_rule(const struct route_divert *d, uint16_t type, uint16_t flags, uint8_t family)
{
    struct request q = {
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof q.rule), .nlmsg_type = type, .nlmsg_flags = flags},
        .rule = {.family = family, .action = FR_ACT_TO_TBL},
    };
    put_attr(&q, FRA_PRIORITY, d->pref);
    put_attr(&q, FRA_FWMARK, d->mark);
    put_attr(&q, FRA_FWMASK, UINT32_MAX);
    put_attr(&q, FRA_TABLE, d->table);
    return ask(&q);
}

static int ask_route(const struct route_divert *d, uint16_t type, uint16_t flags, uint8_t family)
{
    struct request q = {
        .head = {.nlmsg_len = NLMSG_LENGTH(sizeof q.route), .nlmsg_type = type, .nlmsg_flags = flags},
        .route = {.rtm_family = family,
                  .rtm_type = RTN_LOCAL,
                  .rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
                  .rtm_protocol = RTPROT_STATIC},
    };
    put_attr(&q, RTA_TABLE, d->table);
    put_attr(&q, RTA_OIF, LOOPBACK);
    return ask(&q);
}

static bool no_such_family(int err)
{
    return err == EAFNOSUPPORT || err == EOPNOTSUPP;
}

static int add_family(const struct route_divert *d, uint8_t family)
{
    enum { ONCE = NLM_F_CREATE | NLM_F_EXCL };
    int err = ask_route(d, RTM_NEWROUTE, ONCE, family);
    if (err == 0 || err == EEXIST)
        err = ask_rule(d, RTM_NEWRULE, ONCE, family);
    return err == EEXIST ? 0 : err;
}

static enum rc explain(int err, struct buf *text)
{
    const char *remedy = err == EPERM      ? "; perrond must be started by root"
                         : err == ENETDOWN ? "; the loopback interface is down (ip link set lo up)"
                                           : "";
    enum rc rc = buf_printf(text, "policy routing for diverted packets: %s%s\n", strerror(err), remedy);
    return rc == RC_OK ? RC_IO : rc;
}

enum rc route_divert_add(const struct route_divert *d, struct buf *text)
{
    int err = add_family(d, AF_INET);
    if (err == 0) {
        err = add_family(d, AF_INET6);
        if (no_such_family(err))
            return RC_OK;
    }
    return err == 0 ? RC_OK : explain(err, text);
}

/* Until the kernel has no more of it, should somebody have added it twice. */
static int remove_all(const struct route_divert *d, uint8_t family)
{
    int rule = 0, route = 0;
    for (int i = 0; rule == 0 && i < 8; i++)
        rule = ask_rule(d, RTM_DELRULE, 0, family);
    for (int i = 0; route == 0 && i < 8; i++)
        route = ask_route(d, RTM_DELROUTE, 0, family);
    bool rule_ok = rule == 0 || rule == ENOENT || no_such_family(rule);
    bool route_ok = route == 0 || route == ESRCH || route == ENOENT || no_such_family(route);
    return rule_ok ? route_ok ? 0 : route : rule;
}

enum rc route_divert_remove(const struct route_divert *d)
{
    int v4 = remove_all(d, AF_INET), v6 = remove_all(d, AF_INET6);
    errno = v4 ? v4 : v6;
    return v4 || v6 ? RC_IO : RC_OK;
}
