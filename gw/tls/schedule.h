/* The key schedule of TLS 1.3 (RFC 8446 section 7.1), computed for OpenSSL; gw/tls/provider.h offers it.
 *
 * A handshake derives some fifteen secrets. OpenSSL 3.0 spends far more on each in looking for its parts and
 * allocating them than in the two HMACs that it is: a tenth of a resumed handshake. Ours keeps nothing and
 * allocates nothing; whatever it does not know (another hash, another mode) it refuses. */
#ifndef GW_TLS_SCHEDULE_H
#define GW_TLS_SCHEDULE_H

#include <openssl/core_dispatch.h>

/* "TLS13-KDF" */
extern const OSSL_DISPATCH schedule_kdf[];

#endif
