/* An origin's names; see verify.h and threats A 4-10.
 *
 * They are matched here and not by OpenSSL: one walk over the subjectAltName, dNSName for names and iPAddress
 * for addresses only, wildcards by RFC 9525 section 6.3 and the public suffix list, the common name never. */
#include <openssl/x509v3.h>

#include "certs/names.h"
#include "certs/verify_int.h"
#include "gw/base/limits.h"

/* NUL, control characters, space and 8-bit bytes: whoever put them there wanted somebody to read the name
 * differently. A dot in front, or two in a row: a constraint that permits what lies below a name would permit
 * that too. */
static bool host_in_order(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        bool empty_label = s.p[i] == '.' && (i == 0 || s.p[i - 1] == '.');
        if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || empty_label)
            return false;
    }
    return s.n != 0;
}

static bool covers(const GENERAL_NAME *g, span name, const struct addr *ip)
{
    if (g->type == GEN_DNS && !ip)
        return names_match(asn1_span(g->d.dNSName), name);
    if (g->type == GEN_IPADD && ip)
        return span_eq(asn1_span(g->d.iPAddress), span_of(ip->b, ip->family == 4 ? 4 : 16));
    return false;
}

bool verify_covers(X509 *leaf, span host)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
        found = covers(sk_GENERAL_NAME_value(names, i), host, NULL);
    GENERAL_NAMES_free(names);
    return found;
}

static bool in_order(const GENERAL_NAME *g)
{
    if (g->type == GEN_DNS)
        return host_in_order(asn1_span(g->d.dNSName));
    if (g->type == GEN_IPADD)
        return ASN1_STRING_length(g->d.iPAddress) == 4 || ASN1_STRING_length(g->d.iPAddress) == 16;
    return true;
}

static bool is_among(const GENERAL_NAMES *names, span text, const struct addr *ip)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if ((g->type == GEN_DNS && span_eq(asn1_span(g->d.dNSName), text)) ||
            (ip && covers(g, SPAN_NONE, ip)))
            return true;
    }
    return false;
}

/* Does a text stand for a host, as people write one, in ASCII or not? Words with a space, or without a dot,
 * do not. */
static bool looks_like_host(span s)
{
    uint8_t ascii[LIM_NAME_BYTES];
    if (s.n > sizeof ascii || span_find(s, '.', 0) == SIZE_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        ascii[i] = s.p[i] < 0x80 ? s.p[i] : 'x';
    return names_san_ok(span_of(ascii, s.n));
}

/* One common name, in whatever kind of string it comes. An address has one spelling (RFC 3986 section 3.2.2,
 * RFC 5952 section 4), and a host name is a copy of one of the names, letter for letter. */
static bool contradicts(const ASN1_STRING *cn, const GENERAL_NAMES *names)
{
    uint8_t *text = NULL;
    char canonical[ADDR_TEXT];
    struct addr a;
    int n = ASN1_STRING_to_UTF8(&text, cn);
    span s = span_of(text, n > 0 ? (size_t)n : 0);
    bool another = false;
    if (addr_parse(s, &a))
        another = !span_eq(s, span_str(addr_text(&a, canonical))) || !is_among(names, s, &a);
    else if (looks_like_host(s) || (span_has_prefix(s, SPAN("0x")) && addr_parse_loose_v4(s, &a)))
        another = !is_among(names, s, NULL);
    OPENSSL_free(text);
    return another;
}

/* A common name that is a host name must be among the names too (CA/Browser Forum BR 7.1.4.3): a certificate
 * that says one thing to readers of the old field and another to readers of the new one is refused. */
static bool common_name_contradicts(X509 *leaf, const GENERAL_NAMES *names)
{
    X509_NAME *subject = X509_get_subject_name(leaf);
    int at = -1;
    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
        if (contradicts(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), names))
            return true;
    }
    return false;
}

void verify_own_names(X509 *leaf, span name, const struct addr *ip, uint32_t *defects)
{
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, &critical, NULL);
    bool found = false;
    if (!names) {
        defects_add(defects, critical == -1 ? DEFECT_WRONG_NAME : DEFECT_MALFORMED);
        return;
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (!in_order(g))
            defects_add(defects, DEFECT_MALFORMED);
        found = found || covers(g, name, ip);
    }
    if (!found)
        defects_add(defects, DEFECT_WRONG_NAME);
    /* BR 7.1.2.7.12: critical where there is no subject, and only there. OpenSSL looks at the one half. */
    bool needless = critical == 1 && X509_NAME_entry_count(X509_get_subject_name(leaf)) > 0;
    if (needless || common_name_contradicts(leaf, names))
        defects_add(defects, DEFECT_MALFORMED);
    GENERAL_NAMES_free(names);
}
