/* Bytes of a flow that speaks HTTP/2: from the sockets into the sessions and back; see h2.h.
 *
 * Each round reads what either side has (many small records, or one full of content), lets the sessions write
 * what they have, and sends that: frames of many streams leave in one TLS record. Reading never waits for the
 * other side's socket: flow control says how much content may come, and the rest is small. Only here, outside
 * of all callbacks, does the flow end.
 *
 * What comes together is dealt with step by step, not stream by stream: all heads of a read are unpacked,
 * then all requests judged and sent, and events are written when the streams have left. A request takes its
 * way through more code than a processor has at hand; so most of it stays there from one stream to the next.
 * Within the read, all that wait are judged when one comes that has content (which may be next), or when
 * their heads are LIM_H2_ASKED_BYTES; and one that is taken back is judged there and then, but not sent.
 */
#include "gw/flow/h2.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/asking.h"

enum { ROUNDS = 16, RECORDS = 64, TRIM_MS = 1000 };

/* ---- life ---- */

static enum rc begin(struct flow *f)
{
    struct h2flow *h = f->h2;
    h->due_ms = INT64_MAX;
    h->end_why = REASON_N;
    h->streams = LIM_H2_STREAMS;
    list_init(&h->open);
    h->asked_end = &h->asked;
    h->waiting = share_waiting_get(&f->e->share, &f->src);
    if (!h->waiting)
        return RC_NOMEM;
    TRY(h2_new(&h->client, true, &exchange_client_ops, f, &f->e->h2_heads));
    if (stream_open(&f->origin)) {
        TRY(h2_new(&h->origin, false, &exchange_origin_ops, f, &f->e->h2_heads));
        TRY(h2_begin(h->origin, false));
        f->origin.paused = false;
        f->origin.ready = true; /* its settings may be there already */
    }
    TRY(h2_begin(h->client, false));
    return RC_OK;
}

enum rc h2flow_new(struct flow *f)
{
    f->h2 = calloc(1, sizeof *f->h2);
    if (!f->h2)
        return RC_NOMEM;
    enum rc rc = begin(f);
    if (rc != RC_OK) {
        h2flow_free(f);
        return rc;
    }
    txn_fini(f->tx); /* each stream has its own */
    free(f->tx);
    f->tx = NULL;
    return RC_OK;
}

void h2flow_free(struct flow *f)
{
    struct h2flow *h = f->h2;
    if (!h)
        return;
    while (!list_empty(&h->open))
        exchange_free(CONTAINER_OF(h->open.next, struct exchange, link));
    h2_free(h->client);
    h2_free(h->origin);
    if (h->waiting)
        share_waiting_put(&f->e->share, &f->src);
    free(h);
    f->h2 = NULL;
}

/* Those whose streams are over. */
static void sweep(struct h2flow *h)
{
    for (struct list *l = h->open.next, *next; l != &h->open; l = next) {
        struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        next = l->next;
        exchange_tell(x);
        if (x->over)
            exchange_free(x);
    }
    if (h->n == 0)
        h->due_ms = INT64_MAX;
}

void h2flow_last(struct flow *f, enum reason why, span detail)
{
    struct h2flow *h = f->h2;
    if (h->end_why == REASON_N) {
        h->end_why = why;
        h->end_detail = detail;
    }
    if (!h->last)
        h2_shut(h->client);
    h->last = true;
}

/* ---- the end ---- */

void h2flow_finish(struct flow *f, enum reason why, span detail)
{
    struct h2flow *h = f->h2;
    for (struct list *l = h->open.next; l != &h->open; l = l->next) {
        struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        engine_unhold(&x->hold);
        exchange_tell(x);
        txn_end(&x->t, why, detail);
    }
    h2_terminate(h->client, H2E_NO_ERROR);
    if (h2_write(h->client, &f->client.out, LIM_PEND_BYTES) != RC_OK)
        f->client_quiet = true; /* no room to say it */
    if (h->origin && stream_open(&f->origin)) {
        h2_terminate(h->origin, H2E_NO_ERROR);
        if (h2_write(h->origin, &f->origin.out, LIM_PEND_BYTES) != RC_OK || stream_flush(&f->origin) != RC_OK)
            stream_abort(&f->origin);
    }
    h2_stop(h->client);
    if (h->origin)
        h2_stop(h->origin);
}

/* The session with the client cannot go on. */
static void client_is_bad(struct flow *f)
{
    struct h2_fault fault = h2_session_fault(f->h2->client);
    f->e->n.http_bad++;
    pump_finish(f, REASON_CLIENT_HTTP, span_str(fault.name));
}

void h2flow_origin_over(struct flow *f, enum reason why, span detail)
{
    struct h2flow *h = f->h2;
    if (h->origin_over)
        return;
    h->origin_over = true;
    for (struct list *l = h->open.next; l != &h->open; l = l->next) {
        struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        struct txn *t = &x->t;
        h2_leg_fini(&x->origin, &f->e->h2_heads);
        x->over = !x->client.s;
        if (!t->open || t->answered || !t->sent || t->down == WAY_DONE)
            continue;
        if (t->began)
            exchange_break(x, why, detail, H2E_INTERNAL);
        else
            answer_page(t, why, detail);
    }
    stream_fini(&f->origin);
    h2flow_last(f, why, detail);
}

static void origin_is_bad(struct flow *f)
{
    struct h2_fault fault = h2_session_fault(f->h2->origin);
    f->e->n.origin_bad++;
    h2_terminate(f->h2->origin, H2E_PROTOCOL);
    if (h2_write(f->h2->origin, &f->origin.out, 2 * LIM_PEND_BYTES) != RC_OK ||
        stream_flush(&f->origin) != RC_OK)
        stream_abort(&f->origin);
    h2flow_origin_over(f, REASON_ORIGIN_HTTP, span_str(fault.name));
}

static bool nothing_open(const struct h2flow *h)
{
    for (const struct list *l = h->open.next; l != &h->open; l = l->next) {
        const struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        if ((x->t.open && !x->done) || x->client.s)
            return false;
    }
    return true;
}

static void client_ended(struct flow *f, enum rc rc)
{
    struct h2flow *h = f->h2;
    bool quiet = nothing_open(h);
    if (rc == RC_TLS) {
        flow_end(f, REASON_CLIENT_TLS, flow_tls_detail(f, &f->client, "closed"));
    } else if (quiet) {
        enum reason why = rc == RC_CLOSED ? REASON_DONE : REASON_CLIENT_CLOSED;
        flow_end(f, h->end_why != REASON_N ? h->end_why : why, h->end_detail);
    } else if (rc != RC_CLOSED) {
        flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
    } else {
        for (const struct list *l = h->open.next; l != &h->open; l = l->next) {
            const struct exchange *x = CONTAINER_OF(l, struct exchange, link);
            if (x->t.open && !x->done && (x->t.up != WAY_DONE || x->t.waiting)) { /* half a request */
                flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
                return;
            }
        }
        h2flow_last(f, REASON_DONE, SPAN_NONE); /* it has asked all it wanted and waits for the answers */
    }
}

/* ---- reading ---- */

/* Records of a side, one behind the other, as long as they are there and fit: how many bytes. *end: OK,
 * AGAIN, or how it ended behind them. */
static size_t read_records(struct flow *f, struct stream *s, enum rc *end)
{
    size_t n = 0, got;
    *end = RC_OK;
    for (int i = 0; i < RECORDS && n < sizeof f->e->io && *end == RC_OK; i++) {
        *end = stream_read(s, f->e->io + n, sizeof f->e->io - n, &got);
        n += *end == RC_OK ? got : 0;
    }
    if (n > 0)
        f->trimmed = false;
    return n;
}

bool h2flow_goes_on(const struct flow *f)
{
    return !f->ended && f->state == ST_HTTP;
}

/* True when bytes came. */
static bool read_client(struct flow *f)
{
    enum rc end, rc = RC_OK;
    if (f->client.in_eof && !stream_has_buffered(&f->client))
        return false;
    size_t n = read_records(f, &f->client, &end);
    if (n > 0) {
        f->h2->spoke = true;
        rc = h2_feed(f->h2->client, span_of(f->e->io, n), ev_now_ms(f->e->ev));
        exchange_begin_asked(f);
    }
    if (rc != RC_OK && h2flow_goes_on(f))
        client_is_bad(f);
    if (end != RC_OK && end != RC_AGAIN && h2flow_goes_on(f))
        client_ended(f, end);
    return n > 0;
}

static void origin_ended(struct flow *f, enum rc rc)
{
    bool asked = f->h2->n > 0;
    if (rc == RC_DENIED) { /* RFC 9113 section 9.2.3 forbids it; the next connection follows the rule */
        asking_late(f);
        h2flow_origin_over(f, REASON_ASKS_LATE, SPAN("asks-late"));
        return;
    }
    h2flow_origin_over(f, asked ? REASON_ORIGIN_CLOSED : REASON_DONE,
                       asked ? SPAN("no-answer") : SPAN("origin-idle"));
}

/* True when something came, were it the end. */
static bool read_origin(struct flow *f)
{
    enum rc end = RC_CLOSED, rc = RC_OK;
    size_t n = 0;
    if (!stream_open(&f->origin) || f->h2->origin_over)
        return false;
    if (!f->origin.in_eof || stream_has_buffered(&f->origin))
        n = read_records(f, &f->origin, &end);
    if (n > 0)
        rc = h2_feed(f->h2->origin, span_of(f->e->io, n), ev_now_ms(f->e->ev));
    if (rc != RC_OK && h2flow_goes_on(f))
        origin_is_bad(f);
    if (end == RC_OK || end == RC_AGAIN)
        return n > 0;
    if (h2flow_goes_on(f) && !f->h2->origin_over)
        origin_ended(f, end);
    return true;
}

/* ---- writing ---- */

static void write_origin(struct flow *f)
{
    if (!f->h2->origin || f->h2->origin_over || f->ended)
        return;
    enum rc rc = h2_write(f->h2->origin, &f->origin.out, LIM_PEND_BYTES);
    if (rc != RC_OK) {
        origin_is_bad(f);
        return;
    }
    rc = stream_flush(&f->origin);
    if (rc != RC_OK && rc != RC_AGAIN)
        h2flow_origin_over(f, REASON_ORIGIN_CLOSED, SPAN("no-answer"));
}

static void write_client(struct flow *f)
{
    if (!h2flow_goes_on(f))
        return;
    if (h2_write(f->h2->client, &f->client.out, LIM_PEND_BYTES) != RC_OK) {
        client_is_bad(f);
        return;
    }
    enum rc rc = stream_flush(&f->client);
    if (rc != RC_OK && rc != RC_AGAIN)
        flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
}

/* ---- the turn ---- */

static bool can_write(const struct stream *s, const struct h2 *h)
{
    return stream_open(s) && stream_pending(s) == 0 && h2_wants_write(h);
}

static bool round_of(struct flow *f)
{
    struct h2flow *h = f->h2;
    bool moved = read_client(f);
    if (h2flow_goes_on(f))
        moved |= read_origin(f);
    if (h2flow_goes_on(f))
        write_origin(f);
    write_client(f);
    if (!h2flow_goes_on(f))
        return false;
    sweep(h);
    return moved || can_write(&f->client, h->client) ||
           (!h->origin_over && h->origin && can_write(&f->origin, h->origin));
}

static void arm(struct flow *f)
{
    struct h2flow *h = f->h2;
    int64_t left = h->due_ms - ev_now_ms(f->e->ev);
    if (h->n == 0)
        flow_deadline(f, f->trimmed ? LIM_KEEPALIVE_MS : TRIM_MS);
    else
        flow_deadline(f, left > 0 ? left : 1);
}

void h2flow_pump(struct flow *f)
{
    struct h2flow *h = f->h2;
    bool more = true;
    if (f->e->draining || f->last)
        h2flow_last(f, f->e->draining ? REASON_SHUTDOWN : REASON_POLICY_CHANGED,
                    f->e->draining ? SPAN_NONE : SPAN("to-be-exempt"));
    for (int i = 0; i < ROUNDS && more; i++)
        more = round_of(f);
    if (!h2flow_goes_on(f))
        return;
    if (h->last && nothing_open(h)) {
        pump_finish(f, h->end_why, h->end_detail);
        return;
    }
    if (more)
        ev_defer(f->e->ev, &f->again);
    arm(f);
}

/* ---- deadlines ---- */

static void idle(struct flow *f)
{
    if (f->trimmed) {
        pump_finish(f, REASON_IDLE, SPAN_NONE);
        pump(f);
        return;
    }
    f->trimmed = true; /* quiet for a moment: give OpenSSL's buffers back, then wait on */
    stream_trim(&f->client);
    stream_trim(&f->origin);
    h2_rest(f->h2->client);
    if (f->h2->origin)
        h2_rest(f->h2->origin);
    flow_deadline(f, LIM_KEEPALIVE_MS);
}

void h2flow_deadline(struct flow *f)
{
    struct h2flow *h = f->h2;
    int64_t now = ev_now_ms(f->e->ev);
    if (h->n == 0) {
        idle(f);
        return;
    }
    h->due_ms = INT64_MAX;
    for (struct list *l = h->open.next; l != &h->open; l = l->next) {
        struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        if (x->due_ms <= now && !x->client.head_in && !x->t.open && !x->own_answer) {
            pump_finish(f, REASON_TIMEOUT, SPAN("head")); /* half a head: nothing can be read behind it */
            pump(f);
            return;
        }
        if (x->due_ms <= now && x->client.reset) {
            stream_abort(&f->client);
            flow_end(f, REASON_TIMEOUT, SPAN("stalled")); /* it does not even take that */
            return;
        }
        if (x->due_ms <= now)
            exchange_due(x);
        h->due_ms = x->due_ms < h->due_ms ? x->due_ms : h->due_ms;
    }
    pump(f);
}
