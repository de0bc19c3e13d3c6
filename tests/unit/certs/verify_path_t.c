/* Paths that a verdict may take: flaws of anchors, bounds, cross-signatures and bombs, our own CA, trust
 * stores, and what it costs. */
#include "tests/unit/certs/verify_world.h"

/* The four errors that a trust anchor alone may have, each on a root of ours and then on an intermediate. */
static void flaws_of_form_pass_on_the_anchor_alone(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "89 root's basicConstraints not critical",
         .root = {.exts = {"basicConstraints=CA:TRUE", "keyUsage=critical,keyCertSign",
                           "subjectKeyIdentifier=hash"}}},
        {.label = "92 root without key usage",
         .root = {.exts = {"basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash"}}},
        {.label = "86 root without subject key identifier",
         .root = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"}},
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                            "subjectKeyIdentifier=hash", RAW_AKI}}},
        {.label = "all of them",
         .root = {.exts = {"basicConstraints=CA:TRUE"}},
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                            "subjectKeyIdentifier=hash", RAW_AKI}}},
        {.label = "version 1 root",
         .root = {.version = 1, .exts = {"1.2.3.4=DER:0500"}},
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                            "subjectKeyIdentifier=hash", RAW_AKI}},
         .want = BIT(CONSTRAINT) | BIT(MALFORMED)},
        {.label = "89 on a root that nobody trusts is still unknown",
         .strange_root = true,
         .root = {.exts = {"basicConstraints=CA:TRUE"}},
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                            "subjectKeyIdentifier=hash", RAW_AKI}},
         .want = BIT(UNKNOWN_ISSUER)},
    };
    check_rows(rows, N_ELEMS(rows));
}

/* What an anchor says of its own issuer is no flaw of form: it must be itself. */
static void an_anchor_that_names_another_issuer_is_malformed(void **state)
{
    (void)state;
#define AKI(text, hex, result)                                                                  \
    {                                                                                           \
        .label = text, .want = result,                                                          \
        .root = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign", \
                          "2.5.29.14=DER:0404aabbccdd", "2.5.29.35=DER:" hex},                  \
                 .serial = "1234"},                                                             \
    }
/* directoryName: CN=Another root */
#define OWN_NAME                 \
    "a4193017311530130603550403" \
    "0c0c416e6f7468657220726f6f74"
    const struct row rows[] = {
        AKI("nothing at all", "3000", BIT(MALFORMED)),
        AKI("another key", "30068004aabbccde", BIT(MALFORMED) | BIT(UNKNOWN_ISSUER)),
        AKI("a serial number without a name", "300a8004aabbccdd820204d2", BIT(MALFORMED)),
        AKI("its name without a serial number", "30238004aabbccdda11b" OWN_NAME, BIT(MALFORMED)),
        AKI("its name with another's serial number", "30278004aabbccdda11b" OWN_NAME "820204d3",
            BIT(MALFORMED) | BIT(UNKNOWN_ISSUER)),
        AKI("its own name and serial number", "30278004aabbccdda11b" OWN_NAME "820204d2", 0),
        AKI("its own key", "30068004aabbccdd", 0),
    };
    check_rows(rows, N_ELEMS(rows));
}

/* The same flaw on a last certificate that the stranger sent himself counts. */
static void flaws_of_form_count_on_a_root_that_was_only_sent(void **state)
{
    (void)state;
    struct made r = mk_cert(&(struct mk){.cn = "Sent root",
                                         .exts = {"basicConstraints=CA:TRUE", "keyUsage=critical,keyCertSign",
                                                  "subjectKeyIdentifier=hash"}},
                            NULL);
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &r);
    X509 *chain[] = {x.cert, r.cert};
    assert_int_equal(judge(trust, chain, 2, "www.site.test", NULL).defects,
                     BIT(UNKNOWN_ISSUER) | BIT(MALFORMED));
    struct trust *t = trust_of(&r.cert, 1);
    assert_int_equal(judge(t, chain, 2, "www.site.test", NULL).defects, 0);
    trust_free(t);
    mk_free(&x);
    mk_free(&r);
}

static void chains_out_of_all_bounds_are_refused_at_once(void **state)
{
    (void)state;
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &inter);
    X509 *many[101];
    for (size_t i = 0; i < N_ELEMS(many); i++)
        many[i] = i ? inter.cert : x.cert;
    assert_int_equal(judge(trust, many, N_ELEMS(many), "www.site.test", NULL).defects, BIT(MALFORMED));
    assert_int_equal(judge(trust, many, LIM_CHAIN_CERTS + 1, "www.site.test", NULL).defects, BIT(MALFORMED));
    assert_int_equal(judge(trust, many, LIM_CHAIN_CERTS, "www.site.test", NULL).defects, 0);
    assert_int_equal(judge(trust, many, 0, "www.site.test", NULL).defects, BIT(MALFORMED));
    mk_free(&x);
}

static void names_in_bulk(char *out, size_t n_names, const char *last)
{
    size_t at = (size_t)sprintf(out, "subjectAltName=");
    for (size_t i = 0; i < n_names; i++)
        at += (size_t)sprintf(out + at, "DNS:name-%06zu.some-where.test,", i);
    sprintf(out + at, "DNS:%s", last);
}

static void a_thousand_names_pass_and_ten_thousand_do_not(void **state)
{
    (void)state;
    static char text[400000];
    struct mk m = {.cn = "A site", .exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", text}};
    names_in_bulk(text, 1000, "www.site.test");
    struct made x = mk_cert(&m, &inter);
    X509 *chain[] = {x.cert, inter.cert};
    assert_int_equal(judge(trust, chain, 2, "www.site.test", NULL).defects, 0);
    mk_free(&x);
    names_in_bulk(text, 10000, "www.site.test");
    x = mk_cert(&m, &inter);
    chain[0] = x.cert;
    assert_int_equal(judge(trust, chain, 2, "www.site.test", NULL).defects, BIT(MALFORMED));
    mk_free(&x);
}

static void deep_shuffled_and_cross_signed_chains_pass(void **state)
{
    (void)state;
    struct made ca[7], x;
    X509 *chain[10];
    ca[0] = mk_cert(&(struct mk){.cn = "Deep 0", .exts = CA_EXTS}, &root);
    static const char *const names[] = {"", "Deep 1", "Deep 2", "Deep 3", "Deep 4", "Deep 5", "Deep 6"};
    for (size_t i = 1; i < 7; i++)
        ca[i] = mk_cert(&(struct mk){.cn = names[i], .exts = CA_EXTS}, &ca[i - 1]);
    x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &ca[6]);
    chain[0] = x.cert;
    for (size_t i = 0; i < 7; i++)
        chain[1 + i] = ca[(i * 3) % 7].cert; /* any order */
    chain[8] = other_root.cert;              /* and one that has no business here */
    assert_int_equal(judge(trust, chain, 9, "www.site.test", NULL).defects, 0);
    mk_free(&x);
    for (size_t i = 0; i < 7; i++)
        mk_free(&ca[i]);
}

static void an_expired_cross_signature_does_no_harm(void **state)
{
    (void)state;
    /* The same intermediate key once under the good root and once, expired, under a strange one; the bad one
     * first. */
    struct mk m = {.cn = "Twice signed", .exts = CA_EXTS};
    struct made good = mk_cert(&m, &root);
    m.key = good.key;
    m.from = -90 * DAY;
    m.to = -DAY;
    struct made bad = mk_cert(&m, &other_root);
    struct mk strange = {.cn = "Cross", .exts = CA_EXTS, .key = root.key, .from = -90 * DAY, .to = -DAY};
    struct made cross = mk_cert(&strange, &other_root);
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &good);
    X509 *chain[] = {x.cert, good.cert, cross.cert};
    assert_int_equal(judge(trust, chain, 3, "www.site.test", NULL).defects, 0);
    mk_free(&x);
    mk_free(&bad);
    mk_free(&cross);
    mk_free(&good);
}

/* RFC 5280 section 4.1.2.5: from notBefore through notAfter, inclusive. */
static void a_certificate_lives_through_its_last_second(void **state)
{
    (void)state;
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE), .to = 5}, &inter);
    STACK_OF(X509) *sk = sk_X509_new_null();
    sk_X509_push(sk, x.cert);
    sk_X509_push(sk, inter.cert);
    struct cert_verdict v;
    for (int64_t s = 4; s <= 6; s++) {
        assert_int_equal(verify_chain(trust, sk, SPAN("www.site.test"), NULL, NOW + s, &v), RC_OK);
        assert_int_equal(v.defects, s <= 5 ? 0 : BIT(EXPIRED));
    }
    sk_X509_free(sk);
    mk_free(&x);
}

/* Two certificates of one authority's key were sent, and OpenSSL takes the first: it leads to nobody, or
 * breaks what its own authority forbids. */
static void a_way_that_leads_nowhere_is_not_the_only_one(void **state)
{
    (void)state;
    struct mk m = {.cn = "Twice signed", .exts = CA_EXTS}, named = m;
    struct made forbids = mk_cert(&(struct mk){.cn = "Forbids",
                                               .exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                                                        "nameConstraints=critical,excluded;DNS:ca.test"}},
                                  &root);
    struct made good = mk_cert(&m, &root);
    m.key = named.key = good.key;
    named.exts[4] = "subjectAltName=DNS:ca.test";
    struct made lost = mk_cert(&m, &other_root), forbidden = mk_cert(&named, &forbids);
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &good);
    X509 *chain[] = {x.cert, lost.cert, good.cert};
    assert_int_equal(judge(trust, chain, 2, "www.site.test", NULL).defects, BIT(UNKNOWN_ISSUER));
    struct cert_verdict v = judge(trust, chain, 3, "www.site.test", NULL);
    assert_int_equal(v.defects, 0);
    assert_int_equal(v.x509_error, X509_V_OK);
    assert_int_equal(v.n_path, 2);
    assert_int_equal(judge(trust, chain, 3, "www.other.test", NULL).defects, BIT(WRONG_NAME));
    X509 *bent[] = {x.cert, forbidden.cert, forbids.cert, good.cert};
    assert_int_equal(judge(trust, bent, 3, "www.site.test", NULL).defects, BIT(CONSTRAINT));
    assert_int_equal(judge(trust, bent, 4, "www.site.test", NULL).defects, 0);
    bent[3] = lost.cert; /* no way is good: the first one's defects are told */
    assert_int_equal(judge(trust, bent, 4, "www.site.test", NULL).defects, BIT(CONSTRAINT));
    struct made *all[] = {&x, &lost, &forbidden, &good, &forbids};
    for (size_t i = 0; i < N_ELEMS(all); i++)
        mk_free(all[i]);
}

/* Who puts an intermediate into the trust file means it; but where its root is there too, the way ends at the
 * root, so that a list can still revoke the intermediate. */
static void an_intermediate_in_the_trust_file_is_an_anchor_when_no_root_is(void **state)
{
    (void)state;
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &inter);
    X509 *chain[] = {x.cert, inter.cert, root.cert}, *both[] = {inter.cert, root.cert};
    struct trust *t = trust_of(&inter.cert, 1);
    for (size_t n = 1; n <= 3; n++) {
        struct cert_verdict v = judge(t, chain, n, "www.site.test", NULL);
        assert_int_equal(v.defects, 0);
        assert_int_equal(v.n_path, 1);
    }
    trust_free(t);
    t = trust_of(both, 2);
    assert_int_equal(judge(t, chain, 1, "www.site.test", NULL).n_path, 2);
    trust_free(t);
    struct made said_nothing =
        mk_cert(&(struct mk){.cn = "No issuer named",
                             .exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                                      "subjectKeyIdentifier=hash"}},
                &root);
    struct made y = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &said_nothing);
    t = trust_of(&said_nothing.cert, 1);
    assert_int_equal(judge(t, &y.cert, 1, "www.site.test", NULL).defects,
                     BIT(UNKNOWN_ISSUER) | BIT(MALFORMED));
    trust_free(t);
    mk_free(&y);
    mk_free(&said_nothing);
    mk_free(&x);
}

/* Sixteen intermediates of one name and key, all issuing each other: the path builder must not try them all.
 */
static void path_building_bombs_end_soon(void **state)
{
    (void)state;
    struct made ca[9];
    ca[0] = mk_cert(&(struct mk){.cn = "Bomb", .exts = CA_EXTS}, NULL);
    for (size_t i = 1; i < 9; i++)
        ca[i] = mk_cert(&(struct mk){.cn = "Bomb", .exts = CA_EXTS, .key = ca[0].key}, &ca[0]);
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &ca[1]);
    X509 *chain[10] = {x.cert};
    for (size_t i = 0; i < 9; i++)
        chain[i + 1] = ca[i].cert;
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    struct cert_verdict v = judge(trust, chain, 10, "www.site.test", NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_true(v.defects & BIT(UNKNOWN_ISSUER));
    assert_true(b.tv_sec - a.tv_sec < 2);
    mk_free(&x);
    for (size_t i = 0; i < 9; i++)
        mk_free(&ca[i]);
}

static span der_of_cert(X509 *x, struct buf *b)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    buf_clear(b);
    assert_int_equal(buf_put(b, span_of(der, (size_t)n)), RC_OK);
    OPENSSL_free(der);
    return buf_span(b);
}

static void a_chain_of_our_own_ca_is_named_even_when_it_is_trusted(void **state)
{
    (void)state;
    struct trust *t = trust_of(&root.cert, 1); /* somebody installed our root on the gateway itself */
    struct buf der = {0};
    assert_int_equal(trust_forbid(t, SPAN("garbage")), RC_BAD);
    assert_int_equal(trust_forbid(t, der_of_cert(root.cert, &der)), RC_OK);
    assert_int_equal(trust_forbid(t, der_of_cert(inter.cert, &der)), RC_OK);
    assert_int_equal(trust_forbid(t, der_of_cert(inter.cert, &der)), RC_OK);
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &inter);
    X509 *chain[] = {x.cert, inter.cert};
    assert_int_equal(judge(t, chain, 2, "www.site.test", NULL).defects, BIT(OWN_CA));
    struct cert_verdict v = judge(t, chain, 1, "www.site.test", NULL);
    assert_true(v.defects & BIT(OWN_CA));
    assert_int_equal(defect_first(v.defects), DEFECT_OWN_CA);
    chain[0] = inter.cert;
    assert_true(judge(t, chain, 1, "www.site.test", NULL).defects & BIT(OWN_CA));
    mk_free(&x);
    x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &other_root);
    chain[0] = x.cert; /* the root's name is the same as ours: a claim is enough */
    assert_true(judge(t, chain, 1, "www.site.test", NULL).defects & BIT(OWN_CA));
    mk_free(&x);
    trust_free(t);
    buf_fini(&der);
}

static void bad_trust_stores_are_refused_with_a_line(void **state)
{
    (void)state;
    struct buf err = {0};
    struct trust *t;
    unsigned n;
    static const char half[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    assert_int_equal(trust_load(SPAN_NONE, &t, &n, &err), RC_CONFIG);
    assert_true(buf_len(&err) > 10);
    assert_int_equal(trust_load(SPAN("no pem here\n"), &t, &n, &err), RC_CONFIG);
    assert_int_equal(trust_load(SPAN(half), &t, &n, &err), RC_CONFIG);
    assert_null(t);
    BIO *b = BIO_new(BIO_s_mem());
    const uint8_t *p;
    PEM_write_bio_X509(b, root.cert);
    BIO_puts(b, half);
    long len = BIO_get_mem_data(b, &p);
    assert_int_equal(trust_load(span_of(p, (size_t)len), &t, &n, &err), RC_CONFIG);
    assert_non_null(memmem(err.p, err.w, "number 2", 8));
    BIO_free(b);
    buf_fini(&err);
}

static void the_verdict_carries_the_leafs_dates_and_hash(void **state)
{
    (void)state;
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &inter);
    X509 *chain[] = {x.cert, inter.cert};
    struct cert_verdict v = judge(trust, chain, 2, "www.site.test", NULL);
    uint8_t h[32];
    unsigned n;
    X509_digest(x.cert, EVP_sha256(), h, &n);
    assert_memory_equal(v.leaf_sha256, h, 32);
    assert_int_equal(v.not_before, NOW - DAY);
    assert_int_equal(v.not_after, NOW + 90 * DAY);
    assert_int_equal(v.x509_error, X509_V_OK);
    assert_false(v.revocation_known);
    mk_free(&x);
}

static void defects_have_names_texts_and_an_order(void **state)
{
    (void)state;
    for (enum defect d = 0; d < DEFECT_N; d++) {
        assert_int_equal(defect_find(span_str(defect_name(d))), d);
        assert_true(strlen(defect_text(d)) > 10);
        if (d <= DEFECT_HANDSHAKE)
            assert_int_equal(defect_first((UINT32_C(1) << d) | BIT(HANDSHAKE)), d);
    }
    assert_int_equal(defect_find(SPAN("nonsense")), DEFECT_N);
    assert_int_equal(defect_first(0), DEFECT_N);
    assert_string_equal(defect_name(DEFECT_N), "none");
}

static double us_per_verify(struct made *leaf, const struct made *ca, const struct trust *t)
{
    enum { N = 500 };
    X509 *chain[] = {leaf->cert, ca->cert};
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < N; i++)
        assert_int_equal(judge(t, chain, 2, "www.site.test", NULL).defects, 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / N;
}

static void a_verdict_takes_well_under_a_millisecond(void **state)
{
    (void)state;
    struct made x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE)}, &inter);
    double ec = us_per_verify(&x, &inter, trust);
    mk_free(&x);
    struct made r = mk_cert(&(struct mk){.cn = "RSA root", .exts = ROOT_EXTS, .key = rsa2048}, NULL);
    struct made i = mk_cert(&(struct mk){.cn = "RSA intermediate", .exts = CA_EXTS, .key = rsa2048}, &r);
    struct trust *t = trust_of(&r.cert, 1);
    x = mk_cert(&(struct mk){.cn = "www.site.test", .exts = LEAF_EXTS(SITE), .key = rsa2048}, &i);
    double rsa_us = us_per_verify(&x, &i, t);
    print_message("verification: %.0f us of CPU for an ECDSA chain, %.0f us for an RSA chain\n", ec, rsa_us);
    assert_true(ec < 2000 && rsa_us < 2000);
    mk_free(&x);
    mk_free(&i);
    mk_free(&r);
    trust_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flaws_of_form_pass_on_the_anchor_alone),
        cmocka_unit_test(an_anchor_that_names_another_issuer_is_malformed),
        cmocka_unit_test(a_certificate_lives_through_its_last_second),
        cmocka_unit_test(a_way_that_leads_nowhere_is_not_the_only_one),
        cmocka_unit_test(an_intermediate_in_the_trust_file_is_an_anchor_when_no_root_is),
        cmocka_unit_test(flaws_of_form_count_on_a_root_that_was_only_sent),
        cmocka_unit_test(chains_out_of_all_bounds_are_refused_at_once),
        cmocka_unit_test(a_thousand_names_pass_and_ten_thousand_do_not),
        cmocka_unit_test(deep_shuffled_and_cross_signed_chains_pass),
        cmocka_unit_test(an_expired_cross_signature_does_no_harm),
        cmocka_unit_test(path_building_bombs_end_soon),
        cmocka_unit_test(a_chain_of_our_own_ca_is_named_even_when_it_is_trusted),
        cmocka_unit_test(bad_trust_stores_are_refused_with_a_line),
        cmocka_unit_test(the_verdict_carries_the_leafs_dates_and_hash),
        cmocka_unit_test(defects_have_names_texts_and_an_order),
        cmocka_unit_test(a_verdict_takes_well_under_a_millisecond),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
