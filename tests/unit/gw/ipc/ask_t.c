/* Whoever asks is told once: by the answer that bears the question's number, or that none will come. `raw` is
 * the other side, written to by hand. Question and answer are those of the opener. */
#include "gw/ipc/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/obj.h"

struct asker {
    struct ask_wait w;
    unsigned n_answers, n_fails;
    uint32_t said;
    int fd;
    bool again; /* asks a second time when it has failed */
};

struct world {
    struct ev *ev;
    struct ask ask;
    int raw;
    unsigned n_strays;
};
static struct world w;

static void answered(struct ask *a, struct ask_wait *wait, struct rd *r, int fd)
{
    assert_ptr_equal(a, &w.ask);
    if (!wait) {
        w.n_strays++;
        if (fd >= 0)
            close(fd);
        return;
    }
    struct asker *by = CONTAINER_OF(wait, struct asker, w);
    by->n_answers++;
    by->said = rd_u32(r);
    by->fd = fd;
}

static void failed(struct ask_wait *wait)
{
    struct asker *by = CONTAINER_OF(wait, struct asker, w);
    by->n_fails++;
    if (by->again)
        assert_int_equal(ask_send(&w.ask, wait, MSG_SRCSOCK_REQ, SPAN("x")), RC_GONE);
}

static const struct ask_kind kind = {
    .me = ROLE_WORKER, .them = ROLE_OPENER, .answer = MSG_SRCSOCK, .answered = answered, .failed = failed};

static unsigned open_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void attach(void)
{
    int pair[2];
    assert_int_equal(peer_pair(pair), RC_OK);
    if (w.raw >= 0)
        close(w.raw);
    w.raw = pair[1];
    assert_int_equal(ask_attach(&w.ask, w.ev, pair[0]), RC_OK);
}

static int setup(void **state)
{
    (void)state;
    w = (struct world){.raw = -1};
    ask_init(&w.ask, &kind);
    return ev_new(&w.ev) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ask_detach(&w.ask);
    if (w.raw >= 0)
        close(w.raw);
    ev_free(w.ev);
    return 0;
}

static void turn(void)
{
    assert_int_equal(ev_turn(w.ev, 0), RC_OK);
}

/* Asks, and gives the number that the other side got. */
static uint64_t ask_for(struct asker *by, const char *what)
{
    uint8_t in[64];
    list_init(&by->w.link);
    by->fd = -1;
    assert_int_equal(ask_send(&w.ask, &by->w, MSG_SRCSOCK_REQ, span_str(what)), RC_OK);
    ssize_t n = recv(w.raw, in, sizeof in, MSG_DONTWAIT);
    assert_int_equal(n, 10 + strlen(what));
    struct rd r = rd_of(span_of(in, (size_t)n));
    assert_int_equal(rd_u16(&r), MSG_SRCSOCK_REQ);
    uint64_t id = rd_u64(&r);
    assert_memory_equal(in + 10, what, strlen(what));
    return id;
}

static void answer(uint64_t id, uint32_t what, int fd, size_t cut)
{
    struct buf b = {0};
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(16))) = {0};
    assert_int_equal(buf_put_u16(&b, MSG_SRCSOCK), RC_OK);
    assert_int_equal(buf_put_u64(&b, id), RC_OK);
    assert_int_equal(buf_put_u32(&b, what), RC_OK);
    struct iovec iov = {b.p, buf_len(&b) - cut};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        mh.msg_control = control;
        mh.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    assert_true(sendmsg(w.raw, &mh, 0) > 0);
    buf_fini(&b);
    turn();
}

static void nobody_is_asked_where_nobody_is(void **state)
{
    struct asker a = {.said = 0};
    (void)state;
    list_init(&a.w.link);
    assert_int_equal(ask_send(&w.ask, &a.w, MSG_SRCSOCK_REQ, SPAN("x")), RC_GONE);
    assert_true(list_empty(&w.ask.waiting));
    ask_detach(&w.ask); /* nothing to close */
}

static void an_answer_without_a_number_reaches_nobody(void **state)
{
    struct asker a = {.said = 0};
    (void)state;
    attach();
    uint64_t id = ask_for(&a, "x");
    unsigned before = open_fds();
    answer(id, 7, w.raw, 5); /* three bytes short of the number */
    assert_int_equal(a.n_answers + a.n_fails + w.n_strays, 0);
    assert_int_equal(open_fds(), before);
    ask_drop(&a.w);
}

static void a_number_that_nobody_waits_for_is_a_stray(void **state)
{
    struct asker a = {.said = 0};
    (void)state;
    attach();
    uint64_t id = ask_for(&a, "x");
    unsigned before = open_fds();
    answer(id + 1, 7, w.raw, 0);
    assert_int_equal(a.n_answers + a.n_fails, 0);
    assert_int_equal(w.n_strays, 1);
    ask_drop(&a.w);
    answer(id, 7, w.raw, 0); /* it has given up */
    assert_int_equal(a.n_answers + a.n_fails, 0);
    assert_int_equal(w.n_strays, 2);
    assert_int_equal(open_fds(), before);
}

static void answers_find_their_questions_in_any_order(void **state)
{
    struct asker a = {.said = 0}, b = {.said = 0};
    (void)state;
    attach();
    uint64_t first = ask_for(&a, "one"), second = ask_for(&b, "two");
    assert_int_not_equal(first, second);
    answer(second, 22, w.raw, 0);
    assert_int_equal(b.said, 22);
    assert_true(b.fd >= 0);
    close(b.fd);
    answer(first, 11, -1, 0);
    assert_int_equal(a.said, 11);
    assert_int_equal(a.fd, -1);
    answer(first, 12, -1, 0); /* once only */
    assert_int_equal(a.n_answers, 1);
    assert_int_equal(w.n_strays, 1);
}

static void the_end_of_the_channel_fails_all_who_wait(void **state)
{
    struct asker a = {.again = true}, b = {.said = 0};
    (void)state;
    attach();
    ask_for(&a, "x");
    ask_for(&b, "y");
    close(w.raw);
    w.raw = -1;
    turn();
    assert_int_equal(a.n_fails, 1);
    assert_int_equal(b.n_fails, 1);
    assert_null(w.ask.peer);
}

static void a_new_channel_fails_who_asked_the_old_one_and_goes_on_counting(void **state)
{
    struct asker a = {.again = true}, b = {.said = 0};
    (void)state;
    attach();
    uint64_t old = ask_for(&a, "x");
    attach();
    assert_int_equal(a.n_fails, 1);
    assert_true(ask_for(&b, "y") > old); /* a late answer of the old one cannot be taken for it */
    ask_detach(&w.ask);
    assert_int_equal(b.n_fails, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nobody_is_asked_where_nobody_is, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_without_a_number_reaches_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_number_that_nobody_waits_for_is_a_stray, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_find_their_questions_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_channel_fails_all_who_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_channel_fails_who_asked_the_old_one_and_goes_on_counting, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
