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

/* Where a flow stands: which further facts can still come. */
enum step {
    STEP_CONNECT,     /* hello or CONNECT or first request line known, nothing sent upstream */
    STEP_CERTIFICATE, /* origin's certificate judged by gw/tls, defects known */
    STEP_REQUEST,     /* one HTTP request, decrypted or plain */
};

/* Defects of an origin's certificate or handshake: bits, from certs/defect.tbl. 0: acceptable. */
typedef uint32_t defect_set;

enum { FACTS_MAX_CATS = 64 };

struct facts {
    uint64_t known; /* FACT_BIT(...) */
    enum step step;
    int64_t time_s; /* UTC; always known */

    struct addr src, dst; /* client; where it wanted to go (absent for an explicit proxy before look-up) */
    uint16_t dst_port;
    bool explicit_proxy; /* came by CONNECT or absolute-form */
    uint16_t zone;       /* zone id of the snapshot, ZONE_NONE when the source is in none */

    span user; /* known and empty: unidentified */

    span name;      /* the host name judged: SNI, CONNECT host or Host; empty for an address literal */
    bool tls;       /* the flow speaks TLS */
    bool decrypted; /* the request was seen inside an intercepted connection */
    bool ech;       /* the hello carries a real ECH extension (not GREASE, as far as can be told) */
    span ja4;

    defect_set defects;

    span method; /* "GET" */
    span path;   /* path without query, as it will leave */
    bool upload; /* the request carries a body */

    /* Ids of the categories that hold `name` (and `path` where known), sorted, from snapshot_categories(). */
    uint16_t cats[FACTS_MAX_CATS];
    uint16_t n_cats;
    bool cats_open; /* a list has URLs of this host: the path, which is not known, may add categories */
};

#endif
