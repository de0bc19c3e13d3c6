/* The origin's certificate, judged inside the handshake: callbacks of the contexts towards origins. The app
 * data of the SSL is the flow; the verdict goes into flow->cert and the handshake always goes on, so that
 * policy decides and names the defect. An origin that asks for a certificate in the handshake is answered
 * without one; one that asks later, or wants to negotiate anew, is not answered at all. */
#ifndef GW_FLOW_UPSTREAM_H
#define GW_FLOW_UPSTREAM_H

#include "gw/flow/engine.h"

/* What a worker has for origins: the contexts of first and second attempts, who asks for certificates. */
enum rc upstream_init(struct engine *e) MUST_USE;
void upstream_fini(struct engine *e);
/* e->snap is another. */
void upstream_reloaded(struct engine *e);

#endif
