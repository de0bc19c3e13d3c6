/* What all flows of a worker share: loop, snapshot, contexts, minter, resolver, pipes, ring, codes, counters,
 * scratch. One per worker process, filled by gw/proc/worker.c from what the master sends; tests fill it
 * themselves. */
#ifndef GW_FLOW_ENGINE_H
#define GW_FLOW_ENGINE_H

#include <openssl/ssl.h>

#include "certs/minter.h"
#include "certs/verify.h"
#include "gw/base/limits.h"
#include "gw/base/lru.h"
#include "gw/flow/click.h"
#include "gw/flow/place.h"
#include "gw/flow/share.h"
#include "gw/http/h2_head.h"
#include "gw/ipc/ask.h"
#include "gw/ipc/hits.h"
#include "gw/ipc/ring.h"
#include "gw/net/resolve.h"
#include "gw/net/splice.h"
#include "gw/tls/ticket.h"
#include "policy/snapshot.h"

struct breaks;
struct broken;
struct chaincache;
struct untrusted;
struct noted;
struct sessions;
struct pool;
struct flow;

struct counters {
#define C(id, name, text) uint64_t id;
#include "gw/flow/counter.tbl"
#undef C
};

/* Verdicts end, and policies change: all flows are looked at again, some in each turn of the loop (again.c).
 */
struct again {
    struct ev_timer at;   /* the next look, at most LIM_JUDGE_MS away: timers do not see the clock jump */
    struct ev_later more; /* the next batch */
    struct list *next;    /* flow to be looked at next; NULL: no look is under way */
    bool once_more;       /* a reason for the next look came during this one */
    bool all, all_next;   /* decide every flow again, whatever its verdict's end says */
    int64_t due_s;        /* first moment (UTC) at which a verdict ends */
    int64_t clock_us;     /* wall minus monotonic clock when last looked at */
};

struct engine {
    struct ev *ev;
    struct snapshot *snap; /* the current one; flows hold references of their own */
    struct trust *trust;
    struct chaincache *chains, *staples;
    struct revoked *revoked; /* NULL: no set has come yet */
    struct ask fetcher;
    struct lru issuers;        /* that it found */
    struct noted *asking;      /* origins that ask for a client's certificate, */
    struct noted *weak;        /* and those that the strong offer does not reach */
    struct sessions *sessions; /* of origins */
    struct pool *pool;         /* idle connections with them */
    uint64_t trust_generation;
    SSL_CTX *to_clients, *to_origins, *to_weak; /* the last: second attempts, where policy could allow it */
    struct tickets tickets;                     /* for clients */
    struct minter *minter;
    struct untrusted *untrusted; /* signs for origins with allowed defects */
    struct resolver *resolver;
    struct pipe_pool pipes;
    struct ring *ring;
    int ring_wake; /* eventfd of the logger */
    span crl_der;  /* answered at the CRL pointer */
    struct buf crl;
    struct old_crl { /* of CAs that were in force; by the query of their pointer */
        uint8_t n_query;
        uint8_t query[16];
        struct buf der;
    } old_crl[LIM_OLD_CAS];
    size_t n_old_crl;
    span ca_der; /* root certificate, DER */

    uint64_t code_next, code_end;
    void (*want_codes)(struct engine *e);
    struct ask opener; /* for sockets bound to a client's own address */

    struct click_keys clicks;
    uint8_t pseudo_key[2][32]; /* today's and tomorrow's */
    uint32_t pseudo_day;

    uint32_t node, worker;
    uint64_t boot;
    struct hits *hits; /* NULL: rules are not counted */
    struct breaks *breaks;
    struct broken *broken; /* shared by all workers; NULL: nothing is exempt for being broken */
    bool draining, logger_away;
    uint64_t next_flow_id;
    struct list flows;
    struct again again;
    const struct flow *current; /* whose callback runs, for the panic */
    struct counters n;

    /* scratch, valid within one callback */
    uint8_t io[LIM_IO_BYTES];
    struct msg msg;
    struct buf line;    /* event being written */
    struct buf backlog; /* what found the ring full: u8 kind, u32 length, bytes */
    uint64_t n_backlog; /* events in it */
    struct list holding;
    struct ev_timer hold_timer;
    struct share share;
    struct map minted; /* names a leaf was made for: they go on while the signer is away */
    struct buf page;
    struct h2_pool h2_heads; /* spare memory of HTTP/2: heads, */
    struct list h2_spare;    /* and exchanges */
    unsigned n_h2_spare;
    struct made *made; /* record of the last decision; record.c */
};

/* Contexts, pipes and lists; the rest is filled by the caller. */
enum rc engine_init(struct engine *e, struct ev *ev) MUST_USE;
void engine_fini(struct engine *e);
/* The untrusted CA, once: MSG_UNTRUSTED. */
enum rc engine_second_ca(struct engine *e, span pem) MUST_USE;
/* Takes a reference to the new snapshot, drops the old one; every flow is decided again, spread over turns.
 */
void engine_snapshot(struct engine *e, struct snapshot *s);

/* Takes over a sealed revocation set (the descriptor stays the caller's); every flow is judged again. BAD: it
 * is damaged, and the one in force stays. revoke.c */
enum rc engine_revocations(struct engine *e, int fd) MUST_USE;

/* origins.c: what is kept of origins */
enum rc origins_init(struct engine *e) MUST_USE;
void origins_fini(struct engine *e);
void origins_reloaded(struct engine *e); /* e->snap is another */

/* breaks.c: e->breaks; the end of it and of e->broken; the table that all workers share, the caller closes fd
 */
enum rc breaks_init(struct engine *e) MUST_USE;
void breaks_fini(struct engine *e);
enum rc engine_broken(struct engine *e, int fd) MUST_USE;

/* again.c */
void again_init(struct engine *e);
void again_fini(struct engine *e);
/* Looks at all flows now; `all`: also at those whose verdict has not ended. */
void again_start(struct engine *e, bool all);
/* A verdict holds until then (UTC seconds; INT64_MAX: no end). */
void again_due(struct engine *e, int64_t until_s);

/* record.c */
enum rc record_init(struct engine *e) MUST_USE;
void record_fini(struct engine *e);

/* Changes whenever the trust store or our own CA does: part of every key under which something is kept that
 * follows from an origin's certificate. Revocation is no part of it: it is asked anew each time. */
uint64_t engine_trust_generation(const struct engine *e);
/* The trust store or our CA is another now: what was verified before is forgotten. */
void engine_trust_changed(struct engine *e);

/* This rule of the snapshot decided (RULE_NONE: none did). */
void engine_hit(struct engine *e, const struct snapshot *s, uint32_t rule);
/* Counts from now on in another table (taken). */
void engine_hits(struct engine *e, struct hits *h);

/* A new decision code. */
void engine_code(struct engine *e, char out[16]);

/* ---- the log (gw/flow/engine.c) ----
 * A verdict takes effect only while the ring has room (engine_has_room), and its record goes there first; the
 * line follows when its flow or exchange ends. Should the ring be full at that moment the line waits in a
 * backlog of bounded size, so an event of a decided flow is never dropped while the worker lives. */
bool engine_has_room(struct engine *e);
/* Writes e->line. */
void engine_event(struct engine *e);
/* Writes a decision record. */
void engine_record(struct engine *e, span record);
/* Tries again what found the ring full; is everything in the ring now? */
bool engine_all_told(struct engine *e);
/* The sequence number that the next event will have: those in the backlog come first. */
uint64_t engine_next_seq(const struct engine *e);
/* Flows that wait for room register here; `again` is called when there is some (or their deadline passes by
 * itself). */
struct hold {
    struct list link;
    void (*again)(struct hold *h);
};
void engine_hold(struct engine *e, struct hold *h);
void engine_unhold(struct hold *h);

/* JSON for `perronctl show flows | flow ID | counters` (gw/flow/show.c). OK with one or more pieces in *out.
 */
enum rc engine_show(struct engine *e, span what, struct buf *out) MUST_USE;

#endif
