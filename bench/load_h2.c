/* HTTP/2 of the load client, by hand and just enough: one request at a time on each connection, answers whose
 * head fits into one frame and whose content fits into the first windows. Names and values go into the
 * gateway's tables as those of a browser do. */
#include "bench/load_h2.h"

#include <string.h>

#include "gw/base/obj.h"

enum { DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, HEAD = LOAD_H2_FRAME };
/* HPACK (RFC 7541): fields of the static table, and a name of it with a value that is to be kept */
enum { GET = 0x82, HTTPS = 0x87, STATUS_200 = 0x88, KEEP = 0x40, AUTHORITY = 1, PATH = 4 };
enum { ACCEPT_ENCODING = 16, ACCEPT_LANGUAGE = 17, ACCEPT = 19, USER_AGENT = 58, TABLE_SIZE = 0x20 };

static void put_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t stream, span payload)
{
    uint8_t head[HEAD] = {0, (uint8_t)(payload.n >> 8), (uint8_t)payload.n, type, flags, 0,
                          0, (uint8_t)(stream >> 8),    (uint8_t)stream};
    gw_assert(payload.n <= UINT16_MAX && stream <= UINT16_MAX);
    gw_assert(buf_put(out, span_of(head, HEAD)) == RC_OK && buf_put(out, payload) == RC_OK);
}

static void put_field(struct buf *block, uint8_t name, const char *value)
{
    span v = span_str(value);
    gw_assert(v.n < 127);
    gw_assert(buf_put_u8(block, KEEP | name) == RC_OK && buf_put_u8(block, (uint8_t)v.n) == RC_OK &&
              buf_put(block, v) == RC_OK);
}

void load_h2_request(struct load_h2 *h, const char *host, const char *path, struct buf *out)
{
    struct buf block;
    buf_init(&block, 0);
    if (h->stream == 0) {
        gw_assert(buf_put(out, SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) == RC_OK);
        put_frame(out, SETTINGS, 0, 0, SPAN_NONE);
    }
    h->stream = h->stream ? h->stream + 2 : 1;
    h->status_ok = false;
    gw_assert(buf_put_u8(&block, GET) == RC_OK && buf_put_u8(&block, HTTPS) == RC_OK);
    put_field(&block, AUTHORITY, host);
    put_field(&block, PATH, path);
    put_field(&block, USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
    put_field(&block, ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    put_field(&block, ACCEPT_LANGUAGE, "fr-BE,fr;q=0.8,en;q=0.5");
    put_field(&block, ACCEPT_ENCODING, "gzip, deflate, br");
    put_frame(out, HEADERS, END_STREAM | END_HEADERS, h->stream, buf_span(&block));
    buf_fini(&block);
}

/* The table's new size may stand before the status. */
static bool is_200(span block)
{
    size_t i = 0;
    while (i < block.n && (block.p[i] & 0xe0) == TABLE_SIZE) {
        bool more = (block.p[i] & 0x1f) == 0x1f;
        for (i++; more && i < block.n; i++)
            more = block.p[i] & 0x80;
    }
    return i < block.n && block.p[i] == STATUS_200;
}

static enum load_h2_got whole_frame(struct load_h2 *h, struct buf *reply)
{
    uint8_t type = h->head[3], flags = h->head[4];
    uint32_t stream = (uint32_t)h->head[7] << 8 | h->head[8];
    bool ours = stream == h->stream;
    if (type == GOAWAY || (type == RST && ours))
        return LOAD_H2_BROKEN;
    if (type == SETTINGS && !(flags & ACK))
        put_frame(reply, SETTINGS, ACK, 0, SPAN_NONE);
    if (type == HEADERS && ours)
        h->status_ok = is_200(span_of(h->kept, h->n_kept));
    if ((type == HEADERS || type == DATA) && ours && flags & END_STREAM)
        return h->status_ok ? LOAD_H2_WHOLE : LOAD_H2_BROKEN;
    return LOAD_H2_MORE;
}

/* Of its payload a head's first bytes are kept, and content is counted. */
static size_t take_payload(struct load_h2 *h, span s)
{
    size_t n = s.n < h->left ? s.n : h->left;
    size_t keep = sizeof h->kept - h->n_kept < n ? sizeof h->kept - h->n_kept : n;
    memcpy(h->kept + h->n_kept, s.p, keep);
    h->n_kept += keep;
    h->left -= n;
    if (h->head[3] == DATA)
        h->content += n;
    return n;
}

enum load_h2_got load_h2_take(struct load_h2 *h, span s, struct buf *reply)
{
    enum load_h2_got got = LOAD_H2_MORE;
    while (s.n > 0 && got == LOAD_H2_MORE) {
        size_t n = HEAD - h->n_head < s.n ? HEAD - h->n_head : s.n;
        memcpy(h->head + h->n_head, s.p, n);
        h->n_head += n;
        s = span_cut(s, n, s.n);
        if (h->n_head < HEAD)
            break;
        if (n > 0) {
            h->left = (size_t)h->head[0] << 16 | (size_t)h->head[1] << 8 | h->head[2];
            h->n_kept = 0;
        }
        s = span_cut(s, take_payload(h, s), s.n);
        if (h->left > 0)
            break;
        got = whole_frame(h, reply);
        h->n_head = 0;
    }
    return s.n > 0 && got == LOAD_H2_WHOLE ? LOAD_H2_BROKEN : got;
}
