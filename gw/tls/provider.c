/* Our provider; see provider.h. */
#include "gw/tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <stdint.h>
#include <string.h>

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

enum rc provider_load(void)
{
    static OSSL_PROVIDER *ours; /* one per process, at first use */
    if (ours)
        return RC_OK;
    /* OpenSSL takes its own by itself only where nothing else is loaded. */
    OSSL_PROVIDER *standard = OSSL_PROVIDER_load(NULL, "default");
    if (standard && x25519_init(standard) && OSSL_PROVIDER_add_builtin(NULL, "perron", init) == 1)
        ours = OSSL_PROVIDER_load(NULL, "perron");
    return ours ? RC_OK : RC_BUG;
}
