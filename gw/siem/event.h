/* One JSON line per HTTP exchange and per flow: Suricata EVE's field names where it has them, all that is
 * ours in one object "perron". Written by hand-made formatters into a caller's buffer (0.1-0.5 us a line),
 * always valid JSON in one line of at most LIM_EVENT_BYTES whatever bytes came: strangers' bytes are escaped,
 * invalid UTF-8 becomes U+FFFD, long values are cut (perron.cut names them). Never in a line: query strings,
 * Referer beyond its host, cookies, credentials, bodies, a user's name (pseudonym only). Fields, their caps
 * and their meaning: event.tbl. */
#ifndef GW_SIEM_EVENT_H
#define GW_SIEM_EVENT_H

#include "gw/base/addr.h"

enum event_field {
#define F(id, object, name, cap, text) EVENT_##id,
#include "gw/siem/event.tbl"
#undef F
    EVENT_FIELDS
};
/* For documents and `show`: "http.url", or NULL beyond the last. */
const char *event_field_name(enum event_field f);
const char *event_field_text(enum event_field f);

/* What every event of a flow carries. */
struct event_flow_id {
    uint64_t flow_id; /* below 2^53, so that every JSON reader keeps it exact */
    int64_t wall_us;  /* when this event happened */
    struct addr src, dst;
    uint16_t src_port, dst_port;
};

/* The object "perron". Empty spans and zero numbers are left out unless said otherwise. */
struct event_perron {
    const char *code;   /* decision code of this exchange or flow, or NULL */
    const char *action; /* "block", "warn", "allow", "exempt", "inspect" */
    const char *reason; /* exactly one, from reason.tbl; always there */
    span detail;        /* more precise name of the reason, e.g. the reader's ("te-and-cl") */
    span rule;          /* text of the rule */
    span rule_at;       /* "file:line" */
    span category;
    uint32_t grant;     /* number of the grant that let it through, or of the zone's exemption */
    const char *lifted; /* "clicked", "grant": what let through what the rule would have stopped, or NULL */
    bool observed;      /* decided as `action` says, but not enforced */
    span set, log; /* modifiers that apply; purposes of `log` rules that match: words with ", " between */
    span zone;
    span user;            /* pseudonym */
    const char *snapshot; /* short hash */
    const char *way;      /* "transparent", "explicit" */
    const char *mode;     /* "inspected", "exempt", "plain", "refused" */
    span node;
    uint32_t worker;
    uint64_t boot,
        seq; /* always there, at the line's end: (boot, worker, seq) is unique and the logger sees to it */
    /* microseconds spent, 0: stage not reached */
    uint32_t t_hello, t_decide, t_resolve, t_connect, t_upstream, t_mint, t_client_tls;
    uint64_t t_total; /* a tunnel may be open for longer than 32 bits can tell */
};

struct event_http {
    struct event_flow_id id;
    uint32_t tx_id;
    span hostname;
    uint16_t port;
    span path; /* without query (what stands behind ? or # is cut all the same) */
    bool had_query;
    span method, protocol; /* "HTTP/1.1" */
    span user_agent, referer_host, content_type;
    uint16_t status;
    uint64_t bytes; /* length of the answer's body */
    uint64_t bytes_up;
    struct event_perron perron;
};

struct event_flow {
    struct event_flow_id id;
    int64_t start_us;
    uint64_t bytes_toserver, bytes_toclient;
    bool tls, ech;
    span sni, ja4, alpn;
    const char *version;                 /* of the client's side: "TLS 1.3" */
    span subject, issuer;                /* of the origin's certificate as seen, RFC 2253 text */
    const char *origin_tls, *client_tls; /* "TLSv1.2 ECDHE-RSA-AES128-SHA", or NULL */
    const char *defect;                  /* certificate defect by name, or NULL */
    const char *revocation; /* of an inspected origin: "good", "unknown, out-of-date" (its staple); or NULL */
    uint32_t exchanges;
    struct event_perron perron;
};

/* OK with the line (no newline) in *out (cleared first). */
enum rc event_http_json(struct buf *out, const struct event_http *e) MUST_USE;
enum rc event_flow_json(struct buf *out, const struct event_flow *e) MUST_USE;
/* A load or refusal of a policy, or a change of grants: who, when, old and new hash. event_type "engine" as
 * EVE's schema has it. */
struct event_policy {
    int64_t wall_us;
    const char *message; /* one English sentence; NULL: what `outcome` says of a load */
    span who, file,
        outcome; /* "loaded", "refused"; of grants: "granted", "revoked", "exempted", "exempt-ended" */
    const char *old_hash, *new_hash;
    struct event_perron perron;
};
enum rc event_policy_json(struct buf *out, const struct event_policy *e) MUST_USE;

/* The gateway about its own log: a line that a worker spoiled, a line torn by a power cut. */
struct event_note {
    int64_t wall_us;
    const char *message; /* one English sentence */
    const char *process; /* "logger"; then there is no worker and no seq. NULL: in a worker's place */
    struct event_perron perron;
};
enum rc event_note_json(struct buf *out, const struct event_note *e) MUST_USE;

/* Whose line is it? Read back from its end; false when it has none. The logger sees to it that a worker
 * speaks for itself alone. */
bool event_identity(span line, uint64_t *boot, uint32_t *worker, uint64_t *seq);

/* The one pseudonym function: keyed (HMAC-SHA-256 under the day's key), 10 characters of Crockford's alphabet
 * with "u-" in front. The day's key comes from the master; workers never see the secret it is derived from.
 */
enum { PSEUDO_KEY = 32, PSEUDO_TEXT = 16 };
void pseudonym(const uint8_t day_key[PSEUDO_KEY], span user, char out[PSEUDO_TEXT]);
void pseudonym_day_key(const uint8_t secret[PSEUDO_KEY], uint32_t day, uint8_t out[PSEUDO_KEY]);

#endif
