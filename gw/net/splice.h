/* Relay of flows that are passed undecrypted: the kernel moves the bytes (splice), user space never sees
 * them. Pipes come from a pool per worker and are held only while bytes are in them: 5,000 quiet flows need
 * none. Where a pipe cannot be had (descriptors or the user's pipe pages ran out) the bytes are copied
 * instead. Half-close is carried over. */
#ifndef GW_NET_SPLICE_H
#define GW_NET_SPLICE_H

#include "gw/base/buf.h"
#include "gw/base/ev.h"

struct pipe_pool {
    int (*free)[2];
    size_t n, max;
    uint64_t n_made, n_refused, n_copied; /* counters */
};
enum rc pipe_pool_init(struct pipe_pool *p, size_t max) MUST_USE;
void pipe_pool_fini(struct pipe_pool *p);

struct splice_way {  /* one direction */
    int pipe[2];     /* -1: none held */
    size_t in_pipe;  /* bytes inside */
    struct buf copy; /* what was copied because there was no pipe, and bytes given at the start */
    bool eof, shut;  /* source ended; told the sink so */
    uint64_t bytes;
};

struct splice {
    struct ev *ev;
    struct pipe_pool *pool;
    struct ev_io side[2];     /* 0: client, 1: origin */
    struct splice_way way[2]; /* 0: client to origin, 1: back */
    int64_t last_ms;          /* when a byte last moved */
    int err;
    bool aborted; /* one side was reset */
    void *data;   /* the owner's, like on_end set before splice_start */
    void (*on_end)(struct splice *s);
};

/* Takes both sockets and `first`, bytes of the client that go to the origin before anything else (moved out
 * of the buf). on_end comes from the loop when both directions have ended or one failed; the sockets are
 * closed then. */
enum rc splice_start(struct splice *s, struct ev *ev, struct pipe_pool *pool, int client, int origin,
                     struct buf *first) MUST_USE;
/* Ends at once without on_end; with_reset: the peers see RST. */
void splice_stop(struct splice *s, bool with_reset);

#endif
