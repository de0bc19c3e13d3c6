/* What of the clients' traffic comes to us: plain records (struct nft_plan) become rules of nftables, and the
 * policy routing that goes with them (gw/net/route.h). At no moment of a change does a packet that both plans
 * divert pass, nor is it refused. Forwarded traffic that comes in on a zone's interface from a source in no
 * zone is refused and counted (counter no_zone of the table). Master only; needs CAP_NET_ADMIN.
 *
 * Two tables. `perron` diverts (TPROXY) and is owned by our netlink socket, so the kernel removes it the
 * moment this process is gone, however it ended. `perron_closed` (only with `on gateway-down closed`) shuts
 * the diverted ports in forward; while we run nothing that it stops gets there, and it stays when we are
 * gone, until the next start takes it over or nft_release() removes it. Rule and route are removed by
 * nft_stop() or, after our death, by the keeper. */
#ifndef GW_NET_NFT_H
#define GW_NET_NFT_H

#include "gw/base/addr.h"

struct nft_zone {
    span interface; /* empty: by network alone */
    const struct prefix *nets;
    size_t n_nets; /* 0: by interface alone */
};

/* Where diverted connections of one family are handed to; port 0: this family is not diverted. */
struct nft_target {
    struct addr addr; /* family 0: a listener on all addresses */
    uint16_t port;
};

struct nft_plan {
    const struct nft_zone *zones; /* all zones but the internet */
    size_t n_zones;
    span internet;         /* interface of the internet, empty: not said; nobody is a stranger there */
    const uint16_t *ports; /* TCP ports to divert */
    size_t n_ports;
    struct nft_target to4, to6;
    uint32_t uid_first, uid_last; /* our own processes: never diverted, counted */
    bool quic_refuse; /* UDP 443 is answered with port-unreachable: browsers fall back to TCP at once */
    bool closed;      /* on gateway-down closed */
};

/* Is there anything to divert? */
static inline bool nft_plan_empty(const struct nft_plan *p)
{
    return p->n_zones == 0 || p->n_ports == 0 || (p->to4.port == 0 && p->to6.port == 0);
}
/* The two tables as nft text, each atomic; `perron` is loaded first, for nothing that it diverts gets to the
 * other. CONFIG with one line in `err` when the plan makes no sense. Pure. */
enum rc nft_rules_own(struct buf *out, const struct nft_plan *plan, struct buf *err) MUST_USE;
enum rc nft_rules_closed(struct buf *out, const struct nft_plan *plan, struct buf *err) MUST_USE;

struct nft;

/* Takes the place of the one gateway that diverts in this network namespace; waits a moment for the keeper of
 * a predecessor. CONFIG with one line in `err` when another gateway runs. */
enum rc nft_open(struct nft **out, struct buf *err) MUST_USE;
/* Puts the plan into force in place of the one before; on failure that one stays. A plan without
 * zones or ports diverts nothing and removes what an earlier run left closed. */
enum rc nft_apply(struct nft *n, const struct nft_plan *plan, struct buf *err) MUST_USE;
/* Orderly end: nothing is diverted any more; closed zones stay closed. */
enum rc nft_stop(struct nft *n, struct buf *err) MUST_USE;
/* The descriptor by which the place is held: given to the keeper, so that the next gateway waits for it. */
int nft_place(const struct nft *n);
/* Without nft_stop() before, this is like our death: the kernel removes the owned table. NULL is fine. */
void nft_close(struct nft *n);

/* Removes all there is of us, closed zones too, when no gateway runs. */
enum rc nft_release(struct buf *err) MUST_USE;

#endif
