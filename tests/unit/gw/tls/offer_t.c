/* What our hellos offer next to the client's: read from the bytes that would leave. */
#include "gw/tls/offer.h"

#include <openssl/err.h>
#include <openssl/tls1.h>

#include "gw/base/obj.h"
#include "gw/tls/ctx.h"
#include "tests/unit/certs/make_cert.h"

static SSL_CTX *strong, *weak;

static int verify(X509_STORE_CTX *store, void *arg)
{
    (void)store, (void)arg;
    return 1;
}

static int asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    (void)ssl, (void)cert, (void)key;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return ctx_client_new(verify, asked, &strong) != RC_OK || ctx_weak_new(verify, asked, &weak) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    SSL_CTX_free(strong);
    SSL_CTX_free(weak);
    return 0;
}

/* The hello that a connection sends first. Its spans go with the reader; nothing here looks at them. */
static struct hello sent(SSL *ssl)
{
    struct hello_reader r;
    struct hello h;
    char *p = NULL;
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_do_handshake(ssl);
    long n = BIO_get_mem_data(out, &p);
    hello_init(&r);
    assert_int_equal(hello_feed(&r, span_of(p, (size_t)n), &h), RC_OK);
    hello_fini(&r);
    SSL_free(ssl);
    return h;
}

static struct hello strong_for(const struct hello *client)
{
    SSL *ssl;
    assert_int_equal(ctx_connect(strong, SPAN("a.example"), client, NULL, &ssl), RC_OK);
    return sent(ssl);
}

static struct hello weak_for(const struct hello *client)
{
    SSL *ssl;
    assert_int_equal(ctx_connect(weak, SPAN("a.example"), client, NULL, &ssl), RC_OK);
    assert_int_equal(offer_weaker(ssl, client), RC_OK);
    return sent(ssl);
}

static bool has(const struct hello *h, uint16_t suite)
{
    for (size_t i = 0; i < h->n_ciphers; i++) {
        if (h->ciphers[i] == suite)
            return true;
    }
    return false;
}

enum {
    CBC = 0xc013,
    STATIC_RSA = 0x009c,
    DHE = 0x009e,
    GCM_128 = 0xc02f,
    GCM_256 = 0xc030,
    TRIPLE_DES = 0x000a,
    RC4 = 5
};

static struct hello client_of(size_t n, const uint16_t *suites)
{
    struct hello h = {.versions = {0x0304, 0x0303}, .n_versions = 2, .n_ciphers = (uint16_t)n};
    memcpy(h.ciphers, suites, n * sizeof *suites);
    return h;
}
#define CLIENT(...) \
    client_of(sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t), (const uint16_t[]){__VA_ARGS__})

/* ---- the second attempt ---- */

static void a_client_that_offers_nothing_weak_gets_no_second_attempt(void **state)
{
    struct hello modern = CLIENT(0x1301, 0x1302, GCM_128, GCM_256),
                 broken = CLIENT(0x1301, GCM_128, TRIPLE_DES, RC4, 0),
                 only13 = CLIENT(0x1301, CBC, STATIC_RSA);
    SSL *ssl;
    (void)state;
    only13.versions[0] = 0x0304;
    only13.n_versions = 1;
    assert_false(offer_has_weaker(NULL));
    assert_false(offer_has_weaker(&modern));
    assert_false(offer_has_weaker(&broken));
    assert_false(offer_has_weaker(&only13));
    assert_int_equal(ctx_connect(weak, SPAN("a.example"), &modern, NULL, &ssl), RC_OK);
    assert_int_equal(offer_weaker(ssl, &modern), RC_DENIED);
    SSL_free(ssl);
}

static void the_weak_offer_holds_what_the_client_offers_and_no_more(void **state)
{
    struct hello h, cbc = CLIENT(0x1301, GCM_128, CBC), rsa = CLIENT(STATIC_RSA, DHE, TRIPLE_DES, RC4);
    (void)state;
    h = weak_for(&cbc);
    assert_true(has(&h, CBC) && has(&h, GCM_128) && has(&h, 0x1301));
    assert_false(has(&h, STATIC_RSA) || has(&h, DHE));
    assert_int_equal(h.max_version, 0x0304); /* the downgrade sentinel counts (row 42) */
    h = weak_for(&rsa);
    assert_true(has(&h, STATIC_RSA) && has(&h, DHE));
    assert_false(has(&h, CBC) || has(&h, TRIPLE_DES) || has(&h, RC4)); /* row 38 */
}

/* HTTP/2 refuses such ciphers (RFC 9113 section 9.2.2). */
static void the_weak_offer_is_of_http_1_where_the_client_has_it(void **state)
{
    struct hello h, both = CLIENT(GCM_128, CBC), only_h2 = both, none = both;
    (void)state;
    both.alpn[0] = only_h2.alpn[0] = SPAN("h2");
    both.alpn[1] = SPAN("http/1.1");
    both.n_alpn = 2;
    only_h2.n_alpn = 1;
    both.alpn_h2 = both.alpn_http11 = only_h2.alpn_h2 = true;
    h = strong_for(&both);
    assert_true(h.alpn_h2 && h.alpn_http11);
    h = weak_for(&both);
    assert_true(!h.alpn_h2 && h.alpn_http11);
    h = weak_for(&only_h2);
    assert_true(h.alpn_h2 && !h.alpn_http11);
    h = weak_for(&none);
    assert_true(!h.alpn_h2 && h.alpn_http11);
}

static void signatures_with_sha_1_only_where_the_client_takes_them(void **state)
{
    struct hello without = CLIENT(GCM_128, CBC), with = CLIENT(GCM_128);
    (void)state;
    with.sha1_signatures = true;
    assert_false(weak_for(&without).sha1_signatures);
    assert_true(weak_for(&with).sha1_signatures);
    assert_false(strong_for(&with).sha1_signatures);
}

/* ---- the first ---- */

static void the_strong_offer_is_the_same_for_nearly_everybody(void **state)
{
    struct hello chrome = CLIENT(0x1301, 0x1302, 0x1303, 0xc02b, GCM_128, CBC, STATIC_RSA, 0x002f);
    struct hello a = strong_for(&chrome), b = strong_for(NULL);
    (void)state;
    assert_int_equal(a.n_ciphers - has(&a, 0x00ff),
                     9); /* the signal of RFC 5746 is an extension in OpenSSL 3.5 */
    assert_string_equal(a.ja4, b.ja4);
    assert_false(has(&a, CBC) || has(&a, STATIC_RSA) || has(&a, DHE));
}

static void a_client_of_256_bits_alone_is_given_no_128(void **state)
{
    struct hello proud = CLIENT(0x1302, 0x1303, GCM_256, 0xc02c), old = CLIENT(GCM_256, 0x002f);
    struct hello h = strong_for(&proud);
    (void)state;
    assert_true(has(&h, GCM_256) && has(&h, 0x1302) && has(&h, 0x1303));
    assert_false(has(&h, GCM_128) || has(&h, 0x1301) || has(&h, 0xc02b));
    h = strong_for(&old);
    assert_true(has(&h, GCM_128));
}

static void nor_is_it_by_the_second_attempt(void **state)
{
    struct hello client = CLIENT(0x1302, 0xc014, 0x0035);
    struct hello h = weak_for(&client);
    (void)state;
    assert_true(has(&h, GCM_256) && has(&h, 0xc014) && has(&h, 0x0035) && has(&h, 0x1302));
    assert_false(has(&h, GCM_128) || has(&h, 0xc02b) || has(&h, 0x1301) || has(&h, CBC));
}

/* ---- why a handshake failed ---- */

static enum offer_failure why(int alert, int reason, uint64_t n_in)
{
    struct stream s = {.alert_in = alert, .n_in = n_in};
    s.tls_error = reason ? ERR_PACK(ERR_LIB_SSL, 0, reason) : 0;
    return offer_why_failed(&s);
}

static void only_what_a_weaker_offer_could_mend_counts(void **state)
{
    (void)state;
    assert_int_equal(why(SSL_AD_PROTOCOL_VERSION, 0, 7), OFFER_OTHER);
    assert_int_equal(why(SSL_AD_UNRECOGNIZED_NAME, 0, 7), OFFER_OTHER);
    assert_int_equal(why(SSL_AD_INTERNAL_ERROR, 0, 7), OFFER_OTHER);
    assert_int_equal(why(-1, SSL_R_UNSUPPORTED_PROTOCOL, 90), OFFER_OTHER);
    assert_int_equal(why(-1, SSL_R_WRONG_VERSION_NUMBER, 90), OFFER_OTHER);
    assert_int_equal(why(-1, SSL_R_INAPPROPRIATE_FALLBACK, 90), OFFER_OTHER);
    assert_int_equal(why(-1, 0, 90), OFFER_OTHER); /* closed in the middle */
    assert_int_equal(why(-1, 0, 0),
                     OFFER_MAYBE); /* closed at once: what some do with a hello they cannot use */
    assert_int_equal(why(SSL_AD_HANDSHAKE_FAILURE, 0, 7), OFFER_MAYBE);
    assert_int_equal(why(SSL_AD_INSUFFICIENT_SECURITY, 0, 7), OFFER_MAYBE);
    assert_int_equal(why(-1, SSL_R_DH_KEY_TOO_SMALL, 900), OFFER_WEAK);
    assert_int_equal(why(-1, SSL_R_WRONG_SIGNATURE_TYPE, 900), OFFER_WEAK);
    assert_int_equal(why(-1, SSL_R_WRONG_CIPHER_RETURNED, 900), OFFER_WEAK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_offers_nothing_weak_gets_no_second_attempt),
        cmocka_unit_test(the_weak_offer_holds_what_the_client_offers_and_no_more),
        cmocka_unit_test(the_weak_offer_is_of_http_1_where_the_client_has_it),
        cmocka_unit_test(signatures_with_sha_1_only_where_the_client_takes_them),
        cmocka_unit_test(the_strong_offer_is_the_same_for_nearly_everybody),
        cmocka_unit_test(a_client_of_256_bits_alone_is_given_no_128),
        cmocka_unit_test(nor_is_it_by_the_second_attempt),
        cmocka_unit_test(only_what_a_weaker_offer_could_mend_counts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
