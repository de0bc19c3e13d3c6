/* The policy as written: what policy/parse makes and policy/check completes, every word with its place.
 * Everything lives in one arena and dies with the tree; spans point into it. Lists keep the written order. */
#ifndef POLICY_TREE_H
#define POLICY_TREE_H

#include "gw/base/addr.h"
#include "gw/base/arena.h"
#include "gw/base/limits.h"
#include "gw/base/map.h"
#include "policy/snapshot.h"
#include "policy/tree_lists.h"
#include "policy/words.h"

/* What stands before a value: `host resolver`, `user "durand"`. */
enum value_kind {
    VALUE_BARE,
    VALUE_ZONE,
    VALUE_HOST,
    VALUE_NETWORK,
    VALUE_GROUP,
    VALUE_USER,
    VALUE_UNIDENTIFIED,
    VALUE_NONE,
};

struct value {
    struct word w;
    enum value_kind kind;
    uint32_t id;                 /* zone, group, user, category, defect or service number: by check */
    struct prefix prefix;        /* networks and hosts */
    uint16_t lo, hi;             /* ports */
    const struct value *members; /* what a host or service stands for */
    struct value *next;
};

struct cond {
    enum noun noun;
    bool except;
    struct pos pos;
    struct value *vals;
    struct cond *next;
};

struct rule {
    enum verb verb;
    enum block block;
    struct pos pos;
    bool any, log;
    struct cond *conds;
    struct word name, owner, ticket, reason;
    span text;             /* as written, one space between words */
    span part;             /* `on` rules: this answer with its conditions */
    enum on_event event;   /* `on` rules */
    enum on_answer answer; /* `on` rules */
    struct rule *next;
};

struct zone_decl {
    struct word name, interface;
    bool ca_none, internet, source_keep;
    struct value *networks;
    uint16_t id;
    struct zone_decl *next;
};

struct group_decl {
    struct word name;
    struct value *networks, *users;
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

struct expect {
    struct pos pos;
    struct word outcome, method, url, certificate;
    struct value *from, *who; /* at most one each */
    int64_t at;               /* UTC seconds; 0: now */
    bool upload;
    uint32_t defect;
    span text;
    struct expect *next;
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
    struct word trust, crl, lists, telephone, mail;
    struct guard_decl guard;
    struct once once_workers, once_private, once_trust, once_crl, once_lists, once_guard, once_help,
        once_divert;
};

/* A file of the policy. */
struct source {
    span path;  /* as shown, NUL-terminated */
    span text;  /* NUL-terminated */
    int parent; /* number of the file that includes it, or -1 */
    uint64_t dev, ino;
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
    struct map zone_map, group_map, category_map, host_map, service_map, user_map;
};

void tree_init(struct tree *t);
void tree_fini(struct tree *t);

#endif
