/* One HTTP exchange inside a flow: judged when its head is there, relayed, told in one line when it is over.
 * In HTTP/1 its flow has one (flow->tx) for all, one at a time; in HTTP/2 each stream has its own. Whoever
 * makes one calls txn_init() once; its spans live in its arena and go when it ends. */
#ifndef GW_FLOW_TXN_H
#define GW_FLOW_TXN_H

#include "gw/base/arena.h"
#include "gw/http/h1.h"
#include "policy/facts.h"
#include "policy/snapshot.h"

struct flow;
struct hold;

enum reason {
#define R(id, name, text) REASON_##id,
#include "gw/flow/reason.tbl"
#undef R
    REASON_N
};
const char *reason_name(enum reason r);
const char *reason_text(enum reason r);
/* Is it a word of the policy, and no failure? */
bool reason_is_policy(enum reason r);

/* What is kept of a verdict. `action` is what was decided and goes into the log, `does` what is done: under
 * `observe` a block or a warning is let through. */
struct judged {
    enum action action, does;
    enum why why;
    bool made, observed;
    uint16_t category;
    uint32_t rule, grant;
    int64_t valid_until; /* UTC seconds; then it is decided again (again.c) */
    uint16_t n_logs, n_mods;
    uint32_t logs[VERDICT_MAX_LOGS];
    const struct verdict_mod *mods; /* of a request: in the exchange's arena, values in its snapshot */
};

/* Where an exchange stands, each way. */
enum way { WAY_HEAD, WAY_BODY, WAY_DONE };

/* One HTTP exchange inside a flow. What stands before `open` is there for good, the rest is of one exchange.
 */
struct txn {
    struct flow *f;
    struct hold *hold; /* with which it waits for room in the log */
    struct arena arena;
    bool open;     /* head seen, event not written yet */
    bool waiting;  /* head parsed; waits for log room, look-up, origin or signer */
    bool again;    /* ... and is to be parsed again now: its bytes are still in f->in */
    bool ready;    /* judged, and the origin is there: relay it */
    bool answered; /* by us, not by the origin */
    bool up_dead;  /* the origin takes no more of the request; its answer may still come */
    bool sent;     /* the request's head has left towards the origin */
    bool began;    /* the answer's head has left towards the client */
    bool from_http10, client_close, origin_close, upgrade;
    bool repeating;  /* on a new connection, for the one before was dead */
    bool chunk_down; /* the answer leaves in chunks */
    bool recorded;   /* `code` is that of a decision record */
    enum way up, down;
    uint32_t id;
    char code[16];
    struct judged verdict;
    struct snapshot *snap; /* the one that judged it, counted */
    span method, host, path, user_agent, referer_host, content_type, accept, accept_language, upgrade_to;
    struct addr ip; /* host as an address literal */
    uint16_t port, status;
    bool had_query, upload;
    uint32_t changed;                    /* bit i: verdict.mods[i] changed the request; change.c */
    span repeat;                         /* the head as it left, where it may be asked twice */
    span target;                         /* path and query that a click past a warning leads back to */
    uint64_t clicked[FACTS_MAX_CLICKED]; /* keys of the warnings that this client may pass by */
    uint16_t n_clicked;
    unsigned n_interim;
    uint64_t bytes_up, bytes_down;
    int64_t start_us, sent_us;
    int64_t answer_since_ms; /* when the wait for the answer's head began, or for the next one after a 1xx */
    uint32_t t_decide;
    struct h1_body body_up, body_down;
};

/* NULL: none. */
static inline bool txn_is_open(const struct txn *t)
{
    return t && t->open;
}

void txn_init(struct txn *t, struct flow *f, struct hold *hold);
void txn_fini(struct txn *t); /* gives its memory back; no event. NULL is nothing, here and for txn_end() */
void txn_open(struct txn *t); /* one of which no head could be read */
/* A request's head: OK relay it; AGAIN waits (call again with the same head); DENIED answered. */
enum rc txn_begin(struct txn *t, struct msg *m) MUST_USE;
void txn_end(struct txn *t, enum reason why, span detail); /* its event */

/* HTTP/1 */
enum rc txn_response(struct txn *t, const struct msg *m) MUST_USE; /* OK; BAD: reason in f->detail */
void txn_done(struct txn *t);                                      /* both ways are complete */
void txn_resume_later(struct txn *t); /* the same at the end of the turn: its head is being read */
void txn_resume(struct txn *t);       /* what it waited for is there */

#endif
