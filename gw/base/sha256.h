/* SHA-256 for naming things by content (parts of a snapshot, lists). The one place below gw/tls and certs
 * that calls libcrypto, so that policy and signatures need not see it. */
#ifndef GW_BASE_SHA256_H
#define GW_BASE_SHA256_H

#include "gw/base/buf.h"

enum { SHA256_BYTES = 32, SHA1_BYTES = 20 };

/* Digest of the spans one after the other. NOMEM when libcrypto has no context to give. */
enum rc sha256(const span *parts, size_t n, uint8_t out[SHA256_BYTES]) MUST_USE;
/* SHA-1, to compare with what others have named by it. It proves nothing against an attacker. */
enum rc sha1(span bytes, uint8_t out[SHA1_BYTES]) MUST_USE;

#endif
