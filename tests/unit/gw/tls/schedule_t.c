/* The key schedule of TLS 1.3: the secrets of RFC 8448, and whatever OpenSSL's own derives from the same.
 * What TLS does not ask for is refused. */
#include "gw/tls/schedule.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "gw/base/buf.h"
#include "gw/base/obj.h"
#include "gw/tls/provider.h"
#include "tests/unit/certs/make_cert.h"

enum { EXTRACT = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, EXPAND = EVP_KDF_HKDF_MODE_EXPAND_ONLY };

struct ask {
    const char *digest;
    int mode;
    span key, salt, label, data;
};

static size_t put(OSSL_PARAM *at, const char *name, span s)
{
    if (s.p)
        *at = OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)s.p, s.n);
    return s.p != NULL;
}

static bool derived(const char *query, const struct ask *a, uint8_t *out, size_t n)
{
    struct ask w = *a;
    OSSL_PARAM p[8];
    size_t i = 0;
    p[i++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &w.mode);
    p[i++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)w.digest, 0);
    i += put(p + i, OSSL_KDF_PARAM_KEY, w.key);
    i += put(p + i, OSSL_KDF_PARAM_SALT, w.salt);
    i += put(p + i, OSSL_KDF_PARAM_PREFIX, SPAN("tls13 "));
    i += put(p + i, OSSL_KDF_PARAM_LABEL, w.label);
    i += put(p + i, OSSL_KDF_PARAM_DATA, w.data);
    p[i] = OSSL_PARAM_construct_end();
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", query);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    assert_non_null(ctx);
    memset(out, 0, n);
    bool ok = EVP_KDF_derive(ctx, out, n, p) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static bool ours(const struct ask *a, uint8_t *out, size_t n)
{
    return derived("provider=perron", a, out, n);
}

static void same_as_openssl(const struct ask *a, size_t n)
{
    uint8_t mine[512], theirs[512];
    assert_true(n <= sizeof mine);
    assert_true(ours(a, mine, n));
    assert_true(derived("provider=default", a, theirs, n));
    assert_memory_equal(mine, theirs, n);
}

static int setup(void **state)
{
    (void)state;
    provider_load();
    provider_load();
    return OSSL_PROVIDER_available(NULL, "perron") != 1;
}

/* RFC 8448 section 3 */
static void the_secrets_of_the_example_handshake(void **state)
{
    static const uint8_t early[] = {0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b, 0x09, 0xe6, 0xcd,
                                    0x98, 0x93, 0x68, 0x0c, 0xe2, 0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f,
                                    0x26, 0x60, 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a};
    static const uint8_t shared[] = {0x8b, 0xd4, 0x05, 0x4f, 0xb5, 0x5b, 0x9d, 0x63, 0xfd, 0xfb, 0xac,
                                     0xf9, 0xf0, 0x4b, 0x9f, 0x0d, 0x35, 0xe6, 0xd6, 0x3f, 0x53, 0x75,
                                     0x63, 0xef, 0xd4, 0x62, 0x72, 0x90, 0x0f, 0x89, 0x49, 0x2d};
    static const uint8_t handshake[] = {0x1d, 0xc8, 0x26, 0xe9, 0x36, 0x06, 0xaa, 0x6f, 0xdc, 0x0a, 0xad,
                                        0xc1, 0x2f, 0x74, 0x1b, 0x01, 0x04, 0x6a, 0xa6, 0xb9, 0x9f, 0x69,
                                        0x1e, 0xd2, 0x21, 0xa9, 0xf0, 0xca, 0x04, 0x3f, 0xbe, 0xac};
    struct ask a = {.digest = "SHA256", .mode = EXTRACT, .label = SPAN("derived")};
    uint8_t out[32];
    (void)state;
    assert_true(ours(&a, out, sizeof out));
    assert_memory_equal(out, early, sizeof early);
    a.salt = span_of(early, sizeof early);
    a.key = span_of(shared, sizeof shared);
    assert_true(ours(&a, out, sizeof out));
    assert_memory_equal(out, handshake, sizeof handshake);
}

static void as_openssl_derives_them(void **state)
{
    static const char *const labels[] = {"derived",     "c hs traffic", "s ap traffic", "exp master",
                                         "res master",  "key",          "iv",           "finished",
                                         "traffic upd", "resumption"};
    static const struct {
        const char *name;
        size_t n;
    } hashes[] = {{"SHA2-256", 32}, {"sha256", 32}, {"SHA2-384", 48}, {"SHA384", 48}};
    uint8_t bytes[3][66];
    (void)state;
    for (size_t round = 0; round < 400; round++) {
        size_t h = round % N_ELEMS(hashes), n = hashes[h].n;
        assert_int_equal(RAND_bytes(bytes[0], sizeof bytes), 1);
        struct ask a = {.digest = hashes[h].name,
                        .mode = EXPAND,
                        .key = span_of(bytes[0], n),
                        .label = span_str(labels[round % N_ELEMS(labels)])};
        static const size_t lengths[] = {12, 16, 32, 48};
        for (size_t i = 0; i < N_ELEMS(lengths); i++)
            same_as_openssl(&a, lengths[i]);
        a.data = span_of(bytes[1], n);
        same_as_openssl(&a, n);
        same_as_openssl(&a, 333); /* several blocks: an exporter's */
        a.mode = EXTRACT;
        a.data = SPAN_NONE;
        a.label = SPAN("derived");
        a.key = span_of(bytes[2], round % 66 + 1); /* a shared secret is of any length */
        same_as_openssl(&a, n);
        a.salt = span_of(bytes[1], n);
        same_as_openssl(&a, n);
        a.key = SPAN_NONE;
        same_as_openssl(&a, n);
    }
}

static void what_tls_never_asks_is_refused(void **state)
{
    static const uint8_t bytes[300] = {1};
    const struct ask good = {
        .digest = "SHA256", .mode = EXPAND, .key = span_of(bytes, 32), .label = SPAN("key")};
    struct ask a = good;
    uint8_t out[16];
    (void)state;
    assert_true(ours(&a, out, sizeof out));
    a.digest = "SHA1";
    assert_false(ours(&a, out, sizeof out));
    a = good;
    a.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
    assert_false(ours(&a, out, sizeof out));
    a = good;
    a.key = SPAN_NONE;
    assert_false(ours(&a, out, sizeof out));
    a.key = span_of(bytes, 65); /* more than a block */
    assert_false(ours(&a, out, sizeof out));
    a = good;
    a.label = span_of(bytes, 250); /* with its prefix more than its length can say */
    assert_false(ours(&a, out, sizeof out));
    a = good;
    a.data = span_of(bytes, 256);
    assert_false(ours(&a, out, sizeof out));
    a = good;
    a.mode = EXTRACT;
    assert_false(ours(&a, out, sizeof out)); /* no room for a secret */
}

/* With the query of our contexts; everything else is found where it was. */
static void the_query_finds_it(void **state)
{
    (void)state;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", PROVIDER_QUERY);
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", PROVIDER_QUERY);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf)), "perron");
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(md)), "default");
    EVP_KDF_free(kdf);
    EVP_MD_free(md);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secrets_of_the_example_handshake),
        cmocka_unit_test(as_openssl_derives_them),
        cmocka_unit_test(what_tls_never_asks_is_refused),
        cmocka_unit_test(the_query_finds_it),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
