/* The worker: an event loop with the flow engine on it. It begins with nothing and gets everything from the
 * master: snapshot, trust store, CA certificates, ring, decision codes, channel to the signer, listening
 * sockets. Once it can work it closes its sandbox; what comes later (a new snapshot, a new signer) comes as
 * descriptors and messages. */
#include "gw/proc/role.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/base/panic.h"
#include "gw/flow/flow.h"
#include "gw/flow/source.h"
#include "gw/proc/slice.h"
#include "gw/siem/event.h"
#include "policy/manifest.h"

enum { LISTENERS_MAX = 64, DRAIN_POLL_MS = 100, TRUST_BYTES_MAX = 8 << 20 };

struct worker {
    struct role_ctx *ctx;
    struct engine engine;
    struct listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    struct ev_timer drain;
    int64_t drain_until_ms;
    bool have_ca, ready, stopping;
};

static struct worker *the_worker; /* for the panic only */

/* ---- panic: which flow, which states ---- */

static void tell_flow(int fd, const struct flow *f)
{
    panic_put(fd, "flow ");
    panic_put_number(fd, f->id);
    panic_put(fd, ":");
    for (uint32_t i = f->n_trace > FLOW_TRACE ? f->n_trace - FLOW_TRACE : 0; i < f->n_trace; i++) {
        panic_put(fd, " ");
        panic_put(fd, state_name(f->trace[i % FLOW_TRACE].state));
        panic_put(fd, "@");
        panic_put_number(fd, (uint64_t)(f->trace[i % FLOW_TRACE].at_us - f->start_us));
    }
    panic_put(fd, "\n");
}

/* The flow whose callback ran last changed state last, most likely: tell the newest few. */
static void on_panic(int fd)
{
    int n = 0;
    if (!the_worker)
        return;
    const struct flow *now = the_worker->engine.current;
    if (now)
        tell_flow(fd, now);
    for (struct list *l = the_worker->engine.flows.prev; l != &the_worker->engine.flows && n < 8;
         l = l->prev, n++)
        tell_flow(fd, CONTAINER_OF(l, struct flow, link));
}

/* ---- starting ---- */

static void want_codes(struct engine *e)
{
    struct worker *w = CONTAINER_OF(e, struct worker, engine);
    uint8_t zero[8] = {0};
    if (w->ctx->master &&
        peer_send(w->ctx->master, MSG_CODES_REQ, span_of(zero, sizeof zero), NULL, 0) == RC_OK)
        e->want_codes = NULL; /* asked; the answer sets it again */
}

static enum rc start(struct role_ctx *ctx)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return RC_NOMEM;
    ctx->state = w;
    w->ctx = ctx;
    the_worker = w;
    panic_tell(on_panic);
    if (slice_ask(LIM_WORKER_SLICE_US) != RC_OK)
        log_debug("no short turns on the processor: %s", strerrorname_np(errno));
    TRY(engine_init(&w->engine, ctx->ev));
    w->engine.node = ctx->config.node;
    w->engine.worker = ctx->config.index;
    w->engine.boot = ctx->config.boot;
    w->engine.want_codes = want_codes;
    return minter_new(ctx->ev, LIM_LEAVES_CACHED, &w->engine.minter);
}

/* The policy's resolvers; where it names none, the system's. */
static const struct addr *resolvers(const struct worker *w, const struct snapshot *s, size_t *n)
{
    const struct settings *set = snapshot_settings(s);
    const struct role_config *own = &w->ctx->config;
    *n = set->n_resolvers ? set->n_resolvers : own->n_resolvers;
    return set->n_resolvers ? set->resolver : own->resolver;
}

static void maybe_ready(struct worker *w)
{
    struct engine *e = &w->engine;
    if (w->ready || !e->snap || !e->trust || !w->have_ca || !e->untrusted || !e->ring || !e->code_end)
        return;
    size_t n;
    const struct addr *servers = resolvers(w, e->snap, &n);
    enum rc rc = resolver_new(e->ev, servers, n, &e->resolver);
    if (rc == RC_OK)
        rc = role_ready(w->ctx);
    if (rc != RC_OK) {
        log_error("cannot start: %s", rc_text(rc));
        ev_stop(e->ev);
        return;
    }
    w->ready = true;
}

/* ---- what the master sends ---- */

static int take_fd(int *fds, size_t i)
{
    int fd = fds[i];
    fds[i] = -1;
    return fd;
}

static enum rc take_snapshot(struct worker *w, span payload, const int *fds, size_t n_fds)
{
    struct engine *e = &w->engine;
    struct snapshot *s = NULL;
    struct manifest manifest;
    if (n_fds != SNAP_PARTS)
        return RC_BAD;
    TRY(manifest_get(payload, &manifest));
    TRY(snapshot_open_as(&manifest, fds, e->snap, &s));
    const uint8_t *name = snapshot_hash(s); /* lives on: the engine has it */
    engine_snapshot(e, s);
    size_t n;
    const struct addr *servers = resolvers(w, s, &n);
    if (e->resolver && resolver_servers(e->resolver, servers, n) != RC_OK)
        log_warn("the resolvers of the new policy could not be set; the old ones stay");
    snapshot_put(s);
    return peer_send(w->ctx->master, MSG_SNAPSHOT_OK, span_of(name, SNAP_HASH), NULL, 0);
}

static enum rc take_trust(struct worker *w, const int *fds, size_t n_fds)
{
    struct stat st;
    struct buf err = {0};
    unsigned n_roots = 0;
    if (n_fds != 1 || fstat(fds[0], &st) < 0 || st.st_size <= 0 || st.st_size > TRUST_BYTES_MAX)
        return RC_BAD;
    void *pem = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fds[0], 0);
    if (pem == MAP_FAILED)
        return RC_IO;
    enum rc rc = trust_load(span_of(pem, (size_t)st.st_size), &w->engine.trust, &n_roots, &err);
    if (rc != RC_OK)
        log_error("trust store: %.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
    engine_trust_changed(&w->engine);
    buf_fini(&err);
    munmap(pem, (size_t)st.st_size);
    return rc;
}

/* Certificates of our own CA: for the chains we send, and never to be accepted from an origin. */
static enum rc take_ca(struct worker *w, span payload)
{
    struct rd r = rd_of(payload);
    uint8_t before[MINTER_CA_ID];
    memcpy(before, minter_ca_id(w->engine.minter), sizeof before);
    TRY(minter_set_ca(w->engine.minter, payload));
    if (memcmp(before, minter_ca_id(w->engine.minter), sizeof before) != 0)
        buf_clear(&w->engine.crl); /* the other CA's: none is better for a moment */
    rd_u16(&r);                    /* generation */
    while (w->engine.trust && rd_left(&r) > 0) {
        span der = rd_vec16(&r);
        if (!r.bad)
            TRY(trust_forbid(w->engine.trust, der));
    }
    engine_trust_changed(&w->engine); /* what was acceptable may be one of ours now */
    w->have_ca = true;
    return RC_OK;
}

/* A CA that was in force: never an origin's either, and its last CRL for the leaves that clients still look
 * at. */
static enum rc take_old_ca(struct worker *w, span payload)
{
    struct engine *e = &w->engine;
    struct rd r = rd_of(payload);
    if (payload.n == 0) {
        e->n_old_crl = 0;
        return RC_OK;
    }
    span query = rd_vec8(&r), issuing = rd_vec16(&r), root = rd_vec16(&r), crl = rd_vec16(&r);
    if (r.bad || e->n_old_crl == LIM_OLD_CAS || query.n > sizeof e->old_crl[0].query)
        return RC_BAD;
    if (e->trust) {
        TRY(trust_forbid(e->trust, issuing));
        TRY(trust_forbid(e->trust, root));
    }
    struct old_crl *o = &e->old_crl[e->n_old_crl++];
    o->n_query = (uint8_t)query.n;
    memcpy(o->query, query.p, query.n);
    buf_clear(&o->der);
    return buf_put(&o->der, crl);
}

static void on_accept(struct listener *l, const struct accepted *a)
{
    struct worker *w = l->data;
    flow_accept(&w->engine, a, l->explicit_proxy);
    w->engine.n.accept_backoffs += l->n_backoffs;
    l->n_backoffs = 0;
}

static enum rc take_listener(struct worker *w, span payload, int *fds, size_t n_fds)
{
    size_t at = 0;
    while (at < w->n_listeners && w->listeners[at].io.fd >= 0)
        at++; /* the place of one that is gone */
    if (payload.n < 1 || n_fds != 1 || at == LISTENERS_MAX || w->stopping)
        return RC_BAD;
    struct listener *l = &w->listeners[at];
    l->explicit_proxy = payload.p[0] == LISTEN_EXPLICIT;
    l->on_accept = on_accept;
    l->data = w;
    TRY(listen_start(l, w->engine.ev, fds[0]));
    take_fd(fds, 0);
    w->n_listeners += at == w->n_listeners;
    return RC_OK;
}

/* A reload has taken this one away; flows that came by it go on. */
static enum rc drop_listener(struct worker *w, span payload)
{
    struct rd r = rd_of(payload);
    bool explicit_proxy = rd_u8(&r) == LISTEN_EXPLICIT;
    struct addr a = {.family = rd_u8(&r)};
    uint16_t port = rd_u16(&r);
    span bytes = rd_bytes(&r, sizeof a.b);
    if (r.bad)
        return RC_BAD;
    memcpy(a.b, bytes.p, sizeof a.b);
    for (size_t i = 0; i < w->n_listeners; i++) {
        struct listener *l = &w->listeners[i];
        if (l->explicit_proxy == explicit_proxy && listen_is_at(l, &a, port))
            listen_end(l);
    }
    return RC_OK;
}

static enum rc take_codes(struct worker *w, span payload)
{
    struct rd r = rd_of(payload);
    uint64_t from = rd_u64(&r), to = rd_u64(&r);
    if (r.bad || from >= to)
        return RC_BAD;
    w->engine.code_next = from;
    w->engine.code_end = to;
    w->engine.want_codes = want_codes;
    return RC_OK;
}

static enum rc take_pseudo(struct worker *w, span payload)
{
    struct rd r = rd_of(payload);
    struct engine *e = &w->engine;
    uint32_t day = rd_u32(&r);
    span key = rd_bytes(&r, PSEUDO_KEY);
    if (r.bad)
        return RC_BAD;
    if (e->pseudo_day == 0 || day < e->pseudo_day || day > e->pseudo_day + 1) {
        e->pseudo_day = day;
        memcpy(e->pseudo_key[0], key.p, PSEUDO_KEY);
    }
    memcpy(e->pseudo_key[day > e->pseudo_day], key.p, PSEUDO_KEY);
    return RC_OK;
}

static enum rc take_clicks(struct worker *w, span payload)
{
    if (payload.n != 1 + CLICK_KEY)
        return RC_BAD;
    click_key(&w->engine.clicks, payload.p[0], payload.p + 1);
    return RC_OK;
}

static enum rc take_ticket_key(struct worker *w, span payload)
{
    struct rd r = rd_of(payload);
    uint32_t number = rd_u32(&r);
    span key = rd_bytes(&r, TICKET_KEY);
    if (r.bad || rd_left(&r) > 0)
        return RC_BAD;
    return ticket_key(&w->engine.tickets, number, key.p);
}

static enum rc show(struct worker *w, span payload)
{
    enum { PIECE = 30000 };
    struct rd r = rd_of(payload);
    struct buf text = {0}, piece = {0};
    uint64_t id = rd_u64(&r);
    enum rc rc = engine_show(&w->engine, rd_bytes(&r, rd_left(&r)), &text);
    if (rc == RC_NOTFOUND)
        rc = buf_put_str(&text, "null");
    size_t at = 0;
    do {
        span part = span_cut(buf_span(&text), at, at + PIECE);
        at += part.n;
        buf_clear(&piece);
        if (rc == RC_OK)
            rc = buf_put_u64(&piece, id);
        if (rc == RC_OK)
            rc = buf_put_u8(&piece, at >= buf_len(&text));
        if (rc == RC_OK)
            rc = buf_put(&piece, part);
        if (rc == RC_OK)
            rc = peer_send(w->ctx->master, MSG_SHOWN, buf_span(&piece), NULL, 0);
    } while (rc == RC_OK && at < buf_len(&text));
    buf_fini(&text);
    buf_fini(&piece);
    return rc;
}

static enum rc take_hits(struct worker *w, const int *fds, size_t n_fds)
{
    struct hits *h;
    if (n_fds != 1)
        return RC_BAD;
    TRY(hits_map(fds[0], &h));
    engine_hits(&w->engine, h);
    return RC_OK;
}

static enum rc dispatch(struct worker *w, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct engine *e = &w->engine;
    switch (t) {
    case MSG_SNAPSHOT: return take_snapshot(w, payload, fds, n_fds);
    case MSG_TRUST: return take_trust(w, fds, n_fds);
    case MSG_CA: return take_ca(w, payload);
    case MSG_UNTRUSTED: return engine_second_ca(e, payload);
    case MSG_OLD_CA: return take_old_ca(w, payload);
    case MSG_CRL: buf_clear(&e->crl); return buf_put(&e->crl, payload);
    case MSG_RING:
        if (n_fds != 2 || e->ring)
            return RC_BAD;
        e->ring_wake = take_fd(fds, 1);
        return ring_map(fds[0], &e->ring);
    case MSG_HITS: return take_hits(w, fds, n_fds);
    case MSG_BROKEN: return n_fds == 1 ? engine_broken(e, fds[0]) : RC_BAD;
    case MSG_SIGNER: return n_fds == 1 ? minter_attach(e->minter, take_fd(fds, 0)) : RC_BAD;
    case MSG_FETCHER: return n_fds == 1 ? fetch_attach(e, take_fd(fds, 0)) : RC_BAD;
    case MSG_REVOCATIONS: return n_fds == 1 ? engine_revocations(e, fds[0]) : RC_BAD;
    case MSG_OPENER: return n_fds == 1 ? source_attach(e, take_fd(fds, 0)) : RC_BAD;
    case MSG_LISTENER: return take_listener(w, payload, fds, n_fds);
    case MSG_LISTENER_GONE: return drop_listener(w, payload);
    case MSG_CODES: return take_codes(w, payload);
    case MSG_LOGGER: e->logger_away = payload.n != 1 || payload.p[0] == 0; return RC_OK;
    case MSG_PSEUDO: return take_pseudo(w, payload);
    case MSG_CLICKKEY: return take_clicks(w, payload);
    case MSG_TICKETKEY: return take_ticket_key(w, payload);
    case MSG_SHOW: return show(w, payload);
    default: return RC_OK;
    }
}

static void on_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct worker *w = ctx->state;
    enum rc rc = dispatch(w, t, payload, fds, n_fds);
    for (size_t i = 0; i < n_fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    if (rc != RC_OK) {
        log_error("message %s: %s", msg_name(t), rc_text(rc));
        if (!w->ready)
            ev_stop(ctx->ev); /* without it there is nothing to wait for */
    }
    maybe_ready(w);
}

/* ---- stopping ---- */

static void on_drain(struct ev_timer *t)
{
    struct worker *w = CONTAINER_OF(t, struct worker, drain);
    bool over = ev_now_ms(w->engine.ev) >= w->drain_until_ms;
    flow_drain_all(&w->engine, over);
    bool all_told = engine_all_told(&w->engine);
    if (over && !all_told)
        log_error("the log takes nothing: %llu events of ended flows are lost",
                  (unsigned long long)w->engine.n_backlog);
    if (over || (list_empty(&w->engine.flows) && all_told))
        ev_stop(w->engine.ev);
    else
        ev_timer_set(w->engine.ev, &w->drain, DRAIN_POLL_MS);
}

static void on_stop(struct role_ctx *ctx, uint32_t grace_ms)
{
    struct worker *w = ctx->state;
    if (w->stopping)
        return;
    w->stopping = w->engine.draining = true;
    for (size_t i = 0; i < w->n_listeners; i++)
        listen_stop(&w->listeners[i]);
    w->drain_until_ms = ev_now_ms(w->engine.ev) + grace_ms;
    ev_timer_init(&w->drain, on_drain);
    ev_timer_set(w->engine.ev, &w->drain, 1);
}

static void end(struct role_ctx *ctx)
{
    struct worker *w = ctx->state;
    the_worker = NULL;
    flow_drain_all(&w->engine, true);
    if (ev_turn(ctx->ev, 0) != RC_OK) /* what was put off: the memory of ended flows */
        return;
    for (size_t i = 0; i < w->n_listeners; i++)
        listen_stop(&w->listeners[i]);
    engine_fini(&w->engine);
    free(w);
    ctx->state = NULL;
}

const struct role_ops worker_ops = {
    .role = ROLE_WORKER, .start = start, .on_msg = on_msg, .on_stop = on_stop, .end = end};
