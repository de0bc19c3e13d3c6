/* What the files of the HTTP/2 session share: h2.c (life and what is asked of a session), h2_in.c (what
 * comes), and h2_out.c (what leaves). They alone include libnghttp2. */
#ifndef GW_HTTP_H2_INT_H
#define GW_HTTP_H2_INT_H

#include <nghttp2/nghttp2.h>

#include "gw/http/h2.h"
#include "gw/http/h2_flood.h"

enum { H2_CORE_BYTES = 12288 };

/* Memory of a session of the library that it has as long as it lives; see h2_mem.c. */
struct h2_core {
    uint8_t *at; /* page-aligned */
    size_t used;
    struct h2_packed *packed; /* what was there, while it rests; see h2_rest.c */
};
struct h2_core *h2_core_get(struct h2_pool *p);
void h2_core_put(struct h2_pool *p, struct h2_core *c);

struct h2 {
    nghttp2_session *ng; /* through h2_ng() */
    struct h2_core *core;
    const struct h2_ops *ops;
    void *owner;
    struct h2_pool *pool;
    bool server, stopped, terminated;
    bool making, shares; /* h2_mem.c */
    bool preface;        /* is still to be written */
    bool busy;           /* in h2_feed(): nothing may be written */
    struct h2_fault fault;
    uint32_t fault_code; /* for GOAWAY */
    int64_t now_ms;      /* of the bytes that are looked at */
    struct h2_flood flood;
    struct h2_head *head; /* being read */
    struct h2_leg *head_leg;
    int64_t head_since_ms;
    unsigned n_continuations;
    uint32_t n_requests;        /* open, towards a server */
    uint32_t n_wide;            /* legs with a wide window */
    size_t most;                /* ... until that holds so many bytes */
    struct buf *write;          /* where h2_write() puts content */
    const struct h2_leg *until; /* h2_write() ends when its head has left */
};

void h2_wake(const struct h2 *s); /* one that rests */

/* The session, awake. */
static inline nghttp2_session *h2_ng(const struct h2 *s)
{
    if (s->core->packed)
        h2_wake(s);
    return s->ng;
}

nghttp2_mem h2_mem(struct h2 *s);
void h2_in_callbacks(nghttp2_session_callbacks *c);
void h2_out_callbacks(nghttp2_session_callbacks *c);
/* The session has to end. */
void h2_fail(struct h2 *s, enum h2_why why, uint32_t code);
/* Something on a leg breaks a rule. */
void h2_leg_bad(struct h2_leg *l, struct h2_fault f);

#endif
