/* Both sides of a connection that speaks HTTP/2, by strangers: pieces of input go to the session with the
 * client or to that with the origin, streams are relayed as a flow does it. Each piece: two bytes (the
 * highest bit: whose it is, the rest: its length), then the bytes. A request that passes, written as HTTP/1,
 * is one that HTTP/1 takes too. */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/http/h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct exchange {
    struct exchange *next;
    struct h2_leg client, origin;
    bool asked, answered;
};

static struct {
    struct h2 *client, *origin;
    struct exchange *all;
    struct h2_pool pool;
    struct buf to_client, to_origin;
    size_t n;
} run;

static struct exchange *of_client(struct h2_leg *l)
{
    return CONTAINER_OF(l, struct exchange, client);
}

static struct exchange *of_origin(struct h2_leg *l)
{
    return CONTAINER_OF(l, struct exchange, origin);
}

static struct h2_leg *begin(void *owner)
{
    (void)owner;
    struct exchange *x = calloc(1, sizeof *x);
    gw_assert(x != NULL);
    h2_leg_init(&x->client);
    h2_leg_init(&x->origin);
    x->next = run.all;
    run.all = x;
    run.n++;
    return &x->client;
}

/* Reading what HTTP/1 would be sent gives the same message. */
static void check_as_http1(const struct msg *m)
{
    struct buf out = {0};
    struct h1_head reader;
    struct relay_opts o = {0};
    size_t used = 0;
    if (m->form == TARGET_AUTHORITY || m->upgrade)
        return;
    struct msg *again = malloc(sizeof *again);
    gw_assert(again && relay_request(&out, m, &o) == RC_OK);
    h1_head_init(&reader);
    /* with Host and what frames it, which HTTP/1 counts too */
    if (buf_len(&out) <= LIM_HEAD_BYTES && m->n_fields + 3 <= LIM_HEAD_FIELDS) {
        gw_assert(h1_request(&reader, buf_span(&out), again, &used) == RC_OK && used == buf_len(&out));
        gw_assert(span_eq(again->path, m->path) && span_ieq(again->host, m->host) && again->body == m->body);
    }
    free(again);
    buf_fini(&out);
}

static void client_head(struct h2_leg *l, struct h2_head *h)
{
    struct exchange *x = of_client(l);
    struct relay_opts o = {0};
    gw_assert(!h->fault.name);
    if (h->kind == H2_TRAILERS) {
        if (x->origin.out_end)
            h2_head_put(&run.pool, h);
        else
            h2_finish(&x->origin, h);
        return;
    }
    check_as_http1(&h->m);
    if (!h2_may_request(run.origin) || h->m.form == TARGET_AUTHORITY) {
        h2_head_put(&run.pool, h);
        h2_reset(l, H2E_REFUSED);
        return;
    }
    if (h2_request(run.origin, &x->origin, h, &h->m, &o) != RC_OK ||
        h2_write_head(run.origin, &x->origin, &run.to_origin) != RC_OK)
        h2_reset(l, H2E_INTERNAL);
    x->asked = true;
}

static void origin_head(struct h2_leg *l, struct h2_head *h)
{
    struct exchange *x = of_origin(l);
    struct relay_opts o = {.strip_alt_svc = true};
    gw_assert(!h->fault.name);
    if (!x->client.s)
        h2_head_put(&run.pool, h);
    else if (h->kind == H2_TRAILERS && !x->client.out_end)
        h2_finish(&x->client, h);
    else if (h->kind == H2_TRAILERS)
        h2_head_put(&run.pool, h);
    else if (h2_response(&x->client, h, &h->m, &o) != RC_OK)
        h2_reset(&x->client, H2E_INTERNAL);
}

static void bad(struct h2_leg *l, struct h2_fault f)
{
    gw_assert(f.name != NULL && f.status != 0);
    h2_reset(l, H2E_PROTOCOL);
}

static void client_data(struct h2_leg *l, span data)
{
    struct exchange *x = of_client(l);
    if (!x->origin.s || x->origin.reset)
        h2_took(l->s, l, data.n);
    else
        gw_assert(h2_content(&x->origin, data) == RC_OK);
    gw_assert(buf_len(&x->origin.out) <= LIM_H2_STREAM_BYTES);
}

static void origin_data(struct h2_leg *l, span data)
{
    struct exchange *x = of_origin(l);
    if (!x->client.s || x->client.reset)
        h2_took(l->s, l, data.n);
    else
        gw_assert(h2_content(&x->client, data) == RC_OK);
    gw_assert(buf_len(&x->client.out) <= LIM_H2_STREAM_BYTES);
}

static void client_end(struct h2_leg *l)
{
    if (!of_client(l)->origin.out_end)
        h2_finish(&of_client(l)->origin, NULL);
}

static void origin_end(struct h2_leg *l)
{
    if (!of_origin(l)->client.out_end)
        h2_finish(&of_origin(l)->client, NULL);
}

static void client_closed(struct h2_leg *l, uint32_t code)
{
    struct exchange *x = of_client(l);
    (void)code;
    h2_took(run.origin, &x->origin, buf_len(&l->out));
    buf_fini(&l->out);
    h2_reset(&x->origin, H2E_CANCEL);
}

static void origin_closed(struct h2_leg *l, uint32_t code)
{
    struct exchange *x = of_origin(l);
    h2_took(run.client, &x->client, buf_len(&l->out));
    buf_fini(&l->out);
    if (code != H2E_NO_ERROR)
        h2_reset(&x->client, code);
}

static void client_sent(struct h2_leg *l, size_t n)
{
    h2_took(run.origin, &of_client(l)->origin, n);
}

static void origin_sent(struct h2_leg *l, size_t n)
{
    h2_took(run.client, &of_origin(l)->client, n);
}

static void goaway(void *owner, int32_t last)
{
    (void)owner;
    (void)last;
    h2_shut(run.client);
}

static const struct h2_ops client_ops = {.begin = begin,
                                         .head = client_head,
                                         .bad = bad,
                                         .data = client_data,
                                         .end = client_end,
                                         .closed = client_closed,
                                         .goaway = goaway,
                                         .sent = client_sent};
static const struct h2_ops origin_ops = {.head = origin_head,
                                         .bad = bad,
                                         .data = origin_data,
                                         .end = origin_end,
                                         .closed = origin_closed,
                                         .goaway = goaway,
                                         .sent = origin_sent};

static bool drain(struct h2 *s, struct buf *out)
{
    bool good = h2_write(s, out, SIZE_MAX) == RC_OK;
    buf_clear(out);
    return good;
}

static void tear_down(void)
{
    h2_stop(run.client);
    h2_stop(run.origin);
    while (run.all) {
        struct exchange *next = run.all->next;
        h2_leg_fini(&run.all->client, &run.pool);
        h2_leg_fini(&run.all->origin, &run.pool);
        free(run.all);
        run.all = next;
    }
    h2_free(run.client);
    h2_free(run.origin);
    h2_pool_fini(&run.pool);
    buf_fini(&run.to_client);
    buf_fini(&run.to_origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span in = span_of(data, size);
    memset(&run, 0, sizeof run);
    gw_assert(h2_new(&run.client, true, &client_ops, NULL, &run.pool) == RC_OK);
    gw_assert(h2_new(&run.origin, false, &origin_ops, NULL, &run.pool) == RC_OK);
    gw_assert(h2_begin(run.client, true) == RC_OK && h2_begin(run.origin, false) == RC_OK);
    bool on = drain(run.origin, &run.to_origin) &&
              h2_feed(run.client, SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 1) == RC_OK;
    for (int64_t now = 1; on && in.n >= 2 && run.n < 1000; now += 7) {
        bool to_client = in.p[0] & 0x80;
        size_t n = (size_t)(in.p[0] & 0x7f) << 8 | in.p[1];
        span piece = span_cut(in, 2, 2 + n);
        in = span_cut(in, 2 + piece.n, in.n);
        on = h2_feed(to_client ? run.client : run.origin, piece, now) == RC_OK;
        on = drain(run.origin, &run.to_origin) && on;
        on = drain(run.client, &run.to_client) && on;
    }
    tear_down();
    return 0;
}
