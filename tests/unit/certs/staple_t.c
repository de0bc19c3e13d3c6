/* Stapled statements: who may make them, about whom, for how long. Threats A 25, 27. */
#include "certs/staple.h"

#include <openssl/ocsp.h>
#include <time.h>

#include "certs/pointers.h"
#include "certs/revoked.h"
#include "gw/base/limits.h"
#include "tests/unit/certs/make_cert.h"

static struct made root, inter, leaf, other, by, no_right, foreign, late;

#define RESPONDER(purpose)                                                                           \
    {                                                                                                \
        "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",                  \
            "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid", "extendedKeyUsage=" purpose \
    }

static int setup(void **state)
{
    (void)state;
    root = mk_cert(&(struct mk){.cn = "Root", .exts = ROOT_EXTS}, NULL);
    inter = mk_cert(&(struct mk){.cn = "Issuer", .exts = CA_EXTS}, &root);
    leaf = mk_cert(&(struct mk){.cn = "leaf", .exts = LEAF_EXTS("DNS:a.test")}, &inter);
    other = mk_cert(&(struct mk){.cn = "other", .exts = LEAF_EXTS("DNS:b.test")}, &inter);
    by = mk_cert(&(struct mk){.cn = "Responder", .exts = RESPONDER("OCSPSigning")}, &inter);
    no_right = mk_cert(&(struct mk){.cn = "Server", .exts = RESPONDER("serverAuth")}, &inter);
    foreign = mk_cert(&(struct mk){.cn = "Foreign", .exts = RESPONDER("OCSPSigning")}, &root);
    late = mk_cert(&(struct mk){.cn = "Late", .exts = RESPONDER("OCSPSigning"), .from = -9 * DAY, .to = -DAY},
                   &inter);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    struct made *all[] = {&root, &inter, &leaf, &other, &by, &no_right, &foreign, &late};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mk_free(all[i]);
    return 0;
}

struct st {
    const char *label;
    const struct made *about, *signer; /* NULL: the leaf, its issuer */
    int status;
    int64_t from, to; /* relative to NOW; 0, 0: a day ago, in three days */
    const char *md, *id_md;
    bool no_end, spoil;
    enum staple want;
};

static span make(const struct st *s, uint8_t **out)
{
    const struct made *about = s->about ? s->about : &leaf, *signer = s->signer ? s->signer : &inter;
    OCSP_BASICRESP *b = OCSP_BASICRESP_new();
    bool usual = !s->from && !s->to;
    ASN1_TIME *from = ASN1_TIME_set(NULL, NOW + (usual ? -DAY : s->from)),
              *to = s->no_end ? NULL : ASN1_TIME_set(NULL, NOW + (usual ? 3 * DAY : s->to)),
              *at = ASN1_TIME_set(NULL, NOW - 2 * DAY);
    OCSP_CERTID *id =
        OCSP_cert_to_id(EVP_get_digestbyname(s->id_md ? s->id_md : "SHA1"), about->cert, inter.cert);
    assert_non_null(OCSP_basic_add1_status(b, id, s->status, 1,
                                           s->status == V_OCSP_CERTSTATUS_REVOKED ? at : NULL, from, to));
    assert_int_equal(OCSP_basic_sign(b, signer->cert, signer->key,
                                     EVP_get_digestbyname(s->md ? s->md : "SHA256"), NULL,
                                     signer == &inter ? OCSP_NOCERTS : 0),
                     1);
    OCSP_RESPONSE *r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
    *out = NULL;
    int n = i2d_OCSP_RESPONSE(r, out);
    assert_true(n > 0);
    if (s->spoil)
        (*out)[signer == &inter ? n - 1 : n / 3] ^= 1;
    OCSP_RESPONSE_free(r);
    OCSP_BASICRESP_free(b);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    ASN1_TIME_free(at);
    return span_of(*out, (size_t)n);
}

static void only_the_issuers_word_of_today_counts(void **state)
{
    (void)state;
    const struct st rows[] = {
        {.label = "about another", .about = &other, .want = STAPLE_OTHER},
        {.label = "signed by a server", .signer = &no_right, .want = STAPLE_WRONG_SIGNER},
        {.label = "signed by another authority's responder", .signer = &foreign, .want = STAPLE_WRONG_SIGNER},
        {.label = "signed by another authority", .signer = &root, .want = STAPLE_WRONG_SIGNER},
        {.label = "responder out of date", .signer = &late, .want = STAPLE_WRONG_SIGNER},
        {.label = "spoilt", .spoil = true, .want = STAPLE_WRONG_SIGNER},
        {.label = "SHA-1", .md = "SHA1", .want = STAPLE_WEAK},
        {.label = "out of date", .from = -9 * DAY, .to = -1, .want = STAPLE_EXPIRED},
        {.label = "of tomorrow", .from = DAY, .to = 5 * DAY, .want = STAPLE_EXPIRED},
        {.label = "for ever", .no_end = true, .want = STAPLE_EXPIRED},
        {.label = "revoked, but out of date",
         .status = V_OCSP_CERTSTATUS_REVOKED,
         .from = -9 * DAY,
         .to = -1,
         .want = STAPLE_EXPIRED},
        {.label = "not known", .status = V_OCSP_CERTSTATUS_UNKNOWN, .want = STAPLE_UNKNOWN},
        {.label = "revoked", .status = V_OCSP_CERTSTATUS_REVOKED, .want = STAPLE_REVOKED},
        {.label = "revoked, by a delegate",
         .status = V_OCSP_CERTSTATUS_REVOKED,
         .signer = &by,
         .want = STAPLE_REVOKED},
        {.label = "good", .want = STAPLE_GOOD},
        {.label = "good, named by SHA-256", .id_md = "SHA256", .want = STAPLE_GOOD},
        {.label = "good, by a delegate", .signer = &by, .md = "SHA384", .want = STAPLE_GOOD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *bytes;
        int64_t until = -1;
        enum staple got = staple_read(make(&rows[i], &bytes), leaf.cert, inter.cert, NOW, &until);
        OPENSSL_free(bytes);
        if (got != rows[i].want)
            fail_msg("%s: %s", rows[i].label, staple_name(got));
        assert_int_equal(
            until, got == STAPLE_GOOD || got == STAPLE_REVOKED || got == STAPLE_UNKNOWN ? NOW + 3 * DAY : 0);
    }
}

static void what_is_no_statement_says_nothing(void **state)
{
    (void)state;
    static uint8_t large[LIM_STAPLE_BYTES + 1];
    uint8_t *bytes;
    int64_t until;
    span good = make(&(struct st){0}, &bytes);
    assert_int_equal(staple_read(SPAN_NONE, leaf.cert, inter.cert, NOW, &until), STAPLE_MALFORMED);
    assert_int_equal(staple_read(SPAN("\x30\x03\x0a\x01\x06"), leaf.cert, inter.cert, NOW, &until),
                     STAPLE_MALFORMED);
    assert_int_equal(staple_read(span_of(large, sizeof large), leaf.cert, inter.cert, NOW, &until),
                     STAPLE_MALFORMED);
    for (size_t n = 0; n < good.n; n += 3)
        assert_int_equal(staple_read(span_cut(good, 0, n), leaf.cert, inter.cert, NOW, &until),
                         STAPLE_MALFORMED);
    OPENSSL_free(bytes);
}

/* A changed byte anywhere never turns revoked into good. */
static void a_changed_byte_makes_nobody_good(void **state)
{
    (void)state;
    uint8_t *bytes;
    int64_t until;
    span s = make(&(struct st){.status = V_OCSP_CERTSTATUS_REVOKED, .signer = &by}, &bytes);
    for (size_t i = 0; i < s.n; i++) {
        bytes[i] ^= 0x20;
        enum staple got = staple_read(s, leaf.cert, inter.cert, NOW, &until);
        assert_int_not_equal(got, STAPLE_GOOD);
        bytes[i] ^= 0x20;
    }
    OPENSSL_free(bytes);
}

static void pointers_are_http_and_whole(void **state)
{
    (void)state;
    const struct {
        const char *ext, *crl, *issuer;
        bool must;
    } rows[] = {
        {"crlDistributionPoints=URI:https://a.test/l", "", "", false},
        {"crlDistributionPoints=URI:ldap://a.test/l", "", "", false},
        {"crlDistributionPoints=URI:ldap://a.test/l,URI:http://a.test/l", "http://a.test/l", "", false},
        {"crlDistributionPoints=URI:HTTP://a.test/l", "HTTP://a.test/l", "", false},
        {"authorityInfoAccess=OCSP;URI:http://o.test/", "", "", false},
        {"authorityInfoAccess=OCSP;URI:http://o.test/,caIssuers;URI:http://i.test/ca.der", "",
         "http://i.test/ca.der", false},
        {"tlsfeature=status_request", "", "", true},
        {"tlsfeature=status_request_v2", "", "", true},
        {"1.3.6.1.5.5.7.1.24=DER:3003020111", "", "", true},
        {"1.3.6.1.5.5.7.1.24=DER:3003020106", "", "", false},
        {"1.3.6.1.5.5.7.1.24=DER:0500", "", "", false},
        {"2.5.29.31=DER:0500", "", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pointer crl, issuer;
        struct made m = mk_cert(&(struct mk){.cn = "p", .exts = {rows[i].ext}}, &inter);
        pointer_of_crl(m.cert, &crl);
        pointer_of_issuer(m.cert, &issuer);
        if (!span_eq(pointer_span(&crl), span_str(rows[i].crl)) ||
            !span_eq(pointer_span(&issuer), span_str(rows[i].issuer)) ||
            pointer_must_staple(m.cert) != rows[i].must)
            fail_msg("%s", rows[i].ext);
        assert_false(crl.mixed);
        mk_free(&m);
    }
}

static void a_list_named_beside_another_kind_of_name_is_marked(void **state)
{
    (void)state;
    struct made m = mk_cert(
        &(struct mk){
            .cn = "p",
            .exts = {"2.5.29.31=DER:301f301da01ba019860f687474703a2f2f612e746573742f6c8206612e74657374"}},
        &inter);
    struct pointer crl;
    struct revoked_id id;
    pointer_of_crl(m.cert, &crl);
    assert_true(span_eq(pointer_span(&crl), SPAN("http://a.test/l")) && crl.mixed);
    assert_int_equal(revoked_id_of(m.cert, inter.cert, &id), RC_OK);
    assert_true(id.no_proof);
    mk_free(&m);
}

/* The machine may be busy with other things. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void a_new_staple_costs_what_a_signature_costs(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    uint8_t *bytes;
    int64_t until;
    span s = make(&(struct st){.signer = &by}, &bytes);
    int64_t before = cpu_ns();
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_int_equal(staple_read(s, leaf.cert, inter.cert, NOW, &until), STAPLE_GOOD);
    print_message("a staple by a delegate (two ECDSA signatures): %lld us of CPU\n",
                  (long long)((cpu_ns() - before) / ROUNDS / 1000));
    OPENSSL_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_statement_says_nothing),
        cmocka_unit_test(only_the_issuers_word_of_today_counts),
        cmocka_unit_test(a_changed_byte_makes_nobody_good),
        cmocka_unit_test(pointers_are_http_and_whole),
        cmocka_unit_test(a_list_named_beside_another_kind_of_name_is_marked),
        cmocka_unit_test(a_new_staple_costs_what_a_signature_costs),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
