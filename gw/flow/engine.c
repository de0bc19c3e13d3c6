/* What the flows of a worker share; see engine.h. Here: start and end, decision codes, and the way into the
 * log. */
#include "gw/flow/engine.h"

#include "certs/chaincache.h"
#include "certs/untrusted.h"
#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/flow/revoke.h"
#include "gw/flow/source.h"
#include "gw/flow/upstream.h"
#include "gw/siem/code.h"
#include "gw/tls/ctx.h"

#include <sys/random.h>
#include <unistd.h>

enum {
    HOLD_POLL_MS = 16,
    BACKLOG_BYTES = 64 << 20,
    CODES_LOW = 1 << 16,
    CHAINS_CACHED = 10000,
    BACKLOG_HEAD = 5
};

static void on_hold_timer(struct ev_timer *t);

enum rc engine_init(struct engine *e, struct ev *ev)
{
    e->ev = ev;
    list_init(&e->flows);
    list_init(&e->holding);
    ev_timer_init(&e->hold_timer, on_hold_timer);
    again_init(e);
    buf_init(&e->line, LIM_EVENT_BYTES);
    buf_init(&e->page, 4 * LIM_PEND_BYTES);
    buf_init(&e->backlog, BACKLOG_BYTES);
    buf_init(&e->crl, LIM_MSG_BYTES);
    map_init(&e->minted, LIM_LEAVES_CACHED);
    share_init(&e->share);
    e->ring_wake = -1;
    /* Flow ids stay below 2^51, which every reader of JSON takes for a whole number; the start is drawn, so
     * that a replaced worker does not count the same ones again. */
    if (getrandom(&e->next_flow_id, sizeof e->next_flow_id, 0) != (ssize_t)sizeof e->next_flow_id)
        return RC_IO;
    TRY(record_init(e));
    TRY(pipe_pool_init(&e->pipes, LIM_PIPES_POOLED));
    TRY(chaincache_new(CHAINS_CACHED, &e->chains));
    TRY(ctx_server_new(&e->to_clients));
    TRY(revoke_init(e));
    TRY(ctx_client_new(upstream_verify, upstream_asked, &e->to_origins));
    return ctx_weak_new(upstream_verify, upstream_asked, &e->to_weak);
}

void engine_fini(struct engine *e)
{
    again_fini(e);
    source_detach(e);
    revoke_fini(e);
    minter_free(e->minter);
    resolver_free(e->resolver);
    untrusted_free(e->untrusted);
    chaincache_free(e->chains);
    trust_free(e->trust);
    SSL_CTX_free(e->to_clients);
    SSL_CTX_free(e->to_origins);
    SSL_CTX_free(e->to_weak);
    pipe_pool_fini(&e->pipes);
    snapshot_put(e->snap);
    buf_fini(&e->line);
    buf_fini(&e->page);
    buf_fini(&e->backlog);
    buf_fini(&e->crl);
    map_fini(&e->minted);
    share_fini(&e->share);
    record_fini(e);
    ring_unmap(e->ring);
    hits_unmap(e->hits);
}

void engine_trust_changed(struct engine *e)
{
    e->trust_generation++;
    chaincache_clear(e->chains);
}

enum rc engine_second_ca(struct engine *e, span pem)
{
    return e->untrusted ? RC_BAD : untrusted_load(pem, LIM_UNTRUSTED_CACHED, &e->untrusted);
}

void engine_snapshot(struct engine *e, struct snapshot *s)
{
    struct snapshot *old = e->snap;
    e->snap = snapshot_get(s);
    snapshot_put(old);
    again_start(e, false);
}

void engine_hit(struct engine *e, const struct snapshot *s, uint32_t rule)
{
    uint64_t key = e->hits && rule != RULE_NONE ? snapshot_rule(s, rule).key : 0;
    if (key)
        hits_add(e->hits, key, clock_wall_s());
}

void engine_hits(struct engine *e, struct hits *h)
{
    hits_unmap(e->hits);
    e->hits = h;
}

void engine_code(struct engine *e, char out[16])
{
    if (e->code_end - e->code_next < CODES_LOW && e->want_codes)
        e->want_codes(e);
    /* An empty range means that the master has been away for the last 65,536 decisions: codes repeat rather
     * than stop. */
    code_format(e->node, e->code_next < e->code_end ? e->code_next++ : e->code_end, out);
}

/* ---- the log ---- */

static void wake_logger(struct engine *e)
{
    uint64_t one = 1;
    ssize_t ignored = write(e->ring_wake, &one, sizeof one);
    (void)ignored;
}

static enum rc put_now(struct engine *e, enum ring_kind kind, span frame)
{
    bool wake = false;
    TRY(ring_reserve(e->ring));
    ring_put(e->ring, kind, frame, &wake);
    e->n.events += kind == RING_EVENT;
    e->n.records += kind == RING_RECORD;
    if (wake)
        wake_logger(e);
    return RC_OK;
}

/* What found the ring full goes first, in its order. */
static void drain_backlog(struct engine *e)
{
    while (buf_len(&e->backlog) > 0) {
        struct rd r = rd_of(buf_span(&e->backlog));
        enum ring_kind kind = (enum ring_kind)rd_u8(&r);
        span frame = rd_bytes(&r, rd_u32(&r));
        if (put_now(e, kind, frame) != RC_OK)
            return;
        buf_consume(&e->backlog, frame.n + BACKLOG_HEAD);
        e->n_backlog -= kind == RING_EVENT;
    }
    buf_fini(&e->backlog);
}

bool engine_all_told(struct engine *e)
{
    drain_backlog(e);
    return buf_len(&e->backlog) == 0;
}

bool engine_has_room(struct engine *e)
{
    drain_backlog(e);
    if (buf_len(&e->backlog) > 0 || ring_reserve(e->ring) != RC_OK)
        return false;
    ring_release(e->ring);
    return true;
}

uint64_t engine_next_seq(const struct engine *e)
{
    return ring_next_seq(e->ring) + e->n_backlog;
}

static void put_frame(struct engine *e, enum ring_kind kind, span frame)
{
    static struct log_rate rate;
    if (buf_len(&e->backlog) == 0 && put_now(e, kind, frame) == RC_OK)
        return;
    if (buf_reserve(&e->backlog, frame.n + BACKLOG_HEAD) != RC_OK) {
        if (log_rate_ok(&rate, ev_now_ms(e->ev), 1000))
            log_error("the log takes nothing and the backlog is full: an event of an ended flow is lost");
        return;
    }
    enum rc rc = buf_put_u8(&e->backlog, (uint8_t)kind);
    if (rc == RC_OK)
        rc = buf_put_u32(&e->backlog, (uint32_t)frame.n);
    if (rc == RC_OK)
        rc = buf_put(&e->backlog, frame);
    gw_assert(rc == RC_OK); /* reserved above */
    e->n_backlog += kind == RING_EVENT;
    ev_timer_set(e->ev, &e->hold_timer, HOLD_POLL_MS);
}

void engine_event(struct engine *e)
{
    put_frame(e, RING_EVENT, buf_span(&e->line));
}

void engine_record(struct engine *e, span record)
{
    put_frame(e, RING_RECORD, record);
}

void engine_hold(struct engine *e, struct hold *h)
{
    list_push(&e->holding, &h->link);
    ev_timer_set(e->ev, &e->hold_timer, HOLD_POLL_MS);
}

void engine_unhold(struct hold *h)
{
    list_drop(&h->link);
}

static void on_hold_timer(struct ev_timer *t)
{
    struct engine *e = CONTAINER_OF(t, struct engine, hold_timer);
    while (engine_has_room(e) && !list_empty(&e->holding)) {
        struct hold *h = CONTAINER_OF(e->holding.next, struct hold, link);
        list_drop(&h->link);
        h->again(h);
    }
    if (!list_empty(&e->holding) || buf_len(&e->backlog) > 0)
        ev_timer_set(e->ev, &e->hold_timer, HOLD_POLL_MS);
}
