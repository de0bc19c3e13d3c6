/* The ring of events from a worker to the logger; ring.h says what it promises.
 *
 * A kill -9 between any two stores must neither lose nor double a frame. So one store publishes it (`head`),
 * after its bytes and its number are there. The number of the last frame must survive its worker too: the
 * producer notes (position after the frame, last number of each kind) in one of two slots in turn before it
 * moves `head`; after a kill exactly the slot whose position equals `head` tells the truth, the other one is
 * of the frame before or of one that never was. Promises live in the producer's own memory and die with it.
 */
#include "gw/ipc/ring.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { RING_HEADER = 4096, RING_FRAME = 16, RING_VERSION = 2 };
#define RING_MAGIC  UINT64_C(0x7065726e72696e67)
#define RING_MAPPED (RING_HEADER + 2 * (size_t)LIM_RING_BYTES)
#define RING_SEALS  (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert((LIM_RING_BYTES & (LIM_RING_BYTES - 1)) == 0, "positions are taken modulo the size");
_Static_assert(LIM_RING_BYTES % 65536 == 0, "mapped twice: whole pages of any size");
_Static_assert(LIM_EVENT_BYTES + RING_FRAME < LIM_RING_BYTES / 4, "a frame must be small beside the ring");

struct ring_note {
    _Atomic uint64_t after, last[RING_KINDS - 1]; /* of event, record */
};

/* What both processes see. Written once by ring_create down to `boot`. */
struct ring_shared {
    uint64_t magic;
    uint32_t version, worker;
    uint64_t bytes, boot;
    _Alignas(64) _Atomic uint64_t head; /* producer: end of the last whole frame; only grows */
    struct ring_note note[2];
    _Alignas(64) _Atomic uint64_t tail; /* consumer: everything before is written */
    _Alignas(64) _Atomic uint32_t sleeping;
};
_Static_assert(sizeof(struct ring_shared) <= RING_HEADER, "header fits its page");

struct ring_frame {
    uint32_t n, kind;
    uint64_t seq;
};
_Static_assert(sizeof(struct ring_frame) == RING_FRAME, "no hole in a frame's header");

struct ring {
    struct ring_shared *sh;
    uint8_t *data;                   /* 2 * LIM_RING_BYTES, the second half mirrors the first */
    uint64_t head, promises, frames; /* the producer's own */
    uint64_t last[RING_KINDS - 1];   /* number of the last frame of each kind */
    uint32_t worker;
    uint64_t boot;
};

static uint64_t frame_room(size_t n)
{
    return (RING_FRAME + (uint64_t)n + 7) & ~UINT64_C(7);
}

enum rc ring_create(uint64_t boot, uint32_t worker, int *fd)
{
    AUTO_CLOSE int f = memfd_create("perron-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct ring_shared head = {.magic = RING_MAGIC,
                               .version = RING_VERSION,
                               .worker = worker,
                               .bytes = LIM_RING_BYTES,
                               .boot = boot};
    if (f < 0 || ftruncate(f, RING_HEADER + (off_t)LIM_RING_BYTES) != 0 ||
        pwrite(f, &head, sizeof head, 0) != (ssize_t)sizeof head || fcntl(f, F_ADD_SEALS, RING_SEALS) != 0)
        return RC_IO;
    *fd = f;
    f = -1;
    return RC_OK;
}

/* Header page and data once, then the data again right behind. */
static uint8_t *map_twice(int fd)
{
    uint8_t *p = mmap(NULL, RING_MAPPED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (mmap(p, RING_HEADER + LIM_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != p ||
        mmap(p + RING_HEADER + LIM_RING_BYTES, LIM_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             fd, RING_HEADER) == MAP_FAILED) {
        munmap(p, RING_MAPPED);
        return NULL;
    }
    return p;
}

/* A shorter or unsealed file would let the other side end us with SIGBUS. */
static bool is_ring_file(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW) &&
           fstat(fd, &st) == 0 && st.st_size == RING_HEADER + (off_t)LIM_RING_BYTES;
}

static void numbers_after_kill(struct ring *r)
{
    const struct ring_shared *sh = r->sh;
    bool found = false;
    for (size_t i = 0; i < N_ELEMS(sh->note) && !found; i++) {
        found = atomic_load(&sh->note[i].after) == r->head;
        r->frames = i + 1; /* the next note goes into the other slot */
        for (size_t k = 0; k < RING_KINDS - 1; k++) {
            uint64_t seq = atomic_load(&sh->note[i].last[k]);
            if (found || seq > r->last[k]) /* overwritten by a captured worker: any number will do */
                r->last[k] = seq;
        }
    }
}

static bool is_ours(const struct ring_shared *sh)
{
    return sh->magic == RING_MAGIC && sh->version == RING_VERSION && sh->bytes == LIM_RING_BYTES;
}

enum rc ring_map(int fd, struct ring **out)
{
    if (!is_ring_file(fd))
        return RC_BAD;
    uint8_t *p = map_twice(fd);
    if (!p)
        return RC_NOMEM;
    struct ring_shared *sh = (struct ring_shared *)(void *)p;
    struct ring *r = is_ours(sh) ? calloc(1, sizeof *r) : NULL;
    if (!r) {
        enum rc rc = is_ours(sh) ? RC_NOMEM : RC_BAD;
        munmap(p, RING_MAPPED);
        return rc;
    }
    r->sh = sh;
    r->data = p + RING_HEADER;
    r->worker = sh->worker;
    r->boot = sh->boot;
    r->head = atomic_load_explicit(&sh->head, memory_order_acquire);
    numbers_after_kill(r);
    *out = r;
    return RC_OK;
}

void ring_unmap(struct ring *r)
{
    if (!r)
        return;
    munmap(r->sh, RING_MAPPED);
    free(r);
}

/* ---- producer ---- */

enum rc ring_reserve(struct ring *r)
{
    uint64_t used = r->head - atomic_load_explicit(&r->sh->tail, memory_order_acquire);
    uint64_t want = (r->promises + 1) * frame_room(LIM_EVENT_BYTES);
    if (used > LIM_RING_BYTES || want > LIM_RING_BYTES - used)
        return RC_FULL;
    r->promises++;
    return RC_OK;
}

void ring_release(struct ring *r)
{
    gw_assert(r->promises > 0);
    r->promises--;
}

void ring_put(struct ring *r, enum ring_kind kind, span frame, bool *wake)
{
    gw_assert(r->promises > 0 && frame.n <= LIM_EVENT_BYTES && kind > 0 && kind < RING_KINDS);
    struct ring_shared *sh = r->sh;
    struct ring_frame f = {(uint32_t)frame.n, (uint32_t)kind, ++r->last[kind - 1]};
    uint8_t *p = r->data + r->head % LIM_RING_BYTES;
    uint64_t after = r->head + frame_room(frame.n);
    struct ring_note *note = &sh->note[r->frames++ % N_ELEMS(sh->note)];

    memcpy(p, &f, sizeof f);
    if (frame.n)
        memcpy(p + RING_FRAME, frame.p, frame.n);
    atomic_store_explicit(&note->after, after, memory_order_relaxed);
    for (size_t k = 0; k < RING_KINDS - 1; k++)
        atomic_store_explicit(&note->last[k], r->last[k], memory_order_relaxed);
    /* seq_cst pairs with ring_sleeping: either the logger sees this head, or we see that it sleeps. */
    atomic_store(&sh->head, after);
    r->head = after;
    r->promises--;
    *wake = atomic_load(&sh->sleeping) && atomic_exchange(&sh->sleeping, 0);
}

uint64_t ring_next_seq(const struct ring *r)
{
    return ring_next_of(r, RING_EVENT);
}

uint64_t ring_next_of(const struct ring *r, enum ring_kind kind)
{
    gw_assert(kind > 0 && kind < RING_KINDS);
    return r->last[kind - 1] + 1;
}

/* ---- consumer ---- */

enum rc ring_peek(struct ring *r, uint64_t *cursor, enum ring_kind *kind, uint64_t *seq, span *frame)
{
    struct ring_frame f;
    uint64_t have = atomic_load(&r->sh->head) - *cursor;
    if (have == 0)
        return RC_MORE;
    if (have > LIM_RING_BYTES || have < RING_FRAME)
        return RC_BAD;
    const uint8_t *p = r->data + *cursor % LIM_RING_BYTES;
    memcpy(&f, p, sizeof f);
    atomic_signal_fence(memory_order_seq_cst); /* judged from this copy, never read again */
    if (f.n > LIM_EVENT_BYTES || f.kind == 0 || f.kind >= RING_KINDS || f.seq > INT64_MAX ||
        frame_room(f.n) > have)
        return RC_BAD;
    *kind = (enum ring_kind)f.kind;
    *seq = f.seq;
    *frame = span_of(p + RING_FRAME, f.n);
    *cursor += frame_room(f.n);
    return RC_OK;
}

uint64_t ring_tail(const struct ring *r)
{
    return atomic_load_explicit(&r->sh->tail, memory_order_acquire);
}

void ring_advance(struct ring *r, uint64_t cursor)
{
    atomic_store_explicit(&r->sh->tail, cursor, memory_order_release);
}

void ring_sleeping(struct ring *r, bool sleeping)
{
    atomic_store(&r->sh->sleeping, sleeping);
}

void ring_reset(struct ring *r)
{
    ring_advance(r, atomic_load(&r->sh->head));
}

uint64_t ring_used(const struct ring *r)
{
    uint64_t used = atomic_load(&r->sh->head) - ring_tail(r);
    return used > LIM_RING_BYTES ? LIM_RING_BYTES : used;
}

uint32_t ring_worker(const struct ring *r)
{
    return r->worker;
}

uint64_t ring_boot(const struct ring *r)
{
    return r->boot;
}
