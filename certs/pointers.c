/* Pointers in certificates; see pointers.h. */
#include "certs/pointers.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { FEATURE_STATUS_REQUEST = 5, FEATURE_STATUS_REQUEST_V2 = 17 };

/* Visible ASCII only: the text goes into a request line. */
static bool usable(span url)
{
    if (url.n >= POINTER_BYTES || !span_ieq(span_cut(url, 0, 7), SPAN("http://")))
        return false;
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= 0x20 || url.p[i] >= 0x7f)
            return false;
    }
    return true;
}

static bool take(const GENERAL_NAME *g, struct pointer *out)
{
    if (g->type != GEN_URI)
        return false;
    const ASN1_STRING *s = g->d.uniformResourceIdentifier;
    span url = span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    if (!usable(url))
        return false;
    memcpy(out->text, url.p, url.n);
    out->n = url.n;
    return true;
}

static bool all_urls(const GENERAL_NAMES *names)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (sk_GENERAL_NAME_value(names, i)->type != GEN_URI)
            return false;
    }
    return true;
}

void pointer_of_crl(X509 *cert, struct pointer *out)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    out->n = 0;
    out->mixed = false;
    for (int i = 0; out->n == 0 && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *p = sk_DIST_POINT_value(points, i);
        if (p->reasons || p->CRLissuer || !p->distpoint || p->distpoint->type != 0)
            continue;
        const GENERAL_NAMES *names = p->distpoint->name.fullname;
        for (int k = 0; k < sk_GENERAL_NAME_num(names); k++) {
            if (take(sk_GENERAL_NAME_value(names, k), out))
                break;
        }
        out->mixed = !all_urls(names);
    }
    CRL_DIST_POINTS_free(points);
    ERR_clear_error();
}

void pointer_of_issuer(X509 *cert, struct pointer *out)
{
    AUTHORITY_INFO_ACCESS *info = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
    out->n = 0;
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(info); i++) {
        const ACCESS_DESCRIPTION *a = sk_ACCESS_DESCRIPTION_value(info, i);
        if (OBJ_obj2nid(a->method) == NID_ad_ca_issuers && take(a->location, out))
            break;
    }
    AUTHORITY_INFO_ACCESS_free(info);
    ERR_clear_error();
}

bool pointer_must_staple(X509 *cert)
{
    TLS_FEATURE *features = X509_get_ext_d2i(cert, NID_tlsfeature, NULL, NULL);
    bool must = false;
    for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++) {
        long v = ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i));
        must |= v == FEATURE_STATUS_REQUEST || v == FEATURE_STATUS_REQUEST_V2;
    }
    TLS_FEATURE_free(features);
    ERR_clear_error();
    return must;
}
