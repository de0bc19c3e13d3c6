/* Verification of origins; see upstream.h. A chain seen before costs one hash instead of its signatures. */
#include "gw/flow/upstream.h"

#include <openssl/asn1.h>

#include "certs/chaincache.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/asking.h"
#include "gw/flow/flow.h"
#include "gw/tls/ctx.h"

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
    bool keyed = named && chaincache_key(chain, f->name, ip, key) == RC_OK;
    if (keyed && chaincache_find(f->e->chains, key, now, &f->cert)) {
        f->e->n.chains_cached++;
        return;
    }
    if (verify_chain(f->e->trust, chain, f->name, ip, now, &f->cert) != RC_OK)
        f->cert.defects |= DEFECT_BIT(MALFORMED);
    if (!named)
        f->cert.defects &= ~DEFECT_BIT(WRONG_NAME);
    if (keyed && f->cert.defects == 0 &&
        chaincache_put(f->e->chains, key, now, earliest_end(chain), &f->cert) != RC_OK)
        return; /* not kept: the next connection verifies again */
}

static int verify(X509_STORE_CTX *ctx, void *arg)
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
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static int asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    struct flow *f = SSL_get_app_data(ssl);
    (void)cert;
    (void)key;
    if (f->origin.handshaking) {
        f->cert.asked_client_cert = true;
        return 0; /* go on without one */
    }
    f->origin.asked = true;
    return -1;
}

static void info(const SSL *ssl, int where, int ret)
{
    struct flow *f = SSL_get_app_data(ssl);
    if (where == SSL_CB_WRITE_ALERT && (ret & 0xff) == SSL_AD_NO_RENEGOTIATION)
        f->origin.asked = true;
}

enum rc upstream_init(struct engine *e)
{
    TRY(asking_new(LIM_ASKING, &e->asking));
    TRY(ctx_client_new(verify, asked, &e->to_origins));
    TRY(ctx_weak_new(verify, asked, &e->to_weak));
    SSL_CTX_set_info_callback(e->to_origins, info);
    SSL_CTX_set_info_callback(e->to_weak, info);
    return RC_OK;
}

void upstream_fini(struct engine *e)
{
    asking_free(e->asking);
    SSL_CTX_free(e->to_origins);
    SSL_CTX_free(e->to_weak);
}

void upstream_reloaded(struct engine *e)
{
    asking_reloaded(e->asking, e->snap);
}
