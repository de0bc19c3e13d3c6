/* Builds the bench's three networks with `ip` and `nft`. A namespace is made by unsharing ours for a moment
 * and keeping a descriptor of the new one; tools reach it as /proc/PID/fd/N. What the kernel limits per
 * namespace (ports, queues, reuse of closed connections) is widened, so that the load and not the namespace
 * is the limit. */
#include "bench/net.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "bench/say.h"
#include "bench/spawn.h"
#include "gw/base/obj.h"

struct net_line {
    enum net_place place;
    const char *line;
};

static const struct net_line LINES[] = {
    {NET_CLIENT, "ip link set lo up"},
    {NET_CLIENT, "ip addr add 10.32.1.2/24 dev cli0"},
    {NET_CLIENT, "ip link set cli0 up"},
    {NET_GATEWAY, "ip link set lo up"},
    {NET_GATEWAY, "ip addr add 10.32.1.1/24 dev lan0"},
    {NET_GATEWAY, "ip link set lan0 up"},
    {NET_GATEWAY, "ip addr add 198.51.100.1/24 dev wan0"},
    {NET_GATEWAY, "ip link set wan0 up"},
    {NET_INTERNET, "ip link set lo up"},
    {NET_INTERNET, "ip addr add 198.51.100.10/24 dev inet0"},
    {NET_INTERNET, "ip addr add 198.51.100.53/24 dev inet0"},
    {NET_INTERNET, "ip link set inet0 up"},
    {NET_CLIENT, "ip route add default via 10.32.1.1"},
    {NET_INTERNET, "ip route add 10.32.1.0/24 via 198.51.100.1"},
};

static const struct net_line DIVERT_ON[] = {
    {NET_GATEWAY, "ip rule add fwmark 1 lookup 100"},
    {NET_GATEWAY, "ip route add local 0.0.0.0/0 dev lo table 100"},
    {NET_GATEWAY, "nft add table ip bench"},
    {NET_GATEWAY, "nft add chain ip bench divert { type filter hook prerouting priority mangle ; }"},
    {NET_GATEWAY, "nft add rule ip bench divert iifname lan0 tcp dport { 80, 443 } tproxy to :3129 meta mark "
                  "set 1 accept"},
};

static const struct net_line DIVERT_OFF[] = {
    {NET_GATEWAY, "nft delete table ip bench"},
    {NET_GATEWAY, "ip route del local 0.0.0.0/0 dev lo table 100"},
    {NET_GATEWAY, "ip rule del fwmark 1 lookup 100"},
};

struct net_knob {
    const char *path, *value;
};

static const struct net_knob KNOBS[] = {
    {"/proc/sys/net/ipv4/ip_local_port_range", "10000 65535"},
    {"/proc/sys/net/ipv4/tcp_tw_reuse", "1"},
    {"/proc/sys/net/ipv4/tcp_max_syn_backlog", "16384"},
    {"/proc/sys/net/core/somaxconn", "16384"},
};

static enum rc run_lines(const struct net *n, const struct net_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY(spawn_line(n->ns[lines[i].place], n->log, lines[i].line));
    return RC_OK;
}

static enum rc write_knob(const struct net_knob *knob)
{
    AUTO_CLOSE int fd = open(knob->path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(knob->value);
    if (fd >= 0 && write(fd, knob->value, len) == (ssize_t)len)
        return RC_OK;
    say_error("cannot set %s to %s in a namespace of the bench", knob->path, knob->value);
    return RC_IO;
}

/* Unshares, keeps a descriptor, sets the knobs, and goes home again. */
static enum rc make_place(struct net *n, enum net_place place)
{
    enum rc rc = RC_OK;
    if (unshare(CLONE_NEWNET) != 0) {
        say_error("cannot make a network namespace: run as root (sudo perron-bench ...)");
        return RC_CONFIG;
    }
    n->ns[place] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < N_ELEMS(KNOBS) && rc == RC_OK; i++)
        rc = write_knob(&KNOBS[i]);
    if (setns(n->home, CLONE_NEWNET) != 0 || n->ns[place] < 0)
        return RC_IO;
    return rc;
}

/* A cable from the gateway to another place. */
static enum rc make_cable(const struct net *n, const char *near_end, const char *far_end,
                          enum net_place far_place)
{
    char line[160];
    snprintf(line, sizeof(line), "ip link add %s type veth peer name %s netns /proc/%d/fd/%d", near_end,
             far_end, (int)getpid(), n->ns[far_place]);
    return spawn_line(n->ns[NET_GATEWAY], n->log, line);
}

static enum rc build(struct net *n)
{
    n->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (n->home < 0)
        return RC_IO;
    for (enum net_place p = 0; p < NET_PLACES; p++)
        TRY(make_place(n, p));
    TRY(make_cable(n, "lan0", "cli0", NET_CLIENT));
    TRY(make_cable(n, "wan0", "inet0", NET_INTERNET));
    return run_lines(n, LINES, N_ELEMS(LINES));
}

enum rc net_up(struct net *n, const char *log)
{
    *n = (struct net){.ns = {-1, -1, -1}, .home = -1, .log = log};
    enum rc rc = build(n);
    if (rc != RC_OK)
        net_down(n);
    return rc;
}

void net_down(struct net *n)
{
    for (enum net_place p = 0; p < NET_PLACES; p++) {
        obj_close_p(&n->ns[p]);
        n->ns[p] = -1;
    }
    obj_close_p(&n->home);
    n->home = -1;
}

enum rc net_divert(struct net *n, bool on)
{
    if (!on && !n->diverted)
        return RC_OK;
    n->diverted = on;
    return on ? run_lines(n, DIVERT_ON, N_ELEMS(DIVERT_ON)) : run_lines(n, DIVERT_OFF, N_ELEMS(DIVERT_OFF));
}

enum rc net_forward(struct net *n, bool on)
{
    TRY(net_enter(n, NET_GATEWAY));
    enum rc rc = write_knob(&(struct net_knob){"/proc/sys/net/ipv4/ip_forward", on ? "1" : "0"});
    enum rc home = net_enter(n, NET_PLACES);
    return rc == RC_OK ? home : rc;
}

enum rc net_enter(struct net *n, enum net_place place)
{
    int fd = place == NET_PLACES ? n->home : n->ns[place];
    return fd >= 0 && setns(fd, CLONE_NEWNET) == 0 ? RC_OK : RC_IO;
}
