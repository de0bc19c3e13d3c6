/* Certificates for tests, good and bad, from a few fields: fresh keys, any extension as OpenSSL's text form
 * ("name=value", "OID=critical,DER:hex"), any algorithm, any dates. Fails the test when OpenSSL cannot make
 * it. */
#ifndef TESTS_MAKE_CERT_H
#define TESTS_MAKE_CERT_H

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW     INT64_C(1795000000) /* 2026-11-18T... */
#define DAY     INT64_C(86400)
#define MK_EXTS 12

/* What to make. Zero fields mean: fresh P-256 key, SHA-256, version 3, a day ago to in 90 days, self-signed.
 */
struct mk {
    const char *cn;
    const char *exts[MK_EXTS];
    EVP_PKEY *key; /* borrowed; may lack its private half unless it signs */
    const char *md;
    int64_t from, to; /* relative to NOW, seconds */
    long version;     /* 1..3 */
    bool breaks_signature;
    const char *serial; /* decimal; NULL: random */
};

struct made {
    X509 *cert;
    EVP_PKEY *key;
};

#define LEAF_FORM                                                                                            \
    "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "subjectKeyIdentifier=hash", \
        "authorityKeyIdentifier=keyid"
/* An authority key identifier for issuers that have no subject key identifier to copy. */
#define RAW_AKI "2.5.29.35=DER:301680140102030405060708090a0b0c0d0e0f1011121314"
#define LEAF_EXTS(san)                                                  \
    {                                                                   \
        LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" san \
    }
#define CA_FORM \
    "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"
#define CA_EXTS                                      \
    {                                                \
        "basicConstraints=critical,CA:TRUE", CA_FORM \
    }
#define ROOT_EXTS                                                                     \
    {                                                                                 \
        "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", \
            "subjectKeyIdentifier=hash"                                               \
    }

static inline void mk_add_ext(X509 *cert, X509 *issuer, const char *text)
{
    char name[64];
    const char *eq = strchr(text, '=');
    X509V3_CTX ctx;
    assert_non_null(eq);
    snprintf(name, sizeof name, "%.*s", (int)(eq - text), text);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf(NULL, &ctx, name, eq + 1);
    if (!ext)
        fail_msg("extension %s", text);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static inline void mk_serial(X509 *cert, const char *text)
{
    uint8_t b[16];
    RAND_bytes(b, sizeof b);
    b[0] = (b[0] & 0x7f) | 0x40;
    BIGNUM *n = BN_bin2bn(b, sizeof b, NULL);
    if (text)
        assert_true(BN_dec2bn(&n, text) > 0);
    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
}

static inline void mk_break(X509 *cert)
{
    const ASN1_BIT_STRING *sig;
    X509_get0_signature(&sig, NULL, cert);
    sig->data[sig->length - 1] ^= 1;
}

/* Leaves a certificate as a peer would have sent it: encoded and parsed. */
static inline X509 *mk_reparse(X509 *cert)
{
    uint8_t *der = NULL;
    int n = i2d_X509(cert, &der);
    assert_true(n > 0);
    const uint8_t *p = der;
    X509 *out = d2i_X509(NULL, &p, n);
    assert_non_null(out);
    OPENSSL_free(der);
    X509_free(cert);
    return out;
}

static inline struct made mk_cert(const struct mk *m, const struct made *issuer)
{
    struct made out = {X509_new(), m->key};
    if (m->key)
        EVP_PKEY_up_ref(m->key);
    else
        out.key = EVP_EC_gen("P-256");
    X509 *by = issuer ? issuer->cert : out.cert;
    EVP_PKEY *by_key = issuer ? issuer->key : out.key;
    X509_set_version(out.cert, m->version ? m->version - 1 : X509_VERSION_3);
    mk_serial(out.cert, m->serial);
    ASN1_TIME_set(X509_getm_notBefore(out.cert), (time_t)(NOW + (m->from ? m->from : -DAY)));
    ASN1_TIME_set(X509_getm_notAfter(out.cert), (time_t)(NOW + (m->to ? m->to : 90 * DAY)));
    if (m->cn)
        X509_NAME_add_entry_by_NID(X509_get_subject_name(out.cert), NID_commonName, MBSTRING_UTF8,
                                   (const uint8_t *)m->cn, -1, -1, 0);
    X509_set_issuer_name(out.cert, X509_get_subject_name(by));
    assert_int_equal(X509_set_pubkey(out.cert, out.key), 1);
    for (size_t i = 0; i < MK_EXTS && m->exts[i]; i++)
        mk_add_ext(out.cert, by, m->exts[i]);
    bool no_digest = EVP_PKEY_get_base_id(by_key) == EVP_PKEY_ED25519;
    EVP_MD *md = EVP_MD_fetch(NULL, m->md ? m->md : "SHA256", NULL);
    if (X509_sign(out.cert, by_key, no_digest ? NULL : md) <= 0)
        fail_msg("signing %s", m->cn ? m->cn : "(no name)");
    EVP_MD_free(md);
    if (m->breaks_signature)
        mk_break(out.cert);
    out.cert = mk_reparse(out.cert);
    return out;
}

static inline void mk_free(struct made *m)
{
    X509_free(m->cert);
    EVP_PKEY_free(m->key);
    *m = (struct made){NULL, NULL};
}

/* An RSA public key of any size without its private half (a random odd modulus): nobody has to sign with a
 * leaf's key. */
static inline EVP_PKEY *mk_rsa_public(int bits, unsigned long e)
{
    BIGNUM *n = BN_new(), *be = BN_new();
    EVP_PKEY *key = NULL;
    BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
    BN_set_word(be, e);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(be);
    return key;
}

#endif
