/* Stapled statements; see staple.h. OpenSSL reads the structure; who may sign, and the times, are judged
 * here: OCSP_basic_verify() would build a path of its own under its own rules, and OCSP_check_validity() asks
 * the system's clock. */
#include "certs/staple.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "certs/ca_int.h"
#include "gw/base/limits.h"

enum { CLOCKS_APART_S = 300, SECURITY_BITS = 112 };

static const char *const names[] = {
#define T(id, name) name,
#include "certs/staple.tbl"
#undef T
};

const char *staple_name(enum staple s)
{
    return s < STAPLE_N ? names[s] : "?";
}

static OCSP_BASICRESP *parse(span der)
{
    const uint8_t *p = der.p;
    if (der.n == 0 || der.n > LIM_STAPLE_BYTES)
        return NULL;
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &p, (long)der.n);
    OCSP_BASICRESP *b = NULL;
    if (r && p == der.p + der.n && OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
        b = OCSP_response_get1_basic(r);
    OCSP_RESPONSE_free(r);
    return b;
}

/* SHA-1 may name a certificate, but not sign for one. */
static bool digest_is_good(int sig_nid)
{
    int md = NID_undef, key = NID_undef;
    if (OBJ_find_sigid_algs(sig_nid, &md, &key) != 1)
        return false;
    return md == NID_sha256 || md == NID_sha384 || md == NID_sha512 || key == EVP_PKEY_ED25519 ||
           key == EVP_PKEY_ED448 || key == EVP_PKEY_RSA_PSS;
}

/* The issuer itself, or one whom it has told to sign such statements (RFC 6960 section 4.2.2.2). */
static bool may_sign(X509 *signer, X509 *issuer, int64_t now_s)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer), *own = X509_get0_pubkey(signer);
    if (X509_cmp(signer, issuer) == 0)
        return true;
    return key && own && !(X509_get_extension_flags(signer) & (EXFLAG_CRITICAL | EXFLAG_INVALID)) &&
           EVP_PKEY_get_security_bits(own) >= SECURITY_BITS &&
           X509_NAME_cmp(X509_get_issuer_name(signer), X509_get_subject_name(issuer)) == 0 &&
           (X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) &&
           (X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) &&
           (X509_get_key_usage(signer) & KU_DIGITAL_SIGNATURE) &&
           digest_is_good(X509_get_signature_nid(signer)) && ca_time(X509_get0_notBefore(signer)) <= now_s &&
           now_s < ca_time(X509_get0_notAfter(signer)) && X509_verify(signer, key) == 1;
}

static enum staple check_signer(OCSP_BASICRESP *b, X509 *issuer, int64_t now_s)
{
    const X509_ALGOR *alg = OCSP_resp_get0_tbs_sigalg(b);
    const ASN1_OBJECT *oid = NULL;
    X509 *signer = NULL;
    STACK_OF(X509) *one = sk_X509_new_null();
    enum staple is = STAPLE_WRONG_SIGNER;
    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    if (!one || sk_X509_push(one, issuer) <= 0 || OCSP_resp_get0_signer(b, &signer, one) != 1 ||
        !may_sign(signer, issuer, now_s)) {
        sk_X509_free(one);
        return is;
    }
    sk_X509_set(one, 0, signer);
    if (!digest_is_good(OBJ_obj2nid(oid)))
        is = STAPLE_WEAK;
    else if (OCSP_basic_verify(b, one, NULL, OCSP_NOVERIFY | OCSP_NOINTERN) == 1) /* the signature alone */
        is = STAPLE_GOOD;
    sk_X509_free(one);
    return is;
}

/* Does a statement's name of a certificate, by whatever digest, mean this one? */
static bool is_about(const OCSP_CERTID *id, X509 *leaf, X509 *issuer)
{
    ASN1_OBJECT *oid = NULL;
    if (OCSP_id_get0_info(NULL, &oid, NULL, NULL, (OCSP_CERTID *)(uintptr_t)id) != 1)
        return false;
    const EVP_MD *md = EVP_get_digestbyobj(oid);
    OCSP_CERTID *want = md ? OCSP_cert_to_id(md, leaf, issuer) : NULL;
    bool same = want && OCSP_id_cmp(id, want) == 0;
    OCSP_CERTID_free(want);
    return same;
}

/* We know no critical extension of a statement (RFC 6960 section 4.4). */
static bool asks_for_more(OCSP_BASICRESP *b)
{
    bool more = OCSP_BASICRESP_get_ext_by_critical(b, 1, -1) >= 0;
    for (int i = 0; i < OCSP_resp_count(b) && !more; i++)
        more = OCSP_SINGLERESP_get_ext_by_critical(OCSP_resp_get0(b, i), 1, -1) >= 0;
    return more;
}

static enum staple says(OCSP_SINGLERESP *one, int64_t now_s, int64_t *until_s)
{
    ASN1_GENERALIZEDTIME *from = NULL, *to = NULL;
    int status = OCSP_single_get0_status(one, NULL, NULL, &from, &to);
    int64_t from_s = from ? ca_time(from) : INT64_MIN, to_s = to ? ca_time(to) : INT64_MIN;
    if (from_s == INT64_MIN || to_s == INT64_MIN || from_s > now_s + CLOCKS_APART_S || to_s <= now_s ||
        to_s < from_s)
        return STAPLE_EXPIRED; /* without an end it would hold for ever */
    *until_s = to_s;
    return status == V_OCSP_CERTSTATUS_GOOD      ? STAPLE_GOOD
           : status == V_OCSP_CERTSTATUS_REVOKED ? STAPLE_REVOKED
                                                 : STAPLE_UNKNOWN;
}

/* Of several statements about it the worst counts. */
static enum staple find(OCSP_BASICRESP *b, X509 *leaf, X509 *issuer, int64_t now_s, int64_t *until_s)
{
    enum staple is = STAPLE_OTHER;
    for (int i = 0; i < OCSP_resp_count(b); i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(b, i);
        int64_t until = 0;
        if (!is_about(OCSP_SINGLERESP_get0_id(one), leaf, issuer))
            continue;
        enum staple s = says(one, now_s, &until);
        if (is == STAPLE_OTHER || s == STAPLE_REVOKED || is == STAPLE_GOOD) {
            is = s;
            *until_s = until;
        }
        if (is == STAPLE_REVOKED)
            break;
    }
    return is;
}

enum staple staple_read(span der, X509 *leaf, X509 *issuer, int64_t now_s, int64_t *until_s)
{
    OCSP_BASICRESP *b = parse(der);
    *until_s = 0;
    enum staple is = b ? check_signer(b, issuer, now_s) : STAPLE_MALFORMED;
    if (is == STAPLE_GOOD && asks_for_more(b))
        is = STAPLE_MALFORMED;
    if (is == STAPLE_GOOD)
        is = find(b, leaf, issuer, now_s, until_s);
    OCSP_BASICRESP_free(b);
    ERR_clear_error();
    return is;
}
