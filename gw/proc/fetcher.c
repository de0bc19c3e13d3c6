/* The fetcher: gets revocation lists and issuers' certificates from where strangers' certificates say they
 * are, outside all policy and behind the SSRF guard (gw/proc/get.c). All that it reads comes from strangers,
 * so it has nothing: no file, no capability, no traffic of users, no secret. What it makes of it is one
 * sealed file, the revocation set, which every worker checks before it looks into it.
 *
 * A worker may be captured: what it asks for is bounded, and an issuer of its own invention can revoke only
 * certificates that this issuer has signed. */
#include <openssl/err.h>
#include <stdlib.h>
#include <unistd.h>

#include "certs/pointers.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/fetcher_int.h"

enum { HELD_MOST = 2 * LIM_CRL_BYTES };

/* ---- workers */

static void drop(struct fetch_worker *w)
{
    if (w->peer)
        issuers_forget(w);
    peer_free(w->peer);
    w->peer = NULL;
}

static enum rc take_list(struct fetch_worker *w, span payload)
{
    struct rd r = rd_of(payload);
    bool authorities = rd_u8(&r) != 0;
    span url = rd_vec16(&r), der = rd_bytes(&r, rd_left(&r));
    const uint8_t *p = der.p;
    if (r.bad || url.n == 0 || url.n >= POINTER_BYTES || der.n == 0)
        return RC_BAD;
    X509 *issuer = d2i_X509(NULL, &p, (long)der.n);
    ERR_clear_error();
    if (!issuer)
        return RC_BAD;
    lists_want(w->f, issuer, url, authorities);
    X509_free(issuer);
    return RC_OK;
}

static enum rc take_issuer(struct fetch_worker *w, span payload)
{
    struct rd r = rd_of(payload);
    uint64_t id = rd_u64(&r);
    span url = rd_vec16(&r), der = rd_bytes(&r, rd_left(&r));
    if (r.bad || url.n == 0 || url.n >= POINTER_BYTES || der.n == 0)
        return RC_BAD;
    issuers_ask(w, id, url, der);
    return RC_OK;
}

static void on_worker_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct fetch_worker *w = peer_data(p);
    (void)fds;
    (void)n_fds; /* no row allows any */
    enum rc rc = t == MSG_FETCH_LIST     ? take_list(w, payload)
                 : t == MSG_FETCH_ISSUER ? take_issuer(w, payload)
                                         : RC_BAD;
    if (rc == RC_OK)
        return;
    log_warn("worker %d: %s: its channel is closed", (int)(w - w->f->workers), rc_text(rc));
    drop(w);
}

static void on_worker_end(struct peer *p, enum rc rc)
{
    struct fetch_worker *w = peer_data(p);
    (void)rc;
    issuers_forget(w);
    w->peer = NULL;
}

static enum rc take_worker(struct fetcher *f, span payload, int *fd)
{
    struct rd r = rd_of(payload);
    uint32_t worker = rd_u32(&r);
    if (r.bad || worker >= LIM_WORKERS)
        return RC_BAD;
    struct fetch_worker *w = &f->workers[worker];
    drop(w); /* its predecessor's */
    w->f = f;
    int taken = *fd;
    *fd = -1;
    return peer_new(f->env.ev, taken, ROLE_FETCHER, ROLE_WORKER, on_worker_msg, on_worker_end, w, &w->peer);
}

/* ---- the master */

static enum rc take_rules(struct fetcher *f, span payload)
{
    TRY(fetch_rules_get(payload, &f->rules));
    const struct fetch_rules *rules = &f->rules;
    f->env.fence = (struct fence_rules){.private_block = rules->private_block,
                                        .open = rules->open,
                                        .n_open = rules->n_open,
                                        .management = rules->management,
                                        .n_management = rules->n_management};
    if (!f->env.resolver)
        TRY(resolver_new(f->env.ev, rules->resolver, rules->n_resolvers, &f->env.resolver));
    else
        TRY(resolver_servers(f->env.resolver, rules->resolver, rules->n_resolvers));
    f->have_rules = true;
    if (!f->ready) {
        f->ready = true;
        TRY(role_ready(f->ctx));
    }
    lists_wake(f);
    return RC_OK;
}

static enum rc dispatch(struct fetcher *f, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    switch (t) {
    case MSG_FETCH_RULES: return take_rules(f, payload);
    case MSG_FETCH_PEER: return n_fds == 1 ? take_worker(f, payload, &fds[0]) : RC_BAD;
    case MSG_REVOCATIONS:
        if (n_fds != 1)
            return RC_BAD;
        lists_restore(f, fds[0]);
        return RC_OK;
    default: return RC_OK;
    }
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    enum rc rc = dispatch(ctx->state, t, payload, fds, n_fds);
    if (rc != RC_OK)
        log_warn("message %s: %s", msg_name(t), rc_text(rc));
    for (size_t i = 0; i < n_fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static enum rc start(struct role_ctx *ctx)
{
    struct fetcher *f = calloc(1, sizeof *f);
    if (!f)
        return RC_NOMEM;
    ctx->state = f;
    f->ctx = ctx;
    f->env = (struct get_env){.ev = ctx->ev, .fence = {.private_block = true}, .held_most = HELD_MOST};
    lists_init(f);
    issuers_init(f);
    return RC_OK;
}

static void end(struct role_ctx *ctx)
{
    struct fetcher *f = ctx->state;
    for (size_t i = 0; i < LIM_WORKERS; i++) {
        if (f->workers[i].f)
            drop(&f->workers[i]);
    }
    lists_fini(f);
    issuers_fini(f);
    if (ev_turn(ctx->ev, 0) != RC_OK) /* what was put off */
        return;
    resolver_free(f->env.resolver);
    free(f);
    ctx->state = NULL;
}

const struct role_ops fetcher_ops = {.role = ROLE_FETCHER, .start = start, .on_msg = on_msg, .end = end};
