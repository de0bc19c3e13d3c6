/* X25519 for OpenSSL with keys that cost a third to make; gw/tls/provider.h offers it.
 *
 * All of it is OpenSSL's own but one step: the public value of a new key. OpenSSL 3.0 computes it with the
 * curve arithmetic of Ed25519, in plain C; by definition (RFC 7748 section 6.1) it is also the shared secret
 * with the base point, for which there is a fast ladder. */
#ifndef GW_TLS_X25519_H
#define GW_TLS_X25519_H

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <stdbool.h>

/* Takes what it stands on from OpenSSL's own provider; once per process. False: it has no X25519. */
bool x25519_init(OSSL_PROVIDER *standard);

/* "X25519" as a kind of key and as an exchange; after x25519_init(). */
extern OSSL_DISPATCH x25519_keymgmt[];
extern OSSL_DISPATCH x25519_keyexch[];
/* Describes it as a group of TLS (provider-base(7), "TLS-GROUP"): libssl takes a group only from the provider
 * that has its keys. 0: it could not be told. */
int x25519_group(OSSL_CALLBACK *tell, void *arg);

#endif
