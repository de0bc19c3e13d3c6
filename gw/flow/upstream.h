/* The origin's certificate, judged inside the handshake: callbacks for the client-side context. The app data
 * of the SSL is the flow; the verdict goes into flow->cert and the handshake always goes on, so that policy
 * decides and names the defect. */
#ifndef GW_FLOW_UPSTREAM_H
#define GW_FLOW_UPSTREAM_H

#include <openssl/ssl.h>

struct flow;

int upstream_verify(X509_STORE_CTX *ctx, void *arg);
int upstream_asked(SSL *ssl, X509 **cert, EVP_PKEY **key);
/* Once more, because an issuer has been fetched meanwhile. */
void upstream_again(struct flow *f);
/* After a full handshake: what the origin has stapled. */
void upstream_staple(struct flow *f);
/* The path of the last verification is needed no longer. */
void upstream_forget_path(struct flow *f);

#endif
