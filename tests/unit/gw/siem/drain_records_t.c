/* Lines and records come from one ring and go to two places in one batch: each once, whatever fails between
 * the two, whatever is killed. */
#include "gw/siem/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"
#include "gw/siem/event.h"

enum { BOOT = 0xb007, WORKER = 2, KILLS = 40 };

struct world {
    char path[64], journal[80];
    int dir, journal_dir, fd;
    struct ring *ring;
    struct drain *d;
};

static struct drain *logger_start(const struct world *w, bool with_journal)
{
    struct drain *d;
    assert_int_equal(drain_new(BOOT, SPAN("node-a"), &d), RC_OK);
    if (with_journal)
        drain_journal(d, fcntl(w->journal_dir, F_DUPFD_CLOEXEC, 0));
    assert_int_equal(drain_target(d, fcntl(w->dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
    assert_int_equal(drain_add(d, w->fd, BOOT, WORKER), RC_OK);
    return d;
}

static void world_open(struct world *w)
{
    *w = (struct world){.path = "/tmp/perron-records-XXXXXX"};
    assert_non_null(mkdtemp(w->path));
    snprintf(w->journal, sizeof w->journal, "%s/journal", w->path);
    assert_int_equal(mkdir(w->journal, 0700), 0);
    w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->journal_dir = open(w->journal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(ring_create(BOOT, WORKER, &w->fd), RC_OK);
    assert_int_equal(ring_map(w->fd, &w->ring), RC_OK);
    w->d = logger_start(w, true);
}

static void world_restart(struct world *w)
{
    drain_free(w->d);
    w->d = logger_start(w, true);
}

static void empty(int dir)
{
    DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        unlinkat(dir, e->d_name, 0);
    closedir(d);
}

static void world_close(struct world *w)
{
    drain_free(w->d);
    empty(w->journal_dir);
    rmdir(w->journal);
    empty(w->dir);
    rmdir(w->path);
    close(w->dir);
    close(w->journal_dir);
    ring_unmap(w->ring);
    close(w->fd);
}

/* ---- what a worker writes ---- */

static bool put(struct ring *r, enum ring_kind kind, span s)
{
    bool wake;
    if (ring_reserve(r) != RC_OK)
        return false;
    ring_put(r, kind, s, &wake);
    return true;
}

static bool put_line(struct ring *r)
{
    static struct buf b;
    struct event_http e = {
        .perron = {.reason = "done", .worker = WORKER, .boot = BOOT, .seq = ring_next_seq(r)}};
    assert_int_equal(event_http_json(&b, &e), RC_OK);
    return put(r, RING_EVENT, buf_span(&b));
}

static bool put_record(struct ring *r)
{
    uint8_t bytes[400] = {0};
    uint64_t n = ring_next_of(r, RING_RECORD);
    memcpy(bytes, &n, sizeof n);
    return put(r, RING_RECORD, span_of(bytes, 8 + n * 37 % 390));
}

static void put_both(struct world *w, unsigned n)
{
    while (n-- > 0)
        assert_true(put_record(w->ring) && put_line(w->ring));
}

static void pump(struct world *w)
{
    enum rc rc;
    do {
        rc = drain_turn(w->d);
    } while (rc == RC_OK);
    assert_int_equal(rc, RC_MORE);
}

/* ---- what was written ---- */

static enum rc next_record(const struct journal_frame *f, void *arg)
{
    uint64_t *last = arg, n;
    memcpy(&n, f->record.p, sizeof n);
    assert_true(f->boot == BOOT && f->worker == WORKER);
    assert_int_equal(f->seq, *last + 1); /* each once, in order */
    assert_int_equal(n, f->seq);
    *last = f->seq;
    return RC_OK;
}

static uint64_t records(const struct world *w)
{
    uint64_t last = 0;
    struct journal_walk walk = {.dir = w->journal_dir, .verify = true, .each = next_record, .arg = &last};
    assert_int_equal(journal_walk(&walk), RC_OK);
    if (walk.broken)
        fail_msg("%s", walk.broken);
    return last;
}

/* Lines of all files; each number once and in order within a file. `notes`: what the logger says itself. */
static uint64_t lines(const struct world *w, unsigned *notes)
{
    struct dirent **names;
    uint64_t n_lines = 0, top = 0;
    int n = scandir(w->path, &names, NULL, alphasort);
    *notes = 0;
    for (int i = 0; i < n; i++) {
        char text[LIM_EVENT_BYTES + 2], path[400];
        snprintf(path, sizeof path, "%s/%s", w->path, names[i]->d_name);
        FILE *f = strncmp(names[i]->d_name, "eve", 3) == 0 ? fopen(path, "r") : NULL;
        while (f && fgets(text, sizeof text, f)) {
            uint64_t boot, seq;
            uint32_t worker;
            span line = span_cut(span_str(text), 0, strlen(text) - 1);
            if (!event_identity(line, &boot, &worker, &seq)) {
                ++*notes;
                continue;
            }
            n_lines++;
            top = seq > top ? seq : top;
        }
        if (f)
            fclose(f);
        free(names[i]);
    }
    free(names);
    assert_int_equal(n_lines, top); /* 1 to top, none missing and none twice */
    return top;
}

/* ---- tests ---- */

static void without_a_journal_nothing_moves(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    drain_free(w.d);
    w.d = logger_start(&w, false);
    put_both(&w, 3);
    uint64_t used = ring_used(w.ring);
    assert_int_equal(drain_turn(w.d), RC_NOTFOUND);
    assert_int_equal(drain_turn(w.d), RC_NOTFOUND);
    assert_int_equal(ring_used(w.ring), used);
    drain_journal(w.d, fcntl(w.journal_dir, F_DUPFD_CLOEXEC, 0));
    pump(&w);
    assert_int_equal(records(&w), 3);
    assert_int_equal(lines(&w, &notes), 3);
    world_close(&w);
}

static void what_is_no_record_is_told(void **state)
{
    (void)state;
    struct world w;
    static uint8_t big[LIM_RECORD_BYTES + 1];
    unsigned notes;
    world_open(&w);
    assert_true(put(w.ring, RING_RECORD, SPAN("short")));
    assert_true(put(w.ring, RING_RECORD, span_of(big, sizeof big)));
    assert_true(put_line(w.ring));
    pump(&w);
    assert_int_equal(drain_counts(w.d)->malformed, 2);
    assert_int_equal(drain_counts(w.d)->records, 0);
    assert_int_equal(lines(&w, &notes), 1);
    assert_int_equal(notes, 2);
    world_close(&w);
}

static int disk_errno;
static ssize_t no_write(int fd, const void *p, size_t n, off_t at)
{
    (void)fd, (void)p, (void)n, (void)at;
    errno = disk_errno;
    return -1;
}

static ssize_t no_line(int fd, const void *p, size_t n)
{
    (void)fd, (void)p, (void)n;
    errno = disk_errno;
    return -1;
}

static void a_journal_that_cannot_be_written_holds_all(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    disk_errno = ENOSPC;
    put_both(&w, 2);
    pump(&w);
    journal_disk(drain_journal_of(w.d))->write = no_write;
    put_both(&w, 5);
    uint64_t used = ring_used(w.ring);
    for (int i = 0; i < 3; i++)
        assert_int_equal(drain_turn(w.d), RC_IO);
    assert_int_equal(drain_errno(w.d), ENOSPC);
    assert_int_equal(ring_used(w.ring), used);
    assert_int_equal(lines(&w, &notes), 2);
    journal_disk(drain_journal_of(w.d))->write = pwrite;
    pump(&w);
    assert_int_equal(drain_errno(w.d), 0);
    assert_int_equal(records(&w), 7);
    assert_int_equal(lines(&w, &notes), 7);
    world_close(&w);
}

/* The journal has the batch, the log does not: neither the retry nor another logger writes it twice. */
static void a_log_that_cannot_be_written_doubles_no_record(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct world w;
        unsigned notes;
        world_open(&w);
        disk_errno = EDQUOT;
        put_both(&w, 2);
        pump(&w);
        drain_spool(w.d)->write = no_line;
        put_both(&w, 5);
        for (int i = 0; i < 3; i++)
            assert_int_equal(drain_turn(w.d), RC_IO);
        assert_int_equal(records(&w), 7);
        assert_int_equal(lines(&w, &notes), 2);
        if (restart)
            world_restart(&w);
        else
            drain_spool(w.d)->write = write;
        put_both(&w, 1);
        pump(&w);
        assert_int_equal(drain_counts(w.d)->skipped, restart ? 5 : 0);
        assert_int_equal(records(&w), 8);
        assert_int_equal(lines(&w, &notes), 8);
        assert_int_equal(notes, 0);
        world_close(&w);
    }
}

/* ---- one commit of the file system for both ---- */

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

/* Records before lines, and the lines on their way to the disk before the first sync. */
static void both_are_written_before_either_is_synced(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    put_both(&w, 2);
    pump(&w);
    tell_steps(&w);
    put_both(&w, 3);
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "rlsRL");
    assert_int_equal(records(&w), 5);
    assert_int_equal(lines(&w, &notes), 5);

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
    unsigned notes;
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
    assert_int_equal(records(&w), 5);
    assert_int_equal(lines(&w, &notes), 5);
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
        unsigned notes;
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
        assert_int_equal(records(&w), 5);
        assert_int_equal(lines(&w, &notes), 5);
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

/* The lines stand in the file already when the records' sync fails: the records go into a new segment, the
 * lines are not written again, and the ring is held until all is on the disk; another logger does the same.
 */
static void a_sync_of_records_that_fails_doubles_neither(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct world w;
        unsigned notes;
        world_open(&w);
        put_both(&w, 2);
        pump(&w);
        tell_steps(&w);
        journal_disk(drain_journal_of(w.d))->sync = sync_fails;
        put_both(&w, 5);
        uint64_t used = ring_used(w.ring);
        assert_int_equal(drain_turn(w.d), RC_IO);
        assert_string_equal(steps, "rlsF");
        assert_int_equal(drain_errno(w.d), EIO);
        assert_int_equal(ring_used(w.ring), used);
        assert_int_equal(records(&w), 2);
        if (restart)
            world_restart(&w);
        else
            tell_steps(&w);
        pump(&w);
        if (!restart)
            assert_string_equal(steps, "RrrsRL"); /* the old segment, a head, the records; no line again */
        assert_int_equal(ring_used(w.ring), 0);
        assert_int_equal(records(&w), 7);
        assert_int_equal(lines(&w, &notes), 7);
        assert_int_equal(notes, 0);
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
        unsigned notes;
        world_open(&w);
        put_both(&w, 2);
        pump(&w);
        tell_steps(&w);
        journal_disk(drain_journal_of(w.d))->sync = sync_fails;
        put_both(&w, 5);
        assert_int_equal(drain_turn(w.d), RC_IO);
        assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
        if (restart)
            world_restart(&w);
        else
            tell_steps(&w);
        pump(&w);
        assert_int_equal(rotated(&w, false), !restart);
        put_both(&w, 1);
        pump(&w);
        assert_int_equal(records(&w), 8);
        assert_int_equal(lines(&w, &notes), 8);
        assert_int_equal(notes, 0);
        world_close(&w);
    }
}

static void another_name_takes_no_lines_that_stand_already(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
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
    assert_int_equal(records(&w), 11);
    assert_int_equal(lines(&w, &notes), 11);
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
    unsigned notes;
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
    assert_int_equal(records(&w), 7);
    assert_int_equal(lines(&w, &notes), 7);
    world_restart(&w);
    tell_steps(&w);
    held = w.ring;
    journal_disk(drain_journal_of(w.d))->sync = sync_records_held;
    drain_spool(w.d)->sync = sync_lines_held;
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_string_equal(steps, "RL");
    assert_int_equal(drain_counts(w.d)->skipped, 10);
    assert_int_equal(ring_used(w.ring), 0);
    assert_int_equal(records(&w), 7);
    assert_int_equal(lines(&w, &notes), 7);
    world_close(&w);
}

static void another_logger_goes_on_with_both(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    journal_disk(drain_journal_of(w.d))->max_bytes = 4000;
    for (unsigned i = 0; i < 20; i++) {
        put_both(&w, i % 4);
        assert_true(put_record(w.ring));
        if (i % 3)
            pump(&w);
        if (i % 2) {
            world_restart(&w);
            journal_disk(drain_journal_of(w.d))->max_bytes = 4000;
        }
    }
    pump(&w);
    assert_int_equal(records(&w), 50);
    assert_int_equal(lines(&w, &notes), 30);
    assert_int_equal(notes, 0);
    world_close(&w);
}

static ssize_t head_alone(int fd, const void *p, size_t n, off_t at)
{
    if (at == 0)
        return pwrite(fd, p, n, at);
    return no_write(fd, p, n, at);
}

/* Killed twice: once when a batch was on the disk and its place in the ring not yet free, once when the next
 * file had just been begun. Were it begun before the ring moves on, nobody would know of the first batch. */
static void no_file_is_begun_before_the_ring_has_moved_on(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    disk_errno = EIO;
    put_both(&w, 5);
    drain_spool(w.d)->write = no_line; /* the journal has them, the log does not: nothing moves */
    assert_int_equal(drain_turn(w.d), RC_IO);
    drain_free(w.d);
    w.d = logger_start(&w, true);
    put_both(&w, 5);
    journal_disk(drain_journal_of(w.d))->max_bytes = 1; /* full: a new one is due ... */
    drain_spool(w.d)->max_bytes = 1;
    journal_disk(drain_journal_of(w.d))->write = head_alone; /* ... and nothing comes into it */
    assert_int_equal(drain_turn(w.d), RC_IO);
    world_restart(&w);
    pump(&w);
    assert_int_equal(records(&w), 10);
    assert_int_equal(lines(&w, &notes), 10);
    world_close(&w);
}

/* ---- kills ---- */

static void nap_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static pid_t child(void (*run)(struct world *), struct world *w)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(w);
        _exit(0);
    }
    return pid;
}

static void run_worker(struct world *w)
{
    struct ring *r;
    if (ring_map(w->fd, &r) != RC_OK)
        _exit(1);
    for (unsigned i = 0;; i++) {
        put_record(r);
        put_line(r);
        if (i % 16 == 0)
            nap_us(300);
    }
}

static void run_logger(struct world *w)
{
    struct drain *d = logger_start(w, true);
    journal_disk(drain_journal_of(d))->max_bytes = 3 << 20;
    drain_spool(d)->max_bytes = 5 << 20;
    for (;;) {
        if (drain_turn(d) != RC_OK)
            nap_us(200);
    }
}

static void stop_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void kill_9_under_load_loses_and_doubles_neither(void **state)
{
    (void)state;
    struct world w;
    unsigned notes;
    world_open(&w);
    drain_free(w.d);
    pid_t worker = child(run_worker, &w);
    for (unsigned k = 0; k < KILLS; k++) {
        pid_t logger = child(run_logger, &w);
        nap_us(10000 + (k * 7919) % 30000);
        stop_child(logger);
        if (k % 3 == 0) {
            stop_child(worker);
            worker = child(run_worker, &w);
        }
    }
    stop_child(worker);
    w.d = logger_start(&w, true);
    pump(&w);
    struct ring *r;
    assert_int_equal(ring_map(w.fd, &r), RC_OK);
    uint64_t n = records(&w);
    assert_true(n > 1000);
    assert_int_equal(ring_next_of(r, RING_RECORD), n + 1);
    assert_int_equal(ring_next_seq(r), lines(&w, &notes) + 1);
    print_message("%llu records across %d kills\n", (unsigned long long)n, KILLS);
    ring_unmap(r);
    world_close(&w);
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
        cmocka_unit_test(without_a_journal_nothing_moves),
        cmocka_unit_test(what_is_no_record_is_told),
        cmocka_unit_test(a_journal_that_cannot_be_written_holds_all),
        cmocka_unit_test(a_log_that_cannot_be_written_doubles_no_record),
        cmocka_unit_test(both_are_written_before_either_is_synced),
        cmocka_unit_test(a_sync_of_records_that_fails_doubles_neither),
        cmocka_unit_test(on_two_file_systems_records_are_synced_first),
        cmocka_unit_test(a_start_that_fails_is_a_sync_that_fails),
        cmocka_unit_test(a_file_system_without_start_is_no_failure),
        cmocka_unit_test(a_rotation_waits_for_lines_that_stand_already),
        cmocka_unit_test(another_name_takes_no_lines_that_stand_already),
        cmocka_unit_test(a_kill_between_write_and_sync_leaves_the_sync_to_the_next),
        cmocka_unit_test(another_logger_goes_on_with_both),
        cmocka_unit_test(no_file_is_begun_before_the_ring_has_moved_on),
        cmocka_unit_test(kill_9_under_load_loses_and_doubles_neither),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
