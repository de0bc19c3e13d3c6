/* Leaves by key, least recently used out first; see leafcache.h. */
#include "certs/leafcache.h"

#include "certs/ca_int.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"

enum { LEAST_LEFT_S = 60 };

struct entry {
    struct lru_item item;
    X509 *leaf;
    int64_t not_after;
};

struct leafcache {
    struct lru lru;
};

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    struct entry *e = entry_of(item);
    X509_free(e->leaf);
    free(e);
}

enum rc leafcache_new(size_t max, struct leafcache **out)
{
    struct leafcache *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return RC_NOMEM;
    lru_init(&c->lru, max, gone);
    return RC_OK;
}

void leafcache_clear(struct leafcache *c)
{
    lru_clear(&c->lru);
}

void leafcache_free(struct leafcache *c)
{
    if (!c)
        return;
    lru_fini(&c->lru);
    free(c);
}

X509 *leafcache_find(struct leafcache *c, span key, int64_t now_s)
{
    struct entry *e = entry_of(lru_find(&c->lru, key));
    if (!e)
        return NULL;
    if (e->not_after - now_s < LEAST_LEFT_S) {
        lru_drop(&c->lru, &e->item);
        return NULL;
    }
    lru_used(&c->lru, &e->item);
    X509_up_ref(e->leaf);
    return e->leaf;
}

enum rc leafcache_put(struct leafcache *c, span key, X509 *leaf)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return RC_NOMEM;
    enum rc rc = lru_put(&c->lru, key, &e->item);
    if (rc != RC_OK) {
        free(e);
        return rc;
    }
    X509_up_ref(leaf);
    e->leaf = leaf;
    e->not_after = ca_time(X509_get0_notAfter(leaf));
    return RC_OK;
}

size_t leafcache_count(const struct leafcache *c)
{
    return c->lru.map.n;
}
