/* A bounded cache: items by key, the least recently used goes first. An item is the owner's struct with a
 * `struct lru_item` in it; the owner allocates it, the cache hands it to `gone` when it leaves for any
 * reason. */
#ifndef GW_BASE_LRU_H
#define GW_BASE_LRU_H

#include "gw/base/map.h"

enum { LRU_KEY_MOST = 64 };

struct lru_item {
    struct list link; /* in order of use */
    size_t key_n;
    uint8_t key[LRU_KEY_MOST];
};

typedef void (*lru_gone)(struct lru_item *item);

struct lru {
    struct map map;
    struct list order; /* the next one to go first */
    size_t max;
    lru_gone gone;
};

/* At most `max` items, at least one. */
void lru_init(struct lru *c, size_t max, lru_gone gone);
void lru_clear(struct lru *c);
void lru_fini(struct lru *c);
/* The item or NULL; it does not count as a use. */
struct lru_item *lru_find(const struct lru *c, span key);
void lru_used(struct lru *c, struct lru_item *item);
/* Takes the item; an old one under this key goes, and the least recently used at the cap. LIMIT (a key that
 * is empty or too long) and NOMEM: the item stays the caller's. */
enum rc lru_put(struct lru *c, span key, struct lru_item *item) MUST_USE;
void lru_drop(struct lru *c, struct lru_item *item);

#endif
