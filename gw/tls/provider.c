/* Our provider; see provider.h. */
#include "gw/tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <stdbool.h>
#include <stdint.h>

#include "gw/tls/schedule.h"

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM kdfs[] = {{"TLS13-KDF", "provider=perron", schedule_kdf, NULL}, {0}};
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out,
                void **provider)
{
    static const OSSL_DISPATCH ours[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
                                         {0, NULL}};
    (void)core;
    *out = ours;
    *provider = (void *)(uintptr_t)handle; /* never NULL, never looked into */
    return 1;
}

enum rc provider_load(void)
{
    static bool loaded; /* one per process, at first use */
    /* OpenSSL takes its own by itself only where nothing else is loaded. */
    if (!loaded)
        loaded = OSSL_PROVIDER_load(NULL, "default") &&
                 OSSL_PROVIDER_add_builtin(NULL, "perron", init) == 1 && OSSL_PROVIDER_load(NULL, "perron");
    return loaded ? RC_OK : RC_BUG;
}
