/* Reading others' revocation lists; see crl.h. One walk checks every entry, a second one (crl_serials) copies
 * the serial numbers: between the two the signature is checked, so that nothing is allocated for a list that
 * nobody signed. */
#include "certs/crl.h"

#include <stdlib.h>

#include "certs/der.h"
#include "certs/derin.h"

enum { DER_BOOLEAN = 0x01, VERSION_2 = 1 };

static enum rc bad(struct crl *c, enum crl_why why)
{
    c->why = why;
    return RC_BAD;
}

/* Object identifiers, contents only. */
#define OID_CRL_NUMBER  SPAN("\x55\x1d\x14")
#define OID_DELTA       SPAN("\x55\x1d\x1b")
#define OID_POINT       SPAN("\x55\x1d\x1c")
#define OID_CERT_ISSUER SPAN("\x55\x1d\x1d")

static bool read_time(struct derin *d, int64_t *out)
{
    span text;
    uint8_t tag = derin_peek(d);
    if ((tag != DER_UTCTIME && tag != DER_GENTIME) || !derin_take(d, tag, &text, NULL))
        return false;
    *out = der_time_read(tag, text);
    return *out != INT64_MIN;
}

struct extension {
    span oid, value;
    bool critical;
};

static bool read_extension(struct derin *list, struct extension *e)
{
    span body, flag;
    if (!derin_take(list, DER_SEQ, &body, NULL))
        return false;
    struct derin d = derin_of(body);
    if (!derin_take(&d, DER_OID, &e->oid, NULL) || !derin_maybe(&d, DER_BOOLEAN, &flag) ||
        !derin_take(&d, DER_OCTETS, &e->value, NULL) || !derin_end(&d))
        return false;
    e->critical = flag.n == 1 && flag.p[0] != 0;
    return flag.n <= 1;
}

/* ---- entries */

/* certificateIssuer stands in indirect lists only, and is critical; we know no other critical one. */
static enum crl_why entry_extensions(span list)
{
    struct derin d = derin_of(list);
    struct extension e;
    while (!derin_end(&d)) {
        if (!read_extension(&d, &e))
            return CRL_MALFORMED;
        if (span_eq(e.oid, OID_CERT_ISSUER))
            return CRL_INDIRECT;
        if (e.critical)
            return CRL_EXTENSION;
    }
    return CRL_FINE;
}

static enum crl_why read_entry(struct derin *entries, span *serial)
{
    span body, list;
    int64_t when;
    if (!derin_take(entries, DER_SEQ, &body, NULL))
        return CRL_MALFORMED;
    struct derin d = derin_of(body);
    if (!derin_take(&d, DER_INTEGER, serial, NULL) || serial->n == 0 || !read_time(&d, &when))
        return CRL_MALFORMED;
    if (derin_end(&d))
        return CRL_FINE;
    if (!derin_take(&d, DER_SEQ, &list, NULL) || !derin_end(&d))
        return CRL_MALFORMED;
    return entry_extensions(list);
}

static enum rc walk_entries(struct crl *c)
{
    struct derin d = derin_of(c->entries);
    while (!derin_end(&d)) {
        span serial;
        enum crl_why why = read_entry(&d, &serial);
        if (why != CRL_FINE)
            return bad(c, why);
        c->n++;
    }
    return RC_OK;
}

/* Right-aligned; leading zeros of DER fall away, a negative number is nobody's. */
static bool aligned(span s, uint8_t out[CRL_SERIAL])
{
    if (s.n == 0 || (s.p[0] & 0x80))
        return false;
    while (s.n > 1 && s.p[0] == 0)
        s = span_cut(s, 1, s.n);
    if (s.n > CRL_SERIAL)
        return false;
    memset(out, 0, CRL_SERIAL - s.n);
    memcpy(out + CRL_SERIAL - s.n, s.p, s.n);
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, CRL_SERIAL);
}

size_t crl_serials(const struct crl *c, uint8_t *out)
{
    struct derin d = derin_of(c->entries);
    size_t n = 0, kept = 0;
    bool sorted = true;
    span serial;
    while (!derin_end(&d) && read_entry(&d, &serial) == CRL_FINE && n < c->n) {
        if (!aligned(serial, out + n * CRL_SERIAL))
            continue;
        sorted = sorted && (n == 0 || by_bytes(out + (n - 1) * CRL_SERIAL, out + n * CRL_SERIAL) < 0);
        n++;
    }
    if (sorted)
        return n;
    qsort(out, n, CRL_SERIAL, by_bytes);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && by_bytes(out + (kept - 1) * CRL_SERIAL, out + i * CRL_SERIAL) == 0)
            continue;
        memmove(out + kept++ * CRL_SERIAL, out + i * CRL_SERIAL, CRL_SERIAL);
    }
    return kept;
}

int64_t crl_good_until(const struct crl *c, size_t n_serials)
{
    return c->has_number && !c->odd && n_serials == c->n ? c->next_s : c->this_s;
}

bool crl_serial(X509 *cert, uint8_t out[CRL_SERIAL])
{
    const ASN1_INTEGER *s = X509_get0_serialNumber(cert);
    int n = ASN1_STRING_length(s);
    if (ASN1_STRING_type(s) == V_ASN1_NEG_INTEGER || n < 0 || n > CRL_SERIAL)
        return false;
    memset(out, 0, CRL_SERIAL - (size_t)n);
    if (n > 0)
        memcpy(out + CRL_SERIAL - n, ASN1_STRING_get0_data(s), (size_t)n);
    return true;
}

/* ---- extensions of the list */

static bool all_urls(span names)
{
    struct derin d = derin_of(names);
    span one;
    while (!derin_end(&d)) {
        if (!derin_any(&d, &one) || one.p[0] != DER_URI)
            return false;
    }
    return true;
}

/* IssuingDistributionPoint: [0] distributionPoint { [0] fullName }, [1] onlyContainsUserCerts, [2]
 * ...CACerts, [3] onlySomeReasons, [4] indirectCRL, [5] onlyContainsAttributeCerts. */
static enum crl_why read_point(struct crl *c, span value)
{
    span body, point, flag;
    struct derin d = derin_of(value);
    if (!derin_take(&d, DER_SEQ, &body, NULL) || !derin_end(&d))
        return CRL_MALFORMED;
    d = derin_of(body);
    if (!derin_maybe(&d, DER_CTX_0, &point))
        return CRL_MALFORMED;
    if (point.n) {
        struct derin in = derin_of(point);
        if (!derin_take(&in, DER_CTX_0, &c->point, NULL) || !derin_end(&in))
            return CRL_SCOPE; /* nameRelativeToCRLIssuer: nobody uses it */
        c->has_point = true;
        c->odd |= !all_urls(c->point);
    }
    for (uint8_t i = 1; i <= 5; i++) {
        if (!derin_maybe(&d, (uint8_t)(0x80 + i), &flag))
            return CRL_MALFORMED;
        bool on = i == 3 ? flag.n > 0 : flag.n == 1 && flag.p[0] != 0;
        if (on && i >= 3)
            return i == 3 ? CRL_REASONS : i == 4 ? CRL_INDIRECT : CRL_SCOPE;
        c->only_users |= on && i == 1;
        c->only_authorities |= on && i == 2;
    }
    return derin_end(&d) ? CRL_FINE : CRL_MALFORMED;
}

static enum crl_why read_number(struct crl *c, const struct extension *e)
{
    span n;
    struct derin d = derin_of(e->value);
    c->has_number = true;
    c->odd |= e->critical;
    bool ok = derin_take(&d, DER_INTEGER, &n, NULL) && derin_end(&d) && aligned(n, c->number);
    return ok ? CRL_FINE : CRL_MALFORMED;
}

static enum crl_why list_extensions(struct crl *c, span list)
{
    struct derin d = derin_of(list);
    struct extension e;
    while (!derin_end(&d)) {
        enum crl_why why = CRL_FINE;
        if (!read_extension(&d, &e))
            return CRL_MALFORMED;
        if (span_eq(e.oid, OID_CRL_NUMBER))
            why = read_number(c, &e);
        else if (span_eq(e.oid, OID_POINT))
            why = read_point(c, e.value);
        else if (span_eq(e.oid, OID_DELTA))
            why = CRL_DELTA;
        else if (e.critical)
            why = CRL_EXTENSION;
        if (why != CRL_FINE)
            return why;
    }
    return CRL_FINE;
}

/* ---- the list */

static enum rc read_tbs(struct crl *c, span body)
{
    struct derin d = derin_of(body);
    span version, inner, ignored, list = SPAN_NONE;
    if (!derin_maybe(&d, DER_INTEGER, &version) || !derin_take(&d, DER_SEQ, &ignored, &inner) ||
        !derin_take(&d, DER_SEQ, &ignored, &c->issuer) || !read_time(&d, &c->this_s))
        return bad(c, CRL_MALFORMED);
    if (version.n != 1 || version.p[0] != VERSION_2)
        return bad(c, CRL_VERSION);
    if (!span_eq(inner, c->algorithm) || !read_time(&d, &c->next_s)) /* nextUpdate: RFC 5280 5.1.2.5 */
        return bad(c, CRL_MALFORMED);
    if (!derin_maybe(&d, DER_SEQ, &c->entries) || !derin_maybe(&d, DER_CTX_0, &list) || !derin_end(&d))
        return bad(c, CRL_MALFORMED);
    if (list.n) {
        struct derin in = derin_of(list);
        if (!derin_take(&in, DER_SEQ, &list, NULL) || !derin_end(&in))
            return bad(c, CRL_MALFORMED);
        enum crl_why why = list_extensions(c, list);
        if (why != CRL_FINE)
            return bad(c, why);
    }
    return walk_entries(c);
}

enum rc crl_read(span der, struct crl *c)
{
    struct derin d = derin_of(der);
    span body, tbs, bits, ignored;
    *c = (struct crl){0};
    if (!derin_take(&d, DER_SEQ, &body, NULL) || !derin_end(&d))
        return bad(c, CRL_MALFORMED);
    d = derin_of(body);
    if (!derin_take(&d, DER_SEQ, &tbs, &c->tbs) || !derin_take(&d, DER_SEQ, &ignored, &c->algorithm) ||
        !derin_take(&d, DER_BITS, &bits, NULL) || !derin_end(&d) || bits.n < 2 || bits.p[0] != 0)
        return bad(c, CRL_MALFORMED);
    c->signature = span_cut(bits, 1, bits.n);
    return read_tbs(c, tbs);
}
