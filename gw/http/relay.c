/* Heads as they leave (RFC 9112, RFC 9110 section 7.6): made from what the reader understood, never copied
 * from its bytes as a whole. Host, framing and connection fields are always ours. See h1.h. */
#include "gw/http/field.h"
#include "gw/http/h1.h"

/* A message on its way out. */
struct way {
    const struct msg *m;
    const struct relay_opts *o;
    bool names_fields;   /* Connection holds more than close, keep-alive, upgrade */
    enum body_kind body; /* as it leaves */
};

static enum rc put_field(struct buf *out, span name, span value)
{
    TRY(buf_reserve(out, name.n + value.n + 4));
    uint8_t *p = out->p + out->w;
    memcpy(p, name.p, name.n);
    p += name.n;
    *p++ = ':';
    *p++ = ' ';
    if (value.n)
        memcpy(p, value.p, value.n);
    p += value.n;
    *p++ = '\r';
    *p++ = '\n';
    out->w = (size_t)(p - out->p);
    return RC_OK;
}

static bool connection_names_fields(const struct msg *m)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        span list = m->fields[i].value, option;
        if (m->fields[i].name.n != 10 || !span_ieq(m->fields[i].name, SPAN("connection")))
            continue;
        while (list_next(&list, &option)) {
            if (!span_ieq(option, SPAN("close")) && !span_ieq(option, SPAN("keep-alive")) &&
                !span_ieq(option, SPAN("upgrade")))
                return true;
        }
    }
    return false;
}

bool relay_keeps(const struct msg *m, const struct relay_opts *o, span name)
{
    if (field_is_hop(name))
        return false;
    for (size_t i = 0; i < o->n_drop; i++) {
        if (span_ieq(name, o->drop[i]))
            return false;
    }
    return !o->strip_alt_svc || m->is_request || !span_ieq(name, SPAN("alt-svc"));
}

static enum rc put_fields(struct buf *out, const struct way *w)
{
    const struct msg *m = w->m;
    for (size_t i = 0; i < m->n_fields; i++) {
        span name = m->fields[i].name;
        if (!relay_keeps(m, w->o, name) || (w->body != BODY_CHUNKED && span_ieq(name, SPAN("trailer"))))
            continue;
        if (w->names_fields && msg_has_token(m, SPAN("connection"), name) && !field_is_end_to_end(name))
            continue;
        TRY(put_field(out, name, m->fields[i].value));
    }
    for (size_t i = 0; i < w->o->n_extra; i++)
        TRY(put_field(out, w->o->extra[i].name, w->o->extra[i].value));
    return RC_OK;
}

static enum rc put_length(struct buf *out, uint64_t n)
{
    TRY(buf_put(out, SPAN("Content-Length: ")));
    TRY(buf_put_dec(out, n));
    return buf_put(out, SPAN("\r\n"));
}

/* Framing, connection and the empty line. */
static enum rc put_end(struct buf *out, const struct way *w)
{
    const struct msg *m = w->m;
    bool describes = !m->is_request && m->status >= 200 && m->status != 204 && m->has_length;
    if (w->body == BODY_CHUNKED)
        TRY(buf_put(out, SPAN("Transfer-Encoding: chunked\r\n")));
    if (w->body == BODY_LENGTH || (w->body == BODY_NONE && describes))
        TRY(put_length(out, m->length));
    if (m->upgrade) {
        TRY(buf_put(out, SPAN("Connection: Upgrade\r\n")));
        TRY(put_field(out, SPAN("Upgrade"), m->upgrade_to));
    } else if (w->o->close || w->body == BODY_CLOSE) {
        TRY(buf_put(out, SPAN("Connection: close\r\n")));
    } else if (w->o->http10) {
        TRY(buf_put(out, SPAN("Connection: keep-alive\r\n")));
    }
    return buf_put(out, SPAN("\r\n"));
}

static enum rc put_authority(struct buf *out, const struct msg *m)
{
    bool literal = span_find(m->host, ':', 0) != SIZE_MAX;
    if (literal)
        TRY(buf_put_u8(out, '['));
    TRY(buf_put(out, m->host));
    if (literal)
        TRY(buf_put_u8(out, ']'));
    if (m->port == 0)
        return RC_OK;
    TRY(buf_put_u8(out, ':'));
    return buf_put_dec(out, m->port);
}

static enum rc put_target(struct buf *out, const struct msg *m, bool to_proxy)
{
    if (m->form == TARGET_AUTHORITY)
        return put_authority(out, m);
    if (to_proxy) {
        TRY(buf_put(out, m->scheme.n ? m->scheme : SPAN("http")));
        TRY(buf_put(out, SPAN("://")));
        TRY(put_authority(out, m));
    } else if (m->path.n == 0) {
        return buf_put_u8(out, '*');
    }
    TRY(buf_put(out, m->path));
    if (!m->has_query)
        return RC_OK;
    TRY(buf_put_u8(out, '?'));
    return buf_put(out, m->query);
}

enum rc relay_request(struct buf *out, const struct msg *m, const struct relay_opts *o)
{
    struct way w = {m, o, connection_names_fields(m), m->body};
    if (!m->is_request || m->body == BODY_CLOSE || o->http10)
        return RC_BUG;
    TRY(buf_put(out, m->method));
    TRY(buf_put_u8(out, ' '));
    TRY(put_target(out, m, o->to_proxy));
    TRY(buf_put(out, SPAN(" HTTP/1.1\r\nHost: ")));
    TRY(put_authority(out, m));
    TRY(buf_put(out, SPAN("\r\n")));
    TRY(put_fields(out, &w));
    if (m->expect_continue)
        TRY(buf_put(out, SPAN("Expect: 100-continue\r\n")));
    return put_end(out, &w);
}

enum body_kind relay_response_body(const struct msg *m, const struct relay_opts *o)
{
    return m->body == BODY_CHUNKED && o->http10 ? BODY_CLOSE : m->body;
}

enum rc relay_response(struct buf *out, const struct msg *m, const struct relay_opts *o)
{
    struct way w = {m, o, connection_names_fields(m), relay_response_body(m, o)};
    if (m->is_request || (m->status == 101 && !m->upgrade))
        return RC_BUG;
    TRY(buf_put(out, SPAN("HTTP/1.1 ")));
    TRY(buf_put_dec(out, m->status));
    TRY(buf_put_u8(out, ' '));
    TRY(buf_put(out, m->reason));
    TRY(buf_put(out, SPAN("\r\n")));
    TRY(put_fields(out, &w));
    return put_end(out, &w);
}

size_t relay_chunk_head(uint8_t out[20], size_t n)
{
    static const char hex[] = "0123456789abcdef";
    unsigned digits = 1;
    while (digits < 16 && n >> (4 * digits))
        digits++;
    for (unsigned i = 0; i < digits; i++)
        out[i] = (uint8_t)hex[n >> (4 * (digits - 1 - i)) & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}

enum rc relay_last_chunk(struct buf *out, const struct field *trailers, size_t n)
{
    TRY(buf_put(out, SPAN("0\r\n")));
    for (size_t i = 0; i < n; i++)
        TRY(put_field(out, trailers[i].name, trailers[i].value));
    return buf_put(out, SPAN("\r\n"));
}
