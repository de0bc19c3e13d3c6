/* After the origin's handshake: staple, revocation, missing issuers, and the short wait for what is being
 * fetched. And later: a new revocation set, under which every open flow is judged again (again.c). */
#include "gw/flow/revoke.h"

#include <unistd.h>

#include "certs/chaincache.h"
#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/flow/sessions.h"
#include "gw/flow/upstream.h"

enum { ISSUERS_FETCHED = 3, STAPLES_CACHED = 10000 };

enum rc revoke_init(struct engine *e)
{
    return chaincache_new(STAPLES_CACHED, &e->staples);
}

void revoke_fini(struct engine *e)
{
    chaincache_free(e->staples);
    revoked_free(e->revoked);
}

void revoke_let_go(struct flow *f)
{
    fetch_cancel(&f->chain.fetch);
    upstream_forget_path(f);
}

/* ---- what is missing is asked for */

static bool has_pointer(const struct revoked_id *id)
{
    static const uint8_t none[REVOKED_SOURCE];
    return memcmp(id->source, none, sizeof none) != 0;
}

/* With these alone a path still ends in an anchor of ours: what it points to was written by somebody whom we
 * trust with it, and not by the origin itself. */
enum {
    ANCHORED = DEFECT_BIT(REVOKED) | DEFECT_BIT(EXPIRED) | DEFECT_BIT(NOT_YET_VALID) |
               DEFECT_BIT(WRONG_NAME) | DEFECT_BIT(NO_STAPLE) | DEFECT_BIT(WEAK_TLS)
};

/* Lists of this path that are not known yet. The path is there only when the chain was verified afresh, which
 * happens at least once an hour. */
static unsigned want_lists(struct flow *f)
{
    unsigned n = 0;
    if (f->cert.defects & ~(uint32_t)ANCHORED)
        return 0;
    int64_t now = clock_wall_s();
    for (int i = 0; i + 1 < sk_X509_num(f->chain.path) && i < f->cert.n_path; i++) {
        if (!has_pointer(&f->cert.path[i]) ||
            revoked_find(f->e->revoked, &f->cert.path[i], now) != REVOCATION_UNKNOWN)
            continue;
        fetch_list(f->e, sk_X509_value(f->chain.path, i), sk_X509_value(f->chain.path, i + 1));
        n++;
    }
    return n;
}

static void on_issuer(struct fetch_wait *w, bool found)
{
    struct flow *f = CONTAINER_OF(w, struct flow, chain.fetch);
    if (f->state != ST_FETCH)
        return;
    if (found) {
        upstream_again(f);
        step_chain(f);
    } else {
        f->chain.n_fetched = ISSUERS_FETCHED; /* no more; the rest is judged all the same */
        step_chain(f);
    }
}

void revoke_waited(struct flow *f)
{
    fetch_cancel(&f->chain.fetch);
    f->chain.n_fetched = ISSUERS_FETCHED;
    f->chain.waited_list = true;
    step_chain(f);
}

/* Is the chain incomplete and its next issuer on its way? Only a chain that may end well is completed. */
static bool wait_for_issuer(struct flow *f)
{
    int n = sk_X509_num(f->chain.path);
    uint32_t others = f->cert.defects & ~(DEFECT_BIT(UNKNOWN_ISSUER) | DEFECT_BIT(WEAK_TLS));
    if (!(f->cert.defects & DEFECT_BIT(UNKNOWN_ISSUER)) || others || n < 1 ||
        f->chain.n_fetched >= ISSUERS_FETCHED)
        return false;
    f->chain.fetch.done = on_issuer;
    if (fetch_issuer(f->e, &f->chain.fetch, sk_X509_value(f->chain.path, n - 1)) != RC_OK)
        return false;
    f->chain.n_fetched++;
    return true;
}

static bool blocks_unknown(const struct flow *f)
{
    return judge_event(f, f->name, ON_REVOCATION_UNKNOWN) == ANSWER_BLOCK;
}

static void wait_here(struct flow *f)
{
    if (f->state != ST_FETCH)
        flow_goto(f, ST_FETCH); /* its deadline bounds all that is fetched for this flow */
}

/* A weak agreement that policy allows makes nothing of the chain less due. */
static bool good_but_weak(const struct flow *f)
{
    return !(f->cert.defects & ~(uint32_t)DEFECT_BIT(WEAK_TLS));
}

void step_chain(struct flow *f)
{
    bool full = !SSL_session_reused(f->origin.ssl);
    if (full && wait_for_issuer(f)) {
        wait_here(f);
        return;
    }
    if (full)
        upstream_staple(f);
    verify_revocation(f->e->revoked, &f->cert, clock_wall_s());
    if (f->cert.defects && f->via.placed)
        sessions_drop(f->e->sessions, f->via.place); /* good before, bad now */
    bool wanted = !f->cert.revocation_known && want_lists(f) > 0;
    if (wanted && good_but_weak(f) && !f->chain.waited_list && fetch_attached(f->e) && blocks_unknown(f)) {
        f->chain.waited_list = true;
        wait_here(f);
        return;
    }
    step_certified(f);
}

bool revoke_unknown(struct flow *f)
{
    if (f->cert.revocation_known)
        return false;
    f->e->n.revocation_unknown++;
    return good_but_weak(f) && blocks_unknown(f);
}

/* ---- a new set */

bool revoke_again(struct flow *f)
{
    bool was = f->cert.defects & DEFECT_BIT(REVOKED);
    if (f->cert.n_path == 0)
        return false;
    verify_revocation(f->e->revoked, &f->cert, clock_wall_s());
    return !was && (f->cert.defects & DEFECT_BIT(REVOKED));
}

void revoke_arrived(struct flow *f)
{
    if (f->state == ST_FETCH && f->chain.waited_list && list_empty(&f->chain.fetch.ask.link)) {
        verify_revocation(f->e->revoked, &f->cert, clock_wall_s());
        if (f->cert.revocation_known)
            step_certified(f);
    }
}

enum rc engine_revocations(struct engine *e, int fd)
{
    struct revoked *set = NULL;
    TRY(revoked_map(fd, &set));
    revoked_free(e->revoked);
    e->revoked = set;
    log_debug("revocation set: %zu lists, %zu entries", revoked_n_sources(set), revoked_n_serials(set));
    again_start(e, true);
    return RC_OK;
}
