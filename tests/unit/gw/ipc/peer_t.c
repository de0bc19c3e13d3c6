/* A peer that sends anything it may not send is closed, its descriptors too, and nobody else notices.
 * `us` is the master's end of a channel whose other end (`raw`) the test writes to by hand, as a captured
 * worker could. */
#include "gw/ipc/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"

struct world {
    struct ev *ev;
    struct peer *us;
    int raw;
    unsigned n_msgs, n_ends;
    enum msg_type last_type;
    uint8_t last[LIM_MSG_BYTES];
    size_t last_n, last_fds;
    enum rc end_rc;
    bool free_in_msg;
};
static struct world w;

static void on_msg(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds)
{
    assert_ptr_equal(peer_data(p), &w);
    w.n_msgs++;
    w.last_type = type;
    w.last_n = payload.n;
    w.last_fds = n_fds;
    if (payload.n)
        memcpy(w.last, payload.p, payload.n);
    for (size_t i = 0; i < n_fds; i++) {
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        close(fds[i]);
    }
    if (w.free_in_msg) {
        peer_free(p);
        w.us = NULL;
    }
}

static void on_end(struct peer *p, enum rc rc)
{
    (void)p;
    w.n_ends++;
    w.end_rc = rc;
    w.us = NULL;
}

static unsigned open_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void open_channel(enum role me, enum role them)
{
    int pair[2];
    w = (struct world){0};
    assert_int_equal(ev_new(&w.ev), RC_OK);
    assert_int_equal(peer_pair(pair), RC_OK);
    w.raw = pair[1];
    assert_int_equal(peer_new(w.ev, pair[0], me, them, on_msg, on_end, &w, &w.us), RC_OK);
}

static void close_channel(void)
{
    peer_free(w.us);
    if (w.raw >= 0)
        close(w.raw);
    ev_free(w.ev);
}

static void turn(void)
{
    assert_int_equal(ev_turn(w.ev, 0), RC_OK);
}

/* What the other side writes, without asking any table. */
static void send_raw(unsigned type, const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    uint8_t head[2] = {(uint8_t)(type >> 8), (uint8_t)type};
    struct iovec iov[2] = {{head, 2}, {(void *)bytes, n}};
    char control[CMSG_SPACE(sizeof(int) * 64)] __attribute__((aligned(16))) = {0};
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
    if (n_fds) {
        mh.msg_control = control;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * n_fds)};
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    assert_true(sendmsg(w.raw, &mh, 0) >= 0);
}

static void expect_closed_as_bad(void)
{
    turn();
    assert_int_equal(w.n_ends, 1);
    assert_int_equal(w.end_rc, RC_BAD);
    assert_null(w.us);
}

static void a_packet_without_a_type_closes_the_peer(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    assert_int_equal(send(w.raw, "x", 1, 0), 1);
    expect_closed_as_bad();
    assert_int_equal(w.n_msgs, 0);
    close_channel();
}

static void an_unknown_type_closes_the_peer(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    send_raw(65535, "", 0, NULL, 0);
    expect_closed_as_bad();
    close_channel();
}

static void a_message_of_another_role_closes_the_peer_and_its_descriptors(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    unsigned before = open_fds();
    int fds[2] = {0, 1};
    send_raw(MSG_SNAPSHOT, "hash", 4, fds, 2); /* only the master may send it */
    expect_closed_as_bad();
    assert_int_equal(w.n_msgs, 0);
    assert_int_equal(open_fds(), before - 1); /* only our end of the channel is gone */
    close_channel();
}

static void an_over_long_message_closes_the_peer(void **state)
{
    (void)state;
    static const uint8_t big[LIM_MSG_BYTES];
    open_channel(ROLE_MASTER, ROLE_WORKER);
    send_raw(MSG_PONG, big, 9, NULL, 0);
    expect_closed_as_bad();
    close_channel();
    open_channel(ROLE_MASTER, ROLE_WORKER);
    send_raw(MSG_SHOWN, big, sizeof big, NULL, 0); /* longer than the receiver's buffer */
    expect_closed_as_bad();
    assert_int_equal(w.n_msgs, 0);
    close_channel();
}

static void descriptors_that_were_not_agreed_are_closed(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40; n += 13) {
        int fds[64] = {0};
        open_channel(ROLE_MASTER, ROLE_WORKER);
        unsigned before = open_fds();
        send_raw(MSG_PONG, "12345678", 8, fds, n);
        expect_closed_as_bad();
        assert_int_equal(open_fds(), before - 1);
        close_channel();
    }
}

static void too_many_descriptors_on_a_message_that_may_have_some(void **state)
{
    (void)state;
    int fds[8] = {0};
    open_channel(ROLE_WORKER, ROLE_MASTER);
    unsigned before = open_fds();
    send_raw(MSG_RING, "", 0, fds, 5);
    expect_closed_as_bad();
    assert_int_equal(open_fds(), before - 1);
    close_channel();
}

static void once_means_once(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    send_raw(MSG_HELLO, "1234", 4, NULL, 0);
    turn();
    assert_int_equal(w.n_msgs, 1);
    assert_int_equal(w.n_ends, 0);
    send_raw(MSG_HELLO, "1234", 4, NULL, 0);
    expect_closed_as_bad();
    assert_int_equal(w.n_msgs, 1);
    close_channel();
}

static void a_bad_peer_does_not_disturb_another(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    int pair[2];
    struct peer *other;
    assert_int_equal(peer_pair(pair), RC_OK);
    assert_int_equal(peer_new(w.ev, pair[0], ROLE_MASTER, ROLE_WORKER, on_msg, on_end, &w, &other), RC_OK);
    send_raw(999, "", 0, NULL, 0);
    expect_closed_as_bad();
    uint8_t pong[10] = {MSG_PONG >> 8, MSG_PONG};
    assert_int_equal(send(pair[1], pong, sizeof pong, 0), sizeof pong);
    turn();
    assert_int_equal(w.n_msgs, 1);
    assert_int_equal(w.last_type, MSG_PONG);
    peer_free(other);
    close(pair[1]);
    close_channel();
}

static void what_was_sent_before_the_end_is_still_read(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    send_raw(MSG_PONG, "12345678", 8, NULL, 0);
    assert_int_equal(peer_send(w.us, MSG_PING, SPAN("12345678"), NULL, 0),
                     RC_OK); /* unread: a reset at close */
    close(w.raw);
    w.raw = -1;
    turn();
    turn();
    assert_int_equal(w.n_msgs, 1);
    assert_int_equal(w.n_ends, 1);
    assert_int_equal(w.end_rc, RC_CLOSED);
    close_channel();
}

static void freeing_inside_the_callback_is_safe(void **state)
{
    (void)state;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    w.free_in_msg = true;
    send_raw(MSG_PONG, "12345678", 8, NULL, 0);
    send_raw(MSG_PONG, "12345678", 8, NULL, 0);
    turn();
    assert_int_equal(w.n_msgs, 1);
    assert_int_equal(w.n_ends, 0);
    close_channel();
}

static void descriptors_arrive_and_close_on_exec(void **state)
{
    (void)state;
    int fds[2] = {0, 1};
    open_channel(ROLE_WORKER, ROLE_MASTER);
    unsigned before = open_fds();
    send_raw(MSG_RING, "", 0, fds, 2);
    turn();
    assert_int_equal(w.last_type, MSG_RING);
    assert_int_equal(w.last_fds, 2);
    assert_int_equal(open_fds(), before);
    close_channel();
}

/* A process that does not read: nothing blocks, nothing is lost, the queue has an end. */
static void the_queue_is_bounded_and_keeps_order(void **state)
{
    (void)state;
    static uint8_t text[16000];
    unsigned sent = 0, got = 0;
    enum rc rc = RC_OK;
    open_channel(ROLE_MASTER, ROLE_WORKER);
    while (rc == RC_OK && sent < 100000) {
        memcpy(text, &sent, sizeof sent);
        rc = peer_send(w.us, MSG_CA, span_of(text, sizeof text), NULL, 0);
        sent += rc == RC_OK;
    }
    assert_int_equal(rc, RC_FULL);
    assert_true(sent > LIM_MSG_QUEUE_BYTES / sizeof text && sent < 2 * LIM_MSG_QUEUE_BYTES / sizeof text);
    for (int idle = 0; idle < 3;) {
        uint8_t in[2 + sizeof text];
        ssize_t n = recv(w.raw, in, sizeof in, MSG_DONTWAIT);
        if (n > 0) {
            unsigned number;
            memcpy(&number, in + 2, sizeof number);
            assert_int_equal(number, got++);
            idle = 0;
            continue;
        }
        idle++;
        turn();
    }
    assert_int_equal(got, sent);
    assert_int_equal(peer_send(w.us, MSG_CA, span_of(text, 10), NULL, 0), RC_OK);
    close_channel();
}

static void queued_descriptors_are_ours_to_close_early(void **state)
{
    (void)state;
    static uint8_t text[16000];
    open_channel(ROLE_MASTER, ROLE_WORKER);
    for (int i = 0; i < 60; i++)
        assert_int_equal(peer_send(w.us, MSG_CA, span_of(text, sizeof text), NULL, 0), RC_OK);
    int fd = memfd_create("t", MFD_CLOEXEC);
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_int_equal(peer_send(w.us, MSG_TRUST, SPAN_NONE, &fd, 1), RC_OK);
    close(fd);
    unsigned seen = 0;
    for (int i = 0; i < 200; i++) {
        uint8_t in[2 + sizeof text];
        char control[64] __attribute__((aligned(16)));
        struct iovec iov = {in, sizeof in};
        struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64};
        ssize_t n = recvmsg(w.raw, &mh, MSG_DONTWAIT);
        struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;
        if (c) {
            int got;
            char hello[5];
            memcpy(&got, CMSG_DATA(c), sizeof got);
            assert_int_equal(pread(got, hello, 5, 0), 5);
            assert_memory_equal(hello, "hello", 5);
            close(got);
            seen++;
        }
        turn();
    }
    assert_int_equal(seen, 1);
    close_channel();
}

static void a_closed_channel_and_a_too_long_payload_are_told_to_the_sender(void **state)
{
    (void)state;
    static uint8_t big[LIM_MSG_BYTES];
    open_channel(ROLE_MASTER, ROLE_WORKER);
    assert_int_equal(peer_send(w.us, MSG_PING, span_of(big, 9), NULL, 0), RC_LIMIT);
    close(w.raw);
    w.raw = -1;
    assert_int_equal(peer_send(w.us, MSG_PING, span_of(big, 8), NULL, 0), RC_CLOSED);
    close_channel();
}

static void the_longest_message_passes_in_one_piece(void **state)
{
    (void)state;
    static uint8_t text[65000];
    memset(text, 'd', sizeof text);
    open_channel(ROLE_MASTER, ROLE_COMPILER);
    send_raw(MSG_DIAG, text, sizeof text, NULL, 0);
    turn();
    assert_int_equal(w.last_type, MSG_DIAG);
    assert_int_equal(w.last_n, sizeof text);
    assert_memory_equal(w.last, text, sizeof text);
    close_channel();
}

static int quiet(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_without_a_type_closes_the_peer),
        cmocka_unit_test(an_unknown_type_closes_the_peer),
        cmocka_unit_test(a_message_of_another_role_closes_the_peer_and_its_descriptors),
        cmocka_unit_test(an_over_long_message_closes_the_peer),
        cmocka_unit_test(descriptors_that_were_not_agreed_are_closed),
        cmocka_unit_test(too_many_descriptors_on_a_message_that_may_have_some),
        cmocka_unit_test(once_means_once),
        cmocka_unit_test(a_bad_peer_does_not_disturb_another),
        cmocka_unit_test(a_closed_channel_and_a_too_long_payload_are_told_to_the_sender),
        cmocka_unit_test(what_was_sent_before_the_end_is_still_read),
        cmocka_unit_test(freeing_inside_the_callback_is_safe),
        cmocka_unit_test(descriptors_arrive_and_close_on_exec),
        cmocka_unit_test(the_queue_is_bounded_and_keeps_order),
        cmocka_unit_test(queued_descriptors_are_ours_to_close_early),
        cmocka_unit_test(the_longest_message_passes_in_one_piece),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
