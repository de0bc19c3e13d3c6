/* The life of a child, from spawn_role() to its end, with a role that only reports what it sees. This program
 * is its own child: started with --role it is the signer's stand-in, and the test plays the master. Needs
 * root, as perrond does. */
#include "gw/proc/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/sandbox.h"
#include "gw/proc/spawn.h"

/* ---- the child ---- */

extern char **environ;
static int fds_at_start;
static uid_t uids[3]; /* real, effective, saved, before the sandbox closes */

static int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static enum rc stub_start(struct role_ctx *ctx)
{
    if (ctx->config.node == 30) /* the test asks for a failure */
        return RC_CONFIG;
    getresuid(&uids[0], &uids[1], &uids[2]);
    return role_ready(ctx);
}

static void stub_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    char text[200];
    (void)payload;
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    if (t != MSG_SHOW)
        return;
    int n = snprintf(text, sizeof text, "fds %d, env %d, uid %u %u %u, index %u, offset %lld", fds_at_start,
                     environ && environ[0] ? 1 : 0, uids[0], uids[1], uids[2], ctx->config.index,
                     (long long)clock_offset());
    if (peer_send(ctx->master, MSG_SHOWN, span_of(text, (size_t)n), NULL, 0) != RC_OK)
        ev_stop(ctx->ev);
}

/* A role that never comes to its end by itself. */
static void stub_stop(struct role_ctx *ctx, uint32_t grace_ms)
{
    (void)ctx;
    (void)grace_ms;
}

static int run_stub(const char *role)
{
    static const struct role_ops worker = {.role = ROLE_WORKER, .start = stub_start, .on_msg = stub_msg};
    static const struct role_ops logger = {
        .role = ROLE_LOGGER, .start = stub_start, .on_msg = stub_msg, .on_stop = stub_stop};
    fds_at_start = count_fds();
    return role_run(role_find(role) == ROLE_WORKER ? &worker : &logger);
}

/* ---- the master's side ---- */

struct seen {
    struct ev *ev;
    struct peer *peer;
    pid_t pid;
    unsigned n[MSG_N];
    char text[256];
    bool ended;
};
static struct seen seen;

static void on_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    (void)p;
    (void)fds;
    assert_int_equal(n_fds, 0);
    seen.n[t]++;
    snprintf(seen.text, sizeof seen.text, "%.*s", (int)payload.n, (const char *)payload.p);
}

static void on_end(struct peer *p, enum rc rc)
{
    (void)p;
    (void)rc;
    seen.ended = true;
    seen.peer = NULL;
}

static void begin(enum role r)
{
    struct spawned child;
    seen = (struct seen){0};
    assert_int_equal(ev_new(&seen.ev), RC_OK);
    assert_int_equal(spawn_role(r, 5, -1, &child), RC_OK);
    seen.pid = child.pid;
    assert_int_equal(peer_new(seen.ev, child.fd, ROLE_MASTER, r, on_msg, on_end, NULL, &seen.peer), RC_OK);
}

static void send_config(uint32_t node)
{
    struct role_config c = {.index = 5, .node = node, .clock_offset_us = 123, .log_level = LOG_ERROR};
    struct buf b = {0};
    assert_int_equal(role_config_put(&b, &c), RC_OK);
    assert_int_equal(peer_send(seen.peer, MSG_CONFIG, buf_span(&b), NULL, 0), RC_OK);
    buf_fini(&b);
}

static bool wait_for(enum msg_type t)
{
    int64_t end = clock_mono_ms() + 10000;
    while (seen.n[t] == 0 && !seen.ended && clock_mono_ms() < end)
        assert_int_equal(ev_turn(seen.ev, 50), RC_OK);
    return seen.n[t] > 0;
}

/* Exit status, or minus the signal. */
static int end(void)
{
    int status;
    peer_free(seen.peer);
    assert_int_equal(waitpid(seen.pid, &status, 0), seen.pid);
    ev_free(seen.ev);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void a_malformed_configuration_ends_the_child_with_an_error(void **state)
{
    (void)state;
    begin(ROLE_WORKER);
    assert_int_equal(peer_send(seen.peer, MSG_CONFIG, SPAN("nonsense"), NULL, 0), RC_OK);
    assert_false(wait_for(MSG_READY));
    assert_int_equal(end(), 1);
}

static void a_role_that_cannot_start_ends_with_an_error(void **state)
{
    (void)state;
    begin(ROLE_WORKER);
    send_config(30);
    assert_false(wait_for(MSG_READY));
    assert_int_equal(end(), 1);
}

static void what_comes_before_the_configuration_is_not_for_the_role(void **state)
{
    (void)state;
    int fd = 0;
    begin(ROLE_WORKER);
    assert_int_equal(peer_send(seen.peer, MSG_TRUST, SPAN_NONE, &fd, 1), RC_OK);
    assert_int_equal(peer_send(seen.peer, MSG_PING, SPAN("12345678"), NULL, 0), RC_OK);
    assert_true(wait_for(MSG_PONG)); /* it lives */
    assert_int_equal(seen.n[MSG_READY], 0);
    assert_int_equal(end(), 0);
}

static void a_child_has_its_channel_no_environment_and_its_own_uid(void **state)
{
    (void)state;
    char want[200];
    unsigned uid = sandbox_uid(ROLE_WORKER, 5);
    setenv("SECRET", "of the master", 1);
    int leak = open("/etc/passwd", O_RDONLY); /* not close-on-exec */
    begin(ROLE_WORKER);
    send_config(0);
    assert_true(wait_for(MSG_READY));
    assert_int_equal(seen.n[MSG_HELLO], 1);
    assert_int_equal(peer_send(seen.peer, MSG_SHOW, SPAN("12345678"), NULL, 0), RC_OK);
    assert_true(wait_for(MSG_SHOWN));
    snprintf(want, sizeof want, "fds 4, env 0, uid %u %u %u, index 5, offset 123", uid, uid, uid);
    assert_string_equal(seen.text, want);
    close(leak);
    assert_int_equal(end(), 0);
}

static void a_heartbeat_comes_back_with_its_number(void **state)
{
    (void)state;
    begin(ROLE_WORKER);
    send_config(0);
    assert_true(wait_for(MSG_READY));
    assert_int_equal(peer_send(seen.peer, MSG_PING, SPAN("beat 042"), NULL, 0), RC_OK);
    assert_true(wait_for(MSG_PONG));
    assert_string_equal(seen.text, "beat 042");
    assert_int_equal(end(), 0);
}

static void the_end_of_the_channel_is_the_end_of_the_child(void **state)
{
    (void)state;
    begin(ROLE_WORKER);
    send_config(0);
    assert_true(wait_for(MSG_READY));
    int64_t from = clock_mono_ms();
    assert_int_equal(end(), 0);
    assert_true(clock_mono_ms() - from < 2000);
}

static void a_role_that_does_not_stop_is_stopped(void **state)
{
    (void)state;
    begin(ROLE_LOGGER);
    send_config(0);
    assert_true(wait_for(MSG_READY));
    assert_int_equal(peer_send(seen.peer, MSG_STOP, span_of((uint8_t[]){0, 0, 0, 100}, 4), NULL, 0), RC_OK);
    int64_t from = clock_mono_ms();
    while (!seen.ended && clock_mono_ms() - from < 20000)
        assert_int_equal(ev_turn(seen.ev, 50), RC_OK);
    assert_true(clock_mono_ms() - from >= 100 && clock_mono_ms() - from < 10000);
    assert_int_equal(end(), 0);
}

/* A Ctrl-C, or a service manager's signal to every process, must not cut what the master wants to drain. */
static void signals_to_the_group_do_not_end_a_child(void **state)
{
    (void)state;
    static const int sent[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    begin(ROLE_WORKER);
    send_config(0);
    assert_true(wait_for(MSG_READY));
    for (size_t i = 0; i < N_ELEMS(sent); i++)
        kill(seen.pid, sent[i]);
    assert_int_equal(peer_send(seen.peer, MSG_PING, SPAN("12345678"), NULL, 0), RC_OK);
    assert_true(wait_for(MSG_PONG));
    assert_int_equal(end(), 0);
}

static void a_killed_child_is_seen_by_its_channel(void **state)
{
    (void)state;
    begin(ROLE_WORKER);
    send_config(0);
    assert_true(wait_for(MSG_READY));
    kill(seen.pid, SIGKILL);
    assert_false(wait_for(MSG_PONG));
    assert_true(seen.ended);
    assert_int_equal(end(), -SIGKILL);
}

static void skipped_here(void **state)
{
    (void)state;
    fprintf(stderr, "skipped: children that lower their privileges can only be tried by root\n");
    skip();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest not_here[] = {cmocka_unit_test(skipped_here)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malformed_configuration_ends_the_child_with_an_error),
        cmocka_unit_test(a_role_that_cannot_start_ends_with_an_error),
        cmocka_unit_test(what_comes_before_the_configuration_is_not_for_the_role),
        cmocka_unit_test(a_child_has_its_channel_no_environment_and_its_own_uid),
        cmocka_unit_test(a_heartbeat_comes_back_with_its_number),
        cmocka_unit_test(the_end_of_the_channel_is_the_end_of_the_child),
        cmocka_unit_test(a_role_that_does_not_stop_is_stopped),
        cmocka_unit_test(signals_to_the_group_do_not_end_a_child),
        cmocka_unit_test(a_killed_child_is_seen_by_its_channel),
    };
    if (argc > 2 && strcmp(argv[1], "--role") == 0)
        return run_stub(argv[2]);
    if (geteuid() != 0)
        return cmocka_run_group_tests(not_here, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
