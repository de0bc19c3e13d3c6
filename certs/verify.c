/* An origin's chain: OpenSSL's path validation with everything strict, every error collected as a defect bit,
 * then our own checks (verify_own.c); see verify.h.
 *
 * The callback lets OpenSSL go on after each error, so that a certificate that is expired and belongs to
 * another name says both. That is only sound because nothing is accepted by OpenSSL's word: a verdict is good
 * when no defect bit is set, and a failure without a bit becomes one. Nothing is copied or parsed again: the
 * chain is the handshake's own. */
#include "certs/verify.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certs/ca_int.h"
#include "certs/pointers.h"
#include "certs/verify_int.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"

static const char *const defect_names[] = {
#define D(id, name, text) name,
#include "certs/defect.tbl"
#undef D
};
static const char *const defect_texts[] = {
#define D(id, name, text) text,
#include "certs/defect.tbl"
#undef D
};

const char *defect_name(enum defect d)
{
    return d < DEFECT_N ? defect_names[d] : "none";
}

const char *defect_text(enum defect d)
{
    return d < DEFECT_N ? defect_texts[d] : "";
}

enum defect defect_first(uint32_t set)
{
    enum defect d = 0;
    while (d < DEFECT_N && !(set & (UINT32_C(1) << d)))
        d++;
    return d;
}

enum defect defect_find(span name)
{
    enum defect d = 0;
    while (d < DEFECT_N && !span_eq(name, span_str(defect_names[d])))
        d++;
    return d;
}

/* ---- the trust store */

static enum rc store_setup(X509_STORE *store)
{
    X509_VERIFY_PARAM *p = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_depth(p, LIM_CHAIN_CERTS);
    X509_VERIFY_PARAM_set_auth_level(p, 2);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                           X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_TRUSTED_FIRST) == 1 &&
                   X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER) == 1
               ? RC_OK
               : RC_NOMEM;
}

static enum rc add_roots(struct trust *t, span pem, unsigned *n, struct buf *err)
{
    BIO *bio = pem.n && pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    enum rc rc = RC_OK;
    *n = 0;
    while (bio && rc == RC_OK) {
        ERR_clear_error();
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!x)
            break;
        t->has_signed |= X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) != 0;
        if (X509_STORE_add_cert(t->store, x) == 1)
            ++*n;
        else
            rc = RC_NOMEM;
        X509_free(x);
    }
    unsigned long e = ERR_peek_last_error();
    BIO_free(bio);
    if (rc == RC_OK && *n && ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
        rc = ca_fail(err, "trust store: certificate number %u does not parse", *n + 1);
    if (rc == RC_OK && *n == 0)
        rc = ca_fail(err, "trust store: no certificate in it (PEM is expected)");
    ERR_clear_error();
    return rc;
}

enum rc trust_load(span pem, struct trust **out, unsigned *n_roots, struct buf *err)
{
    struct trust *t = calloc(1, sizeof *t);
    *out = NULL;
    *n_roots = 0;
    if (!t)
        return RC_NOMEM;
    t->store = X509_STORE_new();
    enum rc rc = t->store ? store_setup(t->store) : RC_NOMEM;
    if (rc == RC_OK)
        rc = add_roots(t, pem, n_roots, err);
    if (rc != RC_OK) {
        trust_free(t);
        return rc;
    }
    *out = t;
    return RC_OK;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_own; i++)
        X509_free(t->own[i].cert);
    X509_STORE_free(t->store);
    free(t);
}

X509_STORE *trust_store(const struct trust *t)
{
    return t->store;
}

enum rc trust_forbid(struct trust *t, span der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (!x)
        return RC_BAD;
    for (size_t i = 0; i < t->n_own; i++) {
        if (X509_cmp(t->own[i].cert, x) == 0) {
            X509_free(x);
            return RC_OK;
        }
    }
    if (t->n_own == OWN_MAX) {
        X509_free(x);
        return RC_LIMIT;
    }
    t->own[t->n_own++].cert = x;
    return RC_OK;
}

/* ---- OpenSSL's errors as defects */

enum defect verify_defect_of(int e)
{
    static const struct {
        uint8_t error, defect;
    } map[] = {
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, DEFECT_UNKNOWN_ISSUER},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, DEFECT_UNKNOWN_ISSUER},
        {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, DEFECT_UNKNOWN_ISSUER},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, DEFECT_UNKNOWN_ISSUER},
        {X509_V_ERR_CERT_UNTRUSTED, DEFECT_UNKNOWN_ISSUER},
        {X509_V_ERR_CERT_REJECTED, DEFECT_UNKNOWN_ISSUER},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, DEFECT_SELF_SIGNED},
        {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, DEFECT_BAD_SIGNATURE},
        {X509_V_ERR_CERT_SIGNATURE_FAILURE, DEFECT_BAD_SIGNATURE},
        {X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH, DEFECT_BAD_SIGNATURE},
        {X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY, DEFECT_BAD_SIGNATURE},
        {X509_V_ERR_CERT_NOT_YET_VALID, DEFECT_NOT_YET_VALID},
        {X509_V_ERR_CERT_HAS_EXPIRED, DEFECT_EXPIRED},
        {X509_V_ERR_CERT_REVOKED, DEFECT_REVOKED},
        {X509_V_ERR_INVALID_PURPOSE, DEFECT_PURPOSE},
        {X509_V_ERR_HOSTNAME_MISMATCH, DEFECT_WRONG_NAME},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, DEFECT_WRONG_NAME},
        {X509_V_ERR_EE_KEY_TOO_SMALL, DEFECT_WEAK_KEY},
        {X509_V_ERR_CA_KEY_TOO_SMALL, DEFECT_WEAK_KEY},
        {X509_V_ERR_CA_MD_TOO_WEAK, DEFECT_WEAK_SIGNATURE},
        {X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM, DEFECT_WEAK_SIGNATURE},
        {X509_V_ERR_INVALID_CA, DEFECT_CONSTRAINT},
        {X509_V_ERR_PATH_LENGTH_EXCEEDED, DEFECT_CONSTRAINT},
        {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, DEFECT_CONSTRAINT},
        {X509_V_ERR_PERMITTED_VIOLATION, DEFECT_CONSTRAINT},
        {X509_V_ERR_EXCLUDED_VIOLATION, DEFECT_CONSTRAINT},
        {X509_V_ERR_SUBTREE_MINMAX, DEFECT_CONSTRAINT},
        {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, DEFECT_CONSTRAINT},
        {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, DEFECT_CONSTRAINT},
        {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, DEFECT_CONSTRAINT},
        /* No statement about the certificates. */
        {X509_V_ERR_OUT_OF_MEM, DEFECT_N},
        {X509_V_ERR_INVALID_CALL, DEFECT_N},
        {X509_V_ERR_STORE_LOOKUP, DEFECT_N},
    };
    for (size_t i = 0; i < N_ELEMS(map); i++) {
        if (map[i].error == e)
            return map[i].defect;
    }
    return DEFECT_MALFORMED;
}

bool verify_anchor_may(int e)
{
    return e == X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER ||
           e == X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER || e == X509_V_ERR_CA_BCONS_NOT_CRITICAL ||
           e == X509_V_ERR_CA_CERT_MISSING_KEY_USAGE;
}

struct collect {
    struct cert_verdict *v;
    int64_t now_s;
    bool failed; /* OpenSSL itself failed: no verdict */
};

/* The last certificate of the built chain, when it came from the store and not from the stranger. */
static bool is_anchor(X509_STORE_CTX *ctx, int depth)
{
    return depth == sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1 &&
           depth >= X509_STORE_CTX_get_num_untrusted(ctx);
}

/* notAfter belongs to a certificate's life (RFC 5280 section 4.1.2.5); OpenSSL ends it a second early. */
static bool is_last_second(int e, X509_STORE_CTX *ctx, int64_t now_s)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
    return e == X509_V_ERR_CERT_HAS_EXPIRED && ca_time(X509_get0_notAfter(cert)) == now_s;
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    struct collect *c = X509_STORE_CTX_get_app_data(ctx);
    int e = X509_STORE_CTX_get_error(ctx), depth = X509_STORE_CTX_get_error_depth(ctx);
    if (ok)
        return 1;
    if ((verify_anchor_may(e) && is_anchor(ctx, depth)) || is_last_second(e, ctx, c->now_s)) {
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
        return 1;
    }
    enum defect d = verify_defect_of(e);
    if (e == X509_V_ERR_INVALID_PURPOSE && depth > 0 &&
        X509_check_ca(X509_STORE_CTX_get_current_cert(ctx)) != 1)
        d = DEFECT_CONSTRAINT; /* no authority at all */
    if (d == DEFECT_N) {
        c->failed = true;
        return 0;
    }
    if (c->v->x509_error == X509_V_OK) {
        c->v->x509_error = e;
        c->v->depth = depth;
    }
    c->v->defects |= UINT32_C(1) << d;
    return 1;
}

/* ---- the verdict */

/* What to look up of each certificate under the anchor. A path without an anchor has no last issuer. */
static enum rc name_path(STACK_OF(X509) * path, struct cert_verdict *v)
{
    int n = sk_X509_num(path);
    for (int i = 0; i + 1 < n; i++) {
        if (v->n_path == LIM_PATH_CERTS) {
            v->defects |= DEFECT_BIT(MALFORMED); /* longer than anything that is honest */
            break;
        }
        TRY(revoked_id_of(sk_X509_value(path, i), sk_X509_value(path, i + 1), &v->path[v->n_path++]));
    }
    return RC_OK;
}

/* Path validation, then our own checks on every certificate of the path that was found. */
static enum rc judge_path(const struct trust *t, X509_STORE_CTX *ctx, struct collect *c)
{
    int done = X509_verify_cert(ctx);
    if (c->failed || done < 0)
        return RC_NOMEM;
    STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
    int n = sk_X509_num(path);
    for (int i = 0; i < n; i++) {
        X509 *cert = sk_X509_value(path, i);
        verify_own_form(cert, i == 0, is_anchor(ctx, i), &c->v->defects);
        verify_own_ca(t, cert, &c->v->defects);
        if (verify_bad_key(cert))
            c->v->defects |= DEFECT_BIT(KNOWN_BAD);
    }
    verify_own_constraints(path, &c->v->defects);
    if ((done != 1 || n < 1) && c->v->defects == 0)
        c->v->defects = DEFECT_BIT(MALFORMED);
    return name_path(path, c->v);
}

/* What the stranger sent, whether or not it became part of the path. */
static enum rc look_at_sent(const struct trust *t, STACK_OF(X509) * chain, struct cert_verdict *out)
{
    size_t bytes = 0;
    int n = sk_X509_num(chain);
    if (n < 1 || n > LIM_CHAIN_CERTS) {
        out->defects |= DEFECT_BIT(MALFORMED);
        return n < 1 ? RC_BAD : RC_LIMIT;
    }
    for (int i = 0; i < n; i++) {
        int len = i2d_X509(sk_X509_value(chain, i), NULL);
        bytes += len > 0 ? (size_t)len : LIM_CHAIN_BYTES + 1;
        verify_own_ca(t, sk_X509_value(chain, i), &out->defects);
    }
    if (bytes <= LIM_CHAIN_BYTES)
        return RC_OK;
    out->defects |= DEFECT_BIT(MALFORMED);
    return RC_LIMIT;
}

static bool look_at_leaf(X509 *leaf, struct cert_verdict *out)
{
    unsigned n = sizeof out->leaf_sha256;
    out->not_before = ca_time(X509_get0_notBefore(leaf));
    out->not_after = ca_time(X509_get0_notAfter(leaf));
    if (out->not_before == INT64_MIN || out->not_after == INT64_MIN || out->not_after < out->not_before)
        out->defects |= DEFECT_BIT(MALFORMED);
    return X509_digest(leaf, EVP_sha256(), out->leaf_sha256, &n) == 1;
}

/* ---- ways up
 *
 * OpenSSL follows one way and gives up where that ends. A certificate of it that has a twin among those sent
 * (the same name, another certificate: signed by somebody else, or without what its authority forbids) may
 * have led it astray, so the way without it is tried too; and where no way leads to a root, one that ends at
 * an authority of the trust file which others have signed. Never more than WAYS_MAX, and only when the first
 * fails. The first way without a defect counts; without one the first of all. */

enum { WAYS_MAX = 5 };

struct way {
    X509 *without; /* not to be used; may be NULL */
    bool to_signed;
};

/* The certificates that a path may be built from: those sent, then those known from elsewhere. */
static STACK_OF(X509) * untrusted_of(const struct verify_ask *ask, const X509 *without)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    int n_sent = sk_X509_num(ask->chain), n = n_sent + (ask->issuers ? sk_X509_num(ask->issuers) : 0);
    for (int i = 0; all && i < n; i++) {
        X509 *x = i < n_sent ? sk_X509_value(ask->chain, i) : sk_X509_value(ask->issuers, i - n_sent);
        if (without && X509_cmp(x, without) == 0)
            continue;
        if (sk_X509_push(all, x) <= 0) {
            sk_X509_free(all);
            return NULL;
        }
    }
    return all;
}

static enum rc run(const struct verify_ask *ask, const struct way *way, struct cert_verdict *v,
                   STACK_OF(X509) * *path)
{
    struct collect c = {.v = v, .now_s = ask->now_s};
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *all = untrusted_of(ask, way->without);
    enum rc rc = RC_NOMEM;
    if (ctx && all && X509_STORE_CTX_init(ctx, ask->trust->store, sk_X509_value(ask->chain, 0), all) == 1 &&
        X509_STORE_CTX_set_app_data(ctx, &c) == 1) {
        X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(p, (time_t)ask->now_s);
        if (way->to_signed)
            X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
        X509_STORE_CTX_set_verify_cb(ctx, on_verify);
        rc = judge_path(ask->trust, ctx, &c);
    }
    if (rc == RC_OK)
        *path = X509_STORE_CTX_get1_chain(ctx);
    X509_STORE_CTX_free(ctx);
    sk_X509_free(all);
    ERR_clear_error();
    return rc;
}

static bool is_twin(const X509 *a, const X509 *b)
{
    return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 && X509_cmp(a, b) != 0;
}

static bool has_twin(const X509 *cert, STACK_OF(X509) * all)
{
    for (int i = 0; i < sk_X509_num(all); i++) {
        if (is_twin(cert, sk_X509_value(all, i)))
            return true;
    }
    return false;
}

/* What else to try after `first` was no good. */
static size_t other_ways(const struct verify_ask *ask, STACK_OF(X509) * first, uint32_t defects,
                         struct way ways[WAYS_MAX])
{
    STACK_OF(X509) *all = untrusted_of(ask, NULL);
    size_t n = 0;
    for (int i = 1; i < sk_X509_num(first) && n < WAYS_MAX - 1; i++) {
        if (has_twin(sk_X509_value(first, i), all))
            ways[n++] = (struct way){.without = sk_X509_value(first, i)};
    }
    if (ask->trust->has_signed && defects & DEFECT_BIT(UNKNOWN_ISSUER))
        ways[n++] = (struct way){.to_signed = true};
    sk_X509_free(all);
    return n;
}

static enum rc find_way(const struct verify_ask *ask, struct cert_verdict *out, STACK_OF(X509) * *path)
{
    const struct cert_verdict before = *out;
    struct way ways[WAYS_MAX];
    TRY(run(ask, &(struct way){0}, out, path));
    size_t n = before.defects || !out->defects ? 0 : other_ways(ask, *path, out->defects, ways);
    for (size_t i = 0; i < n && out->defects; i++) {
        struct cert_verdict v = before;
        STACK_OF(X509) *other = NULL;
        if (run(ask, &ways[i], &v, &other) == RC_OK && v.defects == 0) {
            STACK_OF(X509) *was = *path;
            *out = v;
            *path = other;
            other = was;
        }
        sk_X509_pop_free(other, X509_free);
    }
    return RC_OK;
}

enum rc verify_path(const struct verify_ask *ask, struct cert_verdict *out, STACK_OF(X509) * *path)
{
    STACK_OF(X509) *found = NULL;
    *out = (struct cert_verdict){0};
    if (path)
        *path = NULL;
    if (look_at_sent(ask->trust, ask->chain, out) != RC_OK)
        return RC_OK; /* the verdict says so */
    X509 *leaf = sk_X509_value(ask->chain, 0);
    if (!look_at_leaf(leaf, out))
        return RC_NOMEM;
    out->must_staple = pointer_must_staple(leaf);
    if (X509_get0_pubkey(leaf)) {
        TRY(find_way(ask, out, &found));
    } else { /* of a kind that OpenSSL does not know: it would give no verdict at all */
        out->defects |= DEFECT_BIT(WEAK_KEY);
        ERR_clear_error();
    }
    verify_own_leaf(leaf, ask->name, ask->ip, &out->defects);
    if (path)
        *path = found;
    else
        sk_X509_pop_free(found, X509_free);
    return RC_OK;
}

enum rc verify_chain(const struct trust *t, STACK_OF(X509) * chain, span name, const struct addr *ip,
                     int64_t now_s, struct cert_verdict *out)
{
    struct verify_ask ask = {.trust = t, .chain = chain, .name = name, .ip = ip, .now_s = now_s};
    return verify_path(&ask, out, NULL);
}
