/* The table of rules' counters; see hits.h. Open addressing without removal: a slot's key is stored after its
 * numbers are zero and never changes, so a reader in another process sees a whole slot or none. */
#include "gw/ipc/hits.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { HITS_HEADER = 64, HITS_PROBES = 64, HITS_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };
#define HITS_MAGIC UINT64_C(0x7065727268697473)
_Static_assert((LIM_HITS_SLOTS & (LIM_HITS_SLOTS - 1)) == 0, "keys are taken modulo the slots");

struct slot {
    _Atomic uint64_t key, n;
    _Atomic int64_t last_s;
};

struct hits {
    uint64_t magic;
    _Atomic uint64_t used, lost;
    _Alignas(HITS_HEADER) struct slot slot[LIM_HITS_SLOTS];
};

enum rc hits_create(int *fd)
{
    AUTO_CLOSE int mem = memfd_create("perron-hits", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const uint64_t magic = HITS_MAGIC;
    if (mem < 0 || ftruncate(mem, sizeof(struct hits)) < 0 ||
        pwrite(mem, &magic, sizeof magic, 0) != sizeof magic || fcntl(mem, F_ADD_SEALS, HITS_SEALS) < 0)
        return RC_IO;
    *fd = mem;
    mem = -1;
    return RC_OK;
}

enum rc hits_map(int fd, struct hits **out)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    *out = NULL;
    if (seals < 0 || (seals & HITS_SEALS) != HITS_SEALS || fstat(fd, &st) < 0 ||
        st.st_size != sizeof(struct hits))
        return RC_BAD;
    struct hits *h = mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (h == MAP_FAILED)
        return RC_NOMEM;
    if (h->magic == HITS_MAGIC) {
        *out = h;
        return RC_OK;
    }
    munmap(h, sizeof *h);
    return RC_BAD;
}

void hits_unmap(struct hits *h)
{
    if (h)
        munmap(h, sizeof *h);
}

/* One writer: a load and a store are enough. */
static void more(_Atomic uint64_t *v)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + 1, memory_order_relaxed);
}

void hits_add(struct hits *h, uint64_t key, int64_t now_s)
{
    for (uint64_t i = 0; i < HITS_PROBES; i++) {
        struct slot *s = &h->slot[(key + i) % LIM_HITS_SLOTS];
        uint64_t there = atomic_load_explicit(&s->key, memory_order_relaxed);
        if (there == 0) {
            atomic_store_explicit(&s->key, key, memory_order_release);
            more(&h->used);
            there = key;
        }
        if (there == key) {
            more(&s->n);
            atomic_store_explicit(&s->last_s, now_s, memory_order_relaxed);
            return;
        }
    }
    more(&h->lost);
}

static bool read_slot(const struct slot *s, struct hit *out)
{
    out->key = atomic_load_explicit(&s->key, memory_order_acquire);
    out->n = atomic_load_explicit(&s->n, memory_order_relaxed);
    out->last_s = atomic_load_explicit(&s->last_s, memory_order_relaxed);
    return out->key != 0;
}

bool hits_find(const struct hits *h, uint64_t key, struct hit *out)
{
    for (uint64_t i = 0; i < HITS_PROBES; i++) {
        if (!read_slot(&h->slot[(key + i) % LIM_HITS_SLOTS], out))
            return false;
        if (out->key == key)
            return true;
    }
    return false;
}

bool hits_next(const struct hits *h, size_t *it, struct hit *out)
{
    while (*it < LIM_HITS_SLOTS) {
        if (read_slot(&h->slot[(*it)++], out))
            return true;
    }
    return false;
}

size_t hits_used(const struct hits *h)
{
    uint64_t n = atomic_load_explicit(&h->used, memory_order_relaxed);
    return n < LIM_HITS_SLOTS ? (size_t)n : LIM_HITS_SLOTS;
}

uint64_t hits_lost(const struct hits *h)
{
    return atomic_load_explicit(&h->lost, memory_order_relaxed);
}
