/* Listening sockets: refused in one clear line, shared over a reload, one per worker. Everything on loopback.
 */
#include "gw/proc/doors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct doors d, again;
static struct buf err;

static struct set_listen at(enum listen_kind kind, const char *addr, uint16_t port)
{
    struct set_listen l = {.kind = kind, .port = port};
    if (addr)
        assert_true(addr_parse(span_str(addr), &l.addr));
    return l;
}

static struct settings wanting(struct set_listen l)
{
    struct settings s = {.n_listen = 1};
    s.listen[0] = l;
    return s;
}

static bool said(const char *words)
{
    span s = buf_span(&err);
    for (size_t i = 0; i + strlen(words) <= s.n; i++) {
        if (memcmp(s.p + i, words, strlen(words)) == 0)
            return true;
    }
    return false;
}

/* A port that nobody has at the moment. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int client(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static void an_address_that_is_not_ours_is_refused_with_a_remedy(void **state)
{
    (void)state;
    struct settings s = wanting(at(LISTEN_EXPLICIT, "192.0.2.77", 3128));
    buf_clear(&err);
    assert_int_equal(doors_open(&d, &s, 2, NULL, &err), RC_CONFIG);
    assert_true(said("192.0.2.77") && said("3128") && said("interfaces"));
    assert_int_equal(d.n, 0);
}

static void a_port_that_another_gateway_shares_is_refused(void **state)
{
    (void)state;
    struct settings s = wanting(at(LISTEN_EXPLICIT, "127.0.0.1", free_port()));
    assert_int_equal(doors_open(&d, &s, 2, NULL, &err), RC_OK);
    buf_clear(&err);
    assert_int_equal(doors_open(&again, &s, 2, NULL, &err),
                     RC_CONFIG); /* SO_REUSEPORT alone would allow it */
    assert_true(said("another program listens there"));
    doors_close(&d);
}

static void one_failure_leaves_nothing_open(void **state)
{
    (void)state;
    struct settings s = {.n_listen = 2};
    uint16_t port = free_port();
    s.listen[0] = at(LISTEN_EXPLICIT, "127.0.0.1", port);
    s.listen[1] = at(LISTEN_EXPLICIT, "192.0.2.77", port);
    assert_int_equal(doors_open(&d, &s, 2, NULL, &err), RC_CONFIG);
    assert_int_equal(client(port), -1);
}

static void every_worker_has_its_own_queue(void **state)
{
    (void)state;
    struct settings s = wanting(at(LISTEN_EXPLICIT, "127.0.0.1", free_port()));
    assert_int_equal(doors_open(&d, &s, 3, NULL, &err), RC_OK);
    unsigned per_worker[3] = {0};
    for (int i = 0; i < 200; i++) {
        int c = client(s.listen[0].port);
        assert_true(c >= 0);
        for (size_t w = 0; w < 3; w++) {
            int a = accept4(d.door[0].fd[w], NULL, NULL, SOCK_CLOEXEC);
            if (a >= 0) {
                per_worker[w]++;
                close(a);
            }
        }
        close(c);
    }
    assert_int_equal(per_worker[0] + per_worker[1] + per_worker[2], 200);
    for (size_t w = 0; w < 3; w++)
        assert_true(per_worker[w] > 20);
    doors_close(&d);
}

static void a_reload_keeps_the_queue_of_an_unchanged_door(void **state)
{
    (void)state;
    struct settings s = wanting(at(LISTEN_EXPLICIT, "127.0.0.1", free_port()));
    assert_int_equal(doors_open(&d, &s, 1, NULL, &err), RC_OK);
    int waiting = client(s.listen[0].port);
    s.n_listen = 2;
    s.listen[1] = at(LISTEN_EXPLICIT, "127.0.0.1", free_port());
    assert_int_equal(doors_open(&again, &s, 1, &d, &err), RC_OK);
    assert_int_equal(again.n, 2);
    doors_close(&d);
    int a = accept4(again.door[0].fd[0], NULL, NULL, SOCK_CLOEXEC);
    assert_true(a >= 0);
    assert_non_null(doors_find(&again, &s.listen[1]));
    close(a);
    close(waiting);
    doors_close(&again);
}

static void all_addresses_mean_both_families(void **state)
{
    (void)state;
    struct settings s = wanting(at(LISTEN_TRANSPARENT, NULL, free_port()));
    if (geteuid() != 0)
        skip(); /* transparent sockets are for root */
    int v6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(doors_open(&d, &s, 1, NULL, &err), RC_OK);
    assert_int_equal(d.n, v6 >= 0 ? 2 : 1);
    int on = 0;
    socklen_t n = sizeof on;
    assert_int_equal(getsockopt(d.door[0].fd[0], IPPROTO_IP, IP_TRANSPARENT, &on, &n), 0);
    assert_int_equal(on, 1);
    assert_true(fcntl(d.door[0].fd[0], F_GETFL) & O_NONBLOCK);
    doors_close(&d);
    if (v6 >= 0)
        close(v6);
}

static void what_is_said_twice_is_opened_once(void **state)
{
    (void)state;
    struct settings s = {.n_listen = 2};
    s.listen[0] = s.listen[1] = at(LISTEN_EXPLICIT, "127.0.0.1", free_port());
    assert_int_equal(doors_open(&d, &s, 1, NULL, &err), RC_OK);
    assert_int_equal(d.n, 1);
    doors_close(&d);
}

static int tear_down(void **state)
{
    (void)state;
    buf_fini(&err);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_that_is_not_ours_is_refused_with_a_remedy),
        cmocka_unit_test(a_port_that_another_gateway_shares_is_refused),
        cmocka_unit_test(one_failure_leaves_nothing_open),
        cmocka_unit_test(every_worker_has_its_own_queue),
        cmocka_unit_test(a_reload_keeps_the_queue_of_an_unchanged_door),
        cmocka_unit_test(all_addresses_mean_both_families),
        cmocka_unit_test(what_is_said_twice_is_opened_once),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
