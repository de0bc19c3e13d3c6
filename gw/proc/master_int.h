/* The master's own state, shared by its files only. Everything here lives as long as the process. */
#ifndef GW_PROC_MASTER_INT_H
#define GW_PROC_MASTER_INT_H

#include "gw/base/clock.h"
#include "gw/base/ev.h"
#include "gw/flow/click.h"
#include "gw/ipc/peer.h"
#include "gw/ipc/ring.h"
#include "gw/proc/counts.h"
#include "gw/proc/doors.h"
#include "gw/proc/master.h"
#include "gw/proc/policy_int.h"
#include "gw/proc/state.h"
#include "gw/tls/ticket.h"

struct master;
struct control;
struct nft;
struct broken;

/* Order matters: stopping goes from one phase to the next. */
enum phase {
    PHASE_STARTING, /* until every child said READY */
    PHASE_RUNNING,
    PHASE_STOP_WORKERS, /* open exchanges end */
    PHASE_STOP_HELPERS,
    PHASE_STOP_LOGGER, /* writes what is left in the rings */
    PHASE_STOP_KEEPER, /* removes rules and routes */
    PHASE_OVER,
};

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_ENDING };

struct child {
    struct master *m;
    enum role role;
    uint32_t index;
    bool wanted; /* started again when it dies */
    enum child_state state;
    pid_t pid;
    struct peer *peer;
    int64_t spawned_ms, ready_ms, held_until_ms;
    int64_t codes_ms;              /* when it last asked for decision codes */
    int64_t asked_ms;              /* of the oldest heartbeat that it did not answer, 0: none */
    uint32_t restarts, quick_ends; /* ends soon after the start, in a row */
    struct ev_timer again;
    uint8_t snapshot[SNAP_HASH]; /* confirmed by it */
};

/* What the signer said of its work, over all signers since the start. */
struct leaf_state {
    uint64_t made, put_off, refused, base_made, base_put_off, base_refused;
    uint32_t log_errno;
    int dir, fd;     /* STATE/leaves and its newest file */
    uint32_t number; /* of that file */
    uint32_t synced; /* the newest that a logger was known to have; 0: none yet */
};

struct master {
    const struct master_opts *o;
    struct ev *ev;
    enum phase phase;
    int exit_code;
    bool hurry; /* a second signal: no grace */
    int64_t started_ms;
    struct ev_io signals;
    struct ev_timer heartbeat, phase_end, hourly, counting;
    uint64_t beat;

    struct child single[ROLE_N]; /* all but workers */
    struct child worker[LIM_WORKERS];
    uint32_t n_workers;

    struct state state;
    struct role_config config;
    struct policy policy;
    struct grants_part grants;
    struct last_lists last;
    struct question asking;
    struct grant_wish wish;
    unsigned n_exempt; /* zones' exemptions that held when it was last looked at */
    struct kept kept;
    struct kept_snapshot unkept; /* what could not be kept, for another attempt */
    bool is_unkept;
    int64_t unkept_ms;
    struct counts counts;
    int broken_fd; /* gw/ipc/broken.h, given to every worker */
    struct broken *broken;
    uint64_t broken_written; /* broken_changes() when its file was */
    int broken_errno;        /* of the last attempt; it is made again */
    int64_t counts_written_ms;
    struct reload reload;
    struct doors doors;
    struct nft *nft; /* NULL: nothing is diverted */
    int trust_fd, log_fd, journal_fd, seen_fd;
    int revoked_fd; /* the revocation set in force, -1: none yet */
    bool revoked_dirty;
    int64_t revoked_ms; /* when it was last tried to write it down */
    int revoked_errno;
    int ring_fd[LIM_WORKERS + 1], ring_wake[LIM_WORKERS + 1]; /* the last: the master's own */
    struct ring *own_ring;
    struct buf ca, crl;   /* as in MSG_CA without its generation; MSG_CRL */
    struct buf untrusted; /* MSG_UNTRUSTED */
    struct buf crl_url;   /* the pointer that the signer writes into leaves */
    uint16_t ca_generation;
    uint64_t pin_given[4],
        pin_refused[4]; /* struct ca_source: the token's PIN file; refused: zeros, or not again */
    uint8_t secret[STATE_SECRET];
    struct click_keys clicks; /* today's and yesterday's; they die with the gateway, as do the clicks */
    struct tickets tickets; /* keys of the last hours, the same for all workers; they die with the gateway */
    int64_t tickets_ms;     /* when the newest was made (monotonic) */
    uint32_t day;
    uint64_t log_events, log_bytes;
    uint32_t log_errno;
    struct leaf_state leaves;
    struct control *control;
};

/* ---- master.c ---- */
/* Something that cannot be mended while starting: one clear line was written, everything ends, exit status 1.
 */
void master_fail(struct master *m);
void master_stop(struct master *m, uint32_t grace_ms);
/* A child became ready or has ended: is the next step due? */
void master_step(struct master *m);
/* Starts the opener where the policy in force needs it and it is not there. */
void master_opener(struct master *m);

/* ---- children.c ---- */
void children_init(struct master *m);
void child_start(struct child *c);
void child_stop(struct child *c, uint32_t grace_ms);
void child_kill(struct child *c);
/* Sends to it if it lives; a full queue or a closed channel is the channel's own end. */
void child_send(struct child *c, enum msg_type t, span payload, const int *fds, size_t n_fds);
void children_reap(struct master *m);
void children_beat(struct master *m);
/* Walks all children, workers last; NULL at the end. Start with *it = 0. */
struct child *children_next(struct master *m, size_t *it);
bool children_all_ready(struct master *m);

/* ---- feed.c ---- */
/* Everything that is there once and kept: CA, trust, rings, log directory, secrets. One line in `err`
 * otherwise. */
enum rc feed_open(struct master *m, struct buf *err) MUST_USE;
enum rc feed_open_policy(struct master *m, const struct settings *s, uint32_t n_workers,
                         struct buf *err) MUST_USE;
/* Right after a child was started: all that its role needs, in the order in which it needs it. */
enum rc feed_child(struct child *c) MUST_USE;
void feed_snapshot(struct child *c);
/* Has the token refused its PIN, and is the file with it still the same? */
bool feed_pin_held(struct master *m);
void feed_doors(struct child *c, const struct doors *had);
void feed_hits(struct child *c);
void feed_codes(struct child *c);
void feed_crl(struct master *m, span crl);
/* The scripted clock was set: every child follows. */
void feed_clock(struct master *m);
/* The register of leaves (gw/proc/leaves.c): opened at the start; a new file when the newest is large enough.
 */
enum rc leaves_open(struct master *m, struct buf *err) MUST_USE;
void leaves_feed(struct child *signer);
void leaves_feed_logger(struct child *logger); /* who syncs it: all since the one before its last */
void leaves_logger_ready(struct master *m);    /* it has what it was fed */
void leaves_turn(struct master *m);
void leaves_said(struct master *m, span payload);
void leaves_signer_ended(struct master *m);
/* Once an hour: tomorrow's pseudonym key, once a day a new CRL. */
void feed_hourly(struct master *m);

/* ---- revocations.c ---- */
/* The set of the last run, where there is one. */
void revocations_open(struct master *m);
/* A new one from the fetcher, to every worker. */
void revocations_take(struct master *m, int fd);
/* Writes a new one down, at most once a minute unless `now`. */
void revocations_write(struct master *m, bool now);
void feed_revocations(struct child *c);
/* What the fetcher needs to know of the policy in force. */
void feed_fetch_rules(struct master *m);

/* ---- gate.c ---- */
/* Leads the clients' traffic here as `s` says; on failure what was in force stays. */
enum rc gate_open(struct master *m, const struct snapshot *s, struct buf *err) MUST_USE;
void gate_close(struct master *m);
void gate_feed_keeper(struct child *keeper);

#endif
