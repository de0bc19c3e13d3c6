/* Chains that an origin may show: every kind of bad one is refused for its own reason, every good one passes.
 * The rows are those of the threat list, part A; each is built here with fresh keys. */
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

static struct cert_verdict judge(const struct trust *t, X509 *const *certs, size_t n, const char *name,
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

static struct mk with_defaults(struct mk m, const struct mk *dflt)
{
    if (!m.cn)
        m.cn = dflt->cn;
    else if (m.cn[0] == '\0')
        m.cn = NULL;
    if (!m.exts[0])
        memcpy(m.exts, dflt->exts, sizeof m.exts);
    return m;
}

static bool is_set(const struct mk *m)
{
    return m->cn || m->exts[0] || m->key || m->md || m->from || m->to || m->version || m->breaks_signature ||
           m->serial;
}

static struct cert_verdict judge_row(const struct row *r)
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
static bool makes_version_1(void)
{
    const struct mk old = {.cn = "old", .version = 1, .exts = {"1.2.3.4=DER:0500"}};
    struct made m = mk_cert(&old, NULL);
    bool made = X509_get_version(m.cert) == X509_VERSION_1;
    mk_free(&m);
    return made;
}

static void check_rows(const struct row *rows, size_t n)
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

static int setup(void **state)
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

static int teardown(void **state)
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

static void bad_dates_are_named(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "1 expired yesterday", .leaf = {.from = -90 * DAY, .to = -DAY}, .want = BIT(EXPIRED)},
        {.label = "1 expired in 2015",
         .leaf = {.from = -4200 * DAY, .to = -4000 * DAY},
         .want = BIT(EXPIRED)},
        {.label = "1 expired a second ago", .leaf = {.to = -1}, .want = BIT(EXPIRED)},
        {.label = "2 not yet valid", .leaf = {.from = DAY, .to = 2 * DAY}, .want = BIT(NOT_YET_VALID)},
        {.label = "2 ends before it begins",
         .leaf = {.from = 2 * DAY, .to = DAY},
         .want = BIT(NOT_YET_VALID) | BIT(MALFORMED)},
        {.label = "3 expired intermediate", .inter = {.from = -90 * DAY, .to = -DAY}, .want = BIT(EXPIRED)},
        {.label = "3 intermediate not yet valid", .inter = {.from = DAY}, .want = BIT(NOT_YET_VALID)},
        {.label = "expired root", .root = {.from = -90 * DAY, .to = -DAY}, .want = BIT(EXPIRED)},
        {.label = "expired and of another name",
         .leaf = {.exts = LEAF_EXTS("DNS:other.test"), .cn = "other.test", .from = -90 * DAY, .to = -DAY},
         .want = BIT(EXPIRED) | BIT(WRONG_NAME)},
        {.label = "expired, another name and unknown issuer",
         .leaf = {.exts = LEAF_EXTS("DNS:other.test"), .cn = "other.test", .from = -90 * DAY, .to = -DAY},
         .strange_root = true,
         .want = BIT(EXPIRED) | BIT(WRONG_NAME) | BIT(UNKNOWN_ISSUER)},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void wrong_names_are_named(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "4 wrong host", .ask = "www.other.test", .want = BIT(WRONG_NAME)},
        {.label = "4 parent domain", .ask = "site.test", .want = BIT(WRONG_NAME)},
        {.label = "4 child domain", .ask = "a.www.site.test", .want = BIT(WRONG_NAME)},
        {.label = "4 suffix of the name", .ask = "xwww.site.test", .want = BIT(WRONG_NAME)},
        {.label = "5 CN right, SAN other",
         .leaf = {.exts = LEAF_EXTS("DNS:other.test")},
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "6 CN only, no SAN",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth"}},
         .want = BIT(WRONG_NAME)},
        {.label = "10 SAN of other types only",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("email:a@www.site.test,URI:https://www.site.test/")},
         .want = BIT(WRONG_NAME)},
        {.label = "CN names a host that the SAN does not",
         .leaf = {.cn = "bank.test", .exts = LEAF_EXTS(SITE)},
         .want = BIT(MALFORMED)},
        {.label = "8 NUL in the SAN",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth",
                           "2.5.29.17=DER:301782157777772e736974652e746573740078782e74657374"}},
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "8 NUL in a second SAN",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth",
                           "2.5.29.17=DER:3017820d7777772e736974652e746573748206610062630064"}},
         .want = BIT(MALFORMED)},
        {.label = "35 CR LF in the SAN",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth",
                           "2.5.29.17=DER:300a820861620d0a632e6465"}},
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "8-bit bytes in the SAN",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth",
                           "2.5.29.17=DER:300a8208c3a92e74657374ff"}},
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "empty SAN",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "2.5.29.17=DER:3000"}},
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "SAN with a trailing dot",
         .leaf = {.exts = LEAF_EXTS("DNS:www.site.test.")},
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "SAN with a leading dot",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("DNS:.site.test")},
         .want = BIT(WRONG_NAME)},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void wildcards_cover_one_whole_label_and_no_public_suffix(void **state)
{
    (void)state;
#define WILD(text, san, host, result)                                                                \
    {                                                                                                \
        .label = text, .leaf = {.cn = "A site", .exts = LEAF_EXTS(san)}, .ask = host, .want = result \
    }
    const struct row rows[] = {
        WILD("7 one label", "DNS:*.site.test", "www.site.test", 0),
        WILD("7 two labels", "DNS:*.site.test", "a.www.site.test", BIT(WRONG_NAME)),
        WILD("7 apex", "DNS:*.site.test", "site.test", BIT(WRONG_NAME)),
        WILD("7 bare", "DNS:*", "www.site.test", BIT(WRONG_NAME)),
        WILD("7 bare for one label", "DNS:*", "intranet", BIT(WRONG_NAME)),
        WILD("7 over a top-level domain", "DNS:*.test", "site.test", BIT(WRONG_NAME)),
        WILD("7 over .com", "DNS:*.com", "site.com", BIT(WRONG_NAME)),
        WILD("7 over a public suffix", "DNS:*.co.uk", "site.co.uk", BIT(WRONG_NAME)),
        WILD("7 over a private suffix", "DNS:*.github.io", "site.github.io", BIT(WRONG_NAME)),
        WILD("7 below a public suffix", "DNS:*.site.co.uk", "www.site.co.uk", 0),
        WILD("7 middle", "DNS:www.*.test", "www.site.test", BIT(WRONG_NAME)),
        WILD("7 partial before", "DNS:w*.site.test", "www.site.test", BIT(WRONG_NAME)),
        WILD("7 partial after", "DNS:*w.site.test", "www.site.test", BIT(WRONG_NAME)),
        WILD("7 twice", "DNS:*.*.test", "www.site.test", BIT(WRONG_NAME)),
        WILD("7 doubled star", "DNS:**.site.test", "www.site.test", BIT(WRONG_NAME)),
        WILD("7 upper case", "DNS:*.SITE.Test", "www.site.test", 0),
        WILD("7 in punycode", "DNS:xn--*.site.test", "xn--a.site.test", BIT(WRONG_NAME)),
        WILD("a punycode label under one", "DNS:*.site.test", "xn--mnchen-3ya.site.test", 0),
    };
    check_rows(rows, N_ELEMS(rows));
}

static void addresses_match_only_as_addresses(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "9 right IPv4",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("IP:192.0.2.1")},
         .ask_ip = "192.0.2.1"},
        {.label = "9 right IPv6",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("IP:2001:db8::1")},
         .ask_ip = "2001:db8::1"},
        {.label = "9 wrong IP",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("IP:192.0.2.2")},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME)},
        {.label = "9 IP as dNSName",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("DNS:192.0.2.1")},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME)},
        {.label = "9 IP in CN",
         .leaf = {.cn = "192.0.2.1", .exts = LEAF_EXTS("DNS:x.test")},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "9 hex IPv4 in CN",
         .leaf = {.cn = "0xC0000201", .exts = {LEAF_FORM, "extendedKeyUsage=serverAuth"}},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME)},
        {.label = "9 wildcard for an IP",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("DNS:*.0.2.1")},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME)},
        {.label = "9 v4 asked, v4-mapped v6 in the SAN",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("IP:::ffff:192.0.2.1")},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME)},
        {.label = "name asked, SAN has the address only",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("IP:192.0.2.1")},
         .want = BIT(WRONG_NAME)},
        {.label = "iPAddress of five bytes",
         .leaf = {.cn = "A site",
                  .exts = {LEAF_FORM, "extendedKeyUsage=serverAuth",
                           "2.5.29.17=critical,DER:30078705c000020100"}},
         .ask_ip = "192.0.2.1",
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "CN is the address and the SAN too",
         .leaf = {.cn = "192.0.2.1", .exts = LEAF_EXTS("IP:192.0.2.1")},
         .ask_ip = "192.0.2.1"},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void issuers_that_are_none_are_named(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "11 self-signed leaf",
         .no_leaf_issuer = true,
         .leaf = {.exts = {"basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                           "subjectKeyIdentifier=hash", "extendedKeyUsage=serverAuth",
                           "subjectAltName=" SITE}},
         .want = BIT(SELF_SIGNED)},
        {.label = "13 unknown root", .strange_root = true, .want = BIT(UNKNOWN_ISSUER)},
        {.label = "12 unknown root with the name of a trusted one",
         .root = {.cn = "Good root"},
         .strange_root = true,
         .want = BIT(UNKNOWN_ISSUER)},
        {.label = "14 missing intermediate",
         .strange_root = true,
         .no_inter = true,
         .want = BIT(UNKNOWN_ISSUER)},
        {.label = "16 wrong signature on the leaf",
         .leaf = {.breaks_signature = true},
         .want = BIT(BAD_SIGNATURE)},
        {.label = "16 wrong signature on the intermediate",
         .inter = {.breaks_signature = true},
         .want = BIT(BAD_SIGNATURE)},
        {.label = "17 issued by a leaf",
         .inter = {.exts = LEAF_EXTS("DNS:other.test"), .cn = "other.test"},
         .want = BIT(CONSTRAINT)},
        {.label = "17 intermediate without basicConstraints",
         .inter = {.exts = {CA_FORM}},
         .want = BIT(CONSTRAINT) | BIT(MALFORMED)},
        {.label = "17 intermediate of version 1",
         .inter = {.version = 1, .exts = {"1.2.3.4=DER:0500"}},
         .leaf = {.exts = {"basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                           "subjectKeyIdentifier=hash", RAW_AKI, "extendedKeyUsage=serverAuth",
                           "subjectAltName=" SITE}},
         .want = BIT(CONSTRAINT) | BIT(MALFORMED)},
        {.label = "17 intermediate without keyCertSign",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,digitalSignature",
                            "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"}},
         .want = BIT(CONSTRAINT)},
        {.label = "21 intermediate with cRLSign only",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,cRLSign",
                            "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid"}},
         .want = BIT(CONSTRAINT)},
        {.label = "18 path length of the root",
         .root = {.exts = {"basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign",
                           "subjectKeyIdentifier=hash"}},
         .want = BIT(CONSTRAINT)},
        {.label = "path length of the root respected",
         .root = {.exts = {"basicConstraints=critical,CA:TRUE,pathlen:1", "keyUsage=critical,keyCertSign",
                           "subjectKeyIdentifier=hash"}}},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void wrong_purposes_are_named(void **state)
{
    (void)state;
#define EKU(text, eku, result)                                                                         \
    {                                                                                                  \
        .label = text, .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=" eku, "subjectAltName=" SITE}}, \
        .want = result                                                                                 \
    }
    const struct row rows[] = {
        EKU("20 client only", "clientAuth", BIT(PURPOSE)),
        EKU("20 code signing", "codeSigning", BIT(PURPOSE)),
        EKU("20 any purpose", "anyExtendedKeyUsage", BIT(PURPOSE)),
        EKU("20 server gated crypto", "msSGC", BIT(PURPOSE)),
        EKU("20 server and client", "serverAuth,clientAuth", 0),
        {.label = "20 no EKU at all",
         .leaf = {.exts = {LEAF_FORM, "subjectAltName=" SITE}},
         .want = BIT(PURPOSE)},
        {.label = "20 intermediate for email only",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                            "extendedKeyUsage=emailProtection"}},
         .want = BIT(PURPOSE)},
        {.label = "20 intermediate for servers",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM, "extendedKeyUsage=serverAuth"}}},
        {.label = "leaf is a CA",
         .leaf = {.exts = {"basicConstraints=critical,CA:TRUE",
                           "keyUsage=critical,digitalSignature,keyCertSign", "subjectKeyIdentifier=hash",
                           "authorityKeyIdentifier=keyid", "extendedKeyUsage=serverAuth",
                           "subjectAltName=" SITE}},
         .want = BIT(PURPOSE)},
        {.label = "key usage forbids signing",
         .leaf = {.exts = {"basicConstraints=critical,CA:FALSE", "keyUsage=critical,cRLSign",
                           "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid",
                           "extendedKeyUsage=serverAuth", "subjectAltName=" SITE}},
         .want = BIT(PURPOSE)},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void broken_forms_are_named(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "22 unknown critical extension on the leaf",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "1.2.3.4=critical,DER:0500"}},
         .want = BIT(MALFORMED)},
        {.label = "22 unknown critical extension on the intermediate",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM, "1.2.3.4=critical,DER:0500"}},
         .want = BIT(MALFORMED)},
        {.label = "22 unknown extension, not critical",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "1.2.3.4=DER:0500"}}},
        {.label = "22 two SANs",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "subjectAltName=" SITE}},
         .want = BIT(MALFORMED) | BIT(UNKNOWN_ISSUER) | BIT(PURPOSE)},
        {.label = "22 two basicConstraints",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "basicConstraints=critical,CA:TRUE",
                            CA_FORM}},
         .want = BIT(UNKNOWN_ISSUER)}, /* it is no issuer at all */
        {.label = "22 an unknown extension twice",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "1.2.3.4=DER:0500", "1.2.3.4=DER:0500"}},
         .want = BIT(MALFORMED)},
        {.label = "negative serial number", .leaf = {.serial = "-5"}, .want = BIT(MALFORMED)},
        {.label = "serial number of 21 octets",
         .leaf = {.serial =
                      "730750818665451459101842416358141509827966271488"}, /* 2^159: 20 octets and a sign */
         .want = BIT(MALFORMED)},
        {.label = "serial number of 20 octets",
         .leaf = {.serial = "730750818665451459101842416358141509827966271487"}},
        {.label = "serial number zero", .leaf = {.serial = "0"}},
        {.label = "leaf of version 1", .leaf = {.version = 1}, .want = BIT(MALFORMED)},
        {.label = "intermediate's basicConstraints not critical",
         .inter = {.exts = {"basicConstraints=CA:TRUE", CA_FORM}},
         .want = BIT(MALFORMED)},
        {.label = "intermediate without subject key identifier",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                            "authorityKeyIdentifier=keyid"}},
         .leaf = {.exts = {"basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                           "subjectKeyIdentifier=hash", RAW_AKI, "extendedKeyUsage=serverAuth",
                           "subjectAltName=" SITE}},
         .want = BIT(MALFORMED)},
        {.label = "intermediate without key usage",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash",
                            "authorityKeyIdentifier=keyid"}},
         .want = BIT(MALFORMED)},
        {.label = "leaf without authority key identifier",
         .leaf = {.exts = {"basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                           "subjectKeyIdentifier=hash", "extendedKeyUsage=serverAuth",
                           "subjectAltName=" SITE}},
         .want = BIT(MALFORMED)},
        {.label = "empty subject, SAN not critical",
         .leaf = {.cn = "", .exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE}},
         .want = BIT(MALFORMED)},
        {.label = "empty subject, SAN critical",
         .leaf = {.cn = "",
                  .exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=critical," SITE}}},
        {.label = "35 script and line breaks in the subject",
         .leaf = {.cn = "<script>alert(1)</script>\r\nX: y", .exts = LEAF_EXTS("DNS:other.test")},
         .want = BIT(WRONG_NAME)},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void weak_keys_and_signatures_are_named(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "23 RSA 512", .leaf = {.key = rsa[0]}, .want = BIT(WEAK_KEY)},
        {.label = "23 RSA 768", .leaf = {.key = rsa[1]}, .want = BIT(WEAK_KEY)},
        {.label = "23 RSA 1024", .leaf = {.key = rsa[2]}, .want = BIT(WEAK_KEY)},
        {.label = "23 RSA 2047", .leaf = {.key = rsa[3]}, .want = BIT(WEAK_KEY)},
        {.label = "23 RSA 2049, not whole bytes", .leaf = {.key = rsa[4]}, .want = BIT(WEAK_KEY)},
        {.label = "32 RSA 4096", .leaf = {.key = rsa[5]}},
        {.label = "33 RSA 8192", .leaf = {.key = rsa[6]}},
        {.label = "33 RSA 16384", .leaf = {.key = rsa[7]}, .want = BIT(WEAK_KEY)},
        {.label = "RSA with exponent 1", .leaf = {.key = dsa_like}, .want = BIT(WEAK_KEY)},
        {.label = "P-224", .leaf = {.key = p224}, .want = BIT(WEAK_KEY)},
        {.label = "Ed25519", .leaf = {.key = ed25519}},
        {.label = "23 RSA 1024 intermediate", .inter = {.key = rsa1024}, .want = BIT(WEAK_KEY)},
        {.label = "24 MD5 on the leaf",
         .inter = {.key = rsa2048},
         .leaf = {.md = "MD5"},
         .want = BIT(WEAK_SIGNATURE)},
        {.label = "24 SHA-1 on the leaf",
         .inter = {.key = rsa2048},
         .leaf = {.md = "SHA1"},
         .want = BIT(WEAK_SIGNATURE)},
        {.label = "24 SHA-1 with ECDSA on the leaf", .leaf = {.md = "SHA1"}, .want = BIT(WEAK_SIGNATURE)},
        {.label = "24 SHA-1 on the intermediate", .inter = {.md = "SHA1"}, .want = BIT(WEAK_SIGNATURE)},
        {.label = "24 MD5 on the intermediate",
         .root = {.key = rsa2048},
         .inter = {.md = "MD5"},
         .want = BIT(WEAK_SIGNATURE)},
        {.label = "SHA-1 on the root's own signature", .root = {.key = rsa2048, .md = "SHA1"}},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void name_constraints_are_enforced_and_malformed_ones_refused(void **state)
{
    (void)state;
#define NC(text, value, result)                                          \
    {                                                                    \
        .label = text,                                                   \
        .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM, \
                           "nameConstraints=critical," value}},          \
        .want = result                                                   \
    }
    const struct row rows[] = {
        NC("19 permitted", "permitted;DNS:site.test", 0),
        NC("19 outside the permitted", "permitted;DNS:other.test", BIT(CONSTRAINT)),
        NC("19 excluded", "excluded;DNS:site.test", BIT(CONSTRAINT)),
        NC("19 excluded exactly", "excluded;DNS:www.site.test", BIT(CONSTRAINT)),
        NC("19 excluded elsewhere", "excluded;DNS:other.test", 0),
        NC("19 permitted and excluded", "permitted;DNS:site.test,excluded;DNS:www.site.test",
           BIT(CONSTRAINT)),
        NC("19 wildcard in the constraint", "permitted;DNS:*.site.test", BIT(CONSTRAINT)),
        NC("19 leading dot", "permitted;DNS:.site.test", BIT(CONSTRAINT)),
        NC("19 addresses permitted, none in the leaf", "permitted;IP:192.0.2.0/255.255.255.0", 0),
        NC("19 mask with a hole", "permitted;IP:192.0.2.0/255.0.255.0", BIT(CONSTRAINT)),
        {.label = "19 IP outside the permitted",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("IP:198.51.100.1")},
         .ask_ip = "198.51.100.1",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                            "nameConstraints=critical,permitted;IP:192.0.2.0/255.255.255.0"}},
         .want = BIT(CONSTRAINT)},
        {.label = "19 CN outside what is permitted, SAN inside",
         .leaf = {.cn = "www.other.test", .exts = LEAF_EXTS(SITE)},
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                            "nameConstraints=critical,permitted;DNS:site.test"}},
         .want = BIT(MALFORMED)},
        {.label = "19 constraints in a leaf",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "nameConstraints=critical,permitted;DNS:site.test"}},
         .want = BIT(CONSTRAINT)},
        {.label = "19 empty constraints",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM, "2.5.29.30=critical,DER:3000"}},
         .want = BIT(CONSTRAINT)},
        {.label = "19 an empty list of permitted names beside excluded ones",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                            "2.5.29.30=critical,DER:300ea000a10a300882066f2e74657374"}},
         .want = BIT(CONSTRAINT)},
        {.label = "19 the root's constraints count",
         .root = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                           "subjectKeyIdentifier=hash", "nameConstraints=critical,permitted;DNS:other.test"}},
         .want = BIT(CONSTRAINT)},
    };
    check_rows(rows, N_ELEMS(rows));
}

static void good_chains_pass(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "32 ECDSA"},
        {.label = "32 RSA-2048", .leaf = {.key = rsa2048}, .inter = {.key = rsa2048}},
        {.label = "32 directly under the root", .no_inter = true},
        {.label = "32 IDN",
         .leaf = {.cn = "xn--lige-6oa.test.example", .exts = LEAF_EXTS("DNS:xn--lige-6oa.test.example")},
         .ask = "xn--lige-6oa.test.example"},
        {.label = "32 upper case in the SAN", .leaf = {.exts = LEAF_EXTS("DNS:WWW.Site.TEST")}},
        {.label = "32 free text as CN", .leaf = {.cn = "Our web server", .exts = LEAF_EXTS(SITE)}},
        {.label = "32 several names",
         .leaf = {.exts = LEAF_EXTS("DNS:a.test,IP:192.0.2.1,email:a@b.test," SITE)}},
        {.label = "32 underscore",
         .leaf = {.cn = "A site", .exts = LEAF_EXTS("DNS:a_b.site.test")},
         .ask = "a_b.site.test"},
        {.label = "valid from this second", .leaf = {.from = -1}},
    };
    check_rows(rows, N_ELEMS(rows));
}

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
        cmocka_unit_test(bad_dates_are_named),
        cmocka_unit_test(wrong_names_are_named),
        cmocka_unit_test(wildcards_cover_one_whole_label_and_no_public_suffix),
        cmocka_unit_test(addresses_match_only_as_addresses),
        cmocka_unit_test(issuers_that_are_none_are_named),
        cmocka_unit_test(wrong_purposes_are_named),
        cmocka_unit_test(broken_forms_are_named),
        cmocka_unit_test(weak_keys_and_signatures_are_named),
        cmocka_unit_test(name_constraints_are_enforced_and_malformed_ones_refused),
        cmocka_unit_test(good_chains_pass),
        cmocka_unit_test(flaws_of_form_pass_on_the_anchor_alone),
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
