/* The second CA (threats.md row 52): its file, its leaves, its cache. Nothing that it signs is good for
 * anybody, not even for a client that was made to trust it. */
#include "certs/untrusted.h"

#include <sys/stat.h>
#include <unistd.h>

#include "certs/ca_int.h"
#include "gw/base/obj.h"
#include "tests/unit/certs/make_cert.h"

struct dir {
    char state[64];
    struct buf err, pem;
};

static int setup(void **state)
{
    struct dir *d = calloc(1, sizeof *d);
    snprintf(d->state, sizeof d->state, "/tmp/perron-untrusted-XXXXXX");
    assert_non_null(mkdtemp(d->state));
    assert_int_equal(ca_init(d->state, SPAN("Province of Tests"), geteuid(), NOW, &d->err), RC_OK);
    *state = d;
    return 0;
}

static const char *path_of(const struct dir *d, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", d->state, name);
    return path;
}

static int teardown(void **state)
{
    struct dir *d = *state;
    static const char *const names[] = {
        "ca/root.crt", "ca/root.key",       "ca/issuing.crt", "ca/issuing.key",
        "ca",          "untrusted.pem.new", "untrusted.pem",  ""};
    for (size_t i = 0; i < N_ELEMS(names); i++)
        remove(path_of(d, names[i]));
    buf_fini(&d->err);
    buf_fini(&d->pem);
    free(d);
    return 0;
}

static void open_it(struct dir *d)
{
    if (untrusted_open(d->state, NOW, &d->pem, &d->err) != RC_OK)
        fail_msg("%.*s", (int)d->err.w, d->err.p);
}

static struct untrusted *load(struct dir *d, size_t max)
{
    struct untrusted *u;
    open_it(d);
    assert_int_equal(untrusted_load(buf_span(&d->pem), max, &u), RC_OK);
    return u;
}

static void refused(struct dir *d, const char *says)
{
    assert_int_equal(untrusted_open(d->state, NOW, &d->pem, &d->err), RC_CONFIG);
    assert_int_equal(buf_put_u8(&d->err, 0), RC_OK);
    const char *line = (const char *)buf_span(&d->err).p;
    if (!strstr(line, says) || !strstr(line, "untrusted.pem") || strchr(line, '\n'))
        fail_msg("'%s' does not say '%s' in one line", line, says);
}

/* ---- the file ---- */

static void a_key_that_others_can_read_is_refused(void **state)
{
    struct dir *d = *state;
    open_it(d);
    chmod(path_of(d, "untrusted.pem"), 0444);
    refused(d, "0444");
}

static void a_damaged_file_is_refused_and_not_replaced(void **state)
{
    struct dir *d = *state;
    struct stat st;
    open_it(d);
    assert_int_equal(truncate(path_of(d, "untrusted.pem"), 300), 0);
    refused(d, "remove it");
    assert_int_equal(stat(path_of(d, "untrusted.pem"), &st), 0);
    assert_int_equal(st.st_size, 300);
}

static void a_link_is_not_followed(void **state)
{
    struct dir *d = *state;
    assert_int_equal(symlink("ca/issuing.key", path_of(d, "untrusted.pem")), 0);
    refused(d, "symbolic");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    struct dir *d = *state;
    struct untrusted *u;
    struct buf mixed = {0};
    for (int i = 0; i < 2; i++) { /* the key of the first file, the certificate of the second */
        open_it(d);
        const uint8_t *cert = memmem(d->pem.p, d->pem.w, "-----BEGIN CERT", 15);
        assert_non_null(cert);
        size_t key_n = (size_t)(cert - d->pem.p);
        assert_int_equal(buf_put(&mixed, span_cut(buf_span(&d->pem), i ? key_n : 0, i ? d->pem.w : key_n)),
                         RC_OK);
        assert_int_equal(remove(path_of(d, "untrusted.pem")), 0);
    }
    assert_int_equal(untrusted_load(buf_span(&mixed), 1, &u), RC_BAD);
    assert_null(u);
    assert_int_equal(untrusted_load(SPAN_NONE, 1, &u), RC_BAD);
    buf_fini(&mixed);
}

static void it_is_made_once_and_then_stays_the_same(void **state)
{
    struct dir *d = *state;
    struct buf again = {0};
    struct stat st;
    open_it(d);
    assert_int_equal(stat(path_of(d, "untrusted.pem"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(untrusted_open(d->state, NOW + 400 * DAY, &again, &d->err), RC_OK);
    assert_true(span_eq(buf_span(&d->pem), buf_span(&again)));
    buf_fini(&again);
}

static void it_has_a_name_and_a_key_of_its_own(void **state)
{
    struct dir *d = *state;
    char org[64], cn[64];
    X509 *root = NULL;
    struct untrusted *u = load(d, 1);
    X509_NAME *name = X509_get_subject_name(untrusted_cert(u));
    assert_true(X509_NAME_get_text_by_NID(name, NID_organizationName, org, sizeof org) > 0);
    assert_true(X509_NAME_get_text_by_NID(name, NID_commonName, cn, sizeof cn) > 0);
    assert_string_equal(org, "Province of Tests");
    assert_non_null(strstr(cn, "untrusted"));
    assert_int_equal(ca_read_cert(path_of(d, "ca"), "root.crt", &root, &d->err), RC_OK);
    assert_int_not_equal(X509_NAME_cmp(name, X509_get_subject_name(root)), 0);
    assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(root), X509_get0_pubkey(untrusted_cert(u))), 1);
    X509_free(root);
    untrusted_free(u);
}

/* What people install on their clients comes from the real root alone. */
static void no_export_holds_it(void **state)
{
    static const char *const kinds[] = {"pem", "gpo", "firefox", "ios", "android"};
    struct dir *d = *state;
    struct untrusted *u = load(d, 1);
    uint8_t *der = NULL;
    int n = i2d_X509(untrusted_cert(u), &der);
    char out[80];
    snprintf(out, sizeof out, "%s.out", d->state);
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        struct buf text = {0};
        uint8_t bytes[65536];
        assert_int_equal(ca_export(d->state, "ca", span_str(kinds[i]), out, &text, &d->err), RC_OK);
        FILE *f = fopen(out, "rb");
        size_t got = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        unlink(out);
        assert_true(got > 100);
        assert_null(memmem(bytes, got, der, (size_t)n));
        assert_null(memmem(bytes, got, "untrusted", 9));
        buf_fini(&text);
    }
    OPENSSL_free(der);
    untrusted_free(u);
}

/* ---- leaves ---- */

static EVP_PKEY *leaf_key;

static struct mint_request asks(const char *name)
{
    return (struct mint_request){.not_before = NOW - 90 * DAY,
                                 .not_after = NOW + DAY,
                                 .n_sans = 1,
                                 .sans = {{SAN_DNS, span_str(name)}}};
}

static X509 *leaf_of(struct untrusted *u, const char *name, uint32_t defects, uint8_t origin)
{
    struct mint_request r = asks(name);
    struct cert_verdict v = {.defects = defects, .leaf_sha256 = {origin}};
    X509 *leaf;
    assert_int_equal(untrusted_leaf(u, leaf_key, &r, &v, &leaf), RC_OK);
    return leaf;
}

/* X509_V_ERR_* of a client that was made to trust `anchor`; `now_s`: its clock. */
static int judged_by_client(X509 *leaf, X509 *anchor, const char *host, int64_t now_s)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, anchor);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, NULL), 1);
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set1_host(p, host, 0);
    X509_VERIFY_PARAM_set_time(p, (time_t)now_s);
    X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
    X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return error;
}

static void a_client_does_not_know_its_issuer(void **state)
{
    struct dir *d = *state;
    X509 *root = NULL;
    struct untrusted *u = load(d, 8);
    X509 *leaf = leaf_of(u, "a.example", DEFECT_BIT(SELF_SIGNED), 1);
    assert_int_equal(ca_read_cert(path_of(d, "ca"), "root.crt", &root, &d->err), RC_OK);
    assert_int_equal(judged_by_client(leaf, root, "a.example", NOW),
                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    X509_free(root);
    X509_free(leaf);
    untrusted_free(u);
}

static void a_client_that_trusts_it_all_the_same_refuses_the_name(void **state)
{
    struct untrusted *u = load(*state, 8);
    X509 *leaf = leaf_of(u, "a.example", DEFECT_BIT(UNKNOWN_ISSUER), 1);
    assert_int_equal(judged_by_client(leaf, untrusted_cert(u), "a.example", NOW),
                     X509_V_ERR_PERMITTED_VIOLATION);
    X509_free(leaf);
    leaf = leaf_of(u, "a.invalid", DEFECT_BIT(UNKNOWN_ISSUER), 1); /* so it was the name, and nothing else */
    assert_int_equal(judged_by_client(leaf, untrusted_cert(u), "a.invalid", NOW), X509_V_OK);
    X509_free(leaf);
    untrusted_free(u);
}

static void it_shows_the_origins_dates_and_every_defect(void **state)
{
    struct untrusted *u = load(*state, 8);
    char org[80];
    X509 *leaf = leaf_of(u, "a.example", DEFECT_BIT(EXPIRED) | DEFECT_BIT(WRONG_NAME), 1);
    assert_int_equal(ca_time(X509_get0_notBefore(leaf)), NOW - 90 * DAY);
    assert_int_equal(ca_time(X509_get0_notAfter(leaf)), NOW + DAY);
    assert_true(
        X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_organizationName, org, sizeof org) > 0);
    assert_string_equal(org, "not verified: expired, wrong-name");
    X509_free(leaf);
    leaf = leaf_of(u, "a.example", ~UINT32_C(0), 1); /* all that the field has room for */
    assert_true(
        X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_organizationName, org, sizeof org) > 0);
    assert_string_equal(org, "not verified: own-ca, revoked, expired, not-yet-valid, weak-key");
    X509_free(leaf);
    untrusted_free(u);
}

static void what_cannot_be_encoded_is_bad(void **state)
{
    struct untrusted *u = load(*state, 8);
    struct mint_request r = asks("a.example");
    struct cert_verdict v = {.defects = DEFECT_BIT(EXPIRED)};
    X509 *leaf = NULL;
    r.not_after = INT64_MAX;
    assert_int_equal(untrusted_leaf(u, leaf_key, &r, &v, &leaf), RC_BAD);
    assert_null(leaf);
    untrusted_free(u);
}

/* ---- the cache: one origin, its defects, the name asked (row 28) ---- */

static void another_defect_origin_or_name_is_another_leaf(void **state)
{
    struct untrusted *u = load(*state, 8);
    X509 *a = leaf_of(u, "a.example", DEFECT_BIT(EXPIRED), 1), *same, *other[3];
    same = leaf_of(u, "a.example", DEFECT_BIT(EXPIRED), 1);
    other[0] = leaf_of(u, "a.example", DEFECT_BIT(EXPIRED) | DEFECT_BIT(REVOKED), 1);
    other[1] = leaf_of(u, "a.example", DEFECT_BIT(EXPIRED), 2);
    other[2] = leaf_of(u, "b.example", DEFECT_BIT(EXPIRED), 1);
    assert_ptr_equal(a, same);
    assert_int_equal(untrusted_cached(u), 4);
    for (size_t i = 0; i < N_ELEMS(other); i++) {
        assert_ptr_not_equal(a, other[i]);
        X509_free(other[i]);
    }
    X509_free(a);
    X509_free(same);
    untrusted_free(u);
}

static void the_cache_is_bounded(void **state)
{
    struct untrusted *u = load(*state, 3);
    for (uint8_t i = 0; i < 9; i++)
        X509_free(leaf_of(u, "a.example", DEFECT_BIT(EXPIRED), i));
    assert_int_equal(untrusted_cached(u), 3);
    untrusted_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(a_key_that_others_can_read_is_refused),
        T(a_damaged_file_is_refused_and_not_replaced),
        T(a_link_is_not_followed),
        T(a_key_of_another_certificate_is_refused),
        T(it_is_made_once_and_then_stays_the_same),
        T(it_has_a_name_and_a_key_of_its_own),
        T(no_export_holds_it),
        T(a_client_does_not_know_its_issuer),
        T(a_client_that_trusts_it_all_the_same_refuses_the_name),
        T(it_shows_the_origins_dates_and_every_defect),
        T(what_cannot_be_encoded_is_bad),
        T(another_defect_origin_or_name_is_another_leaf),
        T(the_cache_is_bounded),
#undef T
    };
    leaf_key = EVP_EC_gen("P-256");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    EVP_PKEY_free(leaf_key);
    return failed;
}
