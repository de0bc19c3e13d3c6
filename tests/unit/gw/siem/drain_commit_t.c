/* Records and lines take one commit of the file system where they share one: what is written and synced in
 * which order, and what a failure or a kill between two of these steps leaves. */
#include "tests/unit/gw/siem/both_help.h"
#include "tests/unit/gw/siem/refuse_help.h"

#include <signal.h>
#include <sys/wait.h>

/* ---- steps ---- */

static char steps[16];

static void step(char c)
{
    size_t n = strlen(steps);
    assert_true(n + 1 < sizeof steps);
    steps[n] = c;
}

static ssize_t put_told(int fd, const void *p, size_t n, off_t at)
{
    step('r');
    return pwrite(fd, p, n, at);
}

static ssize_t line_told(int fd, const void *p, size_t n)
{
    step('l');
    return write(fd, p, n);
}

static int start_told(int fd)
{
    step('s');
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static int sync_records_told(int fd)
{
    step('R');
    return fdatasync(fd);
}

static int sync_lines_told(int fd)
{
    step('L');
    return fdatasync(fd);
}

static int sync_fails(int fd)
{
    (void)fd;
    step('F');
    errno = EIO;
    return -1;
}

static void tell_steps(struct world *w)
{
    struct journal_disk *j = journal_disk(drain_journal_of(w->d));
    struct spool *s = drain_spool(w->d);
    memset(steps, 0, sizeof steps);
    j->write = put_told;
    j->sync = sync_records_told;
    s->write = line_told;
    s->start = start_told;
    s->sync = sync_lines_told;
}

/* ---- tests ---- */

/* Records before lines, and the lines on their way to the disk before the first sync. */
static void both_are_written_before_either_is_synced(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_both(&w, 2);
    pump(&w);
    tell_steps(&w);
    put_both(&w, 3);
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "rlsRL");
    (void)assert_both(&w, 5);

    tell_steps(&w);
    assert_true(put_record(w.ring));
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "rR");
    tell_steps(&w);
    assert_true(put_line(w.ring));
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "lL");
    world_close(&w);
}

/* Nothing is saved there, so records are on the disk before their lines are written. */
static void on_two_file_systems_records_are_synced_first(void **state)
{
    (void)state;
    struct world w;
    struct stat here, there;
    char far[] = "/dev/shm/perron-records-XXXXXX";
    if (stat("/tmp", &here) != 0 || stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev ||
        !mkdtemp(far)) {
        skip();
        return;
    }
    world_open(&w);
    close(w.journal_dir);
    rmdir(w.journal);
    snprintf(w.journal, sizeof w.journal, "%s", far);
    w.journal_dir = open(far, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    world_restart(&w);
    put_both(&w, 2);
    pump(&w);
    tell_steps(&w);
    put_both(&w, 3);
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "rRlL");
    (void)assert_both(&w, 5);
    world_close(&w);
}

static int start_errno;
static int start_fails(int fd)
{
    (void)fd;
    step('F');
    errno = start_errno;
    return -1;
}

static unsigned rotated(const struct world *w, bool take_away)
{
    DIR *d = fdopendir(openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    unsigned n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (strncmp(e->d_name, "eve.json.", 9) == 0) {
            n++;
            if (take_away)
                unlinkat(w->dir, e->d_name, 0);
        }
    }
    closedir(d);
    return n;
}

/* The sync that follows need not be told of it again: the lines are written once more, into a new file. */
static void a_start_that_fails_is_a_sync_that_fails(void **state)
{
    (void)state;
    static const int failures[] = {EIO, ENOSPC};
    for (size_t i = 0; i < N_ELEMS(failures); i++) {
        struct world w;
        world_open(&w);
        pump(&w);
        tell_steps(&w);
        start_errno = failures[i];
        drain_spool(w.d)->start = start_fails;
        put_both(&w, 5);
        uint64_t used = ring_used(w.ring);
        assert_int_equal(drain_turn(w.d), RC_IO);
        assert_string_equal(steps, "rlFR");
        assert_int_equal(drain_errno(w.d), failures[i]);
        assert_int_equal(ring_used(w.ring), used);
        tell_steps(&w);
        pump(&w);
        assert_string_equal(steps, "lL");
        assert_int_equal(drain_errno(w.d), 0);
        assert_int_equal(rotated(&w, true), 1);
        (void)assert_both(&w, 5);
        world_close(&w);
    }
}

static void a_file_system_without_start_is_no_failure(void **state)
{
    (void)state;
    static const int without[] = {ENOSYS, EINVAL, ESPIPE};
    for (size_t i = 0; i < N_ELEMS(without); i++) {
        struct world w;
        unsigned notes;
        world_open(&w);
        pump(&w);
        tell_steps(&w);
        start_errno = without[i];
        drain_spool(w.d)->start = start_fails;
        put_both(&w, 5);
        assert_int_equal(drain_turn(w.d), RC_OK);
        assert_string_equal(steps, "rlFRL");
        assert_int_equal(rotated(&w, false), 0);
        assert_int_equal(lines(&w, &notes), 5);
        world_close(&w);
    }
}

/* Two records and their lines are on the disk; five more stand in the files when the records' sync fails, and
 * the ring keeps them. */
static void world_whose_sync_failed(struct world *w)
{
    world_open(w);
    put_both(w, 2);
    pump(w);
    tell_steps(w);
    journal_disk(drain_journal_of(w->d))->sync = sync_fails;
    put_both(w, 5);
    uint64_t used = ring_used(w->ring);
    assert_int_equal(drain_turn(w->d), RC_IO);
    assert_int_equal(ring_used(w->ring), used);
}

/* The lines stand in the file already when the records' sync fails: the records go into a new segment, the
 * lines are not written again, and the ring is held until all is on the disk; another logger does the same.
 */
static void a_sync_of_records_that_fails_doubles_neither(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct world w;
        world_whose_sync_failed(&w);
        assert_string_equal(steps, "rlsF");
        assert_int_equal(drain_errno(w.d), EIO);
        assert_int_equal(records(&w), 2);
        if (restart)
            world_restart(&w);
        else
            tell_steps(&w);
        pump(&w);
        if (!restart)
            assert_string_equal(steps, "RrrsRL"); /* the old segment, a head, the records; no line again */
        assert_int_equal(ring_used(w.ring), 0);
        assert_int_equal(assert_both(&w, 7), 0);
        world_close(&w);
    }
}

/* The lines stand whole in the file and wait for the journal: no line stands in two files, and none is lost
 * to another logger, which looks into the newest alone. */
static void a_rotation_waits_for_lines_that_stand_already(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct world w;
        world_whose_sync_failed(&w);
        assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
        if (restart)
            world_restart(&w);
        else
            tell_steps(&w);
        pump(&w);
        assert_int_equal(rotated(&w, false), !restart);
        put_both(&w, 1);
        pump(&w);
        assert_int_equal(assert_both(&w, 8), 0);
        world_close(&w);
    }
}

static void another_name_takes_no_lines_that_stand_already(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    tell_steps(&w);
    put_both(&w, 5);
    disk_errno = EIO;
    assert_int_equal(drain_turn(w.d), RC_OK);
    journal_disk(drain_journal_of(w.d))->sync = sync_fails;
    put_both(&w, 5);
    assert_int_equal(drain_turn(w.d), RC_IO);
    tell_steps(&w);
    journal_disk(drain_journal_of(w.d))->sync = sync_fails;
    journal_disk(drain_journal_of(w.d))->write = no_write;
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), SPAN("eve-b.json")), RC_OK);
    assert_string_equal(steps, "FL"); /* the segment before the next; the lines, before their file is left */
    tell_steps(&w);
    pump(&w);
    put_both(&w, 1);
    pump(&w);
    (void)assert_both(&w, 11);
    world_close(&w);
}

static int killed_at_sync(int fd)
{
    (void)fd;
    kill(getpid(), SIGKILL);
    return -1;
}

static struct ring *held;
static int sync_records_held(int fd)
{
    assert_true(ring_used(held) > 0);
    return sync_records_told(fd);
}

static int sync_lines_held(int fd)
{
    assert_true(ring_used(held) > 0);
    return sync_lines_told(fd);
}

/* What the killed one wrote is in both files, and nobody has synced it: that comes before the ring moves. */
static void a_kill_between_write_and_sync_leaves_the_sync_to_the_next(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_both(&w, 2);
    pump(&w);
    put_both(&w, 5);
    pid_t pid = fork();
    if (pid == 0) {
        journal_disk(drain_journal_of(w.d))->sync = killed_at_sync;
        (void)!drain_turn(w.d);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    (void)assert_both(&w, 7);
    world_restart(&w);
    tell_steps(&w);
    held = w.ring;
    journal_disk(drain_journal_of(w.d))->sync = sync_records_held;
    drain_spool(w.d)->sync = sync_lines_held;
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "RL");
    assert_int_equal(drain_counts(w.d)->skipped, 10);
    assert_int_equal(ring_used(w.ring), 0);
    (void)assert_both(&w, 7);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_are_written_before_either_is_synced),
        cmocka_unit_test(a_sync_of_records_that_fails_doubles_neither),
        cmocka_unit_test(on_two_file_systems_records_are_synced_first),
        cmocka_unit_test(a_start_that_fails_is_a_sync_that_fails),
        cmocka_unit_test(a_file_system_without_start_is_no_failure),
        cmocka_unit_test(a_rotation_waits_for_lines_that_stand_already),
        cmocka_unit_test(another_name_takes_no_lines_that_stand_already),
        cmocka_unit_test(a_kill_between_write_and_sync_leaves_the_sync_to_the_next),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
