/* What the files of certs/verify*.c share. Not for others: include certs/verify.h. */
#ifndef CERTS_VERIFY_INT_H
#define CERTS_VERIFY_INT_H

#include "certs/verify.h"

enum { OWN_MAX = 64 }; /* a CA has two, and there may have been others before it */

/* One of our own CA certificates: what an origin's chain must not contain or come from. */
struct own_ca {
    X509 *cert;
};

struct trust {
    X509_STORE *store; /* with the flags, purpose, depth and level of every verification */
    struct own_ca own[OWN_MAX];
    size_t n_own;
    bool has_signed; /* among the anchors are some that others have signed: intermediates */
};

static inline void defects_add(uint32_t *defects, enum defect d)
{
    *defects |= UINT32_C(1) << d;
}

static inline span asn1_span(const ASN1_STRING *s)
{
    return span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* Defect of an X509_V_ERR_*, or DEFECT_N when it is no statement about the certificates (memory, misuse). */
enum defect verify_defect_of(int x509_error);
/* Errors that a trust anchor alone may have: 85, 86, 89, 92. It is trusted because it is in the store, not
 * for its form. */
bool verify_anchor_may(int x509_error);

/* Our own checks, each adding to *defects (verify_own.c). */
void verify_own_leaf(X509 *leaf, span name, const struct addr *ip, uint32_t *defects);
/* Is the host asked for among the names, are the names in order, and does the common name say the same
 * (verify_names.c)? */
void verify_own_names(X509 *leaf, span name, const struct addr *ip, uint32_t *defects);
void verify_own_form(X509 *cert, bool is_leaf, bool is_anchor, uint32_t *defects);
/* Names that an authority of the path (leaf first) excludes and a wildcard of the leaf stands for all the
 * same: OpenSSL compares the wildcard as it is written (CVE-2025-61727 is the same in another library). */
void verify_own_constraints(STACK_OF(X509) * path, uint32_t *defects);
void verify_own_ca(const struct trust *t, X509 *cert, uint32_t *defects);
/* A key that is known to be in wrong hands (badkey.tbl; verify_bad.c). NULL or who, and why. */
const char *verify_bad_key(X509 *cert);

#endif
