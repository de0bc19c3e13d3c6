/* What a certificate says about where to learn more of it: the list that may revoke it, the certificate of
 * its issuer, and whether its holder owes a staple. Only http URLs: a list or a certificate is signed, and
 * https would need one verified first (RFC 5280 section 8). */
#ifndef CERTS_POINTERS_H
#define CERTS_POINTERS_H

#include <openssl/x509.h>

#include "gw/base/buf.h"

enum { POINTER_BYTES = 512 };

struct pointer {
    uint8_t text[POINTER_BYTES];
    size_t n;   /* 0: none that we can use */
    bool mixed; /* a list's: beside names that are no URLs, which BR 7.1.2.11.2 forbids */
};
static inline span pointer_span(const struct pointer *p)
{
    return span_of(p->text, p->n);
}

/* The first whole list (no partition by reason, no other issuer) that the certificate points to. */
void pointer_of_crl(X509 *cert, struct pointer *out);
/* Where its issuer's certificate is (authority information access, caIssuers). */
void pointer_of_issuer(X509 *cert, struct pointer *out);
/* RFC 7633: the holder has to staple a statement of its issuer. */
bool pointer_must_staple(X509 *cert);

#endif
