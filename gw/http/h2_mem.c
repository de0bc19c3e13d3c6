/* Memory of libnghttp2.
 *
 * A session of it keeps a buffer of 16 KiB for the frame that is being written, which is most of what an idle
 * connection costs. We take each frame out as soon as it is written, before another session writes one, so
 * all sessions of a worker have the same buffer: the one that is asked for while a session is made.
 *
 * All else that is asked for then lives as long as the session and is almost empty: tables for streams that
 * an idle connection does not have. It lies in pages of its own (the session's core), which h2_rest() gives
 * back to the system (h2_rest.c). Whoever needs the session goes through h2_ng(), which makes them what they
 * were; what rests has nothing to say, so asking it to write does not wake it.
 *
 * What a session asks for later (streams, frames that wait, entries of HPACK) are some twenty small pieces a
 * request. Those that are given back go to lists of the worker by size, as far as each is few bytes: to take
 * and give one is then a few steps, where malloc() with many of one size out of its hands goes its long way.
 * Each size has its own bound, so that no client can fill the room of those that others need with one that
 * nobody needs. Under sanitizers nothing is kept: they are to see what the library does with its memory. */
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "gw/base/obj.h"
#include "gw/base/sanitizer.h"
#include "gw/http/h2_int.h"

enum {
    FRAME_BYTES = 16384 + 9 + 1, /* another number in another version: then each session has its own again */
    SLAB_CORES = 64,
    ALIGN = 16,
    KEPT_CORES = 128, /* free ones that keep their pages, for the next sessions */
    PIECE_STEP = 16,
    PIECE_HEAD = 8,
    PIECE_LEAST = 2,
    KEPT_PIECES_BYTES = 32 * 1024, /* of each size */
};

/* ---- cores ---- */

/* Pages for more sessions; they go with the pool. */
static bool grow(struct h2_pool *p)
{
    size_t n = p->n_slabs + 1;
    void **slabs = realloc(p->slabs, n * sizeof *slabs);
    if (!slabs)
        return false;
    p->slabs = slabs;
    void **cores = realloc(p->cores, n * SLAB_CORES * sizeof *cores);
    if (!cores)
        return false;
    p->cores = cores;
    uint8_t *at = mmap(NULL, (size_t)SLAB_CORES * H2_CORE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return false;
    p->slabs[p->n_slabs++] = at;
    for (size_t i = 0; i < SLAB_CORES; i++)
        p->cores[p->n_cores++] = at + i * H2_CORE_BYTES;
    return true;
}

struct h2_core *h2_core_get(struct h2_pool *p)
{
    struct h2_core *c = calloc(1, sizeof *c);
    if (!c || (p->n_cores == 0 && !grow(p))) {
        free(c);
        return NULL;
    }
    c->at = p->cores[--p->n_cores];
    return c;
}

void h2_core_put(struct h2_pool *p, struct h2_core *c)
{
    if (!c)
        return;
    free(c->packed);
    /* Zero it is as light at rest as a new one. Many that end at once would leave their pages for as many
     * that may never come. */
    if (p->n_cores < KEPT_CORES || madvise(c->at, H2_CORE_BYTES, MADV_DONTNEED) != 0)
        memset(c->at, 0, H2_CORE_BYTES);
    p->cores[p->n_cores++] = c->at; /* there is room: it came from there */
    free(c);
}

void h2_cores_fini(struct h2_pool *p)
{
    for (size_t i = 0; i < p->n_slabs; i++)
        munmap(p->slabs[i], (size_t)SLAB_CORES * H2_CORE_BYTES);
    free(p->slabs);
    free(p->cores);
    p->slabs = p->cores = NULL;
    p->n_slabs = p->n_cores = 0;
}

static bool in_core(const struct h2 *s, const void *at)
{
    const uint8_t *p = at;
    return s->core && p >= s->core->at && p < s->core->at + H2_CORE_BYTES;
}

/* ---- pieces ---- */

struct h2_piece {
    struct h2_piece *next;
};

/* malloc() needs PIECE_HEAD for itself, and gives no less than PIECE_LEAST steps. */
static void *piece_get(struct h2_pool *p, size_t n)
{
    size_t k = n < PIECE_LEAST * PIECE_STEP - PIECE_HEAD ? PIECE_LEAST
                                                         : (n + PIECE_HEAD + PIECE_STEP - 1) / PIECE_STEP;
    if (SANITIZED || k >= H2_PIECE_SIZES)
        return malloc(n);
    struct h2_piece *one = p->pieces[k].first;
    if (!one)
        return malloc(k * PIECE_STEP - PIECE_HEAD);
    p->pieces[k].first = one->next;
    p->pieces[k].bytes -= k * PIECE_STEP;
    return one;
}

/* What another malloc() gives may be smaller than any that is asked for here, and holds no link. */
static void piece_put(struct h2_pool *p, void *at)
{
    size_t k = (malloc_usable_size(at) + PIECE_HEAD) / PIECE_STEP;
    if (SANITIZED || k < PIECE_LEAST || k >= H2_PIECE_SIZES) {
        free(at);
        return;
    }
    struct h2_piece *one = at;
    gw_assert(one != p->pieces[k].first); /* given twice, two would have it */
    if (p->pieces[k].bytes >= KEPT_PIECES_BYTES) {
        free(at);
        return;
    }
    one->next = p->pieces[k].first;
    p->pieces[k].first = one;
    p->pieces[k].bytes += k * PIECE_STEP;
}

void h2_pieces_fini(struct h2_pool *p)
{
    for (size_t k = 0; k < H2_PIECE_SIZES; k++) {
        while (p->pieces[k].first) {
            struct h2_piece *next = p->pieces[k].first->next;
            free(p->pieces[k].first);
            p->pieces[k].first = next;
        }
        p->pieces[k].bytes = 0;
    }
}

/* ---- what the library calls ---- */

/* A piece of the core while the session is made; NULL: it is full, or the time is over. */
static void *take_core(struct h2 *s, size_t n)
{
    struct h2_core *c = s->core;
    if (!s->making || n > H2_CORE_BYTES || c->used + n > H2_CORE_BYTES)
        return NULL;
    void *at = c->at + c->used;
    c->used += (n + ALIGN - 1) / ALIGN * ALIGN;
    return at;
}

static void *take(size_t n, void *arg)
{
    struct h2 *s = arg;
    struct h2_pool *p = s->pool;
    if (!s->making || s->shares || n != FRAME_BYTES) {
        void *at = take_core(s, n);
        return at ? at : piece_get(p, n);
    }
    if (!p->frame)
        p->frame = malloc(FRAME_BYTES);
    s->shares = p->frame != NULL;
    return p->frame;
}

static void *take_many(size_t n, size_t each, void *arg)
{
    void *at = each == 0 || n <= H2_CORE_BYTES / each ? take_core(arg, n * each) : NULL;
    return at ? memset(at, 0, n * each) : calloc(n, each);
}

static void give(void *at, void *arg)
{
    const struct h2 *s = arg;
    if (at && at != s->pool->frame && !in_core(s, at))
        piece_put(s->pool, at);
}

/* Something that cannot grow where it is: `had` bytes from there belong to us at least. */
static void *move(const void *at, size_t had, size_t n)
{
    void *own = malloc(n > had ? n : had);
    if (own)
        memcpy(own, at, had);
    return own;
}

static void *change(void *at, size_t n, void *arg)
{
    struct h2 *s = arg;
    if (!at)
        return take(n, arg);
    if (at == s->pool->frame)
        return move(at, FRAME_BYTES, n);
    if (in_core(s, at))
        return move(at, (size_t)(s->core->at + H2_CORE_BYTES - (uint8_t *)at), n);
    return realloc(at, n);
}

nghttp2_mem h2_mem(struct h2 *s)
{
    return (nghttp2_mem){s, take, give, take_many, change};
}
