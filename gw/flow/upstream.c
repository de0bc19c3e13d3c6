/* Verification of origins and the sessions they give; see upstream.h. A chain seen before costs one hash
 * instead of its signatures, a resumed session no certificate at all. */
#include "gw/flow/upstream.h"

#include <openssl/asn1.h>

#include "certs/chaincache.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/asking.h"
#include "gw/flow/flow.h"
#include "gw/flow/sessions.h"

static int64_t earliest_end(STACK_OF(X509) * chain)
{
    int64_t end = INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        struct tm tm;
        if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &tm) != 1)
            return 0;
        int64_t t = timegm(&tm);
        end = t < end ? t : end;
    }
    return end;
}

static void judge_chain(struct flow *f, STACK_OF(X509) * chain)
{
    uint8_t key[32];
    int64_t now = clock_wall_s();
    bool named = f->name.n > 0 || f->connected_by_connect;
    const struct addr *ip = f->name.n == 0 && named ? &f->dst : NULL;
    bool keyed = f->via.placed && chaincache_key(chain, f->via.place, key) == RC_OK;
    int64_t end = earliest_end(chain);
    f->via.since_s = now;
    f->via.until_s = end < now + LIM_ORIGIN_SESSION_S ? end : now + LIM_ORIGIN_SESSION_S;
    if (keyed && chaincache_find(f->e->chains, key, now, &f->cert)) {
        f->e->n.chains_cached++;
        return;
    }
    if (verify_chain(f->e->trust, chain, f->name, ip, now, &f->cert) != RC_OK)
        f->cert.defects |= DEFECT_BIT(MALFORMED);
    if (!named)
        f->cert.defects &= ~DEFECT_BIT(WRONG_NAME);
    if (keyed && f->cert.defects == 0 && chaincache_put(f->e->chains, key, now, end, &f->cert) != RC_OK)
        return; /* not kept: the next connection verifies again */
}

int upstream_verify(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct flow *f = SSL_get_app_data(ssl);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(ctx);
    bool asks = f->cert.asked_client_cert;
    if (chain && sk_X509_num(chain) > 0)
        judge_chain(f, chain);
    else
        f->cert.defects = DEFECT_BIT(MALFORMED);
    f->cert.asked_client_cert = asks;
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

int upstream_session(SSL *ssl, SSL_SESSION *session)
{
    struct flow *f = SSL_get_app_data(ssl);
    struct origin_facts facts;
    if (!f || !f->via.placed || f->cert.defects)
        return 0;
    know_names(f, ssl); /* with TLS 1.2 it comes within the handshake */
    facts_of(f, &facts);
    /* A copy: OpenSSL spoils its own when another ticket of the same connection replaces it. */
    SSL_SESSION *own = SSL_SESSION_dup(session);
    if (own)
        sessions_put(f->e->sessions, f->via.place, clock_wall_s(), own, &facts);
    return 0;
}

void upstream_offer(struct flow *f, SSL *ssl)
{
    struct origin_facts facts;
    f->via.offered = NULL;
    f->subject = f->issuer = SPAN_NONE;
    /* What a weak offer agreed is kept for nobody. */
    f->via.placed = !f->weak && place_of(f, &f->dst, f->via.place) == RC_OK;
    SSL_SESSION *session =
        f->via.placed ? sessions_take(f->e->sessions, f->via.place, clock_wall_s(), &facts) : NULL;
    struct origin_facts *kept = session ? arena_alloc(&f->arena, sizeof *kept) : NULL;
    if (kept) {
        *kept = facts;
        kept->subject = arena_dup(&f->arena, facts.subject);
        kept->issuer = arena_dup(&f->arena, facts.issuer);
        if (SSL_set_session(ssl, session) == 1)
            f->via.offered = kept;
    }
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
        know_names(f, f->origin.ssl);
        return RC_OK;
    }
    gw_assert(f->via.offered != NULL); /* nothing else could have been resumed */
    f->e->n.upstream_resumed++;
    return upstream_facts(f, f->via.offered);
}
