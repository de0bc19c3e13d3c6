/* The worker's side of minting: one leaf key per worker, leaves from the cache at once, all others through
 * the signer. Single flight: however many flows ask for one name at the same moment, the signer gets one MINT
 * and all of them wait for its answer. The certificate's DER is parsed once, here.
 *
 * The minter owns the channel to the signer. When the signer dies the requests stay; the next channel gets
 * the leaf key and every request that somebody still waits for. Deadlines are the caller's (LIM_MINT_MS, then
 * minter_cancel). Nothing here blocks, and `done` is never called from inside minter_get. */
#ifndef CERTS_MINTER_H
#define CERTS_MINTER_H

#include <openssl/x509.h>

#include "certs/leafcache.h"
#include "certs/mint.h"
#include "gw/base/ev.h"
#include "gw/base/map.h"

struct minter;

/* Embedded in its owner (a flow); minter_wait_init() before first use. One request at a time. */
struct minter_wait {
    struct list link;
    /* Once. OK: `leaf` is lent for the call (leaf_get to keep it). DENIED: the signer's limits refused these
     * names. IO: the signer could not write it into its register. BAD: the signer's answer is unusable. GONE:
     * shutting down. */
    void (*done)(struct minter_wait *w, enum rc rc, struct leaf *leaf);
};
void minter_wait_init(struct minter_wait *w, void (*done)(struct minter_wait *, enum rc, struct leaf *));
static inline bool minter_waiting(const struct minter_wait *w)
{
    return !list_empty(&w->link);
}

/* Generates the leaf key (ECDSA P-256). `max_cached`: leaves kept (LIM_LEAVES_CACHED). */
enum rc minter_new(struct ev *ev, size_t max_cached, struct minter **out) MUST_USE;
/* Everybody still waiting is told GONE. NULL is fine. */
void minter_free(struct minter *m);

/* MSG_SIGNER: a channel to a (new) signer; replaces the old one. Takes the descriptor also when it fails. */
enum rc minter_attach(struct minter *m, int fd) MUST_USE;
/* Is a channel open? */
bool minter_attached(const struct minter *m);
/* MSG_CA, its whole payload (u16 generation, certificates with u16 lengths, issuing first). Another
 * generation than before empties the cache; the same one changes nothing. BAD when it does not parse: nothing
 * changes. */
enum rc minter_set_ca(struct minter *m, span payload) MUST_USE;

/* What a handshake needs beside the leaf: the key of all leaves, and the certificates to send after the leaf
 * (the issuing CA's; not the root). Borrowed. The chain is NULL before minter_set_ca. */
EVP_PKEY *minter_pkey(const struct minter *m);
STACK_OF(X509) * minter_chain(const struct minter *m);
uint16_t minter_generation(const struct minter *m); /* 0 before minter_set_ca */
/* Which CA the leaves are from: SHA-256 of the issuing CA's certificate, the same in every worker and after a
 * restart; zeros before minter_set_ca. What must not outlive a change of the CA (session tickets) is bound to
 * it. */
enum { MINTER_CA_ID = 32 };
const uint8_t *minter_ca_id(const struct minter *m);

/* The cache key of a request: its names (not its dates) and what the origin showed (SHA-256 of its leaf, or
 * zeros for a leaf that only carries a block page). */
void minter_key(const struct mint_request *req, const uint8_t origin_sha256[32], uint8_t key[32]);
/* OK: *leaf is lent from the cache (leaf_put it) and `w` is not used.
 * AGAIN: w->done will be called. LIMIT: LIM_MINTS_WAITING different requests are open already. DENIED: the
 * request is not one the signer would take. NOMEM. Spans of `req` are copied. */
enum rc minter_get(struct minter *m, const uint8_t key[32], const struct mint_request *req, int64_t now_s,
                   struct minter_wait *w, struct leaf **leaf) MUST_USE;
/* Stops waiting; safe when it is not waiting. The answer, when it comes, still goes into the cache. */
void minter_cancel(struct minter *m, struct minter_wait *w);

struct minter_counts {
    uint64_t hits, joined, sent, minted, denied, failed; /* joined: waited for somebody else's request */
    uint64_t limited;                                    /* put off by the signer: over this worker's rate */
    size_t cached, open;                                 /* leaves held, requests without an answer */
};
void minter_counts(const struct minter *m, struct minter_counts *out);

#endif
