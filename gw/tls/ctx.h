/* TLS contexts: one towards clients and one towards origins per worker, made once. Towards both 1.2 and 1.3
 * only, AEAD with forward secrecy, X25519 first, no compression, no renegotiation, no early data, SECLEVEL 2
 * (threats.md 37-43, 48-49, 59). */
#ifndef GW_TLS_CTX_H
#define GW_TLS_CTX_H

#include <openssl/ssl.h>

#include "gw/base/buf.h"
#include "gw/tls/hello.h"

/* The server side: certificate and key are set per connection (ctx_accept). */
enum rc ctx_server_new(SSL_CTX **out) MUST_USE;
/* The client side. `verify` gets every origin's chain; it records its verdict and returns 1, so that the
 * handshake ends and policy decides. `asked` is called when an origin asks for a client certificate; we never
 * give one. */
enum rc ctx_client_new(int (*verify)(X509_STORE_CTX *, void *), int (*asked)(SSL *, X509 **, EVP_PKEY **),
                       SSL_CTX **out) MUST_USE;
/* The same for second attempts with the weak offer: ctx_connect(), then offer_weaker(). */
enum rc ctx_weak_new(int (*verify)(X509_STORE_CTX *, void *), int (*asked)(SSL *, X509 **, EVP_PKEY **),
                     SSL_CTX **out) MUST_USE;

/* Sessions that origins give are offered to `fresh`, which returns 1 when it takes the reference; which one
 * is offered to an origin is the caller's business (SSL_set_session). Without this call none is kept. */
void ctx_keep_sessions(SSL_CTX *ctx, int (*fresh)(SSL *, SSL_SESSION *));

/* What a client is given by ALPN: what its origin chose; where there is none, HTTP/1.1 if it is offered, else
 * HTTP/2. */
enum ctx_alpn { CTX_HTTP11, CTX_H2, CTX_ANY };

/* An accepting SSL with this leaf. `chain`: what follows the leaf (issuing CA); its references are shared.
 * `data`: SSL_set_app_data. By ALPN its client is given HTTP/1.1 where ctx_give_alpn() says nothing else. */
enum rc ctx_accept(SSL_CTX *ctx, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) * chain, void *data,
                   SSL **out) MUST_USE;
/* Before the handshake; without memory it stays at HTTP/1.1. */
void ctx_give_alpn(SSL *ssl, enum ctx_alpn alpn);
/* The lowest version that is offered to origins for this client (NULL: none is known). */
uint16_t ctx_min_version(const struct hello *client);
/* A connecting SSL: SNI `name` unless empty; never a version below the lowest the client itself offered, nor
 * a cipher weaker than all of its own (gw/tls/offer.h); by ALPN what the client offers of HTTP/2 and HTTP/1.1
 * (HTTP/1.1 where it offers neither). That it may be asked for a certificate after the handshake is said
 * where the client says so: `asked` hears of it. */
enum rc ctx_connect(SSL_CTX *ctx, span name, const struct hello *client, void *data, SSL **out) MUST_USE;
/* Has the other side chosen HTTP/2? */
bool ctx_is_h2(const SSL *ssl);

#endif
