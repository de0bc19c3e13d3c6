/* One end of a channel between two processes: SOCK_SEQPACKET, one message a packet, descriptors beside it.
 * The permit table (msg.tbl with the two roles) says what may come in and how often; anything else closes the
 * channel with a line in the operator log. Sending never blocks: what the kernel does not take waits in a
 * bounded queue. */
#ifndef GW_IPC_PEER_H
#define GW_IPC_PEER_H

#include "gw/base/ev.h"
#include "gw/ipc/msg.h"

enum { PEER_MAX_FDS = 4 };

struct peer;

/* A whole message has come. `fds` are the callee's: it closes or keeps each one (-1 beyond n_fds). */
typedef void (*peer_on_msg)(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds);
/* The channel ended (other side gone, or malformed: then `rc` is BAD). The peer is freed after it returns. */
typedef void (*peer_on_end)(struct peer *p, enum rc rc);

/* Takes the descriptor. `me` and `them` select the permit table. `data` is for the owner. */
enum rc peer_new(struct ev *ev, int fd, enum role me, enum role them, peer_on_msg on_msg, peer_on_end on_end,
                 void *data, struct peer **out) MUST_USE;
/* Closes without calling on_end; NULL is fine. Safe inside callbacks. */
void peer_free(struct peer *p);
void *peer_data(const struct peer *p);
/* Copies the payload; descriptors are duplicated, the caller keeps its own. FULL when the queue is at its
 * cap. */
enum rc peer_send(struct peer *p, enum msg_type type, span payload, const int *fds, size_t n_fds) MUST_USE;
/* A connected pair of close-on-exec descriptors for a new channel. */
enum rc peer_pair(int out[2]) MUST_USE;

#endif
