/* One side of a connection that speaks HTTP/2 (RFC 9113), on libnghttp2: bytes in, heads and content out, and
 * back. Pure: no socket, no clock of its own; never logs. The rules of messages are ours (h2_head.h), frames,
 * HPACK and flow control are the library's, and so that nobody can make us work or hold for nothing there are
 * limits on what moves nothing (h2_flood.h).
 *
 * A stream is a `struct h2_leg`, embedded in its owner. Content that comes on one waits in the `out` of the
 * one on the other side, and only when it has left there may the owner say h2_took(), which allows its sender
 * more (flow control end to end). Each stream's window holds its own sender, never another's: all of
 * LIM_H2_STREAMS may be full with LIM_H2_FIRST_BYTES each, some of them with LIM_H2_STREAM_BYTES, together at
 * most LIM_H2_SESSION_BYTES, and the session's window is still open. Over sessions h2_wait.h counts what
 * waits: where that is full no window is made wide, and the owner takes no more streams.
 *
 * Callbacks come from within h2_feed() and h2_write(). They may call everything here about another session,
 * and the functions about legs for their own; they never free a session. */
#ifndef GW_HTTP_H2_H
#define GW_HTTP_H2_H

#include "gw/http/h1.h"
#include "gw/http/h2_head.h"
#include "gw/http/h2_wait.h"

struct h2;
struct h2_leg;

struct h2_ops {
    /* Server: a client begins a stream. Its leg (h2_leg_init'ed), or NULL: refused. */
    struct h2_leg *(*begin)(void *owner);
    /* A head or trailer section without fault is there; taken by the callee (h2_head_put). */
    void (*head)(struct h2_leg *l, struct h2_head *h);
    /* The message on this leg breaks a rule. The owner says what becomes of it: at least h2_reset(). */
    void (*bad)(struct h2_leg *l, struct h2_fault fault);
    void (*data)(struct h2_leg *l, span content);
    void (*end)(struct h2_leg *l); /* of what the peer sends on it */
    /* The stream is over; 0: in order, else the code of the RST_STREAM. The leg is no longer in use. */
    void (*closed)(struct h2_leg *l, uint32_t code);
    /* The session's peer told: streams above `last` are lost, and no new ones may be begun. */
    void (*goaway)(void *owner, int32_t last);
    void (*settings)(void *owner); /* it sent SETTINGS */
    /* Bytes of content have left on this leg. */
    void (*sent)(struct h2_leg *l, size_t n);
};

struct h2_leg {
    struct h2 *s; /* NULL: not in use (any longer) */
    int32_t id;
    /* what comes */
    bool head_in, end_in; /* the (final) head, the end */
    bool no_body;         /* the message can have no content */
    bool has_length, is_head;
    uint64_t length, got;
    size_t took;        /* up to where its window is widened */
    struct h2 *widened; /* the session that gave it a wide window */
    bool broken;        /* told once that it breaks a rule: nothing more of it is told */
    /* what leaves */
    struct buf out;                         /* content that waits */
    struct h2_waiting *waiting;             /* where it counts, set by the owner; NULL: nowhere */
    size_t counted;                         /* bytes of `out` that do */
    bool out_end;                           /* nothing comes behind it but `trailers` */
    bool head_out;                          /* its head is submitted */
    bool deferred;                          /* the library waits until we have content again */
    bool reset;                             /* RST_STREAM is on its way */
    bool end_out;                           /* END_STREAM is on its way */
    struct h2_head *sending, **sending_end; /* heads that the library still reads */
    struct h2_head *trailers;
};
void h2_leg_init(struct h2_leg *l);
/* Takes it from its stream, if that still runs, and gives its memory back. */
void h2_leg_fini(struct h2_leg *l, struct h2_pool *pool);

/* `server`: the peer is the client. */
enum rc h2_new(struct h2 **out, bool server, const struct h2_ops *ops, void *owner,
               struct h2_pool *pool) MUST_USE;
void h2_free(struct h2 *s);
/* Queues what a session begins with. Server: may WebSockets be opened (RFC 8441)? */
enum rc h2_begin(struct h2 *s, bool connect_protocol) MUST_USE;

/* Bytes from the peer. OK; BAD: h2_session_fault() says why, and a GOAWAY waits to be written; NOMEM. */
enum rc h2_feed(struct h2 *s, span in, int64_t now_ms) MUST_USE;
struct h2_fault h2_session_fault(const struct h2 *s);
/* No callback comes any more, also not from the h2_feed() that runs. */
void h2_stop(struct h2 *s);
/* Puts frames into `out` until there are none or it holds `most` bytes. */
enum rc h2_write(struct h2 *s, struct buf *out, size_t most) MUST_USE;
/* The same, up to the head that begins this leg: then nothing borrows from its message. LIMIT: it did not
 * leave. */
enum rc h2_write_head(struct h2 *s, const struct h2_leg *l, struct buf *out) MUST_USE;
/* Is there something to be written? */
bool h2_wants_write(const struct h2 *s);
/* A session without streams that is silent gives back what it can; it is as it was as soon as it is used. */
void h2_rest(struct h2 *s);
/* Since when half a head waits for its rest; 0: none does. */
int64_t h2_head_since(const struct h2 *s);

/* No new streams; those that run may end. */
void h2_shut(struct h2 *s);
/* The session is over: GOAWAY with an error code (0: none; that of its fault, where it has one) is the last
 * frame. */
void h2_terminate(struct h2 *s, uint32_t code);
/* Towards a server: may a request be sent now? Streams at a time, GOAWAY. */
bool h2_may_request(const struct h2 *s);
/* Has the peer offered extended CONNECT? */
bool h2_peer_connects(const struct h2 *s);
void h2_offer_connect(struct h2 *s); /* from now on we do */
/* Streams at a time that the peer takes, and those that we take from now on. */
uint32_t h2_peer_streams(const struct h2 *s);
void h2_set_streams(struct h2 *s, uint32_t n);

/* A request begins on a leg; the head's fields are borrowed until they are sent: `h` is taken. `m` (with
 * spans of `h` or others that live as long) says what is written; without a body the request ends with it. */
enum rc h2_request(struct h2 *s, struct h2_leg *l, struct h2_head *h, const struct msg *m,
                   const struct relay_opts *o) MUST_USE;
/* A response, final or 1xx. */
enum rc h2_response(struct h2_leg *l, struct h2_head *h, const struct msg *m,
                    const struct relay_opts *o) MUST_USE;
/* Content for a leg whose head is submitted; LIMIT: its peer ignores its window, or twice as much waits as
 * may (h2_wait.h). */
enum rc h2_content(struct h2_leg *l, span data) MUST_USE;
/* What waits is thrown away: so many bytes. */
size_t h2_drop_content(struct h2_leg *l);
/* Nothing comes behind what was given; `trailers` may be NULL and is taken. */
void h2_finish(struct h2_leg *l, struct h2_head *trailers);
/* RST_STREAM. The leg's `closed` comes when it is written. */
void h2_reset(struct h2_leg *l, uint32_t code);
/* Content that came on this leg of the session (it may be closed by now) has been dealt with: its sender may
 * send as much again. */
void h2_took(struct h2 *s, struct h2_leg *l, size_t n);

/* Codes of RFC 9113 section 7 that we say. */
enum {
    H2E_NO_ERROR = 0,
    H2E_PROTOCOL = 1,
    H2E_INTERNAL = 2,
    H2E_REFUSED = 7,
    H2E_CANCEL = 8,
    H2E_CALM = 11,
    H2E_HTTP11 = 13
};
const char *h2_code_name(uint32_t code);

#endif
