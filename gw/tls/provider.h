/* A provider of ours within OpenSSL (provider(7)): what our handshakes would spend on its own for nothing. */
#ifndef GW_TLS_PROVIDER_H
#define GW_TLS_PROVIDER_H

#include <stdbool.h>

/* For SSL_CTX_new_ex(): ours where it has something, OpenSSL's own for all else. */
#define PROVIDER_QUERY "?provider=perron"

/* Makes PROVIDER_QUERY mean something, once per process. What ours stands on is no promise of OpenSSL's, and
 * an update of it needs no new build of ours: where ours does not compute what OpenSSL's own does, it is left
 * out, with a warning in the log, and handshakes cost more. */
void provider_load(void);
/* Do the providers that `query` finds (property(7)) make the keys and secrets of OpenSSL's own? */
bool provider_agrees(const char *query);

#endif
