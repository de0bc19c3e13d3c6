/* TLS contexts against a plain OpenSSL peer in the same process, over a pair of memory BIOs: what is refused,
 * what is agreed, and that nothing is offered which we do not mean to honour. */
#include "gw/tls/ctx.h"

#include "gw/base/limits.h"
#include "tests/unit/certs/make_cert.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static struct made leaf;
static SSL_CTX *server, *client; /* ours */
static int n_asked, n_verified;

static int verify(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    n_verified++;
    return 1;
}

static int asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    (void)ssl;
    (void)cert;
    (void)key;
    n_asked++;
    return 0;
}

static int setup(void **state)
{
    const struct mk m = {.cn = "a.example", .exts = LEAF_EXTS("DNS:a.example")};
    (void)state;
    leaf = mk_cert(&m, NULL);
    return ctx_server_new(&server) != RC_OK || ctx_client_new(verify, asked, &client) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    mk_free(&leaf);
    return 0;
}

/* A peer that allows everything its library knows. */
static SSL_CTX *peer_ctx(const SSL_METHOD *method, int lowest, int highest)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, 0);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, lowest), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, highest), 1);
    return ctx;
}

static SSL *peer_client(int lowest, int highest)
{
    SSL_CTX *ctx = peer_ctx(TLS_client_method(), lowest, highest);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx); /* the connection holds it */
    SSL_set_connect_state(ssl);
    return ssl;
}

static SSL *peer_server(int lowest, int highest)
{
    SSL_CTX *ctx = peer_ctx(TLS_server_method(), lowest, highest);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    assert_int_equal(SSL_use_cert_and_key(ssl, leaf.cert, leaf.key, NULL, 1), 1);
    SSL_set_accept_state(ssl);
    return ssl;
}

static SSL *our_server(void)
{
    SSL *ssl;
    assert_int_equal(ctx_accept(server, leaf.cert, leaf.key, NULL, &leaf, &ssl), RC_OK);
    return ssl;
}

static SSL *our_client(const struct hello *h)
{
    SSL *ssl;
    assert_int_equal(ctx_connect(client, SPAN("a.example"), h, &leaf, &ssl), RC_OK);
    return ssl;
}

static void join(SSL *a, SSL *b)
{
    BIO *to_a, *to_b;
    assert_int_equal(BIO_new_bio_pair(&to_a, 65536, &to_b, 65536), 1);
    SSL_set_bio(a, to_a, to_a);
    SSL_set_bio(b, to_b, to_b);
}

/* The reason one side failed for (an alert it got: 1000 and its number), 0: it did not. */
static int step(SSL *ssl, bool *done)
{
    ERR_clear_error();
    int ret = SSL_do_handshake(ssl), err = SSL_get_error(ssl, ret);
    *done = ret == 1;
    if (ret == 1 || err == SSL_ERROR_WANT_READ || err == SSL_ERROR_WANT_WRITE)
        return 0;
    return ERR_GET_REASON(ERR_get_error());
}

struct outcome {
    bool done;
    int ours, theirs;
};

static struct outcome shake(SSL *ours, SSL *theirs)
{
    struct outcome o = {0};
    join(ours, theirs);
    for (int i = 0; i < 20 && !o.done; i++) {
        bool a = false, b = false;
        if (!o.theirs)
            o.theirs = step(theirs, &b);
        if (!o.ours)
            o.ours = step(ours, &a);
        o.done = a && b;
    }
    return o;
}

static void drop(SSL *a, SSL *b)
{
    SSL_free(a);
    SSL_free(b);
}

/* ---- towards clients ---- */

static void a_client_of_tls_1_1_gets_protocol_version(void **state)
{
    (void)state;
    SSL *ours = our_server(), *theirs = peer_client(TLS1_VERSION, TLS1_1_VERSION);
    struct outcome o = shake(ours, theirs);
    assert_false(o.done);
    assert_int_equal(o.ours, SSL_R_UNSUPPORTED_PROTOCOL);
    assert_int_equal(o.theirs, SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION);
    drop(ours, theirs);
}

static void a_client_without_forward_secrecy_is_refused(void **state)
{
    (void)state;
    SSL *ours = our_server(), *theirs = peer_client(TLS1_2_VERSION, TLS1_2_VERSION);
    assert_int_equal(SSL_set_cipher_list(theirs, "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"), 1);
    struct outcome o = shake(ours, theirs);
    assert_false(o.done);
    assert_int_equal(o.ours, SSL_R_NO_SHARED_CIPHER);
    drop(ours, theirs);
}

static void alpn(const char *offer, size_t n, const char *want)
{
    SSL *ours = our_server(), *theirs = peer_client(TLS1_2_VERSION, TLS1_3_VERSION);
    const unsigned char *got;
    unsigned int got_n;
    assert_int_equal(SSL_set_alpn_protos(theirs, (const unsigned char *)offer, (unsigned)n), 0);
    struct outcome o = shake(ours, theirs);
    assert_true(o.done == (want != NULL));
    if (want) {
        SSL_get0_alpn_selected(theirs, &got, &got_n);
        assert_true(span_eq(span_of(got, got_n), span_str(want)));
    } else {
        assert_int_equal(o.theirs, SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
    }
    drop(ours, theirs);
}

static void h2_alone_gets_no_application_protocol(void **state)
{
    static const char h2[] = "\x02h2", odd[] = "\x08http/1.2\x05spdy1";
    (void)state;
    alpn(h2, sizeof h2 - 1, NULL);
    alpn(odd, sizeof odd - 1, NULL);
}

static void http_1_1_is_chosen_wherever_it_stands_in_the_offer(void **state)
{
    static const char last[] = "\x02h2\x08http/1.0\x08http/1.1";
    (void)state;
    alpn(last, sizeof last - 1, "http/1.1");
}

static void http_1_0_is_chosen_where_there_is_nothing_newer(void **state)
{
    static const char old[] = "\x02h2\x08http/1.0";
    (void)state;
    alpn(old, sizeof old - 1, "http/1.0");
}

static void a_client_without_alpn_is_served(void **state)
{
    (void)state;
    SSL *ours = our_server(), *theirs = peer_client(TLS1_2_VERSION, TLS1_3_VERSION);
    const unsigned char *got;
    unsigned int got_n = 7;
    assert_true(shake(ours, theirs).done);
    SSL_get0_alpn_selected(theirs, &got, &got_n);
    assert_int_equal(got_n, 0);
    assert_ptr_equal(SSL_get_app_data(ours), &leaf);
    drop(ours, theirs);
}

static void agreed(int lowest, int highest, int want)
{
    SSL *ours = our_server(), *theirs = peer_client(lowest, highest);
    assert_true(shake(ours, theirs).done);
    assert_int_equal(SSL_version(ours), want);
    drop(ours, theirs);
}

static void versions_1_2_and_1_3_are_agreed_and_the_higher_wins(void **state)
{
    (void)state;
    agreed(TLS1_2_VERSION, TLS1_2_VERSION, TLS1_2_VERSION);
    agreed(TLS1_VERSION, TLS1_2_VERSION, TLS1_2_VERSION);
    agreed(TLS1_3_VERSION, TLS1_3_VERSION, TLS1_3_VERSION);
    agreed(TLS1_VERSION, TLS1_3_VERSION, TLS1_3_VERSION);
}

static void no_ticket(int version)
{
    SSL *ours = our_server(), *theirs = peer_client(version, version);
    char c;
    assert_true(shake(ours, theirs).done);
    assert_int_equal(SSL_write(ours, "x", 1), 1); /* tickets of 1.3 would come before it */
    assert_int_equal(SSL_read(theirs, &c, 1), 1);
    SSL_SESSION *kept = SSL_get0_session(theirs);
    assert_false(SSL_SESSION_has_ticket(kept));
    assert_false(SSL_SESSION_is_resumable(kept));
    drop(ours, theirs);
}

static void no_session_can_be_resumed(void **state)
{
    (void)state;
    no_ticket(TLS1_2_VERSION);
    no_ticket(TLS1_3_VERSION);
}

static void a_key_that_is_not_the_leafs_is_refused(void **state)
{
    SSL *ssl = NULL;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    (void)state;
    assert_int_equal(ctx_accept(server, leaf.cert, other, NULL, NULL, &ssl), RC_TLS);
    assert_null(ssl);
    EVP_PKEY_free(other);
}

/* ---- towards origins ---- */

static void an_origin_of_tls_1_1_is_refused(void **state)
{
    (void)state;
    SSL *ours = our_client(NULL), *theirs = peer_server(TLS1_VERSION, TLS1_1_VERSION);
    struct outcome o = shake(ours, theirs);
    assert_false(o.done);
    assert_int_equal(o.theirs, SSL_R_UNSUPPORTED_PROTOCOL); /* nothing that it speaks is in our hello */
    drop(ours, theirs);
}

/* Ends with the version that our client agreed on with an origin of `highest`, 0: none. */
static int reached(const struct hello *h, int highest)
{
    SSL *ours = our_client(h), *theirs = peer_server(TLS1_VERSION, highest);
    int version = shake(ours, theirs).done ? SSL_version(ours) : 0;
    drop(ours, theirs);
    return version;
}

static void an_origin_is_never_reached_below_what_the_client_asked_for(void **state)
{
    const struct hello only13 = {.versions = {0x0304}, .n_versions = 1},
                       both = {.versions = {0x0304, 0x0303}, .n_versions = 2},
                       old = {.versions = {0x0304, 0x0303, 0x0302}, .n_versions = 3},
                       only12 = {.versions = {0x0303}, .n_versions = 1}, none = {.n_versions = 0};
    (void)state;
    assert_int_equal(reached(&only13, TLS1_2_VERSION), 0);
    assert_int_equal(reached(&only13, TLS1_3_VERSION), TLS1_3_VERSION);
    assert_int_equal(reached(&both, TLS1_2_VERSION), TLS1_2_VERSION);
    assert_int_equal(reached(&both, TLS1_3_VERSION), TLS1_3_VERSION);
    assert_int_equal(reached(&old, TLS1_1_VERSION), 0); /* nor below what we ourselves stand for */
    assert_int_equal(reached(&only12, TLS1_3_VERSION), TLS1_3_VERSION);
    assert_int_equal(reached(&none, TLS1_2_VERSION), TLS1_2_VERSION);
    assert_int_equal(reached(NULL, TLS1_2_VERSION), TLS1_2_VERSION);
}

static void certificate_asked(int version)
{
    SSL *ours = our_client(NULL), *theirs = peer_server(version, version);
    char c;
    n_asked = n_verified = 0;
    SSL_set_verify(theirs, SSL_VERIFY_PEER, NULL);
    assert_true(shake(ours, theirs).done);
    assert_int_equal(n_asked, 1);
    assert_int_equal(n_verified, 1);
    assert_null(SSL_get0_peer_certificate(theirs));
    assert_int_equal(SSL_write(ours, "x", 1), 1);
    assert_int_equal(SSL_read(theirs, &c, 1), 1);
    drop(ours, theirs);
}

static void a_request_for_a_client_certificate_is_answered_without_one(void **state)
{
    (void)state;
    certificate_asked(TLS1_2_VERSION);
    certificate_asked(TLS1_3_VERSION);
}

static void nobody_who_does_not_ask_is_noted_as_asking(void **state)
{
    (void)state;
    n_asked = 0;
    assert_int_equal(reached(NULL, TLS1_3_VERSION), TLS1_3_VERSION);
    assert_int_equal(n_asked, 0);
}

static void the_origin_hears_the_name_or_none(void **state)
{
    static const uint8_t longest[LIM_NAME_BYTES + 1] = {'a'};
    SSL *ssl = NULL;
    (void)state;
    assert_int_equal(ctx_connect(client, span_of(longest, sizeof longest), NULL, NULL, &ssl), RC_TLS);
    assert_null(ssl);
    SSL *ours = our_client(NULL), *theirs = peer_server(TLS1_2_VERSION, TLS1_3_VERSION);
    assert_true(shake(ours, theirs).done);
    assert_string_equal(SSL_get_servername(theirs, TLSEXT_NAMETYPE_host_name), "a.example");
    assert_ptr_equal(SSL_get_app_data(ours), &leaf);
    drop(ours, theirs);
    assert_int_equal(ctx_connect(client, SPAN_NONE, NULL, NULL, &ours), RC_OK);
    theirs = peer_server(TLS1_2_VERSION, TLS1_3_VERSION);
    assert_true(shake(ours, theirs).done);
    assert_null(SSL_get_servername(theirs, TLSEXT_NAMETYPE_host_name));
    drop(ours, theirs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_of_tls_1_1_gets_protocol_version),
        cmocka_unit_test(a_client_without_forward_secrecy_is_refused),
        cmocka_unit_test(h2_alone_gets_no_application_protocol),
        cmocka_unit_test(http_1_1_is_chosen_wherever_it_stands_in_the_offer),
        cmocka_unit_test(http_1_0_is_chosen_where_there_is_nothing_newer),
        cmocka_unit_test(a_client_without_alpn_is_served),
        cmocka_unit_test(versions_1_2_and_1_3_are_agreed_and_the_higher_wins),
        cmocka_unit_test(no_session_can_be_resumed),
        cmocka_unit_test(a_key_that_is_not_the_leafs_is_refused),
        cmocka_unit_test(an_origin_of_tls_1_1_is_refused),
        cmocka_unit_test(an_origin_is_never_reached_below_what_the_client_asked_for),
        cmocka_unit_test(a_request_for_a_client_certificate_is_answered_without_one),
        cmocka_unit_test(nobody_who_does_not_ask_is_noted_as_asking),
        cmocka_unit_test(the_origin_hears_the_name_or_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
