/* TLS contexts; see ctx.h. */
#include "gw/tls/ctx.h"

#include <openssl/err.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/tls/offer.h"
#include "gw/tls/provider.h"

static const char ciphers12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                                "@SECLEVEL=2";
static const char ciphers13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";
static const char sigalgs[] = "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:"
                              "ed25519:ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512";

/* OpenSSL 3.2 and later compress certificates unless told not to. */
#ifndef SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
#define SSL_OP_NO_TX_CERTIFICATE_COMPRESSION 0
#define SSL_OP_NO_RX_CERTIFICATE_COMPRESSION 0
#endif

/* What both faces share. */
static enum rc common(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
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

static enum rc new_ctx(const SSL_METHOD *method, SSL_CTX **out)
{
    provider_load();
    *out = SSL_CTX_new_ex(NULL, PROVIDER_QUERY, method);
    return *out ? RC_OK : RC_NOMEM;
}

/* Where an SSL keeps what its client is to be given. */
static int alpn_index(void)
{
    static int at = -1; /* one per process, drawn at first use, never changed */
    if (at < 0)
        at = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return at;
}

/* A client that offers only what it cannot be given gets the alert no_application_protocol (RFC 7301
 * section 3.2). */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                       unsigned int inlen, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1\x08http/1.0\x02h2";
    enum { ALL = sizeof ours - 1, H2 = 3 };
    static const struct {
        const unsigned char *p;
        unsigned n;
    } given[] = {[CTX_HTTP11] = {ours, ALL - H2}, [CTX_H2] = {ours + ALL - H2, H2}, [CTX_ANY] = {ours, ALL}};
    const enum ctx_alpn want = (enum ctx_alpn)(intptr_t)SSL_get_ex_data(ssl, alpn_index());
    (void)arg;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, outlen, given[want].p, given[want].n, in, inlen) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

enum rc ctx_server_new(SSL_CTX **out)
{
    SSL_CTX *ctx = NULL;
    TRY(new_ctx(TLS_server_method(), &ctx));
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
    SSL_CTX *ctx = NULL;
    TRY(new_ctx(TLS_client_method(), &ctx));
    enum rc rc = common(ctx);
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

void ctx_keep_sessions(SSL_CTX *ctx, int (*fresh)(SSL *, SSL_SESSION *))
{
    SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, fresh);
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

void ctx_give_alpn(SSL *ssl, enum ctx_alpn alpn)
{
    SSL_set_ex_data(ssl, alpn_index(), (void *)(intptr_t)alpn);
}

uint16_t ctx_min_version(const struct hello *client)
{
    for (size_t i = 0; client && i < client->n_versions; i++) {
        if (client->versions[i] < TLS1_3_VERSION)
            return TLS1_2_VERSION;
    }
    return client && client->n_versions > 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/* In the client's own order. */
static bool offer_alpn(SSL *ssl, const struct hello *client)
{
    unsigned char list[12];
    unsigned n = 0;
    for (size_t i = 0; client && i < client->n_alpn; i++) {
        span one = client->alpn[i];
        bool known = span_eq(one, SPAN("h2")) || span_eq(one, SPAN("http/1.1"));
        if (!known || n + 1 + one.n > sizeof list)
            continue;
        list[n++] = (unsigned char)one.n;
        memcpy(list + n, one.p, one.n);
        n += (unsigned)one.n;
    }
    if (n == 0) {
        memcpy(list, "\x08http/1.1", 9);
        n = 9;
    }
    return SSL_set_alpn_protos(ssl, list, n) == 0;
}

bool ctx_is_h2(const SSL *ssl)
{
    const unsigned char *p = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(ssl, &p, &n);
    return span_eq(span_of(p, n), SPAN("h2"));
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
    if (ok && ctx_min_version(client) == TLS1_3_VERSION)
        ok = SSL_set_min_proto_version(ssl, TLS1_3_VERSION) == 1;
    if (!ok || !offer_no_weaker(ssl, client) || !offer_alpn(ssl, client)) {
        SSL_free(ssl);
        return RC_TLS;
    }
    SSL_set_post_handshake_auth(ssl, client && client->post_handshake_auth);
    SSL_set_app_data(ssl, data);
    SSL_set_connect_state(ssl);
    *out = ssl;
    return RC_OK;
}
