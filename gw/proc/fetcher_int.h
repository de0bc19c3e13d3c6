/* The fetcher's own state, shared by its files only: fetcher.c (messages), fetch_list.c (revocation lists and
 * the set made of them), fetch_issuer.c (missing issuers). */
#ifndef GW_PROC_FETCHER_INT_H
#define GW_PROC_FETCHER_INT_H

#include "certs/revoked.h"
#include "gw/base/limits.h"
#include "gw/base/lru.h"
#include "gw/proc/get.h"
#include "gw/proc/role.h"

struct fetch_worker {
    struct fetcher *f;
    struct peer *peer;
};

struct fetcher {
    struct role_ctx *ctx;
    struct get_env env;
    struct fetch_rules rules; /* in force; the fence looks into them */
    bool have_rules, ready;
    struct fetch_worker workers[LIM_WORKERS];

    struct map by_id; /* of struct source, by revoked_id.source */
    struct list sources;
    size_t n_serials;
    unsigned running;         /* fetches of lists */
    struct ev_timer turn;     /* the next look at what is due */
    struct ev_timer publish;  /* a little after a change, so that a hundred lists make few sets */
    struct revoked *restored; /* the set of before, as long as sources use its bytes */

    struct lru issuers; /* by URL's hash and child's */
    struct list asking; /* fetches of issuers */
    unsigned n_asking;
};

/* ---- fetch_list.c */
void lists_init(struct fetcher *f);
void lists_fini(struct fetcher *f);
/* A certificate of this issuer points there; it is fetched unless it is known. */
void lists_want(struct fetcher *f, X509 *issuer, span url, bool authorities);
/* Takes over the set of a predecessor: its lists hold until they are fetched again. */
void lists_restore(struct fetcher *f, int fd);
/* The clock was set, or what may be fetched has changed: what is due is looked at anew. */
void lists_wake(struct fetcher *f);

/* ---- fetch_issuer.c */
void issuers_init(struct fetcher *f);
void issuers_fini(struct fetcher *f);
/* Fetches the issuer of `child` and answers that worker under this id. */
void issuers_ask(struct fetch_worker *w, uint64_t id, span url, span child);
/* That worker is gone. */
void issuers_forget(struct fetch_worker *w);

#endif
