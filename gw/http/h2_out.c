/* What leaves on an HTTP/2 session: heads from neutral messages, content, ends; see h2.h. Names and values
 * are not copied: the head they came in is kept until they are sent. Content goes from a leg's buffer into
 * the session's. */
#include "gw/base/obj.h"
#include "gw/http/h2_int.h"
#include "gw/http/modify.h"

enum {
    FRAME_HEAD = 9,
    CONTENT_MOST = LIM_IO_BYTES - FRAME_HEAD, /* so that frame and TLS record end together */
    OWN_FIELDS = 10 + LIM_HEAD_OWN,
    KEPT_BUF = 32768, /* a leg's buffer of more than this is given back when it is empty */
    FRAMES_A_CONTENT = 8,
    WRITE_FIRST = 1000, /* malloc() has such at hand */
    WRITE_NEXT = LIM_IO_BYTES,
};

/* The library's own signature, of which we need little. */
#define PULL_ARGS                                                                \
    nghttp2_session *ng, int32_t id, uint8_t *buf, size_t most, uint32_t *flags, \
        nghttp2_data_source *source, void *arg

/* ---- fields ---- */

struct fields {
    struct h2_head *h;
    nghttp2_nv nv[LIM_HEAD_FIELDS + OWN_FIELDS];
    size_t n;
};

static void put(struct fields *f, span name, span value, uint8_t flags)
{
    if (f->n == N_ELEMS(f->nv))
        return;
    f->nv[f->n++] =
        (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n, flags};
}

/* A literal of ours, and a value that lives as long as the head. */
static void put_own(struct fields *f, span name, span value)
{
    put(f, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

/* What is not part of the head's own bytes is copied by the library, its name in lower case. */
static void put_field(struct fields *f, const struct field *one)
{
    uint8_t flags = one->secret ? NGHTTP2_NV_FLAG_NO_INDEX : 0;
    if (h2_head_holds(f->h, one->name))
        flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME;
    if (h2_head_holds(f->h, one->value))
        flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    put(f, one->name, one->value, flags);
}

/* What is left of it is written over it. */
static void put_alt_svc(struct fields *f, struct field one)
{
    if (!h2_head_holds(f->h, one.value))
        return;
    one.value.n = modify_alt_svc(one.value, f->h->bytes + (one.value.p - f->h->bytes));
    if (one.value.n > 0)
        put_field(f, &one);
}

static void put_fields(struct fields *f, const struct msg *m, const struct relay_opts *o)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        if (!relay_keeps(o, m->fields[i].name))
            continue;
        if (relay_filters(m, o, m->fields[i].name))
            put_alt_svc(f, m->fields[i]);
        else
            put_field(f, &m->fields[i]);
    }
    for (size_t i = 0; i < o->n_extra; i++)
        put_field(f, &o->extra[i]);
}

static void put_length(struct fields *f, const struct msg *m)
{
    uint8_t digits[DEC_MOST];
    span s = dec_span(m->length, digits);
    memcpy(f->h->number, s.p, s.n);
    put_own(f, SPAN("content-length"), span_of(f->h->number, s.n));
}

/* Made from what was judged, as in HTTP/1. */
static span authority(struct h2_head *h, const struct msg *m)
{
    bool literal = span_find(m->host, ':', 0) != SIZE_MAX;
    uint8_t text[LIM_NAME_BYTES + 32], digits[DEC_MOST];
    size_t n = 0;
    if (m->port == 0 && !literal && h2_head_holds(h, m->host))
        return m->host;
    if (m->host.n > LIM_NAME_BYTES + 1)
        return SPAN_NONE;
    if (literal)
        text[n++] = '[';
    memcpy(text + n, m->host.p, m->host.n);
    n += m->host.n;
    if (literal)
        text[n++] = ']';
    if (m->port) {
        span port = dec_span(m->port, digits);
        text[n++] = ':';
        memcpy(text + n, port.p, port.n);
        n += port.n;
    }
    return h2_head_keep(h, span_of(text, n));
}

static span target(struct h2_head *h, const struct msg *m)
{
    size_t n = m->path.n + (m->has_query ? 1 + m->query.n : 0);
    bool as_sent = m->path.p == m->target.p && n == m->target.n &&
                   (!m->has_query || m->query.n == 0 || m->query.p == m->path.p + m->path.n + 1);
    if (m->path.n == 0 && !m->has_query)
        return SPAN("*");
    if (as_sent)
        return m->target;
    /* what is put together lies behind one another, for nothing else is kept in between */
    span first = h2_head_keep(h, m->path);
    size_t at = (size_t)(first.p - h->bytes);
    if (m->has_query) {
        h2_head_keep(h, SPAN("?"));
        h2_head_keep(h, m->query);
    }
    return h->fault.name ? SPAN_NONE : span_of(h->bytes + at, n);
}

static void put_request(struct fields *f, const struct msg *m, span host, span path)
{
    bool connects = m->upgrade;
    put_own(f, SPAN(":method"), connects ? SPAN("CONNECT") : m->method);
    if (connects)
        put_own(f, SPAN(":protocol"), SPAN("websocket"));
    put_own(f, SPAN(":scheme"), SPAN("https"));
    put_own(f, SPAN(":authority"), host);
    put_own(f, SPAN(":path"), path);
}

/* ---- heads ---- */

static void borrow(struct h2_leg *l, struct h2_head *h)
{
    h->next = NULL;
    *l->sending_end = h;
    l->sending_end = &h->next;
}

/* The library has read the oldest one. */
static void give_back(struct h2_leg *l, struct h2_pool *pool)
{
    struct h2_head *h = l->sending;
    if (!h)
        return;
    l->sending = h->next;
    if (!l->sending)
        l->sending_end = &l->sending;
    h2_head_put(pool, h);
}

static ssize_t on_pull(PULL_ARGS);

enum rc h2_request(struct h2 *s, struct h2_leg *l, struct h2_head *h, const struct msg *m,
                   const struct relay_opts *o)
{
    struct fields f;
    nghttp2_data_provider body = {.source.ptr = l, .read_callback = on_pull};
    f.h = h;
    f.n = 0;
    borrow(l, h);
    if (!h2_head_room(h, m->path.n + m->query.n + m->host.n + 16))
        return RC_NOMEM;
    span path = target(h, m), host = authority(h, m);
    put_request(&f, m, host, path);
    put_fields(&f, m, o);
    if (m->body == BODY_LENGTH)
        put_length(&f, m);
    if (h->trailers_wanted)
        put_own(&f, SPAN("te"), SPAN("trailers"));
    if (m->expect_continue)
        put_own(&f, SPAN("expect"), SPAN("100-continue"));
    bool ends = m->body == BODY_NONE;
    int32_t id = h->fault.name ? NGHTTP2_ERR_NOMEM
                               : nghttp2_submit_request(h2_ng(s), NULL, f.nv, f.n, ends ? NULL : &body, l);
    if (id < 0)
        return id == NGHTTP2_ERR_NOMEM ? RC_NOMEM : RC_LIMIT;
    l->s = s;
    l->id = id;
    l->head_out = true;
    l->end_out = ends;
    l->is_head = span_eq(m->method, SPAN("HEAD"));
    s->n_requests++;
    return RC_OK;
}

static int submit_response(struct h2_leg *l, const struct fields *f, bool final, bool ends)
{
    nghttp2_data_provider body = {.source.ptr = l, .read_callback = on_pull};
    nghttp2_extpri in_turn = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    if (!final)
        return nghttp2_submit_headers(h2_ng(l->s), NGHTTP2_FLAG_NONE, l->id, NULL, f->nv, f->n, NULL);
    if (!ends) /* what a client says about priorities is not heard: its streams take turns */
        nghttp2_session_change_extpri_stream_priority(h2_ng(l->s), l->id, &in_turn, 1);
    return nghttp2_submit_response(h2_ng(l->s), l->id, f->nv, f->n, ends ? NULL : &body);
}

enum rc h2_response(struct h2_leg *l, struct h2_head *h, const struct msg *m, const struct relay_opts *o)
{
    struct fields f;
    bool final = m->status >= 200, ends = final && m->body == BODY_NONE;
    f.h = h;
    f.n = 0;
    h->code[0] = (char)('0' + m->status / 100 % 10);
    h->code[1] = (char)('0' + m->status / 10 % 10);
    h->code[2] = (char)('0' + m->status % 10);
    put_own(&f, SPAN(":status"), span_of(h->code, 3));
    put_fields(&f, m, o);
    if (final && m->has_length)
        put_length(&f, m);
    borrow(l, h);
    if (!l->s || l->reset)
        return RC_OK;
    if (submit_response(l, &f, final, ends) != 0)
        return RC_NOMEM;
    l->head_out |= final;
    l->end_out |= ends;
    return RC_OK;
}

/* ---- content ---- */

static void go_on(struct h2_leg *l)
{
    if (!l->deferred || !l->s)
        return;
    l->deferred = false;
    if (nghttp2_session_resume_data(h2_ng(l->s), l->id) == NGHTTP2_ERR_NOMEM)
        h2_fail(l->s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
}

/* It is the memory that counts, not how much of it is in use. */
static void recount(struct h2_leg *l)
{
    h2_waiting_count(l->waiting, l->counted, l->out.cap);
    l->counted = l->out.cap;
}

enum rc h2_content(struct h2_leg *l, span data)
{
    if (h2_waiting_full(l->waiting, 2))
        return RC_LIMIT;
    TRY(buf_put(&l->out, data));
    recount(l);
    go_on(l);
    return RC_OK;
}

size_t h2_drop_content(struct h2_leg *l)
{
    size_t n = buf_len(&l->out);
    buf_fini(&l->out);
    recount(l);
    return n;
}

void h2_finish(struct h2_leg *l, struct h2_head *trailers)
{
    gw_assert(!l->trailers);
    l->trailers = trailers;
    l->out_end = true;
    go_on(l);
}

void h2_reset(struct h2_leg *l, uint32_t code)
{
    if (!l->s || l->reset)
        return;
    l->reset = true;
    if (nghttp2_submit_rst_stream(h2_ng(l->s), NGHTTP2_FLAG_NONE, l->id, code) != 0)
        h2_fail(l->s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
}

static int submit_trailers(struct h2_leg *l)
{
    struct fields f;
    f.h = l->trailers;
    f.n = 0;
    for (size_t i = 0; i < l->trailers->m.n_fields; i++)
        put_field(&f, &l->trailers->m.fields[i]);
    borrow(l, l->trailers);
    l->trailers = NULL;
    return nghttp2_submit_trailer(h2_ng(l->s), l->id, f.nv, f.n);
}

/* The library asks how much of a stream's content to send next; on_content() then moves it. */
static ssize_t on_pull(PULL_ARGS)
{
    struct h2_leg *l = source->ptr;
    size_t have = buf_len(&l->out), n = have < most ? have : most;
    (void)ng;
    (void)id;
    (void)buf;
    (void)arg;
    if (n > CONTENT_MOST)
        n = CONTENT_MOST;
    if (n == 0 && !l->out_end) {
        l->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n < have || !l->out_end)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    l->end_out = true;
    if (l->trailers && l->trailers->m.n_fields > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (submit_trailers(l) != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

/* Room for n bytes more where a session writes: little at first (a request or two), then at once as much as
 * answers of many streams need. */
static enum rc make_room(struct buf *out, size_t n)
{
    size_t more = out->p ? WRITE_NEXT : WRITE_FIRST;
    if (out->p && out->cap - out->w >= n)
        return RC_OK;
    return buf_reserve(out, n < more && buf_len(out) < more ? more : n);
}

/* The library goes from frame to frame by itself here, and would empty a window of any size into `write`: it
 * is told when that is enough, and asks again. The head it gives may by then be another session's (h2_mem.c),
 * so we make it. */
static int on_content(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
                      nghttp2_data_source *source, void *arg)
{
    struct h2 *s = arg;
    struct h2_leg *l = source->ptr;
    uint32_t id = (uint32_t)frame->hd.stream_id;
    const uint8_t ours[FRAME_HEAD] = {(uint8_t)(n >> 16),  (uint8_t)(n >> 8),  (uint8_t)n,
                                      NGHTTP2_DATA,        frame->hd.flags,    (uint8_t)(id >> 24),
                                      (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    (void)ng;
    (void)head;
    if (buf_len(s->write) >= s->most)
        return NGHTTP2_ERR_WOULDBLOCK;
    if (buf_len(&l->out) < n)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* it has been taken back meanwhile */
    if (make_room(s->write, FRAME_HEAD + n) != RC_OK ||
        buf_put(s->write, span_of(ours, FRAME_HEAD)) != RC_OK ||
        (n > 0 && buf_put(s->write, span_cut(buf_span(&l->out), 0, n)) != RC_OK))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (n > 0)
        buf_consume(&l->out, n);
    if (buf_len(&l->out) == 0 && (l->out.cap > KEPT_BUF || h2_waiting_full(l->waiting, 1)))
        h2_drop_content(l);
    if (n > 0) {
        h2_flood_earn(&s->flood, FRAMES_A_CONTENT);
        s->ops->sent(l, n);
    }
    return 0;
}

/* ---- frames that have left ---- */

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2 *s = arg;
    struct h2_leg *l =
        frame->hd.stream_id > 0 ? nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id) : NULL;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (l)
            give_back(l, s->pool);
        if (l == s->until)
            s->until = NULL;
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
            h2_fail(s, H2_SESSION, frame->goaway.error_code); /* the library found it out by itself */
        break;
    case NGHTTP2_RST_STREAM: { /* made to reset is as dear as being reset (CVE-2025-8671) */
        uint32_t code = frame->rst_stream.error_code;
        bool theirs = code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR && code != NGHTTP2_CANCEL;
        if (s->server && theirs && h2_flood_take(&s->flood, H2B_RESETS, s->now_ms) != H2_NONE)
            h2_fail(s, H2_RESETS, NGHTTP2_ENHANCE_YOUR_CALM);
        break;
    }
    default: break;
    }
    /* malformed, and answered: that is what its sender gets before the stream ends */
    if (s->server && l && l->broken && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && !l->end_in)
        h2_reset(l, NGHTTP2_PROTOCOL_ERROR);
    return 0;
}

/* A head that the library would not send: its stream was closed before, or it is too large to compress. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    struct h2 *s = arg;
    struct h2_leg *l =
        frame->hd.stream_id > 0 ? nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id) : NULL;
    (void)error;
    if (frame->hd.type != NGHTTP2_HEADERS || !l)
        return 0;
    give_back(l, s->pool);
    if (l == s->until)
        s->until = NULL;
    h2_reset(l, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

static enum rc put_frames(struct buf *out, span frames)
{
    TRY(make_room(out, frames.n));
    return buf_put(out, frames);
}

/* What a client's side begins with. */
static enum rc preface(struct h2 *s, struct buf *out)
{
    s->write = out;
    if (!s->preface || s->busy || s->stopped)
        return RC_OK;
    s->preface = false;
    return buf_put(out, SPAN(NGHTTP2_CLIENT_MAGIC));
}

enum rc h2_write(struct h2 *s, struct buf *out, size_t most)
{
    TRY(preface(s, out));
    s->most = most;
    while (!s->core->packed && !s->stopped && !s->busy && buf_len(out) < most) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(h2_ng(s), &p);
        if (n == 0)
            break;
        if (n < 0)
            return n == NGHTTP2_ERR_NOMEM ? RC_NOMEM : RC_LIMIT;
        TRY(put_frames(out, span_of(p, (size_t)n)));
    }
    return s->fault.name && !s->terminated ? RC_BAD : RC_OK;
}

enum rc h2_write_head(struct h2 *s, const struct h2_leg *l, struct buf *out)
{
    TRY(preface(s, out));
    s->most = buf_len(out) + 2 * LIM_IO_BYTES; /* content that is half out may be in the way */
    s->until = l;
    while (!s->stopped && !s->busy && s->until) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(h2_ng(s), &p);
        if (n <= 0)
            break;
        TRY(put_frames(out, span_of(p, (size_t)n)));
    }
    bool left = !s->until;
    s->until = NULL;
    return left ? RC_OK : RC_LIMIT;
}

void h2_out_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_send_data_callback(c, on_content);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
}
