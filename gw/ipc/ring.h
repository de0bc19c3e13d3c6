/* The ring between one worker (writes) and the logger (reads): a memfd that the master keeps, so that kill -9 of either
 * loses nothing. One producer, one consumer, frames of [u32 length][u32 kind][u64 seq][bytes], padded to 8.
 *
 * `head` moves after the frame is whole, `tail` only after the logger has written it out. The logger trusts nothing in
 * it: lengths and positions are checked, a broken ring is reset and counted. seq counts up by one per frame without
 * gaps, also across a replaced worker (it lives in the ring). */
#ifndef GW_IPC_RING_H
#define GW_IPC_RING_H

#include "gw/base/buf.h"

struct ring;
enum ring_kind { RING_EVENT = 1 /* one JSON object without its newline */ };

/* In the master: a fresh ring in a memfd. */
enum rc ring_create(uint64_t boot, uint32_t worker, int *fd) MUST_USE;
/* Maps an existing one. Takes nothing: the caller closes fd. */
enum rc ring_map(int fd, struct ring **out) MUST_USE;
void ring_unmap(struct ring *r);

/* Producer. Room is reserved before a verdict takes effect and given back or used afterwards: ring_reserve counts
 * promises; ring_put of a frame uses one. FULL when there is no room for all promises plus this one (each promise
 * counts LIM_EVENT_BYTES). */
enum rc ring_reserve(struct ring *r) MUST_USE;
void ring_release(struct ring *r);
/* Needs a promise (gw_assert). Never fails with one in hand and frame.n <= LIM_EVENT_BYTES. *wake: the logger sleeps. */
void ring_put(struct ring *r, enum ring_kind kind, span frame, bool *wake);
uint64_t ring_next_seq(const struct ring *r);

/* Consumer. Borrowed until ring_advance. MORE: empty; BAD: broken (the caller resets it). */
enum rc ring_peek(struct ring *r, uint64_t *cursor, enum ring_kind *kind, uint64_t *seq, span *frame) MUST_USE;
uint64_t ring_tail(const struct ring *r);
void ring_advance(struct ring *r, uint64_t cursor); /* everything before cursor is written */
void ring_sleeping(struct ring *r, bool sleeping);  /* the logger is about to wait */
void ring_reset(struct ring *r);
uint32_t ring_worker(const struct ring *r);
uint64_t ring_boot(const struct ring *r);

#endif
