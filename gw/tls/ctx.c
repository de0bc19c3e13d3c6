/* TLS contexts; see ctx.h. */
#include "gw/tls/ctx.h"

#include <openssl/err.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/tls/offer.h"

static const char ciphers12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                                "@SECLEVEL=2";
static const char ciphers13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char sigalgs[] = "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:"
                              "ed25519:ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512";

/* What both faces share. */
static enum rc common(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    /* FIN without close_notify: the stream tells it from a clean end, and OpenSSL lets us still answer. */
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 1); /* one recv per record instead of two */
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_max_cert_list(ctx, LIM_CHAIN_BYTES);
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) && SSL_CTX_set_cipher_list(ctx, ciphers12) &&
              SSL_CTX_set_ciphersuites(ctx, ciphers13) && SSL_CTX_set1_groups_list(ctx, groups) &&
              SSL_CTX_set1_sigalgs_list(ctx, sigalgs);
    return ok ? RC_OK : RC_BUG;
}

/* HTTP/1.1 where the client knows ALPN; a client that offers only what we do not speak gets the alert
 * no_application_protocol (RFC 7301 section 3.2). */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                       unsigned int inlen, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";
    (void)ssl;
    (void)arg;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, outlen, ours, sizeof ours - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

enum rc ctx_server_new(SSL_CTX **out)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return RC_NOMEM;
    enum rc rc = common(ctx);
    if (rc != RC_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_options(ctx, SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    *out = ctx;
    return RC_OK;
}

enum rc ctx_client_new(int (*verify)(X509_STORE_CTX *, void *), int (*asked)(SSL *, X509 **, EVP_PKEY **),
                       SSL_CTX **out)
{
    static const unsigned char http11[] = "\x08http/1.1";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return RC_NOMEM;
    enum rc rc = common(ctx);
    if (rc == RC_OK && SSL_CTX_set_alpn_protos(ctx, http11, sizeof http11 - 1) != 0)
        rc = RC_NOMEM;
    if (rc != RC_OK) {
        SSL_CTX_free(ctx);
        return rc;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_client_cert_cb(ctx, asked);
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp); /* always asked for: threats 25, 27 */
    *out = ctx;
    return RC_OK;
}

enum rc ctx_weak_new(int (*verify)(X509_STORE_CTX *, void *), int (*asked)(SSL *, X509 **, EVP_PKEY **),
                     SSL_CTX **out)
{
    TRY(ctx_client_new(verify, asked, out));
    return offer_weak_client(*out);
}

enum rc ctx_accept(SSL_CTX *ctx, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) * chain, void *data, SSL **out)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl)
        return RC_NOMEM;
    if (SSL_use_cert_and_key(ssl, leaf, key, chain, 1) != 1) {
        SSL_free(ssl);
        return RC_TLS;
    }
    SSL_set_app_data(ssl, data);
    SSL_set_accept_state(ssl);
    *out = ssl;
    return RC_OK;
}

static uint16_t lowest_version(const struct hello *h)
{
    uint16_t low = 0xffff;
    for (size_t i = 0; i < h->n_versions; i++) {
        if (h->versions[i] < low)
            low = h->versions[i];
    }
    return low;
}

enum rc ctx_connect(SSL_CTX *ctx, span name, const struct hello *client, void *data, SSL **out)
{
    char host[LIM_NAME_BYTES + 1];
    SSL *ssl = SSL_new(ctx);
    if (!ssl)
        return RC_NOMEM;
    bool ok = name.n <= LIM_NAME_BYTES;
    if (ok && name.n > 0) {
        memcpy(host, name.p, name.n);
        host[name.n] = '\0';
        ok = SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    if (ok && client && client->n_versions > 0 && lowest_version(client) >= TLS1_3_VERSION &&
        lowest_version(client) != 0xffff)
        ok = SSL_set_min_proto_version(ssl, TLS1_3_VERSION) == 1;
    if (!ok || !offer_no_weaker(ssl, client)) {
        SSL_free(ssl);
        return RC_TLS;
    }
    SSL_set_app_data(ssl, data);
    SSL_set_connect_state(ssl);
    *out = ssl;
    return RC_OK;
}
