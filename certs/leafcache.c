/* Leaves by key, and the few objects that handshakes use; see leafcache.h. */
#include "certs/leafcache.h"

#include "certs/ca_int.h"
#include "certs/leafparts.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"

enum { LEAST_LEFT_S = 60 };

struct entry {
    struct lru_item item;
    struct leaf *leaf; /* an object that shows this certificate, or NULL */
    int64_t not_after;
    size_t n;
    uint8_t der[];
};

/* An object. In `idle`, the longest unused first, while nobody uses it. */
struct leaf {
    struct list link;
    struct leafcache *c; /* NULL: the cache is gone or emptied, freed at its last put */
    struct entry *shows; /* NULL: its entry has gone */
    unsigned uses;
    X509 *x;
};

struct leafcache {
    struct lru lru;
    struct list idle, lent;
    size_t n_idle, n_objects;
    struct leaf_counts counts;
};

/* ---- objects */

static bool set_subject(X509 *x, span cn)
{
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_ENTRY_free(X509_NAME_delete_entry(name, 0));
    return cn.n == 0 ||
           X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, cn.p, (int)cn.n, -1, 0) == 1;
}

static bool set_names(X509 *x, const struct leaf_parts *p)
{
    X509_EXTENSION *ext = X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1));
    return ext && X509_EXTENSION_set_critical(ext, p->names_critical) == 1 &&
           ASN1_STRING_set(X509_EXTENSION_get_data(ext), p->names.p, (int)p->names.n) == 1;
}

/* X509 has no setter for a signature that was made elsewhere; what X509_get0_signature() shows is the
 * object's own string, and the object is ours. */
static bool set_signature(X509 *x, span signature)
{
    const ASN1_BIT_STRING *sig = NULL;
    X509_get0_signature(&sig, NULL, x);
    return sig && ASN1_STRING_set((ASN1_STRING *)(uintptr_t)sig, signature.p, (int)signature.n) == 1;
}

static bool encodes_as(X509 *x, span tbs)
{
    uint8_t *der = NULL;
    int n = i2d_re_X509_tbs(x, &der);
    bool same = n > 0 && span_eq(span_of(der, (size_t)n), tbs);
    OPENSSL_free(der);
    return same;
}

static bool become(X509 *x, span der)
{
    struct leaf_parts p;
    return leaf_parts_read(der, &p) &&
           ASN1_STRING_set(X509_get_serialNumber(x), p.serial.p, (int)p.serial.n) == 1 &&
           ASN1_TIME_set(X509_getm_notBefore(x), (time_t)p.from) &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)p.to) && set_subject(x, p.common_name) &&
           set_names(x, &p) && set_signature(x, p.signature) && encodes_as(x, p.tbs);
}

static void leaf_free(struct leaf *l)
{
    list_drop(&l->link);
    if (l->shows)
        l->shows->leaf = NULL;
    if (l->c)
        l->c->n_objects--;
    X509_free(l->x);
    free(l);
}

/* The longest unused, changed; NULL: there is none, or it cannot become that. */
static struct leaf *recycle(struct leafcache *c, struct entry *e)
{
    if (list_empty(&c->idle))
        return NULL;
    struct leaf *l = CONTAINER_OF(c->idle.next, struct leaf, link);
    if (l->shows)
        l->shows->leaf = NULL;
    l->shows = NULL;
    if (!become(l->x, span_of(e->der, e->n))) {
        c->n_idle--;
        leaf_free(l);
        return NULL;
    }
    c->counts.recycled++;
    return l;
}

static struct leaf *decode(struct leafcache *c, const struct entry *e)
{
    const uint8_t *p = e->der;
    struct leaf *l = calloc(1, sizeof *l);
    X509 *x = l ? d2i_X509(NULL, &p, (long)e->n) : NULL;
    if (!x) {
        free(l);
        return NULL;
    }
    *l = (struct leaf){.c = c, .x = x};
    list_init(&l->link);
    list_push(&c->idle, &l->link);
    c->n_idle++;
    c->n_objects++;
    c->counts.decoded++;
    return l;
}

/* Objects in reserve are recycled only once there are enough of them: names that come again and again keep
 * theirs. */
static struct leaf *object_for(struct leafcache *c, struct entry *e)
{
    struct leaf *l = e->leaf;
    if (!l && c->n_idle >= LIM_LEAF_OBJECTS)
        l = recycle(c, e);
    if (!l)
        l = decode(c, e);
    if (l && !e->leaf) {
        l->shows = e;
        e->leaf = l;
    }
    return l ? leaf_get(l) : NULL;
}

X509 *leaf_x509(const struct leaf *l)
{
    return l->x;
}

struct leaf *leaf_get(struct leaf *l)
{
    if (l->uses++ == 0 && l->c) {
        list_drop(&l->link);
        list_push(&l->c->lent, &l->link);
        l->c->n_idle--;
    }
    return l;
}

void leaf_put(struct leaf *l)
{
    if (!l)
        return;
    gw_assert(l->uses > 0);
    if (--l->uses > 0)
        return;
    struct leafcache *c = l->c;
    if (!c || c->n_idle >= LIM_LEAF_OBJECTS) {
        leaf_free(l);
        return;
    }
    list_drop(&l->link);
    list_push(&c->idle, &l->link);
    c->n_idle++;
}

/* ---- entries */

static struct entry *entry_of(struct lru_item *item)
{
    return item ? CONTAINER_OF(item, struct entry, item) : NULL;
}

static void gone(struct lru_item *item)
{
    struct entry *e = entry_of(item);
    if (e->leaf)
        e->leaf->shows = NULL;
    free(e);
}

enum rc leafcache_new(size_t max, struct leafcache **out)
{
    struct leafcache *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return RC_NOMEM;
    lru_init(&c->lru, max, gone);
    list_init(&c->idle);
    list_init(&c->lent);
    return RC_OK;
}

void leafcache_clear(struct leafcache *c)
{
    lru_clear(&c->lru);
    while (!list_empty(&c->idle))
        leaf_free(CONTAINER_OF(c->idle.next, struct leaf, link));
    c->n_idle = 0;
    while (!list_empty(&c->lent)) {
        struct leaf *l = CONTAINER_OF(c->lent.next, struct leaf, link);
        list_drop(&l->link);
        l->c = NULL;
        c->n_objects--;
    }
}

void leafcache_free(struct leafcache *c)
{
    if (!c)
        return;
    leafcache_clear(c);
    lru_fini(&c->lru);
    free(c);
}

struct leaf *leafcache_find(struct leafcache *c, span key, int64_t now_s)
{
    struct entry *e = entry_of(lru_find(&c->lru, key));
    if (!e)
        return NULL;
    if (e->not_after - now_s < LEAST_LEFT_S) {
        lru_drop(&c->lru, &e->item);
        return NULL;
    }
    lru_used(&c->lru, &e->item);
    return object_for(c, e);
}

/* When it ends; INT64_MIN: not a certificate. */
static int64_t end_of(span der)
{
    struct leaf_parts p;
    const uint8_t *at = der.p;
    if (leaf_parts_read(der, &p))
        return p.to;
    X509 *x = der.n && der.n <= LIM_MSG_BYTES ? d2i_X509(NULL, &at, (long)der.n) : NULL;
    int64_t to = x && at == der.p + der.n ? ca_time(X509_get0_notAfter(x)) : INT64_MIN;
    X509_free(x);
    return to;
}

enum rc leafcache_put(struct leafcache *c, span key, span der)
{
    int64_t to = end_of(der);
    struct entry *e = to == INT64_MIN ? NULL : malloc(sizeof *e + der.n);
    if (!e)
        return to == INT64_MIN ? RC_BAD : RC_NOMEM;
    *e = (struct entry){.not_after = to, .n = der.n};
    memcpy(e->der, der.p, der.n);
    enum rc rc = lru_put(&c->lru, key, &e->item);
    if (rc != RC_OK)
        free(e);
    return rc;
}

size_t leafcache_count(const struct leafcache *c)
{
    return c->lru.map.n;
}

void leafcache_counts(const struct leafcache *c, struct leaf_counts *out)
{
    *out = c->counts;
    out->objects = c->n_objects;
}
