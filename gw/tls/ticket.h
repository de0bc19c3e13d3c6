/* Session tickets for clients: what a client needs to resume stands in the ticket that it keeps, encrypted by
 * keys that all workers share (the master makes and replaces them); nothing is kept here. A ticket opens only
 * where it was given: its keys are derived from the shared key and from what the connection belongs to
 * (server name, zone, CA), so that one presented anywhere else is as good as none and a full handshake
 * follows. */
#ifndef GW_TLS_TICKET_H
#define GW_TLS_TICKET_H

#include <openssl/ssl.h>

#include "gw/base/buf.h"

enum { TICKET_KEY = 32, TICKET_BELONGS = 32, TICKET_KEYS = 3 };

struct tickets {
    struct {
        bool have;
        uint32_t number;
        uint8_t key[TICKET_KEY], name[16]; /* the name stands in the ticket */
    } k[TICKET_KEYS];                      /* the newest first: it seals; the others still open */
    /* Whom the connection's tickets are for; false: no memory. */
    bool (*belongs)(SSL *ssl, uint8_t to[TICKET_BELONGS]);
};

/* A new key; the same number again changes nothing. NOMEM. */
enum rc ticket_key(struct tickets *t, uint32_t number, const uint8_t key[TICKET_KEY]) MUST_USE;
/* A server context gives one ticket a handshake and takes them; `t` outlives it. */
void ticket_use(SSL_CTX *ctx, struct tickets *t);
/* This connection gives no ticket and takes none; to be called while there is no key. */
void ticket_none(SSL *ssl);

#endif
