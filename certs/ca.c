/* The CA in the signer: key into locked memory, and everything of a leaf that never changes; see ca.h.
 *
 * The key's bytes exist in three places, all of them in this process: the kernel's page cache of the file,
 * the buffer that this file reads them into (OpenSSL's locked heap, wiped after the parse), and OpenSSL's key
 * object, whose secret number lives in the same locked heap (BN_secure_new). The heap is mlock'ed, between
 * guard pages and MADV_DONTDUMP; the process itself is not dumpable and locks all of its memory
 * (gw/proc/signer.c). */
#include "certs/ca.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "certs/ca_int.h"
#include "certs/ca_token.h"
#include "certs/der.h"

enum { SECURE_HEAP_BYTES = 262144, SECURE_HEAP_LEAST = 32, CRL_URL_MAX = 512 };

bool ca_lock_memory(void)
{
    return CRYPTO_secure_malloc_initialized() ||
           CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_LEAST) == 1;
}

void ca_free(struct ca *ca)
{
    if (!ca)
        return;
    EVP_PKEY_CTX_free(ca->sign);
    EVP_PKEY_free(ca->key);
    EVP_MD_CTX_free(ca->md);
    EVP_MD_free(ca->sha256);
    X509_free(ca->cert);
    buf_fini(&ca->issuer);
    buf_fini(&ca->sig_alg);
    buf_fini(&ca->extensions);
    buf_fini(&ca->excluded);
    free(ca);
}

/* There is never a passphrase, and nobody to ask for one. */
static int no_passphrase(char *out, int size, int writing, void *u)
{
    (void)out, (void)size, (void)writing, (void)u;
    return -1;
}

static enum rc read_key(int fd, EVP_PKEY **out, struct buf *err)
{
    uint8_t *mem = OPENSSL_secure_malloc(CA_KEY_BYTES);
    if (!mem)
        return RC_NOMEM;
    ssize_t n = pread(fd, mem, CA_KEY_BYTES, 0);
    BIO *bio = n > 0 && n < CA_KEY_BYTES ? BIO_new_mem_buf(mem, (int)n) : NULL;
    *out = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    OPENSSL_secure_clear_free(mem, CA_KEY_BYTES);
    if (!*out)
        return ca_fail(err,
                       "the issuing CA's key file holds no readable private key (PEM, without passphrase)");
    return RC_OK;
}

static enum rc read_chain(struct ca *ca, span chain_der, struct buf *err)
{
    struct rd r = rd_of(chain_der);
    span der = rd_vec16(&r);
    const uint8_t *p = der.p;
    if (r.bad || der.n == 0 || !(ca->cert = d2i_X509(NULL, &p, (long)der.n)) || p != der.p + der.n)
        return ca_fail(err, "the issuing CA's certificate does not parse");
    const char *why = ca_unfit(ca->cert, 0);
    if (why)
        return ca_fail(err, "the issuing CA's certificate cannot sign for the gateway: %s", why);
    ca->not_before = ca_time(X509_get0_notBefore(ca->cert));
    ca->not_after = ca_time(X509_get0_notAfter(ca->cert));
    if (ca->not_before == INT64_MIN || ca->not_after == INT64_MIN)
        return ca_fail(err, "the issuing CA's certificate has malformed dates");
    return RC_OK;
}

static const uint8_t alg_ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                           0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t alg_rsa_sha256[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

static enum rc prepare_signing(struct ca *ca)
{
    bool ec = EVP_PKEY_is_a(ca->key, "EC");
    ca->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ca->md = EVP_MD_CTX_new();
    ca->sign = EVP_PKEY_CTX_new(ca->key, NULL);
    if (!ca->sha256 || !ca->md || !ca->sign || EVP_PKEY_sign_init(ca->sign) <= 0 ||
        EVP_PKEY_CTX_set_signature_md(ca->sign, ca->sha256) <= 0)
        return RC_NOMEM;
    return ec ? buf_put(&ca->sig_alg, span_of(alg_ecdsa_sha256, sizeof alg_ecdsa_sha256))
              : buf_put(&ca->sig_alg, span_of(alg_rsa_sha256, sizeof alg_rsa_sha256));
}

/* CRLDistributionPoints with one fullName (RFC 5280 section 4.2.1.13). */
static void put_crl_pointer(struct der *d, span url)
{
    static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x1d, 0x1f};
    size_t all = der_mark(d), value = all;
    der_elem(d, DER_URI, url);
    der_wrap(d, DER_CTX_0, value);
    der_wrap(d, DER_CTX_0, value);
    der_wrap(d, DER_SEQ, value);
    der_wrap(d, DER_SEQ, value);
    der_wrap(d, DER_OCTETS, value);
    der_put(d, span_of(oid, sizeof oid));
    der_wrap(d, DER_SEQ, all);
}

static void put_authority_key(struct der *d, const ASN1_OCTET_STRING *key_id)
{
    static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x1d, 0x23};
    size_t all = der_mark(d);
    der_elem(d, 0x80, span_of(ASN1_STRING_get0_data(key_id), (size_t)ASN1_STRING_length(key_id)));
    der_wrap(d, DER_SEQ, all);
    der_wrap(d, DER_OCTETS, all);
    der_put(d, span_of(oid, sizeof oid));
    der_wrap(d, DER_SEQ, all);
}

/* basicConstraints CA:FALSE, critical; keyUsage digitalSignature, critical; extendedKeyUsage serverAuth. */
static const uint8_t fixed_extensions[] = {
    0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00,             /* */
    0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x07, 0x80, /* */
    0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01,
    0x05, 0x05, 0x07, 0x03, 0x01};

static enum rc prepare_extensions(struct ca *ca, span crl_url)
{
    uint8_t mem[1024];
    struct der d = der_of(mem, sizeof mem);
    if (crl_url.n)
        put_crl_pointer(&d, crl_url);
    put_authority_key(&d, X509_get0_subject_key_id(ca->cert));
    der_put(&d, span_of(fixed_extensions, sizeof fixed_extensions));
    return d.full ? RC_LIMIT : buf_put(&ca->extensions, der_done(&d));
}

static enum rc prepare_issuer(struct ca *ca)
{
    uint8_t *der = NULL;
    int n = i2d_X509_NAME(X509_get_subject_name(ca->cert), &der);
    enum rc rc = n > 0 ? buf_put(&ca->issuer, span_of(der, (size_t)n)) : RC_NOMEM;
    OPENSSL_free(der);
    return rc;
}

/* What our own CA certificate excludes is the signer's never-list too: a leaf with such a name would be
 * refused by clients that look, and believed by those that do not. */
static enum rc prepare_excluded(struct ca *ca)
{
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(ca->cert, NID_name_constraints, NULL, NULL);
    enum rc rc = RC_OK;
    for (int i = 0; nc && i < sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) && rc == RC_OK; i++) {
        const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(nc->excludedSubtrees, i)->base;
        if (base->type != GEN_DNS || ASN1_STRING_length(base->d.dNSName) > 255)
            continue;
        span name =
            span_of(ASN1_STRING_get0_data(base->d.dNSName), (size_t)ASN1_STRING_length(base->d.dNSName));
        rc = buf_put_u8(&ca->excluded, (uint8_t)name.n);
        if (rc == RC_OK)
            rc = buf_put(&ca->excluded, name);
    }
    NAME_CONSTRAINTS_free(nc);
    return rc;
}

static bool url_fits(span url)
{
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= 0x20 || url.p[i] >= 0x7f)
            return false;
    }
    return url.n == 0 || (url.n <= CRL_URL_MAX && span_has_prefix(url, SPAN("http://")));
}

/* All but the key, then the key's use. */
static enum rc load_around(struct ca *ca, span crl_url, struct buf *err)
{
    if (X509_check_private_key(ca->cert, ca->key) != 1)
        return ca_fail(
            err,
            "the issuing CA's key does not belong to its certificate (ca/issuing.key or ca/issuing.token, "
            "ca/issuing.crt)");
    TRY(prepare_signing(ca));
    TRY(prepare_issuer(ca));
    TRY(prepare_excluded(ca));
    return prepare_extensions(ca, crl_url);
}

static enum rc load(struct ca *ca, int key_fd, span chain_der, span crl_url, struct buf *err)
{
    if (!ca_lock_memory())
        return ca_fail(err,
                       "no locked memory for the CA key: raise the limit on locked memory (RLIMIT_MEMLOCK)");
    if (!url_fits(crl_url))
        return ca_fail(err, "the CRL pointer is not a plain http:// address");
    TRY(read_chain(ca, chain_der, err));
    TRY(read_key(key_fd, &ca->key, err));
    return load_around(ca, crl_url, err);
}

static enum rc load_token(struct ca *ca, void *key, span chain_der, span crl_url, struct buf *err)
{
    ca->key = key;
    if (!url_fits(crl_url))
        return ca_fail(err, "the CRL pointer is not a plain http:// address");
    TRY(read_chain(ca, chain_der, err));
    return load_around(ca, crl_url, err);
}

enum rc ca_load_token(const struct ca_token *t, int pin_fd, span chain_der, span crl_url, struct ca **out,
                      enum token_state *said, struct buf *err)
{
    void *key = NULL;
    *out = NULL;
    TRY(ca_token_key(t, pin_fd, &key, said, err));
    struct ca *ca = calloc(1, sizeof *ca);
    if (!ca) {
        EVP_PKEY_free(key);
        return RC_NOMEM;
    }
    enum rc rc = load_token(ca, key, chain_der, crl_url, err);
    if (rc != RC_OK) {
        ca_free(ca);
        return rc;
    }
    *out = ca;
    return RC_OK;
}

enum rc ca_load_key(int key_fd, span chain_der, span crl_url, struct ca **out, struct buf *err)
{
    struct ca *ca = calloc(1, sizeof *ca);
    *out = NULL;
    if (!ca)
        return RC_NOMEM;
    enum rc rc = load(ca, key_fd, chain_der, crl_url, err);
    if (rc != RC_OK) {
        ca_free(ca);
        return rc;
    }
    *out = ca;
    return RC_OK;
}
