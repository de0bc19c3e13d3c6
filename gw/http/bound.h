/* Schemes of authentication that prove the client once, for the connection and not for the request: NTLM and
 * Negotiate (RFC 4559 section 6). Whoever else used such a connection would be taken for that client. */
#ifndef GW_HTTP_BOUND_H
#define GW_HTTP_BOUND_H

#include "gw/http/msg.h"

/* Does this head, of a request or an answer, ask for one of them or answer to it? */
bool bound_to_connection(const struct msg *m);

#endif
