/* An immutable policy snapshot: what the compiler made of policy file and lists, as position-independent
 * parts in sealed memory (memfds), mapped read-only. Which parts there are: part.tbl. The hash of the
 * manifest that names them (policy/manifest.h) is the snapshot's name. Reference-counted: whoever keeps it
 * across turns holds one. */
#ifndef POLICY_SNAPSHOT_H
#define POLICY_SNAPSHOT_H

#include "gw/base/limits.h"
#include "policy/decide.h"
#include "signatures/catkeys.h"

enum snap_part {
#define P(id, name, kept, may_be_empty, text) PART_##id,
#include "policy/part.tbl"
#undef P
    SNAP_PARTS
};
enum { SNAP_HASH = 32 };

/* Maps and checks the parts (sizes, magic, version, every offset and index in range, hash equal to `want`
 * unless NULL); borrows the descriptors. BAD when anything is off: a part is never trusted because it came
 * from us. */
enum rc snapshot_open(const int fds[SNAP_PARTS], const uint8_t want[SNAP_HASH],
                      struct snapshot **out) MUST_USE;
struct snapshot *snapshot_get(struct snapshot *s);
void snapshot_put(struct snapshot *s);
const uint8_t *snapshot_hash(const struct snapshot *s);
/* First 12 hex digits, for logs and pages. */
const char *snapshot_short(const struct snapshot *s);

/* ---- settings ---- */
enum listen_kind { LISTEN_TRANSPARENT, LISTEN_EXPLICIT };
struct set_listen {
    enum listen_kind kind;
    struct addr addr; /* family 0: all addresses, both families */
    uint16_t port;
};
enum on_event {
#define O(id, word, answers, def) ON_##id,
#include "policy/event.tbl"
#undef O
    ON_N
};
enum on_answer {
    ANSWER_DEFAULT,
    ANSWER_HOLD,
    ANSWER_BLOCK,
    ANSWER_ALLOW,
    ANSWER_CLOSED,
    ANSWER_OPEN,
    ANSWER_EXEMPT, /* for the time that the rule says */
    ANSWER_N
};

struct set_prefix {
    struct addr addr;
    uint8_t bits;
};
/* Whose requests may go over an idle connection with an origin. */
enum pool_sharing {
    POOL_OWN,    /* those of the client (user, or else address) in the zone that opened it */
    POOL_SHARED, /* everybody's */
    POOL_NONE,   /* nobody's: no connection is kept */
};
struct set_zone {
    span name;
    span interface;  /* empty: by network alone */
    span vpn;        /* of the VPN whose tunnels lead here; empty: by network */
    bool vpn_remote; /* people's devices rather than a site */
    bool ca_none, internet, source_keep;
    uint16_t n_networks;
};
/* Via, X-Forwarded-For and their kin in requests, as origins see them. */
enum set_forwarded { SET_FORWARDED_REMOVE, SET_FORWARDED_KEEP, SET_FORWARDED_ADD };
struct settings {
    uint16_t n_listen, n_resolvers, n_zones, n_ports;
    struct set_listen listen[16];
    struct addr resolver[4]; /* none: the system's resolver file is read by the master at start */
    uint16_t port[64];       /* TCP ports that the transparent way diverts (`divert`, default 80 and 443) */
    uint32_t workers;        /* 0: auto, one per core */
    bool private_block;      /* addresses that names from outside lead to may not be private */
    struct prefix open[LIM_FENCE_NETWORKS];       /* private ranges they may lead to all the same */
    struct prefix management[LIM_FENCE_NETWORKS]; /* never reached through the gateway */
    uint16_t n_open, n_management;
    enum set_forwarded forwarded;
    enum pool_sharing pool;
    span trust; /* path of the PEM bundle upstream chains must end in */
    span crl;   /* URL of our CRL as it stands in leaves */
    span help_telephone, help_mail;
    span time_zone; /* of the policy, as the tz database names it */
    span node;
};
const struct settings *snapshot_settings(const struct snapshot *s);
const struct set_zone *snapshot_zone(const struct snapshot *s, uint16_t zone);
struct set_prefix snapshot_zone_network(const struct snapshot *s, uint16_t zone, uint16_t i);
/* Without `f` (nobody's flow) only lines without a condition count. */
enum on_answer snapshot_on(const struct snapshot *s, enum on_event ev, const struct facts *f);
/* The line that answers, as a rule, or RULE_NONE. */
uint32_t snapshot_on_rule(const struct snapshot *s, enum on_event ev, const struct facts *f);

/* ---- facts that the snapshot knows ---- */
/* Zone of a client by longest matching network; ZONE_NONE. */
uint16_t snapshot_zone_of(const struct snapshot *s, const struct addr *src);
/* Zone that a VPN's tunnels lead to; ZONE_NONE. */
uint16_t snapshot_zone_of_vpn(const struct snapshot *s, span vpn);
/* User whom the policy itself ties to an address (`user NAME address A`); empty: unidentified. */
span snapshot_user_of(const struct snapshot *s, const struct addr *src);
/* Fills f->cats and n_cats from f->name (every parent domain counts) or f->dst for an address literal, and
 * from f->path where that is known; where it is not, f->may with what it could add: the categories of lists
 * that have URLs of this host, and of those that have expressions. */
void snapshot_categories(const struct snapshot *s, struct facts *f);
/* The same in two halves: what the first has made of f->name, when that became known, and begun to fetch is
 * what the second looks at. For this snapshot and this name alone. */
void snapshot_expect(const struct snapshot *s, span name, struct cat_keys *out);
void snapshot_categories_expected(const struct snapshot *s, const struct cat_keys *keys, struct facts *f);
/* Which categories a path can add to some host at all, a bit each. Slow: goes through the lists' sets. */
void snapshot_url_categories(const struct snapshot *s, uint64_t out[FACTS_CAT_WORDS]);
/* The same, asking the text of the lists too, so that two names that look alike to the table are told apart:
 * for what must not be wrong. Slower (microseconds). Whether f->cats is another now. */
bool snapshot_categories_confirm(const struct snapshot *s, struct facts *f);
/* decide(), for what is enforced: where a category decides, the text has to confirm f->cats. */
void snapshot_decide(const struct snapshot *s, struct facts *f, struct verdict *out);
/* Which entries put the host of `f` into its categories, and which took it out of one. */
struct category_hit {
    uint16_t category;
    bool except;
    span list; /* kind and name: `ut1 gambling`; `domain` where the policy itself says so */
    span file;
    uint32_t line;
    span entry; /* as written there */
};
/* At most `cap`; spans live as long as the snapshot. Returns how many. For explain and records. */
size_t snapshot_category_hits(const struct snapshot *s, const struct facts *f, struct category_hit *out,
                              size_t cap);
/* How many names are in a lists part; 0 when it is none. */
uint64_t snapshot_names(int lists_fd);
/* Entry i of those that are held back for review; false at the end. */
struct held_entry {
    span list, file, entry;
    uint32_t line;
    const char *why;
};
bool snapshot_held(const struct snapshot *s, uint64_t i, struct held_entry *out);

/* ---- texts for logs, pages, explain ---- */
struct rule_info {
    span text;  /* the rule as written, normalised white space */
    span shown; /* ... without what is the administration's own: name, owner, ticket, reason, purpose, log */
    span name;  /* `name "..."`, may be empty */
    span file;
    uint32_t line;
    span reason, owner, ticket;
    bool log;
    uint64_t key; /* of its name, or else of what it matches: the same after any reload that keeps it so;
                     never 0. Counters, click-throughs and grants know a rule by it */
    int64_t since, until;  /* UTC seconds, [since, until); INT64_MIN and INT64_MAX: always */
    span purpose;          /* of a `log` rule */
    int64_t observe_until; /* until then it is recorded and not enforced; INT64_MIN: not said */
    span verb, block;      /* "allow", "web"; of an `observe` statement "observe" and "observe" */
    bool quic_refuse, delegated;
    uint32_t exempt_s; /* of `on broken exempt for` */
};
uint32_t snapshot_n_rules(const struct snapshot *s);
struct rule_info snapshot_rule(const struct snapshot *s, uint32_t rule);
/* Rule with that key, or RULE_NONE. Slow: goes through all of them. */
uint32_t snapshot_rule_find(const struct snapshot *s, uint64_t key);
span snapshot_category_name(const struct snapshot *s, uint16_t category);
uint32_t snapshot_n_groups(const struct snapshot *s);
span snapshot_group_name(const struct snapshot *s, uint32_t group);
uint32_t snapshot_n_schedules(const struct snapshot *s);
span snapshot_schedule_name(const struct snapshot *s, uint32_t schedule);
/* Whether the moment is in the schedule, and until when that stays so at least. False for no schedule. */
bool snapshot_schedule_active(const struct snapshot *s, uint32_t schedule, int64_t time_s, int64_t *until);
/* Seconds that clocks in the policy's time zone are ahead of UTC at that moment (UTC seconds). */
int32_t snapshot_offset_s(const struct snapshot *s, int64_t time_s);

/* Groups that hold the user of these facts, and why. Returns how many there are; at most `most` are written.
 */
enum group_by { GROUP_BY_USER, GROUP_BY_NETWORK, GROUP_BY_ATTR };
struct group_hit {
    uint32_t group;
    enum group_by by;
    uint16_t attr; /* number of the attribute in the facts, with GROUP_BY_ATTR */
    bool stale;    /* the identity is too old for it: it does not count */
};
unsigned snapshot_groups_of(const struct snapshot *s, const struct facts *f, struct group_hit *out,
                            unsigned most);

#endif
