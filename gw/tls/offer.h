/* What our hello to an origin offers, next to what the client's own offers: never a weaker cipher or version
 * (DESIGN section 3.4). The strong offer (gw/tls/ctx.c) is AEAD with ephemeral elliptic curves; it loses its
 * 128-bit ciphers for a client that offers none. The weak offer is for the second attempt alone, where policy
 * could allow `weak-tls`: the strong one, and beneath it what the client offers of CBC, static RSA, finite
 * field Diffie-Hellman from 1,024 bits and signatures with SHA-1 (threats.md rows 40, 41). TLS 1.3 stays in
 * the weak offer, so that its downgrade sentinel is looked at (row 42). */
#ifndef GW_TLS_OFFER_H
#define GW_TLS_OFFER_H

#include <openssl/ssl.h>

#include "gw/tls/hello.h"
#include "gw/tls/stream.h"

/* Of a connection not begun, with `client` NULL or without suites: nothing changes. False: no memory. */
bool offer_no_weaker(SSL *ssl, const struct hello *client) MUST_USE;
/* Does that leave out the strong offer's 128-bit ciphers for this client (NULL: none is known)? */
bool offer_lacks_128(const struct hello *client);

/* Widens what ctx_client_new() made, so that its connections are fit for offer_weaker(). */
enum rc offer_weak_client(SSL_CTX *ctx) MUST_USE;
/* The weak offer, as far as the client's goes; of HTTP/1.1 alone where the client has that, for HTTP/2
 * refuses such ciphers (RFC 9113 section 9.2.2). DENIED: its hello holds nothing weaker than the strong
 * offer, or only TLS 1.3; a second attempt could not end differently. */
enum rc offer_weaker(SSL *ssl, const struct hello *client) MUST_USE;
/* Would offer_weaker() add anything? */
bool offer_has_weaker(const struct hello *client);

/* Was something agreed that the strong offer does not hold? */
bool offer_was_weak(SSL *ssl);

/* Why a handshake with the strong offer failed, as far as it matters here. */
enum offer_failure {
    OFFER_OTHER, /* nothing that a weaker offer could mend: version, certificate, timeout, ... */
    OFFER_MAYBE, /* the origin agreed to nothing: its alert, or closed without a word */
    OFFER_WEAK,  /* it answered, with a weak group, signature or cipher */
};
enum offer_failure offer_why_failed(const struct stream *s);

#endif
