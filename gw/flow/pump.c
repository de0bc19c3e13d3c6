/* Bytes of HTTP and of tunnels, as far as they go now.
 *
 * One exchange at a time. Request bytes are read only while the origin takes what was relayed (nothing
 * pending), answer bytes only while the client does: memory per flow stays bounded whatever the sizes. What
 * was read and not consumed (the next request of a pipeline, half a head) waits in f->in and f->in_origin.
 * Everything is read into one scratch buffer of the worker and, for bodies, written from there: a body is
 * copied only when its reader is slow. */
#include "gw/flow/h2.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/asking.h"
#include "gw/flow/change.h"
#include "gw/flow/reuse.h"

enum { ROUNDS = 16, TRIM_MS = 1000 };

/* ---- deadlines of the HTTP state ---- */

/* A head must be whole in time: a byte now and then buys nothing (slow-loris). `since`: 0 before the first
 * look. */
static int64_t head_left(const struct flow *f, int64_t *since, int64_t most_ms)
{
    int64_t now = ev_now_ms(f->e->ev);
    if (*since == 0)
        *since = now;
    int64_t left = *since + most_ms - now;
    return left > 0 ? left : 1;
}

static void arm(struct flow *f)
{
    struct txn *t = f->tx;
    bool half_head = !t->open && buf_len(&f->in) > 0;
    if (!half_head)
        f->head_since_ms = 0;
    if (t->waiting && !t->ready && !list_empty(&f->hold.link))
        return; /* hold set its own deadline */
    if (half_head)
        flow_deadline(f, head_left(f, &f->head_since_ms, LIM_HEAD_MS));
    else if (!t->open)
        flow_deadline(f, f->trimmed ? LIM_KEEPALIVE_MS : TRIM_MS);
    else if (stream_pending(&f->client) || stream_pending(&f->origin) || t->up != WAY_DONE)
        flow_deadline(f, LIM_BODY_STALL_MS);
    else if (t->down == WAY_HEAD)
        flow_deadline(f, head_left(f, &t->answer_since_ms, LIM_ANSWER_MS));
    else
        flow_deadline(f, LIM_TUNNEL_IDLE_MS); /* event streams may be quiet; black holes are found by TCP */
}

/* ---- reading with left-overs ---- */

/* The bytes to look at next: what was left over, with more behind it when that was not enough, or fresh ones.
 * OK with a span; AGAIN; CLOSED; IO, TLS. `from_in`: the span is all of `in`. */
static enum rc next_bytes(struct flow *f, struct stream *s, struct buf *in, bool *in_short, span *out,
                          bool *from_in)
{
    size_t got;
    *from_in = buf_len(in) > 0;
    if (*from_in && !*in_short) {
        *out = buf_span(in);
        return RC_OK;
    }
    if (s->in_eof && !stream_has_buffered(s))
        return RC_CLOSED;
    TRY(stream_read(s, f->e->io, sizeof f->e->io, &got));
    *in_short = false;
    *out = span_of(f->e->io, got);
    if (*from_in) {
        TRY(buf_put(in, *out));
        *out = buf_span(in);
    }
    return RC_OK;
}

static enum rc keep_rest(struct buf *in, span all, size_t used, bool from_in)
{
    if (from_in) {
        buf_consume(in, used);
        if (buf_len(in) == 0)
            buf_fini(in);
        return RC_OK;
    }
    return used < all.n ? buf_put(in, span_cut(all, used, all.n)) : RC_OK;
}

/* ---- requests, client to origin ---- */

static enum rc send_chunk(struct stream *to, span data)
{
    uint8_t head[20];
    TRY(stream_queue(to, span_of(head, relay_chunk_head(head, data.n))));
    TRY(stream_queue(to, data));
    return stream_queue(to, SPAN("\r\n"));
}

static enum rc send_trailers(struct txn *t, bool up)
{
    struct field fields[32];
    struct flow *f = t->f;
    size_t n = h1_body_trailers(up ? &t->body_up : &t->body_down, fields, N_ELEMS(fields));
    if (up)
        n = change_trailers(t, fields, n);
    return relay_last_chunk(up ? &f->origin.out : &f->client.out, fields, n);
}

static void origin_takes_no_more(struct flow *f)
{
    f->tx->up_dead = true; /* its answer may be there already: read it before giving up */
    buf_fini(&f->origin.out);
}

static void send_up(struct flow *f, span data)
{
    struct txn *t = f->tx;
    t->bytes_up += data.n;
    if (t->up_dead || t->answered || data.n == 0)
        return;
    enum rc rc =
        t->body_up.kind == BODY_CHUNKED ? send_chunk(&f->origin, data) : stream_write(&f->origin, data);
    if (rc != RC_OK)
        origin_takes_no_more(f);
}

static size_t take_request_head(struct flow *f, span s)
{
    struct engine *e = f->e;
    size_t used = 0;
    enum rc rc = h1_request(&f->head_up, s, &e->msg, &used);
    if (rc == RC_MORE) {
        f->in_short = true;
        return 0;
    }
    if (rc != RC_OK) {
        e->n.http_bad++;
        txn_open(f->tx);
        f->tx->status = (uint16_t)h1_why_status(f->head_up.why);
        answer_page(f->tx, REASON_CLIENT_HTTP, span_str(h1_why_name(f->head_up.why)));
        return s.n;
    }
    h1_head_init(&f->head_up);
    rc = txn_begin(f->tx, &e->msg);
    return rc == RC_AGAIN ? 0 : used; /* while it waits the head stays, to be parsed again */
}

static size_t take_request_body(struct flow *f, span s)
{
    struct txn *t = f->tx;
    size_t used = 0;
    span data = SPAN_NONE;
    enum rc rc = h1_body_read(&t->body_up, s, &used, &data);
    if (rc != RC_OK && rc != RC_MORE) {
        f->e->n.http_bad++;
        stream_abort(&f->origin); /* the origin must not take what it got for the whole */
        pump_finish(f, REASON_CLIENT_HTTP, span_str(h1_why_name(t->body_up.why)));
        return s.n;
    }
    send_up(f, data);
    if (rc == RC_OK) {
        t->up = WAY_DONE;
        if (t->body_up.kind == BODY_CHUNKED && !t->up_dead && !t->answered && send_trailers(t, true) != RC_OK)
            origin_takes_no_more(f);
    }
    return used;
}

static size_t take_requests(struct flow *f, span s)
{
    size_t at = 0;
    while (at < s.n && f->state == ST_HTTP && !f->in_short) {
        const struct txn *t = f->tx;
        span rest = span_cut(s, at, s.n);
        size_t used;
        if (!t->open || t->again)
            used = take_request_head(f, rest);
        else if (!t->waiting && t->up == WAY_BODY)
            used = take_request_body(f, rest);
        else
            break;
        at += used;
        if (used == 0 || f->ended)
            break;
        if (stream_pending(&f->origin) > LIM_PEND_BYTES)
            break;
    }
    return at;
}

/* May we look at request bytes now? While an answer is on its way at most one left-over is read, so that a
 * client that goes away is noticed. */
static bool wants_request(const struct flow *f)
{
    const struct txn *t = f->tx;
    if (t->open && t->again)
        return true;
    if (t->waiting || (t->open && t->up == WAY_BODY && stream_pending(&f->origin) > 0))
        return false;
    return !t->open || t->up == WAY_BODY || buf_len(&f->in) == 0;
}

static void client_ended(struct flow *f, enum rc rc)
{
    struct txn *t = f->tx;
    if (rc == RC_TLS) {
        stream_abort(&f->origin);
        flow_end(f, REASON_CLIENT_TLS, flow_tls_detail(f, &f->client, "closed"));
    } else if (!t->open) {
        enum reason why = buf_len(&f->in) > 0 || rc != RC_CLOSED ? REASON_CLIENT_CLOSED : REASON_DONE;
        if (rc == RC_CLOSED && stream_pending(&f->client) > 0)
            pump_finish(f, why, SPAN_NONE); /* it has said all, and reads what it asked for slowly */
        else
            flow_end(f, why, SPAN_NONE);
    } else if (t->up != WAY_DONE || rc != RC_CLOSED || t->waiting) {
        stream_abort(&f->origin);
        flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
    }
    /* else: it has asked all it wanted and waits for the answer */
}

static bool pump_up(struct flow *f)
{
    span s;
    bool from_in;
    if (!wants_request(f))
        return false;
    enum rc rc = next_bytes(f, &f->client, &f->in, &f->in_short, &s, &from_in);
    if (rc == RC_AGAIN)
        return false;
    if (rc != RC_OK) {
        client_ended(f, rc);
        return false;
    }
    f->trimmed = false;
    size_t used = take_requests(f, s);
    if (f->ended)
        return false;
    if (keep_rest(&f->in, s, used, from_in) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("memory"));
    return !f->ended && (used > 0 || f->in_short);
}

/* ---- answers, origin to client ---- */

static void client_is_gone(struct flow *f)
{
    stream_abort(&f->origin);
    flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
}

static void send_down(struct flow *f, span data)
{
    struct txn *t = f->tx;
    t->bytes_down += data.n;
    if (data.n == 0)
        return;
    enum rc rc = t->chunk_down ? send_chunk(&f->client, data) : stream_write(&f->client, data);
    if (rc != RC_OK)
        client_is_gone(f);
}

/* The origin broke the rules. Before the answer began we can say so; afterwards only a broken connection can.
 */
static void origin_is_bad(struct flow *f, enum reason why, span detail)
{
    if (why == REASON_ORIGIN_HTTP)
        f->e->n.origin_bad++;
    stream_fini(&f->origin);
    if (!f->tx->began) {
        answer_page(f->tx, why, detail);
        return;
    }
    stream_abort(&f->client);
    flow_end(f, why, detail);
}

static size_t take_answer_head(struct flow *f, span s)
{
    struct engine *e = f->e;
    size_t used = 0;
    enum rc rc = h1_response(&f->head_down, s, f->tx->method, &e->msg, &used);
    if (rc == RC_MORE) {
        f->in_origin_short = true;
        return 0;
    }
    if (rc != RC_OK) {
        origin_is_bad(f, REASON_ORIGIN_HTTP, span_str(h1_why_name(f->head_down.why)));
        return s.n;
    }
    h1_head_init(&f->head_down);
    rc = txn_response(f->tx, &e->msg);
    if (rc != RC_OK && !f->ended)
        origin_is_bad(f, REASON_ORIGIN_HTTP, f->detail);
    return used;
}

static size_t take_answer_body(struct flow *f, span s)
{
    struct txn *t = f->tx;
    size_t used = 0;
    span data = SPAN_NONE;
    enum rc rc = h1_body_read(&t->body_down, s, &used, &data);
    if (rc != RC_OK && rc != RC_MORE) {
        origin_is_bad(f, REASON_ORIGIN_HTTP, span_str(h1_why_name(t->body_down.why)));
        return s.n;
    }
    send_down(f, data);
    if (rc == RC_OK && !f->ended) {
        t->down = WAY_DONE;
        if (t->chunk_down && send_trailers(t, false) != RC_OK)
            client_is_gone(f);
    }
    return used;
}

static size_t take_answers(struct flow *f, span s)
{
    size_t at = 0;
    while (at < s.n && f->state == ST_HTTP && !f->in_origin_short && txn_is_open(f->tx) &&
           f->tx->down != WAY_DONE) {
        span rest = span_cut(s, at, s.n);
        size_t used = f->tx->down == WAY_HEAD ? take_answer_head(f, rest) : take_answer_body(f, rest);
        at += used;
        if (used == 0 || f->ended)
            break;
    }
    return at;
}

/* The origin wants to know who the client is now that it is too late: this connection ends, the next one
 * follows the rule. */
static void origin_asks(struct flow *f)
{
    asking_late(f);
    if (txn_is_open(f->tx)) {
        origin_is_bad(f, REASON_ASKS_LATE, SPAN("asks-late"));
        return;
    }
    stream_fini(&f->origin);
    pump_finish(f, REASON_ASKS_LATE, SPAN_NONE);
}

static void origin_ended(struct flow *f, enum rc rc)
{
    struct txn *t = f->tx;
    if (rc == RC_DENIED) {
        origin_asks(f);
        return;
    }
    if (reuse_again(f))
        return;
    if (!t->open ||
        !t->sent) { /* between exchanges: a plain flow dials again, an inspected one ends with its origin */
        stream_fini(&f->origin);
        if (f->mode == MODE_INSPECTED)
            pump_finish(f, t->open ? REASON_ORIGIN_CLOSED : REASON_DONE, SPAN("origin-idle"));
        return;
    }
    if (t->down == WAY_BODY && rc == RC_CLOSED && h1_body_eof(&t->body_down) == RC_OK) {
        f->client_quiet = !f->origin.clean_eof; /* cut short or not: the client learns as little as we do */
        t->down = WAY_DONE;
        t->client_close = true;
        stream_fini(&f->origin);
        return;
    }
    if (t->down == WAY_HEAD && f->origin_answers > 0 && t->n_interim == 0 &&
        buf_len(&f->in_origin) == 0) { /* a reused connection: clients ask again */
        stream_fini(&f->origin);
        pump_finish(f, REASON_ORIGIN_CLOSED, SPAN("reused"));
        return;
    }
    origin_is_bad(f, REASON_ORIGIN_CLOSED, t->down == WAY_HEAD ? SPAN("no-answer") : SPAN("cut"));
}

/* Bytes of the origin that belong to no answer are given to nobody; the connection is of no further use. */
static bool speaks_unasked(struct flow *f)
{
    if (txn_is_open(f->tx) && f->tx->sent && f->tx->down != WAY_DONE)
        return false;
    if (!txn_is_open(f->tx) && reuse_again(f))
        return true;
    f->tx->origin_close = true;
    if (!txn_is_open(f->tx)) {
        stream_fini(&f->origin);
        if (f->mode == MODE_INSPECTED)
            pump_finish(f, REASON_ORIGIN_HTTP, SPAN("unasked-bytes"));
    }
    return true;
}

static bool pump_down(struct flow *f)
{
    span s;
    bool from_in;
    if (!stream_open(&f->origin) || f->origin.handshaking || stream_pending(&f->client) > 0)
        return false;
    if (txn_is_open(f->tx) && f->tx->down == WAY_DONE)
        return false;
    enum rc rc = next_bytes(f, &f->origin, &f->in_origin, &f->in_origin_short, &s, &from_in);
    if (rc == RC_AGAIN)
        return false;
    if (rc != RC_OK) {
        origin_ended(f, rc);
        return false;
    }
    if (speaks_unasked(f))
        return false;
    size_t used = take_answers(f, s);
    if (f->ended || !stream_open(&f->origin))
        return !f->ended;
    if (f->tx->down == WAY_DONE && used < s.n)
        f->tx->origin_close = true; /* bytes behind the answer */
    else if (keep_rest(&f->in_origin, s, used, from_in) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("memory"));
    return !f->ended && (used > 0 || f->in_origin_short);
}

/* ---- the turn ---- */

static void flush_both(struct flow *f)
{
    enum rc rc = stream_open(&f->origin) ? stream_flush(&f->origin) : RC_OK;
    if (rc != RC_OK && rc != RC_AGAIN)
        origin_takes_no_more(f);
    rc = stream_flush(&f->client);
    if (rc != RC_OK && rc != RC_AGAIN && !f->ended)
        client_is_gone(f);
}

static void tunnel_way(struct flow *f, struct stream *from, struct stream *to, struct buf *in,
                       uint64_t *count)
{
    for (int i = 0; i < ROUNDS && stream_pending(to) == 0; i++) {
        span s;
        bool from_in, shorted = false;
        enum rc rc = next_bytes(f, from, in, &shorted, &s, &from_in);
        if (rc == RC_AGAIN)
            return;
        if (rc == RC_CLOSED) {
            stream_shut(to, from->clean_eof);
            return;
        }
        if (rc == RC_OK)
            rc = stream_write(to, s);
        if (rc != RC_OK) { /* broken on one side is broken on both, never a clean end */
            stream_abort(&f->client);
            stream_abort(&f->origin);
            if (rc == RC_DENIED)
                asking_late(f);
            flow_end(f, rc == RC_DENIED ? REASON_ASKS_LATE : REASON_DONE,
                     rc == RC_DENIED ? SPAN_NONE : SPAN("reset"));
            return;
        }
        *count += s.n;
        if (from_in)
            buf_fini(in);
    }
}

static void pump_tunnel(struct flow *f)
{
    flush_both(f);
    if (!f->ended)
        tunnel_way(f, &f->client, &f->origin, &f->in, &f->tx->bytes_up);
    if (!f->ended)
        tunnel_way(f, &f->origin, &f->client, &f->in_origin, &f->tx->bytes_down);
    if (f->ended)
        return;
    if (f->client.in_eof && f->origin.in_eof && !stream_pending(&f->client) && !stream_pending(&f->origin)) {
        flow_end(f, REASON_DONE, SPAN_NONE);
        return;
    }
    f->client.paused = stream_pending(&f->origin) > 0;
    f->origin.paused = stream_pending(&f->client) > 0;
    flow_deadline(f, f->client.in_eof || f->origin.in_eof ? LIM_BODY_STALL_MS : LIM_TUNNEL_IDLE_MS);
}

static void rewatch(struct flow *f)
{
    if (f->ended)
        return;
    if (stream_watch(&f->client) != RC_OK || (stream_open(&f->origin) && stream_watch(&f->origin) != RC_OK))
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

static bool exchange_over(const struct flow *f)
{
    const struct txn *t = f->tx;
    return t->open && !t->answered && t->down == WAY_DONE;
}

/* One round each way; true when something moved and more may. */
static bool pump_round(struct flow *f)
{
    bool moved = pump_up(f);
    if (!f->ended && f->state == ST_HTTP)
        moved |= pump_down(f);
    if (!f->ended && f->state == ST_HTTP && exchange_over(f)) {
        txn_done(f->tx);
        moved = true;
    }
    if (!f->ended)
        flush_both(f);
    return moved && !f->ended && f->state == ST_HTTP;
}

static void pump_http(struct flow *f)
{
    bool more = true;
    for (int i = 0; i < ROUNDS && more; i++)
        more = pump_round(f);
    if (f->ended || f->state != ST_HTTP)
        return;
    f->client.paused = !wants_request(f);
    f->origin.paused = stream_pending(&f->client) > 0;
    if (more) /* what is left may be in our own buffers, of which no socket will tell */
        ev_defer(f->e->ev, &f->again);
    arm(f);
}

/* The turn was long enough, but TLS still holds bytes that no socket event will tell of. */
static void pump_again(struct flow *f)
{
    bool up = !f->client.paused && stream_has_buffered(&f->client);
    bool down = stream_open(&f->origin) && !f->origin.paused && stream_has_buffered(&f->origin);
    if (up || down)
        ev_defer(f->e->ev, &f->again);
}

void pump(struct flow *f)
{
    if (f->state == ST_TUNNEL) {
        pump_tunnel(f);
    } else if (f->state == ST_HTTP && f->h2) {
        h2flow_pump(f);
    } else if (f->state == ST_HTTP) {
        pump_http(f);
        if (!f->ended && f->state == ST_TUNNEL)
            pump_tunnel(f);
    }
    if (!f->ended && f->state == ST_LINGER)
        pump_linger(f);
    else if (!f->ended && f->state == ST_HELLO)
        step_hello_kept(f);
    if (!f->ended && (f->state == ST_HTTP || f->state == ST_TUNNEL))
        pump_again(f);
    rewatch(f);
}

void pump_start(struct flow *f)
{
    h1_head_init(&f->head_up);
    h1_head_init(&f->head_down);
    f->client.paused = false;
    if (span_eq(span_str(f->alpn), SPAN("h2")) && !f->h2 && h2flow_new(f) != RC_OK) {
        flow_end(f, REASON_LIMIT, SPAN("memory"));
        return;
    }
    pump(f);
}

/* ---- the end ---- */

void pump_finish(struct flow *f, enum reason why, span detail)
{
    if (f->ended)
        return;
    reuse_give(f);
    txn_end(f->tx, why, detail);
    if (f->h2)
        h2flow_finish(f, why, detail);
    f->reason = why;
    f->detail = detail;
    stream_fini(&f->origin);
    flow_goto(f, ST_LINGER);
    f->client.paused = false;
}

/* The last bytes go out, then our FIN; what the client still sends is read and thrown away, because closing
 * on unread bytes would send RST and could cost it the answer (RFC 9112 section 9.6). */
void pump_linger(struct flow *f)
{
    size_t got;
    enum rc rc = stream_flush(&f->client);
    f->client.paused = rc == RC_AGAIN;
    if (rc == RC_AGAIN) { /* a slow reader; each time that it takes something it has as long again */
        flow_deadline(f, LIM_BODY_STALL_MS);
        return;
    }
    if (rc != RC_OK) {
        flow_end(f, f->reason, f->detail);
        return;
    }
    if (!f->client.out_shut) {
        stream_shut(&f->client, !f->client_quiet);
        flow_deadline(f, LIM_LINGER_MS);
    }
    for (int i = 0; i < ROUNDS; i++) {
        rc = stream_read(&f->client, f->e->io, sizeof f->e->io, &got);
        if (rc == RC_AGAIN)
            return;
        if (rc != RC_OK) {
            flow_end(f, f->reason, f->detail);
            return;
        }
    }
}
