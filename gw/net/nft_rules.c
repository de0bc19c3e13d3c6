/* From a plan to nft text; see nft.h. Nothing here touches the kernel.
 *
 * The text is a program for nftables, so nothing from the policy goes into it unchecked: addresses are
 * printed from binary, ports are numbers, and an interface name is letters, digits and three harmless marks.
 *
 * In prerouting, in this order: other protocols go their way; packets of connections that we have already go
 * straight to their socket (also answers to sockets bound to a client's address); what is for the machine
 * itself is left alone; the zones' ports are diverted. In forward what comes in on a zone's interface from a
 * source in no zone is refused; other interfaces are none of our business.
 *
 * A new plan meets packets in the middle of their way. The kernel changes all rules at once for a packet that
 * enters a base chain, but a base chain that is made anew is hooked in before its rules count, and the old
 * one is still there when its rules count no longer: a packet could pass both untouched, and its connection
 * would be refused by an origin that knows nothing of it. So our table and its base chains stay, and only the
 * rules in them are replaced. A set of networks, named or not, is not found in for a moment while it changes
 * (tests/net/test_nft.py showed it on Linux 6.18): each network has a rule of its own, which only the first
 * packet of a connection meets. */
#include "gw/net/nft.h"

#include <net/if.h>
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/net/route.h"

enum { QUIC_PORT = 443 };

static const char no_own[] = "add table inet perron { flags owner; }\n"
                             "delete table inet perron\n";
static const char keep_own[] = "add table inet perron { flags owner; }\n"
                               "flush table inet perron\n";
/* Nothing gets to it while we divert: it may be made anew. */
static const char no_closed[] = "add table inet perron_closed\n"
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
    TRY(buf_put_str(out, "{ "));
    for (size_t i = 0; i < p->n_ports; i++)
        TRY(buf_printf(out, "%s%u", i ? ", " : "", (unsigned)p->ports[i]));
    return buf_put_str(out, " }");
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

static enum rc put_line(struct buf *out, const struct nft_zone *z, const char *whom, const char *then)
{
    TRY(buf_put_str(out, "  "));
    if (z->interface.n)
        TRY(buf_printf(out, "iifname \"%.*s\" ", (int)z->interface.n, (const char *)z->interface.p));
    return buf_printf(out, "%s %s\n", whom, then);
}

static enum rc put_zone_lines(struct buf *out, const struct nft_zone *z, uint8_t family, const char *then)
{
    struct nets has = nets_of(z, family);
    char whom[ADDR_TEXT + 32], ip[ADDR_TEXT];
    if (z->n_nets && has.n == 0)
        return RC_OK;
    if (has.n == 0 || has.all)
        return put_line(out, z, family == 6 ? "meta nfproto ipv6" : "meta nfproto ipv4", then);
    for (size_t i = 0; i < z->n_nets; i++) {
        if (z->nets[i].a.family != family)
            continue;
        snprintf(whom, sizeof whom, "ip%s saddr %s/%u", family == 6 ? "6" : "", addr_text(&z->nets[i].a, ip),
                 (unsigned)z->nets[i].bits);
        TRY(put_line(out, z, whom, then));
    }
    return RC_OK;
}

static enum rc put_all_zones(struct buf *out, const struct nft_plan *p, const char *then)
{
    for (size_t i = 0; i < p->n_zones; i++) {
        TRY(put_zone_lines(out, &p->zones[i], 4, then));
        TRY(put_zone_lines(out, &p->zones[i], 6, then));
    }
    return RC_OK;
}

/* A chain that goes on to `then` for packets from any of the zones. */
static enum rc put_zones(struct buf *out, const struct nft_plan *p, const char *name, const char *then)
{
    TRY(buf_printf(out, " chain %s {\n", name));
    TRY(put_all_zones(out, p, then));
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
    TRY(buf_printf(out,
                   " chain divert {\n"
                   "  type filter hook prerouting priority mangle; policy accept;\n"
                   "  meta l4proto != tcp accept\n"
                   "  tcp dport != %s socket transparent 1 meta mark set %#x accept\n"
                   "  tcp dport != ",
                   ports, (unsigned)ROUTE_MARK));
    TRY(put_ports(out, p));
    return buf_put_str(out, " accept\n"
                            "  iif lo accept\n"
                            "  fib daddr type != unicast accept\n"
                            "  jump zones\n"
                            " }\n");
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

/* ---- forward: QUIC, strangers, and the ports that stay shut ---- */

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

/* Do people come in there, and nothing else? Where the internet is on the same interface, no source is
 * strange. */
static bool leads_to_people(const struct nft_plan *p, size_t zone)
{
    span name = p->zones[zone].interface;
    if (name.n == 0 || span_eq(name, p->internet))
        return false;
    for (size_t i = 0; i < zone; i++) {
        if (span_eq(p->zones[i].interface, name))
            return false; /* said before */
    }
    return true;
}

/* What comes in on a zone's interface from a source in no zone, IPv6 beside zones of IPv4 networks too. It is
 * answered, so that a client with two addresses tries the other at once. Without conntrack: what is no SYN
 * may belong to a connection that was opened from elsewhere, and an ICMP error belongs to something. */
static enum rc put_strangers(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, " counter no_zone {\n }\n chain strangers {\n"
                         "  tcp flags & (syn | ack) != syn return\n"));
    TRY(put_all_zones(out, p, "return"));
    return buf_put_str(
        out,
        "  icmp type { destination-unreachable, time-exceeded, parameter-problem } return\n"
        "  icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } return\n"
        "  counter name no_zone\n"
        "  meta l4proto tcp reject with tcp reset\n"
        "  reject with icmpx type admin-prohibited\n }\n");
}

/* Ours comes before that of the closed table, which finds nothing left to do while we run. */
static enum rc put_forward(struct buf *out, const struct nft_plan *p, bool closed)
{
    TRY(buf_printf(out, " chain forward {\n  type filter hook forward priority filter%s; policy accept;\n",
                   closed ? "" : " - 1"));
    if (closed) {
        TRY(buf_put_str(out, "  tcp dport "));
        TRY(put_ports(out, p));
        TRY(buf_put_str(out, " jump tcp_zones\n"));
    }
    if (p->quic_refuse)
        TRY(buf_printf(out, "  udp dport %d jump quic_zones\n", QUIC_PORT));
    for (size_t i = 0; i < p->n_zones; i++) {
        if (leads_to_people(p, i))
            TRY(put_line(out, &p->zones[i], "jump", "strangers"));
    }
    return buf_put_str(out, " }\n");
}

static enum rc put_own_table(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, "table inet perron {\n flags owner\n"));
    TRY(put_take(out, p));
    TRY(put_zones(out, p, "zones", "goto take"));
    TRY(put_divert(out, p));
    TRY(put_guard(out, p));
    TRY(put_own(out, p));
    if (p->quic_refuse)
        TRY(put_quic(out, p));
    TRY(put_strangers(out, p));
    TRY(put_forward(out, p, false));
    return buf_put_str(out, "}\n");
}

/* Refuses QUIC and strangers as well, so that it does so also when we are gone. */
static enum rc put_closed_table(struct buf *out, const struct nft_plan *p)
{
    TRY(buf_put_str(out, "table inet perron_closed {\n"));
    TRY(put_shut(out, p));
    if (p->quic_refuse)
        TRY(put_quic(out, p));
    TRY(put_strangers(out, p));
    TRY(put_forward(out, p, true));
    return buf_put_str(out, "}\n");
}

enum rc nft_rules_own(struct buf *out, const struct nft_plan *p, struct buf *err)
{
    TRY(check(p, err));
    if (nft_plan_empty(p))
        return buf_put_str(out, no_own);
    TRY(buf_put_str(out, keep_own));
    return put_own_table(out, p);
}

enum rc nft_rules_closed(struct buf *out, const struct nft_plan *p, struct buf *err)
{
    TRY(check(p, err));
    TRY(buf_put_str(out, no_closed));
    return nft_plan_empty(p) || !p->closed ? RC_OK : put_closed_table(out, p);
}
