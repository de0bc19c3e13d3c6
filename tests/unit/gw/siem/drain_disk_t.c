/* No accepted line is lost or doubled, whatever the disk or a kill does. Only the disk's refusals are played.
 */
#include "tests/unit/gw/siem/drain_tally.h"

#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/kids.h"

/* ---- the disk ---- */

static struct {
    int fail_errno;                      /* every call fails with this */
    unsigned short_by;                   /* writes at most so many bytes at once */
    unsigned ok_writes;                  /* so many succeed before fail_errno takes effect */
    unsigned sync_fails, dir_sync_fails; /* so many syncs fail */
} disk;

static ssize_t bad_write(int fd, const void *p, size_t n)
{
    if (disk.fail_errno && disk.ok_writes == 0) {
        errno = disk.fail_errno;
        return -1;
    }
    disk.ok_writes -= disk.ok_writes > 0;
    return write(fd, p, disk.short_by && n > disk.short_by ? disk.short_by : n);
}

static int bad_sync(int fd)
{
    if (disk.sync_fails > 0) {
        disk.sync_fails--;
        errno = EIO;
        return -1;
    }
    return fdatasync(fd);
}

static int bad_dir_sync(int fd)
{
    if (disk.dir_sync_fails > 0) {
        disk.dir_sync_fails--;
        errno = EIO;
        return -1;
    }
    return fsync(fd);
}

static void play_disk(struct world *w)
{
    memset(&disk, 0, sizeof disk);
    drain_spool(w->d)->sync_dir = bad_dir_sync;
    drain_spool(w->d)->write = bad_write;
    drain_spool(w->d)->sync = bad_sync;
}

static void a_full_disk_keeps_all_and_goes_on(void **state)
{
    (void)state;
    for (unsigned ok = 0; ok < 4; ok++) {
        struct world w;
        world_open(&w);
        play_disk(&w);
        disk.short_by = 333; /* the disk fills up within a line */
        disk.ok_writes = ok;
        disk.fail_errno = ENOSPC;
        put_lines(&w, 0, 20);
        put_lines(&w, 1, 20);
        uint64_t used = ring_used(w.w[0]);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(drain_turn(w.d), RC_IO);
            assert_int_equal(drain_spool(w.d)->last_errno, ENOSPC);
            assert_int_equal(ring_used(w.w[0]), used);
        }
        put_lines(&w, 0, 5);
        disk.fail_errno = 0;
        pump(&w);
        assert_int_equal(drain_spool(w.d)->last_errno, 0);
        struct tally t = tally_all(&w);
        assert_int_equal(t.last[0], 25);
        assert_int_equal(t.last[1], 20);
        assert_int_equal(t.lines, 45);
        assert_int_equal(t.missing + t.doubled + t.notes, 0);
        world_close(&w);
    }
}

static void a_kill_while_the_disk_is_full_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (unsigned ok = 0; ok < 24; ok++) {
        struct world w;
        world_open(&w);
        play_disk(&w);
        disk.short_by = 151;
        disk.ok_writes = ok;
        disk.fail_errno = EIO;
        put_lines(&w, 0, 6);
        put_lines(&w, 1, 6);
        assert_int_equal(drain_turn(w.d), RC_IO);
        world_restart(&w);
        pump(&w);
        struct tally t = tally_all(&w);
        assert_int_equal(t.last[0], 6);
        assert_int_equal(t.last[1], 6);
        assert_int_equal(t.missing + t.doubled, 0);
        assert_int_equal(t.notes, t.torn);
        assert_true(t.torn <= 1);
        world_close(&w);
    }
}

static void after_a_failed_sync_all_is_written_to_a_new_file(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 3);
    pump(&w);
    play_disk(&w);
    disk.sync_fails = 1;
    put_lines(&w, 0, 4);
    assert_int_equal(drain_turn(w.d), RC_IO);
    assert_true(ring_used(w.w[0]) > 0); /* not accepted as written */
    pump(&w);
    struct tally t = {0};
    tally_file(&w, "eve.json", &t);
    assert_int_equal(t.lines, 4); /* 4..7, whatever became of the suspect file */
    assert_int_equal(t.last[0], 7);
    t = tally_all(&w);
    assert_int_equal(t.missing, 0);
    assert_int_equal(t.doubled, 4); /* removable by (boot, worker, seq) */
    assert_int_equal(t.files, 2);
    world_close(&w);
}

static enum rc ask_for_rotation(struct world *w)
{
    return drain_target(w->d, fcntl(drain_spool(w->d)->dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json"));
}

/* The directory is gone for the moment: the file is begun once it is there again. */
static void a_rotation_that_fails_is_done_later(void **state)
{
    (void)state;
    char path[] = "/tmp/perron-gone-XXXXXX";
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 3);
    pump(&w);
    assert_non_null(mkdtemp(path));
    int gone = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir = drain_spool(w.d)->dir;
    assert_int_equal(rmdir(path), 0);
    drain_spool(w.d)->dir = gone;
    assert_int_equal(ask_for_rotation(&w), RC_IO);
    drain_spool(w.d)->dir = dir;
    close(gone);
    put_lines(&w, 0, 4);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.files, 2);
    assert_int_equal(t.last[0], 7);
    assert_int_equal(t.missing + t.doubled, 0);
    put_lines(&w, 0, 1);
    pump(&w);
    assert_int_equal(tally_all(&w).files, 2); /* once */
    world_close(&w);
}

/* What stands in a file whose name a power cut would take is not written yet. */
static void nothing_counts_in_a_file_whose_name_is_not_on_the_disk(void **state)
{
    (void)state;
    for (unsigned opened = 0; opened < 2; opened++) {
        struct world w;
        world_open(&w);
        put_lines(&w, 0, 3);
        pump(&w);
        if (opened)
            world_restart(&w);
        play_disk(&w);
        put_lines(&w, 0, 4);
        disk.dir_sync_fails = 2;
        if (!opened)
            assert_int_equal(ask_for_rotation(&w), RC_IO);
        while (disk.dir_sync_fails > 0) {
            assert_int_equal(drain_turn(w.d), RC_IO);
            assert_int_equal(drain_spool(w.d)->last_errno, EIO);
            assert_true(ring_used(w.w[0]) > 0);
        }
        pump(&w);
        struct tally t = tally_all(&w);
        assert_int_equal(t.files, opened ? 1 : 2);
        assert_int_equal(t.last[0], 7);
        assert_int_equal(t.missing + t.doubled, 0);
        world_close(&w);
    }
}

static void a_kill_between_write_and_tail_doubles_nothing(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 3);
    pump(&w);
    play_disk(&w);
    put_lines(&w, 0, 50);
    put_lines(&w, 1, 50);
    disk.sync_fails = 1; /* written, but the tails have not moved: the moment of the kill */
    assert_int_equal(drain_turn(w.d), RC_IO);
    put_lines(&w, 1, 1);
    world_restart(&w);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(drain_counts(w.d)->skipped, 100);
    assert_int_equal(t.lines, 3 + 101);
    assert_int_equal(t.missing + t.doubled + t.notes, 0);
    world_close(&w);
}

/* The old file's end is uncertain, so it counts as not written: again, and only again, in a new one. */
static void a_sync_that_fails_at_opening_begins_a_new_file(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 3);
    pump(&w);
    play_disk(&w);
    put_lines(&w, 0, 4);
    disk.sync_fails = 1;
    assert_int_equal(drain_turn(w.d), RC_IO);
    world_restart(&w);
    play_disk(&w);
    disk.sync_fails = 1;
    uint64_t used = ring_used(w.w[0]);
    assert_int_equal(drain_turn(w.d), RC_IO);
    assert_int_equal(drain_errno(w.d), EIO);
    assert_int_equal(ring_used(w.w[0]), used);
    pump(&w);
    assert_int_equal(drain_errno(w.d), 0);
    struct tally t = {.last = {3, 0}};
    tally_file(&w, "eve.json", &t);
    assert_int_equal(t.lines, 4);
    assert_int_equal(t.missing + t.doubled, 0);
    t = tally_all(&w);
    assert_int_equal(t.files, 2);
    assert_int_equal(t.doubled, 4);
    world_close(&w);
}

static void a_real_full_disk(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct world w;
        if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", "/tmp", "tmpfs", 0, "size=64k") != 0)
            _exit(77);
        world_open(&w);
        for (unsigned i = 0; i < 1000; i++)
            put_lines(&w, i % 2, 1); /* some 300 KiB */
        enum rc rc;
        do {
            rc = drain_turn(w.d);
        } while (rc == RC_OK);
        bool full = rc == RC_IO && drain_spool(w.d)->last_errno == ENOSPC;
        full = full && mount("none", "/tmp", "tmpfs", MS_REMOUNT, "size=4m") == 0;
        pump(&w);
        struct tally t = tally_all(&w);
        _exit(full && t.last[0] == 500 && t.last[1] == 500 && t.lines == 1000 ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- kills under load ---- */

enum { KILLS = 20, RATE_US = 150 };

static void run_worker(void *arg, uint32_t i)
{
    const struct world *w = arg;
    struct ring *r;
    if (ring_map(w->fd[i], &r) != RC_OK)
        _exit(1);
    for (;;) {
        uint64_t seq = ring_next_seq(r);
        bool wake;
        if (ring_reserve(r) == RC_OK)
            ring_put(r, RING_EVENT, line_of(i, seq, seq * 37 % 900), &wake);
        if (seq % 16 == 0)
            nap_us(RATE_US);
    }
}

static void run_logger(void *arg, uint32_t unused)
{
    (void)unused;
    struct drain *d = logger_start(arg);
    drain_spool(d)->max_bytes = 8 << 20;
    for (;;) {
        if (drain_turn(d) != RC_OK)
            nap_us(200);
    }
}

static void kill_9_of_logger_and_workers_under_load(void **state)
{
    (void)state;
    struct world w;
    pid_t logger, worker[RINGS];
    world_open(&w);
    drain_free(w.d);
    for (uint32_t i = 0; i < RINGS; i++)
        worker[i] = child(run_worker, &w, i);
    for (unsigned k = 0; k < KILLS; k++) {
        logger = child(run_logger, &w, 0);
        nap_us(20000 + (k * 7919) % 20000);
        stop_child(logger);
        if (k % 3 == 0) { /* and now and then a worker */
            stop_child(worker[k % RINGS]);
            worker[k % RINGS] = child(run_worker, &w, k % RINGS);
        }
    }
    for (size_t i = 0; i < RINGS; i++)
        stop_child(worker[i]);
    w.d = logger_start(&w);
    pump(&w);
    struct tally t = tally_all(&w);
    print_message(
        "%llu + %llu lines in %u files across %d kills of the logger, %u torn: %u missing, %u doubled\n",
        (unsigned long long)t.last[0], (unsigned long long)t.last[1], t.files, KILLS, t.torn, t.missing,
        t.doubled);
    assert_true(t.last[0] > 1000 && t.last[1] > 1000);
    assert_int_equal(t.missing, 0);
    assert_int_equal(t.doubled, 0);
    assert_int_equal(t.gaps + t.malformed + t.broken, 0);
    for (uint32_t i = 0; i < RINGS; i++) { /* the last accepted line of each is the file's last */
        struct ring *r;
        assert_int_equal(ring_map(w.fd[i], &r), RC_OK);
        assert_int_equal(ring_next_seq(r), t.last[i] + 1);
        ring_unmap(r);
    }
    world_close(&w);
}

/* From a line to the disk: the rest of one turn, the wait, one turn. */
static void a_slow_disk_is_asked_sooner(void **state)
{
    (void)state;
    assert_int_equal(drain_gather_ms(0), LIM_LOG_GATHER_MOST);
    for (int64_t turn_ms = 0; 2 * turn_ms + LIM_LOG_GATHER_MS + LIM_LOG_SPARE_MS <= LIM_LOG_SYNC_MS;
         turn_ms++)
        assert_true(2 * turn_ms + drain_gather_ms(turn_ms) + LIM_LOG_SPARE_MS <= LIM_LOG_SYNC_MS);
    assert_int_equal(drain_gather_ms(1000), LIM_LOG_GATHER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_keeps_all_and_goes_on),
        cmocka_unit_test(a_kill_while_the_disk_is_full_loses_and_doubles_nothing),
        cmocka_unit_test(after_a_failed_sync_all_is_written_to_a_new_file),
        cmocka_unit_test(a_rotation_that_fails_is_done_later),
        cmocka_unit_test(nothing_counts_in_a_file_whose_name_is_not_on_the_disk),
        cmocka_unit_test(a_kill_between_write_and_tail_doubles_nothing),
        cmocka_unit_test(a_sync_that_fails_at_opening_begins_a_new_file),
        cmocka_unit_test(a_real_full_disk),
        cmocka_unit_test(a_slow_disk_is_asked_sooner),
        cmocka_unit_test(kill_9_of_logger_and_workers_under_load),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
