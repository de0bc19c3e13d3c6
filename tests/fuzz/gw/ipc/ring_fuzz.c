/* The logger's side of a ring whose positions and frames a captured worker has written: every walk ends,
 * stays inside the map (the sanitizer sees to it) and yields frames within bounds; after a reset the ring
 * serves again. Input: head, tail (u64 each), then bytes that stand at the tail's place. */
#include <sys/mman.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 4096, AT_HEAD = 64, AT_TAIL = 128, FRAME = 16 };

static uint64_t walk(struct ring *r)
{
    uint64_t cursor = ring_tail(r), seq, sum = 0, n = 0;
    enum ring_kind kind;
    span f;
    while (ring_peek(r, &cursor, &kind, &seq, &f) == RC_OK) {
        gw_assert(kind > 0 && kind < RING_KINDS && f.n <= LIM_EVENT_BYTES && ++n <= LIM_RING_BYTES / FRAME);
        for (size_t i = 0; i < f.n; i++)
            sum += f.p[i];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static struct ring *r;
    static uint8_t *raw;
    volatile uint64_t sink;
    if (!r) {
        gw_assert(ring_create(1, 1, &fd) == RC_OK && ring_map(fd, &r) == RC_OK);
        raw = mmap(NULL, HEADER + LIM_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        gw_assert(raw != MAP_FAILED);
    }
    if (size < 16)
        return 0;
    memcpy(raw + AT_HEAD, data, 8);
    memcpy(raw + AT_TAIL, data + 8, 8);
    for (size_t i = 16; i < size; i++)
        raw[HEADER + (ring_tail(r) + i - 16) % LIM_RING_BYTES] = data[i];
    sink = walk(r);
    (void)sink;
    ring_reset(r);
    gw_assert(ring_used(r) == 0);
    for (size_t i = 16; i < size; i++)
        raw[HEADER + i - 16] = 0;
    return 0;
}
