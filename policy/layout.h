/* Records of a policy part that hold its declarations: settings, zones, people, time. See image.h. */
#ifndef POLICY_LAYOUT_H
#define POLICY_LAYOUT_H

#include "policy/snapshot.h"

#define IMG_MAGIC   UINT64_C(0x314c4f5052525050) /* "PPRRPOL1" */
#define IMG_VERSION 10

enum { IMG_CATEGORIES = 1024 };

enum dim {
#define D(id, needs) DIM_##id,
#include "policy/dim.tbl"
#undef D
    DIM_N
};

/* Facts that a dimension needs. */
static inline uint64_t dim_needs(enum dim d)
{
    static const uint64_t needs[] = {
#define D(id, facts) facts,
#include "policy/dim.tbl"
#undef D
    };
    return needs[d];
}

/* SET, LOG and OBSERVE are not tried in order: all that match count. Rules of the packet path alone
 * (`masquerade`) stand behind those of the tables, in none. */
enum table {
    TABLE_TLS,
    TABLE_CERT,
    TABLE_WEB,
    TABLE_ON,
    TABLE_FIREWALL,
    TABLE_CONTENT,
    TABLE_DNS,
    TABLE_SET,
    TABLE_LOG,
    TABLE_OBSERVE,
    TABLE_N
};

/* Address and port maps. */
enum img_map { MAP_ZONE, MAP_USER, MAP_GROUP, MAP_FROM, MAP_TO, MAP_PORT, MAP_N };

/* Hashed strings: users by name, attributes of groups, VPNs of zones, names in categories, and what
 * rules name. */
enum img_strings {
    STRINGS_USER,
    STRINGS_DOMAIN,
    STRINGS_METHOD,
    STRINGS_PATH,
    STRINGS_TYPE,
    STRINGS_PATTERN,
    STRINGS_APP,
    STRINGS_ATTR,
    STRINGS_VPN,      /* value: the zone */
    STRINGS_CATEGORY, /* names that categories say something of */
    STRINGS_N
};

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
    uint16_t n_listen, n_resolvers, n_ports;
    uint8_t private_block, pool; /* enum pool_sharing; 0 in parts of before there was any */
    uint32_t workers, n_categories;
    struct {
        struct img_addr addr;
        uint16_t kind, port;
    } listen[16];
    struct img_addr resolver[4];
    uint16_t port[64];
    struct img_addr open[LIM_FENCE_NETWORKS], management[LIM_FENCE_NETWORKS];
    uint32_t n_open, n_management, forwarded;
    struct img_run trust, crl, telephone, mail, node, time_zone; /* of BYTES */
    struct img_run shifts;                                       /* of SHIFTS, at least one: time_zone's */
    uint32_t internet_zone;                                      /* or UINT32_MAX */
    struct img_run map_v4[MAP_N], map_v6[MAP_N];                 /* of RANGES */
    struct img_run strings[STRINGS_N];                           /* of BUCKETS; n is a power of two */
    uint32_t path_most;                                          /* bytes of the longest path of a rule */
    uint32_t has_firewall; /* a `firewall` block: what it does not allow is blocked */
};

struct img_zone {
    struct img_run name, interface, vpn; /* of BYTES */
    struct img_run networks;             /* of NETWORKS */
    uint8_t ca_none, internet, source_keep, vpn_remote;
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
    uint32_t value, hash;
};

struct img_user {
    struct img_run name, groups; /* of BYTES, of NUMBERS */
};

struct img_group {
    struct img_run name; /* of BYTES */
    uint32_t stale_s;    /* 0: never */
};

/* LISTCATS: per list of the list parts the categories it belongs to, as NUMBERS. NAMECATS: per string of
 * STRINGS_CATEGORY what categories say of that name, as NUMBERS, IMG_NAMED each: category, whether it is an
 * exception, line and file (a run of BYTES) where that stands. */
enum { IMG_NAMED = 5 };

/* ---- time ---- */

/* From `at` (UTC seconds) on, local time is `offset_s` ahead; the first one holds before it too. */
struct img_shift {
    int64_t at;
    int32_t offset_s, pad;
};

/* A time zone with the schedules that are told in it. The maps say which of them a local minute is in: by
 * minute of the week (0: Monday 00:00), by minute since 1970 plus IMG_MINUTE_BIAS, and what `except` takes
 * away. Their values are indices into LISTS. */
#define IMG_MINUTE_BIAS (UINT64_C(1) << 40)
enum { WEEK_MIN = 7 * 1440 };
struct img_tzone {
    struct img_run name;                  /* of BYTES */
    struct img_run shifts;                /* of SHIFTS, at least one */
    struct img_run weekly, dated, except; /* of RANGES */
};

/* Local minutes [from, to). Weekly: from < WEEK_MIN, to may reach into the next week. */
struct img_slot {
    int64_t from, to;
    uint32_t weekly, except;
};

struct img_schedule {
    struct img_run name;  /* of BYTES */
    struct img_run slots; /* of SLOTS */
    uint32_t tzone;
};

/* Keys of MAP_PORT: a port with its protocol before it. ICMP has no ports. */
enum { IMG_ICMP = 1, IMG_TCP = 6, IMG_UDP = 17, IMG_ICMP6 = 58 };
static inline uint32_t img_port(unsigned proto, uint32_t port)
{
    return proto << 16 | port;
}

/* Tokens of dimension SIGNATURE are severities below this. */
enum { IMG_SEVERITIES = 256 };

#endif
