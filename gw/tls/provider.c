/* Our provider; see provider.h. */
#include "gw/tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <stdint.h>
#include <string.h>

#include "gw/base/log.h"
#include "gw/tls/schedule.h"
#include "gw/tls/x25519.h"

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM kdfs[] = {{"TLS13-KDF", "provider=perron", schedule_kdf, NULL}, {0}};
    static const OSSL_ALGORITHM keys[] = {{"X25519", "provider=perron", x25519_keymgmt, NULL}, {0}};
    static const OSSL_ALGORITHM exchanges[] = {{"X25519", "provider=perron", x25519_keyexch, NULL}, {0}};
    (void)provider;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KDF: return kdfs;
    case OSSL_OP_KEYMGMT: return keys;
    case OSSL_OP_KEYEXCH: return exchanges;
    default: return NULL;
    }
}

static int capabilities(void *provider, const char *capability, OSSL_CALLBACK *tell, void *arg)
{
    (void)provider;
    return strcmp(capability, "TLS-GROUP") == 0 ? x25519_group(tell, arg) : 1;
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out,
                void **provider)
{
    static const OSSL_DISPATCH ours[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
                                         {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
                                         {0, NULL}};
    (void)core;
    *out = ours;
    *provider = (void *)(uintptr_t)handle; /* never NULL, never looked into */
    return 1;
}

/* ---- does it do what OpenSSL's own does? ---- */

enum { KEY_BYTES = 32, SECRET_BYTES = 32 };

static const char standard_query[] = "provider=default";

/* The public value of a key made under `query` is that which OpenSSL computes from the private one. */
static bool same_keys(const char *query)
{
    uint8_t hidden[KEY_BYTES], shown[KEY_BYTES], computed[KEY_BYTES] = {0};
    size_t n_hidden = KEY_BYTES, n_shown = KEY_BYTES, n_computed = KEY_BYTES;
    EVP_PKEY *key = NULL, *again = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", query);
    bool ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_keygen(ctx, &key) == 1 &&
              EVP_PKEY_get_raw_private_key(key, hidden, &n_hidden) == 1 &&
              EVP_PKEY_get_raw_public_key(key, shown, &n_shown) == 1;
    if (ok)
        again = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", standard_query, hidden, n_hidden);
    ok = again && EVP_PKEY_get_raw_public_key(again, computed, &n_computed) == 1 &&
         memcmp(shown, computed, KEY_BYTES) == 0;
    OPENSSL_cleanse(hidden, sizeof hidden);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    EVP_PKEY_free(again);
    return ok;
}

/* A secret of a fixed one. */
static bool derive(const char *query, int mode, uint8_t out[SECRET_BYTES])
{
    uint8_t secret[SECRET_BYTES], hash[SECRET_BYTES];
    memset(secret, 0x0b, sizeof secret);
    memset(hash, 0x5a, sizeof hash);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char[]){"tls13 "}, 6),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, (char[]){"derived"}, 7),
        OSSL_PARAM_construct_octet_string(mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY ? OSSL_KDF_PARAM_SALT
                                                                                 : OSSL_KDF_PARAM_DATA,
                                          hash, sizeof hash),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", query);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, out, SECRET_BYTES, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static bool same_secrets(const char *query, int mode)
{
    uint8_t mine[SECRET_BYTES], theirs[SECRET_BYTES];
    return derive(query, mode, mine) && derive(standard_query, mode, theirs) &&
           memcmp(mine, theirs, SECRET_BYTES) == 0;
}

bool provider_agrees(const char *query)
{
    bool same = same_keys(query) && same_secrets(query, EVP_KDF_HKDF_MODE_EXPAND_ONLY) &&
                same_secrets(query, EVP_KDF_HKDF_MODE_EXTRACT_ONLY);
    ERR_clear_error();
    return same;
}

void provider_load(void)
{
    static OSSL_PROVIDER *standard, *ours; /* they stay until the process ends */
    static bool tried;                     /* once per process, at first use */
    if (tried)
        return;
    tried = true;
    /* OpenSSL takes its own by itself only where nothing else is loaded. */
    standard = OSSL_PROVIDER_load(NULL, "default");
    if (standard && x25519_init(standard) && OSSL_PROVIDER_add_builtin(NULL, "perron", init) == 1)
        ours = OSSL_PROVIDER_load(NULL, "perron");
    if (ours && provider_agrees("provider=perron"))
        return;
    OSSL_PROVIDER_unload(ours);
    ours = NULL;
    log_warn(
        "this OpenSSL does not go together with our key schedule and X25519: handshakes use its own, which "
        "cost more");
}
