/* Our own checks on top of OpenSSL's: purpose, keys, form, and our own CA; see verify.h and threats A 17-24,
 * 29. Names: verify_names.c. */
#include <openssl/core_names.h>
#include <openssl/x509v3.h>

#include "certs/der.h"
#include "certs/derin.h"
#include "certs/names.h"
#include "certs/verify_int.h"
#include "gw/base/obj.h"

enum { EXTENSIONS_MAX = 64, RSA_BITS_MAX = 8192, CONSTRAINTS_TRIED = 1 << 20 };

/* A key that speaks for an authority, on who is revoked (RFC 6960 section 4.2.2.2), on what will be issued
 * (RFC 6962 section 3.1) or on the time (RFC 3161 section 2.3), is kept for that: no server has it. */
static bool has_another_office(X509 *leaf)
{
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(leaf, NID_ext_key_usage, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_ASN1_OBJECT_num(list); i++) {
        int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(list, i));
        found |= nid == NID_OCSP_sign || nid == NID_ct_precert_signer || nid == NID_time_stamp;
    }
    EXTENDED_KEY_USAGE_free(list);
    return found;
}

/* serverAuth has to be said: neither silence nor anyExtendedKeyUsage is enough (CA/Browser Forum
 * BR 7.1.2.7.10). */
static void check_purpose(X509 *leaf, uint32_t *defects)
{
    uint32_t flags = X509_get_extension_flags(leaf);
    if (flags & EXFLAG_CA)
        defects_add(defects, DEFECT_PURPOSE);
    if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(leaf) & XKU_SSL_SERVER) ||
        has_another_office(leaf))
        defects_add(defects, DEFECT_PURPOSE);
    if (X509_get_ext_by_NID(leaf, NID_name_constraints, -1) >= 0)
        defects_add(defects, DEFECT_CONSTRAINT); /* RFC 5280 section 4.2.1.10: only in a CA certificate */
}

void verify_own_leaf(X509 *leaf, span name, const struct addr *ip, uint32_t *defects)
{
    check_purpose(leaf, defects);
    verify_own_names(leaf, name, ip, defects);
}

/* ---- keys and form */

static bool rsa_ok(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    BIGNUM *e = NULL;
    bool ok = bits >= 2048 && bits % 8 == 0 && bits <= RSA_BITS_MAX &&
              EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) && !BN_is_one(e) &&
              BN_num_bits(e) <= 64;
    BN_free(e);
    return ok;
}

static bool ec_ok(EVP_PKEY *key)
{
    char group[32];
    size_t n = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &n) != 1)
        return false;
    span g = span_of(group, n);
    return span_eq(g, SPAN("prime256v1")) || span_eq(g, SPAN("secp384r1")) || span_eq(g, SPAN("secp521r1"));
}

static bool key_ok(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!key)
        return false;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS: return rsa_ok(key);
    case EVP_PKEY_EC: return ec_ok(key);
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: return true;
    default: return false; /* DSA and whatever else */
    }
}

static bool has_twin_extensions(X509 *cert)
{
    int n = X509_get_ext_count(cert);
    for (int i = 0; i < n; i++) {
        const ASN1_OBJECT *oid = X509_EXTENSION_get_object(X509_get_ext(cert, i));
        for (int k = i + 1; k < n; k++) {
            if (OBJ_cmp(oid, X509_EXTENSION_get_object(X509_get_ext(cert, k))) == 0)
                return true;
        }
    }
    return false;
}

/* Is what an extension holds one value and nothing behind it? OpenSSL reads the first and never looks
 * further. */
static bool is_one_value(const X509_EXTENSION *e)
{
    span v = asn1_span(X509_EXTENSION_get_data((X509_EXTENSION *)(uintptr_t)e));
    struct derin d = derin_of(v);
    span whole;
    return derin_any(&d, &whole) && derin_end(&d);
}

/* The extensions that decide what a certificate may be used for. */
static bool has_leftovers(X509 *cert)
{
    static const int nids[] = {NID_subject_alt_name, NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
                               NID_name_constraints};
    for (size_t i = 0; i < N_ELEMS(nids); i++) {
        int at = X509_get_ext_by_NID(cert, nids[i], -1);
        if (at >= 0 && !is_one_value(X509_get_ext(cert, at)))
            return true;
    }
    return false;
}

/* The issuer by its key, and by its name and serial number together or not at all (RFC 5280 section 4.2.1.1).
 * An anchor that speaks of an issuer speaks of itself; one that others have signed must say who. */
static bool issuer_id_ok(X509 *cert, bool is_anchor)
{
    bool own = X509_get_extension_flags(cert) & EXFLAG_SI;
    if (X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1) < 0)
        return !is_anchor || own;
    if (!X509_get0_authority_key_id(cert) ||
        !X509_get0_authority_issuer(cert) != !X509_get0_authority_serial(cert))
        return false;
    if (!is_anchor || !own)
        return true;
    AUTHORITY_KEYID *said = X509_get_ext_d2i(cert, NID_authority_key_identifier, NULL, NULL);
    bool of_itself = said && X509_check_akid(cert, said) == X509_V_OK;
    AUTHORITY_KEYID_free(said);
    return of_itself;
}

/* authorityInfoAccess: one description or more, each a method and a place (RFC 5280 section 4.2.2.1). */
static bool access_ok(X509 *cert)
{
    int at = X509_get_ext_by_NID(cert, NID_info_access, -1);
    span list, one, method, place;
    if (at < 0)
        return true;
    struct derin d = derin_of(asn1_span(X509_EXTENSION_get_data(X509_get_ext(cert, at))));
    bool ok = derin_take(&d, DER_SEQ, &list, NULL) && derin_end(&d) && list.n > 0;
    d = derin_of(list);
    while (ok && !derin_end(&d)) {
        ok = derin_take(&d, DER_SEQ, &one, NULL);
        struct derin in = derin_of(one);
        ok = ok && derin_take(&in, DER_OID, &method, NULL) && derin_any(&in, &place) && derin_end(&in);
    }
    return ok;
}

/* policyConstraints: to be heeded or to be refused, never to be passed over (RFC 5280 section 4.2.1.11). */
static bool policies_ok(X509 *cert)
{
    int at = X509_get_ext_by_NID(cert, NID_policy_constraints, -1);
    return at < 0 || X509_EXTENSION_get_critical(X509_get_ext(cert, at)) == 1;
}

/* A network mask is ones, then zeros. */
static bool mask_ok(const uint8_t *m, size_t n)
{
    bool ended = false;
    for (size_t i = 0; i < n * 8; i++) {
        bool bit = m[i / 8] & (0x80 >> i % 8);
        if (bit && ended)
            return false;
        ended = ended || !bit;
    }
    return true;
}

/* A constraint that OpenSSL would take in a sense of its own: a name with a wildcard or a leading dot (which
 * RFC 5280 section 4.2.1.10 does not know for host names), a mask with holes. */
static bool subtree_ok(const GENERAL_SUBTREE *s)
{
    const GENERAL_NAME *g = s->base;
    if (s->minimum || s->maximum)
        return false;
    if (g->type == GEN_DNS) {
        span v = asn1_span(g->d.dNSName);
        return v.n == 0 || (names_san_ok(v) && v.p[0] != '*');
    }
    if (g->type == GEN_IPADD) {
        span v = asn1_span(g->d.iPAddress);
        return (v.n == 8 || v.n == 32) && mask_ok(v.p + v.n / 2, v.n / 2);
    }
    return true;
}

static bool subtrees_ok(const STACK_OF(GENERAL_SUBTREE) * set)
{
    if (set && sk_GENERAL_SUBTREE_num(set) == 0)
        return false; /* SIZE (1..MAX) */
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(set); i++) {
        if (!subtree_ok(sk_GENERAL_SUBTREE_value(set, i)))
            return false;
    }
    return true;
}

static bool constraints_ok(X509 *cert)
{
    if (X509_get_ext_by_NID(cert, NID_name_constraints, -1) < 0)
        return true;
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(cert, NID_name_constraints, NULL, NULL);
    bool says_something = nc && (sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) > 0 ||
                                 sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) > 0);
    bool ok = says_something && subtrees_ok(nc->permittedSubtrees) && subtrees_ok(nc->excludedSubtrees);
    NAME_CONSTRAINTS_free(nc);
    return ok;
}

/* Wildcards among the names that stand for a name which this authority may not vouch for. */
static bool reaches_excluded(const GENERAL_NAMES *names, const STACK_OF(GENERAL_SUBTREE) * excluded)
{
    size_t n_tried = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *san = sk_GENERAL_NAME_value(names, i);
        if (san->type != GEN_DNS || !span_has_prefix(asn1_span(san->d.dNSName), SPAN("*.")))
            continue;
        for (int k = 0; k < sk_GENERAL_SUBTREE_num(excluded); k++) {
            const GENERAL_NAME *g = sk_GENERAL_SUBTREE_value(excluded, k)->base;
            if (g->type == GEN_DNS && names_match(asn1_span(san->d.dNSName), asn1_span(g->d.dNSName)))
                return true;
            if (++n_tried > CONSTRAINTS_TRIED)
                return true;
        }
    }
    return false;
}

void verify_own_constraints(STACK_OF(X509) * path, uint32_t *defects)
{
    GENERAL_NAMES *names = NULL;
    for (int i = 1; i < sk_X509_num(path); i++) {
        X509 *ca = sk_X509_value(path, i);
        if (X509_get_ext_by_NID(ca, NID_name_constraints, -1) < 0)
            continue;
        NAME_CONSTRAINTS *nc = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);
        if (!names)
            names = X509_get_ext_d2i(sk_X509_value(path, 0), NID_subject_alt_name, NULL, NULL);
        if (nc && reaches_excluded(names, nc->excludedSubtrees))
            defects_add(defects, DEFECT_CONSTRAINT);
        NAME_CONSTRAINTS_free(nc);
    }
    GENERAL_NAMES_free(names);
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets. Zero is let through: old private authorities number
 * from there. */
static bool serial_ok(X509 *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    span v = asn1_span(serial); /* the magnitude, without DER's leading zero */
    bool fits = v.n < 20 || (v.n == 20 && !(v.p[0] & 0x80));
    return ASN1_STRING_type(serial) != V_ASN1_NEG_INTEGER && fits;
}

void verify_own_form(X509 *cert, bool is_leaf, bool is_anchor, uint32_t *defects)
{
    if (!key_ok(cert))
        defects_add(defects, DEFECT_WEAK_KEY);
    if (X509_get_ext_count(cert) > EXTENSIONS_MAX || has_twin_extensions(cert) ||
        !issuer_id_ok(cert, is_anchor))
        defects_add(defects, DEFECT_MALFORMED);
    if (!is_leaf && !constraints_ok(cert))
        defects_add(defects, DEFECT_CONSTRAINT);
    if (is_anchor && !is_leaf)
        return;
    if (X509_get_version(cert) != X509_VERSION_3 || !serial_ok(cert) || has_leftovers(cert) ||
        !access_ok(cert) || !policies_ok(cert))
        defects_add(defects, DEFECT_MALFORMED);
}

/* ---- our own CA */

static bool same_key(X509 *a, X509 *b)
{
    const ASN1_BIT_STRING *ka = X509_get0_pubkey_bitstr(a), *kb = X509_get0_pubkey_bitstr(b);
    return ka && kb && span_eq(asn1_span(ka), asn1_span(kb));
}

/* Is it one of ours, or does it claim to come from one? A claim is enough: nobody else uses these names or
 * key identifiers. */
static bool is_ours(X509 *cert, X509 *own)
{
    if (same_key(cert, own) || X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(own)) == 0)
        return true;
    const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(cert), *ski = X509_get0_subject_key_id(own);
    return aki && ski && ASN1_OCTET_STRING_cmp(aki, ski) == 0;
}

void verify_own_ca(const struct trust *t, X509 *cert, uint32_t *defects)
{
    for (size_t i = 0; i < t->n_own; i++) {
        if (is_ours(cert, t->own[i].cert))
            defects_add(defects, DEFECT_OWN_CA);
    }
}
