/* Session tickets for clients; see ticket.h. */
#include "gw/tls/ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { NAMED = 0, ENCRYPTS = 1, AUTHENTICATES = 2 };

/* HMAC-SHA-256 under the shared key of what the derived key is for and what the connection belongs to. */
static bool derive(const uint8_t key[TICKET_KEY], uint8_t use, const uint8_t *to, uint8_t out[32])
{
    uint8_t text[1 + TICKET_BELONGS] = {use};
    unsigned n = 0;
    if (to)
        memcpy(text + 1, to, TICKET_BELONGS);
    return HMAC(EVP_sha256(), key, TICKET_KEY, text, sizeof text, out, &n) && n == 32;
}

enum rc ticket_key(struct tickets *t, uint32_t number, const uint8_t key[TICKET_KEY])
{
    uint8_t name[32];
    for (size_t i = 0; i < TICKET_KEYS; i++) {
        if (t->k[i].have && t->k[i].number == number)
            return RC_OK;
    }
    if (!derive(key, NAMED, NULL, name))
        return RC_NOMEM;
    memmove(&t->k[1], &t->k[0], sizeof t->k - sizeof t->k[0]);
    t->k[0].have = true;
    t->k[0].number = number;
    memcpy(t->k[0].key, key, TICKET_KEY);
    memcpy(t->k[0].name, name, sizeof t->k[0].name);
    return RC_OK;
}

/* Sets up OpenSSL's cipher and MAC for one ticket; false: it cannot be. */
static bool set_up(const uint8_t *key, const uint8_t *to, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                   EVP_MAC_CTX *mac, int seal)
{
    uint8_t enc[32], auth[32];
    char digest[] = "SHA256";
    bool ok = derive(key, ENCRYPTS, to, enc) && derive(key, AUTHENTICATES, to, auth);
    if (ok && seal)
        ok = RAND_bytes(iv, 16) == 1;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, auth, sizeof auth),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    ok = ok && EVP_MAC_CTX_set_params(mac, params) == 1 &&
         EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, enc, iv, seal) == 1;
    OPENSSL_cleanse(enc, sizeof enc);
    OPENSSL_cleanse(auth, sizeof auth);
    return ok;
}

/* OpenSSL asks: -1 failure, 0 no ticket (or one that is not ours: full handshake), 1 as it is, 2 and the
 * client gets a new one. Of TLS 1.3 each is used once. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    const struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    uint8_t to[TICKET_BELONGS];
    size_t i = 0;
    if (!t->k[0].have || !t->belongs(ssl, to))
        return seal ? -1 : 0;
    if (seal)
        memcpy(name, t->k[0].name, sizeof t->k[0].name);
    else
        while (i < TICKET_KEYS && !(t->k[i].have && memcmp(name, t->k[i].name, sizeof t->k[i].name) == 0))
            i++;
    if (i == TICKET_KEYS)
        return 0;
    if (!set_up(t->k[i].key, to, iv, cipher, mac, seal))
        return -1;
    return !seal && (i > 0 || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : 1;
}

void ticket_use(SSL_CTX *ctx, struct tickets *t)
{
    static const unsigned char id[] = "perron";
    SSL_CTX_set_app_data(ctx, t);
    SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_timeout(ctx, LIM_TICKET_KEY_S * TICKET_KEYS);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
}

void ticket_none(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_num_tickets(ssl, 0);
}
