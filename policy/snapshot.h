/* An immutable policy snapshot: what the compiler made of policy file and lists, as position-independent
 * parts in sealed memory (memfds), mapped read-only. Parts: policy (settings,
 * zones, rules, texts), lists, and the text of the lists. The hash of the parts' hashes is the snapshot's
 * name. Reference-counted: whoever keeps it across turns holds one. */
#ifndef POLICY_SNAPSHOT_H
#define POLICY_SNAPSHOT_H

#include "policy/decide.h"

enum { SNAP_POLICY, SNAP_LISTS, SNAP_LISTS_TEXT, SNAP_PARTS };
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
#define O(id, word, answers, lacks, def) ON_##id,
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
    ANSWER_N
};

struct set_prefix {
    struct addr addr;
    uint8_t bits;
};
struct set_zone {
    span name;
    span interface; /* empty: by network alone */
    bool ca_none, internet, source_keep;
    uint16_t n_networks;
};
struct settings {
    uint16_t n_listen, n_resolvers, n_zones, n_ports;
    struct set_listen listen[16];
    struct addr resolver[4]; /* none: the system's resolver file is read by the master at start */
    uint16_t port[64];       /* TCP ports that the transparent way diverts (`divert`, default 80 and 443) */
    uint32_t workers;        /* 0: auto, one per core */
    bool private_block;      /* addresses that names from outside lead to may not be private */
    span trust;              /* path of the PEM bundle upstream chains must end in */
    span crl;                /* URL of our CRL as it stands in leaves */
    span help_telephone, help_mail;
    span node;
};
const struct settings *snapshot_settings(const struct snapshot *s);
const struct set_zone *snapshot_zone(const struct snapshot *s, uint16_t zone);
struct set_prefix snapshot_zone_network(const struct snapshot *s, uint16_t zone, uint16_t i);
/* Without `f` (nobody's flow) only lines without a condition count. */
enum on_answer snapshot_on(const struct snapshot *s, enum on_event ev, const struct facts *f);

/* ---- facts that the snapshot knows ---- */
/* Zone of a client by longest matching network; ZONE_NONE. */
uint16_t snapshot_zone_of(const struct snapshot *s, const struct addr *src);
/* User whom the policy itself ties to an address (`user NAME address A`); empty: unidentified. */
span snapshot_user_of(const struct snapshot *s, const struct addr *src);
/* Fills f->cats, n_cats and cats_open from f->name (every parent domain counts) or f->dst for an address
 * literal, and from f->path where that is known. */
void snapshot_categories(const struct snapshot *s, struct facts *f);
/* The same, asking the text of the lists too, so that two names that look alike to the table are told apart:
 * for verdicts that would harm if they were wrong. Slower (microseconds). Whether f->cats is another now. */
bool snapshot_categories_confirm(const struct snapshot *s, struct facts *f);
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
    span text; /* the rule as written, normalised white space */
    span name; /* `name "..."`, may be empty */
    span file;
    uint32_t line;
    span reason, owner, ticket;
    bool log;
};
uint32_t snapshot_n_rules(const struct snapshot *s);
struct rule_info snapshot_rule(const struct snapshot *s, uint32_t rule);
span snapshot_category_name(const struct snapshot *s, uint16_t category);

#endif
