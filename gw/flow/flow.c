/* Birth and death of a flow; see flow.h. */
#include "gw/flow/flow.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/breaks.h"
#include "gw/flow/h2.h"
#include "gw/flow/reuse.h"
#include "gw/flow/revoke.h"
#include "gw/flow/upstream.h"
#include "policy/grants_ask.h"

static void on_deadline(struct ev_timer *t);
static void on_reap(struct ev_later *l);
static void on_hold_over(struct hold *h);

static void on_again(struct ev_later *l)
{
    struct flow *f = CONTAINER_OF(l, struct flow, again);
    if (!f->ended)
        pump(f);
}

/* ---- events of the two sockets, by state ---- */

static void on_event(struct flow *f)
{
    switch (f->state) {
    case ST_HELLO:
    case ST_PROXY: step_hello(f); break;
    case ST_UPSTREAM: step_upstream(f); break;
    case ST_CLIENT: step_client(f); break;
    case ST_HTTP:
    case ST_TUNNEL: pump(f); break;
    case ST_LINGER: pump_linger(f); break;
    default: break;
    }
}

/* While we wait for something else the client's bytes stay in the kernel; only its reset ends the flow early.
 */
static bool is_gone(const struct stream *s, uint32_t events)
{
    int err = 0;
    socklen_t len = sizeof err;
    if (!(events & (EPOLLERR | EPOLLHUP)))
        return false;
    return getsockopt(s->io.fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0;
}

static void on_client(struct ev_io *io, uint32_t events)
{
    struct flow *f = CONTAINER_OF(CONTAINER_OF(io, struct stream, io), struct flow, client);
    f->e->current = f;
    stream_event(&f->client, events);
    if (is_gone(&f->client, events)) {
        if (f->state == ST_CLIENT) /* before it went it may have said why */
            step_client(f);
        stream_abort(&f->origin);
        if (f->state == ST_LINGER) /* it ended before, and why is known */
            flow_end(f, f->reason, f->detail);
        else
            flow_end(f, REASON_CLIENT_CLOSED, SPAN("reset"));
        return;
    }
    on_event(f);
    if (!f->ended && stream_watch(&f->client) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

static void on_origin(struct ev_io *io, uint32_t events)
{
    struct flow *f = CONTAINER_OF(CONTAINER_OF(io, struct stream, io), struct flow, origin);
    f->e->current = f;
    stream_event(&f->origin, events);
    on_event(f);
    if (!f->ended && stream_watch(&f->origin) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

/* ---- birth ---- */

static struct flow *flow_new(struct engine *e, const struct accepted *a, bool explicit_proxy)
{
    struct flow *f = calloc(1, sizeof *f);
    struct txn *tx = malloc(sizeof *tx);
    if (!f || !tx) {
        free(f);
        free(tx);
        return NULL;
    }
    f->e = e;
    f->id = (uint64_t)e->worker << 44 | (++e->next_flow_id & ((UINT64_C(1) << 44) - 1));
    f->explicit_proxy = explicit_proxy;
    f->src = a->src;
    f->src_port = a->src_port;
    f->local = a->dst;
    if (!explicit_proxy) {
        f->dst = a->dst;
        f->dst_port = a->dst_port;
    }
    ev_timer_init(&f->deadline, on_deadline);
    f->reap.cb = on_reap;
    f->again.cb = on_again;
    list_init(&f->hold.link);
    f->hold.again = on_hold_over;
    list_init(&f->query.link);
    list_init(&f->source.ask.link);
    list_init(&f->chain.fetch.ask.link);
    minter_wait_init(&f->mint, NULL);
    arena_init(&f->arena, LIM_FLOW_ARENA_BYTES);
    f->tx = tx;
    txn_init(tx, f, &f->hold);
    buf_init(&f->in, LIM_HELLO_BYTES + LIM_HEAD_BYTES);
    buf_init(&f->in_origin, LIM_HEAD_BYTES + LIM_IO_BYTES);
    stream_init(&f->client, e->ev, a->fd, on_client);
    stream_init(&f->origin, e->ev, -1, on_origin);
    f->start_wall_us = clock_wall_us();
    f->start_us = f->stamp_us = clock_mono_us();
    f->trace[f->n_trace++ % FLOW_TRACE].at_us = f->start_us;
    list_push(&e->flows, &f->link);
    return f;
}

void flow_accept(struct engine *e, const struct accepted *a, bool explicit_proxy)
{
    struct flow *f = e->n.flows_open < LIM_FLOWS_PER_WORKER ? flow_new(e, a, explicit_proxy) : NULL;
    e->n.flows++;
    if (!f) {
        close(a->fd);
        return;
    }
    e->n.flows_open++;
    f->snap = snapshot_get(e->snap);
    f->zone = snapshot_zone_of(f->snap, &f->src);
    f->user = arena_dup(&f->arena, snapshot_user_of(f->snap, &f->src));
    const struct set_zone *zone = f->zone == ZONE_NONE ? NULL : snapshot_zone(f->snap, f->zone);
    struct grant exempt;
    f->no_ca = zone && (zone->ca_none || snapshot_exempt(f->snap, f->zone, clock_wall_s(), &exempt));
    f->entered = share_enter(&e->share, &f->src);
    if (!f->entered) {
        e->n.client_flows++;
        flow_end(f, REASON_CLIENT_FLOWS, SPAN_NONE);
        return;
    }
    flow_deadline(f, LIM_HELLO_MS);
    step_start(f);
    if (!f->ended && stream_watch(&f->client) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

/* ---- deadlines ---- */

static void on_hold_over(struct hold *h)
{
    struct flow *f = CONTAINER_OF(h, struct flow, hold);
    if (f->state == ST_HOLD)
        step_held(f);
    else
        txn_resume(f->tx);
}

static void http_deadline(struct flow *f)
{
    if (f->h2) {
        h2flow_deadline(f);
    } else if (f->tx->waiting) { /* for room in the log: policy said hold, and it was in vain */
        f->e->n.journal_full++;
        engine_unhold(&f->hold);
        f->tx->waiting = false;
        answer_page(f->tx, REASON_JOURNAL_FULL, SPAN_NONE);
        pump(f);
    } else if (txn_is_open(f->tx) && f->tx->down == WAY_HEAD && f->tx->up == WAY_DONE && !f->tx->answered) {
        answer_page(f->tx, REASON_TIMEOUT, SPAN("no-answer"));
        pump(f);
    } else if (txn_is_open(f->tx)) {
        stream_abort(&f->client);
        flow_end(f, REASON_TIMEOUT, SPAN("stalled"));
    } else if (buf_len(&f->in) > 0) {
        flow_end(f, REASON_TIMEOUT, SPAN("head"));
    } else if (!f->trimmed) { /* quiet for a moment: give OpenSSL's buffers back, then wait on */
        f->trimmed = true;
        stream_trim(&f->client);
        stream_trim(&f->origin);
        flow_deadline(f, LIM_KEEPALIVE_MS);
    } else {
        flow_end(f, REASON_IDLE, SPAN_NONE);
    }
}

/* Has the client acknowledged all we sent? */
static bool all_delivered(const struct flow *f)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (f->client.io.fd < 0 || getsockopt(f->client.io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return true;
    return info.tcpi_unacked == 0;
}

/* In normal times the kernel delivers what is left after we have closed. When the gateway stops, its routes
 * go too, so the last bytes are waited for (the drain's own end bounds it). */
static void linger_deadline(struct flow *f)
{
    if (f->e->draining && !all_delivered(f))
        flow_deadline(f, LIM_LINGER_MS);
    else
        flow_end(f, f->reason, f->detail);
}

/* The kernel moves the bytes, so the timer is not pushed on at each: look when the last one moved. */
static void splice_deadline(struct flow *f)
{
    int64_t left = f->splice->last_ms + LIM_TUNNEL_IDLE_MS - ev_now_ms(f->e->ev);
    if (left > 0)
        flow_deadline(f, left);
    else
        flow_end(f, REASON_IDLE, SPAN_NONE);
}

static void on_deadline(struct ev_timer *t)
{
    struct flow *f = CONTAINER_OF(t, struct flow, deadline);
    switch (f->state) {
    case ST_NEW:
    case ST_HELLO:
    case ST_PROXY: flow_end(f, REASON_HELLO_TIMEOUT, SPAN_NONE); break;
    case ST_SIGNER: proxy_signer_poll(f); break;
    case ST_HOLD:
        f->e->n.journal_full++;
        engine_unhold(&f->hold);
        step_refuse(f, REASON_JOURNAL_FULL, SPAN_NONE);
        break;
    case ST_RESOLVE:
        resolve_cancel(&f->query);
        step_refuse(f, REASON_DNS, SPAN("dns-timeout"));
        break;
    case ST_DIAL:
        source_cancel(&f->source);
        dial_cancel(f->dial);
        step_refuse(f, REASON_CONNECT, SPAN("ETIMEDOUT"));
        break;
    case ST_UPSTREAM: step_refuse(f, REASON_UPSTREAM_TLS, SPAN("timeout")); break;
    case ST_FETCH: revoke_waited(f); break;
    case ST_MINT:
        minter_cancel(f->e->minter, &f->mint);
        if (minter_attached(f->e->minter))
            flow_end(f, REASON_MINT, SPAN("signer-rate")); /* it is there and has more to do than it may */
        else
            flow_end(f, REASON_SIGNER_DOWN, SPAN_NONE);
        break;
    case ST_CLIENT: flow_end(f, REASON_CLIENT_TLS, SPAN("timeout")); break;
    case ST_HTTP: http_deadline(f); break;
    case ST_SPLICE: splice_deadline(f); break;
    case ST_TUNNEL: flow_end(f, REASON_IDLE, SPAN_NONE); break;
    case ST_LINGER: linger_deadline(f); break;
    default: break;
    }
}

/* ---- death ---- */

static void on_reap(struct ev_later *l)
{
    struct flow *f = CONTAINER_OF(l, struct flow, reap);
    if (f->e->current == f)
        f->e->current = NULL;
    h2flow_free(f);
    arena_fini(&f->arena);
    free(f->dial);
    free(f->splice);
    free(f->origin_name);
    free(f->tx);
    free(f);
}

/* Lets go of everything that could call back. */
static void let_go(struct flow *f)
{
    flow_deadline(f, 0);
    engine_unhold(&f->hold);
    resolve_cancel(&f->query);
    minter_cancel(f->e->minter, &f->mint);
    source_cancel(&f->source);
    revoke_let_go(f);
    if (f->dial)
        dial_cancel(f->dial);
    if (f->splice)
        splice_stop(f->splice, false);
    stream_fini(&f->client);
    stream_fini(&f->origin);
    txn_fini(f->tx);
    snapshot_put(f->snap);
    leaf_put(f->leaf);
    upstream_forget_offer(f);
    if (f->reader) {
        hello_fini(f->reader);
        free(f->reader);
    }
    free(f->hello);
    buf_fini(&f->in);
    buf_fini(&f->in_origin);
}

/* What the client has not got whole must not look whole: it is broken off, not closed. */
static void break_off(struct flow *f)
{
    bool half = f->state == ST_HTTP && txn_is_open(f->tx) && f->tx->began;
    if (half || stream_pending(&f->client) > 0)
        stream_abort(&f->client);
}

static bool is_clients_end(enum reason why)
{
    return why == REASON_DONE || why == REASON_IDLE || why == REASON_CLIENT_CLOSED ||
           why == REASON_CLIENT_TLS;
}

void flow_end(struct flow *f, enum reason why, span detail)
{
    if (f->ended)
        return;
    break_off(f);
    reuse_give(f);
    f->ended = true;
    if (f->refused && is_clients_end(why)) { /* the refusal is why it got nothing */
        f->detail = f->detail.n ? f->detail : detail;
    } else {
        f->reason = why;
        f->detail = detail;
    }
    breaks_end(f, why);
    if (f->state == ST_MINT && (why == REASON_SIGNER_DOWN || why == REASON_MINT))
        answer_alert(f, SSL_AD_INTERNAL_ERROR);
    txn_end(f->tx, why, detail);
    if (f->h2)
        h2flow_finish(f, why, detail);
    if (f->client.ssl && !f->client_quiet && !f->client.failed)
        stream_bye(&f->client);
    if (f->origin.ssl && !f->origin.failed)
        stream_bye(&f->origin);
    if (f->splice) {
        f->client.n_in = f->splice->way[0].bytes;
        f->client.n_out = f->splice->way[1].bytes;
    }
    event_of_flow(f);
    f->e->n.bytes_up += f->client.n_in;
    f->e->n.bytes_down += f->client.n_out;
    flow_goto(f, ST_CLOSED);
    let_go(f);
    again_forget(f);
    list_drop(&f->link);
    f->e->n.flows_open--;
    if (f->entered)
        share_leave(&f->e->share, &f->src);
    ev_defer(f->e->ev, &f->reap);
}

void flow_drain_all(struct engine *e, bool now)
{
    for (struct list *l = e->flows.next, *next; l != &e->flows; l = next) {
        struct flow *f = CONTAINER_OF(l, struct flow, link);
        next = l->next;
        bool idle = f->state == ST_HTTP && !txn_is_open(f->tx) && (!f->h2 || f->h2->n == 0);
        if (idle && !now) {
            pump_finish(f, REASON_SHUTDOWN, SPAN_NONE);
            pump(f);
        } else if (now || f->state < ST_HTTP) {
            flow_end(f, REASON_SHUTDOWN, SPAN_NONE);
        } else if (f->h2 && f->state == ST_HTTP) {
            pump(f); /* which tells the client that there is no more to be asked here */
        }
    }
}
