/* All that a decision may depend on, and nothing else. Pure values: no clock, no socket, no look-up behind
 * them.
 *
 * A fact is known or not (`known`, one bit a row of fact.tbl). decide() treats a rule whose outcome hangs on
 * an unknown fact as open (DESIGN section 4). `known` with an empty value is a statement: "there is no SNI",
 * "nobody is logged in". Spans are borrowed from the caller for the time of the call. Host names are
 * normalised (gw/base/addr.h name_normalise semantics: lower case, no trailing dot); an address literal is in
 * dst_addr and `name` stays empty. */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include <stdint.h>

#include "gw/base/addr.h"

/* Filled in order as a flow goes on. */
enum fact {
#define F(id, text) FACT_##id,
#include "policy/fact.tbl"
#undef F
    FACT_N
};
#define FACT_BIT(id) (UINT64_C(1) << FACT_##id)

/* Where a flow stands: which further facts can still come. The numbers are kept in decision records. */
enum step {
    STEP_CONNECT,     /* hello or CONNECT or first request line known, nothing sent upstream */
    STEP_CERTIFICATE, /* origin's certificate judged by gw/tls, defects known */
    STEP_REQUEST,     /* one HTTP request, decrypted or plain */
    STEP_CONTENT,     /* what an exchange carries: type, size, hash, signatures, scanner, patterns */
    STEP_N
};

/* Who says who the user is. The numbers are kept in decision records. */
enum identity_source { ID_NONE, ID_POLICY, ID_RADIUS, ID_LDAP, ID_PROXY, ID_VPN, ID_PORTAL, ID_N };

/* Defects of an origin's certificate or handshake: bits, from certs/defect.tbl. 0: acceptable. */
typedef uint32_t defect_set;

enum {
    FACTS_MAX_CATS = 64,
    FACTS_CAT_WORDS = 16, /* 64 categories a word: all that a policy can have */
    FACTS_MAX_ATTRS = 32,
    FACTS_MAX_PATTERNS = 16,
    FACTS_MAX_CLICKED = 4,
    FACTS_MAX_GROUPS = 32
};

/* What most decisions read comes first, and of arrays their beginning: a line of the cache each would be
 * felt. */
struct facts {
    uint64_t known; /* FACT_BIT(...) */
    /* For a decision made again from a record (policy/record.h), which keeps no user's name and not every
     * path. `lost`: facts that were there and were not kept: a rule that hangs on one is open at every step.
     * `regroup`: `user` is a pseudonym; `groups` are those that hold the user by name or attribute, ascending
     * numbers of this snapshot; no rule's `user` matches. */
    uint64_t lost;
    int64_t time_s; /* UTC; always known */
    enum step step;
    struct addr src, dst; /* client; where it wanted to go (absent for an explicit proxy before look-up) */
    uint16_t dst_port;
    uint8_t proto;       /* 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6; 0 stands for TCP */
    bool explicit_proxy; /* came by CONNECT or absolute-form */
    uint16_t zone;       /* zone id of the snapshot, ZONE_NONE when the source is in none */
    bool regroup;
    uint32_t granted; /* with `regroup`: the grant that lifted it then, 0: none. Of grants for users, whom a
                         pseudonym does not name, this one alone counts; GRANTED_ANY: as if each were his */
    span vpn;         /* name of the VPN whose tunnel the client comes through; empty: none */

    span user; /* known and empty: unidentified */
    enum identity_source id_source;
    uint32_t id_age_s; /* since that source last said so */

    span name;      /* the host name judged: SNI, CONNECT host or Host; empty for an address literal */
    span app;       /* application as deep packet inspection names it: "bittorrent" */
    span method;    /* "GET" */
    span path;      /* path without query, as it will leave */
    bool upload;    /* the request carries a body */
    bool tls;       /* the flow speaks TLS */
    bool decrypted; /* the request was seen inside an intercepted connection */
    bool ech;       /* the hello carries a real ECH extension (not GREASE, as far as can be told) */
    uint8_t app_confidence; /* 0 to 100 */
    uint8_t severity;       /* of `signature`, 1 the worst; 0: none */
    uint16_t n_attrs, n_cats, n_groups, n_clicked, n_patterns;
    uint16_t may_used; /* words of `may` */
    defect_set defects;
    uint32_t quota_used_s; /* seconds of its quota that this user has used, where one applies */

    /* Ids of the categories that hold `name` (and `path` where known), sorted, from snapshot_categories(). */
    uint16_t cats[FACTS_MAX_CATS];
    /* What directories and RADIUS say of the user: "ldap:DN of a group", "radius:class=VALUE". */
    span attrs[FACTS_MAX_ATTRS];

    span ja4;
    span type;          /* class of the content as its first bytes show: "executable" */
    uint64_t size;      /* bytes of the content, as far as they came */
    uint8_t hash[32];   /* SHA-256 of the content; zeros: not made */
    span virus;         /* name of what the scanner found; known and empty: clean */
    uint32_t signature; /* number of the most severe signature that matched; 0: none */

    uint16_t groups[FACTS_MAX_GROUPS];
    /* Keys (struct rule_info) of `warn` rules that this client has clicked through and that still count. */
    uint64_t clicked[FACTS_MAX_CLICKED];
    /* Categories that the path, which is not known, may add to `cats`: a bit each, in those words whose bit
     * in `may_used` is set; from snapshot_categories() too. Rules that hang on them are open as long as a
     * request is to come; where none will, they are as if they were not there. */
    uint64_t may[FACTS_CAT_WORDS];
    span patterns[FACTS_MAX_PATTERNS]; /* leak patterns that matched: "belgian-national-number" */
};

static inline bool facts_may(const struct facts *f, unsigned category)
{
    unsigned w = category / 64;
    return w < FACTS_CAT_WORDS && f->may_used >> w & 1 && f->may[w] >> (category % 64) & 1;
}

#endif
