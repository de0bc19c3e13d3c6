/* Items of any length dealt out into bins by the upper bits of a hash, each bin in the order in which its
 * items came. What is sorted bin by bin stays in the processor's cache; sorted in one go it would wait for
 * memory at every item. */
#ifndef SIGNATURES_CATBINS_H
#define SIGNATURES_CATBINS_H

#include "gw/base/buf.h"

enum {
    CATBINS = 256,
    CATBINS_ITEM = 4096, /* bytes: no item is longer */
};

struct catbins_chunk;
struct catbins_block;

struct catbins_bin {
    struct catbins_chunk *first, *last;
    size_t used; /* bytes of the last one */
};

struct catbins {
    struct catbins_bin bin[CATBINS];
    uint8_t *room; /* of the newest block, not yet given to a chunk */
    size_t left, next_block;
    struct catbins_chunk *spare;
    struct catbins_block *blocks, *given;
};

/* How far each bin was filled. */
struct catbins_mark {
    struct catbins_bin bin[CATBINS];
};

/* A zeroed one is empty. Frees all items. */
void catbins_fini(struct catbins *b);
/* Room for an item of n bytes, 8-byte aligned, in the bin of `hash`; NULL without memory. `n` is rounded up
 * to 8. */
void *catbins_add(struct catbins *b, uint64_t hash, size_t n);
/* Takes the memory of a buffer, which is empty then, for items to come: memory that was never used before has
 * to be cleared by the kernel, which costs more than filling it. */
void catbins_give(struct catbins *b, struct buf *memory);
void catbins_mark(const struct catbins *b, struct catbins_mark *m);
/* Takes out what came after the mark. */
void catbins_back(struct catbins *b, const struct catbins_mark *m);

/* Goes through a bin: start with {0}; each span has whole items. False at the end. */
struct catbins_walk {
    const struct catbins_chunk *chunk;
    bool begun;
};
bool catbins_next(const struct catbins *b, unsigned bin, struct catbins_walk *w, span *out);

#endif
