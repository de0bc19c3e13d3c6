/* Leaves and CRLs from plain fields; see mint.h.
 *
 * A leaf is a DER template: what never changes was encoded when the CA was loaded (issuer, algorithm,
 * extensions), the rest (serial, dates, subject, point, names) is written around it from the back to the
 * front, hashed once and signed with a context that is initialised once. No X509 object, no decoder, no
 * allocation but the result: the cost is the signature's. RFC 5280 sections 4.1 and 4.2 name the fields. */
#include "certs/mint.h"

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "certs/ca_int.h"
#include "certs/der.h"
#include "certs/names.h"

enum { LEAF_BYTES = 16384, SIG_MAX = 1024, CN_MAX = 64 /* X.520 ub-common-name */ };

#define DAY_S INT64_C(86400)

/* ---- what is asked */

static bool san_shape_ok(const struct san *s)
{
    if (s->kind == SAN_IP)
        return s->value.n == 4 || s->value.n == 16;
    return s->kind == SAN_DNS && s->value.n <= LIM_NAME_BYTES && names_san_ok(s->value);
}

enum rc mint_encode(struct buf *out, const struct mint_request *req)
{
    if (req->n_sans == 0 || req->n_sans > LIM_LEAF_NAMES)
        return RC_DENIED;
    TRY(buf_put_u64(out, (uint64_t)req->not_before));
    TRY(buf_put_u64(out, (uint64_t)req->not_after));
    TRY(buf_put_u16(out, req->n_sans));
    for (size_t i = 0; i < req->n_sans; i++) {
        const struct san *s = &req->sans[i];
        if (!san_shape_ok(s))
            return RC_DENIED;
        TRY(buf_put_u8(out, (uint8_t)s->kind));
        TRY(buf_put_u8(out, (uint8_t)s->value.n));
        TRY(buf_put(out, s->value));
    }
    return RC_OK;
}

enum rc mint_decode(span in, struct mint_request *out)
{
    struct rd r = rd_of(in);
    out->not_before = (int64_t)rd_u64(&r);
    out->not_after = (int64_t)rd_u64(&r);
    out->n_sans = rd_u16(&r);
    if (r.bad || out->n_sans == 0 || out->n_sans > LIM_LEAF_NAMES)
        return RC_BAD;
    for (size_t i = 0; i < out->n_sans; i++) {
        struct san *s = &out->sans[i];
        uint8_t kind = rd_u8(&r);
        s->kind = kind == SAN_DNS ? SAN_DNS : SAN_IP;
        s->value = rd_vec8(&r);
        if (r.bad || (kind != SAN_DNS && kind != SAN_IP) || !san_shape_ok(s))
            return RC_BAD;
    }
    return rd_left(&r) == 0 ? RC_OK : RC_BAD;
}

void mint_dates(struct mint_request *req, int64_t origin_from, int64_t origin_to, int64_t now_s)
{
    int64_t from = now_s - 7 * DAY_S, to = now_s + LEAF_DAYS * DAY_S;
    req->not_before = origin_from > from ? origin_from : from;
    req->not_after = origin_to < to ? origin_to : to;
}

bool mint_point_ok(const uint8_t leaf_point[65])
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *p = g ? EC_POINT_new(g) : NULL;
    /* EC_POINT_oct2point refuses what is not on the curve; P-256 has cofactor 1. */
    bool ok = p && leaf_point[0] == 0x04 && EC_POINT_oct2point(g, p, leaf_point, 65, NULL) == 1;
    EC_POINT_free(p);
    EC_GROUP_free(g);
    return ok;
}

/* ---- the signer's limits */

static bool is_excluded(const struct ca *ca, span name)
{
    struct rd r = rd_of(buf_span(&ca->excluded));
    while (rd_left(&r)) {
        span ex = rd_vec8(&r);
        if (span_has_suffix(name, ex) && (name.n == ex.n || name.p[name.n - ex.n - 1] == '.'))
            return true;
    }
    return false;
}

static const char *refusal(const struct ca *ca, const struct mint_request *req)
{
    if (req->n_sans == 0 || req->n_sans > LIM_LEAF_NAMES)
        return "no names or too many";
    for (size_t i = 0; i < req->n_sans; i++) {
        const struct san *s = &req->sans[i];
        const char *why = s->kind == SAN_DNS ? names_never(s->value) : names_never_ip(s->value);
        if (why)
            return why;
        if (s->kind == SAN_DNS && is_excluded(ca, s->value))
            return "excluded by the CA's own certificate";
    }
    return NULL;
}

/* The asked dates, no wider than the CA's and no longer than the clients' limit. */
static bool clamp_dates(const struct ca *ca, const struct mint_request *req, int64_t *from, int64_t *to)
{
    *from = req->not_before > ca->not_before ? req->not_before : ca->not_before;
    *to = req->not_after < ca->not_after ? req->not_after : ca->not_after;
    if (*from >= ca->not_after || *to <= *from)
        return false;
    if (*to - *from >= LEAF_DAYS_MAX * DAY_S)
        *to = *from + LEAF_DAYS_MAX * DAY_S - 1; /* both ends count (RFC 5280 section 4.1.2.5) */
    return true;
}

/* ---- the certificate */

static const uint8_t oid_cn[] = {0x06, 0x03, 0x55, 0x04, 0x03};
static const uint8_t oid_san[] = {0x06, 0x03, 0x55, 0x1d, 0x11};
static const uint8_t oid_ski[] = {0x06, 0x03, 0x55, 0x1d, 0x0e};
static const uint8_t critical[] = {0x01, 0x01, 0xff};
static const uint8_t version_3[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
/* SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 section 2). */
static const uint8_t spki_p256[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

/* The first DNS name when it fits into a common name; otherwise the subject is empty. */
static span common_name(const struct mint_request *req)
{
    for (size_t i = 0; i < req->n_sans; i++) {
        if (req->sans[i].kind == SAN_DNS)
            return req->sans[i].value.n <= CN_MAX ? req->sans[i].value : SPAN_NONE;
    }
    return SPAN_NONE;
}

/* With an empty subject the names must be critical (RFC 5280 section 4.2.1.6). */
static void put_names(struct der *d, const struct mint_request *req, bool is_critical)
{
    size_t all = der_mark(d);
    for (size_t i = req->n_sans; i-- > 0;)
        der_elem(d, req->sans[i].kind == SAN_DNS ? 0x82 : 0x87, req->sans[i].value);
    der_wrap(d, DER_SEQ, all);
    der_wrap(d, DER_OCTETS, all);
    if (is_critical)
        der_put(d, span_of(critical, sizeof critical));
    der_put(d, span_of(oid_san, sizeof oid_san));
    der_wrap(d, DER_SEQ, all);
}

/* The left-most 160 bits of the point's SHA-256 (RFC 7093 section 2, method 1). */
static bool put_key_id(struct der *d, const struct ca *ca, const uint8_t point[65])
{
    uint8_t h[32];
    size_t all = der_mark(d);
    if (EVP_DigestInit_ex2(ca->md, ca->sha256, NULL) != 1 || EVP_DigestUpdate(ca->md, point, 65) != 1 ||
        EVP_DigestFinal_ex(ca->md, h, NULL) != 1)
        return false;
    der_elem(d, DER_OCTETS, span_of(h, 20));
    der_wrap(d, DER_OCTETS, all);
    der_put(d, span_of(oid_ski, sizeof oid_ski));
    der_wrap(d, DER_SEQ, all);
    return true;
}

static void put_subject(struct der *d, span cn)
{
    size_t all = der_mark(d);
    if (cn.n) {
        der_elem(d, DER_UTF8, cn);
        der_put(d, span_of(oid_cn, sizeof oid_cn));
        der_wrap(d, DER_SEQ, all);
        der_wrap(d, DER_SET, all);
    }
    der_wrap(d, DER_SEQ, all);
}

static bool put_serial(struct der *d)
{
    uint8_t b[16];
    if (RAND_bytes(b, sizeof b) != 1)
        return false;
    b[0] = (uint8_t)((b[0] & 0x7f) | 0x40); /* positive, and always sixteen bytes */
    der_elem(d, DER_INTEGER, span_of(b, sizeof b));
    return true;
}

struct fields {
    const struct mint_request *req;
    const uint8_t *point;
    int64_t from, to;
};

/* TBSCertificate, last field first. */
static bool put_tbs(struct der *d, const struct ca *ca, const struct fields *f)
{
    size_t all = der_mark(d);
    span cn = common_name(f->req);
    put_names(d, f->req, cn.n == 0);
    if (!put_key_id(d, ca, f->point))
        return false;
    der_put(d, buf_span(&ca->extensions));
    der_wrap(d, DER_SEQ, all);
    der_wrap(d, DER_CTX_3, all);
    der_put(d, span_of(f->point, 65));
    der_put(d, span_of(spki_p256, sizeof spki_p256));
    put_subject(d, cn);
    size_t validity = der_mark(d);
    der_time(d, f->to);
    der_time(d, f->from);
    der_wrap(d, DER_SEQ, validity);
    der_put(d, buf_span(&ca->issuer));
    der_put(d, buf_span(&ca->sig_alg));
    if (!put_serial(d))
        return false;
    der_put(d, span_of(version_3, sizeof version_3));
    der_wrap(d, DER_SEQ, all);
    return !d->full;
}

static bool sign(const struct ca *ca, span tbs, uint8_t sig[SIG_MAX], size_t *n)
{
    uint8_t h[32];
    *n = SIG_MAX;
    return EVP_DigestInit_ex2(ca->md, ca->sha256, NULL) == 1 && EVP_DigestUpdate(ca->md, tbs.p, tbs.n) == 1 &&
           EVP_DigestFinal_ex(ca->md, h, NULL) == 1 && EVP_PKEY_sign(ca->sign, sig, n, h, sizeof h) == 1;
}

/* Certificate: SEQUENCE { tbs, algorithm, BIT STRING }, written forward because the signature comes last. */
static enum rc put_cert(struct buf *out, const struct ca *ca, span tbs)
{
    uint8_t sig[SIG_MAX], head[8], tail[SIG_MAX + 32];
    size_t n;
    if (!sign(ca, tbs, sig, &n))
        return RC_BUG;
    struct der t = der_of(tail, sizeof tail), h = der_of(head, sizeof head);
    der_put(&t, span_of(sig, n));
    der_put_u8(&t, 0); /* no unused bits */
    der_wrap(&t, DER_BITS, sizeof tail);
    der_put(&t, buf_span(&ca->sig_alg));
    span end = der_done(&t);
    size_t body = tbs.n + end.n;
    /* der_wrap counts what lies between mark and at: pretend the body is there. */
    der_wrap(&h, DER_SEQ, der_mark(&h) + body);
    if (end.n == 0 || h.full)
        return RC_LIMIT;
    TRY(buf_reserve(out, der_done(&h).n + body));
    TRY(buf_put(out, der_done(&h)));
    TRY(buf_put(out, tbs));
    return buf_put(out, end);
}

enum rc mint_leaf(const struct ca *ca, const uint8_t leaf_point[65], const struct mint_request *req,
                  struct buf *der, const char **why)
{
    uint8_t mem[LEAF_BYTES];
    struct der d = der_of(mem, sizeof mem);
    struct fields f = {.req = req, .point = leaf_point};
    *why = refusal(ca, req);
    if (!*why && !clamp_dates(ca, req, &f.from, &f.to))
        *why = "the dates leave no time";
    if (*why)
        return RC_DENIED;
    if (!put_tbs(&d, ca, &f))
        return d.full ? RC_LIMIT : RC_BUG;
    return put_cert(der, ca, der_done(&d));
}

/* ---- the CRL: rare, so OpenSSL's own types do it */

static bool crl_add(X509_CRL *crl, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_CRL_add_ext(crl, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool crl_fill(X509_CRL *crl, const struct ca *ca, int64_t now_s, int days)
{
    int64_t to = now_s + days * DAY_S;
    ASN1_TIME *from_t = ASN1_TIME_set(NULL, (time_t)(now_s - 3600));
    ASN1_TIME *to_t = ASN1_TIME_set(NULL, (time_t)(to < ca->not_after ? to : ca->not_after));
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool ok = from_t && to_t && number && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
              X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)) == 1 &&
              X509_CRL_set1_lastUpdate(crl, from_t) == 1 && X509_CRL_set1_nextUpdate(crl, to_t) == 1 &&
              crl_add(crl, ca->cert, NID_authority_key_identifier, "keyid:always") &&
              ASN1_INTEGER_set_int64(number, now_s) == 1 &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
              X509_CRL_sign(crl, ca->key, ca->sha256) > 0;
    ASN1_TIME_free(from_t);
    ASN1_TIME_free(to_t);
    ASN1_INTEGER_free(number);
    return ok;
}

enum rc mint_crl(const struct ca *ca, int64_t now_s, int days, struct buf *der)
{
    X509_CRL *crl = X509_CRL_new();
    uint8_t *p = NULL;
    int n = crl && crl_fill(crl, ca, now_s, days) ? i2d_X509_CRL(crl, &p) : 0;
    enum rc rc = n > 0 ? buf_put(der, span_of(p, (size_t)n)) : RC_BUG;
    OPENSSL_free(p);
    X509_CRL_free(crl);
    return rc;
}
