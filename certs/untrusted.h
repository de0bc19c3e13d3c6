/* The leaf for an origin whose certificate has a defect that policy allows: signed by its own key and by no
 * authority that a client knows, so that the client's own warning stays (threats.md row 52). The worker makes
 * it; the signer and the CA are not asked, because nothing that looks good may come of a bad certificate. */
#ifndef CERTS_UNTRUSTED_H
#define CERTS_UNTRUSTED_H

#include <openssl/x509.h>

#include "certs/mint.h"

/* `defect` stands in the issuer's name, where a person who looks at the certificate finds it. *out is the
 * caller's. */
enum rc untrusted_leaf(EVP_PKEY *key, const struct mint_request *req, span defect, X509 **out) MUST_USE;

#endif
