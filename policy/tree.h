/* The policy as written: what policy/parse makes and policy/check completes, every word with its place.
 * Everything lives in one arena and dies with the tree; spans point into it. Lists keep the written order. */
#ifndef POLICY_TREE_H
#define POLICY_TREE_H

#include "gw/base/arena.h"
#include "gw/base/limits.h"
#include "gw/base/map.h"
#include "policy/tree_lists.h"

/* One stretch of a schedule in local time. Weekly: `days` is a set of weekdays (bit 0 Monday), from_min to
 * to_min minutes of the day (to_min <= from_min: over midnight). Dated: days 0, first to last as days since
 * 1970-01-01, inclusive, and from_min to to_min of each of them (0 to 1440: whole days). */
struct slot {
    uint8_t days;
    uint16_t from_min, to_min;
    int32_t first, last;
    struct slot *next;
};

struct schedule_decl {
    struct word name,
        zone; /* zone: of the tz database; empty: the policy's `time-zone`, default Europe/Brussels */
    struct slot *slots, *except; /* except: dated ones; they take away */
    uint32_t id;
    struct schedule_decl *next;
};

/* `delegate "FILE" to "NAME" for GROUP, ... from ZONE, ...  may narrow | may grant category A, B`. Its rules
 * hold for those people alone, and allow only what the ceiling says. */
struct delegate_decl {
    struct word file, name;
    struct cond *who;     /* FROM and FOR conditions that every rule of the file gets */
    struct cond *ceiling; /* CATEGORY and DOMAIN conditions that it may allow; NULL: it may only narrow */
    struct pos pos;
    span may; /* for whom, and its ceiling, as written */
    uint32_t id;
    struct delegate_decl *next;
};

/* `observe from ZONE, ... [for ...] until DATE`. */
struct observe_decl {
    struct pos pos;
    struct cond *conds; /* NULL: of everybody */
    int64_t until;
    span text; /* as written, one space between words */
    struct observe_decl *next;
};

struct zone_decl {
    struct word name, interface;
    struct word vpn; /* the VPN whose tunnels lead here; empty: by network */
    bool vpn_remote; /* `vpn remote` rather than `vpn site` */
    bool ca_none, internet, source_keep;
    struct value *networks;
    uint16_t id;
    struct zone_decl *next;
};

struct group_decl {
    struct word name;
    struct value *networks, *users;
    struct value *attrs; /* "ldap:DN", "radius:class=VALUE": as in struct facts */
    uint32_t stale_s;    /* an identity older than this counts as unidentified; 0: never */
    uint32_t id;
    struct group_decl *next;
};

struct host_decl {
    struct word name;
    struct value *addrs;
    struct host_decl *next;
};

struct service_decl {
    struct word name;
    struct value *tcp, *udp;
    struct value *ports; /* both, by check */
    struct service_decl *next;
};

struct user_decl {
    struct word name;
    struct value *addrs;
    uint32_t id;
    struct user_decl *next;
};

struct node_zone {
    struct word zone, interface;
    struct node_zone *next;
};

struct node_decl {
    struct word name;
    struct node_zone *zones;
    struct node_decl *next;
};

/* A setting that may be given once: where, for "first given at". */
struct once {
    bool given;
    struct pos pos;
};

struct settings_decl {
    uint16_t n_listen, n_resolvers, n_ports;
    struct set_listen listen[16];
    struct addr resolver[4];
    uint16_t port[64];
    uint32_t workers;
    bool private_block;
    enum pool_sharing pool;
    struct word trust, crl, lists, telephone, mail, time_zone;
    struct guard_decl guard;
    struct once once_workers, once_private, once_pool, once_trust, once_crl, once_lists, once_guard,
        once_help, once_divert, once_time_zone;
};

/* A file of the policy. */
struct source {
    span path;  /* as shown, NUL-terminated */
    span text;  /* NUL-terminated */
    int parent; /* number of the file that includes it, or -1 */
    uint64_t dev, ino;
    bool delegated; /* its rules are its owner's */
    struct pos included_at;
};

/* First and last of a list that keeps the written order. */
#define TREE_LIST(type)             \
    struct {                        \
        struct type *first, **last; \
        uint32_t n;                 \
    }

struct tree {
    struct arena mem;
    struct source *files[LIM_POLICY_FILES];
    uint32_t n_files;
    struct settings_decl set;
    span node; /* which node we are */
    uint32_t n_lists;
    TREE_LIST(zone_decl) zones;
    TREE_LIST(group_decl) groups;
    TREE_LIST(category_decl) categories;
    TREE_LIST(host_decl) hosts;
    TREE_LIST(service_decl) services;
    TREE_LIST(user_decl) users; /* declared ones, then those that rules and groups name */
    TREE_LIST(node_decl) nodes;
    TREE_LIST(rule) rules; /* of all blocks */
    TREE_LIST(expect) expects;
    TREE_LIST(schedule_decl) schedules;
    TREE_LIST(delegate_decl) delegates;
    TREE_LIST(observe_decl) observes;
    struct map schedule_map, zone_map, group_map, category_map, host_map, service_map, user_map;
};

void tree_init(struct tree *t);
void tree_fini(struct tree *t);

#endif
