/* Strong and weak offers; see offer.h. */
#include "gw/tls/offer.h"

#include <openssl/err.h>

#include "gw/base/obj.h"

static const struct suite {
    uint16_t id;
    bool weak;
    const char *name;
} suites[] = {
    {0xc02b, false, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {0xc02f, false, "ECDHE-RSA-AES128-GCM-SHA256"},
    {0xc02c, false, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {0xc030, false, "ECDHE-RSA-AES256-GCM-SHA384"},
    {0xcca9, false, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {0xcca8, false, "ECDHE-RSA-CHACHA20-POLY1305"},
    {0x009e, true, "DHE-RSA-AES128-GCM-SHA256"},
    {0x009f, true, "DHE-RSA-AES256-GCM-SHA384"},
    {0xccaa, true, "DHE-RSA-CHACHA20-POLY1305"},
    {0xc023, true, "ECDHE-ECDSA-AES128-SHA256"},
    {0xc027, true, "ECDHE-RSA-AES128-SHA256"},
    {0xc024, true, "ECDHE-ECDSA-AES256-SHA384"},
    {0xc028, true, "ECDHE-RSA-AES256-SHA384"},
    {0xc009, true, "ECDHE-ECDSA-AES128-SHA"},
    {0xc013, true, "ECDHE-RSA-AES128-SHA"},
    {0xc00a, true, "ECDHE-ECDSA-AES256-SHA"},
    {0xc014, true, "ECDHE-RSA-AES256-SHA"},
    {0x0067, true, "DHE-RSA-AES128-SHA256"},
    {0x006b, true, "DHE-RSA-AES256-SHA256"},
    {0x0033, true, "DHE-RSA-AES128-SHA"},
    {0x0039, true, "DHE-RSA-AES256-SHA"},
    {0x009c, true, "AES128-GCM-SHA256"},
    {0x009d, true, "AES256-GCM-SHA384"},
    {0x003c, true, "AES128-SHA256"},
    {0x003d, true, "AES256-SHA256"},
    {0x002f, true, "AES128-SHA"},
    {0x0035, true, "AES256-SHA"},
};

/* As in gw/tls/ctx.c. */
#define SIGALGS                                                                                           \
    "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:ed25519:ECDSA+SHA512:" \
    "RSA-PSS+SHA512:RSA+SHA512"

enum {
    LIST_BYTES = 1024,
    TLS13_AES_128 = 0x1301,
    DH_BITS_OF_SECURITY = 80 /* 1,024 bits */,
    CURVE_BITS = 112
};

static bool offers(const struct hello *client, uint16_t id)
{
    for (size_t i = 0; i < client->n_ciphers; i++) {
        if (client->ciphers[i] == id)
            return true;
    }
    return false;
}

/* The suites that `wanted` says yes to, as OpenSSL's list. */
static void list_of(bool (*wanted)(const struct suite *, const struct hello *), const struct hello *client,
                    char out[LIST_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(suites); i++) {
        if (wanted(&suites[i], client))
            n += (size_t)snprintf(out + n, LIST_BYTES - n, "%s%s", n ? ":" : "", suites[i].name);
    }
    gw_assert(n < LIST_BYTES);
}

/* ---- the strong offer ---- */

static bool has_128_bits(const struct suite *s)
{
    return strstr(s->name, "AES128") != NULL;
}

static bool strong_of_256(const struct suite *s, const struct hello *client)
{
    (void)client;
    return !s->weak && !has_128_bits(s);
}

bool offer_lacks_128(const struct hello *client)
{
    if (!client || client->n_ciphers == 0 || offers(client, TLS13_AES_128))
        return false;
    for (size_t i = 0; i < N_ELEMS(suites); i++) {
        if (has_128_bits(&suites[i]) && offers(client, suites[i].id))
            return false;
    }
    return true;
}

bool offer_no_weaker(SSL *ssl, const struct hello *client)
{
    char list[LIST_BYTES];
    if (!offer_lacks_128(client))
        return true;
    list_of(strong_of_256, client, list);
    return SSL_set_cipher_list(ssl, list) == 1 &&
           SSL_set_ciphersuites(ssl, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1;
}

/* ---- the weak offer ---- */

/* OpenSSL's levels know no step between "1,024 bits of Diffie-Hellman" and "SHA-1", so each is said here. */
static int may(const SSL *s, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *ex)
{
    (void)s, (void)ctx, (void)other, (void)ex;
    switch (op) {
    case SSL_SECOP_VERSION: return nid >= TLS1_2_VERSION;
    case SSL_SECOP_COMPRESSION: return 0;
    case SSL_SECOP_TMP_DH: return bits >= DH_BITS_OF_SECURITY;
    case SSL_SECOP_CURVE_SUPPORTED:
    case SSL_SECOP_CURVE_SHARED:
    case SSL_SECOP_CURVE_CHECK:
    case SSL_SECOP_CIPHER_SUPPORTED:
    case SSL_SECOP_CIPHER_SHARED:
    case SSL_SECOP_CIPHER_CHECK: return bits >= CURVE_BITS;
    default: return 1; /* signatures as in our list; certificates are judged by certs/verify */
    }
}

static bool any(const struct suite *s, const struct hello *client)
{
    (void)client;
    (void)s;
    return true;
}

enum rc offer_weak_client(SSL_CTX *ctx)
{
    char list[LIST_BYTES];
    list_of(any, NULL, list);
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_security_callback(ctx, may);
    return SSL_CTX_set_cipher_list(ctx, list) == 1 ? RC_OK : RC_BUG;
}

static bool only_tls13(const struct hello *client)
{
    for (size_t i = 0; i < client->n_versions; i++) {
        if (client->versions[i] >> 8 == 3 && client->versions[i] < TLS1_3_VERSION)
            return false;
    }
    return true;
}

bool offer_has_weaker(const struct hello *client)
{
    if (!client || only_tls13(client))
        return false;
    for (size_t i = 0; i < N_ELEMS(suites); i++) {
        if (suites[i].weak && offers(client, suites[i].id))
            return true;
    }
    return client->sha1_signatures;
}

static bool strong_or_offered(const struct suite *s, const struct hello *client)
{
    bool no_weaker = !s->weak && !(has_128_bits(s) && offer_lacks_128(client));
    return no_weaker || offers(client, s->id);
}

static bool only_http2(const struct hello *client)
{
    return client->alpn_h2 && !client->alpn_http11;
}

enum rc offer_weaker(SSL *ssl, const struct hello *client)
{
    char list[LIST_BYTES];
    if (!offer_has_weaker(client))
        return RC_DENIED;
    list_of(strong_or_offered, client, list);
    if (!only_http2(client) && SSL_set_alpn_protos(ssl, (const uint8_t *)"\x08http/1.1", 9) != 0)
        return RC_NOMEM;
    return SSL_set_cipher_list(ssl, list) == 1 &&
                   SSL_set1_sigalgs_list(ssl, client->sha1_signatures ? SIGALGS ":ECDSA+SHA1:RSA+SHA1"
                                                                      : SIGALGS) == 1
               ? RC_OK
               : RC_NOMEM;
}

bool offer_was_weak(SSL *ssl)
{
    const SSL_CIPHER *c = SSL_get_current_cipher(ssl);
    int digest = NID_undef;
    if (!c || SSL_version(ssl) >= TLS1_3_VERSION)
        return false;
    if (SSL_CIPHER_get_kx_nid(c) != NID_kx_ecdhe || !SSL_CIPHER_is_aead(c))
        return true;
    return SSL_get_peer_signature_nid(ssl, &digest) == 1 && digest == NID_sha1;
}

/* ---- why it failed ---- */

enum offer_failure offer_why_failed(const struct stream *s)
{
    if (s->alert_in >= 0)
        return s->alert_in == SSL_AD_HANDSHAKE_FAILURE || s->alert_in == SSL_AD_INSUFFICIENT_SECURITY
                   ? OFFER_MAYBE
                   : OFFER_OTHER;
    switch (ERR_GET_REASON(s->tls_error)) {
    case SSL_R_DH_KEY_TOO_SMALL:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_WRONG_CIPHER_RETURNED: return OFFER_WEAK;
    default: return s->tls_error == 0 && s->n_in == 0 ? OFFER_MAYBE : OFFER_OTHER;
    }
}
