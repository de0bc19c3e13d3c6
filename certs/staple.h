/* A stapled statement of the issuer (OCSP, RFC 6960) about one certificate: is it the issuer's word, about
 * this certificate, and of today? The clock is an argument, nothing is fetched. */
#ifndef CERTS_STAPLE_H
#define CERTS_STAPLE_H

#include <openssl/x509.h>

#include "gw/base/buf.h"

/* What it says: T(ID, "word in logs"). */
enum staple {
#define T(id, name) STAPLE_##id,
#include "certs/staple.tbl"
#undef T
    STAPLE_N
};
const char *staple_name(enum staple s);

/* `der`: the response as stapled. `leaf` was issued by `issuer` (verified by the caller). Until *until_s what
 * it says holds, for GOOD and REVOKED. */
enum staple staple_read(span der, X509 *leaf, X509 *issuer, int64_t now_s, int64_t *until_s);

#endif
