/* Which files of the register of leaves a logger is given to sync: those that the one before it may have left
 * half on disk, and those that were begun while there was none. */
#include "gw/proc/master_int.h"

#include <sys/stat.h>

#include "certs/leaflog.h"
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "tests/unit/gw/proc/state_help.h"

static struct state_dir dir;
static struct master *m;
static struct peer *logger; /* its end of the channel */
static ino_t given[8];
static size_t n_given;

static void on_msg(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds)
{
    struct stat st;
    (void)p;
    (void)payload;
    assert_true(type == MSG_LEAVES && n_fds == 1 && n_given < N_ELEMS(given));
    assert_int_equal(fcntl(fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fstat(fds[0], &st), 0);
    given[n_given++] = st.st_ino;
    close(fds[0]);
}

static void on_end(struct peer *p, enum rc rc)
{
    (void)p;
    (void)rc;
}

static int begin(void **state)
{
    struct buf err = {0};
    (void)state;
    m = calloc(1, sizeof *m);
    assert_non_null(m);
    state_dir_make(&dir);
    m->state.dir = dir.fd;
    m->single[ROLE_LOGGER] = (struct child){.m = m, .role = ROLE_LOGGER};
    assert_int_equal(ev_new(&m->ev), RC_OK);
    assert_int_equal(leaves_open(m, &err), RC_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(m->leaves.fd);
    close(m->leaves.dir);
    ev_free(m->ev);
    free(m);
    state_dir_remove(&dir);
    return 0;
}

static void logger_starts(void)
{
    struct child *c = &m->single[ROLE_LOGGER];
    int pair[2];
    assert_int_equal(peer_pair(pair), RC_OK);
    assert_int_equal(peer_new(m->ev, pair[0], ROLE_MASTER, ROLE_LOGGER, on_msg, on_end, c, &c->peer), RC_OK);
    assert_int_equal(peer_new(m->ev, pair[1], ROLE_LOGGER, ROLE_MASTER, on_msg, on_end, c, &logger), RC_OK);
    n_given = 0;
    c->state = CHILD_STARTING;
    leaves_feed_logger(c);
}

static void logger_is_ready(void)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(ev_turn(m->ev, 0), RC_OK);
    m->single[ROLE_LOGGER].state = CHILD_READY;
    leaves_logger_ready(m);
}

static void logger_ends(void)
{
    peer_free(logger);
    peer_free(m->single[ROLE_LOGGER].peer);
    m->single[ROLE_LOGGER].peer = NULL;
    m->single[ROLE_LOGGER].state = CHILD_DOWN;
}

/* The newest file is large enough. */
static void register_turns(void)
{
    assert_int_equal(ftruncate(m->leaves.fd, LIM_LEAFLOG_FILE_BYTES), 0);
    leaves_turn(m);
}

static void assert_given(uint32_t first, uint32_t last)
{
    struct stat st;
    char name[LEAFLOG_NAME];
    assert_int_equal(n_given, last - first + 1);
    for (uint32_t n = first; n <= last; n++) {
        leaflog_file_name(n, name);
        assert_int_equal(fstatat(m->leaves.dir, name, &st, 0), 0);
        assert_true(given[n - first] == st.st_ino);
    }
}

static void every_file_since_the_loggers_last_is_synced(void **state)
{
    (void)state;
    logger_starts();
    logger_is_ready();
    assert_given(1, 1);
    register_turns();
    logger_is_ready();
    assert_given(1, 2);
    logger_ends();
    register_turns();
    register_turns();
    logger_starts();
    logger_is_ready();
    assert_given(1, 4);
    logger_ends();
    logger_starts();
    logger_is_ready();
    assert_given(3, 4);
    logger_ends();
}

/* It may not have read what it was sent. */
static void a_logger_that_never_was_ready_counts_for_none(void **state)
{
    (void)state;
    logger_starts();
    logger_is_ready();
    logger_ends();
    register_turns();
    register_turns();
    logger_starts();
    logger_ends();
    logger_starts();
    logger_is_ready();
    assert_given(1, 3);
    logger_ends();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(every_file_since_the_loggers_last_is_synced),
        T(a_logger_that_never_was_ready_counts_for_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
