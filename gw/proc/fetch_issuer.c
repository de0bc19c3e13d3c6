/* Missing issuers: fetched from where a certificate says that its issuer is (RFC 5280 section 4.2.2.1), as
 * DER, PEM or a bundle of PKCS #7. Given to the worker is the one certificate that is an authority, has the
 * issuer's name and whose key has signed the child; the worker verifies the whole path all the same. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/fetcher_int.h"

enum { ISSUER_KEY = 32, CERTS_MOST = 16, BODY_MOST = 65536 };

struct kept {
    struct lru_item item;
    size_t n;
    uint8_t der[];
};

struct question {
    struct list link;
    struct get get;
    struct fetch_worker *from; /* NULL: it is gone */
    uint64_t id;
    uint8_t key[ISSUER_KEY];
    X509 *child;
};

/* ---- remembered ones: by what was asked, so that a wrong answer harms only who asks the same */

static void gone(struct lru_item *item)
{
    free(CONTAINER_OF(item, struct kept, item));
}

static bool key_of(span url, X509 *child, uint8_t key[ISSUER_KEY])
{
    const uint8_t *name = NULL;
    size_t n = 0;
    unsigned len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(child);
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              X509_NAME_get0_der(X509_get_issuer_name(child), &name, &n) == 1 &&
              EVP_DigestUpdate(md, &n, sizeof n) == 1 && EVP_DigestUpdate(md, name, n) == 1 &&
              EVP_DigestUpdate(md, url.p, url.n) == 1;
    if (ok && aki)
        ok = EVP_DigestUpdate(md, ASN1_STRING_get0_data(aki), (size_t)ASN1_STRING_length(aki)) == 1;
    ok = ok && EVP_DigestFinal_ex(md, key, &len) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static void remember(struct fetcher *f, const uint8_t key[ISSUER_KEY], span der)
{
    struct kept *k = malloc(sizeof *k + der.n);
    if (!k)
        return;
    k->n = der.n;
    memcpy(k->der, der.p, der.n);
    if (lru_put(&f->issuers, span_of(key, ISSUER_KEY), &k->item) != RC_OK)
        free(k);
}

/* ---- reading what has come */

static bool is_issuer(X509 *x, X509 *child)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    return key && X509_check_ca(x) == 1 &&
           X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(child)) == 0 &&
           X509_verify(child, key) == 1;
}

static X509 *take_if(X509 *x, X509 *child)
{
    if (x && is_issuer(x, child))
        return x;
    X509_free(x);
    return NULL;
}

static X509 *of_bundle(span body, X509 *child)
{
    const uint8_t *p = body.p;
    PKCS7 *bundle = d2i_PKCS7(NULL, &p, (long)body.n);
    X509 *found = NULL;
    if (bundle && PKCS7_type_is_signed(bundle) && bundle->d.sign) {
        STACK_OF(X509) *all = bundle->d.sign->cert;
        for (int i = 0; !found && i < sk_X509_num(all) && i < CERTS_MOST; i++) {
            X509 *x = sk_X509_value(all, i);
            if (is_issuer(x, child) && X509_up_ref(x) == 1)
                found = x;
        }
    }
    PKCS7_free(bundle);
    return found;
}

static X509 *of_text(span body, X509 *child)
{
    BIO *bio = BIO_new_mem_buf(body.p, (int)body.n);
    X509 *found = NULL;
    for (int i = 0; bio && !found && i < CERTS_MOST; i++) {
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!x)
            break;
        found = take_if(x, child);
    }
    BIO_free(bio);
    return found;
}

static X509 *find_issuer(span body, X509 *child)
{
    const uint8_t *p = body.p;
    X509 *found = take_if(d2i_X509(NULL, &p, (long)body.n), child);
    if (!found)
        found = of_bundle(body, child);
    if (!found)
        found = of_text(body, child);
    ERR_clear_error();
    return found;
}

/* ---- answers */

static void answer(struct fetch_worker *w, uint64_t id, span der)
{
    struct buf b = {0};
    enum rc rc = buf_put_u64(&b, id);
    if (rc == RC_OK)
        rc = buf_put(&b, der);
    if (rc == RC_OK && w && w->peer)
        rc = peer_send(w->peer, MSG_ISSUER, buf_span(&b), NULL, 0);
    if (rc != RC_OK)
        log_debug("an issuer could not be handed over: %s", rc_text(rc));
    buf_fini(&b);
}

static void over(struct fetcher *f, struct question *q)
{
    list_drop(&q->link);
    f->n_asking--;
    get_cancel(&q->get);
    X509_free(q->child);
    free(q);
}

static void on_body(struct get *g, enum get_why why, span body)
{
    struct question *q = g->data;
    struct fetcher *f = CONTAINER_OF(g->env, struct fetcher, env);
    X509 *issuer = why == GET_DONE ? find_issuer(body, q->child) : NULL;
    uint8_t *der = NULL;
    int n = issuer ? i2d_X509(issuer, &der) : 0;
    bool good = n > 0 && n <= LIM_ISSUER_BYTES;
    if (good)
        remember(f, q->key, span_of(der, (size_t)n));
    else
        log_info("an issuer's certificate was not found: %s",
                 why == GET_DONE ? "no issuer in the answer" : get_why_name(why));
    answer(q->from, q->id, good ? span_of(der, (size_t)n) : SPAN_NONE);
    OPENSSL_free(der);
    X509_free(issuer);
    over(f, q);
}

static struct question *ask(struct fetch_worker *w, uint64_t id, X509 *child, const uint8_t key[ISSUER_KEY])
{
    struct question *q = w->f->n_asking < LIM_FETCHES ? calloc(1, sizeof *q) : NULL;
    if (!q)
        return NULL;
    q->from = w;
    q->id = id;
    q->child = child;
    memcpy(q->key, key, sizeof q->key);
    q->get = (struct get){
        .env = &w->f->env, .most = BODY_MOST, .timeout_ms = LIM_FETCH_ISSUER_MS, .data = q, .done = on_body};
    list_push(&w->f->asking, &q->link);
    w->f->n_asking++;
    return q;
}

void issuers_ask(struct fetch_worker *w, uint64_t id, span url, span child)
{
    uint8_t key[ISSUER_KEY];
    const uint8_t *p = child.p;
    X509 *x = d2i_X509(NULL, &p, (long)child.n);
    ERR_clear_error();
    if (!x || !key_of(url, x, key)) {
        X509_free(x);
        answer(w, id, SPAN_NONE);
        return;
    }
    struct lru_item *item = lru_find(&w->f->issuers, span_of(key, sizeof key));
    if (item) {
        struct kept *k = CONTAINER_OF(item, struct kept, item);
        lru_used(&w->f->issuers, item);
        answer(w, id, span_of(k->der, k->n));
        X509_free(x);
        return;
    }
    struct question *q = ask(w, id, x, key); /* takes x */
    if (!q)
        X509_free(x);
    if (!q || get_start(&q->get, url) != RC_OK) {
        answer(w, id, SPAN_NONE);
        if (q)
            over(w->f, q);
    }
}

void issuers_forget(struct fetch_worker *w)
{
    for (struct list *l = w->f->asking.next; l != &w->f->asking; l = l->next) {
        struct question *q = CONTAINER_OF(l, struct question, link);
        if (q->from == w)
            q->from = NULL;
    }
}

void issuers_init(struct fetcher *f)
{
    lru_init(&f->issuers, LIM_ISSUERS_KEPT, gone);
    list_init(&f->asking);
}

void issuers_fini(struct fetcher *f)
{
    while (!list_empty(&f->asking))
        over(f, CONTAINER_OF(f->asking.next, struct question, link));
    lru_fini(&f->issuers);
}
