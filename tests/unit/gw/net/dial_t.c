/* Connecting: refusals, several addresses, deadlines, cancelling. Loopback only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

static struct ev *ev;
static int done, done_fd, done_err;
static struct addr done_to;

static void on_done(struct dial *d, int fd, const struct addr *to, int err)
{
    (void)d;
    done++;
    done_fd = fd;
    done_err = err;
    done_to = *to;
}

static uint16_t listen_on(const char *where, int *fd)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    inet_pton(AF_INET, where, &a.sin_addr);
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(*fd, 4), 0);
    getsockname(*fd, (struct sockaddr *)&a, &len);
    return ntohs(a.sin_port);
}

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

static void start(struct dial *d, const struct addr *addrs, size_t n, uint16_t port, int given, int64_t ms)
{
    struct dial_to to = {addrs, n, port, given, ms};
    dial_start(d, ev, &to);
}

static void run_until_done(int most_ms)
{
    int64_t end = ev_now_ms(ev) + most_ms;
    while (!done && ev_now_ms(ev) < end)
        assert_int_equal(ev_turn(ev, 20), RC_OK);
}

static int setup(void **state)
{
    (void)state;
    done = 0;
    done_fd = -1;
    return ev_new(&ev) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    if (done_fd >= 0)
        close(done_fd);
    ev_free(ev);
    return 0;
}

static void nobody_listens_is_told_with_its_errno(void **state)
{
    struct dial d = {.on_done = on_done};
    struct addr a = address("127.0.0.1");
    int fd;
    (void)state;
    uint16_t port = listen_on("127.0.0.1", &fd);
    close(fd);
    start(&d, &a, 1, port, -1, 1000);
    assert_int_equal(done, 0); /* never from inside */
    run_until_done(1000);
    assert_int_equal(done, 1);
    assert_int_equal(done_fd, -1);
    assert_int_equal(done_err, ECONNREFUSED);
}

static void no_address_at_all_fails(void **state)
{
    struct dial d = {.on_done = on_done};
    (void)state;
    start(&d, &(struct addr){0}, 0, 80, -1, 1000);
    run_until_done(1000);
    assert_int_equal(done, 1);
    assert_true(done_err != 0);
}

static void silence_ends_at_the_deadline(void **state)
{
    struct dial d = {.on_done = on_done};
    struct addr a = address("127.0.0.1");
    int fd, fill[16];
    (void)state;
    uint16_t port = listen_on("127.0.0.1", &fd);
    struct sockaddr_storage ss;
    socklen_t len = addr_to_sockaddr(&a, port, &ss);
    for (size_t i = 0; i < 16; i++) { /* fill the backlog: further SYNs get no answer */
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int ignored = connect(fill[i], (struct sockaddr *)&ss, len);
        (void)ignored;
    }
    start(&d, &a, 1, port, -1, 200);
    run_until_done(2000);
    assert_int_equal(done, 1);
    assert_int_equal(done_err, ETIMEDOUT);
    for (size_t i = 0; i < 16; i++)
        close(fill[i]);
    close(fd);
}

static void the_second_address_serves_when_the_first_refuses(void **state)
{
    struct dial d = {.on_done = on_done};
    struct addr a[2] = {address("127.0.0.1"), address("127.0.0.2")};
    int fd;
    (void)state;
    uint16_t port = listen_on("127.0.0.2", &fd);
    start(&d, a, 2, port, -1, 2000);
    run_until_done(2000);
    assert_true(done_fd >= 0);
    assert_true(addr_eq(&done_to, &a[1]));
    close(fd);
}

static void a_given_socket_is_the_one_that_connects(void **state)
{
    struct dial d = {.on_done = on_done};
    struct addr a = address("127.0.0.1"), from = address("127.0.0.77");
    struct sockaddr_storage ss;
    int fd, given = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    uint16_t port = listen_on("127.0.0.1", &fd);
    (void)state;
    socklen_t len = addr_to_sockaddr(&from, 0, &ss);
    assert_int_equal(bind(given, (struct sockaddr *)&ss, len), 0);
    start(&d, &a, 1, port, given, 1000);
    run_until_done(1000);
    assert_int_equal(done_fd, given);
    len = sizeof ss;
    int got = accept(fd, (struct sockaddr *)&ss, &len);
    struct addr peer = addr_from_sockaddr(&ss, NULL);
    assert_true(addr_eq(&peer, &from));
    close(got);
    close(fd);
}

static void cancelled_means_no_callback(void **state)
{
    struct dial d = {.on_done = on_done};
    struct addr a = address("127.0.0.1");
    int fd;
    (void)state;
    uint16_t port = listen_on("127.0.0.1", &fd);
    start(&d, &a, 1, port, -1, 1000);
    dial_cancel(&d);
    dial_cancel(&d);
    run_until_done(100);
    assert_int_equal(done, 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_listens_is_told_with_its_errno, setup, teardown),
        cmocka_unit_test_setup_teardown(no_address_at_all_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(the_second_address_serves_when_the_first_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_given_socket_is_the_one_that_connects, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_means_no_callback, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
