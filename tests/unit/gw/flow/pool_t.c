/* Idle connections: who has the key gets a live one, and one that has ended or spoken gets to nobody. Plain
 * sockets; those of TLS come from real servers in tests/net/test_sessions.py. */
#include "gw/flow/pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "tests/unit/certs/make_cert.h"

static struct ev *ev;
static struct pool *pool;
static const uint8_t key_a[PLACE_KEY] = {1}, key_b[PLACE_KEY] = {2};
static unsigned n_told; /* events that reached the flow's own callback */

static void on_event(struct ev_io *io, uint32_t events)
{
    (void)io;
    (void)events;
    n_told++;
}

static int setup(void **state)
{
    (void)state;
    n_told = 0;
    return ev_new(&ev) != RC_OK || pool_new(ev, 3, &pool) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    pool_free(pool);
    pool_free(NULL);
    assert_int_equal(ev_turn(ev, 0), RC_OK); /* what was put off */
    ev_free(ev);
    return 0;
}

/* A connection as a flow has it, watched; returns the origin's end. */
static int open_stream(struct stream *s)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    stream_init(s, ev, fd[0], on_event);
    assert_int_equal(stream_watch(s), RC_OK);
    return fd[1];
}

static int put(const uint8_t key[PLACE_KEY])
{
    struct stream s;
    int origin = open_stream(&s);
    assert_true(pool_put(pool, key, &s, NULL));
    assert_false(stream_open(&s));
    return origin;
}

static bool take(const uint8_t key[PLACE_KEY], struct stream *s)
{
    struct origin_facts facts;
    stream_init(s, ev, -1, on_event);
    bool got = pool_take(pool, key, s, &facts);
    facts_free(&facts);
    return got;
}

static bool none(const uint8_t key[PLACE_KEY])
{
    struct stream s;
    bool got = take(key, &s);
    stream_fini(&s);
    return !got;
}

/* ---- what nobody gets ---- */

static void another_key_gets_nothing(void **state)
{
    (void)state;
    int origin = put(key_a);
    assert_true(none(key_b));
    assert_false(none(key_a));
    close(origin);
}

static void one_that_ended_goes_at_once(void **state)
{
    (void)state;
    close(put(key_a));
    assert_int_equal(pool_count(pool), 1);
    assert_int_equal(ev_turn(ev, 100), RC_OK);
    assert_int_equal(pool_count(pool), 0);
    assert_true(none(key_a));
}

static void one_that_ended_in_this_turn_is_not_given(void **state)
{
    (void)state;
    int living = put(key_a);
    close(put(key_a)); /* the newest, which would be taken first */
    struct stream s;
    assert_true(take(key_a, &s));
    assert_int_equal(send(living, "x", 1, MSG_NOSIGNAL), 1);
    uint8_t byte;
    size_t got;
    s.ready = true;
    assert_int_equal(stream_read(&s, &byte, 1, &got), RC_OK);
    stream_fini(&s);
    close(living);
    assert_int_equal(pool_count(pool), 0);
}

static void bytes_that_nobody_asked_for_end_it(void **state)
{
    (void)state;
    int origin = put(key_a);
    assert_int_equal(send(origin, "HTTP/1.1 408", 12, MSG_NOSIGNAL), 12);
    assert_int_equal(ev_turn(ev, 100), RC_OK);
    assert_int_equal(pool_count(pool), 0);
    struct stream s; /* and with bytes unread none comes in */
    int other = open_stream(&s);
    assert_int_equal(send(other, "x", 1, MSG_NOSIGNAL), 1);
    assert_false(pool_put(pool, key_a, &s, NULL));
    assert_true(stream_open(&s));
    stream_fini(&s);
    close(origin);
    close(other);
}

static void clearing_closes_all(void **state)
{
    (void)state;
    char byte;
    int origin = put(key_a), other = put(key_b);
    pool_clear(pool);
    assert_int_equal(pool_count(pool), 0);
    assert_int_equal(recv(origin, &byte, 1, 0), 0);
    assert_int_equal(recv(other, &byte, 1, 0), 0);
    close(origin);
    close(other);
}

/* ---- bounds ---- */

static void a_place_keeps_the_newest_few(void **state)
{
    (void)state;
    int origin[LIM_POOL_EACH + 2];
    char byte;
    for (size_t i = 0; i < N_ELEMS(origin); i++)
        origin[i] = put(key_a);
    assert_int_equal(pool_count(pool), LIM_POOL_EACH);
    for (size_t i = 0; i < N_ELEMS(origin); i++) {
        bool closed = recv(origin[i], &byte, 1, 0) == 0;
        assert_int_equal(closed, i < 2);
        close(origin[i]);
    }
}

static void the_least_recently_used_place_goes(void **state)
{
    (void)state;
    int origin[4];
    for (uint8_t i = 0; i < 4; i++)
        origin[i] = put((uint8_t[PLACE_KEY]){9, i});
    assert_int_equal(pool_count(pool), 3);
    assert_true(none((uint8_t[PLACE_KEY]){9, 0}));
    assert_false(none((uint8_t[PLACE_KEY]){9, 1}));
    for (size_t i = 0; i < 4; i++)
        close(origin[i]);
}

/* ---- what is given ---- */

static void the_taker_hears_of_it_and_not_the_giver(void **state)
{
    (void)state;
    int origin = put(key_a);
    struct stream s;
    assert_true(take(key_a, &s));
    assert_int_equal(pool_count(pool), 0);
    assert_int_equal(stream_watch(&s), RC_OK);
    assert_int_equal(send(origin, "x", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(ev_turn(ev, 100), RC_OK);
    assert_int_equal(n_told, 1);
    stream_fini(&s);
    close(origin);
}

static void the_facts_travel_with_it(void **state)
{
    (void)state;
    char subject[] = "CN=a.test";
    struct origin_facts in = {.cert.leaf_sha256 = {7}, .subject = span_str(subject), .issuer = SPAN("CN=R")},
                        out;
    struct stream s, t;
    int origin = open_stream(&s);
    assert_true(pool_put(pool, key_a, &s, &in));
    subject[3] = 'x'; /* the giver's memory is the giver's */
    stream_init(&t, ev, -1, on_event);
    assert_true(pool_take(pool, key_a, &t, &out));
    assert_true(span_eq(out.subject, SPAN("CN=a.test")) && span_eq(out.issuer, SPAN("CN=R")));
    assert_int_equal(out.cert.leaf_sha256[0], 7);
    facts_free(&out);
    stream_fini(&t);
    close(origin);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(another_key_gets_nothing),
        T(one_that_ended_goes_at_once),
        T(one_that_ended_in_this_turn_is_not_given),
        T(bytes_that_nobody_asked_for_end_it),
        T(clearing_closes_all),
        T(a_place_keeps_the_newest_few),
        T(the_least_recently_used_place_goes),
        T(the_taker_hears_of_it_and_not_the_giver),
        T(the_facts_travel_with_it),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
