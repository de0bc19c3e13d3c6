/* The fence in front of every dial: may this address be reached through the gateway? Whoever dials for others
 * (flows, the fetcher of CRLs) asks it about the very address that is dialled then, after the look-up, so
 * that a name that leads elsewhere the second time gains nothing (threats.md rows 80, 99, 113, 141).
 *
 * Never: the gateway itself, its loopback, links, multicast, the services where clouds keep their secrets,
 * the management networks of the policy, in whatever dress (mapped, NAT64, 6to4, Teredo, ISATAP). By policy:
 * private ranges. */
#ifndef GW_NET_FENCE_H
#define GW_NET_FENCE_H

#include "gw/base/addr.h"

enum fence {
    FENCE_OK,
    FENCE_OWN,        /* an address of this machine */
    FENCE_LOCAL,      /* unspecified, loopback, link-local, multicast, broadcast */
    FENCE_METADATA,   /* where a cloud tells its machines their secrets */
    FENCE_MANAGEMENT, /* in a network that the policy keeps for management */
    FENCE_PRIVATE,    /* not an address of the internet, and not opened by the policy */
    FENCE_N
};

/* Everything borrowed; zeros: private addresses may be reached, and nothing is kept for management. */
struct fence_rules {
    bool private_block;
    const struct prefix *open; /* private ranges that may be reached all the same */
    size_t n_open;
    const struct prefix *management;
    size_t n_management;
};

/* By the address alone: never FENCE_OWN. Pure. */
enum fence fence_judge(const struct fence_rules *r, const struct addr *a);
/* The same, and the kernel is asked whether the address is one of this machine's (own.h). What cannot be
 * asked is not dialled. */
enum fence fence_dial(const struct fence_rules *r, const struct addr *a);
/* "own-address", "local-address", ...: for logs. Empty for FENCE_OK. */
const char *fence_name(enum fence g);

#endif
