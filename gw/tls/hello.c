/* The ClientHello reader, lower half: from bytes to one whole handshake message, record by record;
 * hello_msg.c reads the message. See hello.h.
 *
 * Every refusal is decided at a fixed place of the byte stream, never by how much happened to arrive
 * together, so that any cut gives the same answer. Memory follows the bytes that came, not the lengths that
 * were promised. */
#include "gw/tls/hello.h"

#include "gw/base/limits.h"
#include "gw/tls/hello_msg.h"

enum { RECORD_HEAD = 5, RECORD_MAX = 16384, MESSAGE_HEAD = 4, TYPE_HANDSHAKE = 22 };

static const struct {
    const char *name, *text;
} whys[] = {
#define W(id, name, text) {name, text},
#include "gw/tls/hello_why.tbl"
#undef W
};

const char *hello_why_name(enum hello_why why)
{
    return whys[(unsigned)why < HELLO_WHY_N ? why : HELLO_NONE].name;
}

const char *hello_why_text(enum hello_why why)
{
    return whys[(unsigned)why < HELLO_WHY_N ? why : HELLO_NONE].text;
}

void hello_init(struct hello_reader *r)
{
    *r = (struct hello_reader){0};
    buf_init(&r->msg, LIM_HELLO_BYTES);
}

void hello_fini(struct hello_reader *r)
{
    buf_fini(&r->msg);
}

/* "80 len 01 03 xx" or "80 len 01 00 02": CLIENT-HELLO of SSL 2.0, which old clients also used to offer
 * SSL 3.0. */
static bool is_sslv2(const uint8_t h[RECORD_HEAD])
{
    return (h[0] & 0x80) && h[2] == 1 && (h[3] == 3 || (h[3] == 0 && h[4] == 2));
}

enum rc hello_sniff(span first)
{
    if (first.n == 0)
        return RC_MORE;
    if (first.p[0] & 0x80) {
        if (first.n < RECORD_HEAD)
            return first.n >= 3 && first.p[2] != 1 ? RC_BAD : RC_MORE;
        return is_sslv2(first.p) ? RC_OK : RC_BAD;
    }
    if (first.p[0] != TYPE_HANDSHAKE)
        return RC_BAD;
    if (first.n < 2)
        return RC_MORE;
    return first.p[1] == 3 ? RC_OK : RC_BAD;
}

static enum rc refuse(struct hello_reader *r, enum hello_why why)
{
    r->why = why;
    return RC_BAD;
}

/* The form of SSL 2.0, in which a server may still be offered SSL 3.0 and more (RFC 6176 section 3, RFC 5246
 * appendix E.2): two bytes of length, then the message. No records follow it. */
static enum rc open_sslv2(struct hello_reader *r)
{
    size_t len = (size_t)(r->head[0] & 0x7f) << 8 | r->head[1];
    if (r->head[3] != 3)
        return refuse(r, HELLO_SSLV2);
    if (len < HELLO_V2_HEAD)
        return refuse(r, HELLO_SHORT);
    TRY(buf_put(&r->msg, span_of(r->head + 2, 3)));
    r->v2_len = (uint16_t)len;
    r->record_left = (uint16_t)(len - 3);
    return RC_OK;
}

/* A whole record header is there. Its minor version says nothing (RFC 8446 section 5.1). */
static enum rc open_record(struct hello_reader *r)
{
    size_t len = (size_t)r->head[3] << 8 | r->head[4];
    bool first = buf_len(&r->msg) == 0;
    r->n_head = 0;
    if (first && is_sslv2(r->head))
        return open_sslv2(r);
    if (r->head[0] != TYPE_HANDSHAKE)
        return refuse(r, first ? HELLO_NOT_TLS : HELLO_RECORD_TYPE);
    if (r->head[1] != 3)
        return refuse(r, first ? HELLO_NOT_TLS : HELLO_RECORD_VERSION);
    if (len == 0)
        return refuse(r, HELLO_RECORD_EMPTY);
    if (len > RECORD_MAX)
        return refuse(r, HELLO_RECORD_LONG);
    if (r->fed + len > LIM_HELLO_BYTES)
        return refuse(r, HELLO_TOO_LONG);
    r->record_left = (uint16_t)len;
    return RC_OK;
}

/* Bytes of the whole message as far as known: its head first, then what the head says. */
static size_t message_need(const struct hello_reader *r)
{
    struct rd m = rd_of(buf_span(&r->msg));
    rd_u8(&m);
    size_t len = rd_u24(&m);
    if (r->v2_len)
        return r->v2_len;
    return m.bad ? MESSAGE_HEAD : MESSAGE_HEAD + len;
}

static enum rc check_message_head(struct hello_reader *r)
{
    if (r->msg.p[r->msg.r] != HELLO_TYPE)
        return refuse(r, HELLO_NOT_HELLO);
    return message_need(r) > LIM_HELLO_BYTES - RECORD_HEAD ? refuse(r, HELLO_TOO_LONG) : RC_OK;
}

static void take_head(struct hello_reader *r, span *bytes)
{
    while (r->n_head < RECORD_HEAD && bytes->n) {
        r->head[r->n_head++] = bytes->p[0];
        *bytes = span_cut(*bytes, 1, bytes->n);
        r->fed++;
    }
}

static enum rc take_payload(struct hello_reader *r, span *bytes)
{
    size_t n = message_need(r) - buf_len(&r->msg);
    if (n > r->record_left)
        n = r->record_left;
    if (n > bytes->n)
        n = bytes->n;
    TRY(buf_put(&r->msg, span_cut(*bytes, 0, n)));
    *bytes = span_cut(*bytes, n, bytes->n);
    r->fed += n;
    r->record_left = (uint16_t)(r->record_left - n);
    return buf_len(&r->msg) == MESSAGE_HEAD && !r->v2_len ? check_message_head(r) : RC_OK;
}

/* One step of progress: a record header, or payload. */
static enum rc step(struct hello_reader *r, span *bytes)
{
    if (r->record_left)
        return take_payload(r, bytes);
    take_head(r, bytes);
    /* nothing else can follow a first byte that no record and no SSL 2.0 hello begins with: say so without
     * waiting */
    if (buf_len(&r->msg) == 0 && hello_sniff(span_of(r->head, r->n_head)) == RC_BAD &&
        r->n_head < RECORD_HEAD)
        return refuse(r, HELLO_NOT_TLS);
    return r->n_head == RECORD_HEAD ? open_record(r) : RC_OK;
}

static bool is_whole(const struct hello_reader *r)
{
    return buf_len(&r->msg) >= MESSAGE_HEAD && buf_len(&r->msg) == message_need(r);
}

enum rc hello_feed(struct hello_reader *r, span bytes, struct hello *out)
{
    if (r->why != HELLO_NONE)
        return RC_BAD;
    while (!is_whole(r)) {
        if (bytes.n == 0)
            return RC_MORE;
        TRY(step(r, &bytes));
    }
    if (r->record_left)
        return refuse(r, HELLO_RECORD_REST);
    if (r->v2_len)
        TRY(hello_parse_v2(buf_span(&r->msg), out, &r->why));
    else
        TRY(hello_parse(buf_span(&r->msg), out, &r->why));
    out->wire_len = r->fed;
    return RC_OK;
}
