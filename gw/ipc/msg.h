/* Roles, message types and the permit table, generated from msg.tbl; payload structs and their put/get. */
#ifndef GW_IPC_MSG_H
#define GW_IPC_MSG_H

#include "gw/base/addr.h"
#include "gw/base/limits.h"

enum role {
#define R(id, name, text) ROLE_##id,
#include "gw/ipc/role.tbl"
#undef R
    ROLE_N
};
const char *role_name(enum role r);
const char *role_text(enum role r);
/* Role of a name as given after --role, or ROLE_N. */
enum role role_find(const char *name);

enum msg_type {
#define M(id, from, to, bytes, fds, times, text) MSG_##id,
#include "gw/ipc/msg.tbl"
#undef M
    MSG_N
};
const char *msg_name(enum msg_type t);
/* May `from` send t to `to`? Fills the limits of its row. */
struct msg_permit {
    size_t max_bytes, max_fds;
    bool once;
};
bool msg_permitted(enum msg_type t, enum role from, enum role to, struct msg_permit *out);

/* MSG_CONFIG: what every child needs to know about itself. */
struct role_config {
    uint32_t index; /* worker number, 0 otherwise */
    uint64_t boot;  /* random, one per start of the gateway */
    int64_t clock_offset_us;
    uint32_t node; /* 0..31, first character of decision codes */
    uint8_t log_level;
    char node_name[64];
    /* The system's resolvers (/etc/resolv.conf, read by the master), for a policy that names none. */
    uint8_t n_resolvers;
    struct addr resolver[4];
};
enum rc role_config_put(struct buf *b, const struct role_config *c) MUST_USE;
enum rc role_config_get(span in, struct role_config *c) MUST_USE;

/* MSG_FETCH_RULES: what the fetcher needs to know of the policy. */
enum { FETCH_RESOLVERS = 8 };
struct fetch_rules {
    bool private_block;
    uint8_t n_resolvers, n_open, n_management;
    struct addr resolver[FETCH_RESOLVERS];
    struct prefix open[LIM_FENCE_NETWORKS], management[LIM_FENCE_NETWORKS]; /* as the fence has them */
};
enum rc fetch_rules_put(struct buf *b, const struct fetch_rules *f) MUST_USE;
enum rc fetch_rules_get(span in, struct fetch_rules *f) MUST_USE;

#endif
