/* X25519 as our handshakes use it: the example of RFC 7748, keys that OpenSSL's own takes for its own, and a
 * handshake whose keys are made that way. */
#include "gw/tls/x25519.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "gw/base/buf.h"
#include "gw/base/obj.h"
#include "gw/tls/ctx.h"
#include "gw/tls/provider.h"
#include "tests/unit/certs/make_cert.h"

enum { BYTES = 32 };
static const char ours[] = "provider=perron", standard[] = "provider=default";

static int setup(void **state)
{
    (void)state;
    provider_load();
    return OSSL_PROVIDER_available(NULL, "perron") != 1;
}

static EVP_PKEY *made(const char *query)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", query);
    EVP_PKEY *key = NULL;
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *private_key(const char *query, const uint8_t bytes[BYTES])
{
    return EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", query, bytes, BYTES);
}

static EVP_PKEY *public_key(const char *query, const uint8_t bytes[BYTES])
{
    return EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", query, bytes, BYTES);
}

static void raw(EVP_PKEY *key, uint8_t private_bytes[BYTES], uint8_t public_bytes[BYTES])
{
    size_t n = BYTES;
    assert_int_equal(EVP_PKEY_get_raw_private_key(key, private_bytes, &n), 1);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, public_bytes, &n), 1);
}

static bool shared(const char *query, EVP_PKEY *key, EVP_PKEY *peer, uint8_t out[BYTES])
{
    size_t n = BYTES;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, query);
    bool ok = EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
              EVP_PKEY_derive(ctx, out, &n) == 1 && n == BYTES;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static const char *provider_of(const EVP_PKEY *key)
{
    return OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key));
}

/* RFC 7748 section 6.1 */
static void the_example_of_the_standard(void **state)
{
    static const uint8_t alice[BYTES] = {0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1,
                                         0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0,
                                         0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a};
    static const uint8_t bob[BYTES] = {0xde, 0x9e, 0xdb, 0x7d, 0x7b, 0x7d, 0xc1, 0xb4, 0xd3, 0x5b, 0x61,
                                       0xc2, 0xec, 0xe4, 0x35, 0x37, 0x3f, 0x83, 0x43, 0xc8, 0x5b, 0x78,
                                       0x67, 0x4d, 0xad, 0xfc, 0x7e, 0x14, 0x6f, 0x88, 0x2b, 0x4f};
    static const uint8_t both[BYTES] = {0x4a, 0x5d, 0x9d, 0x5b, 0xa4, 0xce, 0x2d, 0xe1, 0x72, 0x8e, 0x3b,
                                        0xf4, 0x80, 0x35, 0x0f, 0x25, 0xe0, 0x7e, 0x21, 0xc9, 0x47, 0xd1,
                                        0x9e, 0x33, 0x76, 0xf0, 0x9b, 0x3c, 0x1e, 0x16, 0x17, 0x42};
    EVP_PKEY *key = private_key(ours, alice), *peer = public_key(ours, bob);
    uint8_t out[BYTES];
    (void)state;
    assert_string_equal(provider_of(key), "perron");
    assert_true(shared(ours, key, peer, out));
    assert_memory_equal(out, both, BYTES);
    EVP_PKEY_free(key);
    EVP_PKEY_free(peer);
}

/* The public value is what OpenSSL computes from the private one, and either side's keys work with the
 * other's. */
static void a_new_key_is_a_pair(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        uint8_t priv[BYTES], pub[BYTES], same[BYTES], again[BYTES], a[BYTES], b[BYTES];
        EVP_PKEY *mine = made(ours), *other = made(standard);
        assert_string_equal(provider_of(mine), "perron");
        assert_string_equal(provider_of(other), "default");
        raw(mine, priv, pub);
        assert_int_equal(priv[0] & 7, 0);
        assert_int_equal(priv[BYTES - 1] & 0xc0, 0x40);
        EVP_PKEY *copy = private_key(standard, priv);
        raw(copy, again, same);
        assert_memory_equal(pub, same, BYTES);
        EVP_PKEY *mine_there = public_key(standard, pub);
        raw(other, again, same);
        EVP_PKEY *other_here = public_key(ours, same);
        assert_true(shared(ours, mine, other_here, a));
        assert_true(shared(standard, other, mine_there, b));
        assert_memory_equal(a, b, BYTES);
        EVP_PKEY_free(mine);
        EVP_PKEY_free(other);
        EVP_PKEY_free(copy);
        EVP_PKEY_free(mine_there);
        EVP_PKEY_free(other_here);
    }
}

static void no_two_keys_are_the_same(void **state)
{
    EVP_PKEY *a = made(ours), *b = made(ours);
    (void)state;
    assert_int_equal(EVP_PKEY_eq(a, a), 1);
    assert_int_equal(EVP_PKEY_eq(a, b), 0);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

/* RFC 8446 section 7.4.2: a secret of zeros ends the handshake. */
static void a_point_of_small_order_is_refused(void **state)
{
    static const uint8_t zero[BYTES];
    uint8_t out[BYTES];
    EVP_PKEY *key = made(ours), *peer = public_key(ours, zero);
    (void)state;
    assert_false(shared(ours, key, peer, out));
    EVP_PKEY_free(key);
    EVP_PKEY_free(peer);
    ERR_clear_error();
}

static void another_group_is_refused(void **state)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "X25519", ours);
    (void)state;
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_group_name(ctx, "x25519"), 1);
    assert_int_not_equal(EVP_PKEY_CTX_set_group_name(ctx, "P-256"), 1);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
}

/* ---- a handshake ---- */

static int verify(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static int asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    (void)ssl, (void)cert, (void)key;
    return 0;
}

static void handshakes_use_it(void **state)
{
    const struct mk m = {.cn = "a.example", .exts = LEAF_EXTS("DNS:a.example")};
    struct made leaf = mk_cert(&m, NULL);
    SSL_CTX *server, *client;
    SSL *s, *c;
    BIO *at_s, *at_c;
    EVP_PKEY *of_client = NULL, *of_server = NULL;
    (void)state;
    assert_int_equal(ctx_server_new(&server), RC_OK);
    assert_int_equal(ctx_client_new(verify, asked, &client), RC_OK);
    assert_int_equal(ctx_accept(server, leaf.cert, leaf.key, NULL, NULL, &s), RC_OK);
    assert_int_equal(ctx_connect(client, SPAN("a.example"), NULL, NULL, &c), RC_OK);
    assert_int_equal(BIO_new_bio_pair(&at_s, 1 << 16, &at_c, 1 << 16), 1);
    SSL_set_bio(s, at_s, at_s);
    SSL_set_bio(c, at_c, at_c);
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(c);
        SSL_do_handshake(s);
    }
    assert_true(SSL_is_init_finished(c) && SSL_is_init_finished(s));
    assert_int_equal(SSL_get_peer_tmp_key(s, &of_client), 1);
    assert_int_equal(SSL_get_peer_tmp_key(c, &of_server), 1);
    assert_true(EVP_PKEY_is_a(of_client, "X25519") && EVP_PKEY_is_a(of_server, "X25519"));
    assert_string_equal(provider_of(of_client), "perron");
    assert_string_equal(provider_of(of_server), "perron");
    EVP_PKEY_free(of_client);
    EVP_PKEY_free(of_server);
    SSL_free(s);
    SSL_free(c);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    X509_free(leaf.cert);
    EVP_PKEY_free(leaf.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_standard), cmocka_unit_test(a_new_key_is_a_pair),
        cmocka_unit_test(no_two_keys_are_the_same),    cmocka_unit_test(a_point_of_small_order_is_refused),
        cmocka_unit_test(another_group_is_refused),    cmocka_unit_test(handshakes_use_it),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
