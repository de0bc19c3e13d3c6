/* The ring between one worker (writes) and the logger (reads): a memfd that the master keeps, so that kill -9
 * of either loses nothing. One producer, one consumer, frames of [u32 length][u32 kind][u64 seq][bytes],
 * padded to 8.
 *
 * `head` moves after the frame is whole, `tail` only after the logger has written it out. The logger trusts
 * nothing in it: lengths and positions are checked, a broken ring is reset and counted. seq counts up by one
 * per frame of a kind without gaps, also across a replaced worker (it lives in the ring). The data is mapped
 * twice in a row, so a frame is always one piece of memory and no position, however wrong, leads out of the
 * map. */
#ifndef GW_IPC_RING_H
#define GW_IPC_RING_H

#include "gw/base/buf.h"

struct ring;
enum ring_kind {
    RING_EVENT = 1,  /* one JSON object without its newline */
    RING_RECORD = 2, /* a decision record (policy/record.h) */
    RING_KINDS
};

/* In the master: a fresh ring in a memfd, sealed against a change of its size. */
enum rc ring_create(uint64_t boot, uint32_t worker, int *fd) MUST_USE;
/* Maps an existing one; BAD when it is no ring of ours. Takes nothing: the caller closes fd. */
enum rc ring_map(int fd, struct ring **out) MUST_USE;
void ring_unmap(struct ring *r); /* NULL is fine */

/* Producer. Room is reserved before a verdict takes effect and given back or used afterwards: ring_reserve
 * counts promises; ring_put of a frame uses one. FULL when there is no room for all promises plus this one.
 * Each promise counts LIM_EVENT_BYTES, so a ring holds about a thousand of them: they are for the moment, not
 * for the life of a flow. */
enum rc ring_reserve(struct ring *r) MUST_USE;
void ring_release(struct ring *r);
/* Needs a promise (gw_assert). Never fails with one in hand and frame.n <= LIM_EVENT_BYTES. *wake: the logger
 * sleeps, write to its eventfd. */
void ring_put(struct ring *r, enum ring_kind kind, span frame, bool *wake);
/* The number that the next event, or the next frame of a kind, gets. */
uint64_t ring_next_seq(const struct ring *r);
uint64_t ring_next_of(const struct ring *r, enum ring_kind kind);

/* Consumer. Walk with a cursor that starts at ring_tail. MORE: empty; BAD: broken (the caller resets it). The
 * frame is borrowed until ring_advance and shared with a process that may be captured: copy it before judging
 * it. */
enum rc ring_peek(struct ring *r, uint64_t *cursor, enum ring_kind *kind, uint64_t *seq,
                  span *frame) MUST_USE;
uint64_t ring_tail(const struct ring *r);
/* Everything before cursor is written. */
void ring_advance(struct ring *r, uint64_t cursor);
/* The logger is about to wait (then it must look into the ring once more), or has woken up. */
void ring_sleeping(struct ring *r, bool sleeping);
/* Drops whatever is in it, so that a broken ring serves again. */
void ring_reset(struct ring *r);
/* Bytes between tail and head, for `show`. */
uint64_t ring_used(const struct ring *r);
/* As they stood in the ring when it was mapped; the logger believes the master's message instead. */
uint32_t ring_worker(const struct ring *r);
uint64_t ring_boot(const struct ring *r);

#endif
