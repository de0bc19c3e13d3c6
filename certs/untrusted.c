/* Leaves that nobody trusts, built with OpenSSL and cached; see untrusted.h. */
#include "certs/untrusted.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "gw/base/lru.h"
#include "gw/base/obj.h"

enum { KEY_BYTES = 32, SUBJECT_MAX = 64 /* X.520 ub-organization-name */ };

struct entry {
    struct lru_item item;
    X509 *leaf;
};

struct untrusted {
    EVP_PKEY *key;
    X509 *cert;
    struct lru cache;
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

static int no_passphrase(char *out, int size, int writing, void *u)
{
    (void)out, (void)size, (void)writing, (void)u;
    return -1;
}

enum rc untrusted_load(span pem, size_t max_cached, struct untrusted **out)
{
    struct untrusted *u = calloc(1, sizeof *u);
    *out = NULL;
    if (!u)
        return RC_NOMEM;
    lru_init(&u->cache, max_cached, gone);
    BIO *bio = pem.n && pem.n <= UNTRUSTED_PEM_BYTES ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    u->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    u->cert = u->key ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    if (!u->cert || X509_check_private_key(u->cert, u->key) != 1 || !X509_get0_subject_key_id(u->cert)) {
        ERR_clear_error();
        untrusted_free(u);
        return RC_BAD;
    }
    *out = u;
    return RC_OK;
}

void untrusted_free(struct untrusted *u)
{
    if (!u)
        return;
    lru_fini(&u->cache);
    EVP_PKEY_free(u->key);
    X509_free(u->cert);
    free(u);
}

size_t untrusted_cached(const struct untrusted *u)
{
    return u->cache.map.n;
}

X509 *untrusted_cert(const struct untrusted *u)
{
    return u->cert;
}

/* ---- a leaf ---- */

/* "not verified: expired, wrong-name", as far as it goes. */
static bool set_subject(X509 *x, uint32_t defects)
{
    char text[SUBJECT_MAX + 1] = "not verified:";
    const char *comma = " ";
    for (unsigned d = 0; d < DEFECT_N; d++) {
        size_t n = strlen(text);
        const char *name = defect_name((enum defect)d);
        if (!(defects >> d & 1) || n + strlen(comma) + strlen(name) > SUBJECT_MAX)
            continue;
        snprintf(text + n, sizeof text - n, "%s%s", comma, name);
        comma = ", ";
    }
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_organizationName, MBSTRING_UTF8,
                                      (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool set_serial(X509 *x)
{
    unsigned char serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1)
        return false;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    BIGNUM *n = BN_bin2bn(serial, sizeof serial, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL;
    BN_free(n);
    return ok;
}

static GENERAL_NAME *general_name(const struct san *san)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s =
        san->kind == SAN_DNS ? (ASN1_STRING *)ASN1_IA5STRING_new() : (ASN1_STRING *)ASN1_OCTET_STRING_new();
    if (!g || !s || ASN1_STRING_set(s, san->value.p, (int)san->value.n) != 1) {
        GENERAL_NAME_free(g);
        ASN1_STRING_free(s);
        return NULL;
    }
    GENERAL_NAME_set0_value(g, san->kind == SAN_DNS ? GEN_DNS : GEN_IPADD, s);
    return g;
}

static bool set_sans(X509 *x, const struct mint_request *req)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < req->n_sans; i++) {
        GENERAL_NAME *g = general_name(&req->sans[i]);
        ok = g && sk_GENERAL_NAME_push(names, g) > 0;
        if (g && !ok)
            GENERAL_NAME_free(g);
    }
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static bool add_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(x, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* A leaf like every other in all that a client could complain of besides its defects. */
static bool set_form(X509 *x, X509 *issuer)
{
    return add_ext(x, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_ext(x, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_ext(x, issuer, NID_ext_key_usage, "serverAuth") &&
           add_ext(x, issuer, NID_subject_key_identifier, "hash") &&
           add_ext(x, issuer, NID_authority_key_identifier, "keyid:always");
}

static bool set_dates(X509 *x, const struct mint_request *req)
{
    return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)req->not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)req->not_after) != NULL;
}

static enum rc build(const struct untrusted *u, EVP_PKEY *key, const struct mint_request *req,
                     uint32_t defects, X509 **out)
{
    X509 *x = X509_new();
    bool ok = x && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_subject(x, defects) &&
              X509_set_issuer_name(x, X509_get_subject_name(u->cert)) == 1 && set_dates(x, req) &&
              X509_set_pubkey(x, key) == 1 && set_form(x, u->cert) && set_sans(x, req) &&
              X509_sign(x, u->key, EVP_sha256()) > 0;
    if (!ok) {
        ERR_clear_error();
        X509_free(x);
        return x ? RC_BAD : RC_NOMEM;
    }
    *out = x;
    return RC_OK;
}

/* ---- the cache ---- */

/* What the leaf will say, whom it is for, and what the origin showed. */
static void key_of(EVP_PKEY *key, const struct mint_request *req, const struct cert_verdict *v,
                   uint8_t out[KEY_BYTES])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    const int64_t fixed[] = {req->not_before, req->not_after, v->defects, (int64_t)(intptr_t)key};
    unsigned n = KEY_BYTES;
    gw_assert(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    EVP_DigestUpdate(c, fixed, sizeof fixed);
    EVP_DigestUpdate(c, v->leaf_sha256, sizeof v->leaf_sha256);
    for (size_t i = 0; i < req->n_sans; i++) {
        const struct san *s = &req->sans[i];
        const uint8_t head[2] = {(uint8_t)s->kind, (uint8_t)s->value.n};
        EVP_DigestUpdate(c, head, sizeof head);
        EVP_DigestUpdate(c, s->value.p, s->value.n);
    }
    gw_assert(EVP_DigestFinal_ex(c, out, &n) == 1);
    EVP_MD_CTX_free(c);
}

/* A leaf that cannot be kept is made again next time. */
static void keep(struct untrusted *u, span key, X509 *leaf)
{
    struct entry *e = calloc(1, sizeof *e);
    if (!e)
        return;
    if (lru_put(&u->cache, key, &e->item) != RC_OK) {
        free(e);
        return;
    }
    X509_up_ref(leaf);
    e->leaf = leaf;
}

enum rc untrusted_leaf(struct untrusted *u, EVP_PKEY *key, const struct mint_request *req,
                       const struct cert_verdict *v, X509 **leaf)
{
    uint8_t id[KEY_BYTES];
    gw_assert(v->defects != 0); /* good ones are the signer's */
    key_of(key, req, v, id);
    struct entry *e = entry_of(lru_find(&u->cache, span_of(id, sizeof id)));
    if (e) {
        lru_used(&u->cache, &e->item);
        X509_up_ref(e->leaf);
        *leaf = e->leaf;
        return RC_OK;
    }
    TRY(build(u, key, req, v->defects, leaf));
    keep(u, span_of(id, sizeof id), *leaf);
    return RC_OK;
}
