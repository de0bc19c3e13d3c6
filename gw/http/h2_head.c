/* Heads of HTTP/2; see h2_head.h. Bytes are judged by the tables of the HTTP/1 reader (h1_byte.h), hosts,
 * targets and framing fields by its functions: one opinion for both versions. */
#include "gw/http/h2_head.h"

#include <stdlib.h>

#include "gw/http/field.h"
#include "gw/http/h1_byte.h"
#include "gw/http/h1_part.h"

enum {
    SPARE_MOST = 32,
    BYTES_FIRST = 2048,
    CRUMBS_AT =
        LIM_HEAD_FIELDS / 2, /* from here on Cookie crumbs are put together: they are many by nature */
    FIELD_COST = 32,         /* RFC 9113 section 6.5.2 */
    METHOD_BYTES = 32,
};

enum pseudo {
    METHOD = 1,
    SCHEME = 2,
    AUTHORITY = 4,
    PATH = 8,
    PROTOCOL = 16,
    STATUS = 32,
};

static const struct {
    const char *name, *text;
    unsigned status;
} whys[H2_WHY_N] = {
#define W(id, name, text, status) [H2_##id] = {name, text, status},
#include "gw/http/h2_why.tbl"
#undef W
};

const char *h2_why_text(enum h2_why why)
{
    return whys[why].text;
}

struct h2_fault h2_fault(enum h2_why why)
{
    return (struct h2_fault){whys[why].name, whys[why].status};
}

/* ---- heads and their pool ---- */

static void head_free(struct h2_head *h)
{
    free(h->bytes);
    free(h);
}

void h2_pool_fini(struct h2_pool *p)
{
    while (p->spare) {
        struct h2_head *next = p->spare->next;
        head_free(p->spare);
        p->spare = next;
    }
    p->n = 0;
    free(p->frame);
    p->frame = NULL;
    h2_cores_fini(p);
    h2_models_fini(p);
    h2_pieces_fini(p);
}

struct h2_head *h2_head_get(struct h2_pool *p, enum h2_kind kind)
{
    struct h2_head *h = p->spare;
    if (h) {
        p->spare = h->next;
        p->n--;
    } else {
        h = malloc(sizeof *h);
        if (!h)
            return NULL;
        h->bytes = NULL;
        h->cap = 0;
    }
    msg_reset(&h->m);
    h->next = NULL;
    h->fault = (struct h2_fault){0};
    h->kind = kind;
    h->end = h->seen_field = h->trailers_wanted = false;
    h->pseudo = 0;
    h->scheme = h->authority = h->protocol = h->status = SPAN_NONE;
    h->list_size = h->used = 0;
    return h;
}

void h2_head_put(struct h2_pool *p, struct h2_head *h)
{
    if (!h)
        return;
    if (p->n >= SPARE_MOST || h->cap > 4 * BYTES_FIRST) {
        head_free(h);
        return;
    }
    h->next = p->spare;
    p->spare = h;
    p->n++;
}

static void fail(struct h2_head *h, struct h2_fault f)
{
    if (!h->fault.name)
        h->fault = f;
}

static void fail_h1(struct h2_head *h, enum h1_why why)
{
    if (why != H1_NONE)
        fail(h, (struct h2_fault){h1_why_name(why), h1_why_status(why)});
}

/* ---- bytes that move when there are more ---- */

static void rebase(const struct h2_head *h, span *s, uint8_t *to)
{
    if (s->p && h2_head_holds(h, *s))
        s->p = to + (s->p - h->bytes);
}

bool h2_head_holds(const struct h2_head *h, span s)
{
    return h->bytes && s.p >= h->bytes && s.p + s.n <= h->bytes + h->used;
}

bool h2_head_room(struct h2_head *h, size_t n)
{
    if (h->cap - h->used > n)
        return true;
    size_t cap = h->cap ? h->cap : BYTES_FIRST;
    while (cap - h->used <= n)
        cap *= 2;
    uint8_t *bytes = malloc(cap);
    if (!bytes)
        return false;
    if (h->used)
        memcpy(bytes, h->bytes, h->used);
    for (size_t i = 0; i < h->m.n_fields; i++) {
        rebase(h, &h->m.fields[i].name, bytes);
        rebase(h, &h->m.fields[i].value, bytes);
    }
    span *const others[] = {&h->m.method, &h->m.target,  &h->m.host,   &h->m.path, &h->m.query,
                            &h->scheme,   &h->authority, &h->protocol, &h->status, &h->m.upgrade_to};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        rebase(h, others[i], bytes);
    free(h->bytes);
    h->bytes = bytes;
    h->cap = cap;
    return true;
}

/* Where there is room. Empty spans too get a pointer, so that they can be told from absent ones. */
static span copy(struct h2_head *h, span s)
{
    uint8_t *p = h->bytes + h->used;
    if (s.n)
        memcpy(p, s.p, s.n);
    h->used += s.n;
    return span_of(p, s.n);
}

span h2_head_keep(struct h2_head *h, span s)
{
    if (h2_head_room(h, s.n))
        return copy(h, s);
    fail(h, h2_fault(H2_NO_MEMORY));
    return SPAN_NONE;
}

/* ---- fields ---- */

static const struct {
    const char *name;
    size_t n;
    enum pseudo bit;
    bool of_request;
} pseudos[] = {
    {":method", 7, METHOD, true}, {":scheme", 7, SCHEME, true},     {":authority", 10, AUTHORITY, true},
    {":path", 5, PATH, true},     {":protocol", 9, PROTOCOL, true}, {":status", 7, STATUS, false},
};

static span *pseudo_place(struct h2_head *h, enum pseudo bit)
{
    switch (bit) {
    case METHOD: return &h->m.method;
    case PATH: return &h->m.target;
    case SCHEME: return &h->scheme;
    case AUTHORITY: return &h->authority;
    case PROTOCOL: return &h->protocol;
    default: return &h->status;
    }
}

static void pseudo_field(struct h2_head *h, span name, span value)
{
    size_t i = 0;
    while (i < sizeof pseudos / sizeof *pseudos && !span_eq(name, span_of(pseudos[i].name, pseudos[i].n)))
        i++;
    if (i == sizeof pseudos / sizeof *pseudos || h->kind == H2_TRAILERS ||
        pseudos[i].of_request != (h->kind == H2_REQUEST)) {
        fail(h, h2_fault(H2_PSEUDO_UNKNOWN));
        return;
    }
    if (h->pseudo & pseudos[i].bit)
        fail(h, h2_fault(H2_PSEUDO_TWICE));
    else if (h->seen_field)
        fail(h, h2_fault(H2_PSEUDO_LATE));
    h->pseudo |= pseudos[i].bit;
    *pseudo_place(h, pseudos[i].bit) = h2_head_keep(h, value);
}

/* A name of the classes that HTTP/1 takes, in lower case (RFC 9113 section 8.2.1). */
static struct h2_fault name_fault(span name)
{
    enum h1_why why = H1_NONE;
    size_t n = h1_run(name, H1B_LOWER);
    if (n == name.n && n > 0 && !h1_is_twin(name))
        return (struct h2_fault){0};
    if (name.n == 0)
        why = H1_NO_NAME;
    n += h1_run(span_cut(name, n, name.n), H1B_TOKEN);
    if (n < name.n)
        why = name.p[n] == ' ' || name.p[n] == '\t' ? H1_NAME_SPACE : h1_byte_why(name.p[n], H1_NAME_BYTE);
    else if (h1_is_twin(name))
        why = H1_NAME_TWIN;
    if (why != H1_NONE)
        return (struct h2_fault){h1_why_name(why), h1_why_status(why)};
    return h2_fault(H2_NAME_CASE);
}

static struct h2_fault value_fault(span value)
{
    if (value.n == 0)
        return (struct h2_fault){0};
    size_t n = h1_value_run(value);
    if (n < value.n) {
        enum h1_why why = h1_byte_why(value.p[n], H1_VALUE_BYTE);
        return (struct h2_fault){h1_why_name(why), h1_why_status(why)};
    }
    uint8_t first = value.p[0], last = value.p[value.n - 1];
    if (first == ' ' || first == '\t' || last == ' ' || last == '\t')
        return h2_fault(H2_VALUE_SPACE);
    return (struct h2_fault){0};
}

/* RFC 9113 section 8.2.2 */
static bool is_of_connection(span name)
{
    switch (name.n) {
    case 7: return span_eq(name, SPAN("upgrade"));
    case 10: return span_eq(name, SPAN("connection")) || span_eq(name, SPAN("keep-alive"));
    case 16: return span_eq(name, SPAN("proxy-connection"));
    case 17: return span_eq(name, SPAN("transfer-encoding"));
    default: return false;
    }
}

/* Crumbs of Cookie (RFC 9113 section 8.2.3) go behind the last one where they are too many to count as
 * fields. */
static bool joins_cookie(struct h2_head *h, span name, span value)
{
    struct field *last = h->m.n_fields > CRUMBS_AT ? &h->m.fields[h->m.n_fields - 1] : NULL;
    if (!last || !span_eq(name, SPAN("cookie")) || !span_eq(last->name, name) || last->value.n == 0)
        return false;
    if (last->value.p + last->value.n != h->bytes + h->used)
        return false;
    size_t before = last->value.n;
    h2_head_keep(h, SPAN("; "));
    h2_head_keep(h, value);
    last->value.n = before + 2 + value.n;
    return true;
}

static void plain_field(struct h2_head *h, span name, span value, bool secret)
{
    struct h2_fault f = name_fault(name);
    if (!f.name)
        f = value_fault(value);
    if (!f.name && is_of_connection(name))
        f = h2_fault(H2_CONNECTION);
    if (!f.name && span_eq(name, SPAN("te"))) {
        h->trailers_wanted = span_ieq(value, SPAN("trailers"));
        if (!h->trailers_wanted)
            f = h2_fault(H2_TE);
    }
    fail(h, f);
    h->seen_field = true;
    if (h->fault.name || joins_cookie(h, name, value))
        return;
    if (h->m.n_fields == LIM_HEAD_FIELDS) {
        fail_h1(h, H1_FIELD_COUNT);
        return;
    }
    if (!h2_head_room(h, name.n + value.n)) {
        fail(h, h2_fault(H2_NO_MEMORY));
        return;
    }
    struct field *to = &h->m.fields[h->m.n_fields++];
    *to = (struct field){.secret = secret};
    to->name = copy(h, name);
    to->value = copy(h, value);
}

void h2_head_field(struct h2_head *h, span name, span value, bool secret)
{
    h->list_size += name.n + value.n + FIELD_COST;
    if (h->list_size > LIM_HEAD_BYTES)
        fail_h1(h, H1_HEAD_LONG);
    if (h->fault.name)
        return;
    if (name.n > 0 && name.p[0] == ':')
        pseudo_field(h, name, value);
    else
        plain_field(h, name, value, secret);
}

/* ---- whole heads ---- */

static void note_all(struct h2_head *h, struct h1_seen *seen)
{
    for (size_t i = 0; i < h->m.n_fields; i++)
        h1_note(seen, &h->m.fields[i]);
}

/* :authority and Host, where there are both, name the same (RFC 9113 section 8.3.1). */
static void read_authority(struct h2_head *h, const struct h1_seen *seen)
{
    struct msg *m = &h->m;
    span host = SPAN_NONE;
    uint16_t port = 0;
    if (seen->n_host > 1)
        fail_h1(h, H1_HOST_TWO);
    if (seen->n_host == 0 && !(h->pseudo & AUTHORITY))
        fail_h1(h, H1_HOST_NONE);
    if (seen->n_host == 1)
        fail_h1(h, h1_authority(seen->host, &host, &port));
    if (!(h->pseudo & AUTHORITY)) {
        m->host = host;
        m->port = port;
        return;
    }
    fail_h1(h, h1_authority(h->authority, &m->host, &m->port));
    if (seen->n_host == 1 && (!span_ieq(host, m->host) || port != m->port))
        fail(h, h2_fault(H2_HOST_OTHER));
}

static void read_target(struct h2_head *h)
{
    struct msg *m = &h->m;
    span t = m->target;
    if (t.n > LIM_TARGET_BYTES)
        fail_h1(h, H1_TARGET_LONG);
    size_t n = h1_run(t, H1B_TARGET);
    if (n < t.n)
        fail_h1(h, t.p[n] == '#' ? H1_TARGET_FRAGMENT : h1_byte_why(t.p[n], H1_TARGET_BYTE));
    if (t.n == 0 || (t.p[0] != '/' && t.p[0] != '*'))
        fail_h1(h, H1_TARGET_FORM);
    if (!span_eq(h->scheme, SPAN("https")))
        fail_h1(h, H1_TARGET_SCHEME);
    if (!h->fault.name)
        fail_h1(h, h1_target(m));
}

/* RFC 8441 section 4: in the eyes of policy the same GET that opens a WebSocket in HTTP/1. */
static void read_extended_connect(struct h2_head *h)
{
    if (h->pseudo != (METHOD | SCHEME | AUTHORITY | PATH | PROTOCOL))
        fail(h, h2_fault(H2_PSEUDO_MISSING));
    if (!span_eq(h->protocol, SPAN("websocket")))
        fail(h, h2_fault(H2_PROTOCOL));
    if (h->m.has_length || h->end)
        fail(h, h2_fault(H2_CONNECT));
    h->m.method = SPAN("GET");
    h->m.upgrade = true;
    h->m.upgrade_to = h->protocol;
    read_target(h);
}

static void read_connect(struct h2_head *h)
{
    if (h->pseudo != (METHOD | AUTHORITY))
        fail(h, h2_fault(H2_CONNECT));
    h->m.form = TARGET_AUTHORITY;
    if (!h->fault.name && h->m.port == 0)
        fail_h1(h, H1_CONNECT_PORT);
}

static void read_expect(struct h2_head *h, const struct h1_seen *seen)
{
    if (seen->n_expect == 0)
        return;
    if (seen->n_expect > 1 || !span_ieq(seen->expect, SPAN("100-continue")))
        fail_h1(h, H1_EXPECT);
    h->m.expect_continue = h->m.body != BODY_NONE;
}

static void request_end(struct h2_head *h, const struct h1_seen *seen)
{
    struct msg *m = &h->m;
    size_t n = h1_run(m->method, H1B_METHOD);
    m->is_request = true;
    if (!(h->pseudo & METHOD)) {
        fail(h, h2_fault(H2_PSEUDO_MISSING));
        return;
    }
    if (n == 0 || n < m->method.n)
        fail_h1(h, n < m->method.n ? h1_byte_why(m->method.p[n], H1_METHOD) : H1_METHOD);
    if (m->method.n > METHOD_BYTES)
        fail_h1(h, H1_METHOD_LONG);
    read_authority(h, seen);
    bool connect = span_eq(m->method, SPAN("CONNECT"));
    if (h->pseudo & PROTOCOL && !connect)
        fail(h, h2_fault(H2_PSEUDO_UNKNOWN));
    else if (h->pseudo & PROTOCOL)
        read_extended_connect(h);
    else if (connect)
        read_connect(h);
    else if ((h->pseudo & (SCHEME | PATH)) != (SCHEME | PATH))
        fail(h, h2_fault(H2_PSEUDO_MISSING));
    else
        read_target(h);
    if (h->end && m->length > 0)
        fail(h, h2_fault(H2_LENGTH));
    m->body = h->end ? BODY_NONE : m->has_length ? BODY_LENGTH : BODY_CHUNKED;
    read_expect(h, seen);
}

static void response_end(struct h2_head *h, span method)
{
    struct msg *m = &h->m;
    uint64_t status = 0;
    bool head = span_eq(method, SPAN("HEAD"));
    if (!(h->pseudo & STATUS))
        fail(h, h2_fault(H2_PSEUDO_MISSING));
    else if (h->status.n != 3 || !span_to_u64(h->status, 999, &status) || status < 100)
        fail_h1(h, H1_STATUS_CODE);
    else if (status == 101)
        fail(h, h2_fault(H2_SWITCHING));
    m->status = (uint16_t)status;
    if (m->status < 200 && h->end)
        fail(h, h2_fault(H2_PSEUDO_MISSING)); /* RFC 9113 section 8.1: an interim answer alone is none */
    bool none = h->end || m->status < 200 || m->status == 204 || m->status == 304 || head;
    if (h->end && m->length > 0 && m->status != 304 && !head)
        fail(h, h2_fault(m->status == 204 ? H2_UNASKED : H2_LENGTH));
    m->body = none ? BODY_NONE : m->has_length ? BODY_LENGTH : BODY_CHUNKED;
    if (m->status < 200 || m->status == 204) {
        m->length = 0;
        m->has_length = false;
    }
}

/* What may not be a trailer is left out, as in HTTP/1; what is no field at all is refused. */
static void trailers_end(struct h2_head *h)
{
    size_t kept = 0;
    if (!h->end)
        fail(h, h2_fault(H2_TRAILERS_OPEN));
    for (size_t i = 0; i < h->m.n_fields; i++) {
        if (field_may_trail(h->m.fields[i].name))
            h->m.fields[kept++] = h->m.fields[i];
    }
    h->m.n_fields = (uint16_t)kept;
}

void h2_head_end(struct h2_head *h, bool end, span method)
{
    struct h1_seen seen = {0};
    h->end = end;
    h->m.minor = 1;
    h->m.keep_alive = true;
    if (h->fault.name)
        return;
    if (h->kind == H2_TRAILERS) {
        trailers_end(h);
        return;
    }
    note_all(h, &seen);
    fail_h1(h, h1_framing(&seen, &h->m));
    if (h->kind == H2_REQUEST)
        request_end(h, &seen);
    else
        response_end(h, method);
}

bool h2_head_copy(struct h2_head *h, const struct msg *m)
{
    h->m.status = m->status;
    h->m.body = m->body;
    h->m.length = m->length;
    h->m.has_length = m->has_length;
    for (size_t i = 0; i < m->n_fields && !h->fault.name; i++) {
        struct field *to = &h->m.fields[i];
        *to = (struct field){0};
        h->m.n_fields++;
        to->name = h2_head_keep(h, m->fields[i].name);
        uint8_t *name = h->bytes ? h->bytes + h->used - to->name.n : NULL;
        for (size_t k = 0; name && k < to->name.n; k++)
            name[k] = ascii_lower(name[k]);
        to->value = h2_head_keep(h, m->fields[i].value);
    }
    return !h->fault.name;
}
