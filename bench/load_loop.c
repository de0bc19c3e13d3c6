/* The load process. Closed loop (`rate` 0): a new connection when one has ended, `parallel` at a time. Open
 * loop: so many a second by the clock, and a connection that had to wait for a free slot counts its waiting
 * too, so that a gateway that stalls cannot hide it. */
#include "bench/load_loop.h"

#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "bench/load_conn.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"

enum { EVENTS_AT_ONCE = 128, WAIT_MS = 20, SWEEP_MS = 500 };

static SSL_CTX *make_ctx(const char *ca_file, bool h2, bool resume)
{
    span alpn = h2 ? SPAN("\x02h2") : SPAN("\x08http/1.1");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
              SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
              SSL_CTX_set_alpn_protos(ctx, alpn.p, (unsigned)alpn.n) == 0 &&
              SSL_CTX_load_verify_file(ctx, ca_file) == 1;
    if (!ok) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, resume ? load_conn_session : NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

static bool more_to_start(const struct load_client *lc, int64_t begun_us)
{
    const struct load_plan *p = lc->plan;
    if (atomic_load(&lc->shared->cancel))
        return false;
    if (p->connections > 0)
        return atomic_load(&lc->shared->started) < p->connections;
    return clock_mono_us() - begun_us < (int64_t)p->seconds * 1000000;
}

static struct load_conn *free_slot(struct load_client *lc, uint64_t *hint)
{
    for (uint64_t tried = 0; tried < lc->n_conns; tried++) {
        struct load_conn *c = &lc->conns[(*hint + tried) % lc->n_conns];
        if (c->state == LS_FREE) {
            *hint = (*hint + tried + 1) % lc->n_conns;
            return c;
        }
    }
    return NULL;
}

/* Opens what is due. */
static void start_due(struct load_client *lc, int64_t begun_us, uint64_t *hint)
{
    const struct load_plan *p = lc->plan;
    bool first =
        lc->sessions && p->names == 1 && lc->sessions[0].n == 0; /* brings the session for the others */
    while (lc->active < (first ? 1 : p->parallel) && more_to_start(lc, begun_us)) {
        uint64_t number = atomic_load(&lc->shared->started);
        int64_t now = clock_mono_us();
        int64_t due = p->rate ? begun_us + (int64_t)(number * 1000000 / p->rate) : now;
        struct load_conn *c = due <= now ? free_slot(lc, hint) : NULL;
        if (!c)
            return;
        atomic_fetch_add(&lc->shared->started, 1);
        load_conn_open(lc, c, number, due);
    }
}

static void sweep(struct load_client *lc)
{
    int64_t now = clock_mono_us();
    for (uint64_t i = 0; i < lc->n_conns; i++) {
        struct load_conn *c = &lc->conns[i];
        int64_t since = c->asked_us ? c->asked_us : c->begun_us;
        if (c->state != LS_FREE && c->state != LS_HELD && now - since > (int64_t)LOAD_DEADLINE_MS * 1000) {
            ERR_clear_error();
            load_conn_fail(lc, c, LOAD_E_TIMEOUT);
        }
    }
}

static void wait_events(struct load_client *lc)
{
    struct epoll_event ev[EVENTS_AT_ONCE];
    int timeout = lc->plan->rate || lc->plan->pace ? 1 : WAIT_MS;
    int n = epoll_wait(lc->epoll, ev, EVENTS_AT_ONCE, timeout);
    for (int i = 0; i < n; i++)
        load_conn_ready(lc, ev[i].data.ptr);
}

static struct load_conn *held_slot(struct load_client *lc, uint64_t *hint)
{
    for (uint64_t tried = 0; tried < lc->n_conns; tried++) {
        struct load_conn *c = &lc->conns[(*hint + tried) % lc->n_conns];
        if (c->state == LS_HELD) {
            *hint = (*hint + tried + 1) % lc->n_conns;
            return c;
        }
    }
    return NULL;
}

/* Requests by the clock, each on the next connection that is free. One that had to wait for a free connection
 * counts from when it was due; the client's own lateness (a millisecond of sleep) is nobody's. */
static void ask_by_the_clock(struct load_client *lc)
{
    const struct load_plan *p = lc->plan;
    int64_t begun_us = clock_mono_us(), swept_us = begun_us;
    uint64_t hint = 0;
    bool late = false;
    for (uint64_t asked = 0; asked < p->requests * p->connections && lc->held + lc->active > 0;) {
        int64_t now = clock_mono_us(), due = begun_us + (int64_t)(asked * 1000000 / p->pace);
        struct load_conn *c = due <= now ? held_slot(lc, &hint) : NULL;
        if (c) {
            c->late_us = late ? due : 0;
            load_conn_release(lc, c);
            asked++;
        }
        late = !c && due <= now;
        if (!c)
            wait_events(lc);
        if (now - swept_us > SWEEP_MS * 1000) {
            swept_us = now;
            sweep(lc);
        }
        if (atomic_load(&lc->shared->cancel))
            break;
    }
    while (lc->active > 0) {
        wait_events(lc);
        sweep(lc);
    }
    for (uint64_t i = 0; i < lc->n_conns; i++) {
        if (lc->conns[i].state == LS_HELD)
            load_conn_close(lc, &lc->conns[i]);
    }
}

/* All are open (or have failed): tell the bench, and when it says go, let every one ask again. */
static void hold_and_go(struct load_client *lc)
{
    lc->shared->held_n = lc->held;
    atomic_store(&lc->shared->held, true);
    while (!atomic_load(&lc->shared->go) && !atomic_load(&lc->shared->cancel))
        wait_events(lc);
    if (lc->plan->pace > 0) {
        ask_by_the_clock(lc);
        return;
    }
    for (uint64_t i = 0; i < lc->n_conns; i++) {
        if (lc->conns[i].state == LS_HELD)
            load_conn_release(lc, &lc->conns[i]);
    }
}

static void run(struct load_client *lc)
{
    int64_t begun_us = clock_mono_us(), swept_us = begun_us;
    uint64_t hint = 0;
    bool waited = !lc->plan->hold;
    for (;;) {
        start_due(lc, begun_us, &hint);
        if (lc->active == 0 && !more_to_start(lc, begun_us)) {
            if (waited)
                return;
            waited = true;
            hold_and_go(lc);
            continue;
        }
        wait_events(lc);
        if (clock_mono_us() - swept_us > SWEEP_MS * 1000) {
            swept_us = clock_mono_us();
            sweep(lc);
        }
    }
}

static enum rc set_up(struct load_client *lc)
{
    struct addr target;
    const struct load_plan *p = lc->plan;
    lc->ctx = make_ctx(p->ca_file, p->h2, p->resume);
    lc->epoll = epoll_create1(EPOLL_CLOEXEC);
    lc->n_conns = p->hold && p->connections > p->parallel ? p->connections : p->parallel;
    lc->conns = calloc(lc->n_conns, sizeof(*lc->conns));
    lc->n_sessions = p->resume ? p->names : 0;
    lc->sessions = p->resume ? calloc(p->names, sizeof(*lc->sessions)) : NULL;
    if (!lc->ctx || lc->epoll < 0 || !lc->conns || (p->resume && !lc->sessions) ||
        !addr_parse(span_str(p->target), &target)) {
        snprintf(lc->shared->first_error, sizeof(lc->shared->first_error),
                 "cannot set up the load client (CA file %s)", p->ca_file);
        return RC_CONFIG;
    }
    for (uint64_t i = 0; i < lc->n_conns; i++)
        lc->conns[i].fd = -1;
    lc->target_len = addr_to_sockaddr(&target, p->port, &lc->target);
    return RC_OK;
}

enum rc load_loop_run(const struct load_plan *plan, struct load_shared *shared)
{
    AUTO_FREE struct load_client *lc = calloc(1, sizeof(*lc));
    if (!lc)
        return RC_NOMEM;
    lc->plan = plan;
    lc->shared = shared;
    enum rc rc = set_up(lc);
    if (rc == RC_OK)
        run(lc);
    for (uint64_t i = 0; i < lc->n_sessions && lc->sessions; i++) {
        while (lc->sessions[i].n > 0)
            SSL_SESSION_free(lc->sessions[i].kept[--lc->sessions[i].n]);
    }
    free(lc->sessions);
    SSL_CTX_free(lc->ctx);
    obj_close_p(&lc->epoll);
    free(lc->conns);
    return rc;
}
