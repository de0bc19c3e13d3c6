/* Bodies: where the content lies among the bytes, by length, by chunks or to the end (RFC 9112 sections 6
 * and 7.1).
 *
 * Chunk sizes are one to sixteen hexadecimal digits and nothing else; extensions are read past and dropped,
 * and a line has a cap. A trailer section is kept as it came until it is whole, then checked by the rules of
 * a head. Content is handed out in place; copies are the trailer section, and the names in Connection that
 * must not stand there. */
#include "gw/base/obj.h"
#include "gw/http/field.h"
#include "gw/http/h1_part.h"

enum { CHUNK_DIGITS, CHUNK_EXT, CHUNK_LF, CHUNK_CONTENT, CHUNK_END_CR, CHUNK_END_LF, TRAILERS, DONE };

/* What Connection names is for the next hop, in trailers too (RFC 9110 section 7.6.1). */
static enum rc keep_hops(struct h1_body *b, const struct msg *m)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        span list = m->fields[i].value, option;
        if (!span_ieq(m->fields[i].name, SPAN("connection")))
            continue;
        while (list_next(&list, &option)) {
            if (span_ieq(option, SPAN("close")) || span_ieq(option, SPAN("keep-alive")))
                continue; /* nearly always: no memory taken */
            TRY(buf_put(&b->hops, option));
            TRY(buf_put_u8(&b->hops, ','));
        }
    }
    return RC_OK;
}

static bool is_for_next_hop(const struct h1_body *b, span name)
{
    span list = buf_span(&b->hops), option;
    while (list_next(&list, &option)) {
        if (span_ieq(option, name))
            return !field_is_end_to_end(name);
    }
    return false;
}

void h1_body_init(struct h1_body *b, const struct msg *m)
{
    *b = (struct h1_body){.kind = m->body, .state = CHUNK_DIGITS};
    buf_init(&b->trailer, LIM_TRAILER_BYTES);
    buf_init(&b->hops, LIM_HEAD_BYTES);
    if (m->body == BODY_LENGTH)
        b->left = m->length;
    if (m->body == BODY_CHUNKED && keep_hops(b, m) != RC_OK)
        b->why = H1_NO_MEMORY;
}

void h1_body_fini(struct h1_body *b)
{
    buf_fini(&b->trailer);
    buf_fini(&b->hops);
}

static enum rc bad(struct h1_body *b, enum h1_why why)
{
    b->why = why;
    return RC_BAD;
}

static span content(struct h1_body *b, span in)
{
    span data = span_cut(in, 0, b->left < in.n ? (size_t)b->left : in.n);
    b->left -= data.n;
    b->total += data.n;
    return data;
}

static int hex_value(uint8_t c)
{
    uint8_t low = ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static enum rc size_byte(struct h1_body *b, uint8_t c)
{
    int v = hex_value(c);
    if (v >= 0) {
        if (b->digits == 16)
            return bad(b, H1_CHUNK_SIZE);
        b->digits++;
        b->left = b->left << 4 | (unsigned)v;
        return RC_OK;
    }
    if (b->digits == 0 || (c != ';' && c != '\r'))
        return bad(b, c == '\n' && b->digits > 0 ? H1_CHUNK_LF : H1_CHUNK_SIZE);
    b->state = c == ';' ? CHUNK_EXT : CHUNK_LF;
    return RC_OK;
}

static enum rc line_ended(struct h1_body *b)
{
    if (b->left > INT64_MAX - b->total)
        return bad(b, H1_CHUNK_SUM);
    b->state = b->left > 0 ? CHUNK_CONTENT : TRAILERS;
    b->line_n = b->digits = 0;
    return RC_OK;
}

/* One byte of "SIZE[;extension] CRLF". */
static enum rc line_byte(struct h1_body *b, uint8_t c)
{
    if (b->line_n++ == LIM_CHUNK_LINE_BYTES)
        return bad(b, H1_CHUNK_LONG);
    if (b->state == CHUNK_DIGITS)
        return size_byte(b, c);
    if (b->state == CHUNK_LF)
        return c == '\n' ? line_ended(b) : bad(b, H1_CHUNK_LF);
    if (c == '\r')
        b->state = CHUNK_LF;
    else if ((c < 0x20 && c != '\t') || c > 0x7e)
        return bad(b, c == '\n' ? H1_CHUNK_LF : H1_CHUNK_EXT);
    return RC_OK;
}

static enum rc end_byte(struct h1_body *b, uint8_t c)
{
    if (c != (b->state == CHUNK_END_CR ? '\r' : '\n'))
        return bad(b, H1_CHUNK_END);
    b->state = b->state == CHUNK_END_CR ? CHUNK_END_LF : CHUNK_DIGITS;
    return RC_OK;
}

/* The section without its empty line. */
static span trailer_lines(const struct h1_body *b)
{
    span all = buf_span(&b->trailer);
    return all.n < 2 ? SPAN_NONE : span_cut(all, 0, all.n - 2);
}

static enum rc check_trailers(struct h1_body *b)
{
    span lines = trailer_lines(b);
    struct field f;
    size_t n = 0;
    for (size_t at = 0; at < lines.n; n++) {
        enum h1_why why = n == LIM_HEAD_FIELDS ? H1_FIELD_COUNT : h1_field_line(lines, &at, &f);
        if (why != H1_NONE)
            return bad(b, why);
    }
    b->state = DONE;
    return RC_OK;
}

/* Takes bytes up to the next LF; OK when the section is whole. */
static enum rc trailer_bytes(struct h1_body *b, span in, size_t *used)
{
    size_t lf = span_find(in, '\n', 0), before = buf_len(&b->trailer);
    span take = span_cut(in, 0, lf == SIZE_MAX ? in.n : lf + 1);
    if (before == 0 && span_eq(take, SPAN("\r\n"))) { /* nearly always: no memory taken */
        *used = 2;
        b->state = DONE;
        return RC_OK;
    }
    enum rc rc = before + take.n > LIM_TRAILER_BYTES ? RC_LIMIT : buf_put(&b->trailer, take);
    if (rc != RC_OK)
        return bad(b, rc == RC_LIMIT ? H1_TRAILER_LONG : H1_NO_MEMORY);
    *used = take.n;
    if (lf == SIZE_MAX)
        return RC_MORE;
    span all = buf_span(&b->trailer);
    if (all.n < 2 || all.p[all.n - 2] != '\r')
        return bad(b, H1_BARE_LF);
    if (all.n == 2 || (all.n >= 4 && all.p[all.n - 3] == '\n'))
        return check_trailers(b);
    return RC_MORE;
}

static enum rc chunked(struct h1_body *b, span in, size_t *used, span *data)
{
    while (*used < in.n && b->state != DONE) {
        if (b->state == CHUNK_CONTENT) {
            *data = content(b, span_cut(in, *used, in.n));
            *used += data->n;
            if (b->left == 0)
                b->state = CHUNK_END_CR;
            return RC_MORE;
        }
        if (b->state == TRAILERS) {
            size_t n = 0;
            enum rc rc = trailer_bytes(b, span_cut(in, *used, in.n), &n);
            *used += n;
            if (rc == RC_BAD)
                return rc;
        } else {
            uint8_t c = in.p[(*used)++];
            TRY(b->state <= CHUNK_LF ? line_byte(b, c) : end_byte(b, c));
        }
    }
    return b->state == DONE ? RC_OK : RC_MORE;
}

enum rc h1_body_read(struct h1_body *b, span in, size_t *used, span *data)
{
    *used = 0;
    *data = SPAN_NONE;
    if (b->why != H1_NONE)
        return RC_BAD;
    switch (b->kind) {
    case BODY_NONE: return RC_OK;
    case BODY_CHUNKED: return chunked(b, in, used, data);
    case BODY_CLOSE:
        *data = in;
        *used = in.n;
        b->total += in.n;
        return RC_MORE;
    case BODY_LENGTH:
        *data = content(b, in);
        *used = data->n;
        return b->left == 0 ? RC_OK : RC_MORE;
    }
    return bad(b, H1_BODY_CUT);
}

enum rc h1_body_eof(struct h1_body *b)
{
    if (b->why != H1_NONE)
        return RC_BAD;
    if (b->kind == BODY_NONE || b->kind == BODY_CLOSE || b->state == DONE ||
        (b->kind == BODY_LENGTH && b->left == 0))
        return RC_OK;
    return bad(b, H1_BODY_CUT);
}

size_t h1_body_trailers(const struct h1_body *b, struct field *out, size_t max)
{
    size_t n = 0, at = 0;
    if (b->state != DONE)
        return 0;
    span lines = trailer_lines(b);
    while (n < max && at < lines.n) {
        enum h1_why why = h1_field_line(lines, &at, &out[n]);
        gw_assert(why == H1_NONE); /* checked when the section was whole */
        n += field_may_trail(out[n].name) && !is_for_next_hop(b, out[n].name);
    }
    return n;
}
