/* decide(): snapshot + facts -> verdict. Pure: no clock, no I/O, no allocation, no state; the same arguments
 * give the same verdict for ever. The gateway, explain, policy tests and audit replay all call this one
 * function.
 *
 * Order (DESIGN section 4): `firewall`, what `web` settles for certain, `tls`, then `web` with the request,
 * then `content`. Three-valued: a rule that needs an unknown fact is open; the first rule that matches for
 * certain decides unless an earlier one is still open. Where no further step will come open means no match:
 * an exempt flow therefore still obeys every rule that names its host. */
#ifndef POLICY_DECIDE_H
#define POLICY_DECIDE_H

#include "policy/facts.h"

struct snapshot;

enum action {
    ACT_ALLOW,   /* STEP_REQUEST: relay it. STEP_CERTIFICATE: the origin is acceptable, go on */
    ACT_BLOCK,   /* stop; answer in the client's own tongue */
    ACT_EXEMPT,  /* STEP_CONNECT: pass without decrypting */
    ACT_INSPECT, /* STEP_CONNECT: decrypt (TLS), or read as HTTP (plain); every request is judged again */
    ACT_WARN,    /* STEP_REQUEST: click-through page */
};

enum layer { LAYER_NONE, LAYER_FIREWALL, LAYER_TLS, LAYER_WEB, LAYER_CONTENT, LAYER_DNS };

/* Why a verdict came out so, where no rule did it. */
enum why {
    WHY_RULE,       /* `rule` decided */
    WHY_DEFAULT,    /* no rule matched: the layer's default (web: block; tls: inspect) */
    WHY_DEFECT,     /* a certificate defect that no rule allows */
    WHY_ZONE_NO_CA, /* zone with `ca none`: nothing is intercepted */
    WHY_NO_ZONE,    /* the source is in no zone */
    WHY_GRANT,      /* a grant lifted what `rule` would have blocked or warned of */
    WHY_CLICKED,    /* a click-through lifted the warning of `rule` */
    WHY_N
};

/* What `set` rules add to a request; the first value of each wins. */
enum modifier {
    MOD_SAFE_SEARCH,
    MOD_YOUTUBE, /* value "moderate" or "strict" */
    MOD_QUOTA,   /* value "1h per user per day" */
    MOD_HEADER,  /* value "Name: text"; the first of each header name wins */
    MOD_N
};
struct verdict_mod {
    enum modifier kind;
    uint32_t rule; /* that set it */
    span value;    /* in the snapshot */
};
enum { VERDICT_MAX_MODS = 16, VERDICT_MAX_LOGS = 8 };

#define RULE_NONE     UINT32_MAX
#define GRANT_NONE    UINT32_MAX
#define ZONE_NONE     UINT16_MAX
#define TRAIL_MAX     32
#define CATEGORY_NONE UINT16_MAX

/* One step of the trail: a rule that was considered and what came out. */
struct trail_step {
    uint32_t rule;
    uint8_t match; /* 0 no, 1 yes, 2 open */
    uint64_t waits_for;
};

struct verdict {
    enum action action;
    enum layer layer;
    enum why why;
    bool forbid;        /* by `forbid`: nothing can lift it */
    uint32_t rule;      /* global rule number in the snapshot, or RULE_NONE */
    uint16_t category;  /* the category of that rule which matched, or CATEGORY_NONE */
    uint64_t waits_for; /* facts that earlier, open rules wait for; 0: final for this step */
    bool observed;      /* decided as written and to be recorded, but not to be enforced: let it through */
    uint32_t grant;     /* number of the grant that lifted it, or GRANT_NONE */
    int64_t
        valid_until; /* first moment (UTC seconds) at which time alone would change it; INT64_MAX: never */
    uint16_t n_mods, n_logs;
    struct verdict_mod mods[VERDICT_MAX_MODS]; /* with an action that lets the request through */
    uint32_t logs[VERDICT_MAX_LOGS];           /* `log` rules that match: entries with a purpose */
    uint16_t n_trail;
    struct trail_step trail[TRAIL_MAX]; /* open and deciding rules, in order; the last one decided */
};

/* Of `mods`, `logs` and `trail` only what their counts say is written. */
void decide(const struct snapshot *snap, const struct facts *facts, struct verdict *out);
/* Does a `forbid` rule of `web` match for certain, wherever it stands? What is not known does not match. */
bool decide_forbids(const struct snapshot *snap, const struct facts *facts, uint32_t *rule);
/* What `tls` alone says of a connect: ACT_EXEMPT or ACT_INSPECT (a block by `tls` counts as inspect). For a
 * flow that is observed: what would have blocked it lets it through, as `tls` says. */
void decide_tls(const struct snapshot *snap, const struct facts *facts, struct verdict *out);
/* What `web` alone says of a connect that nobody decrypts: ACT_BLOCK or ACT_ALLOW. No request will be seen,
 * so what only a request could lift stands, a warning too. For a flow that `tls` wants inspected and that is
 * exempt all the same. */
void decide_unseen(const struct snapshot *snap, const struct facts *facts, struct verdict *out);
/* A DNS question for facts->name: the first rule of `dns`; what none names is allowed. */
void decide_dns(const struct snapshot *snap, const struct facts *facts, struct verdict *out);

/* How one rule stands to some facts, dimension by dimension (bits of enum dim in policy/image.h); for
 * explanations. Slow, and pure as decide() is. */
struct why_not {
    uint32_t asks;      /* dimensions that the rule asks about */
    uint32_t refuses;   /* those in which it does not match */
    uint32_t excepts;   /* those of them in which `except` takes it away */
    uint32_t waits;     /* those whose facts are missing */
    bool not_yet, over; /* before its `since`; after its `until` */
};
struct why_not decide_why_not(const struct snapshot *snap, const struct facts *facts, uint32_t rule);
/* Word of a dimension as rules have it ("category", "for", "during"); those of a delegated file's frame too.
 */
span decide_dim_word(unsigned dim);

#endif
