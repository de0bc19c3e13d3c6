/* From a plan to nft text; see nft.h. Nothing here touches the kernel.
 *
 * The text is a program for nftables, so nothing from the policy goes into it unchecked: addresses are
 * printed from binary, ports are numbers, and an interface name is letters, digits and three harmless marks.
 *
 * In prerouting, in this order: other protocols go their way; packets of connections that we have already go
 * straight to their socket (also answers to sockets bound to a client's address); what is for the machine
 * itself is left alone; the zones' ports are diverted. Sets of networks merge what overlaps. */
#include "gw/net/nft.h"

#include <net/if.h>
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/net/route.h"

enum { QUIC_PORT = 443 };

static const char head_own[] = "add table inet perron { flags owner; }\n"
                               "delete table inet perron\n";
static const char head_closed[] = "add table inet perron_closed\n"
                                  "delete table inet perron_closed\n";

/* ---- is the plan sound? ---- */

static enum rc refuse(struct buf *err, const char *what, size_t zone)
{
    enum rc rc = buf_printf(err, "zone %zu of the divert plan: %s\n", zone + 1, what);
    return rc == RC_OK ? RC_CONFIG : rc;
}

static bool interface_ok(span s)
{
    if (s.n >= IFNAMSIZ)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool plain = (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
        if (!plain && c != '.' && c != '-' && c != '_')
            return false;
    }
    return true;
}

static enum rc check(const struct nft_plan *p, struct buf *err)
{
    for (size_t i = 0; i < p->n_zones; i++) {
        const struct nft_zone *z = &p->zones[i];
        if (!interface_ok(z->interface))
            return refuse(err, "not the name of an interface", i);
        if (z->interface.n == 0 && z->n_nets == 0)
            return refuse(err, "neither interface nor network", i);
    }
    return RC_OK;
}

/* ---- pieces ---- */

static enum rc put_ports(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, " set ports {\n  type inet_service\n  elements = { "));
    for (size_t i = 0; i < p->n_ports; i++)
        TRY(buf_printf(out, "%s%u", i ? ", " : "", (unsigned)p->ports[i]));
    return buf_put_str(out, " }\n }\n");
}

struct nets {
    size_t n;
    bool all; /* one of them is the whole address space */
};

static struct nets nets_of(const struct nft_zone *z, uint8_t family)
{
    struct nets r = {0};
    for (size_t i = 0; i < z->n_nets; i++) {
        r.n += z->nets[i].a.family == family;
        r.all |= z->nets[i].a.family == family && z->nets[i].bits == 0;
    }
    return r;
}

static enum rc put_net_set(struct buf *out, const struct nft_zone *z, size_t zone, uint8_t family)
{
    struct nets has = nets_of(z, family);
    bool first = true;
    if (has.n == 0 || has.all)
        return RC_OK;
    TRY(buf_printf(out,
                   " set zone%zu_v%u {\n  type ipv%u_addr\n  flags interval\n  auto-merge\n  elements = { ",
                   zone, family, family));
    for (size_t i = 0; i < z->n_nets; i++) {
        char text[ADDR_TEXT];
        if (z->nets[i].a.family != family)
            continue;
        TRY(buf_printf(out, "%s%s/%u", first ? "" : ", ", addr_text(&z->nets[i].a, text), z->nets[i].bits));
        first = false;
    }
    return buf_put_str(out, " }\n }\n");
}

static enum rc put_sets(struct buf *out, const struct nft_plan *p)
{
    TRY(put_ports(out, p));
    for (size_t i = 0; i < p->n_zones; i++) {
        TRY(put_net_set(out, &p->zones[i], i, 4));
        TRY(put_net_set(out, &p->zones[i], i, 6));
    }
    return RC_OK;
}

static enum rc put_zone_line(struct buf *out, const struct nft_plan *p, size_t zone, uint8_t family,
                             const char *then)
{
    const struct nft_zone *z = &p->zones[zone];
    struct nets has = nets_of(z, family);
    if (z->n_nets && has.n == 0)
        return RC_OK;
    TRY(buf_put_str(out, "  "));
    if (z->interface.n)
        TRY(buf_printf(out, "iifname \"%.*s\" ", (int)z->interface.n, (const char *)z->interface.p));
    if (has.n == 0 || has.all)
        TRY(buf_printf(out, "meta nfproto ipv%u ", family));
    else
        TRY(buf_printf(out, "ip%s saddr @zone%zu_v%u ", family == 6 ? "6" : "", zone, family));
    return buf_printf(out, "%s\n", then);
}

/* A chain that goes on to `then` for packets from any of the zones. */
static enum rc put_zones(struct buf *out, const struct nft_plan *p, const char *name, const char *then)
{
    TRY(buf_printf(out, " chain %s {\n", name));
    for (size_t i = 0; i < p->n_zones; i++) {
        TRY(put_zone_line(out, p, i, 4, then));
        TRY(put_zone_line(out, p, i, 6, then));
    }
    return buf_put_str(out, " }\n");
}

/* ---- the table that diverts ---- */

static enum rc put_take_line(struct buf *out, const struct nft_target *to, unsigned family)
{
    char text[ADDR_TEXT] = "";
    bool v6 = family == 6;
    if (to->port == 0)
        return RC_OK;
    if (to->addr.family)
        addr_text(&to->addr, text);
    return buf_printf(out,
                      "  meta l4proto tcp meta nfproto ipv%u tproxy ip%s to %s%s%s:%u meta mark set %#x "
                      "counter name diverted accept\n",
                      family, v6 ? "6" : "", v6 && text[0] ? "[" : "", text, v6 && text[0] ? "]" : "",
                      (unsigned)to->port, (unsigned)ROUTE_MARK);
}

static enum rc put_take(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, " counter diverted {\n }\n chain take {\n"));
    TRY(put_take_line(out, &p->to4, 4));
    TRY(put_take_line(out, &p->to6, 6));
    return buf_put_str(out, " }\n");
}

/* Our listeners' ports as an nft expression. */
static void listen_ports(const struct nft_plan *p, char out[32])
{
    unsigned a = p->to4.port ? p->to4.port : p->to6.port, b = p->to6.port ? p->to6.port : a;
    if (a == b)
        snprintf(out, 32, "%u", a);
    else
        snprintf(out, 32, "{ %u, %u }", a, b);
}

/* A listener takes any destination address, so `socket transparent` would match it for its own port: that
 * port is left to the rules below. */
static enum rc put_divert(struct buf *out, const struct nft_plan *p)
{
    char ports[32];
    listen_ports(p, ports);
    return buf_printf(out,
                      " chain divert {\n"
                      "  type filter hook prerouting priority mangle; policy accept;\n"
                      "  meta l4proto != tcp accept\n"
                      "  tcp dport != %s socket transparent 1 meta mark set %#x accept\n"
                      "  tcp dport != @ports accept\n"
                      "  iif lo accept\n"
                      "  fib daddr type != unicast accept\n"
                      "  jump zones\n"
                      " }\n",
                      ports, (unsigned)ROUTE_MARK);
}

/* Who connects to the listener by its own address would have us connect to ourselves. */
static enum rc put_guard(struct buf *out, const struct nft_plan *p)
{
    char ports[32];
    listen_ports(p, ports);
    return buf_printf(out,
                      " chain guard {\n"
                      "  type filter hook input priority filter; policy accept;\n"
                      "  tcp dport %s meta mark != %#x reject with tcp reset\n"
                      " }\n",
                      ports, (unsigned)ROUTE_MARK);
}

/* Connections that our own processes open. They start in output, which nothing here diverts; the counter
 * tells them apart from everything else that the machine does. */
static enum rc put_own(struct buf *out, const struct nft_plan *p)
{
    return buf_printf(out,
                      " counter own_flows {\n }\n"
                      " chain own {\n"
                      "  type filter hook output priority mangle; policy accept;\n"
                      "  tcp flags & (syn | ack) == syn meta skuid %u-%u counter name own_flows accept\n"
                      " }\n",
                      (unsigned)p->uid_first, (unsigned)p->uid_last);
}

/* ---- forward: QUIC, and the ports that stay shut ---- */

static enum rc put_quic(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, " counter quic_refused {\n }\n chain refuse_quic {\n"
                         "  counter name quic_refused reject with icmpx type port-unreachable\n }\n"));
    return put_zones(out, p, "quic_zones", "goto refuse_quic");
}

static enum rc put_shut(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, " counter shut {\n }\n chain shut_tcp {\n  counter name shut drop\n }\n"));
    return put_zones(out, p, "tcp_zones", "goto shut_tcp");
}

static enum rc put_forward(struct buf *out, const struct nft_plan *p, bool tcp)
{
    TRY(buf_put_str(out, " chain forward {\n  type filter hook forward priority filter; policy accept;\n"));
    if (tcp)
        TRY(buf_put_str(out, "  tcp dport @ports jump tcp_zones\n"));
    if (p->quic_refuse)
        TRY(buf_printf(out, "  udp dport %d jump quic_zones\n", QUIC_PORT));
    return buf_put_str(out, " }\n");
}

static enum rc put_own_table(struct buf *out, const struct nft_plan *p)
{
    bool quic_here = p->quic_refuse && !p->closed;
    TRY(buf_put_str(out, "table inet perron {\n flags owner\n"));
    TRY(put_sets(out, p));
    TRY(put_take(out, p));
    TRY(put_zones(out, p, "zones", "goto take"));
    TRY(put_divert(out, p));
    TRY(put_guard(out, p));
    TRY(put_own(out, p));
    if (quic_here) {
        TRY(put_quic(out, p));
        TRY(put_forward(out, p, false));
    }
    return buf_put_str(out, "}\n");
}

/* Refuses QUIC as well, so that it does so also when we are gone. */
static enum rc put_closed_table(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, "table inet perron_closed {\n"));
    TRY(put_sets(out, p));
    TRY(put_shut(out, p));
    if (p->quic_refuse)
        TRY(put_quic(out, p));
    TRY(put_forward(out, p, true));
    return buf_put_str(out, "}\n");
}

enum rc nft_rules(struct buf *out, const struct nft_plan *p, struct buf *err)
{
    TRY(check(p, err));
    TRY(buf_put_str(out, head_own));
    TRY(buf_put_str(out, head_closed));
    if (nft_plan_empty(p))
        return RC_OK;
    TRY(put_own_table(out, p));
    return p->closed ? put_closed_table(out, p) : RC_OK;
}
