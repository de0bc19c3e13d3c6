/* Chains that an origin may show: every kind of bad one is refused for its own reason, every good one passes.
 * The rows are those of the threat list, part A; each is built here with fresh keys. */
#include "tests/unit/certs/verify_world.h"

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
         .want = BIT(WRONG_NAME) | BIT(MALFORMED)},
        {.label = "a second SAN with a leading dot",
         .leaf = {.exts = LEAF_EXTS(SITE ",DNS:.site.test")},
         .want = BIT(MALFORMED)},
        {.label = "a second SAN with an empty label",
         .leaf = {.exts = LEAF_EXTS(SITE ",DNS:a..site.test")},
         .want = BIT(MALFORMED)},
        {.label = "SAN critical beside a subject",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=critical," SITE}},
         .want = BIT(MALFORMED)},
    };
    check_rows(rows, N_ELEMS(rows));
}

/* CA/Browser Forum BR 7.1.4.3: a copy of one of the names, an address in its one spelling. */
static void a_common_name_that_is_another_host_is_malformed(void **state)
{
    (void)state;
#define CN(text, san, result)                                               \
    {                                                                       \
        .label = text, .leaf = {.cn = text, .exts = LEAF_EXTS(san)},        \
        .ask_ip = strncmp(san, "IP:", 3) ? NULL : &(san)[3], .want = result \
    }
    const struct row rows[] = {
        CN("WWW.Site.test", SITE, BIT(MALFORMED)),
        CN("www.s\xc3\xaete.test", SITE, BIT(MALFORMED)),
        CN("*.site.test", SITE, BIT(MALFORMED)),
        CN("192.0.2.1", SITE, BIT(MALFORMED)),
        CN("0xC0000201", "IP:192.0.2.1", BIT(MALFORMED)),
        CN("192.0.002.001", "IP:192.0.2.1", BIT(MALFORMED)),
        CN("2001:DB8::1", "IP:2001:db8::1", BIT(MALFORMED)),
        CN("2001:db8:0:0:0:0:0:1", "IP:2001:db8::1", BIT(MALFORMED)),
        CN("2001:db8::2", "IP:2001:db8::1", BIT(MALFORMED)),
        CN("192.0.2.1", "IP:192.0.2.1", 0),
        CN("2001:db8::1", "IP:2001:db8::1", 0),
        CN("192.0.2.1", "DNS:192.0.2.1," SITE, 0),
        CN("0xkeeper", SITE, 0),
        CN("3232235777", SITE, 0),
        CN("Soci\xc3\xa9t\xc3\xa9 S.A.", SITE, 0),
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
        EKU("20 server and speaker on revocation", "serverAuth,OCSPSigning", BIT(PURPOSE)),
        EKU("20 server and time stamps", "serverAuth,timeStamping", BIT(PURPOSE)),
        EKU("20 server and precertificates", "serverAuth,1.3.6.1.4.1.11129.2.4.4", BIT(PURPOSE)),
        EKU("20 server and code signing", "serverAuth,codeSigning", 0),
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

static void broken_pointers_and_policies_are_named(void **state)
{
    (void)state;
    const struct row rows[] = {
        {.label = "authority access that does not parse",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "1.3.6.1.5.5.7.1.1=DER:6d616c"}},
         .want = BIT(MALFORMED)},
        {.label = "authority access to nowhere",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "1.3.6.1.5.5.7.1.1=DER:3000"}},
         .want = BIT(MALFORMED)},
        {.label = "authority access without a place",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "1.3.6.1.5.5.7.1.1=DER:300c300a06082b06010505073002"}},
         .want = BIT(MALFORMED)},
        {.label = "authority access",
         .leaf = {.exts = {LEAF_FORM, "extendedKeyUsage=serverAuth", "subjectAltName=" SITE,
                           "authorityInfoAccess=OCSP;URI:http://o.test/,caIssuers;URI:http://i.test/"}}},
        {.label = "policy constraints that may be passed over",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                            "policyConstraints=requireExplicitPolicy:3"}},
         .want = BIT(MALFORMED)},
        {.label = "policy constraints",
         .inter = {.exts = {"basicConstraints=critical,CA:TRUE", CA_FORM,
                            "policyConstraints=critical,requireExplicitPolicy:3"}}},
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
        {.label = "19 leading dot in the root's constraints",
         .root = {.exts = {"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign",
                           "subjectKeyIdentifier=hash", "nameConstraints=critical,permitted;DNS:.site.test"}},
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
        {.label = "32 upper case in the SAN",
         .leaf = {.cn = "WWW.Site.TEST", .exts = LEAF_EXTS("DNS:WWW.Site.TEST")}},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_dates_are_named),
        cmocka_unit_test(wrong_names_are_named),
        cmocka_unit_test(a_common_name_that_is_another_host_is_malformed),
        cmocka_unit_test(wildcards_cover_one_whole_label_and_no_public_suffix),
        cmocka_unit_test(addresses_match_only_as_addresses),
        cmocka_unit_test(issuers_that_are_none_are_named),
        cmocka_unit_test(wrong_purposes_are_named),
        cmocka_unit_test(broken_forms_are_named),
        cmocka_unit_test(broken_pointers_and_policies_are_named),
        cmocka_unit_test(weak_keys_and_signatures_are_named),
        cmocka_unit_test(name_constraints_are_enforced_and_malformed_ones_refused),
        cmocka_unit_test(good_chains_pass),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
