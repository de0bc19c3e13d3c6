/* Records of a policy part that hold its rules, and the bit sets by which they are found. See image.h. */
#ifndef POLICY_LAYOUT_RULE_H
#define POLICY_LAYOUT_RULE_H

#include "policy/layout.h"

/* What a `set` rule sets. */
struct img_mod {
    struct img_run value; /* of BYTES */
    uint32_t kind, limit_s;
};

/* What a decision reads of a rule stands in the first line of the cache. */
struct img_rule {
    struct img_run mods;      /* of MODS */
    struct img_run schedules; /* of NUMBERS: those it names */
    uint64_t key;
    int64_t since, until, observe_until; /* INT64_MIN, INT64_MAX, INT64_MIN: not said */
    uint16_t block;
    uint8_t verb, table, log, answer, quic_refuse, delegated; /* verb VERB_N: an `observe` statement */
    uint32_t line, exempt_s;
    struct img_run text, shown, name, file, reason, owner, ticket, purpose; /* of BYTES */
};
_Static_assert(sizeof(struct img_rule) == 128, "a rule is two lines");

#define IMG_DENSE UINT32_MAX

/* Bit sets are ANDed this many words at a time. */
enum { IMG_BLOCK_WORDS = 8 };
static inline uint32_t img_words(uint32_t n_rules)
{
    return (n_rules + 64 * IMG_BLOCK_WORDS - 1) / (64 * IMG_BLOCK_WORDS) * IMG_BLOCK_WORDS;
}

/* Rules that accept a value, and rules that except it. In a table of at most IMG_SMALL rules: a bit each. In
 * a larger one: at = first of NUMBERS and n = how many; or n == IMG_DENSE and at = first word of BITS.
 * Numbers count from the table's first rule. A dense set has the "do not ask" bits in it already (accept), or
 * the excepted rules (except). */
enum { IMG_SMALL = 64 };
struct img_token {
    union {
        struct {
            struct img_run accept, except;
        };
        struct {
            uint64_t accept_bits, except_bits;
        };
    };
    struct img_run anchors; /* of ANCHORS: rules of a larger table that are anchored here, ascending */
};
static inline bool img_is_small(uint32_t n_rules)
{
    return n_rules <= IMG_SMALL;
}

/* A bit a token, several of which have the same one: what has none in common with a set is not in it. */
enum { IMG_SEEN = 64 };
static inline uint64_t img_seen(uint32_t token)
{
    return UINT64_C(1) << token % IMG_SEEN;
}

struct img_dim {
    uint32_t dont_care; /* first word of BITS: rules without a condition, excepted or not counting */
    uint32_t free;      /* first word of BITS: rules with neither condition nor exception */
    struct img_run tokens;
    /* Of a small table: which tokens (img_seen) any rule names, and the word at `dont_care`. */
    uint64_t named, dont_care_word;
};

/* A rule where it is anchored: at the rarest of its conditions, once a value. Only what is anchored at a
 * value that was met can match. `sign`: which categories, places and persons it wants, a bit or more each,
 * all where it does not ask; nothing in common with what was met in one of them: it does not match. `also`:
 * the same of another dimension in which it wants one value, as dimension and number of the bit in
 * img_seen(); dimension DIM_N: of none. */
enum img_sign { SIGN_CATEGORY, SIGN_FROM, SIGN_FOR, SIGN_N };
enum { IMG_ALSO_SHIFT = 6 };
struct img_anchor {
    uint64_t sign;
    uint32_t asks; /* first of NUMBERS: what it asks */
    uint16_t rule, also;
};
_Static_assert(sizeof(struct img_anchor) == 16, "four of them are a line");
_Static_assert(LIM_POLICY_RULES <= UINT16_MAX + 1, "the number of a rule in its table fits");
static inline enum dim img_sign_dim(enum img_sign s)
{
    return s == SIGN_CATEGORY ? DIM_CATEGORY : s == SIGN_FROM ? DIM_FROM : DIM_FOR;
}
/* Place of it: persons have half of the bits, as somebody is in several groups. */
static inline uint64_t img_sign_all(enum img_sign s)
{
    return s == SIGN_CATEGORY ? UINT64_C(0xffff)
           : s == SIGN_FROM   ? UINT64_C(0xffff) << 16
                              : UINT64_C(0xffffffff) << 32;
}
/* img_seen() of values of its dimension in that place. */
static inline uint64_t img_sign_of(enum img_sign s, uint64_t seen)
{
    seen |= seen << 32 | seen >> 32;
    if (s != SIGN_FOR)
        seen |= seen >> 16 | seen << 16;
    return seen & img_sign_all(s);
}

/* What a rule of an anchored table asks, in NUMBERS: a head with the number of clauses, then
 * clauses: a head, then ascending tokens of which one must be met, or none. Without its anchor and times. */
enum { IMG_ASKS_TIMED = 1, IMG_ASKS_FORBID = 2, IMG_ASKS_SHIFT = 2 };
enum { IMG_CLAUSE_DIM = 31, IMG_CLAUSE_EXCEPT = 32, IMG_CLAUSE_SHIFT = 6 };
_Static_assert((int)DIM_N <= (int)IMG_CLAUSE_DIM, "a dimension fits in a clause's head");

struct img_table {
    struct img_run rules;
    uint32_t n_words;     /* of one bit set: a multiple of IMG_BLOCK_WORDS */
    uint32_t all;         /* first word of BITS: every rule */
    uint32_t forbids;     /* first word of BITS: `forbid` rules */
    uint32_t timed;       /* first word of BITS: rules with a schedule, a beginning or an end */
    uint32_t asked;       /* dimensions, as bits, that any rule asks about */
    uint32_t lead;        /* that many rules at the beginning come from delegated files */
    uint32_t anchored;    /* dimensions, as bits, in which rules are anchored; 0: the table is not */
    struct img_run loose; /* of ANCHORS: rules without an anchor, ascending */
    uint64_t needs;       /* facts that `asked` needs */
    uint64_t timed_word;  /* of a small table: the word at `timed` */
    struct img_dim dim[DIM_N];
};

/* Tokens of dimension FOR: groups, then users, then this one. */
static inline uint32_t img_token_unidentified(uint32_t n_groups, uint32_t n_users)
{
    return n_groups + n_users;
}

#endif
