/* Life of an HTTP/2 session and what is asked of it; see h2.h. */
#include "gw/http/h2.h"

#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/http/h2_int.h"

enum {
    NO_RFC7540_PRIORITIES = 9, /* SETTINGS, RFC 9218 section 2.1 */
    FIRST_UNKNOWN = 10,        /* type of frame */
    SEND_HEAD_BYTES = 4 * LIM_HEAD_BYTES,
    /* So many windows can be wide while all others are full, and the session's is not. */
    WIDE_MOST = (LIM_H2_SESSION_BYTES - LIM_H2_STREAMS * LIM_H2_FIRST_BYTES) /
                (LIM_H2_STREAM_BYTES - LIM_H2_FIRST_BYTES),
    /* ... also while half of it has been read, which the library then tells the peer. */
    SESSION_WINDOW = 2 * LIM_H2_SESSION_BYTES,
};

/* ---- legs ---- */

void h2_leg_init(struct h2_leg *l)
{
    *l = (struct h2_leg){0};
    buf_init(&l->out, LIM_H2_STREAM_BYTES + LIM_PEND_BYTES * 4);
    l->sending_end = &l->sending;
}

void h2_leg_fini(struct h2_leg *l, struct h2_pool *pool)
{
    if (l->s && l->id > 0) {
        nghttp2_session_set_stream_user_data(h2_ng(l->s), l->id, NULL);
        l->s->n_requests -= !l->s->server;
    }
    if (l->s && l->s->head_leg == l)
        l->s->head_leg = NULL;
    l->s = NULL;
    while (l->sending) {
        struct h2_head *next = l->sending->next;
        h2_head_put(pool, l->sending);
        l->sending = next;
    }
    l->sending_end = &l->sending;
    h2_head_put(pool, l->trailers);
    l->trailers = NULL;
    h2_drop_content(l);
    if (l->widened)
        l->widened->n_wide--;
    l->widened = NULL;
}

/* A long message whose reader takes it: with more on the way it is faster over a distance. The leg keeps that
 * until nothing of it can wait any more, also behind the end of its stream. */
static bool widen(struct h2 *s, struct h2_leg *l, size_t n)
{
    if (l->s != s || l->widened)
        return true;
    l->took += n;
    if (l->took < LIM_H2_FIRST_BYTES / 2 || l->end_in || s->n_wide == WIDE_MOST ||
        h2_waiting_full(l->waiting, 1))
        return true;
    l->widened = s;
    s->n_wide++;
    return nghttp2_session_set_local_window_size(h2_ng(s), NGHTTP2_FLAG_NONE, l->id, LIM_H2_STREAM_BYTES) ==
           0;
}

void h2_took(struct h2 *s, struct h2_leg *l, size_t n)
{
    if (n > 0 && l->id > 0 && (!widen(s, l, n) || nghttp2_session_consume(h2_ng(s), l->id, n) != 0))
        h2_fail(s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
}

/* ---- sessions ---- */

static nghttp2_session_callbacks *callbacks(void)
{
    static nghttp2_session_callbacks *c; /* one per process, made at first use, never changed */
    if (!c && nghttp2_session_callbacks_new(&c) == 0) {
        h2_in_callbacks(c);
        h2_out_callbacks(c);
    }
    return c;
}

/* Rules of messages are ours; content is the receiver's to take; who was first is kept of no closed stream.
 */
static nghttp2_option *options(void)
{
    static nghttp2_option *o; /* likewise */
    if (!o && nghttp2_option_new(&o) == 0) {
        nghttp2_option_set_no_http_messaging(o, 1);
        nghttp2_option_set_no_auto_window_update(o, 1);
        nghttp2_option_set_no_closed_streams(o, 1);
        nghttp2_option_set_max_reserved_remote_streams(o, 0);
        nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD_BYTES);
        nghttp2_option_set_stream_reset_rate_limit(o, UINT32_MAX,
                                                   UINT32_MAX); /* ours has a name: h2_flood.c */
        nghttp2_option_set_max_continuations(o, LIM_H2_CONTINUATIONS + 1);
        for (unsigned type = FIRST_UNKNOWN; type <= UINT8_MAX; type++)
            nghttp2_option_set_user_recv_extension_type(o, (uint8_t)type); /* to be counted */
        nghttp2_option_set_max_outbound_ack(o, LIM_H2_PINGS + 100);
    }
    return o;
}

enum rc h2_new(struct h2 **out, bool server, const struct h2_ops *ops, void *owner, struct h2_pool *pool)
{
    nghttp2_session_callbacks *c = callbacks();
    nghttp2_option *o = options();
    struct h2 *s = calloc(1, sizeof *s);
    if (!s || !c || !o) {
        free(s);
        return RC_NOMEM;
    }
    s->ops = ops;
    s->owner = owner;
    s->pool = pool;
    s->server = server;
    s->core = h2_core_get(pool);
    if (!s->core) {
        free(s);
        return RC_NOMEM;
    }
    nghttp2_mem mem = h2_mem(s);
    s->making = true;
    int bad = server ? nghttp2_session_server_new3(&s->ng, c, s, o, &mem)
                     : nghttp2_session_client_new3(&s->ng, c, s, o, &mem);
    s->making = false;
    /* The library keeps the preface in the buffer that others write into (h2_mem.c): out with it. */
    const uint8_t *preface;
    s->preface = bad == 0 && !server;
    if (s->preface && nghttp2_session_mem_send(h2_ng(s), &preface) != NGHTTP2_CLIENT_MAGIC_LEN) {
        nghttp2_session_del(h2_ng(s));
        bad = NGHTTP2_ERR_NOMEM;
    }
    if (bad != 0) {
        h2_core_put(pool, s->core);
        free(s);
        return RC_NOMEM;
    }
    *out = s;
    return RC_OK;
}

void h2_free(struct h2 *s)
{
    if (!s)
        return;
    h2_head_put(s->pool, s->head);
    nghttp2_session_del(h2_ng(s)); /* it has pieces elsewhere, and only the core knows where */
    h2_core_put(s->pool, s->core);
    free(s);
}

enum rc h2_begin(struct h2 *s, bool connect_protocol)
{
    nghttp2_settings_entry set[8];
    size_t n = 0;
    set[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIM_H2_FIRST_BYTES};
    set[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIM_HEAD_BYTES};
    if (s->server) {
        set[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIM_H2_STREAMS};
        set[n++] = (nghttp2_settings_entry){NO_RFC7540_PRIORITIES, 1};
        if (connect_protocol)
            set[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    } else {
        set[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    }
    if (nghttp2_submit_settings(h2_ng(s), NGHTTP2_FLAG_NONE, set, n) != 0 ||
        nghttp2_session_set_local_window_size(h2_ng(s), NGHTTP2_FLAG_NONE, 0, SESSION_WINDOW) != 0)
        return RC_NOMEM;
    return RC_OK;
}

void h2_fail(struct h2 *s, enum h2_why why, uint32_t code)
{
    if (s->fault.name)
        return;
    s->fault = h2_fault(why);
    s->fault_code = code;
}

struct h2_fault h2_session_fault(const struct h2 *s)
{
    return s->fault;
}

void h2_stop(struct h2 *s)
{
    s->stopped = true;
}

static enum h2_why why_of(ssize_t error)
{
    switch (error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC: return H2_PREFACE;
    case NGHTTP2_ERR_NOMEM: return H2_NO_MEMORY;
    case NGHTTP2_ERR_FLOODED: return H2_PINGS;
    default: return H2_SESSION;
    }
}

enum rc h2_feed(struct h2 *s, span in, int64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->stopped || s->fault.name)
        return RC_BAD;
    s->busy = true;
    ssize_t used = nghttp2_session_mem_recv(h2_ng(s), in.p, in.n);
    s->busy = false;
    if (s->stopped)
        return RC_BAD;
    if (used < 0)
        h2_fail(s, why_of(used),
                used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
    if (!s->fault.name)
        return RC_OK;
    h2_terminate(s, s->fault_code);
    return RC_BAD;
}

void h2_shut(struct h2 *s)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2_ng(s));
    if (!s->terminated &&
        nghttp2_submit_goaway(h2_ng(s), NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) != 0)
        h2_fail(s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
}

void h2_terminate(struct h2 *s, uint32_t code)
{
    if (s->terminated)
        return;
    s->terminated = true;
    if (nghttp2_session_terminate_session(h2_ng(s), s->fault.name ? s->fault_code : code) != 0)
        h2_fail(s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
}

bool h2_wants_write(const struct h2 *s)
{
    return !s->core->packed && nghttp2_session_want_write(s->ng) != 0;
}

int64_t h2_head_since(const struct h2 *s)
{
    return s->head_since_ms;
}

bool h2_may_request(const struct h2 *s)
{
    return !s->fault.name && !s->terminated && nghttp2_session_check_request_allowed(h2_ng(s)) &&
           s->n_requests < h2_peer_streams(s);
}

uint32_t h2_peer_streams(const struct h2 *s)
{
    uint32_t most = nghttp2_session_get_remote_settings(h2_ng(s), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return most < LIM_H2_STREAMS ? most : LIM_H2_STREAMS;
}

bool h2_peer_connects(const struct h2 *s)
{
    return nghttp2_session_get_remote_settings(h2_ng(s), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

static void set_one(struct h2 *s, int32_t id, uint32_t value)
{
    nghttp2_settings_entry set = {id, value};
    if (nghttp2_submit_settings(h2_ng(s), NGHTTP2_FLAG_NONE, &set, 1) != 0)
        h2_fail(s, H2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
}

void h2_offer_connect(struct h2 *s)
{
    set_one(s, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
}

void h2_set_streams(struct h2 *s, uint32_t n)
{
    set_one(s, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, n);
}

const char *h2_code_name(uint32_t code)
{
    return nghttp2_http2_strerror(code);
}
