/* Verified chains; see chaincache.h. */
#include "certs/chaincache.h"

#include "gw/base/lru.h"
#include "gw/base/obj.h"

enum { KEY_BYTES = 32, KEEP_S = 3600 };

struct entry {
    struct lru_item item;
    int64_t since_s, until_s;
    struct cert_verdict v;
};

struct chaincache {
    struct lru lru;
};

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    free(entry_of(item));
}

enum rc chaincache_new(size_t max, struct chaincache **out)
{
    struct chaincache *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return RC_NOMEM;
    lru_init(&c->lru, max, gone);
    return RC_OK;
}

void chaincache_clear(struct chaincache *c)
{
    lru_clear(&c->lru);
}

void chaincache_free(struct chaincache *c)
{
    if (!c)
        return;
    lru_fini(&c->lru);
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

enum rc chaincache_key(STACK_OF(X509) * chain, const uint8_t place[32], uint8_t key[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    unsigned n = 0;
    ok = ok && add(md, span_of(place, 32));
    for (int i = 0; ok && i < sk_X509_num(chain); i++)
        ok = add_cert(md, sk_X509_value(chain, i));
    ok = ok && EVP_DigestFinal_ex(md, key, &n) == 1;
    EVP_MD_CTX_free(md);
    return ok ? RC_OK : RC_NOMEM;
}

/* A clock that was set back makes an entry as doubtful as one that was set forward. */
bool chaincache_find(struct chaincache *c, const uint8_t key[32], int64_t now_s, struct cert_verdict *out)
{
    struct entry *e = entry_of(lru_find(&c->lru, span_of(key, KEY_BYTES)));
    if (!e)
        return false;
    if (now_s < e->since_s || now_s >= e->until_s) {
        lru_drop(&c->lru, &e->item);
        return false;
    }
    lru_used(&c->lru, &e->item);
    *out = e->v;
    return true;
}

enum rc chaincache_put(struct chaincache *c, const uint8_t key[32], int64_t now_s, int64_t until_s,
                       const struct cert_verdict *v)
{
    if (v->defects != 0 || until_s <= now_s)
        return RC_DENIED;
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return RC_NOMEM;
    e->v = *v;
    e->since_s = now_s;
    e->until_s = until_s < now_s + KEEP_S ? until_s : now_s + KEEP_S;
    enum rc rc = lru_put(&c->lru, span_of(key, KEY_BYTES), &e->item);
    if (rc != RC_OK)
        free(e);
    return rc;
}
