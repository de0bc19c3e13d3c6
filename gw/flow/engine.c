/* What the flows of a worker share; see engine.h. Here: start and end, decision codes, and the way into the
 * log. */
#include "gw/flow/engine.h"

#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "gw/flow/flow.h"
#include "gw/flow/h2.h"
#include "gw/flow/source.h"
#include "gw/siem/code.h"
#include "gw/tls/ctx.h"

#include <sys/random.h>
#include <unistd.h>

enum { HOLD_POLL_MS = 16, BACKLOG_BYTES = 64 << 20, CODES_LOW = 1 << 16, BACKLOG_HEAD = 5 };

static void on_hold_timer(struct ev_timer *t);

/* What tickets for clients are bound to (struct tickets): server name, or address without one, zone, CA. */
static bool ticket_belongs(SSL *ssl, uint8_t to[TICKET_BELONGS])
{
    const struct flow *f = SSL_get_app_data(ssl);
    uint16_t generation = minter_generation(f->e->minter);
    const struct set_zone *z = snapshot_zone(f->snap, f->zone);
    if (!z)
        return false;
    span zone = z->name; /* its number changes with a reload */
    const uint8_t head[] = {(uint8_t)(generation >> 8), (uint8_t)generation, (uint8_t)(zone.n >> 8),
                            (uint8_t)zone.n, f->name.n > 0 ? 0 : f->dst.family};
    span whom = f->name.n > 0 ? f->name : span_of(f->dst.b, f->dst.family == 4 ? 4 : 16);
    const span parts[] = {span_of(head, sizeof head), zone, whom};
    return sha256(parts, N_ELEMS(parts), to) == RC_OK;
}

enum rc engine_init(struct engine *e, struct ev *ev)
{
    e->ev = ev;
    list_init(&e->flows);
    list_init(&e->holding);
    list_init(&e->h2_spare);
    ev_timer_init(&e->hold_timer, on_hold_timer);
    again_init(e);
    source_init(e);
    fetch_init(e);
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
    TRY(breaks_init(e));
    TRY(pipe_pool_init(&e->pipes, LIM_PIPES_POOLED));
    TRY(origins_init(e));
    TRY(ctx_server_new(&e->to_clients));
    e->tickets.belongs = ticket_belongs;
    ticket_use(e->to_clients, &e->tickets);
    return RC_OK;
}

void engine_fini(struct engine *e)
{
    again_fini(e);
    source_detach(e);
    fetch_fini(e);
    minter_free(e->minter);
    resolver_free(e->resolver);
    origins_fini(e);
    trust_free(e->trust);
    SSL_CTX_free(e->to_clients);
    pipe_pool_fini(&e->pipes);
    snapshot_put(e->snap);
    buf_fini(&e->line);
    buf_fini(&e->page);
    buf_fini(&e->backlog);
    buf_fini(&e->crl);
    for (size_t i = 0; i < N_ELEMS(e->old_crl); i++)
        buf_fini(&e->old_crl[i].der);
    map_fini(&e->minted);
    share_fini(&e->share);
    exchange_spare_free(e);
    h2_pool_fini(&e->h2_heads);
    record_fini(e);
    ring_unmap(e->ring);
    hits_unmap(e->hits);
    breaks_fini(e);
}

void engine_snapshot(struct engine *e, struct snapshot *s)
{
    struct snapshot *old = e->snap;
    e->snap = snapshot_get(s);
    snapshot_put(old);
    origins_reloaded(e);
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
