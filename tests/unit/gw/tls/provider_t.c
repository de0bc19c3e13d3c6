/* Our provider is compared with OpenSSL's own before it is used, and one that differs is found out. */
#include "gw/tls/provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdint.h>

#include "gw/base/obj.h"
#include "tests/unit/certs/make_cert.h"

/* ---- a provider whose key schedules are wrong ---- */

static int wrong_derive(void *ctx, unsigned char *out, size_t n, const OSSL_PARAM params[])
{
    (void)ctx;
    (void)params;
    memset(out, 0, n);
    return 1;
}

static int refusing_derive(void *ctx, unsigned char *out, size_t n, const OSSL_PARAM params[])
{
    (void)wrong_derive(ctx, out, n, params);
    return 0;
}

static void *context_new(void *provider)
{
    return provider;
}

static void context_free(void *ctx)
{
    (void)ctx;
}

static const OSSL_DISPATCH wrong_kdf[] = {{OSSL_FUNC_KDF_NEWCTX, (void (*)(void))context_new},
                                          {OSSL_FUNC_KDF_FREECTX, (void (*)(void))context_free},
                                          {OSSL_FUNC_KDF_DERIVE, (void (*)(void))wrong_derive},
                                          {0, NULL}};
static const OSSL_DISPATCH refusing_kdf[] = {{OSSL_FUNC_KDF_NEWCTX, (void (*)(void))context_new},
                                             {OSSL_FUNC_KDF_FREECTX, (void (*)(void))context_free},
                                             {OSSL_FUNC_KDF_DERIVE, (void (*)(void))refusing_derive},
                                             {0, NULL}};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM kdfs[] = {{"TLS13-KDF", "provider=wrong", wrong_kdf, NULL},
                                          {"TLS13-KDF", "provider=refusing", refusing_kdf, NULL},
                                          {0}};
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *core, const OSSL_DISPATCH **out,
                void **provider)
{
    static const OSSL_DISPATCH table[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
                                          {0, NULL}};
    (void)core;
    *out = table;
    *provider = (void *)(uintptr_t)handle;
    return 1;
}

/* ---- tests ---- */

static OSSL_PROVIDER *wrong;

static int setup(void **state)
{
    (void)state;
    provider_load();
    wrong = OSSL_PROVIDER_add_builtin(NULL, "wrong", init) == 1 ? OSSL_PROVIDER_load(NULL, "wrong") : NULL;
    return !wrong;
}

static int teardown(void **state)
{
    (void)state;
    return OSSL_PROVIDER_unload(wrong) != 1;
}

static void wrong_or_missing_secrets_are_found_out(void **state)
{
    (void)state;
    assert_false(provider_agrees("provider=wrong"));
    assert_false(provider_agrees("?provider=wrong"));
    assert_false(provider_agrees("?provider=refusing"));
    assert_false(provider_agrees("provider=nobody"));
}

static void ours_is_in_use_and_agrees(void **state)
{
    (void)state;
    assert_int_equal(OSSL_PROVIDER_available(NULL, "perron"), 1);
    assert_true(provider_agrees("provider=perron"));
    assert_true(provider_agrees(PROVIDER_QUERY));
    assert_true(provider_agrees("provider=default"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_or_missing_secrets_are_found_out),
        cmocka_unit_test(ours_is_in_use_and_agrees),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
