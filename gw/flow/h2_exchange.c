/* What happens to one exchange of HTTP/2: from its stream's head to its event; see h2.h. The functions are
 * called from within a session, so none of them ends the flow: they reset streams, and h2.c writes that. */
#include "gw/flow/h2.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/change.h"

struct exchange *exchange_of(struct txn *t)
{
    return CONTAINER_OF(t, struct exchange, t);
}

static struct exchange *of_client(struct h2_leg *l)
{
    return CONTAINER_OF(l, struct exchange, client);
}

static struct exchange *of_origin(struct h2_leg *l)
{
    return CONTAINER_OF(l, struct exchange, origin);
}

/* ---- deadlines ---- */

/* The answer is whole, and nobody takes the rest of the request. Some clients lose an answer when their
 * stream is reset while they send (RFC 9113 section 8.1 allows it), so they may go on for a moment. */
static bool is_answered(const struct exchange *x)
{
    return x->client.end_out && !x->client.end_in && !x->origin.s;
}

static int64_t patience_ms(const struct exchange *x)
{
    const struct txn *t = &x->t;
    if (is_answered(x) && buf_len(&x->client.out) == 0)
        return LIM_LINGER_MS;
    if (!t->open)
        return x->client.head_in ? LIM_BODY_STALL_MS : LIM_HEAD_MS;
    if (t->waiting)
        return LIM_HOLD_MS;
    if (buf_len(&x->client.out) > 0 || buf_len(&x->origin.out) > 0)
        return LIM_BODY_STALL_MS;
    if (t->began || x->patient)
        return LIM_TUNNEL_IDLE_MS; /* event streams may be quiet; black holes are found by TCP */
    return t->up == WAY_DONE ? LIM_ANSWER_MS : LIM_BODY_STALL_MS;
}

void exchange_touch(struct exchange *x)
{
    struct h2flow *h = x->t.f->h2;
    x->due_ms = ev_now_ms(x->t.f->e->ev) + patience_ms(x);
    if (x->due_ms < h->due_ms)
        h->due_ms = x->due_ms;
}

/* ---- life ---- */

static void on_room(struct hold *hold);

static struct h2_leg *on_begin(void *owner)
{
    struct flow *f = owner;
    struct engine *e = f->e;
    struct list *spare = &e->h2_spare;
    struct exchange *x = NULL;
    if (f->h2->last)
        return NULL;
    if (!list_empty(spare)) {
        x = CONTAINER_OF(spare->prev, struct exchange, link); /* the last one given back is still near */
        list_drop(&x->link);
        e->n_h2_spare--;
    } else {
        x = malloc(sizeof *x);
    }
    if (!x)
        return NULL;
    txn_init(&x->t, f, &x->hold);
    list_init(&x->hold.link);
    x->hold.again = on_room;
    h2_leg_init(&x->client);
    h2_leg_init(&x->origin);
    x->client.waiting = x->origin.waiting = f->h2->waiting;
    x->req = NULL;
    x->wasted = 0;
    x->patient = x->own_answer = x->asked = x->done = x->over = false;
    list_push(&f->h2->open, &x->link);
    f->h2->n++;
    exchange_touch(x);
    return &x->client;
}

void exchange_free(struct exchange *x)
{
    struct flow *f = x->t.f;
    struct engine *e = f->e;
    engine_unhold(&x->hold);
    h2_leg_fini(&x->client, &e->h2_heads);
    h2_leg_fini(&x->origin, &e->h2_heads);
    h2_head_put(&e->h2_heads, x->req);
    txn_fini(&x->t);
    list_drop(&x->link);
    f->h2->n--;
    if (e->n_h2_spare < LIM_H2_STREAMS) {
        list_push(&e->h2_spare, &x->link);
        e->n_h2_spare++;
    } else {
        free(x);
    }
}

void exchange_spare_free(struct engine *e)
{
    while (!list_empty(&e->h2_spare)) {
        struct exchange *x = CONTAINER_OF(e->h2_spare.next, struct exchange, link);
        list_drop(&x->link);
        free(x);
    }
}

static void end_leg(struct exchange *x)
{
    x->over = !x->client.s && !x->origin.s;
}

void exchange_break(struct exchange *x, enum reason why, span detail, uint32_t code)
{
    engine_unhold(&x->hold);
    x->t.waiting = false;
    txn_end(&x->t, why, detail);
    h2_reset(&x->origin, H2E_CANCEL);
    h2_reset(&x->client, code);
}

/* ---- the request ---- */

static void begin(struct exchange *x)
{
    if (txn_begin(&x->t, &x->req->m) == RC_AGAIN) {
        exchange_touch(x);
        return;
    }
    h2_head_put(&x->t.f->e->h2_heads, x->req); /* NULL where it was sent */
    x->req = NULL;
}

/* Its head has been read. */
static void begin_if_asked(struct exchange *x)
{
    if (!x->asked)
        return;
    x->asked = false;
    begin(x);
}

void exchange_begin_asked(struct flow *f)
{
    struct h2flow *h = f->h2;
    while (h->asked && h2flow_goes_on(f)) {
        struct exchange *x = h->asked;
        h->asked = x->next_asked;
        if (!h->asked)
            h->asked_end = &h->asked;
        begin_if_asked(x);
    }
    h->asked_bytes = 0;
}

void exchange_tell(struct exchange *x)
{
    if (!x->done)
        return;
    x->done = false;
    txn_end(&x->t, REASON_DONE, SPAN_NONE);
}

static void on_room(struct hold *hold)
{
    struct exchange *x = CONTAINER_OF(hold, struct exchange, hold);
    struct flow *f = x->t.f;
    f->e->current = f;
    begin(x);
    pump(f);
}

static bool is_grpc(const struct msg *m)
{
    return span_has_prefix(msg_field(m, SPAN("content-type")), SPAN("application/grpc"));
}

static void trim_trailers(const struct exchange *x, struct h2_head *h)
{
    h->m.n_fields = (uint16_t)change_trailers(&x->t, h->m.fields, h->m.n_fields);
}

static void client_head(struct h2_leg *l, struct h2_head *h)
{
    struct exchange *x = of_client(l);
    struct flow *f = x->t.f;
    if (h->kind == H2_TRAILERS && (x->origin.out_end || !x->t.open)) {
        h2_head_put(&f->e->h2_heads, h);
        return;
    }
    if (h->kind == H2_TRAILERS) {
        trim_trailers(x, h);
        h2_finish(&x->origin, h);
        return;
    }
    x->req = h;
    x->patient = is_grpc(&h->m);
    x->asked = true;
    x->next_asked = NULL;
    *f->h2->asked_end = x;
    f->h2->asked_end = &x->next_asked;
    f->h2->asked_bytes += sizeof *h + h->cap;
    if (!h->end || f->h2->asked_bytes > LIM_H2_ASKED_BYTES) /* its content may be the next that is read */
        exchange_begin_asked(f);
}

static enum rc refuse(struct exchange *x, enum reason why, span detail)
{
    exchange_break(x, why, detail, H2E_REFUSED); /* nothing of it was sent: clients ask again */
    return RC_DENIED;
}

enum rc exchange_room(struct txn *t)
{
    struct exchange *x = exchange_of(t);
    if (!h2_waiting_full(x->client.waiting, 1))
        return RC_OK;
    t->f->e->n.h2_refused++;
    return refuse(x, REASON_LIMIT, SPAN("h2-waiting"));
}

enum rc exchange_send(struct txn *t, struct msg *m)
{
    struct exchange *x = exchange_of(t);
    struct flow *f = t->f;
    struct h2 *origin = f->h2->origin;
    struct relay_opts o = {0};
    if (!x->client.s) /* taken back before it was judged: client_closed() tells it */
        return RC_DENIED;
    if (!origin || f->h2->origin_over || !h2_may_request(origin) ||
        stream_pending(&f->origin) > 2 * LIM_PEND_BYTES)
        return refuse(x, REASON_ORIGIN_CLOSED, SPAN("no-stream"));
    if (m->upgrade && !h2_peer_connects(origin)) {
        t->status = 501;
        answer_page(t, REASON_CLIENT_HTTP, SPAN("protocol"));
        return RC_DENIED;
    }
    struct h2_head *h = x->req;
    x->req = NULL;
    if (x->origin.trailers) /* came while it waited to be judged */
        trim_trailers(x, x->origin.trailers);
    t->up = m->body == BODY_NONE || x->client.end_in ? WAY_DONE : WAY_BODY;
    if (h2_request(origin, &x->origin, h, m, &o) != RC_OK ||
        h2_write_head(origin, &x->origin, &f->origin.out) != RC_OK) {
        answer_page(t, REASON_LIMIT, SPAN("head"));
        return RC_DENIED;
    }
    t->sent = true;
    t->sent_us = clock_mono_us();
    exchange_touch(x);
    return RC_OK;
}

/* Content goes on to the other side; where it cannot, the exchange ends. */
static void pass(struct exchange *x, struct h2_leg *from, struct h2_leg *to, span data)
{
    enum rc rc = h2_content(to, data);
    if (rc != RC_OK) {
        h2_took(from->s, from, data.n);
        exchange_break(x, REASON_LIMIT, rc == RC_LIMIT ? SPAN("h2-waiting") : SPAN("memory"), H2E_INTERNAL);
    }
    exchange_touch(x);
}

static void client_data(struct h2_leg *l, span data)
{
    struct exchange *x = of_client(l);
    struct txn *t = &x->t;
    t->bytes_up += data.n;
    if (!t->open || t->answered || x->origin.reset || (t->sent && !x->origin.s)) {
        h2_took(l->s, l, data.n);
        x->wasted += data.n;
        if (is_answered(x) && x->wasted > LIM_H2_WASTED_BYTES)
            h2_reset(l, H2E_NO_ERROR);
        return;
    }
    pass(x, l, &x->origin, data);
}

static void client_end(struct h2_leg *l)
{
    struct exchange *x = of_client(l);
    x->t.up = WAY_DONE;
    if (!x->origin.out_end)
        h2_finish(&x->origin, NULL);
    exchange_touch(x);
}

/* RFC 9113 section 8.1.1: malformed. The page goes out before the stream is reset. */
static void client_bad(struct h2_leg *l, struct h2_fault fault)
{
    struct exchange *x = of_client(l);
    struct txn *t = &x->t;
    t->f->e->n.http_bad++;
    if (!l->head_in && !t->open) {
        txn_open(t);
        t->status = (uint16_t)fault.status;
        answer_page(t, REASON_CLIENT_HTTP, span_str(fault.name));
        return;
    }
    exchange_break(x, REASON_CLIENT_HTTP, span_str(fault.name), H2E_PROTOCOL);
}

static void client_closed(struct h2_leg *l, uint32_t code)
{
    struct exchange *x = of_client(l);
    struct h2flow *h = x->t.f->h2;
    begin_if_asked(x);
    size_t unread = h2_drop_content(l);
    engine_unhold(&x->hold);
    if (h->origin && !x->own_answer)
        h2_took(h->origin, &x->origin, unread); /* nobody reads that any more */
    h2_took(h->client, l, h2_drop_content(&x->origin));
    if (l->end_out && code == H2E_NO_ERROR)
        x->done = true;
    else
        txn_end(&x->t, REASON_CLIENT_CLOSED, SPAN("reset"));
    h2_reset(&x->origin, H2E_CANCEL);
    end_leg(x);
}

/* ---- the answer ---- */

static void origin_bad(struct h2_leg *l, struct h2_fault fault)
{
    struct exchange *x = of_origin(l);
    struct txn *t = &x->t;
    t->f->e->n.origin_bad++;
    h2_reset(l, H2E_PROTOCOL);
    if (t->open && !t->began)
        answer_page(t, REASON_ORIGIN_HTTP, span_str(fault.name));
    else
        exchange_break(x, REASON_ORIGIN_HTTP, span_str(fault.name), H2E_INTERNAL);
}

static void interim(struct exchange *x, struct h2_head *h)
{
    struct relay_opts o = {.strip_alt_svc = true};
    if (++x->t.n_interim > LIM_INTERIM_RESPONSES) {
        h2_head_put(&x->t.f->e->h2_heads, h);
        origin_bad(&x->origin, (struct h2_fault){"too-many-interim", 502});
    } else if (h2_response(&x->client, h, &h->m, &o) != RC_OK) {
        exchange_break(x, REASON_LIMIT, SPAN("memory"), H2E_INTERNAL);
    }
}

static void final(struct exchange *x, struct h2_head *h)
{
    struct txn *t = &x->t;
    struct relay_opts o = {.strip_alt_svc = true};
    span type = msg_field(&h->m, SPAN("content-type"));
    t->status = h->m.status;
    t->content_type = arena_dup(&t->arena, span_cut(type, 0, 128));
    t->began = true;
    t->down = h->m.body == BODY_NONE ? WAY_DONE : WAY_BODY;
    if (h2_response(&x->client, h, &h->m, &o) != RC_OK)
        exchange_break(x, REASON_LIMIT, SPAN("memory"), H2E_INTERNAL);
}

static void origin_head(struct h2_leg *l, struct h2_head *h)
{
    struct exchange *x = of_origin(l);
    if (!x->t.open || !x->client.s)
        h2_head_put(&x->t.f->e->h2_heads, h);
    else if (h->kind == H2_TRAILERS && !x->client.out_end)
        h2_finish(&x->client, h);
    else if (h->kind == H2_TRAILERS)
        h2_head_put(&x->t.f->e->h2_heads, h);
    else if (h->m.status < 200)
        interim(x, h);
    else
        final(x, h);
    exchange_touch(x);
}

static void origin_data(struct h2_leg *l, span data)
{
    struct exchange *x = of_origin(l);
    struct txn *t = &x->t;
    if (!t->open || !x->client.s || x->client.reset) {
        h2_took(l->s, l, data.n);
        return;
    }
    t->bytes_down += data.n;
    pass(x, l, &x->client, data);
}

static void origin_end(struct h2_leg *l)
{
    struct exchange *x = of_origin(l);
    if (!x->t.open)
        return;
    x->t.down = WAY_DONE;
    if (!x->client.out_end)
        h2_finish(&x->client, NULL);
    exchange_touch(x);
}

/* What the origin did not finish is not finished towards the client either. */
static void cut(struct exchange *x, uint32_t code)
{
    struct txn *t = &x->t;
    if (t->began)
        exchange_break(x, REASON_ORIGIN_CLOSED, SPAN("cut"), code != H2E_NO_ERROR ? code : H2E_INTERNAL);
    else if (code == H2E_REFUSED || code == H2E_HTTP11)
        exchange_break(x, REASON_ORIGIN_CLOSED, span_str(h2_code_name(code)), code);
    else
        answer_page(t, REASON_ORIGIN_CLOSED, SPAN("no-answer"));
}

static void origin_closed(struct h2_leg *l, uint32_t code)
{
    struct exchange *x = of_origin(l);
    struct h2flow *h = x->t.f->h2;
    h2_took(h->client, &x->client, h2_drop_content(l));
    if (x->t.open && !x->t.answered && x->t.down != WAY_DONE)
        cut(x, code);
    end_leg(x);
    exchange_touch(x);
}

/* ---- both ---- */

static void client_sent(struct h2_leg *l, size_t n)
{
    struct exchange *x = of_client(l);
    if (!x->own_answer && x->t.f->h2->origin)
        h2_took(x->t.f->h2->origin, &x->origin, n);
    exchange_touch(x);
}

static void origin_sent(struct h2_leg *l, size_t n)
{
    struct exchange *x = of_origin(l);
    h2_took(x->t.f->h2->client, &x->client, n);
    exchange_touch(x);
}

static void client_goaway(void *owner, int32_t last)
{
    (void)last; /* of streams that we begin: none */
    h2flow_last(owner, REASON_DONE, SPAN_NONE);
}

static void origin_goaway(void *owner, int32_t last)
{
    (void)last; /* the streams above it are closed by the session, as refused */
    h2flow_last(owner, REASON_DONE, SPAN("origin-goaway"));
}

/* What the origin takes is what the client is offered. */
static void origin_settings(void *owner)
{
    struct flow *f = owner;
    struct h2flow *h = f->h2;
    uint32_t n = h2_peer_streams(h->origin);
    if (h2_peer_connects(h->origin) && !h->connects) {
        h->connects = true;
        h2_offer_connect(h->client);
    }
    if (n != h->streams) {
        h->streams = n;
        h2_set_streams(h->client, n);
    }
}

const struct h2_ops exchange_client_ops = {
    .begin = on_begin,
    .head = client_head,
    .bad = client_bad,
    .data = client_data,
    .end = client_end,
    .closed = client_closed,
    .goaway = client_goaway,
    .sent = client_sent,
};
const struct h2_ops exchange_origin_ops = {
    .head = origin_head,
    .bad = origin_bad,
    .data = origin_data,
    .end = origin_end,
    .closed = origin_closed,
    .goaway = origin_goaway,
    .settings = origin_settings,
    .sent = origin_sent,
};

/* ---- answers of our own ---- */

static bool submit_own(struct exchange *x, span bytes)
{
    struct txn *t = &x->t;
    struct engine *e = t->f->e;
    struct h1_head reader;
    struct relay_opts o = {0};
    size_t used = 0;
    h1_head_init(&reader);
    struct h2_head *h = h2_head_get(&e->h2_heads, H2_RESPONSE);
    if (!h || h1_response(&reader, bytes, t->method, &e->msg, &used) != RC_OK || !h2_head_copy(h, &e->msg)) {
        h2_head_put(&e->h2_heads, h);
        return false;
    }
    bool body = h->m.body != BODY_NONE && used < bytes.n;
    h->m.body = body ? BODY_LENGTH : BODY_NONE;
    if (h2_response(&x->client, h, &h->m, &o) != RC_OK)
        return false;
    if (body && h2_content(&x->client, span_cut(bytes, used, bytes.n)) != RC_OK)
        return false;
    if (body)
        h2_finish(&x->client, NULL);
    return true;
}

void exchange_answer(struct txn *t, span bytes, enum reason why, span detail)
{
    struct exchange *x = exchange_of(t);
    struct flow *f = t->f;
    engine_unhold(&x->hold);
    t->answered = x->own_answer = true;
    t->waiting = false;
    t->bytes_down = bytes.n;
    h2_reset(&x->origin, H2E_CANCEL);
    h2_took(f->h2->client, &x->client, h2_drop_content(&x->origin));
    if (x->client.s && !submit_own(x, bytes))
        h2_reset(&x->client, H2E_INTERNAL);
    txn_end(t, why, detail);
    exchange_touch(x);
    if (f->refused) /* the next connection is decided anew */
        h2flow_last(f, f->reason, f->detail);
}

/* ---- deadlines ---- */

void exchange_due(struct exchange *x)
{
    struct txn *t = &x->t;
    struct flow *f = t->f;
    if (t->open && t->waiting) { /* for room in the log: policy said hold, and it was in vain */
        f->e->n.journal_full++;
        engine_unhold(&x->hold);
        answer_page(t, REASON_JOURNAL_FULL, SPAN_NONE);
    } else if (is_answered(x) && buf_len(&x->client.out) == 0) {
        h2_reset(&x->client, H2E_NO_ERROR);
    } else if (t->open && !t->began && t->up == WAY_DONE) {
        answer_page(t, REASON_TIMEOUT, SPAN("no-answer"));
    } else {
        exchange_break(x, REASON_TIMEOUT, SPAN("stalled"), H2E_CANCEL);
    }
    exchange_touch(x);
}
