/* No accepted line is lost or doubled, whatever the disk, a worker or a kill does; and every line of every
 * file is one JSON object. The worlds here are real directories and real rings; only the disk's refusals are
 * played. */
#include "gw/siem/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"
#include "gw/siem/event.h"

enum { RINGS = 2, BOOT = 0xb007 };

struct world {
    char path[64];
    int dir, fd[RINGS];
    struct ring *w[RINGS]; /* the workers' views */
    struct drain *d;
};

static struct drain *logger_start(const struct world *w)
{
    struct drain *d;
    assert_int_equal(drain_new(BOOT, SPAN("node-a"), &d), RC_OK);
    assert_int_equal(drain_target(d, fcntl(w->dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
    for (uint32_t i = 0; i < RINGS; i++)
        assert_int_equal(drain_add(d, w->fd[i], BOOT, i), RC_OK);
    return d;
}

static void world_open(struct world *w)
{
    strcpy(w->path, "/tmp/perron-drain-XXXXXX");
    assert_non_null(mkdtemp(w->path));
    w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (uint32_t i = 0; i < RINGS; i++) {
        assert_int_equal(ring_create(BOOT, i, &w->fd[i]), RC_OK);
        assert_int_equal(ring_map(w->fd[i], &w->w[i]), RC_OK);
    }
    w->d = logger_start(w);
}

static void world_restart(struct world *w)
{
    drain_free(w->d);
    w->d = logger_start(w);
}

static void each_file(const struct world *w, void (*f)(const struct world *, const char *, void *), void *arg)
{
    struct dirent **names;
    int n = scandir(w->path, &names, NULL, alphasort);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.')
            f(w, names[i]->d_name, arg);
        free(names[i]);
    }
    free(names);
}

static void remove_one(const struct world *w, const char *name, void *arg)
{
    (void)arg;
    unlinkat(w->dir, name, 0);
}

static void world_close(struct world *w)
{
    drain_free(w->d);
    each_file(w, remove_one, NULL);
    close(w->dir);
    rmdir(w->path);
    for (size_t i = 0; i < RINGS; i++) {
        ring_unmap(w->w[i]);
        close(w->fd[i]);
    }
}

static void put_raw(struct ring *r, span s)
{
    bool wake;
    assert_int_equal(ring_reserve(r), RC_OK);
    ring_put(r, RING_EVENT, s, &wake);
}

/* An honest line of worker i with about `more` bytes of stuffing. */
static span line_of(uint32_t worker, uint64_t seq, size_t more)
{
    static struct buf b;
    static char stuffing[2000];
    memset(stuffing, 'x', sizeof stuffing);
    struct event_http e = {
        .id = {.flow_id = seq, .wall_us = (int64_t)seq},
        .path = span_of(stuffing, more < sizeof stuffing ? more : sizeof stuffing),
        .perron = {.reason = "done", .worker = worker, .boot = BOOT, .seq = seq},
    };
    assert_int_equal(event_http_json(&b, &e), RC_OK);
    return buf_span(&b);
}

static void put_lines(struct world *w, uint32_t worker, unsigned n)
{
    while (n-- > 0)
        put_raw(w->w[worker], line_of(worker, ring_next_seq(w->w[worker]), 100));
}

static void pump(struct world *w)
{
    enum rc rc;
    do {
        rc = drain_turn(w->d);
    } while (rc == RC_OK);
    assert_int_equal(rc, RC_MORE);
}

/* ---- what stands in the files ---- */

struct tally {
    uint64_t last[RINGS]; /* highest number of each worker, seen once each and in order */
    unsigned lines, files, notes, malformed, gaps, torn, broken, doubled, missing;
};

static void tally_note(struct tally *t, const char *reason)
{
    t->notes++;
    t->malformed += strcmp(reason, "malformed-event") == 0;
    t->gaps += strcmp(reason, "log-gap") == 0;
    t->torn += strcmp(reason, "log-torn") == 0;
    t->broken += strcmp(reason, "ring-broken") == 0;
}

static void tally_line(struct tally *t, span line)
{
    json_error_t err;
    json_t *j = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &err);
    if (!j)
        fail_msg("%s: %.*s", err.text, (int)line.n, (const char *)line.p);
    json_t *p = json_object_get(j, "perron"), *seq = json_object_get(p, "seq");
    const char *type = json_string_value(json_object_get(j, "event_type"));
    t->lines++;
    if (strcmp(type, "engine") == 0)
        tally_note(t, json_string_value(json_object_get(p, "reason")));
    if (seq) {
        size_t worker = (size_t)json_integer_value(json_object_get(p, "worker"));
        uint64_t n = (uint64_t)json_integer_value(seq);
        assert_true(worker < RINGS);
        t->doubled += n <= t->last[worker];
        if (n > t->last[worker]) {
            t->missing += (unsigned)(n - t->last[worker] - 1);
            t->last[worker] = n;
        }
    }
    json_decref(j);
}

static void slurp(const struct world *w, const char *name, struct buf *b)
{
    struct stat st;
    int fd = openat(w->dir, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(buf_reserve(b, (size_t)st.st_size), RC_OK);
    assert_int_equal(read(fd, b->p + b->w, (size_t)st.st_size), st.st_size);
    b->w += (size_t)st.st_size;
    close(fd);
}

static void tally_file(const struct world *w, const char *name, void *arg)
{
    struct tally *t = arg;
    struct buf b = {0};
    slurp(w, name, &b);
    span s = buf_span(&b);
    size_t at = 0, nl;
    for (; (nl = span_find(s, '\n', at)) != SIZE_MAX; at = nl + 1)
        tally_line(t, span_cut(s, at, nl));
    assert_int_equal(at, s.n); /* the file ends with a line's end */
    t->files++;
    buf_fini(&b);
}

/* "eve.json" is the newest file but sorts first. */
static void tally_old(const struct world *w, const char *name, void *arg)
{
    if (strcmp(name, "eve.json") != 0)
        tally_file(w, name, arg);
}

static struct tally tally_all(const struct world *w)
{
    struct tally t = {0};
    each_file(w, tally_old, &t);
    tally_file(w, "eve.json", &t);
    return t;
}

static void write_file(const struct world *w, const char *name, const void *p, size_t n)
{
    int fd = openat(w->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

/* ---- a captured worker ---- */

static void what_is_no_line_of_its_own_is_replaced(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const char *const bad[] = {
        "",
        "{",
        "x",
        "{}",
        "no json",
        "{\"a\":1}\n{\"b\":2}",
        "{\"perron\":{\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":1}}\n",
        "{\"a\":\"\x1b[2J\",\"perron\":{,\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":9}}",
        "{\"perron\":{\"x\":1,\"worker\":1,\"boot\":\"000000000000b007\",\"seq\":9}}",  /* another worker's
                                                                                           name */
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000b008\",\"seq\":10}}", /* another run's */
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000B007\",\"seq\":12}}",
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":013}}",
        "{\"perron\":{\"x\":1,\"worker\":-0,\"boot\":\"000000000000b007\",\"seq\":14}}",
        "{\"perron\":{\"x\":1,\"worker\":0,\"boot\":\"000000000000b007\",\"seq\":99999999999999999999}}",
    };
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        put_raw(w.w[0], span_str(bad[i]));
    put_raw(w.w[0], span_of("{\0}", 3));
    put_lines(&w, 0, 1);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.malformed, N_ELEMS(bad) + 1);
    assert_int_equal(t.lines, N_ELEMS(bad) + 2);
    assert_int_equal(t.missing + t.doubled, 0);
    assert_int_equal(drain_counts(w.d)->malformed, N_ELEMS(bad) + 1);
    world_close(&w);
}

static void a_worker_cannot_have_anothers_lines_skipped(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_raw(w.w[0], line_of(1, 1000, 10)); /* worker 0 says: worker 1 is at 1000 already */
    pump(&w);
    put_lines(&w, 1, 5);
    world_restart(&w);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.last[1], 5);
    assert_int_equal(t.missing, 0);
    world_close(&w);
}

/* Lines that found the ring full wait in their worker, all with the number that was next when they were
 * written. */
static void a_line_gets_the_number_of_its_frame(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    static const uint64_t numbers[] = {1, 1, 1, 99, 123456789, 0, 7};
    for (size_t i = 0; i < N_ELEMS(numbers); i++)
        put_raw(w.w[0], line_of(0, numbers[i], 10));
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.last[0], N_ELEMS(numbers));
    assert_int_equal(t.missing + t.doubled + t.notes, 0);
    world_close(&w);
}

static void a_broken_ring_is_reported_and_serves_again(void **state)
{
    (void)state;
    struct world w;
    uint32_t kind = 7;
    world_open(&w);
    put_lines(&w, 0, 3);
    assert_int_equal(pwrite(w.fd[0], &kind, 4, 4096 + 4), 4); /* the first frame's kind */
    put_lines(&w, 1, 3);
    pump(&w);
    put_lines(&w, 0, 2);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.broken, 1);
    assert_int_equal(t.last[1], 3);
    assert_int_equal(t.last[0], 5);
    assert_int_equal(t.missing, 3);
    world_close(&w);
}

static void missing_numbers_are_reported(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 2);
    pump(&w);
    put_lines(&w, 0, 3);
    ring_reset(w.w[0]); /* somebody drops three lines */
    put_lines(&w, 0, 1);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.gaps, 1);
    assert_int_equal(t.missing, 3);
    world_close(&w);
}

/* ---- names and places ---- */

static void only_plain_names_are_taken(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    char longer[SPOOL_NAME + 2];
    memset(longer, 'a', sizeof longer);
    static const char *const bad[] = {"",        ".",      "..",  "../x", "a/b",
                                      ".hidden", "/etc/x", "a b", "a\n",  "\xc3\xa9"};
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), span_str(bad[i])), RC_BAD);
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), span_of(longer, sizeof longer)),
                     RC_BAD);
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), span_of("a\0b", 3)), RC_BAD);
    assert_int_equal(drain_target(w.d, -1, SPAN("a")), RC_BAD);
    world_close(&w);
}

static void a_link_or_a_pipe_in_its_place_is_not_followed(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 1);
    assert_int_equal(symlinkat("elsewhere", w.dir, "eve.json"), 0);
    assert_int_equal(drain_turn(w.d), RC_IO);
    assert_int_equal(drain_spool(w.d)->last_errno, ELOOP);
    unlinkat(w.dir, "eve.json", 0);
    assert_int_equal(mkfifoat(w.dir, "eve.json", 0600), 0);
    assert_int_equal(drain_turn(w.d), RC_IO);
    unlinkat(w.dir, "eve.json", 0);
    pump(&w);
    assert_int_equal(tally_all(&w).last[0], 1);
    world_close(&w);
}

static void without_a_file_everything_waits(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    struct drain *d;
    put_lines(&w, 0, 4);
    assert_int_equal(drain_new(BOOT, SPAN_NONE, &d), RC_OK);
    assert_int_equal(drain_add(d, w.fd[0], BOOT, 0), RC_OK);
    assert_int_equal(drain_turn(d), RC_NOTFOUND);
    drain_free(d);
    pump(&w);
    assert_int_equal(tally_all(&w).last[0], 4);
    world_close(&w);
}

static void the_same_ring_twice_is_one_ring(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_int_equal(drain_add(w.d, w.fd[0], BOOT, 0), RC_OK);
    assert_int_equal(drain_add(w.d, w.dir, BOOT, 9), RC_BAD);
    put_lines(&w, 0, 4);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.lines, 4);
    world_close(&w);
}

/* ---- the disk ---- */

static struct {
    int fail_errno;      /* every call fails with this */
    unsigned short_by;   /* writes at most so many bytes at once */
    unsigned ok_writes;  /* so many succeed before fail_errno takes effect */
    unsigned sync_fails; /* so many syncs fail */
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

static void play_disk(struct world *w)
{
    memset(&disk, 0, sizeof disk);
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

/* ---- torn lines ---- */

static void a_torn_line_becomes_one_whole_report(void **state)
{
    (void)state;
    static const size_t piece[] = {1, 2, 50, 300, 700, 4000, 16384};
    for (size_t i = 0; i < N_ELEMS(piece); i++) {
        for (unsigned before = 0; before < 3; before++) {
            struct world w;
            struct buf b = {0};
            world_open(&w);
            for (uint64_t v = 1; v <= before; v++) {
                assert_int_equal(buf_put(&b, line_of(0, v, 20)), RC_OK);
                assert_int_equal(buf_put_u8(&b, '\n'), RC_OK);
            }
            for (size_t k = 0; k < piece[i]; k++)
                assert_int_equal(buf_put_u8(&b, k == 0 ? '{' : k % 7 ? '"' : 0xff), RC_OK);
            write_file(&w, "eve.json", b.p, buf_len(&b));
            put_lines(&w, 1, 2);
            pump(&w);
            struct tally t = tally_all(&w);
            assert_int_equal(t.torn, 1);
            assert_int_equal(t.lines, before + 3);
            assert_int_equal(t.last[1], 2);
            buf_fini(&b);
            world_close(&w);
        }
    }
}

static void a_file_that_is_no_log_is_put_aside(void **state)
{
    (void)state;
    struct world w;
    static uint8_t noise[200000];
    world_open(&w);
    memset(noise, 'n', sizeof noise);
    write_file(&w, "eve.json", noise, sizeof noise);
    put_lines(&w, 0, 2);
    pump(&w);
    struct tally t = {0};
    tally_file(&w, "eve.json", &t);
    assert_int_equal(t.lines, 2);
    world_close(&w);
}

/* ---- rotation ---- */

static void rotation_by_size_splits_and_loses_no_line(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    drain_spool(w.d)->max_bytes = 20000;
    for (unsigned i = 0; i < 30; i++) {
        put_lines(&w, i % RINGS, 10);
        pump(&w);
    }
    struct tally t = tally_all(&w);
    assert_int_equal(t.lines, 300);
    assert_int_equal(t.missing + t.doubled + t.notes,
                     0); /* also: names sort in order of time within a second */
    assert_in_range(t.files, 5, 9);
    world_close(&w);
}

static void rotation_on_demand_and_by_others(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    put_lines(&w, 0, 3);
    pump(&w);
    assert_int_equal(drain_target(w.d, fcntl(w.dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
    put_lines(&w, 0, 3);
    pump(&w);
    assert_int_equal(tally_all(&w).files, 2);
    assert_int_equal(renameat(w.dir, "eve.json", w.dir, "zz-moved-by-logrotate"), 0);
    drain_check_file(w.d);
    put_lines(&w, 0, 3);
    pump(&w);
    struct tally t = tally_all(&w);
    assert_int_equal(t.files, 3);
    assert_int_equal(t.last[0], 9);
    assert_int_equal(t.missing + t.doubled, 0);
    unlinkat(w.dir, "eve.json", 0);
    drain_check_file(w.d);
    put_lines(&w, 0, 1);
    pump(&w);
    t = (struct tally){.last = {9, 0}};
    tally_file(&w, "eve.json", &t);
    assert_int_equal(t.last[0], 10);
    world_close(&w);
}

static void the_file_is_not_readable_by_others(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    world_open(&w);
    mode_t was = umask(0);
    put_lines(&w, 0, 1);
    pump(&w);
    umask(was);
    assert_int_equal(fstatat(w.dir, "eve.json", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    world_close(&w);
}

static void a_flood_of_one_worker_does_not_keep_another_waiting(void **state)
{
    (void)state;
    struct world w;
    bool wake;
    world_open(&w);
    while (ring_reserve(w.w[0]) == RC_OK)
        ring_put(w.w[0], RING_EVENT, line_of(0, ring_next_seq(w.w[0]), 1000), &wake);
    put_lines(&w, 1, 1);
    assert_int_equal(drain_turn(w.d), RC_OK); /* one batch */
    assert_int_equal(ring_used(w.w[1]), 0);
    assert_true(ring_used(w.w[0]) > 0);
    assert_true(drain_full(w.d));
    world_close(&w);
}

/* Two syncs for every few lines cost more than all else the logger does. */
static void a_short_batch_says_that_the_next_may_wait(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    assert_false(drain_full(w.d));
    put_lines(&w, 0, 3);
    assert_int_equal(drain_turn(w.d), RC_OK);
    assert_false(drain_full(w.d));
    world_close(&w);
}

/* ---- kills under load ---- */

enum { KILLS = 20, RATE_US = 150 };

static void nap_us(long us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static pid_t child(void (*run)(struct world *, uint32_t), struct world *w, uint32_t arg)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(w, arg);
        _exit(0);
    }
    return pid;
}

static void run_worker(struct world *w, uint32_t i)
{
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

static void run_logger(struct world *w, uint32_t unused)
{
    (void)unused;
    struct drain *d = logger_start(w);
    drain_spool(d)->max_bytes = 8 << 20;
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

static int quiet(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR);
    return 0;
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
        cmocka_unit_test(what_is_no_line_of_its_own_is_replaced),
        cmocka_unit_test(a_worker_cannot_have_anothers_lines_skipped),
        cmocka_unit_test(a_line_gets_the_number_of_its_frame),
        cmocka_unit_test(a_broken_ring_is_reported_and_serves_again),
        cmocka_unit_test(missing_numbers_are_reported),
        cmocka_unit_test(only_plain_names_are_taken),
        cmocka_unit_test(a_link_or_a_pipe_in_its_place_is_not_followed),
        cmocka_unit_test(without_a_file_everything_waits),
        cmocka_unit_test(the_same_ring_twice_is_one_ring),
        cmocka_unit_test(a_full_disk_keeps_all_and_goes_on),
        cmocka_unit_test(a_kill_while_the_disk_is_full_loses_and_doubles_nothing),
        cmocka_unit_test(after_a_failed_sync_all_is_written_to_a_new_file),
        cmocka_unit_test(a_kill_between_write_and_tail_doubles_nothing),
        cmocka_unit_test(a_real_full_disk),
        cmocka_unit_test(a_torn_line_becomes_one_whole_report),
        cmocka_unit_test(a_file_that_is_no_log_is_put_aside),
        cmocka_unit_test(rotation_by_size_splits_and_loses_no_line),
        cmocka_unit_test(rotation_on_demand_and_by_others),
        cmocka_unit_test(the_file_is_not_readable_by_others),
        cmocka_unit_test(a_flood_of_one_worker_does_not_keep_another_waiting),
        cmocka_unit_test(a_short_batch_says_that_the_next_may_wait),
        cmocka_unit_test(a_slow_disk_is_asked_sooner),
        cmocka_unit_test(kill_9_of_logger_and_workers_under_load),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
