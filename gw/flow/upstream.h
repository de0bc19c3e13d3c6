/* The origin's certificate, judged inside the handshake: callbacks for the client-side context. The app data
 * of the SSL is the flow; the verdict goes into flow->cert and the handshake always goes on, so that policy
 * decides and names the defect. */
#ifndef GW_FLOW_UPSTREAM_H
#define GW_FLOW_UPSTREAM_H

#include <openssl/ssl.h>

int upstream_verify(X509_STORE_CTX *ctx, void *arg);
int upstream_asked(SSL *ssl, X509 **cert, EVP_PKEY **key);

#endif
