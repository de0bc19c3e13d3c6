/* The decision record: facts, what they hit, and the verdict, as bytes and back. Pure; the journal
 * (gw/siem/journal) frames, chains and finds them. One reader for all: gateway, perronctl, bench, fuzzer.
 *
 * Layout, little endian: a fixed part (its length stands in it, so that a later version may add to its end),
 * then strings with their length before them, then short lists. The first eight bytes are the decision code.
 *
 * What is not in it: a query string; a user's name (the pseudonym of the day stands in its place, beside the
 * groups that the identity was in when it was decided); attributes of directories; a path that no rule looked
 * at. `facts.lost` says what was there and was not kept. */
#ifndef POLICY_RECORD_H
#define POLICY_RECORD_H

#include "gw/base/limits.h"
#include "policy/decide.h"
#include "policy/snapshot.h"

enum {
    RECORD_VERSION = 2, /* 1 did not say which categories a path could have added: it had none that count */
    RECORD_FIXED = 200, /* bytes of the fixed part of this version */
    RECORD_MAX = LIM_RECORD_BYTES, /* no record is longer: the sum of all caps fits */
    RECORD_PATH = 1024,            /* a longer path counts as lost */
    RECORD_TEXT = 64, /* names of groups, categories, zones, patterns, and what a rule is called: cut here */
    RECORD_LIST = 40, /* names of lists */
    RECORD_CODE_BITS = 40 /* of the number; the node stands above */
};

/* A category that holds the name, and where its list says so. */
struct record_hit {
    uint16_t category;
    uint32_t line; /* of the list's file; 0: not told */
    span list;     /* kind and name of the list ("ut1 gambling"); empty: not told */
    span name;     /* of the category */
};

struct record {
    uint32_t node;
    uint64_t number; /* of the decision code */
    uint64_t flow;
    int64_t wall_us;
    uint32_t took_ns;
    uint8_t snapshot[SNAP_HASH];
    span zone, rule; /* names for people: of the zone; name or text of the rule that decided */
    uint64_t rule_key;
    struct facts facts; /* cats are those of hits; attrs are not kept */
    struct record_hit hits[FACTS_MAX_CATS];
    span groups[FACTS_MAX_GROUPS]; /* names of facts.groups */
    struct verdict verdict;        /* without its trail and the values of its modifiers */
};

/* Everything but code, flow and time from a decision that has just been made. `user` is the pseudonym that
 * takes the place of facts.user. Borrows all spans. */
void record_fill(struct record *r, const struct snapshot *s, const struct facts *f, const struct verdict *v,
                 span user);
/* Never fails: strings and lists are cut at their caps, which together fit. Returns the length. */
size_t record_encode(const struct record *r, uint8_t out[RECORD_MAX]);
/* The code of an encoded record, put in later: it is given when the verdict takes effect. */
void record_set_code(uint8_t bytes[RECORD_MAX], uint32_t node, uint64_t number);
/* The host name in an encoded record, without a look at the rest; empty: there is none, or this is no record.
 */
span record_name(span bytes);
/* BAD: no such record, cut short, or with something behind it. Spans of *out point into `bytes`. */
enum rc record_decode(span bytes, struct record *out) MUST_USE;

/* Groups that hold f's user by name or by attribute, ascending and once each, however old the identity is;
 * addresses do not count. Returns how many; at most `cap` are written, and more than `cap` only said. */
unsigned record_groups(const struct snapshot *s, const struct facts *f, uint16_t *out, unsigned cap);
/* Whether any rule or list looks at this fact. */
bool snapshot_asks(const struct snapshot *s, enum fact fact);
/* Whether any list has single URLs or expressions: else no category hangs on a path. */
bool snapshot_lists_urls(const struct snapshot *s);

#endif
