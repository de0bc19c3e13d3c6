/* Leaves by key, least recently used out first; see leafcache.h. The map finds, the list remembers the order
 * of use. */
#include "certs/leafcache.h"

#include "certs/ca_int.h"
#include "gw/base/map.h"
#include "gw/base/obj.h"

enum { LEAST_LEFT_S = 60, KEY_MAX = 64 };

struct entry {
    struct list link; /* in order of use: the next one to go first */
    X509 *leaf;
    int64_t not_after;
    size_t key_n;
    uint8_t key[KEY_MAX];
};

struct leafcache {
    struct map map;
    struct list order;
    size_t max;
};

enum rc leafcache_new(size_t max, struct leafcache **out)
{
    struct leafcache *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return RC_NOMEM;
    c->max = max ? max : 1;
    map_init(&c->map, 0);
    list_init(&c->order);
    return RC_OK;
}

static void drop(struct leafcache *c, struct entry *e)
{
    map_take(&c->map, span_of(e->key, e->key_n));
    list_drop(&e->link);
    X509_free(e->leaf);
    free(e);
}

void leafcache_clear(struct leafcache *c)
{
    while (!list_empty(&c->order))
        drop(c, CONTAINER_OF(c->order.next, struct entry, link));
}

void leafcache_free(struct leafcache *c)
{
    if (!c)
        return;
    leafcache_clear(c);
    map_fini(&c->map);
    free(c);
}

X509 *leafcache_find(struct leafcache *c, span key, int64_t now_s)
{
    struct entry *e = map_find(&c->map, key);
    if (!e)
        return NULL;
    if (e->not_after - now_s < LEAST_LEFT_S) {
        drop(c, e);
        return NULL;
    }
    list_drop(&e->link);
    list_push(&c->order, &e->link);
    X509_up_ref(e->leaf);
    return e->leaf;
}

enum rc leafcache_put(struct leafcache *c, span key, X509 *leaf)
{
    if (key.n == 0 || key.n > KEY_MAX)
        return RC_LIMIT;
    struct entry *old = map_find(&c->map, key);
    if (old)
        drop(c, old);
    while (c->map.n >= c->max)
        drop(c, CONTAINER_OF(c->order.next, struct entry, link));
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return RC_NOMEM;
    e->key_n = key.n;
    memcpy(e->key, key.p, key.n);
    enum rc rc = map_put(&c->map, key, e);
    if (rc != RC_OK) {
        free(e);
        return rc;
    }
    X509_up_ref(leaf);
    e->leaf = leaf;
    e->not_after = ca_time(X509_get0_notAfter(leaf));
    list_push(&c->order, &e->link);
    return RC_OK;
}

size_t leafcache_count(const struct leafcache *c)
{
    return c->map.n;
}
