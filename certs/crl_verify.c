/* Whose list is it, and does it cover what we want to know? See crl.h. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "certs/crl.h"
#include "certs/der.h"
#include "certs/derin.h"

enum { CLOCKS_APART_S = 300 };

static const char *const why_names[] = {
#define K(id, name) name,
#include "certs/crl_why.tbl"
#undef K
};

const char *crl_why_name(enum crl_why why)
{
    return why < CRL_WHY_N ? why_names[why] : "?";
}

static bool named_by(const struct crl *c, span url)
{
    struct derin d = derin_of(c->point);
    span whole;
    while (derin_any(&d, &whole)) {
        struct derin one = derin_of(whole);
        span uri;
        if (whole.p[0] == DER_URI && derin_take(&one, DER_URI, &uri, NULL) && span_eq(uri, url))
            return true;
    }
    return false;
}

/* RFC 5280 section 6.3.3 (b): the list must be for such certificates, and a list of one shard names its
 * shard. */
static bool covers(const struct crl *c, const struct crl_want *want)
{
    if (c->only_users && want->authorities)
        return false;
    if (c->only_authorities && !want->authorities)
        return false;
    return !c->has_point || named_by(c, want->url);
}

static bool same_name(const struct crl *c, X509 *issuer)
{
    const uint8_t *p = c->issuer.p;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)c->issuer.n);
    bool same = name && X509_NAME_cmp(name, X509_get_subject_name(issuer)) == 0;
    X509_NAME_free(name);
    return same;
}

/* The digest of a signature that is good enough; false: too weak, or none we know. EdDSA has none. */
static bool digest_of(span algorithm, EVP_PKEY *key, const EVP_MD **md)
{
    const uint8_t *p = algorithm.p;
    X509_ALGOR *a = d2i_X509_ALGOR(NULL, &p, (long)algorithm.n);
    const ASN1_OBJECT *oid = NULL;
    int md_nid = NID_undef, key_nid = NID_undef;
    if (a)
        X509_ALGOR_get0(&oid, NULL, NULL, a);
    bool known = oid && OBJ_find_sigid_algs(OBJ_obj2nid(oid), &md_nid, &key_nid) == 1;
    X509_ALGOR_free(a);
    if (!known || key_nid != EVP_PKEY_get_base_id(key))
        return false;
    if (key_nid == EVP_PKEY_ED25519 || key_nid == EVP_PKEY_ED448) {
        *md = NULL;
        return true;
    }
    *md = EVP_get_digestbynid(md_nid);
    return md_nid == NID_sha256 || md_nid == NID_sha384 || md_nid == NID_sha512;
}

static enum crl_why check_signature(const struct crl *c, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    const EVP_MD *md = NULL;
    if (!key || !digest_of(c->algorithm, key, &md))
        return CRL_ALGORITHM;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, c->signature.p, c->signature.n, c->tbs.p, c->tbs.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good ? CRL_FINE : CRL_SIGNATURE;
}

enum rc crl_verify(struct crl *c, const struct crl_want *want)
{
    c->why = CRL_FINE;
    if (!same_name(c, want->issuer))
        c->why = CRL_ISSUER;
    else if (!(X509_get_key_usage(want->issuer) & KU_CRL_SIGN))
        c->why = CRL_NO_CRL_SIGN;
    else if (!covers(c, want))
        c->why = CRL_SCOPE;
    else if (c->this_s > want->now_s + CLOCKS_APART_S)
        c->why = CRL_NOT_YET_VALID;
    else if (c->next_s <= want->now_s || c->next_s < c->this_s)
        c->why = CRL_EXPIRED;
    else
        c->why = check_signature(c, want->issuer);
    return c->why == CRL_FINE ? RC_OK : RC_DENIED;
}
