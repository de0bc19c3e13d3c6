/* A flow that speaks HTTP/2 on both sides: two sessions (gw/http/h2.h), one towards the client and one
 * towards the origin, and an exchange for each stream. Nothing is translated: a request that is allowed
 * becomes a stream of the origin's session. When the origin's connection ends or says that it will, so does
 * the client's (GOAWAY), and its next connection is decided and agreed anew. h2.c moves bytes, h2_exchange.c
 * has what happens to one exchange, h2_again.c decides them again. */
#ifndef GW_FLOW_H2_H
#define GW_FLOW_H2_H

#include "gw/flow/flow.h"
#include "gw/http/h2.h"

/* One exchange: its txn and its two streams. */
struct exchange {
    struct list link;
    struct txn t;
    struct hold hold;
    struct h2_leg client, origin;
    struct h2_head *req; /* the request's head, until it has been sent */
    int64_t due_ms;      /* when something must have moved */
    size_t wasted;       /* of the request, come when nobody wanted it any more */
    bool patient;        /* gRPC: either side may be silent for long before the answer begins */
    bool own_answer;     /* what waits for the client is ours */
    bool asked;          /* a whole request that is to be judged as soon as all that came is read */
    bool done;           /* in order; its event is written at the end of the turn */
    bool over;           /* both streams are; its memory goes at the end of the turn */
    struct exchange *next_asked;
};

struct h2flow {
    struct h2 *client, *origin; /* origin NULL: refused, nothing goes upstream */
    struct list open;
    struct exchange *asked, **asked_end; /* requests to be judged, in their order */
    size_t asked_bytes;                  /* memory of their heads, at most LIM_H2_ASKED_BYTES and one */
    struct h2_waiting *waiting;          /* where the content of its exchanges counts; share.c */
    unsigned n;
    int64_t due_ms;      /* no exchange is due before; INT64_MAX: none is */
    bool last;           /* the client has been told that no new stream is taken, or takes none itself */
    bool origin_over;    /* its connection is */
    bool spoke;          /* the client has sent something inside TLS: it took our leaf */
    bool connects;       /* WebSockets are offered to the client */
    uint32_t streams;    /* so many at a time have been offered to it */
    enum reason end_why; /* why the flow ends when its exchanges have */
    span end_detail;
};

/* h2.c */
enum rc h2flow_new(struct flow *f) MUST_USE;
/* Moves what can be moved. */
void h2flow_pump(struct flow *f);
/* Is it still exchanging? */
bool h2flow_goes_on(const struct flow *f);
/* No new streams; the flow ends with that reason when the last one has. The first reason stays. */
void h2flow_last(struct flow *f, enum reason why, span detail);
/* The flow is over: events of what runs, GOAWAY into the client's buffer. */
void h2flow_finish(struct flow *f, enum reason why, span detail);
void h2flow_deadline(struct flow *f);
/* The origin's connection is over: what it has not answered gets a page, what it has begun is broken off, and
 * the client is told to come back on another connection. */
void h2flow_origin_over(struct flow *f, enum reason why, span detail);
void h2flow_free(struct flow *f);

/* h2_exchange.c: what happens to one */
extern const struct h2_ops exchange_client_ops, exchange_origin_ops;
struct exchange *exchange_of(struct txn *t);
/* Judges the requests that have been read, and sends them. */
void exchange_begin_asked(struct flow *f);
/* Its event, when it is over in order. */
void exchange_tell(struct exchange *x);
/* From txn.c: OK; DENIED, and its stream is refused: so much content waits for readers that nothing new
 * begins. */
enum rc exchange_room(struct txn *t) MUST_USE;
/* From txn.c: the request is allowed; as txn_begin. */
enum rc exchange_send(struct txn *t, struct msg *m) MUST_USE;
/* From answer.c: an HTTP/1.1 response of our own. */
void exchange_answer(struct txn *t, span bytes, enum reason why, span detail);
/* Its deadline begins anew. */
void exchange_touch(struct exchange *x);
/* Broken off: its event, and RST_STREAM both ways. */
void exchange_break(struct exchange *x, enum reason why, span detail, uint32_t code);
/* Its deadline has passed. */
void exchange_due(struct exchange *x);
void exchange_free(struct exchange *x);
void exchange_spare_free(struct engine *e);

/* h2_again.c */
/* The connection is no longer allowed: every exchange gets the page or is broken off, so does what comes
 * next. */
void h2flow_over(struct flow *f, enum reason why, span detail);
/* Every exchange is decided again (by the flow's snapshot). */
void h2flow_judge(struct flow *f, enum reason why);
int64_t h2flow_ends_at(const struct flow *f);
bool h2flow_is_old(const struct flow *f); /* has it exchanges of an older snapshot? */

#endif
