/* Verified chains; see chaincache.h. The map finds, the list remembers the order of use. */
#include "certs/chaincache.h"

#include "gw/base/map.h"
#include "gw/base/obj.h"

enum { KEY_BYTES = 32, KEEP_S = 3600 };

struct entry {
    struct list link; /* in order of use: the next one to go first */
    uint8_t key[KEY_BYTES];
    int64_t since_s, until_s;
    struct cert_verdict v;
};

struct chaincache {
    struct map map;
    struct list order;
    size_t max;
};

enum rc chaincache_new(size_t max, struct chaincache **out)
{
    struct chaincache *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return RC_NOMEM;
    c->max = max ? max : 1;
    map_init(&c->map, 0);
    list_init(&c->order);
    return RC_OK;
}

static void drop(struct chaincache *c, struct entry *e)
{
    map_take(&c->map, span_of(e->key, KEY_BYTES));
    list_drop(&e->link);
    free(e);
}

void chaincache_clear(struct chaincache *c)
{
    while (!list_empty(&c->order))
        drop(c, CONTAINER_OF(c->order.next, struct entry, link));
}

void chaincache_free(struct chaincache *c)
{
    if (!c)
        return;
    chaincache_clear(c);
    map_fini(&c->map);
    free(c);
}

/* Each part behind its length, so that no two lists of parts give the same bytes. */
static bool add(EVP_MD_CTX *md, span s)
{
    uint32_t n = (uint32_t)s.n;
    return EVP_DigestUpdate(md, &n, sizeof n) == 1 && EVP_DigestUpdate(md, s.p, s.n) == 1;
}

static bool add_cert(EVP_MD_CTX *md, X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    bool ok = n > 0 && add(md, span_of(der, (size_t)n));
    OPENSSL_free(der);
    return ok;
}

enum rc chaincache_key(STACK_OF(X509) * chain, span name, const struct addr *ip, uint8_t key[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    span host = ip ? span_of(ip->b, ip->family == 4 ? 4 : 16) : name;
    uint8_t kind = ip ? ip->family : 0;
    unsigned n = 0;
    ok = ok && add(md, span_of(&kind, 1)) && add(md, host);
    for (int i = 0; ok && i < sk_X509_num(chain); i++)
        ok = add_cert(md, sk_X509_value(chain, i));
    ok = ok && EVP_DigestFinal_ex(md, key, &n) == 1;
    EVP_MD_CTX_free(md);
    return ok ? RC_OK : RC_NOMEM;
}

/* A clock that was set back makes an entry as doubtful as one that was set forward. */
bool chaincache_find(struct chaincache *c, const uint8_t key[32], int64_t now_s, struct cert_verdict *out)
{
    struct entry *e = map_find(&c->map, span_of(key, KEY_BYTES));
    if (!e)
        return false;
    if (now_s < e->since_s || now_s >= e->until_s) {
        drop(c, e);
        return false;
    }
    list_drop(&e->link);
    list_push(&c->order, &e->link);
    *out = e->v;
    return true;
}

enum rc chaincache_put(struct chaincache *c, const uint8_t key[32], int64_t now_s, int64_t until_s,
                       const struct cert_verdict *v)
{
    if (v->defects != 0 || until_s <= now_s)
        return RC_DENIED;
    struct entry *old = map_find(&c->map, span_of(key, KEY_BYTES));
    if (old)
        drop(c, old);
    while (c->map.n >= c->max)
        drop(c, CONTAINER_OF(c->order.next, struct entry, link));
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return RC_NOMEM;
    memcpy(e->key, key, KEY_BYTES);
    e->v = *v;
    e->since_s = now_s;
    e->until_s = until_s < now_s + KEEP_S ? until_s : now_s + KEEP_S;
    list_init(&e->link);
    enum rc rc = map_put(&c->map, span_of(key, KEY_BYTES), e);
    if (rc != RC_OK) {
        free(e);
        return rc;
    }
    list_push(&c->order, &e->link);
    return RC_OK;
}
