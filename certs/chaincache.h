/* Chains that were verified already: the verdict by SHA-256 over all certificates' DER and the place they
 * were shown at (gw/flow/place.h: address, port, name asked, ALPN, TLS profile, trust generation). Bounded,
 * least recently used out first. A verdict without defects holds until the first certificate of the chain
 * expires and at most an hour; one with defects is not kept. Saves a signature check per certificate on each
 * new connection (limits: 180 us on an ECDSA chain). */
#ifndef CERTS_CHAINCACHE_H
#define CERTS_CHAINCACHE_H

#include "certs/verify.h"

struct chaincache;
enum rc chaincache_new(size_t max, struct chaincache **out) MUST_USE;
void chaincache_free(struct chaincache *c);
/* chain[0] is the leaf. */
enum rc chaincache_key(STACK_OF(X509) * chain, const uint8_t place[32], uint8_t key[32]) MUST_USE;
bool chaincache_find(struct chaincache *c, const uint8_t key[32], int64_t now_s, struct cert_verdict *out);
/* Keeps only a verdict without defects; `until_s` is the earliest notAfter of the chain. */
enum rc chaincache_put(struct chaincache *c, const uint8_t key[32], int64_t now_s, int64_t until_s,
                       const struct cert_verdict *v) MUST_USE;
/* Trust changed. */
void chaincache_clear(struct chaincache *c);

#endif
