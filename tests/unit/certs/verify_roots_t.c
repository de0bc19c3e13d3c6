/* The roots that Debian trusts, each as the anchor of a chain: flaws of form that OpenSSL's strict mode finds
 * in them are let through on the anchor, and nothing else is. */
#include "certs/verify.h"

#include "tests/unit/certs/verify_help.h"

#define BIT(x) DEFECT_BIT(x)
#define SITE   "DNS:www.site.test"

static EVP_PKEY *rsa2048;

/* What OpenSSL says about one root of the system's bundle as the anchor of a chain under X509_STRICT:
 * everything it says about the root must be let through. Nobody can sign below these roots, so the leaf's
 * signature is a forged one; that is the one defect that may remain. */
struct said {
    int codes[16];
    int n;
};

static int collect_codes(int ok, X509_STORE_CTX *ctx)
{
    struct said *s = X509_STORE_CTX_get_app_data(ctx);
    if (!ok && X509_STORE_CTX_get_error_depth(ctx) == 1 && s->n < 16)
        s->codes[s->n++] = X509_STORE_CTX_get_error(ctx);
    return 1;
}

static struct said what_openssl_says(X509 *anchor, X509 *leaf, int64_t at)
{
    struct said s = {0};
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *c = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, anchor);
    X509_STORE_CTX_init(c, store, leaf, NULL);
    X509_STORE_CTX_set_app_data(c, &s);
    X509_STORE_CTX_set_verify_cb(c, collect_codes);
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(c);
    X509_VERIFY_PARAM_set_time(p, (time_t)at);
    X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_auth_level(p, 2);
    X509_verify_cert(c);
    X509_STORE_CTX_free(c);
    X509_STORE_free(store);
    return s;
}

static bool may_pass(int e)
{
    return e == 85 || e == 86 || e == 89 || e == 92;
}

/* A leaf that claims to come from `anchor`, with a signature of the right kind by somebody else. */
static struct made forge_below(X509 *anchor, EVP_PKEY *ec)
{
    bool is_rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(anchor)) == EVP_PKEY_RSA;
    struct made fake = {X509_dup(anchor), is_rsa ? rsa2048 : ec};
    bool has_id = X509_get0_subject_key_id(anchor) != NULL;
    struct mk m = {.cn = "www.site.test", .exts = LEAF_EXTS(SITE)};
    if (!has_id)
        m.exts[3] = RAW_AKI;
    struct made leaf = mk_cert(&m, &fake);
    X509_free(fake.cert);
    return leaf;
}

static struct cert_verdict judge_at(const struct trust *t, X509 *leaf, int64_t at)
{
    struct cert_verdict v;
    STACK_OF(X509) *sk = sk_X509_new_null();
    sk_X509_push(sk, leaf);
    assert_int_equal(verify_chain(t, sk, SPAN("www.site.test"), NULL, at, &v), RC_OK);
    sk_X509_free(sk);
    return v;
}

static unsigned check_system_root(X509 *anchor, EVP_PKEY *ec, unsigned codes[128])
{
    char name[128], got[256];
    time_t at = NOW;
    X509_NAME_oneline(X509_get_subject_name(anchor), name, sizeof name);
    bool in_date = X509_cmp_time(X509_get0_notAfter(anchor), &at) > 0;
    struct made leaf = forge_below(anchor, ec);
    struct said s = what_openssl_says(anchor, leaf.cert, NOW);
    unsigned flaws = 0;
    for (int i = 0; i < s.n; i++) {
        codes[s.codes[i] & 127]++;
        flaws += may_pass(s.codes[i]);
        if (!may_pass(s.codes[i]) && s.codes[i] != X509_V_ERR_CERT_HAS_EXPIRED)
            fail_msg("%s: error %d (%s)", name, s.codes[i], X509_verify_cert_error_string(s.codes[i]));
    }
    struct trust *t = trust_of(&anchor, 1);
    struct cert_verdict v = judge_at(t, leaf.cert, NOW);
    defects_text(v.defects, got);
    if (v.defects != (in_date ? BIT(BAD_SIGNATURE) : BIT(BAD_SIGNATURE) | BIT(EXPIRED)))
        fail_msg("%s: [%s]", name, got);
    trust_free(t);
    mk_free(&leaf);
    return flaws > 0;
}

static void no_root_of_the_systems_bundle_is_refused_for_its_form(void **state)
{
    (void)state;
    BIO *b = BIO_new_file("/etc/ssl/certs/ca-certificates.crt", "r");
    unsigned n = 0, flawed = 0, codes[128] = {0};
    if (!b) {
        print_message("no /etc/ssl/certs/ca-certificates.crt: install ca-certificates\n");
        skip();
    }
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)); X509_free(x), n++)
        flawed += check_system_root(x, ec, codes);
    print_message("%u roots, %u with flaws of form (85: %u, 86: %u, 89: %u, 92: %u), %u out of date\n", n,
                  flawed, codes[85], codes[86], codes[89], codes[92], codes[10]);
    assert_true(n > 50);
    assert_true(flawed > 0);
    EVP_PKEY_free(ec);
    BIO_free(b);
}

static int setup(void **state)
{
    (void)state;
    rsa2048 = EVP_RSA_gen(2048);
    return rsa2048 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa2048);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_root_of_the_systems_bundle_is_refused_for_its_form),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
