/* Regions; see arena.h. */
#include "gw/base/arena.h"

#include <stdlib.h>

enum { BLOCK_FIRST = 512, BLOCK_MOST = 8192, ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t cap)
{
    *a = (struct arena){.cap = cap};
}

void arena_reset(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

void arena_fini(struct arena *a)
{
    arena_reset(a);
}

static struct arena_block *block_for(struct arena *a, size_t n)
{
    if (a->blocks && a->blocks->size - a->blocks->used >= n)
        return a->blocks;
    size_t size = a->blocks ? a->blocks->size * 2 : BLOCK_FIRST; /* an idle flow holds one small block */
    if (size > BLOCK_MOST)
        size = BLOCK_MOST;
    if (size < n)
        size = n;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct arena_block){.next = a->blocks, .size = size};
    a->blocks = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need < n || need > a->cap - a->used)
        return NULL;
    struct arena_block *b = block_for(a, need);
    if (!b)
        return NULL;
    void *p = b->bytes + b->used;
    b->used += need;
    a->used += need;
    if (a->used > a->high)
        a->high = a->used;
    return memset(p, 0, need);
}

span arena_dup(struct arena *a, span s)
{
    if (s.n == 0)
        return SPAN_NONE;
    uint8_t *p = arena_alloc(a, s.n);
    if (!p)
        return SPAN_NONE;
    memcpy(p, s.p, s.n);
    return span_of(p, s.n);
}

char *arena_str(struct arena *a, span s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}
