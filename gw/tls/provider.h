/* A provider of ours within OpenSSL (provider(7)): what our handshakes would spend on its own for nothing. */
#ifndef GW_TLS_PROVIDER_H
#define GW_TLS_PROVIDER_H

#include "gw/base/err.h"

/* For SSL_CTX_new_ex(): ours where it has something, OpenSSL's own for all else. */
#define PROVIDER_QUERY "?provider=perron"

/* Makes PROVIDER_QUERY mean something, once per process; BUG: OpenSSL did not take it. */
enum rc provider_load(void) MUST_USE;

#endif
