/* Bins of items; see catbins.h. Chunks are cut from blocks that only grow in size, so that few items do not
 * cost much and many do not cost many calls. */
#include "signatures/catbins.h"

#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/base/pages.h"

enum { CHUNK = 32768, BLOCK_FIRST = 8 * CHUNK, BLOCK_MOST = 64 << 20 };

struct catbins_chunk {
    struct catbins_chunk *next;
    size_t n; /* bytes in it; of the last one of a bin: see there */
    uint8_t bytes[];
};

enum { CHUNK_ROOM = CHUNK - sizeof(struct catbins_chunk) };
_Static_assert((int)CATBINS_ITEM <= (int)CHUNK_ROOM, "an item fits into a chunk");

struct catbins_block {
    struct catbins_block *next;
    size_t n; /* bytes behind this */
};

static void free_blocks(struct catbins_block *block)
{
    for (struct catbins_block *next; block; block = next) {
        next = block->next;
        free(block);
    }
}

void catbins_fini(struct catbins *b)
{
    free_blocks(b->blocks);
    free_blocks(b->given);
    *b = (struct catbins){0};
}

void catbins_give(struct catbins *b, struct buf *memory)
{
    struct catbins_block *block = (void *)memory->p;
    if (memory->w < CHUNK + sizeof *block) {
        buf_fini(memory);
        return;
    }
    *block = (struct catbins_block){b->given, memory->w - sizeof *block};
    b->given = block;
    *memory = (struct buf){.max = memory->max};
}

static struct catbins_block *new_block(struct catbins *b)
{
    size_t n = b->next_block ? b->next_block : BLOCK_FIRST;
    struct catbins_block *block = b->given;
    if (block) {
        b->given = block->next;
        return block;
    }
    block = malloc(sizeof *block + n);
    if (!block)
        return NULL;
    pages_large(block, sizeof *block + n);
    block->n = n;
    b->next_block = n < BLOCK_MOST ? n * 2 : n;
    return block;
}

static bool add_block(struct catbins *b)
{
    struct catbins_block *block = new_block(b);
    if (!block)
        return false;
    block->next = b->blocks;
    b->blocks = block;
    b->room = (uint8_t *)(block + 1);
    b->left = block->n;
    return true;
}

static struct catbins_chunk *new_chunk(struct catbins *b)
{
    struct catbins_chunk *c = b->spare;
    if (c) {
        b->spare = c->next;
    } else {
        if (b->left < CHUNK && !add_block(b))
            return NULL;
        c = (struct catbins_chunk *)(void *)b->room;
        b->room += CHUNK;
        b->left -= CHUNK;
    }
    c->next = NULL;
    return c;
}

static bool next_chunk(struct catbins *b, struct catbins_bin *bin)
{
    struct catbins_chunk *c = new_chunk(b);
    if (!c)
        return false;
    if (bin->last) {
        bin->last->n = bin->used;
        bin->last->next = c;
    } else {
        bin->first = c;
    }
    bin->last = c;
    bin->used = 0;
    return true;
}

void *catbins_add(struct catbins *b, uint64_t hash, size_t n)
{
    struct catbins_bin *bin = &b->bin[hash >> 56];
    n = (n + 7) & ~(size_t)7;
    gw_assert(n <= CATBINS_ITEM);
    if ((!bin->last || CHUNK_ROOM - bin->used < n) && !next_chunk(b, bin))
        return NULL;
    void *p = bin->last->bytes + bin->used;
    bin->used += n;
    return p;
}

void catbins_mark(const struct catbins *b, struct catbins_mark *m)
{
    memcpy(m->bin, b->bin, sizeof m->bin);
}

void catbins_back(struct catbins *b, const struct catbins_mark *m)
{
    for (unsigned i = 0; i < CATBINS; i++) {
        const struct catbins_bin *to = &m->bin[i];
        struct catbins_chunk *c = to->last ? to->last->next : b->bin[i].first;
        for (struct catbins_chunk *next; c; c = next) {
            next = c->next;
            c->next = b->spare;
            b->spare = c;
        }
        b->bin[i] = *to;
        if (to->last)
            to->last->next = NULL;
    }
}

bool catbins_next(const struct catbins *b, unsigned bin, struct catbins_walk *w, span *out)
{
    const struct catbins_bin *of = &b->bin[bin];
    w->chunk = w->begun ? w->chunk->next : of->first;
    w->begun = true;
    if (!w->chunk)
        return false;
    *out = span_of(w->chunk->bytes, w->chunk == of->last ? of->used : w->chunk->n);
    return true;
}
