/* The rules of a policy as written: words, values, conditions, rules, expectations; see tree.h. */
#ifndef POLICY_TREE_RULE_H
#define POLICY_TREE_RULE_H

#include "gw/base/addr.h"
#include "policy/snapshot.h"
#include "policy/words.h"

struct delegate_decl;

/* A place: byte offset `off` of file `file`. */
struct pos {
    uint32_t file, line, off;
};

struct word {
    span text; /* without quotes, escapes resolved */
    struct pos pos;
    bool quoted;
};

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
    uint16_t lo, hi;             /* ports; severities of signatures */
    uint8_t proto;               /* of ports: 6 TCP, 17 UDP */
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

/* What a `set` rule sets: word and value as in struct verdict_mod. */
struct set_part {
    enum modifier kind;
    struct word value; /* "strict"; "1h per user per day"; "Name: text" */
    uint32_t limit_s;  /* of a quota, per day */
    struct set_part *next;
};

struct rule {
    enum verb verb;
    enum block block;
    struct pos pos;
    bool any, log;
    struct cond *conds;
    struct word name, owner, ticket, reason, purpose;
    bool has_since, has_until, has_observe;
    struct pos since_pos, until_pos, observe_pos;
    int64_t since, until;                 /* [since, until) in UTC seconds; without `has_` undefined */
    int64_t observe_until;                /* until then it decides and is recorded, and enforces nothing */
    bool quic_refuse;                     /* `firewall` rules */
    struct set_part *sets;                /* `set` rules */
    const struct delegate_decl *delegate; /* of the file it stands in; NULL: the main policy */
    span text;                            /* as written, one space between words */
    span shown;                           /* of it, what those whom it meets may read */
    span part;                            /* `on` rules: this answer with its conditions */
    enum on_event event;                  /* `on` rules */
    enum on_answer answer;                /* `on` rules */
    uint32_t exempt_s;                    /* for how long: with ANSWER_EXEMPT */
    struct pos exempt_pos;                /* where that is said */
    struct rule *next;
};

struct expect {
    struct pos pos;
    struct word outcome, method, url, certificate;
    struct value *from, *who, *to; /* at most one each */
    bool firewall;                 /* about a packet to `to` rather than a request for `url` */
    uint8_t proto;                 /* of that packet: 6, 17 or 1 */
    uint16_t port;
    int64_t at; /* UTC seconds; 0: now */
    struct pos at_pos;
    bool upload, virus;
    uint8_t severity; /* of a signature that matches; 0: none */
    struct word type, pattern, application;
    uint32_t defect;
    span text;
    struct expect *next;
};

#endif
