/* Keyed hash map (bytes -> pointer) and intrusive doubly linked lists.
 * The map's hash is SipHash-1-3 under a key drawn at start, so strangers cannot choose collisions.
 * The map copies keys and borrows values; iteration order is unspecified. */
#ifndef GW_BASE_MAP_H
#define GW_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw/base/buf.h"

struct map {
    struct map_slot *slots;
    size_t n, cap, max; /* entries, slots, cap on entries (0: none) */
};

void map_init(struct map *m, size_t max);
void map_fini(struct map *m);
void *map_find(const struct map *m, span key);
/* Replaces an old value. LIMIT at the cap, NOMEM. */
enum rc map_put(struct map *m, span key, void *value) MUST_USE;
/* The removed value or NULL. */
void *map_take(struct map *m, span key);
/* Walks all entries: start with *it = 0; false at the end. Do not change the map meanwhile. */
bool map_next(const struct map *m, size_t *it, span *key, void **value);
uint64_t map_hash(span key);

/* Intrusive list: an empty head points at itself. */
struct list {
    struct list *prev, *next;
};
static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
static inline void list_push(struct list *head, struct list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}
/* Safe on an item that is in no list but initialised. */
static inline void list_drop(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

#endif
