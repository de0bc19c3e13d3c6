/* Client of the fetcher process: asks for revocation lists (the answer is the next revocation set, for all
 * workers) and for missing issuers (the answer is a certificate, which is remembered). A fetcher that is away
 * means that nothing is fetched: chains stay as incomplete and as unknown as they are. */
#ifndef GW_FLOW_FETCH_H
#define GW_FLOW_FETCH_H

#include "gw/flow/engine.h"

struct fetch_wait {
    struct ask_wait ask; /* its link initialised by the owner */
    /* Later, never from inside; what was found is remembered by then (fetch_known). */
    void (*done)(struct fetch_wait *w, bool found);
};

/* What a flow holds between the origin's handshake and the decision about its certificate. */
struct chain_wait {
    struct fetch_wait fetch;
    STACK_OF(X509) * path; /* as verified */
    uint8_t n_fetched;     /* issuers */
    bool waited_list;
};

void fetch_init(struct engine *e);
void fetch_fini(struct engine *e);
/* Takes the channel; replaces an old one. */
enum rc fetch_attach(struct engine *e, int fd) MUST_USE;
bool fetch_attached(const struct engine *e);

/* The list that `cert`, issued by `issuer`, points to shall be known. Nothing happens where it points to
 * none. */
void fetch_list(struct engine *e, X509 *cert, X509 *issuer);
/* The issuer of `child` is missing. OK: done() comes. GONE: no fetcher; NOTFOUND: it does not say where. */
enum rc fetch_issuer(struct engine *e, struct fetch_wait *w, X509 *child) MUST_USE;
void fetch_cancel(struct fetch_wait *w);
/* A remembered certificate that may be the issuer of `child` (its signature is to be verified), or NULL.
 * Borrowed until the next turn of the loop. */
X509 *fetch_known(struct engine *e, X509 *child);

#endif
