/* Revocation in a flow: between the origin's handshake and the decision about its certificate, and whenever a
 * new revocation set has come. */
#ifndef GW_FLOW_REVOKE_H
#define GW_FLOW_REVOKE_H

#include "gw/flow/flow.h"

enum rc revoke_init(struct engine *e) MUST_USE;
void revoke_fini(struct engine *e);

/* The handshake is over: staple, revocation, issuers to be fetched; then step_certified(). */
void step_chain(struct flow *f);
/* The deadline of FETCH: what has not come is not waited for, the rest is judged. */
void revoke_waited(struct flow *f);
/* Is it unknown whether the certificate has been revoked, and does policy refuse that? */
bool revoke_unknown(struct flow *f);
/* Looks it up again; true: it is revoked and was not before. */
bool revoke_again(struct flow *f);
/* A new set has come: does the flow wait for it? */
void revoke_arrived(struct flow *f);
/* The certificate is judged, or the flow ends: what was needed for that goes. */
void revoke_let_go(struct flow *f);

#endif
