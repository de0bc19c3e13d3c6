/* Bounded caches; see lru.h. The map finds, the list remembers the order of use. */
#include "gw/base/lru.h"

#include "gw/base/obj.h"

void lru_init(struct lru *c, size_t max, lru_gone gone)
{
    *c = (struct lru){.max = max ? max : 1, .gone = gone};
    map_init(&c->map, 0);
    list_init(&c->order);
}

void lru_drop(struct lru *c, struct lru_item *item)
{
    map_take(&c->map, span_of(item->key, item->key_n));
    list_drop(&item->link);
    c->gone(item);
}

static void drop_oldest(struct lru *c)
{
    lru_drop(c, CONTAINER_OF(c->order.next, struct lru_item, link));
}

void lru_clear(struct lru *c)
{
    while (!list_empty(&c->order))
        drop_oldest(c);
}

void lru_fini(struct lru *c)
{
    lru_clear(c);
    map_fini(&c->map);
}

struct lru_item *lru_find(const struct lru *c, span key)
{
    return map_find(&c->map, key);
}

void lru_used(struct lru *c, struct lru_item *item)
{
    list_drop(&item->link);
    list_push(&c->order, &item->link);
}

enum rc lru_put(struct lru *c, span key, struct lru_item *item)
{
    if (key.n == 0 || key.n > sizeof item->key)
        return RC_LIMIT;
    struct lru_item *old = lru_find(c, key);
    if (old)
        lru_drop(c, old);
    while (c->map.n >= c->max)
        drop_oldest(c);
    TRY(map_put(&c->map, key, item));
    item->key_n = key.n;
    memcpy(item->key, key.p, key.n);
    list_push(&c->order, &item->link);
    return RC_OK;
}
