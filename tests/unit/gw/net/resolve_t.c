/* Look-ups against a name server of the test's own, because it must answer wrongly, late, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/net/resolve.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "gw/base/obj.h"

/* Answers every A query with 198.51.100.7 (TTL 60) unless told otherwise; AAAA gets an empty answer. */
static struct ev *ev;
static struct resolver *r;
static struct ev_io server;
static int queries, rcode, silent, garbage, done;
static struct resolve_answer last;

static void serve(struct ev_io *io, uint32_t events)
{
    uint8_t q[512], a[600];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    (void)events;
    ssize_t n = recvfrom(io->fd, q, sizeof q, 0, (struct sockaddr *)&from, &len);
    if (n < 17)
        return;
    queries++;
    if (silent)
        return;
    size_t name_end = 12;
    while (q[name_end])
        name_end += q[name_end] + 1u;
    bool is_a = q[name_end + 2] == 1;
    size_t end = name_end + 5;
    memcpy(a, q, end);
    a[2] = 0x81;
    a[3] = (uint8_t)(0x80 | rcode);
    a[6] = 0;
    a[7] = is_a && rcode == 0;
    a[8] = a[9] = a[10] = a[11] = 0;
    if (a[7]) {
        static const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7};
        memcpy(a + end, rr, sizeof rr);
        end += sizeof rr;
    }
    if (garbage)
        memset(a + 4, 0xff, end - 4);
    sendto(io->fd, a, end, 0, (struct sockaddr *)&from, len);
}

static void on_done(struct resolve_query *q, const struct resolve_answer *a)
{
    (void)q;
    done++;
    last = *a;
}

static int setup(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct addr where;
    (void)state;
    queries = rcode = silent = garbage = done = 0;
    if (ev_new(&ev) != RC_OK)
        return 1;
    inet_pton(AF_INET, "127.0.53.53", &a.sin_addr);
    server = (struct ev_io){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), .cb = serve};
    if (bind(server.fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(server.fd);
        server.fd = -1;
        return 0; /* no right to port 53: tests skip */
    }
    addr_parse(SPAN("127.0.53.53"), &where);
    return ev_watch(ev, &server, EPOLLIN) != RC_OK || resolver_new(ev, &where, 1, &r) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    resolver_free(r);
    r = NULL;
    if (server.fd >= 0) {
        ev_unwatch(ev, &server);
        close(server.fd);
    }
    ev_free(ev);
    return 0;
}

static void need_port_53(void)
{
    if (server.fd < 0) {
        print_message("SKIP: port 53 of 127.0.53.53 cannot be bound\n");
        skip();
    }
}

static void run_until(int n, int most_ms)
{
    int64_t end = ev_now_ms(ev) + most_ms;
    while (done < n && ev_now_ms(ev) < end)
        assert_int_equal(ev_turn(ev, 20), RC_OK);
}

static void empty_and_overlong_names_are_refused(void **state)
{
    struct resolve_query q = {.on_done = on_done};
    const struct resolve_answer *now;
    char longer[300];
    (void)state;
    need_port_53();
    memset(longer, 'a', sizeof longer);
    assert_int_equal(resolve_start(r, &q, SPAN_NONE, &now), RC_BAD);
    assert_int_equal(resolve_start(r, &q, span_of(longer, sizeof longer), &now), RC_BAD);
    assert_int_equal(queries, 0);
}

static void a_name_that_does_not_exist_says_so(void **state)
{
    struct resolve_query q = {.on_done = on_done};
    const struct resolve_answer *now;
    (void)state;
    need_port_53();
    rcode = 3;
    assert_int_equal(resolve_start(r, &q, SPAN("nowhere.example"), &now), RC_OK);
    run_until(1, 3000);
    assert_int_equal(last.n, 0);
    assert_string_equal(last.why, "no-such-name");
}

static void garbage_is_no_answer_and_no_hang(void **state)
{
    struct resolve_query q = {.on_done = on_done};
    const struct resolve_answer *now;
    (void)state;
    need_port_53();
    garbage = 1;
    assert_int_equal(resolve_start(r, &q, SPAN("garbled.example"), &now), RC_OK);
    run_until(1, 20000);
    assert_int_equal(done, 1);
    assert_int_equal(last.n, 0);
}

static void an_answer_comes_once_and_then_from_the_cache(void **state)
{
    struct resolve_query q = {.on_done = on_done};
    const struct resolve_answer *now;
    struct addr want;
    (void)state;
    need_port_53();
    addr_parse(SPAN("198.51.100.7"), &want);
    assert_int_equal(resolve_start(r, &q, SPAN("www.example"), &now), RC_OK);
    assert_null(now);
    run_until(1, 3000);
    assert_int_equal(last.n, 1);
    assert_true(addr_eq(&last.addrs[0], &want));
    int asked = queries;
    assert_int_equal(resolve_start(r, &q, SPAN("www.example"), &now), RC_OK);
    assert_non_null(now);
    assert_int_equal(now->n, 1);
    assert_int_equal(queries, asked);
    assert_int_equal(done, 1);
}

static void many_waiters_share_one_query(void **state)
{
    struct resolve_query q[50];
    const struct resolve_answer *now;
    (void)state;
    need_port_53();
    for (size_t i = 0; i < 50; i++) {
        q[i] = (struct resolve_query){.on_done = on_done};
        assert_int_equal(resolve_start(r, &q[i], SPAN("busy.example"), &now), RC_OK);
    }
    resolve_cancel(&q[3]);
    run_until(49, 3000);
    assert_int_equal(done, 49);
    assert_int_equal(queries, 2); /* one A, one AAAA */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_and_overlong_names_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_does_not_exist_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(garbage_is_no_answer_and_no_hang, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_comes_once_and_then_from_the_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(many_waiters_share_one_query, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
