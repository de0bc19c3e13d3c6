/* HTTP/2 of the load client: one request at a time on a connection. It shares no code with the gateway, whose
 * judge it is. */
#ifndef BENCH_LOAD_H2_H
#define BENCH_LOAD_H2_H

#include "gw/base/buf.h"

enum { LOAD_H2_FRAME = 9, LOAD_H2_KEPT = 16 };

/* Zero-initialised is a new connection. */
struct load_h2 {
    uint32_t stream;  /* of the present request; 0: none yet */
    bool status_ok;   /* its answer's head says 200 */
    uint64_t content; /* bytes of it since the caller looked */
    /* the frame that comes */
    uint8_t head[LOAD_H2_FRAME], kept[LOAD_H2_KEPT];
    size_t n_head, n_kept, left;
};

enum load_h2_got { LOAD_H2_MORE, LOAD_H2_WHOLE, LOAD_H2_BROKEN };

/* Appends the next request (and what a connection begins with). */
void load_h2_request(struct load_h2 *h, const char *host, const char *path, struct buf *out);
/* What came. WHOLE: the answer is, with status 200; BROKEN: another status, reset, or more than an answer.
 * What is to be said to it is appended to `reply`. */
enum load_h2_got load_h2_take(struct load_h2 *h, span s, struct buf *reply);

#endif
