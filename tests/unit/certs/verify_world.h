/* For the tests of certs/verify: a good root, intermediate and leaf, made once; each row of a test replaces a
 * part and says what must be found. */
#ifndef TESTS_UNIT_CERTS_VERIFY_WORLD_H
#define TESTS_UNIT_CERTS_VERIFY_WORLD_H

#include "certs/verify.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "tests/unit/certs/verify_help.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"

#define BIT(x) DEFECT_BIT(x)
#define SITE   "DNS:www.site.test"

/* One row. A part whose cn is set replaces the good one of the world. */
struct row {
    const char *label;
    struct mk leaf, inter, root;
    const char *ask, *ask_ip;
    uint32_t want;
    bool no_inter, strange_root, no_leaf_issuer;
};

static struct made root, inter, other_root;
static EVP_PKEY *rsa2048, *rsa1024, *rsa[8], *dsa_like, *p224, *ed25519;
static struct trust *trust;

static inline struct cert_verdict judge(const struct trust *t, X509 *const *certs, size_t n, const char *name,
                                        const char *ip)
{
    struct cert_verdict v;
    struct addr a;
    STACK_OF(X509) *sk = sk_X509_new_null();
    for (size_t i = 0; i < n; i++)
        sk_X509_push(sk, certs[i]);
    if (ip)
        assert_true(addr_parse(span_str(ip), &a));
    assert_int_equal(verify_chain(t, sk, ip ? SPAN_NONE : span_str(name), ip ? &a : NULL, NOW, &v), RC_OK);
    sk_X509_free(sk);
    return v;
}

static inline struct mk with_defaults(struct mk m, const struct mk *dflt)
{
    if (!m.cn)
        m.cn = dflt->cn;
    else if (m.cn[0] == '\0')
        m.cn = NULL;
    if (!m.exts[0])
        memcpy(m.exts, dflt->exts, sizeof m.exts);
    return m;
}

static inline bool is_set(const struct mk *m)
{
    return m->cn || m->exts[0] || m->key || m->md || m->from || m->to || m->version || m->breaks_signature ||
           m->serial;
}

static inline struct cert_verdict judge_row(const struct row *r)
{
    static const struct mk leaf = {.cn = "www.site.test", .exts = LEAF_EXTS(SITE)};
    static const struct mk ca = {.cn = "Intermediate", .exts = CA_EXTS};
    static const struct mk top = {.cn = "Another root", .exts = ROOT_EXTS};
    struct mk lm = with_defaults(r->leaf, &leaf), im = with_defaults(r->inter, &ca),
              rm = with_defaults(r->root, &top);
    struct made rt = {0}, in = {0}, lf;
    struct trust *t = trust;
    const struct made *by_root = &root, *by = &inter;
    if (is_set(&r->root) || r->strange_root) {
        rt = mk_cert(&rm, NULL);
        by_root = &rt;
        t = r->strange_root ? trust : trust_of(&rt.cert, 1);
    }
    if (is_set(&r->inter) || by_root != &root) {
        in = mk_cert(&im, by_root);
        by = &in;
    }
    if (r->no_inter)
        by = by_root;
    lf = mk_cert(&lm, r->no_leaf_issuer ? NULL : by);
    X509 *chain[] = {lf.cert, by->cert};
    struct cert_verdict v = judge(t, chain, r->no_inter || r->no_leaf_issuer ? 1 : 2,
                                  r->ask ? r->ask : "www.site.test", r->ask_ip);
    mk_free(&lf);
    mk_free(&in);
    mk_free(&rt);
    if (t != trust)
        trust_free(t);
    return v;
}

/* OpenSSL 3.5 signs no certificate of version 1 that has extensions: it makes it one of version 3. */
static inline bool makes_version_1(void)
{
    const struct mk old = {.cn = "old", .version = 1, .exts = {"1.2.3.4=DER:0500"}};
    struct made m = mk_cert(&old, NULL);
    bool made = X509_get_version(m.cert) == X509_VERSION_1;
    mk_free(&m);
    return made;
}

static inline void check_rows(const struct row *rows, size_t n)
{
    unsigned wrong = 0;
    char got[256], want[256];
    for (size_t i = 0; i < n; i++) {
        if ((rows[i].leaf.version || rows[i].inter.version || rows[i].root.version) && !makes_version_1())
            continue;
        struct cert_verdict v = judge_row(&rows[i]);
        if (v.defects == rows[i].want)
            continue;
        defects_text(v.defects, got);
        defects_text(rows[i].want, want);
        print_message("%s: got [%s] (%d at %d), want [%s]\n", rows[i].label, got, v.x509_error, v.depth,
                      want);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static inline int setup(void **state)
{
    static const struct mk r = {.cn = "Good root", .exts = ROOT_EXTS, .to = 3000 * DAY};
    static const struct mk i = {.cn = "Good intermediate", .exts = CA_EXTS, .to = 1000 * DAY};
    (void)state;
    root = mk_cert(&r, NULL);
    other_root = mk_cert(&r, NULL);
    inter = mk_cert(&i, &root);
    trust = trust_of(&root.cert, 1);
    rsa2048 = EVP_RSA_gen(2048);
    rsa1024 = EVP_RSA_gen(1024);
    p224 = EVP_EC_gen("P-224");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const int bits[] = {512, 768, 1024, 2047, 2049, 4096, 8192, 16384};
    for (size_t k = 0; k < N_ELEMS(bits); k++)
        rsa[k] = mk_rsa_public(bits[k], 65537);
    dsa_like = mk_rsa_public(2048, 1);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    mk_free(&root);
    mk_free(&inter);
    mk_free(&other_root);
    trust_free(trust);
    EVP_PKEY_free(rsa2048);
    EVP_PKEY_free(rsa1024);
    EVP_PKEY_free(p224);
    EVP_PKEY_free(ed25519);
    EVP_PKEY_free(dsa_like);
    for (size_t k = 0; k < N_ELEMS(rsa); k++)
        EVP_PKEY_free(rsa[k]);
    return 0;
}

#endif
