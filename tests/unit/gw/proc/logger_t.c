/* The logger as a process, in its real sandbox: it wakes, rests, rotates, waits for a disk, and ends only
 * when the rings are empty. This program is its own child: started with --role it is the logger, and the test
 * plays the master and the workers. Needs root, as perrond does. */
#include "gw/proc/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"
#include "gw/proc/sandbox.h"
#include "gw/proc/spawn.h"
#include "gw/siem/event.h"

enum { BOOT = 0xb007 };

struct world {
    char path[64];
    int dir, ring_fd, wake;
    struct ring *ring; /* the worker's view */
    struct ev *ev;
    struct peer *peer;
    pid_t pid;
    unsigned n[MSG_N];
    uint64_t lines; /* of the last LOG_STATE */
    uint32_t failed;
    bool ended;
};
static struct world w;

static void on_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    (void)p;
    (void)fds;
    assert_int_equal(n_fds, 0);
    w.n[t]++;
    if (t == MSG_LOG_STATE) {
        struct rd r = rd_of(payload);
        w.lines = rd_u64(&r);
        rd_u64(&r);
        w.failed = rd_u32(&r);
        assert_false(r.bad);
    }
}

static void on_end(struct peer *p, enum rc rc)
{
    (void)p;
    (void)rc;
    w.ended = true;
    w.peer = NULL;
}

static void send_msg(enum msg_type t, const struct buf *b, const int *fds, size_t n_fds)
{
    assert_int_equal(peer_send(w.peer, t, b ? buf_span(b) : SPAN_NONE, fds, n_fds), RC_OK);
}

static void send_rings(int ring, int wake)
{
    struct buf b = {0};
    assert_int_equal(buf_put_u32(&b, 3), RC_OK);
    assert_int_equal(buf_put_u64(&b, BOOT), RC_OK);
    send_msg(MSG_RINGS, &b, (int[]){ring, wake}, 2);
    buf_fini(&b);
}

static void send_logfile(void)
{
    struct buf b = {0};
    assert_int_equal(buf_put_str(&b, "eve.json"), RC_OK);
    send_msg(MSG_LOGFILE, &b, &w.dir, 1);
    buf_fini(&b);
}

static bool turn_until(bool (*done)(void), int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    while (!done() && clock_mono_ms() < end)
        assert_int_equal(ev_turn(w.ev, 5), RC_OK);
    return done();
}

static bool is_ready(void)
{
    return w.n[MSG_READY] > 0;
}

static bool has_ended(void)
{
    return w.ended;
}

static void logger_start(void)
{
    struct role_config c = {.boot = BOOT, .log_level = LOG_ERROR, .node_name = "node-a"};
    struct buf b = {0};
    struct spawned child;
    memset(w.n, 0, sizeof w.n);
    w.ended = false;
    assert_int_equal(spawn_role(ROLE_LOGGER, 0, -1, &child), RC_OK);
    w.pid = child.pid;
    assert_int_equal(peer_new(w.ev, child.fd, ROLE_MASTER, ROLE_LOGGER, on_msg, on_end, NULL, &w.peer),
                     RC_OK);
    assert_int_equal(role_config_put(&b, &c), RC_OK);
    send_msg(MSG_CONFIG, &b, NULL, 0);
    buf_fini(&b);
    send_logfile();
    send_rings(w.ring_fd, w.wake);
    assert_true(turn_until(is_ready, 10000));
}

/* Exit status, or minus the signal. */
static int logger_end(void)
{
    int status;
    peer_free(w.peer);
    w.peer = NULL;
    assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void world_open(void)
{
    w = (struct world){.path = "/tmp/perron-logger-XXXXXX"};
    assert_non_null(mkdtemp(w.path));
    w.dir = open(w.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uid_t uid = sandbox_uid(ROLE_LOGGER, 0);
    assert_int_equal(fchown(w.dir, uid, uid), 0);
    assert_int_equal(ring_create(BOOT, 3, &w.ring_fd), RC_OK);
    assert_int_equal(ring_map(w.ring_fd, &w.ring), RC_OK);
    w.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(ev_new(&w.ev), RC_OK);
}

static void world_close(void)
{
    struct dirent **names;
    int n = scandir(w.path, &names, NULL, NULL);
    for (int i = 0; i < n; i++) {
        unlinkat(w.dir, names[i]->d_name, 0);
        free(names[i]);
    }
    free(names);
    rmdir(w.path);
    close(w.dir);
    ring_unmap(w.ring);
    close(w.ring_fd);
    close(w.wake);
    ev_free(w.ev);
}

/* A line as a worker writes it; did the logger want to be woken? */
static bool put_line(void)
{
    static struct buf b;
    bool wake;
    struct event_http e = {
        .perron = {.reason = "done", .worker = 3, .boot = BOOT, .seq = ring_next_seq(w.ring)}};
    assert_int_equal(event_http_json(&b, &e), RC_OK);
    assert_int_equal(ring_reserve(w.ring), RC_OK);
    ring_put(w.ring, RING_EVENT, buf_span(&b), &wake);
    return wake;
}

static void ring_the_bell(void)
{
    uint64_t one = 1;
    assert_int_equal(write(w.wake, &one, sizeof one), (ssize_t)sizeof one);
}

static bool is_empty(void)
{
    return ring_used(w.ring) == 0;
}

/* Until it has gone to sleep: then a line would wake it. */
static void let_it_sleep(void)
{
    for (int i = 0; i < 100; i++) {
        struct timespec gathers = {0, 2 * LIM_LOG_GATHER_MOST * 1000000};
        nanosleep(&gathers, NULL);
        assert_true(turn_until(is_empty, 3000));
        if (put_line()) {
            ring_the_bell();
            assert_true(turn_until(is_empty, 1000));
            nanosleep(&(struct timespec){0, 200000000}, NULL);
            return;
        }
    }
    fail_msg("the logger never sleeps");
}

static unsigned count_lines(const char *name)
{
    static uint8_t bytes[1 << 20];
    int fd = openat(w.dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, bytes, sizeof bytes);
    unsigned lines = 0;
    close(fd);
    for (ssize_t i = 0; i < n; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static unsigned count_all(unsigned *files)
{
    struct dirent **names;
    unsigned lines = 0;
    *files = 0;
    int n = scandir(w.path, &names, NULL, NULL);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            lines += count_lines(names[i]->d_name);
            ++*files;
        }
        free(names[i]);
    }
    free(names);
    return lines;
}

/* ---- what must not happen ---- */

static void a_ring_that_is_none_does_no_harm(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    world_open();
    logger_start();
    send_rings(fd, w.wake);
    send_rings(w.ring_fd, w.wake); /* and one that it has already */
    put_line();
    assert_true(turn_until(is_empty, 3000));
    assert_int_equal(count_lines("eve.json"), 1);
    assert_int_equal(logger_end(), 0);
    close(fd);
    world_close();
}

static bool has_failed(void)
{
    return w.failed != 0;
}

static bool has_recovered(void)
{
    return w.failed == 0 && ring_used(w.ring) == 0;
}

static void a_directory_that_refuses_is_told_and_waited_for(void **state)
{
    (void)state;
    world_open();
    assert_int_equal(fchmod(w.dir, 0500), 0);
    logger_start();
    for (int i = 0; i < 10; i++)
        put_line();
    assert_true(turn_until(has_failed, 3000));
    assert_int_equal(w.failed, EACCES);
    assert_false(is_empty());
    assert_int_equal(fchmod(w.dir, 0700), 0);
    assert_true(turn_until(has_recovered, 5000));
    assert_int_equal(count_lines("eve.json"), 10);
    assert_int_equal(logger_end(), 0);
    world_close();
}

static void a_worker_that_died_before_its_call_is_heard_all_the_same(void **state)
{
    (void)state;
    world_open();
    logger_start();
    let_it_sleep();
    put_line(); /* and no bell */
    assert_true(turn_until(is_empty, 3000));
    assert_int_equal(logger_end(), 0);
    world_close();
}

static void a_kill_loses_and_doubles_nothing(void **state)
{
    (void)state;
    unsigned files;
    world_open();
    for (int i = 0; i < 6; i++) {
        logger_start();
        for (int k = 0; k < 200; k++) {
            if (put_line())
                ring_the_bell();
        }
        kill(w.pid, SIGKILL);
        assert_true(turn_until(has_ended, 3000));
        assert_int_equal(logger_end(), -SIGKILL);
    }
    logger_start();
    assert_true(turn_until(is_empty, 3000));
    assert_int_equal(logger_end(), 0);
    assert_int_equal(count_all(&files), 1200);
    world_close();
}

/* ---- what must ---- */

static void a_line_is_on_disk_within_its_time(void **state)
{
    (void)state;
    int64_t worst_ms = 0;
    world_open();
    logger_start();
    for (int i = 0; i < 20; i++) {
        let_it_sleep();
        int64_t from = clock_mono_ms();
        if (put_line())
            ring_the_bell();
        assert_true(turn_until(is_empty, 3000)); /* the tail moves after the sync */
        worst_ms = clock_mono_ms() - from > worst_ms ? clock_mono_ms() - from : worst_ms;
    }
    print_message("at most %lld ms from line to disk\n", (long long)worst_ms);
    assert_true(worst_ms < 10 * LIM_LOG_SYNC_MS); /* a loaded machine; bench/README.md has the real number */
    assert_int_equal(logger_end(), 0);
    world_close();
}

static bool told_three(void)
{
    return w.lines == 3;
}

static void the_master_hears_how_many(void **state)
{
    (void)state;
    world_open();
    logger_start();
    for (int i = 0; i < 3; i++)
        put_line();
    assert_true(turn_until(told_three, 4000));
    assert_int_equal(w.failed, 0);
    assert_int_equal(logger_end(), 0);
    world_close();
}

static void the_same_file_again_means_a_new_one(void **state)
{
    (void)state;
    unsigned files;
    world_open();
    logger_start();
    put_line();
    assert_true(turn_until(is_empty, 3000));
    send_logfile();
    for (int i = 0; i < 5; i++)
        put_line();
    assert_true(turn_until(is_empty, 3000));
    assert_int_equal(count_all(&files), 6);
    assert_int_equal(files, 2);
    assert_int_equal(logger_end(), 0);
    world_close();
}

static void a_stop_empties_the_rings_first(void **state)
{
    (void)state;
    struct buf b = {0};
    world_open();
    logger_start();
    for (int i = 0; i < 5000; i++)
        put_line();
    assert_int_equal(buf_put_u32(&b, 0), RC_OK);
    send_msg(MSG_STOP, &b, NULL, 0);
    assert_true(turn_until(has_ended, 5000));
    assert_int_equal(logger_end(), 0);
    assert_true(is_empty());
    buf_fini(&b);
    world_close();
}

static void without_its_master_it_waits_for_the_workers_last_words(void **state)
{
    (void)state;
    world_open();
    logger_start();
    put_line();
    peer_free(w.peer);
    w.peer = NULL;
    for (int i = 0; i < 4; i++) {
        nanosleep(&(struct timespec){0, 1000000L * LIM_LOG_LINGER_MS / 2}, NULL);
        put_line();
    }
    assert_int_equal(logger_end(), 0);
    assert_true(is_empty());
    assert_int_equal(count_lines("eve.json"), 5);
    world_close();
}

static void skipped_here(void **state)
{
    (void)state;
    fprintf(stderr, "skipped: children that lower their privileges can only be tried by root\n");
    skip();
}

static int quiet(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && span_eq(span_str(argv[1]), SPAN("--role")))
        return role_run(&logger_ops);
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_ring_that_is_none_does_no_harm),
        cmocka_unit_test(a_directory_that_refuses_is_told_and_waited_for),
        cmocka_unit_test(a_worker_that_died_before_its_call_is_heard_all_the_same),
        cmocka_unit_test(a_kill_loses_and_doubles_nothing),
        cmocka_unit_test(a_line_is_on_disk_within_its_time),
        cmocka_unit_test(the_master_hears_how_many),
        cmocka_unit_test(the_same_file_again_means_a_new_one),
        cmocka_unit_test(a_stop_empties_the_rings_first),
        cmocka_unit_test(without_its_master_it_waits_for_the_workers_last_words),
    };
    const struct CMUnitTest none[] = {cmocka_unit_test(skipped_here)};
    if (geteuid() != 0)
        return cmocka_run_group_tests(none, NULL, NULL);
    return cmocka_run_group_tests(all, quiet, NULL);
}
