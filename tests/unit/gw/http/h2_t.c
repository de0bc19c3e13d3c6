/* Sessions of HTTP/2, two of ours back to back: what one writes the other reads. */
#include "gw/http/h2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gw/base/obj.h"

struct end {
    struct h2 *s;
    struct h2_leg leg;
    struct buf out, got;
    uint16_t status;
    unsigned n_heads, n_trailers, n_ends, n_closed, n_goaway;
    uint32_t code;
    const char *bad;
    bool refuse;
};

static struct h2_pool pool;
static struct end server, client;

static struct h2_leg *on_begin(void *owner)
{
    struct end *e = owner;
    if (e->refuse)
        return NULL;
    h2_leg_fini(&e->leg, &pool);
    h2_leg_init(&e->leg);
    return &e->leg;
}

static struct end *of(struct h2_leg *l)
{
    return CONTAINER_OF(l, struct end, leg);
}

static void on_head(struct h2_leg *l, struct h2_head *h)
{
    struct end *e = of(l);
    e->n_heads++;
    e->n_trailers += h->kind == H2_TRAILERS;
    e->status = h->m.status ? h->m.status : e->status;
    h2_head_put(&pool, h);
}

static void on_bad(struct h2_leg *l, struct h2_fault f)
{
    of(l)->bad = f.name;
    h2_reset(l, H2E_PROTOCOL);
}

static void on_data(struct h2_leg *l, span data)
{
    assert_int_equal(buf_put(&of(l)->got, data), RC_OK);
}

static void on_end(struct h2_leg *l)
{
    of(l)->n_ends++;
}

static void on_closed(struct h2_leg *l, uint32_t code)
{
    of(l)->n_closed++;
    of(l)->code = code;
}

static void on_goaway(void *owner, int32_t last)
{
    (void)last;
    ((struct end *)owner)->n_goaway++;
}

static void on_sent(struct h2_leg *l, size_t n)
{
    (void)l;
    (void)n;
}

static const struct h2_ops ops = {.begin = on_begin,
                                  .head = on_head,
                                  .bad = on_bad,
                                  .data = on_data,
                                  .end = on_end,
                                  .closed = on_closed,
                                  .goaway = on_goaway,
                                  .sent = on_sent};

static int set_up(void **state)
{
    (void)state;
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    h2_leg_init(&server.leg);
    h2_leg_init(&client.leg);
    assert_int_equal(h2_new(&server.s, true, &ops, &server, &pool), RC_OK);
    assert_int_equal(h2_new(&client.s, false, &ops, &client, &pool), RC_OK);
    assert_int_equal(h2_begin(server.s, false), RC_OK);
    assert_int_equal(h2_begin(client.s, false), RC_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    h2_stop(server.s);
    h2_stop(client.s);
    h2_leg_fini(&server.leg, &pool);
    h2_leg_fini(&client.leg, &pool);
    h2_free(server.s);
    h2_free(client.s);
    h2_pool_fini(&pool);
    buf_fini(&server.out);
    buf_fini(&client.out);
    buf_fini(&server.got);
    buf_fini(&client.got);
    return 0;
}

/* Both write and read until nothing moves. */
static void talk(void)
{
    for (bool moved = true; moved;) {
        assert_int_equal(h2_write(client.s, &client.out, SIZE_MAX), RC_OK);
        assert_int_equal(h2_write(server.s, &server.out, SIZE_MAX), RC_OK);
        moved = buf_len(&client.out) + buf_len(&server.out) > 0;
        if (buf_len(&client.out))
            assert_int_equal(h2_feed(server.s, buf_span(&client.out), 1), RC_OK);
        if (buf_len(&server.out))
            assert_int_equal(h2_feed(client.s, buf_span(&server.out), 1), RC_OK);
        buf_clear(&client.out);
        buf_clear(&server.out);
    }
}

static struct h2_head *request_head(bool body)
{
    struct h2_head *h = h2_head_get(&pool, H2_REQUEST);
    h2_head_field(h, SPAN(":method"), body ? SPAN("POST") : SPAN("GET"), false);
    h2_head_field(h, SPAN(":scheme"), SPAN("https"), false);
    h2_head_field(h, SPAN(":authority"), SPAN("a.example"), false);
    h2_head_field(h, SPAN(":path"), SPAN("/"), false);
    h2_head_end(h, !body, SPAN_NONE);
    assert_null(h->fault.name);
    return h;
}

static void ask(bool body)
{
    const struct relay_opts o = {0};
    struct h2_head *h = request_head(body);
    assert_int_equal(h2_request(client.s, &client.leg, h, &h->m, &o), RC_OK);
    talk();
    assert_int_equal(server.n_heads, 1);
}

static void answer(const char *status, bool body)
{
    const struct relay_opts o = {0};
    struct h2_head *h = h2_head_get(&pool, H2_RESPONSE);
    h2_head_field(h, SPAN(":status"), span_str(status), false);
    h2_head_end(h, !body && status[0] != '1', SPAN("GET"));
    assert_null(h->fault.name);
    assert_int_equal(h2_response(&server.leg, h, &h->m, &o), RC_OK);
}

static void test_exchange(void **state)
{
    (void)state;
    ask(true);
    assert_int_equal(h2_content(&client.leg, SPAN("question")), RC_OK);
    h2_finish(&client.leg, NULL);
    talk();
    answer("103", false);
    answer("200", true);
    assert_int_equal(h2_content(&server.leg, SPAN("answer")), RC_OK);
    struct h2_head *t = h2_head_get(&pool, H2_TRAILERS);
    h2_head_field(t, SPAN("x-sum"), SPAN("1"), false);
    h2_finish(&server.leg, t);
    talk();
    assert_true(span_eq(buf_span(&server.got), SPAN("question")));
    assert_true(span_eq(buf_span(&client.got), SPAN("answer")));
    assert_int_equal(client.n_heads, 3);
    assert_int_equal(client.n_trailers, 1);
    assert_int_equal(server.n_ends + client.n_ends, 2);
    assert_int_equal(server.n_closed + client.n_closed, 2);
    assert_int_equal(client.status, 200);
    assert_int_equal(client.code, H2E_NO_ERROR);
}

/* What waits for a reader is bounded by the window, and goes on when it says that it took something. */
static void test_window_is_the_readers(void **state)
{
    (void)state;
    static uint8_t block[65536];
    ask(true);
    for (int i = 0; i < 6; i++)
        assert_int_equal(h2_content(&client.leg, span_of(block, sizeof block)), RC_OK);
    h2_finish(&client.leg, NULL);
    talk();
    assert_int_equal(buf_len(&server.got), LIM_H2_FIRST_BYTES);
    h2_took(server.s, &server.leg, 30000);
    talk();
    assert_int_equal(buf_len(&server.got), LIM_H2_FIRST_BYTES); /* too little to be told of */
    h2_took(server.s, &server.leg, 10000);                      /* a reader: its window becomes wide */
    talk();
    assert_int_equal(buf_len(&server.got), LIM_H2_STREAM_BYTES);
    h2_took(server.s, &server.leg, 150000);
    talk();
    assert_int_equal(buf_len(&server.got), sizeof block * 6);
    assert_int_equal(server.n_ends, 1);
}

/* Requests at a time, each on legs of its own. */
struct many {
    struct h2_leg up[LIM_H2_STREAMS], down[LIM_H2_STREAMS];
    size_t got[LIM_H2_STREAMS], all;
    unsigned n;
};
static struct many many;

static struct h2_leg *many_begin(void *owner)
{
    (void)owner;
    h2_leg_init(&many.down[many.n]);
    return &many.down[many.n++];
}

static void many_head(struct h2_leg *l, struct h2_head *h)
{
    (void)l;
    h2_head_put(&pool, h);
}

static void many_data(struct h2_leg *l, span data)
{
    many.got[l - many.down] += data.n;
    many.all += data.n;
}

static void many_none(struct h2_leg *l)
{
    (void)l;
}

static void many_closed(struct h2_leg *l, uint32_t code)
{
    (void)l;
    (void)code;
}

static void many_bad(struct h2_leg *l, struct h2_fault f)
{
    (void)l;
    fail_msg("%s", f.name);
}

static const struct h2_ops many_ops = {.begin = many_begin,
                                       .head = many_head,
                                       .bad = many_bad,
                                       .data = many_data,
                                       .end = many_none,
                                       .closed = many_closed,
                                       .goaway = on_goaway,
                                       .sent = on_sent};

static int many_set_up(void **state)
{
    (void)state;
    memset(&many, 0, sizeof many);
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    assert_int_equal(h2_new(&server.s, true, &many_ops, &server, &pool), RC_OK);
    assert_int_equal(h2_new(&client.s, false, &many_ops, &client, &pool), RC_OK);
    assert_int_equal(h2_begin(server.s, false), RC_OK);
    assert_int_equal(h2_begin(client.s, false), RC_OK);
    talk();
    return 0;
}

static int many_tear_down(void **state)
{
    for (unsigned i = 0; i < LIM_H2_STREAMS; i++) {
        h2_leg_fini(&many.up[i], &pool);
        h2_leg_fini(&many.down[i], &pool);
    }
    h2_leg_init(&server.leg);
    h2_leg_init(&client.leg);
    return tear_down(state);
}

static void many_ask(unsigned i, size_t n)
{
    static uint8_t block[LIM_H2_STREAM_BYTES + LIM_PEND_BYTES];
    const struct relay_opts o = {0};
    struct h2_head *h = request_head(true);
    h2_leg_init(&many.up[i]);
    assert_int_equal(h2_request(client.s, &many.up[i], h, &h->m, &o), RC_OK);
    assert_int_equal(h2_content(&many.up[i], span_of(block, n)), RC_OK);
    talk();
}

/* Nobody reads any of as many streams as there may be, after each was read for a while: the last one still
 * gets its share, and all together stay below what is told of a session. */
static void test_unread_streams_hold_no_other(void **state)
{
    (void)state;
    unsigned wide = 0;
    for (unsigned i = 0; i < LIM_H2_STREAMS; i++) {
        many_ask(i, LIM_H2_STREAM_BYTES + LIM_PEND_BYTES);
        assert_in_range(many.got[i], LIM_H2_FIRST_BYTES, LIM_H2_STREAM_BYTES);
        h2_took(server.s, &many.down[i], 40000);
        many.all -= 40000;
        talk();
        wide += many.got[i] == LIM_H2_STREAM_BYTES;
    }
    assert_in_range(wide, 4, 20);
    assert_in_range(many.all, 1, LIM_H2_SESSION_BYTES);
    for (unsigned i = 0; i < LIM_H2_STREAMS; i++) { /* ... and every one goes on by itself */
        size_t before = many.got[i];
        h2_took(server.s, &many.down[i], 40000);
        talk();
        assert_true(many.got[i] > before || before == LIM_H2_STREAM_BYTES);
    }
}

/* Where what waits is full no window is made wide, and at twice as much nothing more is taken; what has left,
 * or is thrown away, counts no longer. */
static void test_what_waits_is_counted(void **state)
{
    (void)state;
    static uint8_t block[LIM_PEND_BYTES];
    static struct h2_waiting all = {.most = sizeof block};
    client.leg.waiting = &all;
    ask(true);
    server.leg.waiting = &all;
    assert_int_equal(h2_content(&client.leg, span_of(block, sizeof block)), RC_OK);
    assert_true(h2_waiting_full(&all, 1) && !h2_waiting_full(&all, 2));
    assert_int_equal(h2_content(&client.leg, span_of(block, sizeof block)), RC_OK);
    assert_int_equal(h2_content(&client.leg, span_of(block, 1)), RC_LIMIT);
    assert_int_equal(all.bytes, 2 * sizeof block);
    talk();
    assert_int_equal(buf_len(&server.got), LIM_H2_FIRST_BYTES);
    h2_took(server.s, &server.leg, 40000); /* a reader, but what waits is full */
    talk();
    assert_int_equal(buf_len(&server.got), LIM_H2_FIRST_BYTES + 40000);
    h2_took(server.s, &server.leg, LIM_H2_FIRST_BYTES);
    talk();
    assert_int_equal(buf_len(&server.got), 2 * sizeof block);
    assert_int_equal(all.bytes, 0);
    assert_int_equal(h2_content(&client.leg, span_of(block, sizeof block)), RC_OK);
    assert_int_equal(h2_drop_content(&client.leg), sizeof block);
    assert_int_equal(all.bytes, 0);
    assert_int_equal(h2_content(&client.leg, span_of(block, 100)), RC_OK);
    assert_true(all.bytes > 0);
    h2_leg_fini(&client.leg, &pool);
    assert_int_equal(all.bytes, 0);
}

/* A wide window is had again when what it was for is over. */
static void test_wide_windows_are_given_back(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        unsigned wide = 0;
        for (unsigned i = 0; i < 20; i++) {
            many.n = i;
            many_ask(i, LIM_H2_STREAM_BYTES + LIM_PEND_BYTES);
            h2_took(server.s, &many.down[i], 40000);
            talk();
            wide += many.got[i] == LIM_H2_STREAM_BYTES;
            many.got[i] = 0;
        }
        assert_in_range(wide, 4, 20);
        for (unsigned i = 0; i < 20; i++) {
            h2_reset(&many.up[i], H2E_CANCEL);
            h2_took(server.s, &many.down[i], LIM_H2_STREAM_BYTES);
            talk();
            h2_leg_fini(&many.down[i], &pool);
            h2_leg_fini(&many.up[i], &pool);
        }
    }
}

/* However wide a window is, no more is written at a time than there is room for; what was put off comes
 * whole. */
static void test_writes_as_much_as_told(void **state)
{
    (void)state;
    static uint8_t block[250000];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * 7 >> 3);
    ask(false);
    answer("200", true);
    assert_int_equal(h2_content(&server.leg, span_of(block, sizeof block)), RC_OK);
    h2_finish(&server.leg, NULL);
    for (size_t rounds = 0, before = 0; client.n_ends == 0 && rounds < 100; rounds++) {
        assert_int_equal(h2_write(server.s, &server.out, 20000), RC_OK);
        assert_true(buf_len(&server.out) < 20000 + 2 * LIM_IO_BYTES);
        assert_int_equal(h2_feed(client.s, buf_span(&server.out), 1), RC_OK);
        buf_clear(&server.out);
        h2_took(client.s, &client.leg, buf_len(&client.got) - before);
        before = buf_len(&client.got);
        /* the other session writes in between */
        assert_int_equal(h2_write(client.s, &client.out, SIZE_MAX), RC_OK);
        assert_int_equal(h2_feed(server.s, buf_span(&client.out), 1), RC_OK);
        buf_clear(&client.out);
    }
    assert_int_equal(client.n_ends, 1);
    assert_true(span_eq(buf_span(&client.got), span_of(block, sizeof block)));
}

static void test_reset(void **state)
{
    (void)state;
    ask(true);
    h2_reset(&client.leg, H2E_CANCEL);
    talk();
    assert_int_equal(server.n_closed, 1);
    assert_int_equal(server.code, H2E_CANCEL);
    assert_null(server.leg.s);
}

static void test_refused(void **state)
{
    (void)state;
    const struct relay_opts o = {0};
    server.refuse = true;
    struct h2_head *h = request_head(false);
    assert_int_equal(h2_request(client.s, &client.leg, h, &h->m, &o), RC_OK);
    talk();
    assert_int_equal(server.n_heads, 0);
    assert_int_equal(client.code, H2E_REFUSED);
}

static void test_shut(void **state)
{
    (void)state;
    ask(true);
    h2_shut(server.s);
    talk();
    assert_int_equal(client.n_goaway, 1);
    assert_false(h2_may_request(client.s));
    answer("200", false);
    talk();
    assert_int_equal(client.status, 200); /* what runs may end */
}

/* The answer ends before the request: that may still come to its end. */
static void test_early_answer(void **state)
{
    (void)state;
    ask(true);
    answer("200", false);
    talk();
    assert_int_equal(client.n_closed, 0);
    h2_finish(&client.leg, NULL);
    talk();
    assert_int_equal(client.n_closed, 1);
    assert_int_equal(client.code, H2E_NO_ERROR);
}

/* What rests goes on as if it had not: windows, tables of HPACK, numbers of streams. */
static void test_rests_and_goes_on(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        const struct relay_opts o = {0};
        struct h2_head *h = request_head(false);
        h2_leg_fini(&client.leg, &pool);
        h2_leg_init(&client.leg);
        assert_true(h2_may_request(client.s));
        assert_int_equal(h2_request(client.s, &client.leg, h, &h->m, &o), RC_OK);
        talk();
        answer("200", true);
        assert_int_equal(h2_content(&server.leg, SPAN("answer")), RC_OK);
        h2_finish(&server.leg, NULL);
        talk();
        assert_int_equal(client.n_ends, i);
        assert_int_equal(client.n_closed + server.n_closed, 2 * i);
        for (unsigned twice = 0; twice < 2; twice++) {
            h2_rest(client.s);
            h2_rest(server.s);
        }
        assert_false(i % 2 && h2_wants_write(server.s)); /* asked or not before it goes on */
    }
    h2_rest(server.s);
}

/* Memory of this process that is its own, KiB. */
static long own_kib(void)
{
    char line[128];
    long kib = -1;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "Private_Dirty: %ld", &kib) != 1)
        kib = -1;
    if (f)
        fclose(f);
    return kib;
}

static void test_resting_sessions_are_light(void **state)
{
    (void)state;
    enum { N = 512 };
    static struct h2 *many_sessions[N];
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(h2_new(&many_sessions[i], true, &ops, &server, &pool), RC_OK);
        assert_int_equal(h2_begin(many_sessions[i], false), RC_OK);
        buf_clear(&server.out);
        assert_int_equal(h2_write(many_sessions[i], &server.out, SIZE_MAX), RC_OK);
    }
    long before = own_kib();
    for (unsigned i = 0; i < N; i++)
        h2_rest(many_sessions[i]);
    long resting = own_kib();
    for (unsigned i = 0; i < N; i++) { /* asked whether they have something to say: they do not wake */
        assert_false(h2_wants_write(many_sessions[i]));
        assert_int_equal(h2_write(many_sessions[i], &server.out, SIZE_MAX), RC_OK);
    }
    long asked = own_kib();
    for (unsigned i = 0; i < N; i++)
        h2_free(many_sessions[i]);
    assert_true(before < 0 || before - resting > 6 * N);
    assert_true(before < 0 || asked - resting < N);
    assert_true(before < 0 || own_kib() - resting < 4 * N); /* nor does their end leave their pages here */
}

static void test_no_rest_before_all_is_said(void **state)
{
    (void)state;
    h2_rest(server.s);
    h2_rest(client.s);
    assert_true(h2_wants_write(server.s));
    talk();
    h2_rest(server.s);
    h2_shut(server.s);
    h2_rest(server.s);
    talk();
    assert_int_equal(client.n_goaway, 1);
}

/* Sessions write into one buffer; what a client begins with waits there for nobody. */
static void test_sessions_do_not_disturb_each_other(void **state)
{
    (void)state;
    assert_int_equal(h2_write(server.s, &server.out, SIZE_MAX), RC_OK);
    assert_int_equal(h2_write(client.s, &client.out, SIZE_MAX), RC_OK);
    assert_true(span_has_prefix(buf_span(&client.out), SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
    assert_int_equal(h2_feed(server.s, buf_span(&client.out), 1), RC_OK);
    assert_int_equal(h2_feed(client.s, buf_span(&server.out), 1), RC_OK);
}

static void test_stopped_says_nothing(void **state)
{
    (void)state;
    talk();
    h2_stop(server.s);
    assert_int_equal(h2_feed(server.s,
                             SPAN("\0\0\x08\x06\0\0\0\0\0"
                                  "12345678"),
                             1),
                     RC_BAD);
    assert_int_equal(h2_write(server.s, &server.out, SIZE_MAX), RC_OK);
    assert_int_equal(buf_len(&server.out), 0);
}

static void test_not_h2_at_all(void **state)
{
    (void)state;
    assert_int_equal(h2_feed(server.s, SPAN("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"), 1), RC_BAD);
    assert_string_equal(h2_session_fault(server.s).name, "h2-preface");
    assert_int_equal(h2_session_fault(server.s).status, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_exchange),
        T(test_window_is_the_readers),
        cmocka_unit_test_setup_teardown(test_unread_streams_hold_no_other, many_set_up, many_tear_down),
        cmocka_unit_test_setup_teardown(test_wide_windows_are_given_back, many_set_up, many_tear_down),
        T(test_what_waits_is_counted),
        T(test_writes_as_much_as_told),
        T(test_reset),
        T(test_refused),
        T(test_shut),
        T(test_early_answer),
        T(test_rests_and_goes_on),
        T(test_resting_sessions_are_light),
        T(test_no_rest_before_all_is_said),
        T(test_sessions_do_not_disturb_each_other),
        T(test_stopped_says_nothing),
        T(test_not_h2_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
