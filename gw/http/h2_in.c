/* What comes on an HTTP/2 session: frames counted, heads put together, content and ends told; see h2.h. */
#include "gw/http/h2_int.h"

static struct h2_leg *leg_of(const struct h2 *s, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(h2_ng(s), id) : NULL;
}

void h2_leg_bad(struct h2_leg *l, struct h2_fault f)
{
    if (l->broken)
        return;
    l->broken = true;
    l->s->ops->bad(l, f);
}

/* ---- frames as they begin: what moves nothing is counted ---- */

static enum h2_why continuation(struct h2 *s)
{
    return ++s->n_continuations > LIM_H2_CONTINUATIONS ? H2_CONTINUATIONS : H2_NONE;
}

static enum h2_why count(struct h2 *s, const nghttp2_frame_hd *hd)
{
    bool ack = hd->flags & NGHTTP2_FLAG_ACK;
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        s->n_continuations = 0;
        h2_flood_earn(&s->flood, 8);
        return H2_NONE;
    case NGHTTP2_CONTINUATION: return continuation(s);
    case NGHTTP2_DATA: return H2_NONE; /* on_frame_recv() counts those without content */
    case NGHTTP2_RST_STREAM: return s->server ? h2_flood_take(&s->flood, H2B_RESETS, s->now_ms) : H2_NONE;
    case NGHTTP2_SETTINGS:
        if (!ack)
            return h2_flood_take(&s->flood, H2B_SETTINGS, s->now_ms);
        break;
    case NGHTTP2_PING:
        if (!ack)
            return h2_flood_take(&s->flood, H2B_PINGS, s->now_ms);
        break;
    default: break;
    }
    return h2_flood_take(&s->flood, H2B_FRAMES, s->now_ms);
}

static int idle_frame(struct h2 *s)
{
    if (h2_flood_take(&s->flood, H2B_FRAMES, s->now_ms) == H2_NONE)
        return 0;
    h2_fail(s, H2_FRAMES, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2 *s = arg;
    (void)ng;
    if (s->stopped)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    enum h2_why why = count(s, hd);
    if (why == H2_NONE)
        return 0;
    h2_fail(s, why, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- heads ---- */

static int begin_stream(struct h2 *s, int32_t id)
{
    struct h2_leg *l = s->ops->begin(s->owner);
    if (!l)
        return nghttp2_submit_rst_stream(h2_ng(s), NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM) == 0
                   ? 0
                   : NGHTTP2_ERR_CALLBACK_FAILURE;
    l->s = s;
    l->id = id;
    nghttp2_session_set_stream_user_data(h2_ng(s), id, l);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2 *s = arg;
    (void)ng;
    if (s->stopped || frame->hd.type != NGHTTP2_HEADERS)
        return s->stopped ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    bool begins = s->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (begins && begin_stream(s, frame->hd.stream_id) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    struct h2_leg *l = leg_of(s, frame->hd.stream_id);
    enum h2_kind kind = !l || l->head_in ? H2_TRAILERS : s->server ? H2_REQUEST : H2_RESPONSE;
    h2_head_put(s->pool, s->head);
    s->head_leg = l;
    s->head_since_ms = s->now_ms;
    s->head = h2_head_get(s->pool, kind);
    if (s->head)
        return 0;
    h2_fail(s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct h2 *s = arg;
    (void)ng;
    (void)frame;
    if (s->stopped || !s->head)
        return s->stopped ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
    h2_head_field(s->head, span_of(n.base, n.len), span_of(v.base, v.len), flags & NGHTTP2_NV_FLAG_NO_INDEX);
    if (s->head->list_size <= 4 * LIM_HEAD_BYTES)
        return 0;
    h2_fail(s, H2_HEAD_BOMB, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What a head says about the content behind it. */
static void expect_content(struct h2_leg *l, const struct h2_head *h)
{
    const struct msg *m = &h->m;
    l->head_in = h->kind != H2_RESPONSE || m->status >= 200;
    l->no_body = m->body == BODY_NONE;
    l->has_length = m->body == BODY_LENGTH;
    l->length = m->length;
}

static void ended(struct h2_leg *l)
{
    if (l->broken || l->end_in)
        return;
    l->end_in = true;
    if (!l->head_in)
        h2_leg_bad(l, h2_fault(H2_EARLY));
    else if (l->has_length && l->got != l->length)
        h2_leg_bad(l, h2_fault(H2_LENGTH));
    else
        l->s->ops->end(l);
}

static void head_is_whole(struct h2 *s, bool end)
{
    struct h2_head *h = s->head;
    struct h2_leg *l = s->head_leg;
    s->head = NULL;
    s->head_leg = NULL;
    s->head_since_ms = 0;
    if (!l || l->broken) {
        h2_head_put(s->pool, h);
        return;
    }
    h2_head_end(h, end, l->is_head ? SPAN("HEAD") : SPAN("GET"));
    if (h->fault.name) {
        struct h2_fault f = h->fault;
        h2_head_put(s->pool, h);
        l->end_in |= end;
        h2_leg_bad(l, f);
        return;
    }
    if (h->kind != H2_TRAILERS)
        expect_content(l, h);
    s->ops->head(l, h);
    if (end && l->s)
        ended(l);
}

/* ---- whole frames ---- */

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2 *s = arg;
    (void)ng;
    struct h2_leg *l = leg_of(s, frame->hd.stream_id);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (s->head)
            head_is_whole(s, end);
        break;
    case NGHTTP2_DATA:
        if (end && l)
            ended(l);
        if (!end && frame->hd.length == frame->data.padlen && idle_frame(s) != 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK) && s->ops->settings)
            s->ops->settings(s->owner);
        break;
    case NGHTTP2_GOAWAY: s->ops->goaway(s->owner, frame->goaway.last_stream_id); break;
    default: break;
    }
    return s->stopped || s->fault.name ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    struct h2 *s = arg;
    struct h2_leg *l = leg_of(s, id);
    (void)flags;
    if (s->stopped)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (l && !l->broken) {
        l->got += n;
        if (!l->head_in)
            h2_leg_bad(l, h2_fault(H2_EARLY));
        else if (l->no_body)
            h2_leg_bad(l, h2_fault(H2_UNASKED));
        else if (l->has_length && l->got > l->length)
            h2_leg_bad(l, h2_fault(H2_LENGTH));
    }
    if (l && l->s && !l->broken)
        s->ops->data(l, span_of(p, n));
    else if (nghttp2_session_consume(ng, id, n) != 0) /* nobody's: the window is for the others */
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return s->stopped || s->fault.name ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2 *s = arg;
    struct h2_leg *l = leg_of(s, id);
    (void)ng;
    if (!l)
        return 0;
    s->n_requests -= !s->server;
    if (s->head_leg == l)
        s->head_leg = NULL;
    l->s = NULL;
    if (!s->stopped)
        s->ops->closed(l, code);
    return 0;
}

/* Frames of types that we do not know are counted and forgotten (RFC 9113 section 4.1). */
static int on_unknown_part(nghttp2_session *ng, const nghttp2_frame_hd *hd, const uint8_t *p, size_t n,
                           void *arg)
{
    (void)ng;
    (void)hd;
    (void)p;
    (void)n;
    return ((struct h2 *)arg)->stopped ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_unknown(nghttp2_session *ng, void **payload, const nghttp2_frame_hd *hd, void *arg)
{
    (void)ng;
    (void)payload;
    (void)hd;
    return idle_frame(arg) == 0 ? NGHTTP2_ERR_CANCEL : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What the library refuses by itself, streams beyond the limit above all, waits for a client that may never
 * read. */
static int on_invalid(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg)
{
    struct h2 *s = arg;
    (void)ng;
    (void)frame;
    (void)error;
    if (!s->server || h2_flood_take(&s->flood, H2B_RESETS, s->now_ms) == H2_NONE)
        return 0;
    h2_fail(s, H2_RESETS, NGHTTP2_ENHANCE_YOUR_CALM);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

void h2_in_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(c, on_unknown_part);
    nghttp2_session_callbacks_set_unpack_extension_callback(c, on_unknown);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid);
}
