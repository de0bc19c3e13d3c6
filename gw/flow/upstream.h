/* The origin's certificate, judged inside the handshake: callbacks of the contexts towards origins. The app
 * data of the SSL is the flow; the verdict goes into flow->cert and the handshake always goes on, so that
 * policy decides and names the defect. A resumed handshake shows no certificate: then the facts kept with the
 * session are the flow's, and policy decides by them. An origin that asks for a certificate in the handshake
 * is answered without one; one that asks later, or wants to negotiate anew, is not answered at all. */
#ifndef GW_FLOW_UPSTREAM_H
#define GW_FLOW_UPSTREAM_H

#include <openssl/ssl.h>

#include "gw/base/err.h"

struct flow;
struct judged;
struct origin_facts;

int upstream_verify(X509_STORE_CTX *ctx, void *arg);
int upstream_asked(SSL *ssl, X509 **cert, EVP_PKEY **key);
/* Sees that an origin was refused to negotiate anew. */
void upstream_info(const SSL *ssl, int where, int ret);
/* The origin gave a session: it is kept for the next connection there. */
int upstream_session(SSL *ssl, SSL_SESSION *session);

/* Before the handshake: offers a session if there is one. */
void upstream_offer(struct flow *f, SSL *ssl);
/* What is kept with that session is needed no longer. */
void upstream_forget_offer(struct flow *f);
/* The facts kept with a session or an idle connection become the flow's, for policy to decide by. NOMEM. */
enum rc upstream_facts(struct flow *f, const struct origin_facts *facts) MUST_USE;
/* After it: what the certificate says, shown now or when the session began. NOMEM. */
enum rc upstream_known(struct flow *f) MUST_USE;
/* The origin asked for a certificate, and `j` exempts it: that is remembered. */
void upstream_exempted(struct flow *f, const struct judged *j);
/* Once more, because an issuer has been fetched meanwhile. */
void upstream_again(struct flow *f);
/* After a full handshake: what the origin has stapled. */
void upstream_staple(struct flow *f);
/* The path of the last verification is needed no longer. */
void upstream_forget_path(struct flow *f);

#endif
