/* A body: first byte chooses the framing, the second the size of the pieces it comes in. However it is cut,
 * content, trailers, the end and the reason are the same; and content written in chunks of ours reads as the
 * same content. */
#include "gw/base/obj.h"
#include "gw/http/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    enum rc rc;
    enum h1_why why;
    size_t used;
    struct buf content;
    struct buf trailers;
};

static void put(struct buf *b, span s)
{
    gw_assert(buf_put(b, s) == RC_OK);
}

static struct result read_all(const struct msg *m, span in, size_t step)
{
    static struct field f[LIM_HEAD_FIELDS];
    struct result r = {.rc = RC_MORE};
    struct h1_body b;
    h1_body_init(&b, m);
    while (r.rc == RC_MORE && r.used < in.n) {
        span piece = span_cut(in, r.used, r.used + step), data;
        size_t used;
        r.rc = h1_body_read(&b, piece, &used, &data);
        gw_assert(used <= piece.n && data.n <= used && (r.rc != RC_MORE || used > 0));
        put(&r.content, data);
        r.used += used;
    }
    if (r.rc == RC_MORE)
        r.rc = h1_body_eof(&b);
    size_t n = h1_body_trailers(&b, f, LIM_HEAD_FIELDS);
    gw_assert(r.rc == RC_OK || n == 0);
    gw_assert(relay_last_chunk(&r.trailers, f, n) == RC_OK);
    r.why = b.why;
    gw_assert((r.rc == RC_BAD) == (r.why != H1_NONE));
    h1_body_fini(&b);
    return r;
}

static void fini(struct result *r)
{
    buf_fini(&r->content);
    buf_fini(&r->trailers);
}

/* Our own chunks of it give the same content and trailers. */
static void check_ours(const struct result *r, size_t step)
{
    struct msg m = {.body = BODY_CHUNKED};
    struct buf wire = {0};
    span rest = buf_span(&r->content);
    for (; rest.n > 0; rest = span_cut(rest, step, rest.n)) {
        uint8_t head[20];
        span chunk = span_cut(rest, 0, step);
        put(&wire, span_of(head, relay_chunk_head(head, chunk.n)));
        put(&wire, chunk);
        put(&wire, RELAY_CRLF);
    }
    put(&wire, buf_span(&r->trailers));
    struct result again = read_all(&m, buf_span(&wire), wire.w);
    /* "name: value" may be longer than it came, which shows at the very cap only */
    gw_assert(again.rc == RC_OK || again.why == H1_TRAILER_LONG);
    gw_assert(span_eq(buf_span(&again.content), buf_span(&r->content)));
    gw_assert(again.rc != RC_OK || span_eq(buf_span(&again.trailers), buf_span(&r->trailers)));
    fini(&again);
    buf_fini(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    span in = span_of(data + 2, size - 2);
    struct msg m = {.body = (enum body_kind)(data[0] & 3), .length = data[0] >> 2};
    struct result whole = read_all(&m, in, in.n);
    struct result cut = read_all(&m, in, 1 + data[1] % 64);
    gw_assert(whole.rc == cut.rc && whole.why == cut.why);
    gw_assert(whole.rc == RC_BAD || whole.used == cut.used);
    gw_assert(whole.rc == RC_BAD || span_eq(buf_span(&whole.content), buf_span(&cut.content)));
    gw_assert(span_eq(buf_span(&whole.trailers), buf_span(&cut.trailers)));
    if (whole.rc == RC_OK)
        check_ours(&whole, 1 + data[1]);
    fini(&whole);
    fini(&cut);
    return 0;
}
