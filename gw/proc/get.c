/* A plain GET behind the SSRF guard; see get.h. */
#include "gw/proc/get.h"

#include <stdlib.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/http/h1.h"
#include "gw/net/dial.h"
#include "gw/tls/stream.h"

enum { HTTP_PORT = 80, HTTP_PORT_ALSO = 8080, URL_BYTES = 2048, CONNECT_MS = 5000 };

struct get_state {
    struct stream conn; /* first: callbacks get from it to the state */
    struct get *g;
    struct get_env *env;
    struct ev_timer deadline;
    struct ev_later over;
    struct resolve_query query;
    struct dial dial;
    struct buf url, in, body;
    struct h1_head head;
    struct h1_body framing;
    uint16_t port;
    unsigned n_redirects;
    bool has_head, stream_there;
    enum get_why why;
    struct msg msg;
};

static const char *const why_names[] = {
#define G(id, name) name,
#include "gw/proc/get_why.tbl"
#undef G
};

const char *get_why_name(enum get_why why)
{
    return why < GET_WHY_N ? why_names[why] : "?";
}

/* ---- URLs */

bool get_url_split(span url, struct get_url *out)
{
    static const span scheme = {(const uint8_t *)"http://", 7};
    if (url.n > URL_BYTES || !span_ieq(span_cut(url, 0, scheme.n), scheme))
        return false;
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= 0x20 || url.p[i] >= 0x7f)
            return false;
    }
    span rest = span_cut(url, scheme.n, span_find(url, '#', 0));
    size_t slash = span_find(rest, '/', 0), query = span_find(rest, '?', 0);
    if (query < slash)
        return false; /* no path before the query: nobody writes that */
    *out = (struct get_url){.port = HTTP_PORT};
    uint16_t port = 0;
    if (h1_authority(span_cut(rest, 0, slash), &out->host, &port) != H1_NONE || out->host.n == 0)
        return false;
    out->port = port ? port : HTTP_PORT;
    out->target = slash == SIZE_MAX ? SPAN("/") : span_cut(rest, slash, rest.n);
    return true;
}

/* ---- the end */

/* Everything of it but itself. */
static void empty(struct get_state *s)
{
    s->env->held -= buf_len(&s->body);
    buf_fini(&s->url);
    buf_fini(&s->in);
    buf_fini(&s->body);
    h1_body_fini(&s->framing);
}

/* The asker is told at the end of the loop's turn: events of this turn may still name the state. */
static void on_over(struct ev_later *l)
{
    struct get_state *s = CONTAINER_OF(l, struct get_state, over);
    struct get *g = s->g;
    if (!g) { /* cancelled */
        free(s);
        return;
    }
    g->state = NULL;
    g->done(g, s->why, s->why == GET_DONE ? buf_span(&s->body) : SPAN_NONE);
    empty(s);
    free(s);
}

static void end(struct get_state *s, enum get_why why)
{
    struct ev *ev = s->env->ev;
    if (s->over.queued)
        return;
    s->why = why;
    ev_timer_stop(ev, &s->deadline);
    resolve_cancel(&s->query);
    dial_cancel(&s->dial);
    if (s->stream_there && stream_open(&s->conn))
        stream_fini(&s->conn);
    s->stream_there = false;
    ev_defer(ev, &s->over);
}

static void on_deadline(struct ev_timer *t)
{
    end(CONTAINER_OF(t, struct get_state, deadline), GET_SLOW);
}

/* ---- the answer */

static void begin(struct get_state *s);

/* Location: a URL, or a path at the same place. */
static enum get_why follow(struct get_state *s)
{
    span to = msg_field(&s->msg, SPAN("location"));
    struct get_url was, now;
    struct buf next = {.max = URL_BYTES};
    enum rc rc = RC_OK;
    if (++s->n_redirects > LIM_REDIRECTS)
        return GET_REDIRECTS;
    if (span_has_prefix(to, SPAN("/")) && !span_has_prefix(to, SPAN("//")) &&
        get_url_split(buf_span(&s->url), &was)) {
        size_t n = (size_t)(was.target.p - s->url.p) - s->url.r;
        rc = was.target.n > 1 || span_has_suffix(buf_span(&s->url), SPAN("/"))
                 ? buf_put(&next, span_cut(buf_span(&s->url), 0, n))
                 : buf_put(&next, buf_span(&s->url));
    }
    if (rc == RC_OK)
        rc = buf_put(&next, to);
    if (rc != RC_OK || !get_url_split(buf_span(&next), &now)) {
        buf_fini(&next);
        return GET_URL;
    }
    buf_fini(&s->url);
    s->url = next;
    return GET_DONE;
}

static void again(struct get_state *s)
{
    enum get_why why = follow(s);
    if (why != GET_DONE) {
        end(s, why);
        return;
    }
    stream_fini(&s->conn);
    s->stream_there = s->has_head = false;
    buf_clear(&s->in);
    begin(s);
}

static bool is_redirect(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* OK: go on with the body. */
static enum rc take_head(struct get_state *s)
{
    size_t used = 0;
    enum rc rc = h1_response(&s->head, buf_span(&s->in), SPAN("GET"), &s->msg, &used);
    if (rc != RC_OK) {
        if (rc != RC_MORE || buf_len(&s->in) >= LIM_HEAD_BYTES)
            end(s, GET_BROKEN);
        return RC_MORE;
    }
    if (is_redirect(s->msg.status)) {
        again(s);
        return RC_MORE;
    }
    if (s->msg.status != 200) {
        end(s, s->msg.status < 200 ? GET_BROKEN : GET_STATUS);
        return RC_MORE;
    }
    if (s->msg.has_length && s->msg.length > s->g->most) {
        end(s, GET_LARGE);
        return RC_MORE;
    }
    h1_body_init(&s->framing, &s->msg);
    buf_consume(&s->in, used);
    s->has_head = true;
    return RC_OK;
}

static bool keep(struct get_state *s, span data)
{
    struct get_env *env = s->env;
    if (buf_len(&s->body) + data.n > s->g->most || env->held + data.n > env->held_most ||
        buf_put(&s->body, data) != RC_OK)
        return false;
    env->held += data.n;
    return true;
}

static void take_body(struct get_state *s)
{
    enum rc rc = RC_MORE;
    while (rc == RC_MORE && buf_len(&s->in) > 0) {
        size_t used = 0;
        span data = SPAN_NONE;
        rc = h1_body_read(&s->framing, buf_span(&s->in), &used, &data);
        if (!keep(s, data)) {
            end(s, GET_LARGE);
            return;
        }
        buf_consume(&s->in, used);
        if (rc == RC_MORE && used == 0)
            break;
    }
    if (rc == RC_OK)
        end(s, GET_DONE);
    else if (rc != RC_MORE)
        end(s, GET_BROKEN);
}

static void on_eof(struct get_state *s)
{
    bool whole = s->has_head && h1_body_eof(&s->framing) == RC_OK;
    end(s, whole ? GET_DONE : GET_BROKEN);
}

static void read_some(struct get_state *s)
{
    for (unsigned turns = 0; turns < 16 && !s->over.queued && s->stream_there; turns++) {
        size_t got = 0;
        if (buf_reserve(&s->in, LIM_IO_BYTES) != RC_OK) {
            end(s, GET_MEMORY);
            return;
        }
        enum rc rc = stream_read(&s->conn, s->in.p + s->in.w, LIM_IO_BYTES, &got);
        if (rc == RC_AGAIN)
            return;
        if (rc != RC_OK) {
            if (rc == RC_CLOSED)
                on_eof(s);
            else
                end(s, GET_BROKEN);
            return;
        }
        s->in.w += got;
        if (!s->has_head && take_head(s) != RC_OK)
            continue;
        take_body(s);
    }
}

static void on_socket(struct ev_io *io, uint32_t events)
{
    struct get_state *s = (struct get_state *)(void *)CONTAINER_OF(io, struct stream, io);
    stream_event(&s->conn, events);
    enum rc rc = stream_flush(&s->conn);
    if (rc != RC_OK && rc != RC_AGAIN) {
        end(s, GET_CONNECT);
        return;
    }
    read_some(s);
    if (!s->over.queued && s->stream_there && stream_watch(&s->conn) != RC_OK)
        end(s, GET_MEMORY);
}

/* ---- the way there */

static enum rc put_request(struct get_state *s)
{
    struct get_url u;
    struct buf b = {.max = 2 * URL_BYTES};
    if (!get_url_split(buf_span(&s->url), &u))
        return RC_BAD;
    bool v6 = span_find(u.host, ':', 0) != SIZE_MAX;
    enum rc rc = buf_put_str(&b, "GET ");
    if (rc == RC_OK)
        rc = buf_put(&b, u.target);
    if (rc == RC_OK)
        rc = buf_put_str(&b, v6 ? " HTTP/1.1\r\nHost: [" : " HTTP/1.1\r\nHost: ");
    if (rc == RC_OK)
        rc = buf_put(&b, u.host);
    if (rc == RC_OK)
        rc = u.port == HTTP_PORT ? buf_put_str(&b, v6 ? "]" : "")
                                 : buf_printf(&b, "%s:%u", v6 ? "]" : "", (unsigned)u.port);
    if (rc == RC_OK)
        rc = buf_put_str(&b, "\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    if (rc == RC_OK)
        rc = stream_queue(&s->conn, buf_span(&b));
    buf_fini(&b);
    return rc;
}

static void on_dialled(struct dial *d, int fd, const struct addr *to, int err)
{
    struct get_state *s = d->data;
    (void)to;
    (void)err;
    if (fd < 0) {
        end(s, GET_CONNECT);
        return;
    }
    stream_init(&s->conn, s->env->ev, fd, on_socket);
    s->stream_there = true;
    h1_head_init(&s->head);
    enum rc rc = put_request(s);
    if (rc == RC_OK)
        rc = stream_flush(&s->conn);
    if (rc == RC_OK || rc == RC_AGAIN)
        rc = stream_watch(&s->conn);
    if (rc != RC_OK)
        end(s, GET_CONNECT);
}

static void dial_allowed(struct get_state *s, const struct addr *in, size_t n)
{
    struct addr ok[DIAL_MAX];
    struct dial_to to = {.addrs = ok, .port = s->port, .given = -1, .timeout_ms = CONNECT_MS};
    for (size_t i = 0; i < n && to.n < DIAL_MAX; i++) {
        if (fence_dial(&s->env->fence, &in[i]) == FENCE_OK)
            ok[to.n++] = in[i];
    }
    if (to.n == 0) {
        end(s, n ? GET_FORBIDDEN : GET_NO_NAME);
        return;
    }
    s->dial = (struct dial){.on_done = on_dialled, .data = s};
    dial_start(&s->dial, s->env->ev, &to);
}

static void on_resolved(struct resolve_query *q, const struct resolve_answer *a)
{
    struct get_state *s = CONTAINER_OF(q, struct get_state, query);
    dial_allowed(s, a->addrs, a->n);
}

static void look_up(struct get_state *s, span host)
{
    uint8_t name[LIM_NAME_BYTES];
    size_t n = name_normalise(host, name);
    const struct resolve_answer *now = NULL;
    s->query.on_done = on_resolved;
    if (n == 0 || !s->env->resolver ||
        resolve_start(s->env->resolver, &s->query, span_of(name, n), &now) != RC_OK) {
        end(s, GET_NO_NAME);
        return;
    }
    if (now) {
        struct resolve_answer a = *now;
        dial_allowed(s, a.addrs, a.n);
    }
}

static void begin(struct get_state *s)
{
    struct get_url u;
    struct addr ip;
    if (!get_url_split(buf_span(&s->url), &u)) {
        end(s, GET_URL);
        return;
    }
    s->port = u.port;
    if (u.port != HTTP_PORT && u.port != HTTP_PORT_ALSO)
        end(s, GET_PORT);
    else if (addr_parse(u.host, &ip))
        dial_allowed(s, &ip, 1);
    else
        look_up(s, u.host);
}

enum rc get_start(struct get *g, span url)
{
    struct get_state *s = calloc(1, sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->g = g;
    s->env = g->env;
    s->over.cb = on_over;
    list_init(&s->query.link);
    s->conn.io.fd = -1;
    s->url.max = URL_BYTES;
    ev_timer_init(&s->deadline, on_deadline);
    if (buf_put(&s->url, url) != RC_OK) {
        free(s);
        return RC_NOMEM;
    }
    g->state = s;
    ev_timer_set(g->env->ev, &s->deadline, g->timeout_ms);
    begin(s);
    return RC_OK;
}

void get_cancel(struct get *g)
{
    struct get_state *s = g->state;
    if (!s)
        return;
    g->state = NULL;
    end(s, GET_SLOW);
    empty(s);
    s->g = NULL; /* on_over frees it */
}
