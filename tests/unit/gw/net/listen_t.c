/* The accept loop: both addresses of what it hands on, and what it does when there is no descriptor to accept
 * with: it leaves the queue alone for a moment, does not spin, and takes up the work by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/net/listen.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { KEPT = 8 };

struct taken {
    struct listener l; /* first: on_accept gets from it to here */
    struct accepted a[KEPT];
    int n;
};

static struct ev *ev;

static void on_accept(struct listener *l, const struct accepted *a)
{
    struct taken *t = l->data;
    assert_true(t->n < KEPT);
    t->a[t->n++] = *a;
}

static int bound(const struct addr *a, struct sockaddr_storage *at, socklen_t *len)
{
    int fd = socket(a->family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *len = addr_to_sockaddr(a, 0, at);
    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)at, *len) < 0) {
        close(fd);
        return -1;
    }
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, len), 0);
    return fd;
}

static bool start(struct taken *t, const char *text, struct sockaddr_storage *at, socklen_t *len)
{
    struct addr a;
    assert_true(addr_parse(span_str(text), &a));
    int fd = bound(&a, at, len);
    *t = (struct taken){.l = {.on_accept = on_accept}};
    t->l.data = t;
    if (fd < 0)
        return false;
    assert_int_equal(listen_start(&t->l, ev, fd), RC_OK);
    return true;
}

static void stop(struct taken *t)
{
    listen_stop(&t->l);
    for (int i = 0; i < t->n; i++)
        close(t->a[i].fd);
}

static int call(const struct sockaddr_storage *to, socklen_t len)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)to, len), 0);
    return fd;
}

static int setup(void **state)
{
    (void)state;
    return ev_new(&ev) != RC_OK;
}

static int teardown(void **state)
{
    (void)state;
    ev_free(ev);
    return 0;
}

/* From here on this process gets no descriptor; returns the limit to go back to. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit was, none;
    int lowest = dup(0);
    assert_true(lowest >= 0);
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return was;
}

static void without_descriptors_it_waits_and_recovers_alone(void **state)
{
    struct taken t;
    struct sockaddr_storage at;
    socklen_t len;
    (void)state;
    assert_true(start(&t, "127.0.0.1", &at, &len));
    int caller = call(&at, len);
    struct rlimit was = use_up_descriptors();
    for (int i = 0; i < 20; i++) /* no time passes: it must not try again and again */
        assert_int_equal(ev_turn(ev, 0), RC_OK);
    assert_int_equal(t.l.n_backoffs, 1);
    assert_int_equal(t.n, 0);
    for (int i = 0; i < 100 && t.l.n_backoffs < 2; i++) /* after a moment it looks again, still in vain */
        assert_int_equal(ev_turn(ev, 20), RC_OK);
    assert_int_equal(t.l.n_backoffs, 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    for (int i = 0; i < 100 && t.n == 0; i++)
        assert_int_equal(ev_turn(ev, 20), RC_OK);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.l.n_backoffs, 2);
    close(caller);
    stop(&t);
}

static void stopped_while_waiting_it_never_comes_back(void **state)
{
    struct taken t;
    struct sockaddr_storage at;
    socklen_t len;
    (void)state;
    assert_true(start(&t, "127.0.0.1", &at, &len));
    int caller = call(&at, len);
    struct rlimit was = use_up_descriptors();
    assert_int_equal(ev_turn(ev, 0), RC_OK);
    assert_int_equal(t.l.n_backoffs, 1);
    stop(&t);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ev_turn(ev, 20), RC_OK);
    assert_int_equal(t.n, 0);
    assert_int_equal(t.l.io.fd, -1);
    assert_int_equal(t.l.retry.due_ms, 0);
    stop(&t); /* twice does no harm */
    close(caller);
}

static void both_ends(const char *text)
{
    struct taken t;
    struct sockaddr_storage at, mine;
    socklen_t len, mine_len = sizeof mine;
    uint16_t port, my_port;
    if (!start(&t, text, &at, &len)) {
        print_message("no %s here\n", text);
        skip();
    }
    int caller = call(&at, len);
    assert_int_equal(ev_turn(ev, 100), RC_OK);
    assert_int_equal(t.n, 1);
    assert_int_equal(getsockname(caller, (struct sockaddr *)&mine, &mine_len), 0);
    struct addr to = addr_from_sockaddr(&at, &port), from = addr_from_sockaddr(&mine, &my_port);
    assert_true(addr_eq(&t.a[0].dst, &to));
    assert_true(addr_eq(&t.a[0].src, &from));
    assert_int_equal(t.a[0].dst_port, port);
    assert_int_equal(t.a[0].src_port, my_port);
    assert_int_not_equal(port, my_port);
    assert_true(fcntl(t.a[0].fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(t.a[0].fd, F_GETFD) & FD_CLOEXEC);
    close(caller);
    stop(&t);
}

static void both_addresses_come_with_an_ipv4_caller(void **state)
{
    (void)state;
    both_ends("127.0.0.7");
}

static void both_addresses_come_with_an_ipv6_caller(void **state)
{
    (void)state;
    both_ends("::1");
}

static void all_that_wait_are_taken_in_one_turn(void **state)
{
    struct taken t;
    struct sockaddr_storage at;
    socklen_t len;
    int callers[5];
    (void)state;
    assert_true(start(&t, "127.0.0.1", &at, &len));
    for (int i = 0; i < 5; i++)
        callers[i] = call(&at, len);
    assert_int_equal(ev_turn(ev, 100), RC_OK);
    assert_int_equal(t.n, 5);
    for (int i = 0; i < 5; i++)
        close(callers[i]);
    stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_descriptors_it_waits_and_recovers_alone),
        cmocka_unit_test(stopped_while_waiting_it_never_comes_back),
        cmocka_unit_test(both_addresses_come_with_an_ipv4_caller),
        cmocka_unit_test(both_addresses_come_with_an_ipv6_caller),
        cmocka_unit_test(all_that_wait_are_taken_in_one_turn),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
