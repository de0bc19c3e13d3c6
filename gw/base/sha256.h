/* SHA-256 for naming things by content (parts of a snapshot, lists). The one place below gw/tls and certs
 * that calls libcrypto, so that policy and signatures need not see it. */
#ifndef GW_BASE_SHA256_H
#define GW_BASE_SHA256_H

#include "gw/base/buf.h"

enum { SHA256_BYTES = 32, SHA1_BYTES = 20 };

/* Digest of the spans one after the other. NOMEM when libcrypto has no context to give. */
enum rc sha256(const span *parts, size_t n, uint8_t out[SHA256_BYTES]) MUST_USE;
/* For many short digests: what libcrypto needs for one is found and made once (it costs as much as hashing
 * 200 bytes). NOMEM when libcrypto has nothing to give. */
struct sha256_ctx;
enum rc sha256_new(struct sha256_ctx **out) MUST_USE;
void sha256_free(struct sha256_ctx *c);
/* As sha256(); digests made with one context are independent of each other. */
enum rc sha256_with(struct sha256_ctx *c, const span *parts, size_t n, uint8_t out[SHA256_BYTES]) MUST_USE;
/* SHA-1, to compare with what others have named by it. It proves nothing against an attacker. */
enum rc sha1(span bytes, uint8_t out[SHA1_BYTES]) MUST_USE;

#endif
