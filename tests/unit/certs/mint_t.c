/* Leaves: what the signer refuses, what a leaf says, and that strict verifiers are content with it. */
#include "certs/mint.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "gw/base/obj.h"

#define NOW INT64_C(1795000000) /* 2026-11-18 */
#define DAY INT64_C(86400)

struct world {
    char dir[64];
    struct ca *ca;
    EVP_PKEY *leaf_key;
    uint8_t point[65];
    X509 *issuing, *root;
    X509_STORE *store;
};

static void remove_tree(const char *dir)
{
    static const char *const names[] = {"ca/root.crt",    "ca/root.key", "ca/issuing.crt",
                                        "ca/issuing.key", "ca",          ""};
    char path[128];
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
}

static X509 *next_cert(struct rd *r)
{
    span der = rd_vec16(r);
    const uint8_t *p = der.p;
    return d2i_X509(NULL, &p, (long)der.n);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct buf err = {0}, chain = {0};
    span exclude[] = {SPAN("intern.province.example"), SPAN("bank.example")};
    struct ca_plan plan = {SPAN("Province of Tests"), geteuid(), NOW, exclude, 2};
    int fd;
    snprintf(w->dir, sizeof w->dir, "/tmp/perron-mint-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(ca_init_plan(w->dir, &plan, &err), RC_OK);
    enum rc rc = ca_open_files(w->dir, geteuid(), NOW, &fd, &chain, &err);
    if (rc != RC_OK)
        print_message("%.*s\n", (int)buf_len(&err), err.p + err.r);
    assert_int_equal(rc, RC_OK);
    assert_int_equal(ca_load_key(fd, buf_span(&chain), SPAN("http://gw.example/perron.crl"), &w->ca, &err),
                     RC_OK);
    close(fd);
    struct rd r = rd_of(buf_span(&chain));
    w->issuing = next_cert(&r);
    w->root = next_cert(&r);
    w->store = X509_STORE_new();
    X509_STORE_add_cert(w->store, w->root);
    w->leaf_key = EVP_EC_gen("P-256");
    size_t n;
    assert_int_equal(EVP_PKEY_get_octet_string_param(w->leaf_key, "encoded-pub-key", w->point, 65, &n), 1);
    buf_fini(&err);
    buf_fini(&chain);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    remove_tree(w->dir);
    ca_free(w->ca);
    EVP_PKEY_free(w->leaf_key);
    X509_free(w->issuing);
    X509_free(w->root);
    X509_STORE_free(w->store);
    free(w);
    return 0;
}

static struct mint_request ask(span name)
{
    struct mint_request req = {.n_sans = 1, .sans = {{SAN_DNS, name}}};
    mint_dates(&req, INT64_MIN, INT64_MAX, NOW);
    return req;
}

static X509 *mint(struct world *w, const struct mint_request *req)
{
    struct buf der = {0};
    const char *why;
    if (mint_leaf(w->ca, w->point, req, &der, &why) != RC_OK) {
        print_message("refused: %s\n", why ? why : "-");
        buf_fini(&der);
        return NULL;
    }
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)buf_len(&der));
    assert_non_null(x);
    assert_ptr_equal(p, der.p + der.w);
    buf_fini(&der);
    return x;
}

static int strict_verify(struct world *w, X509 *leaf, const char *host)
{
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    STACK_OF(X509) *sk = sk_X509_new_null();
    sk_X509_push(sk, w->issuing);
    X509_STORE_CTX_init(c, w->store, leaf, sk);
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(c);
    X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_auth_level(p, 2);
    X509_VERIFY_PARAM_set_time(p, NOW);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (host)
        X509_VERIFY_PARAM_set1_host(p, host, 0);
    int e = X509_verify_cert(c) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(c);
    X509_STORE_CTX_free(c);
    sk_X509_free(sk);
    return e;
}

static enum rc try_name(struct world *w, span name)
{
    struct mint_request req = ask(name);
    struct buf der = {0};
    const char *why;
    enum rc rc = mint_leaf(w->ca, w->point, &req, &der, &why);
    assert_int_equal(rc == RC_OK, why == NULL);
    buf_fini(&der);
    return rc;
}

/* threats.md rows 134 and 135: the CA's own exclusions are on it. */
static void the_signer_refuses_names_on_its_never_list(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "*",
        "*.",
        "*.com",
        "*.co.uk",
        "*.github.io",
        "com",
        "localhost",
        "x.localhost",
        "a.invalid",
        "a.onion",
        "1.0.0.127.in-addr.arpa",
        "intranet",
        "Www.a.test",
        "www.a.test.",
        "a..test",
        ".a.test",
        "www.*.a.test",
        "w*.a.test",
        "*.*.a.test",
        "a b.test",
        "a\nb.test",
        "",
        "192.0.2.1",
        "0x7f.1",
        "bank.example",
        "www.bank.example",
        "intern.province.example",
        "*.intern.province.example",
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        if (try_name(w, span_str(bad[i])) != RC_DENIED)
            fail_msg("accepted: '%s'", bad[i]);
    }
    assert_int_equal(try_name(w, SPAN("a\0b.test")), RC_DENIED);
    assert_int_equal(try_name(w, SPAN("www.mybank.example")), RC_OK);
    assert_int_equal(try_name(w, SPAN("*.a.test")), RC_OK);
    assert_int_equal(try_name(w, SPAN("foo_bar.a.test")), RC_OK);
}

static void the_signer_refuses_addresses_that_are_no_hosts(void **state)
{
    struct world *w = *state;
    static const uint8_t bad4[][4] = {
        {127, 0, 0, 1}, {0, 0, 0, 0}, {169, 254, 169, 254}, {224, 0, 0, 1}, {255, 255, 255, 255}};
    static const uint8_t bad6[][16] = {
        {0}, {[15] = 1}, {0xfe, 0x80, [15] = 1}, {0xff, 2, [15] = 1}, {[10] = 0xff, 0xff, 10, 0, 0, 1}};
    struct buf der = {0};
    const char *why;
    struct mint_request req = ask(SPAN("a.test"));
    req.sans[0].kind = SAN_IP;
    for (size_t i = 0; i < N_ELEMS(bad4); i++) {
        req.sans[0].value = span_of(bad4[i], 4);
        assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_DENIED);
    }
    for (size_t i = 0; i < N_ELEMS(bad6); i++) {
        req.sans[0].value = span_of(bad6[i], 16);
        assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_DENIED);
    }
    req.sans[0].value = span_of(bad6[0], 5);
    assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_DENIED);
    assert_int_equal(buf_len(&der), 0);
}

static void the_signer_refuses_dates_that_leave_no_time(void **state)
{
    struct world *w = *state;
    struct buf der = {0};
    const char *why;
    struct mint_request req = ask(SPAN("a.test"));
    int64_t bad[][2] = {{NOW, NOW},
                        {NOW, NOW - 1},
                        {NOW + 4000 * DAY, NOW + 4001 * DAY},
                        {NOW - 900 * DAY, NOW - 800 * DAY},
                        {INT64_MAX, INT64_MIN},
                        {INT64_MIN, INT64_MIN},
                        {INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        req.not_before = bad[i][0];
        req.not_after = bad[i][1];
        assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_DENIED);
    }
}

static void no_names_or_too_many_are_refused(void **state)
{
    struct world *w = *state;
    struct buf der = {0};
    const char *why;
    struct mint_request req = ask(SPAN("a.test"));
    req.n_sans = 0;
    assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_DENIED);
    assert_int_equal(mint_encode(&der, &req), RC_DENIED);
    req.n_sans = LIM_LEAF_NAMES + 1;
    assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_DENIED);
    assert_int_equal(mint_encode(&der, &req), RC_DENIED);
}

static void a_point_that_is_not_on_the_curve_is_refused(void **state)
{
    struct world *w = *state;
    uint8_t p[65];
    assert_true(mint_point_ok(w->point));
    memcpy(p, w->point, 65);
    p[64] ^= 1;
    assert_false(mint_point_ok(p));
    memcpy(p, w->point, 65);
    p[0] = 2;
    assert_false(mint_point_ok(p));
    memset(p, 0, 65);
    assert_false(mint_point_ok(p));
    p[0] = 4;
    assert_false(mint_point_ok(p));
}

static void a_leaf_satisfies_strict_verification(void **state)
{
    struct world *w = *state;
    struct mint_request req = ask(SPAN("www.site.test"));
    X509 *x = mint(w, &req);
    assert_int_equal(strict_verify(w, x, "www.site.test"), X509_V_OK);
    assert_int_equal(strict_verify(w, x, "other.site.test"), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(X509_check_ca(x), 0);
    assert_int_equal(X509_get_version(x), X509_VERSION_3);
    assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
    assert_int_equal(X509_get_ext_count(x), 7);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), w->leaf_key), 1);
    X509_free(x);
}

static bool ext_is_critical(X509 *x, int nid)
{
    int at = X509_get_ext_by_NID(x, nid, -1);
    assert_true(at >= 0);
    assert_int_equal(X509_get_ext_by_NID(x, nid, at), -1);
    return X509_EXTENSION_get_critical(X509_get_ext(x, at));
}

/* threats.md rows 51 and 54. */
static void a_leaf_has_each_extension_once_and_the_right_ones_critical(void **state)
{
    struct world *w = *state;
    struct mint_request req = ask(SPAN("www.site.test"));
    X509 *x = mint(w, &req);
    assert_true(ext_is_critical(x, NID_basic_constraints));
    assert_true(ext_is_critical(x, NID_key_usage));
    assert_false(ext_is_critical(x, NID_ext_key_usage));
    assert_false(ext_is_critical(x, NID_subject_key_identifier));
    assert_false(ext_is_critical(x, NID_authority_key_identifier));
    assert_false(ext_is_critical(x, NID_crl_distribution_points));
    assert_false(ext_is_critical(x, NID_subject_alt_name));
    CRL_DIST_POINTS *dp = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    assert_int_equal(sk_DIST_POINT_num(dp), 1);
    GENERAL_NAME *g = sk_GENERAL_NAME_value(sk_DIST_POINT_value(dp, 0)->distpoint->name.fullname, 0);
    assert_int_equal(g->type, GEN_URI);
    assert_memory_equal(ASN1_STRING_get0_data(g->d.uniformResourceIdentifier), "http://gw.example/perron.crl",
                        28);
    CRL_DIST_POINTS_free(dp);
    X509_free(x);
}

static void the_origins_wider_dates_are_clamped(void **state)
{
    struct world *w = *state;
    struct mint_request req = ask(SPAN("www.site.test"));
    int days, secs;
    req.not_before = NOW - 5000 * DAY;
    req.not_after = NOW + 5000 * DAY;
    X509 *x = mint(w, &req);
    assert_int_equal(ASN1_TIME_compare(X509_get0_notBefore(x), X509_get0_notBefore(w->issuing)), 0);
    ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(x), X509_get0_notAfter(x));
    assert_int_equal(days, 397);
    assert_int_equal(secs, 86399);
    X509_free(x);
    mint_dates(&req, NOW - 2 * DAY, NOW + 3 * DAY, NOW);
    assert_int_equal(req.not_before, NOW - 2 * DAY);
    assert_int_equal(req.not_after, NOW + 3 * DAY);
    req.not_before = NOW + DAY;
    req.not_after = NOW + 2 * DAY;
    x = mint(w, &req);
    ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(x), X509_get0_notAfter(x));
    assert_true(days == 1 && secs == 0);
    X509_free(x);
}

static void a_name_longer_than_a_common_name_has_an_empty_subject_and_critical_names(void **state)
{
    struct world *w = *state;
    char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.cc.test";
    struct mint_request req = ask(span_str(name));
    X509 *x = mint(w, &req);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(x)), 0);
    assert_true(ext_is_critical(x, NID_subject_alt_name));
    assert_int_equal(strict_verify(w, x, name), X509_V_OK);
    X509_free(x);
    req = ask(span_of(name + 11, 64));
    assert_int_equal(strlen(name + 11), 64);
    x = mint(w, &req);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(x)), 1);
    assert_int_equal(strict_verify(w, x, name + 11), X509_V_OK);
    X509_free(x);
}

static void addresses_and_fifty_names_of_full_length_fit(void **state)
{
    struct world *w = *state;
    static char names[LIM_LEAF_NAMES][LIM_NAME_BYTES + 1];
    struct mint_request req = ask(SPAN("a.test"));
    for (size_t i = 0; i < LIM_LEAF_NAMES; i++) {
        for (size_t k = 0; k < LIM_NAME_BYTES; k++)
            names[i][k] = k % 60 == 59 ? '.' : (char)('a' + (i + k) % 26);
        memcpy(names[i] + LIM_NAME_BYTES - 5, ".test", 5);
        req.sans[i] = (struct san){SAN_DNS, span_of(names[i], LIM_NAME_BYTES)};
    }
    req.n_sans = LIM_LEAF_NAMES;
    X509 *x = mint(w, &req);
    assert_non_null(x);
    assert_int_equal(strict_verify(w, x, names[49]), X509_V_OK);
    X509_free(x);
    static const uint8_t v4[4] = {192, 0, 2, 7}, v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    req.n_sans = 2;
    req.sans[0] = (struct san){SAN_IP, span_of(v4, 4)};
    req.sans[1] = (struct san){SAN_IP, span_of(v6, 16)};
    x = mint(w, &req);
    assert_int_equal(strict_verify(w, x, NULL), X509_V_OK);
    assert_int_equal(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "2001:db8::1", 0), 1);
    X509_free(x);
}

static void serials_are_positive_sixteen_bytes_and_all_different(void **state)
{
    struct world *w = *state;
    struct mint_request req = ask(SPAN("a.test"));
    X509 *a = mint(w, &req), *b = mint(w, &req);
    const ASN1_INTEGER *sa = X509_get0_serialNumber(a), *sb = X509_get0_serialNumber(b);
    assert_int_equal(ASN1_STRING_length(sa), 16);
    assert_int_equal(ASN1_STRING_type(sa), V_ASN1_INTEGER);
    assert_int_not_equal(ASN1_STRING_cmp(sa, sb), 0);
    X509_free(a);
    X509_free(b);
}

/* OpenSSL re-encodes what it parsed: equal bytes mean that our writer made DER and nothing else. */
static void a_leaf_is_canonical_der(void **state)
{
    struct world *w = *state;
    struct mint_request req = ask(SPAN("www.site.test"));
    struct buf der = {0};
    const char *why;
    uint8_t *again = NULL;
    assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_OK);
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)buf_len(&der));
    int n = i2d_re_X509_tbs(x, &again);
    assert_true(n > 0);
    uint8_t *at = memmem(der.p, der.w, again, (size_t)n);
    assert_non_null(at);
    OPENSSL_free(again);
    X509_free(x);
    buf_fini(&der);
}

static void a_request_survives_its_wire_form_and_every_cut_or_changed_byte_is_safe(void **state)
{
    (void)state;
    struct mint_request req = ask(SPAN("www.site.test")), got;
    static const uint8_t v4[4] = {192, 0, 2, 7};
    struct buf wire = {0};
    req.sans[req.n_sans++] = (struct san){SAN_IP, span_of(v4, 4)};
    assert_int_equal(mint_encode(&wire, &req), RC_OK);
    assert_int_equal(mint_decode(buf_span(&wire), &got), RC_OK);
    assert_int_equal(got.n_sans, 2);
    assert_true(span_eq(got.sans[0].value, SPAN("www.site.test")));
    assert_true(got.sans[1].kind == SAN_IP && span_eq(got.sans[1].value, span_of(v4, 4)));
    assert_true(got.not_before == req.not_before && got.not_after == req.not_after);
    for (size_t n = 0; n < buf_len(&wire); n++)
        assert_int_equal(mint_decode(span_of(wire.p, n), &got), RC_BAD);
    assert_int_equal(buf_put_u8(&wire, 0), RC_OK);
    assert_int_equal(mint_decode(buf_span(&wire), &got), RC_BAD);
    wire.w--;
    for (size_t i = 16; i < buf_len(&wire); i++) {
        uint8_t was = wire.p[i];
        wire.p[i] = 0xff;
        bool is_v4 = i >= buf_len(&wire) - 4;
        assert_int_equal(mint_decode(buf_span(&wire), &got), is_v4 ? RC_OK : RC_BAD);
        wire.p[i] = was;
    }
    buf_fini(&wire);
}

static void the_crl_is_empty_signed_and_in_date(void **state)
{
    struct world *w = *state;
    struct buf der = {0};
    assert_int_equal(mint_crl(w->ca, NOW, 7, &der), RC_OK);
    const uint8_t *p = der.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)buf_len(&der));
    assert_non_null(crl);
    assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(w->issuing)), 1);
    assert_null(X509_CRL_get_REVOKED(crl));
    time_t t = NOW;
    assert_true(X509_cmp_time(X509_CRL_get0_lastUpdate(crl), &t) < 0);
    assert_true(X509_cmp_time(X509_CRL_get0_nextUpdate(crl), &t) > 0);
    assert_true(X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1) >= 0);
    assert_true(X509_CRL_get_ext_by_NID(crl, NID_authority_key_identifier, -1) >= 0);
    X509_CRL_free(crl);
    buf_fini(&der);
}

static void a_leaf_takes_well_under_a_millisecond(void **state)
{
    struct world *w = *state;
    struct mint_request req = ask(SPAN("www.site.test"));
    struct buf der = {0};
    const char *why;
    struct timespec a, b;
    enum { N = 2000 };
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < N; i++) {
        buf_clear(&der);
        assert_int_equal(mint_leaf(w->ca, w->point, &req, &der, &why), RC_OK);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double us = ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / N;
    print_message("minting: %.1f us of CPU a leaf, %zu bytes\n", us, buf_len(&der));
    assert_true(us < 1000);
    buf_fini(&der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signer_refuses_names_on_its_never_list),
        cmocka_unit_test(the_signer_refuses_addresses_that_are_no_hosts),
        cmocka_unit_test(the_signer_refuses_dates_that_leave_no_time),
        cmocka_unit_test(no_names_or_too_many_are_refused),
        cmocka_unit_test(a_point_that_is_not_on_the_curve_is_refused),
        cmocka_unit_test(a_leaf_satisfies_strict_verification),
        cmocka_unit_test(a_leaf_has_each_extension_once_and_the_right_ones_critical),
        cmocka_unit_test(the_origins_wider_dates_are_clamped),
        cmocka_unit_test(a_name_longer_than_a_common_name_has_an_empty_subject_and_critical_names),
        cmocka_unit_test(addresses_and_fifty_names_of_full_length_fit),
        cmocka_unit_test(serials_are_positive_sixteen_bytes_and_all_different),
        cmocka_unit_test(a_leaf_is_canonical_der),
        cmocka_unit_test(a_request_survives_its_wire_form_and_every_cut_or_changed_byte_is_safe),
        cmocka_unit_test(the_crl_is_empty_signed_and_in_date),
        cmocka_unit_test(a_leaf_takes_well_under_a_millisecond),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
