/* Leaves that nobody trusts; see untrusted.h. Rare, so built from scratch with OpenSSL and not cached. */
#include "certs/untrusted.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

static bool set_names(X509 *x, span defect)
{
    char text[64] = "not verified: ";
    size_t at = strlen(text), n = defect.n < sizeof text - at - 1 ? defect.n : sizeof text - at - 1;
    memcpy(text + at, defect.p, n);
    X509_NAME *name = X509_get_issuer_name(x);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Perron", -1, -1, 0) ==
               1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, (int)(at + n),
                                      -1, 0) == 1;
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

/* Critical, because the subject is empty (RFC 5280 section 4.2.1.6). */
static bool set_sans(X509 *x, const struct mint_request *req)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < req->n_sans; i++) {
        GENERAL_NAME *g = general_name(&req->sans[i]);
        ok = g && sk_GENERAL_NAME_push(names, g) > 0;
    }
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return ok;
}

static bool set_dates(X509 *x, const struct mint_request *req)
{
    return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)req->not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x), (time_t)req->not_after) != NULL;
}

enum rc untrusted_leaf(EVP_PKEY *key, const struct mint_request *req, span defect, X509 **out)
{
    X509 *x = X509_new();
    bool ok = x && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) && set_names(x, defect) &&
              set_dates(x, req) && X509_set_pubkey(x, key) == 1 && set_sans(x, req) &&
              X509_sign(x, key, EVP_sha256()) > 0;
    if (!ok) {
        X509_free(x);
        return RC_NOMEM;
    }
    *out = x;
    return RC_OK;
}
