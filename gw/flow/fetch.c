/* Client of the fetcher; see fetch.h. */
#include "gw/flow/fetch.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "certs/pointers.h"
#include "gw/base/obj.h"

enum { ISSUER_KEY = 32 };

struct known {
    struct lru_item item;
    X509 *cert;
};

/* ---- remembered issuers, by name and key identifier as their children know them */

static void gone(struct lru_item *item)
{
    struct known *k = CONTAINER_OF(item, struct known, item);
    X509_free(k->cert);
    free(k);
}

static bool key_of(X509_NAME *name, const ASN1_OCTET_STRING *id, uint8_t key[ISSUER_KEY])
{
    const uint8_t *der = NULL;
    size_t n = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              X509_NAME_get0_der(name, &der, &n) == 1 && EVP_DigestUpdate(md, der, n) == 1;
    if (ok && id)
        ok = EVP_DigestUpdate(md, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)) == 1;
    ok = ok && EVP_DigestFinal_ex(md, key, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static bool child_key(X509 *child, uint8_t key[ISSUER_KEY])
{
    return key_of(X509_get_issuer_name(child), X509_get0_authority_key_id(child), key);
}

X509 *fetch_known(struct engine *e, X509 *child)
{
    uint8_t key[ISSUER_KEY];
    struct lru_item *item = child_key(child, key) ? lru_find(&e->issuers, span_of(key, sizeof key)) : NULL;
    if (!item)
        return NULL;
    lru_used(&e->issuers, item);
    X509 *issuer = CONTAINER_OF(item, struct known, item)->cert;
    EVP_PKEY *signer = X509_get0_pubkey(issuer); /* another may bear its name and key identifier */
    bool signed_it = signer && X509_verify(child, signer) == 1;
    ERR_clear_error();
    return signed_it ? issuer : NULL; /* then it is fetched anew and takes the place */
}

static bool remember_as(struct engine *e, X509 *x, const ASN1_OCTET_STRING *id)
{
    uint8_t key[ISSUER_KEY];
    struct known *k = calloc(1, sizeof *k);
    if (!k || !key_of(X509_get_subject_name(x), id, key)) {
        free(k);
        return false;
    }
    k->cert = x;
    X509_up_ref(x);
    if (lru_put(&e->issuers, span_of(key, sizeof key), &k->item) == RC_OK)
        return true;
    gone(&k->item);
    return false;
}

/* Children with and without an authority key identifier find it. */
static bool remember(struct engine *e, span der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    bool ok = x && remember_as(e, x, NULL) && remember_as(e, x, X509_get0_subject_key_id(x));
    X509_free(x);
    ERR_clear_error();
    return ok;
}

/* ---- the channel */

static void answered(struct ask *a, struct ask_wait *w, struct rd *r, int fd)
{
    (void)fd; /* its row allows none */
    bool found = remember(CONTAINER_OF(a, struct engine, fetcher), rd_bytes(r, rd_left(r)));
    if (w) {
        struct fetch_wait *f = CONTAINER_OF(w, struct fetch_wait, ask);
        f->done(f, found);
    }
}

static void failed(struct ask_wait *w)
{
    struct fetch_wait *f = CONTAINER_OF(w, struct fetch_wait, ask);
    f->done(f, false);
}

static const struct ask_kind kind = {
    .me = ROLE_WORKER, .them = ROLE_FETCHER, .answer = MSG_ISSUER, .answered = answered, .failed = failed};

void fetch_init(struct engine *e)
{
    ask_init(&e->fetcher, &kind);
    lru_init(&e->issuers, 2 * LIM_ISSUERS_KEPT, gone);
}

void fetch_fini(struct engine *e)
{
    ask_detach(&e->fetcher);
    lru_fini(&e->issuers);
}

enum rc fetch_attach(struct engine *e, int fd)
{
    return ask_attach(&e->fetcher, e->ev, fd);
}

bool fetch_attached(const struct engine *e)
{
    return e->fetcher.peer != NULL;
}

/* ---- questions */

static enum rc put_cert(struct buf *b, X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    enum rc rc = n > 0 ? buf_put(b, span_of(der, (size_t)n)) : RC_NOMEM;
    OPENSSL_free(der);
    return rc;
}

static enum rc put_url(struct buf *b, const struct pointer *url)
{
    TRY(buf_put_u16(b, (uint16_t)url->n));
    return buf_put(b, pointer_span(url));
}

void fetch_list(struct engine *e, X509 *cert, X509 *issuer)
{
    struct pointer url;
    struct buf b = {0};
    if (!fetch_attached(e))
        return;
    pointer_of_crl(cert, &url);
    if (url.n == 0)
        return;
    enum rc rc = buf_put_u8(&b, (X509_get_extension_flags(cert) & EXFLAG_CA) != 0);
    if (rc == RC_OK)
        rc = put_url(&b, &url);
    if (rc == RC_OK)
        rc = put_cert(&b, issuer);
    if (rc == RC_OK)
        rc = peer_send(e->fetcher.peer, MSG_FETCH_LIST, buf_span(&b), NULL, 0);
    e->n.lists_wanted += rc == RC_OK;
    buf_fini(&b);
}

enum rc fetch_issuer(struct engine *e, struct fetch_wait *w, X509 *child)
{
    struct pointer url;
    struct buf b = {0};
    if (!fetch_attached(e))
        return RC_GONE;
    pointer_of_issuer(child, &url);
    if (url.n == 0)
        return RC_NOTFOUND;
    enum rc rc = put_url(&b, &url);
    if (rc == RC_OK)
        rc = put_cert(&b, child);
    if (rc == RC_OK)
        rc = ask_send(&e->fetcher, &w->ask, MSG_FETCH_ISSUER, buf_span(&b));
    e->n.issuers_wanted += rc == RC_OK;
    buf_fini(&b);
    return rc;
}

void fetch_cancel(struct fetch_wait *w)
{
    ask_drop(&w->ask);
}
