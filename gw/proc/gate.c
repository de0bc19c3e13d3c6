/* What of the clients' traffic comes to us: zones and ports of the policy become the records that
 * gw/net/nft.h loads. Opened last of all at the start and closed before the helpers at the end, so that
 * nothing is led to processes that are not there. A policy without a transparent listener, or without a zone
 * to divert, touches no rule of the machine. */
#include <net/if.h>
#include <string.h>

#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/net/nft.h"
#include "gw/proc/master_int.h"
#include "gw/proc/sandbox.h"

enum { ZONES = 256, NETWORKS = 4096 };

/* A plan and the memory it points into. */
struct draft {
    struct nft_plan plan;
    struct nft_zone zones[ZONES];
    struct prefix nets[NETWORKS];
    size_t n_nets;
};
static struct draft draft; /* too large for the stack; one load at a time */

static void add_target(struct nft_plan *p, const struct set_listen *l)
{
    struct nft_target to = {l->addr, l->port};
    if (l->kind != LISTEN_TRANSPARENT)
        return;
    if (l->addr.family != 6 && p->to4.port == 0)
        p->to4 = to;
    if (l->addr.family != 4 && p->to6.port == 0)
        p->to6 = to;
}

static enum rc add_zone(struct draft *d, const struct snapshot *s, uint16_t number)
{
    const struct set_zone *z = snapshot_zone(s, number);
    if (z->internet) {
        d->plan.internet = z->interface;
        return RC_OK;
    }
    if (d->plan.n_zones == ZONES || d->n_nets + z->n_networks > NETWORKS)
        return RC_LIMIT;
    d->zones[d->plan.n_zones++] =
        (struct nft_zone){.interface = z->interface, .nets = d->nets + d->n_nets, .n_nets = z->n_networks};
    for (uint16_t i = 0; i < z->n_networks; i++) {
        struct set_prefix p = snapshot_zone_network(s, number, i);
        d->nets[d->n_nets++] = (struct prefix){p.addr, p.bits};
    }
    return RC_OK;
}

static enum rc draw(struct draft *d, const struct snapshot *s)
{
    const struct settings *set = snapshot_settings(s);
    struct facts nothing = {.time_s = clock_wall_s(), .zone = ZONE_NONE};
    d->n_nets = 0;
    d->plan = (struct nft_plan){.zones = d->zones,
                                .ports = set->port,
                                .n_ports = set->n_ports,
                                .uid_first = SANDBOX_UID_BASE,
                                .uid_last = SANDBOX_UID_WORKER + LIM_WORKERS - 1,
                                .quic_refuse = true};
    d->plan.closed = snapshot_on(s, ON_GATEWAY_DOWN, &nothing) != ANSWER_OPEN;
    for (unsigned i = 0; i < set->n_listen; i++)
        add_target(&d->plan, &set->listen[i]);
    for (uint16_t z = 0; z < set->n_zones; z++)
        TRY(add_zone(d, s, z));
    return RC_OK;
}

void gate_feed_keeper(struct child *keeper)
{
    const uint8_t diverts = 1;
    int place = keeper->m->nft ? nft_place(keeper->m->nft) : -1;
    if (place >= 0)
        child_send(keeper, MSG_PLAN, span_of(&diverts, 1), &place, 1);
}

/* The keeper knows of it before the first rule is there. */
static enum rc take_place(struct master *m, struct buf *err)
{
    TRY(nft_open(&m->nft, err));
    gate_feed_keeper(&m->single[ROLE_KEEPER]);
    return RC_OK;
}

/* A rule for an interface that is not there would load and divert nothing. */
static enum rc interfaces_are_there(const struct snapshot *s, struct buf *err)
{
    char name[IF_NAMESIZE];
    for (uint16_t z = 0; z < snapshot_settings(s)->n_zones; z++) {
        const struct set_zone *zone = snapshot_zone(s, z);
        if (zone->interface.n == 0)
            continue;
        bool fits = zone->interface.n < sizeof name;
        if (fits) {
            memcpy(name, zone->interface.p, zone->interface.n);
            name[zone->interface.n] = '\0';
        }
        if (fits && if_nametoindex(name) != 0)
            continue;
        enum rc rc =
            buf_printf(err, "zone %.*s: this machine has no interface %.*s; `ip link` lists those it has\n",
                       (int)zone->name.n, (const char *)zone->name.p, (int)zone->interface.n,
                       (const char *)zone->interface.p);
        return rc == RC_OK ? RC_CONFIG : rc;
    }
    return RC_OK;
}

enum rc gate_open(struct master *m, const struct snapshot *s, struct buf *err)
{
    TRY(interfaces_are_there(s, err));
    if (draw(&draft, s) != RC_OK)
        return buf_printf(err, "more zones or networks than %d and %d\n", ZONES, NETWORKS) == RC_OK
                   ? RC_CONFIG
                   : RC_NOMEM;
    if (nft_plan_empty(&draft.plan) && !m->nft)
        return RC_OK;
    if (!m->nft)
        TRY(take_place(m, err));
    return nft_apply(m->nft, &draft.plan, err);
}

void gate_close(struct master *m)
{
    struct buf err = {0};
    if (!m->nft)
        return;
    if (nft_stop(m->nft, &err) != RC_OK)
        log_error("our rules could not be removed: %.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
    nft_close(m->nft);
    m->nft = NULL;
    buf_fini(&err);
}
