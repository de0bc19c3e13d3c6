/* Verification of origins and the sessions they give; see upstream.h. A chain seen before costs one hash
 * instead of its signatures, a resumed session no certificate at all. */
#include "gw/flow/upstream.h"

#include <openssl/asn1.h>
#include <stdlib.h>

#include "certs/chaincache.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/asking.h"
#include "gw/flow/fetch.h"
#include "gw/flow/flow.h"
#include "gw/flow/sessions.h"

enum { ISSUERS_MOST = 3 }; /* remembered ones that complete a chain */

static int64_t earliest_end(STACK_OF(X509) * path)
{
    int64_t end = INT64_MAX;
    for (int i = 0; i < sk_X509_num(path); i++) {
        struct tm tm;
        if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(path, i)), &tm) != 1)
            return 0;
        int64_t t = timegm(&tm);
        end = t < end ? t : end;
    }
    return end;
}

void upstream_forget_path(struct flow *f)
{
    sk_X509_pop_free(f->chain.path, X509_free);
    f->chain.path = NULL;
}

/* ---- the chain */

static bool is_named(const struct flow *f)
{
    return f->name.n > 0 || f->connected_by_connect;
}

static const struct addr *asked_address(const struct flow *f)
{
    return f->name.n == 0 && is_named(f) ? &f->dst : NULL;
}

static void verify_once(struct flow *f, struct verify_ask *ask)
{
    upstream_forget_path(f);
    if (verify_path(ask, &f->cert, &f->chain.path) != RC_OK)
        f->cert.defects |= DEFECT_BIT(MALFORMED);
    if (!is_named(f))
        f->cert.defects &= ~DEFECT_BIT(WRONG_NAME);
}

/* Where the path ends without an anchor, an issuer that was fetched earlier may go on from there. */
static void verify(struct flow *f, STACK_OF(X509) * chain)
{
    STACK_OF(X509) *issuers = sk_X509_new_null();
    struct verify_ask ask = {.trust = f->e->trust,
                             .chain = chain,
                             .issuers = issuers,
                             .name = f->name,
                             .ip = asked_address(f),
                             .now_s = clock_wall_s()};
    verify_once(f, &ask);
    for (int i = 0; issuers && i < ISSUERS_MOST && f->cert.defects & DEFECT_BIT(UNKNOWN_ISSUER); i++) {
        int n = sk_X509_num(f->chain.path);
        X509 *next = n > 0 ? fetch_known(f->e, sk_X509_value(f->chain.path, n - 1)) : NULL;
        if (!next || sk_X509_push(issuers, next) <= 0)
            break;
        verify_once(f, &ask);
        f->e->n.chains_completed += !(f->cert.defects & DEFECT_BIT(UNKNOWN_ISSUER));
    }
    sk_X509_free(issuers);
}

static void judge_chain(struct flow *f, STACK_OF(X509) * chain)
{
    uint8_t key[32];
    bool asked = f->cert.asked_client_cert;
    int64_t now = clock_wall_s();
    upstream_forget_path(f);
    bool keyed = f->via.placed && chaincache_key(chain, f->via.place, key) == RC_OK;
    if (keyed && chaincache_find(f->e->chains, key, now, &f->cert)) {
        f->e->n.chains_cached++;
    } else {
        verify(f, chain);
        if (keyed && f->cert.defects == 0 &&
            chaincache_put(f->e->chains, key, now, earliest_end(f->chain.path), &f->cert) != RC_OK)
            f->e->n.chains_uncached++; /* the next connection verifies again */
    }
    int64_t end = f->chain.path ? earliest_end(f->chain.path) : earliest_end(chain);
    f->via.since_s = now;
    f->via.until_s = end < now + LIM_ORIGIN_SESSION_S ? end : now + LIM_ORIGIN_SESSION_S;
    f->cert.asked_client_cert = asked;
}

int upstream_verify(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct flow *f = SSL_get_app_data(ssl);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(ctx);
    if (chain && sk_X509_num(chain) > 0)
        judge_chain(f, chain);
    else
        f->cert.defects = DEFECT_BIT(MALFORMED);
    if (f->cert.defects && f->via.placed)
        sessions_drop(f->e->sessions, f->via.place); /* good before, bad now */
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

int upstream_asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    struct flow *f = SSL_get_app_data(ssl);
    (void)cert;
    (void)key;
    if (!f) /* nobody's: it waits to be used again, and is of no use now */
        return -1;
    if (f->origin.handshaking) {
        f->cert.asked_client_cert = true;
        return 0; /* go on without one */
    }
    f->origin.asked = true;
    return -1;
}

void upstream_info(const SSL *ssl, int where, int ret)
{
    struct flow *f = SSL_get_app_data(ssl);
    if (f && where == SSL_CB_WRITE_ALERT && (ret & 0xff) == SSL_AD_NO_RENEGOTIATION)
        f->origin.asked = true;
}

void upstream_exempted(struct flow *f, const struct judged *j)
{
    asking_learn(f, j);
}

void upstream_again(struct flow *f)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(f->origin.ssl);
    uint32_t kept = f->cert.defects & DEFECT_BIT(WEAK_TLS); /* no defect of the chain */
    if (chain && sk_X509_num(chain) > 0)
        judge_chain(f, chain);
    f->cert.defects |= kept;
}

/* ---- the staple */

static span staple_of(const struct flow *f)
{
    const unsigned char *p = NULL;
    long n = SSL_get_tlsext_status_ocsp_resp(f->origin.ssl, &p);
    return n > 0 && p ? span_of(p, (size_t)n) : SPAN_NONE;
}

/* What a staple says of a leaf does not change. */
static bool staple_key(const struct flow *f, span staple, uint8_t key[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, f->cert.leaf_sha256, sizeof f->cert.leaf_sha256) == 1 &&
              EVP_DigestUpdate(md, f->cert.path[0].source, sizeof f->cert.path[0].source) == 1 &&
              EVP_DigestUpdate(md, staple.p, staple.n) == 1 && EVP_DigestFinal_ex(md, key, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static bool staple_known(struct flow *f, const uint8_t key[32], int64_t now)
{
    struct cert_verdict was;
    if (!chaincache_find(f->e->staples, key, now, &was))
        return false;
    f->cert.staple = was.staple;
    f->cert.staple_until_s = was.staple_until_s;
    f->e->n.staples_cached++;
    return true;
}

static void remember_staple(struct flow *f, const uint8_t key[32], int64_t now)
{
    struct cert_verdict v = {.staple = f->cert.staple, .staple_until_s = f->cert.staple_until_s};
    /* Only beneath a path that is good: else its issuer is whoever a stranger says. */
    if (v.staple == STAPLE_GOOD && f->cert.defects == 0 &&
        chaincache_put(f->e->staples, key, now, v.staple_until_s, &v) != RC_OK)
        f->e->n.chains_uncached++;
}

void upstream_staple(struct flow *f)
{
    uint8_t key[32];
    int64_t now = clock_wall_s();
    span staple = staple_of(f);
    bool keyed = staple.n > 0 && staple_key(f, staple, key);
    if (keyed && staple_known(f, key, now))
        return;
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(f->origin.ssl);
    if (staple.n > 0 && !f->chain.path && chain &&
        sk_X509_num(chain) > 0) { /* the chain was known, the staple is new */
        struct cert_verdict was = f->cert;
        verify(f, chain);
        f->cert = was;
    }
    verify_staple(staple, f->chain.path, now, &f->cert);
    if (keyed)
        remember_staple(f, key, now);
}

/* ---- names, for the log ---- */

static span name_text(struct flow *f, X509_NAME *name)
{
    char text[512];
    BIO *mem = BIO_new(BIO_s_mem());
    if (!mem)
        return SPAN_NONE;
    X509_NAME_print_ex(mem, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    int n = BIO_read(mem, text, sizeof text);
    BIO_free(mem);
    return n > 0 ? arena_dup(&f->arena, span_of(text, (size_t)n)) : SPAN_NONE;
}

static void know_names(struct flow *f, SSL *ssl)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (f->subject.n > 0 || !leaf)
        return;
    f->subject = name_text(f, X509_get_subject_name(leaf));
    f->issuer = name_text(f, X509_get_issuer_name(leaf));
}

/* ---- sessions ---- */

/* Did the origin make nothing of the session that it was offered? Then it makes nothing of those that came
 * with it either, and each holds certificates of its own: they go once, before its new ones come. */
static void drop_useless(struct flow *f, const SSL *ssl)
{
    if (!f->via.offered || SSL_session_reused(ssl))
        return;
    upstream_forget_offer(f);
    sessions_drop(f->e->sessions, f->via.place);
}

int upstream_session(SSL *ssl, SSL_SESSION *session)
{
    struct flow *f = SSL_get_app_data(ssl);
    struct origin_facts facts;
    /* With TLS 1.2 the session comes before the staple has been judged; a resumed connection has none. */
    if (f && f->cert.defects == 0 && SSL_version(ssl) < TLS1_3_VERSION && !SSL_session_reused(ssl))
        upstream_staple(f);
    if (!f || !f->via.placed || f->cert.defects)
        return 0;
    know_names(f, ssl); /* with TLS 1.2 it comes within the handshake */
    facts_of(f, &facts);
    /* A copy: OpenSSL spoils its own when another ticket of the same connection replaces it. */
    SSL_SESSION *own = SSL_SESSION_dup(session);
    if (!own)
        return 0;
    drop_useless(f, ssl);
    sessions_put(f->e->sessions, f->via.place, clock_wall_s(), own, &facts);
    return 0;
}

void upstream_forget_offer(struct flow *f)
{
    if (f->via.offered)
        facts_free(f->via.offered);
    free(f->via.offered);
    f->via.offered = NULL;
}

void upstream_offer(struct flow *f, SSL *ssl)
{
    struct origin_facts facts;
    upstream_forget_offer(f);
    f->subject = f->issuer = SPAN_NONE;
    /* What a weak offer agreed is kept for nobody. */
    f->via.placed = !f->weak && place_of(f, &f->dst, f->via.place) == RC_OK;
    SSL_SESSION *session =
        f->via.placed ? sessions_take(f->e->sessions, f->via.place, clock_wall_s(), &facts) : NULL;
    f->via.offered = session ? calloc(1, sizeof *f->via.offered) : NULL;
    if (f->via.offered && (facts_copy(f->via.offered, &facts) != RC_OK || SSL_set_session(ssl, session) != 1))
        upstream_forget_offer(f);
    SSL_SESSION_free(session);
}

enum rc upstream_facts(struct flow *f, const struct origin_facts *facts)
{
    if (f->origin.ssl) {
        SSL_set_app_data(f->origin.ssl, f);
        f->origin_cipher = SSL_get_current_cipher(f->origin.ssl);
    }
    return facts_give(f, facts);
}

enum rc upstream_known(struct flow *f)
{
    if (!SSL_session_reused(f->origin.ssl)) {
        drop_useless(f, f->origin.ssl);
        know_names(f, f->origin.ssl);
        return RC_OK;
    }
    gw_assert(f->via.offered != NULL); /* nothing else could have been resumed */
    f->e->n.upstream_resumed++;
    enum rc rc = upstream_facts(f, f->via.offered);
    upstream_forget_offer(f);
    return rc;
}
