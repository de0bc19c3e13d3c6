/* Layout of the policy part: a head, then sections of fixed-size records, then nothing. Offsets count from
 * the start of the image, indices from the start of their section; there is no pointer in it. policy/index
 * writes it, policy/image checks every index once at open, and policy/decide then reads it without a further
 * check.
 *
 * Rules are grouped in tables (one per queue of rules that are tried in order). Per table and dimension there
 * is: a bit set of rules that do not ask about the dimension, one of rules that neither ask nor except, and
 * for each value (token) the rules that accept it and those that except it, as a sorted list when short, else
 * as a bit set. */
#ifndef POLICY_IMAGE_H
#define POLICY_IMAGE_H

#include "policy/snapshot.h"
#include "signatures/cattext.h"
#include "signatures/catdb.h"

#define IMG_MAGIC   UINT64_C(0x314c4f5052525050) /* "PPRRPOL1" */
#define IMG_VERSION 2

enum { IMG_CATEGORIES = 1024 };

enum dim {
#define D(id, needs) DIM_##id,
#include "policy/dim.tbl"
#undef D
    DIM_N
};

enum table { TABLE_TLS, TABLE_CERT, TABLE_WEB, TABLE_ON, TABLE_N };

/* Address and port maps. */
enum img_map { MAP_ZONE, MAP_USER, MAP_GROUP, MAP_FROM, MAP_TO, MAP_PORT, MAP_N };

/* Hashed strings: users by name, domains of rules, methods of rules, names in categories. */
enum img_strings { STRINGS_USER, STRINGS_DOMAIN, STRINGS_METHOD, STRINGS_CATEGORY, STRINGS_N };

enum section {
#define S(id, type) SECT_##id,
#include "policy/section.tbl"
#undef S
    SECT_N
};

/* n elements from index `at` on. */
struct img_run {
    uint32_t at, n;
};

struct img_head {
    uint64_t magic;
    uint32_t version, n_sections;
    uint64_t size;
    struct {
        uint64_t off, n;
    } section[SECT_N];
};

struct img_addr {
    uint8_t family, b[16], bits, pad[2];
};

struct img_settings {
    uint16_t n_listen, n_resolvers, n_ports, private_block;
    uint32_t workers, n_categories;
    struct {
        struct img_addr addr;
        uint16_t kind, port;
    } listen[16];
    struct img_addr resolver[4];
    uint16_t port[64];
    struct img_run trust, crl, telephone, mail, node; /* of BYTES */
    uint32_t internet_zone;                           /* or UINT32_MAX */
    struct img_run map_v4[MAP_N], map_v6[MAP_N];      /* of RANGES */
    struct img_run strings[STRINGS_N];                /* of BUCKETS; n is a power of two */
    uint32_t pad;
};

struct img_zone {
    struct img_run name, interface; /* of BYTES */
    struct img_run networks;        /* of NETWORKS */
    uint8_t ca_none, internet, source_keep, pad;
};

/* From this key on (up to the next range) the value holds: a zone or user number, or an index into LISTS;
 * UINT32_MAX: nothing. */
struct img_range {
    uint64_t hi, lo;
    uint32_t value, pad;
};

/* A list of tokens: `n` numbers in NUMBERS. */
struct img_list {
    struct img_run numbers;
};

struct img_bucket {
    struct img_run key; /* of BYTES; n == 0: free */
    uint32_t value;
};

struct img_user {
    struct img_run name, groups; /* of BYTES, of NUMBERS */
};

/* LISTCATS: per list of the list parts the categories it belongs to, as NUMBERS. NAMECATS: per string of
 * STRINGS_CATEGORY what categories say of that name, as NUMBERS, IMG_NAMED each: category, whether it is an
 * exception, line and file (a run of BYTES) where that stands. */
enum { IMG_NAMED = 5 };

struct img_rule {
    struct img_run text, name, file, reason, owner, ticket; /* of BYTES */
    uint32_t line;
    uint8_t verb, table, log, answer;
};

#define IMG_DENSE UINT32_MAX

/* Bit sets are ANDed this many words at a time. */
enum { IMG_BLOCK_WORDS = 8 };
static inline uint32_t img_words(uint32_t n_rules)
{
    return (n_rules + 64 * IMG_BLOCK_WORDS - 1) / (64 * IMG_BLOCK_WORDS) * IMG_BLOCK_WORDS;
}

/* Rules: at = first of NUMBERS and n = how many; or n == IMG_DENSE and at = first word of BITS. Numbers count
 * from the table's first rule. A dense set has the "do not ask" bits in it already (accept), or the excepted
 * rules (except). */
struct img_token {
    struct img_run accept, except;
};

struct img_dim {
    uint32_t asked;     /* whether any rule of the table asks about it */
    uint32_t dont_care; /* first word of BITS: rules without a condition, excepted or not counting */
    uint32_t free;      /* first word of BITS: rules with neither condition nor exception */
    struct img_run tokens;
};

struct img_table {
    struct img_run rules;
    uint32_t n_words; /* of one bit set: a multiple of IMG_BLOCK_WORDS */
    uint32_t all;     /* first word of BITS: every rule */
    struct img_dim dim[DIM_N];
};

/* Tokens of dimension FOR: groups, then users, then this one. */
static inline uint32_t img_token_unidentified(uint32_t n_groups, uint32_t n_users)
{
    return n_groups + n_users;
}

/* An open policy part: typed, checked views of its sections. */
struct image {
    const struct img_settings *set; /* the one record of SETTINGS */
#define S(id, type) \
    const type *id; \
    uint32_t n_##id;
#include "policy/section.tbl"
#undef S
};

struct snapshot {
    unsigned refs;
    struct image img;
    struct catdb lists;
    struct cattext list_text;
    struct catexpr *exprs; /* NULL: the lists have none */
    struct settings settings;
    struct set_zone *zones;
    span part[SNAP_PARTS]; /* the mappings */
    uint8_t hash[SNAP_HASH];
    char text[13];
};

/* Checks the bytes of a policy part and fills `out`; BAD when anything is off. */
enum rc image_open(span part, struct image *out) MUST_USE;
static inline span image_bytes(const struct image *img, struct img_run r)
{
    return span_of(img->BYTES + r.at, r.n);
}
/* Value of the range that holds the key, or UINT32_MAX. */
uint32_t image_range(const struct image *img, struct img_run map, uint64_t hi, uint64_t lo);
uint32_t image_addr(const struct image *img, enum img_map map, const struct addr *a);
/* Value of the string, or UINT32_MAX. */
uint32_t image_string(const struct image *img, enum img_strings which, span key);
uint32_t image_find(const struct image *img, enum img_strings which, span key, uint32_t hash);
/* The hash runs from the last byte to the first, so that one walk over a host name gives it for all its
 * parents. */
#define IMG_HASH_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t image_hash_byte(uint64_t h, uint8_t c)
{
    return (h ^ c) * UINT64_C(0x100000001b3);
}
static inline uint32_t image_hash_end(uint64_t h)
{
    return (uint32_t)(h ^ h >> 29);
}
uint32_t image_hash(span key);

#endif
