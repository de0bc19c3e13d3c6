/* HTTP/1 heads: where they end, their start lines, and what a whole head says (see h1.h).
 *
 * Two steps. First the lines are found, each ending in CRLF, as bytes come: only offsets are kept, for the
 * bytes may move between calls. When the empty line is there the head is read from front to end, once, into
 * the message. The start line is looked at as soon as it is whole, so that a peer that speaks something else
 * is not waited for. Next to read: h1_field.c. */
#include "gw/http/h1_byte.h"
#include "gw/http/h1_part.h"

enum {
    METHOD_BYTES = 32,
    REQUEST_LINE_BYTES = METHOD_BYTES + LIM_TARGET_BYTES + sizeof "  HTTP/1.1\r\n" - 1,
};

/* What tells a request from a response. */
struct start {
    enum h1_why (*peek)(span in); /* at the first bytes of the line, whole or not */
    enum h1_why (*parse)(span line, struct msg *m);
    bool is_request;
    size_t line_max;
    enum h1_why line_long;
};

void h1_head_init(struct h1_head *h)
{
    *h = (struct h1_head){0};
}

static enum rc bad(struct h1_head *h, enum h1_why why)
{
    h->why = why;
    return RC_BAD;
}

static enum h1_why version_why(span v, struct msg *m)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/1.", 7) != 0 || (v.p[7] != '0' && v.p[7] != '1'))
        return H1_VERSION;
    m->minor = (uint8_t)(v.p[7] - '0');
    return H1_NONE;
}

/* ---- request line */

static enum h1_why request_peek(span in)
{
    if (h1_byte[in.p[0]] & H1B_METHOD)
        return H1_NONE;
    return in.p[0] == ' ' || in.p[0] == '\t' ? H1_START_LINE : h1_byte_why(in.p[0], H1_METHOD);
}

static enum h1_why method_why(span line, size_t n)
{
    if (n > METHOD_BYTES)
        return H1_METHOD_LONG;
    if (n == line.n || line.p[n] == '\t')
        return H1_START_LINE;
    return line.p[n] == ' ' ? H1_NONE : h1_byte_why(line.p[n], H1_METHOD);
}

static enum h1_why target_why(span target, span after)
{
    if (target.n > LIM_TARGET_BYTES)
        return H1_TARGET_LONG;
    if (after.n > 0 && after.p[0] == '#')
        return H1_TARGET_FRAGMENT;
    if (after.n > 0 && after.p[0] != ' ')
        return h1_byte_why(after.p[0], H1_TARGET_BYTE);
    if (target.n == 0)
        return H1_START_LINE;
    return after.n == 0 ? H1_HTTP09 : H1_NONE;
}

/* `rest` is no version of ours: another one, or more parts than three. */
static enum h1_why rest_why(span rest, const struct msg *m)
{
    if (span_eq(m->method, SPAN("PRI")) && span_eq(rest, SPAN("HTTP/2.0")))
        return H1_H2_PREFACE;
    for (size_t i = 0; i < rest.n; i++) {
        if (!(h1_byte[rest.p[i]] & H1B_TARGET))
            return h1_byte_why(rest.p[i], H1_START_LINE);
    }
    return span_ieq(span_cut(rest, 0, 5), SPAN("HTTP/")) ? H1_VERSION : H1_START_LINE;
}

static enum h1_why request_line(span line, struct msg *m)
{
    size_t n = h1_run(line, H1B_METHOD);
    enum h1_why why = method_why(line, n);
    if (why != H1_NONE)
        return why;
    m->method = span_cut(line, 0, n);
    line = span_cut(line, n + 1, line.n);
    n = h1_run(line, H1B_TARGET);
    m->target = span_cut(line, 0, n);
    line = span_cut(line, n, line.n);
    why = target_why(m->target, line);
    if (why != H1_NONE)
        return why;
    line = span_cut(line, 1, line.n);
    if (version_why(line, m) != H1_NONE)
        return rest_why(line, m);
    return h1_target(m);
}

/* ---- status line */

static enum h1_why response_peek(span in)
{
    static const char want[] = "HTTP/1.";
    for (size_t i = 0; i < 7 && i < in.n; i++) {
        if (in.p[i] != (uint8_t)want[i])
            return i < 5 ? H1_STATUS_LINE : H1_VERSION;
    }
    return H1_NONE;
}

/* "HTTP/1.1 200 OK"; the space before an empty reason may be missing, as with many servers. */
static enum h1_why status_line(span line, struct msg *m)
{
    uint64_t status = 0;
    enum h1_why why = version_why(span_cut(line, 0, 8), m);
    if (why != H1_NONE)
        return why;
    if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
        return H1_STATUS_LINE;
    if (!span_to_u64(span_cut(line, 9, 12), 999, &status) || status < 100)
        return H1_STATUS_CODE;
    m->status = (uint16_t)status;
    m->reason = span_cut(line, 13, line.n);
    size_t n = h1_value_run(m->reason);
    return n < m->reason.n ? h1_byte_why(m->reason.p[n], H1_REASON_BYTE) : H1_NONE;
}

static const struct start request_start = {request_peek, request_line, true, REQUEST_LINE_BYTES,
                                           H1_TARGET_LONG};
static const struct start response_start = {response_peek, status_line, false, LIM_HEAD_BYTES, H1_HEAD_LONG};

/* ---- lines */

/* OK: the line that begins at h->line is whole and ends before *end. */
static enum rc next_line(struct h1_head *h, span in, size_t max, enum h1_why too_long, size_t *end)
{
    size_t lf = span_find(in, '\n', h->scanned);
    size_t seen = lf == SIZE_MAX ? in.n : lf + 1;
    if (seen > max)
        return bad(h, too_long);
    h->scanned = seen;
    if (lf == SIZE_MAX)
        return RC_MORE;
    if (lf == h->line || in.p[lf - 1] != '\r')
        return bad(h, H1_BARE_LF);
    *end = lf + 1;
    return RC_OK;
}

static enum rc skip_empty_line(struct h1_head *h, span in)
{
    if (in.n == 0 || in.p[0] != '\r' || h->start > 0)
        return in.n > h->start ? RC_OK : RC_MORE;
    if (in.n == 1)
        return RC_MORE;
    if (in.p[1] != '\n')
        return bad(h, H1_BARE_CR);
    h->start = h->line = h->scanned = 2;
    return in.n > 2 ? RC_OK : RC_MORE;
}

static enum rc read_start(struct h1_head *h, span in, const struct start *s, struct msg *m)
{
    size_t end = 0;
    if (s->is_request)
        TRY(skip_empty_line(h, in));
    if (in.n == h->start)
        return RC_MORE;
    span rest = span_cut(in, h->start, in.n);
    enum h1_why why = h->start > 0 && rest.p[0] == '\r' ? H1_EMPTY_LINES : s->peek(rest);
    if (why != H1_NONE)
        return bad(h, why);
    TRY(next_line(h, in, h->start + s->line_max, s->line_long, &end));
    why = s->parse(span_cut(in, h->start, end - 2), m);
    if (why != H1_NONE)
        return bad(h, why);
    h->fields = h->line = end;
    return RC_OK;
}

/* OK: the empty line is there; the field lines are in[h->fields, *end - 2). */
static enum rc find_end(struct h1_head *h, span in, size_t *end)
{
    for (;;) {
        TRY(next_line(h, in, LIM_HEAD_BYTES, H1_HEAD_LONG, end));
        if (*end - h->line == 2)
            return RC_OK;
        h->line = *end;
    }
}

static enum h1_why read_fields(span lines, struct msg *m, struct h1_seen *seen)
{
    for (size_t at = 0; at < lines.n;) {
        if (m->n_fields == LIM_HEAD_FIELDS)
            return H1_FIELD_COUNT;
        struct field *f = &m->fields[m->n_fields];
        enum h1_why why = h1_field_line(lines, &at, f);
        if (why != H1_NONE)
            return why;
        h1_note(seen, f);
        m->n_fields++;
    }
    return H1_NONE;
}

static enum rc read_head(struct h1_head *h, span in, const struct start *s, struct msg *m,
                         struct h1_seen *seen)
{
    bool parsed = h->fields == 0; /* in this call: else the spans of an earlier call are stale */
    size_t end = 0;
    enum h1_why why = H1_NONE;
    if (h->why != H1_NONE)
        return RC_BAD;
    msg_reset(m);
    m->is_request = s->is_request;
    if (parsed)
        TRY(read_start(h, in, s, m));
    TRY(find_end(h, in, &end));
    if (!parsed)
        why = s->parse(span_cut(in, h->start, h->fields - 2), m);
    if (why == H1_NONE)
        why = read_fields(span_cut(in, h->fields, end - 2), m, seen);
    if (why == H1_NONE)
        why = h1_framing(seen, m);
    m->keep_alive = !seen->close && (m->minor == 1 || seen->keep);
    return why == H1_NONE ? RC_OK : bad(h, why);
}

/* ---- requests */

/* RFC 9112 section 3.2.2: an absolute target wins over Host, but Host must be there and be one. */
static enum h1_why host_why(const struct h1_seen *seen, struct msg *m)
{
    span host;
    uint16_t port;
    if (seen->n_host > 1)
        return H1_HOST_TWO;
    if (seen->n_host == 0)
        return m->minor == 1 ? H1_HOST_NONE : H1_NONE;
    enum h1_why why = h1_authority(seen->host, &host, &port);
    if (why == H1_NONE && (m->form == TARGET_ORIGIN || m->form == TARGET_ASTERISK)) {
        m->host = host;
        m->port = port;
    }
    return why;
}

/* RFC 9110 section 10.1.1; HTTP/1.0 knows no expectations, and without content there is nothing to wait for.
 */
static enum h1_why expect_why(const struct h1_seen *seen, struct msg *m)
{
    if (seen->n_expect == 0 || m->minor == 0)
        return H1_NONE;
    if (seen->n_expect > 1 || !span_ieq(seen->expect, SPAN("100-continue")))
        return H1_EXPECT;
    m->expect_continue = m->body == BODY_CHUNKED || m->length > 0;
    return H1_NONE;
}

/* RFC 6455 section 4.1. Less than a whole offer goes on as the plain GET it also is. */
static bool offers_websocket(const struct h1_seen *seen, const struct msg *m)
{
    return seen->switches && seen->n_upgrade == 1 && span_ieq(seen->upgrade, SPAN("websocket")) &&
           m->minor == 1 && m->body == BODY_NONE && span_eq(m->method, SPAN("GET")) && seen->n_ws_key == 1 &&
           seen->ws_key.n == 24 && span_eq(msg_field(m, SPAN("sec-websocket-version")), SPAN("13"));
}

static enum h1_why request_why(const struct h1_seen *seen, struct msg *m)
{
    enum h1_why why = host_why(seen, m);
    if (why == H1_NONE)
        why = expect_why(seen, m);
    if (why != H1_NONE)
        return why;
    if (m->form == TARGET_AUTHORITY) {
        if (m->body == BODY_CHUNKED || m->length > 0)
            return H1_CONNECT_BODY;
        m->body = BODY_NONE;
    }
    if (offers_websocket(seen, m)) {
        m->upgrade = true;
        m->upgrade_to = seen->upgrade;
    }
    return H1_NONE;
}

enum rc h1_request(struct h1_head *h, span in, struct msg *m, size_t *used)
{
    struct h1_seen seen = {0};
    TRY(read_head(h, in, &request_start, m, &seen));
    enum h1_why why = request_why(&seen, m);
    if (why != H1_NONE)
        return bad(h, why);
    *used = h->scanned;
    return RC_OK;
}

/* ---- responses */

/* RFC 9112 section 6.3: 1 to 3, these have no body whatever their fields say. */
static bool has_no_body(const struct msg *m, span method)
{
    return m->status < 200 || m->status == 204 || m->status == 304 || span_eq(method, SPAN("HEAD")) ||
           (m->status < 300 && span_eq(method, SPAN("CONNECT")));
}

static void response_body(struct msg *m, span method)
{
    bool announced = m->body == BODY_CHUNKED || m->length > 0;
    if (!has_no_body(m, method)) {
        if (m->body == BODY_NONE) {
            m->body = BODY_CLOSE;
            m->keep_alive = false;
        }
        return;
    }
    m->body = BODY_NONE;
    if (m->status != 304 && !span_eq(method, SPAN("HEAD"))) {
        m->length = 0;
        m->has_length = false;
    }
    if ((m->status == 204 && announced) || m->status == 101)
        m->keep_alive = false; /* who knows what comes next: nothing more is read from there */
}

enum rc h1_response(struct h1_head *h, span in, span request_method, struct msg *m, size_t *used)
{
    struct h1_seen seen = {0};
    TRY(read_head(h, in, &response_start, m, &seen));
    m->upgrade = m->status == 101 && m->minor == 1 && seen.switches && seen.n_upgrade == 1 &&
                 seen.n_length == 0 && seen.n_coding == 0;
    m->upgrade_to = m->upgrade ? seen.upgrade : SPAN_NONE;
    response_body(m, request_method);
    *used = h->scanned;
    return RC_OK;
}

enum h1_why h1_switch_fits(bool asked, const struct msg *response)
{
    if (response->status != 101)
        return H1_NONE;
    if (!asked)
        return H1_SWITCH_UNASKED;
    if (!response->upgrade)
        return H1_SWITCH_BROKEN;
    if (!span_ieq(response->upgrade_to, SPAN("websocket")))
        return H1_SWITCH_OTHER;
    return msg_field(response, SPAN("sec-websocket-accept")).n == 28 ? H1_NONE : H1_SWITCH_BROKEN;
}
