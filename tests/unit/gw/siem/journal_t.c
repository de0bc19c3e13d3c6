/* The journal: nothing that was written is lost or doubled whatever the disk does; nothing can be changed
 * without the chain telling; each code is found. The directories are real; only the disk's refusals are
 * played. */
#include "gw/siem/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"

enum { BOOT = 0xb007 };

struct world {
    char path[64];
    int dir;
    struct journal *j;
};

static void world_reopen(struct world *w)
{
    journal_free(w->j);
    assert_int_equal(journal_new(&w->j), RC_OK);
    journal_target(w->j, fcntl(w->dir, F_DUPFD_CLOEXEC, 0));
}

static void world_open(struct world *w)
{
    *w = (struct world){.path = "/tmp/perron-journal-XXXXXX"};
    assert_non_null(mkdtemp(w->path));
    w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    world_reopen(w);
}

static void world_close(struct world *w)
{
    char cmd[128];
    journal_free(w->j);
    for (int i = 0; i < 100; i++) {
        static const char *const endings[] = {"seg", "idx", "tmp"};
        for (size_t k = 0; k < N_ELEMS(endings); k++) {
            snprintf(cmd, sizeof cmd, "%s/%012d.%s", w->path, i, endings[k]);
            unlink(cmd);
        }
    }
    unlinkat(w->dir, "map", 0);
    close(w->dir);
    assert_int_equal(rmdir(w->path), 0);
}

/* A record that says its number, `more` bytes long beyond that. */
static span record_of(uint64_t number, size_t more)
{
    static uint8_t bytes[LIM_RECORD_BYTES];
    uint64_t code = journal_code(1, number);
    for (size_t i = 0; i < sizeof code; i++)
        bytes[i] = (uint8_t)(code >> 8 * i);
    for (size_t i = 0; i < more; i++)
        bytes[8 + i] = (uint8_t)(number + i);
    return span_of(bytes, 8 + more);
}

static void add(struct world *w, uint64_t seq)
{
    assert_int_equal(journal_add(w->j, BOOT, 3, seq, record_of(1000 + seq, seq * 37 % 500)), RC_OK);
}

static void add_some(struct world *w, uint64_t from, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        add(w, from + i);
    assert_int_equal(journal_write(w->j, true), RC_OK);
}

struct tally {
    uint64_t next; /* expected number; each once, in order */
    uint64_t told; /* of so many before they were due */
    struct journal_walk walk;
};

static enum rc tally_one(const struct journal_frame *f, void *arg)
{
    struct tally *t = arg;
    assert_true(f->boot == BOOT && f->worker == 3);
    assert_int_equal(f->seq, t->next);
    span want = record_of(1000 + f->seq, f->seq * 37 % 500);
    assert_true(span_eq(f->record, want));
    assert_true(f->code == journal_code(1, 1000 + f->seq));
    assert_true(t->told >= t->next && t->told < t->next + JOURNAL_AHEAD);
    t->next++;
    return RC_OK;
}

static void tally_ahead(const struct journal_frame *f, void *arg)
{
    struct tally *t = arg;
    assert_int_equal(f->seq, ++t->told);
    assert_true(span_eq(f->record, record_of(1000 + f->seq, f->seq * 37 % 500)));
}

static struct tally tally(const struct world *w)
{
    struct tally t = {.next = 1,
                      .walk = {.dir = w->dir, .verify = true, .each = tally_one, .ahead = tally_ahead}};
    t.walk.arg = &t;
    assert_int_equal(journal_walk(&t.walk), RC_OK);
    return t;
}

/* Records 1 to n, each once, the chain whole. */
static void assert_whole(const struct world *w, uint64_t n)
{
    struct tally t = tally(w);
    if (t.walk.broken)
        fail_msg("segment %llu, byte %llu: %s", (unsigned long long)t.walk.segment,
                 (unsigned long long)t.walk.at, t.walk.broken);
    assert_int_equal(t.next, n + 1);
    assert_int_equal(t.walk.n_records, n);
}

static enum rc find(const struct world *w, uint64_t seq, unsigned *more)
{
    struct buf b = {0};
    struct journal_frame f;
    enum rc rc = journal_find(w->dir, journal_code(1, 1000 + seq), &b, &f, more);
    if (rc == RC_OK) {
        assert_int_equal(f.seq, seq);
        assert_true(span_eq(f.record, record_of(1000 + seq, seq * 37 % 500)));
    }
    buf_fini(&b);
    return rc;
}

static void assert_found(const struct world *w, uint64_t n)
{
    unsigned more;
    for (uint64_t seq = 1; seq <= n; seq++) {
        assert_int_equal(find(w, seq, &more), RC_OK);
        assert_int_equal(more, 0);
    }
    assert_int_equal(find(w, n + 1, &more), RC_NOTFOUND);
    assert_int_equal(find(w, 0, &more), RC_NOTFOUND);
}

static int open_segment(const struct world *w, unsigned n, const char *ending)
{
    char name[32];
    snprintf(name, sizeof name, "%012u.%s", n, ending);
    return openat(w->dir, name, O_RDWR | O_CLOEXEC);
}

static off_t size_of(const struct world *w, unsigned n, const char *ending)
{
    struct stat st;
    int fd = open_segment(w, n, ending);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    close(fd);
    return st.st_size;
}

/* ---- what is refused ---- */

static void without_a_directory_nothing_is_written(void **state)
{
    struct journal *j;
    (void)state;
    assert_int_equal(journal_new(&j), RC_OK);
    assert_int_equal(journal_ready(j), RC_NOTFOUND);
    assert_int_equal(journal_add(j, BOOT, 3, 1, record_of(1, 0)), RC_OK);
    assert_int_equal(journal_write(j, true), RC_NOTFOUND);
    assert_true(journal_batch(j) > 0);
    journal_free(j);
}

static void what_cannot_be_a_record_is_refused(void **state)
{
    struct world w;
    static uint8_t big[LIM_RECORD_BYTES + 1];
    (void)state;
    world_open(&w);
    assert_int_equal(journal_add(w.j, BOOT, 3, 1, SPAN_NONE), RC_BAD);
    assert_int_equal(journal_add(w.j, BOOT, 3, 1, span_of(big, 7)), RC_BAD);
    assert_int_equal(journal_add(w.j, BOOT, 3, 1, span_of(big, sizeof big)), RC_BAD);
    assert_int_equal(journal_batch(w.j), 0);
    enum rc rc = RC_OK;
    for (unsigned n = 0; rc == RC_OK && n < 100000; n++)
        rc = journal_add(w.j, BOOT, 3, 1, span_of(big, LIM_RECORD_BYTES));
    assert_int_equal(rc, RC_LIMIT);
    world_close(&w);
}

static void no_journal_is_no_journal(void **state)
{
    struct world w;
    unsigned more;
    (void)state;
    world_open(&w);
    struct journal_walk walk = {.dir = w.dir};
    assert_int_equal(journal_walk(&walk), RC_NOTFOUND);
    assert_int_equal(find(&w, 1, &more), RC_NOTFOUND);
    world_close(&w);
}

/* ---- the disk ---- */

static unsigned writes_left;
static ssize_t failing_write(int fd, const void *p, size_t n, off_t at)
{
    if (writes_left == 0) {
        errno = ENOSPC;
        return -1;
    }
    writes_left--;
    return pwrite(fd, p, n > 100 ? n / 2 : n, at); /* and only a part of it */
}

static int failing_sync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void a_full_disk_costs_time_alone(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 10);
    off_t before = size_of(&w, 1, "seg");
    for (unsigned writes = 0; writes < 4; writes++) {
        journal_disk(w.j)->write = failing_write;
        writes_left = writes;
        if (writes == 0)
            for (uint64_t i = 11; i <= 20; i++)
                add(&w, i);
        assert_int_equal(journal_write(w.j, true), RC_IO);
        assert_int_equal(journal_errno(w.j), ENOSPC);
        assert_int_equal(size_of(&w, 1, "seg"), before); /* nothing half there */
        assert_whole(&w, 10);
    }
    journal_disk(w.j)->write = pwrite;
    assert_int_equal(journal_write(w.j, true), RC_OK);
    assert_int_equal(journal_errno(w.j), 0);
    assert_whole(&w, 20);
    assert_found(&w, 20);
    world_close(&w);
}

static void after_a_failed_sync_another_segment_is_begun(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 5);
    journal_disk(w.j)->sync = failing_sync;
    for (uint64_t i = 6; i <= 9; i++)
        add(&w, i);
    assert_int_equal(journal_write(w.j, true), RC_IO);
    assert_int_equal(journal_errno(w.j), EIO);
    journal_disk(w.j)->sync = fdatasync;
    assert_int_equal(journal_write(w.j, true), RC_OK);
    assert_whole(&w, 9); /* and none of them twice */
    struct tally t = tally(&w);
    assert_int_equal(t.walk.n_segments, 2);
    assert_found(&w, 9);
    world_close(&w);
}

static char steps[16];

static void step(char c)
{
    size_t n = strlen(steps);
    assert_true(n + 1 < sizeof steps);
    steps[n] = c;
}

static ssize_t write_told(int fd, const void *p, size_t n, off_t at)
{
    step(at == 0 && n == 96 ? 'h' : 'w'); /* a head */
    return pwrite(fd, p, n, at);
}

static int sync_told(int fd)
{
    step('S');
    return fdatasync(fd);
}

static void tell_steps(struct world *w)
{
    memset(steps, 0, sizeof steps);
    journal_disk(w->j)->write = write_told;
    journal_disk(w->j)->sync = sync_told;
}

/* Written, not synced, and the writer is gone. */
static void leave_unsynced(struct world *w, uint64_t from, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        add(w, from + i);
    assert_int_equal(journal_put(w->j, true), RC_OK);
    world_reopen(w);
}

static void what_a_killed_writer_left_is_synced_before_it_counts(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 3);
    leave_unsynced(&w, 4, 2);
    tell_steps(&w);
    assert_int_equal(journal_ready(w.j), RC_OK);
    assert_string_equal(steps, "S");
    assert_int_equal(journal_seen(w.j, BOOT, 3), 5);
    assert_whole(&w, 5);
    world_close(&w);
}

/* A second sync alone would claim success for pages that the kernel has dropped. */
static void after_a_sync_that_fails_at_opening_the_end_is_written_again(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 3);
    leave_unsynced(&w, 4, 2);
    journal_disk(w.j)->sync = failing_sync;
    assert_int_equal(journal_ready(w.j), RC_IO);
    assert_int_equal(journal_errno(w.j), EIO);
    tell_steps(&w);
    assert_int_equal(journal_ready(w.j), RC_OK);
    assert_string_equal(steps, "wS");
    assert_int_equal(journal_errno(w.j), 0);
    assert_int_equal(journal_seen(w.j, BOOT, 3), 5);
    add_some(&w, 6, 1);
    assert_whole(&w, 6); /* and none of them twice */
    world_close(&w);
}

/* Else a power cut could leave behind the old tip what was taken back, and the chain would look broken. */
static void a_segment_is_on_the_disk_before_another_goes_on_from_it(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 5);
    journal_disk(w.j)->write = failing_write;
    writes_left = 1;
    for (uint64_t i = 6; i <= 9; i++)
        add(&w, i);
    assert_int_equal(journal_write(w.j, true), RC_IO); /* a part was written and taken back */
    journal_disk(w.j)->write = write_told;
    journal_disk(w.j)->max_bytes = 1;
    journal_disk(w.j)->sync = failing_sync;
    memset(steps, 0, sizeof steps);
    assert_int_equal(journal_write(w.j, true), RC_IO);
    assert_string_equal(steps, "");
    assert_int_equal(open_segment(&w, 2, "seg"), -1);
    tell_steps(&w);
    assert_int_equal(journal_write(w.j, true), RC_OK);
    assert_string_equal(steps, "ShwS");
    assert_whole(&w, 9);
    world_close(&w);
}

/* ---- ends ---- */

static void an_end_torn_anywhere_is_mended(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 3);
    off_t two = size_of(&w, 1, "seg");
    add_some(&w, 4, 1);
    off_t whole = size_of(&w, 1, "seg");
    for (off_t cut = two + 1; cut < whole; cut += 13) {
        int fd = open_segment(&w, 1, "seg");
        assert_int_equal(ftruncate(fd, cut), 0);
        struct tally t = tally(&w);
        assert_true(t.walk.open_end && !t.walk.broken && t.next == 4);
        close(fd);
        world_reopen(&w);
        assert_int_equal(journal_ready(w.j), RC_OK);
        assert_int_equal(journal_counts(w.j)->torn, 1);
        assert_int_equal(journal_seen(w.j, BOOT, 3), 3);
        assert_int_equal(size_of(&w, 1, "seg"), two);
        add_some(&w, 4, 1);
        assert_whole(&w, 4);
    }
    assert_found(&w, 4);
    world_close(&w);
}

/* A power cut may leave the right length with the wrong bytes. */
static void an_end_of_wrong_bytes_is_mended_too(void **state)
{
    struct world w;
    static const uint8_t zeros[64];
    (void)state;
    world_open(&w);
    add_some(&w, 1, 3);
    off_t three = size_of(&w, 1, "seg");
    add_some(&w, 4, 2);
    int fd = open_segment(&w, 1, "seg");
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, three + 40), sizeof zeros);
    close(fd);
    world_reopen(&w);
    assert_int_equal(journal_ready(w.j), RC_OK);
    assert_int_equal(journal_seen(w.j, BOOT, 3), 3);
    add_some(&w, 4, 2);
    assert_whole(&w, 5);
    world_close(&w);
}

static void a_segment_that_was_just_being_made_is_made_anew(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    journal_disk(w.j)->max_bytes = 1;
    add_some(&w, 1, 2);
    add_some(&w, 3, 2);
    int fd = openat(w.dir, "000000000003.seg", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "PERR", 4), 4);
    close(fd);
    world_reopen(&w);
    assert_int_equal(journal_ready(w.j), RC_OK);
    assert_int_equal(journal_seen(w.j, BOOT, 3), 4);
    journal_disk(w.j)->max_bytes = 1;
    add_some(&w, 5, 2);
    assert_whole(&w, 6);
    world_close(&w);
}

static void damage_further_ahead_stays_as_it_is(void **state)
{
    struct world w;
    uint8_t was, now;
    (void)state;
    world_open(&w);
    for (uint64_t i = 0; i < 100; i++) { /* more than an end that is mended */
        for (uint64_t k = 0; k < 1000; k++)
            assert_int_equal(journal_add(w.j, BOOT, 3, 1 + i * 1000 + k, record_of(i * 1000 + k, 400)),
                             RC_OK);
        assert_int_equal(journal_write(w.j, true), RC_OK);
    }
    off_t size = size_of(&w, 1, "seg");
    int fd = open_segment(&w, 1, "seg");
    assert_int_equal(pread(fd, &was, 1, 96), 1);
    now = was ^ 1;
    assert_int_equal(pwrite(fd, &now, 1, 96), 1);
    close(fd);
    world_reopen(&w);
    assert_int_equal(journal_ready(w.j), RC_OK);
    assert_int_equal(journal_counts(w.j)->damaged, 1);
    assert_int_equal(journal_add(w.j, BOOT, 3, 7, record_of(7, 0)), RC_OK);
    assert_int_equal(journal_write(w.j, true), RC_OK);
    assert_int_equal(size_of(&w, 1, "seg"), size);
    struct journal_walk walk = {.dir = w.dir, .verify = true};
    assert_int_equal(journal_walk(&walk), RC_OK);
    assert_non_null(walk.broken);
    assert_int_equal(walk.segment, 1);
    assert_int_equal(walk.at, 96);
    assert_int_equal(walk.n_records, 1); /* of the second segment: it is read on */
    world_close(&w);
}

static void a_strange_file_in_the_last_place_stays_as_it_is(void **state)
{
    struct world w;
    static const uint8_t noise[500] = {1, 2, 3};
    (void)state;
    world_open(&w);
    int fd = openat(w.dir, "000000000004.seg", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, noise, sizeof noise), sizeof noise);
    close(fd);
    add_some(&w, 1, 2);
    assert_int_equal(size_of(&w, 4, "seg"), sizeof noise);
    struct journal_walk walk = {.dir = w.dir, .verify = true};
    assert_int_equal(journal_walk(&walk), RC_OK);
    assert_true(walk.broken && walk.segment == 4 && walk.n_records == 2);
    world_close(&w);
}

/* ---- the chain ---- */

static void every_changed_byte_is_told(void **state)
{
    struct world w;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 4);
    journal_disk(w.j)->max_bytes = 1;
    add_some(&w, 5, 2);
    for (unsigned segment = 1; segment <= 2; segment++) {
        off_t size = size_of(&w, segment, "seg");
        int fd = open_segment(&w, segment, "seg");
        for (off_t at = 0; at < size; at++) {
            uint8_t was, now;
            assert_int_equal(pread(fd, &was, 1, at), 1);
            now = was ^ 0x10;
            assert_int_equal(pwrite(fd, &now, 1, at), 1);
            struct journal_walk walk = {.dir = w.dir, .verify = true};
            assert_int_equal(journal_walk(&walk), RC_OK);
            bool cut =
                walk.open_end && segment == 2; /* the last record's length: as if it were being written */
            if (!walk.broken && !cut)
                fail_msg("segment %u, byte %d: not noticed", segment, (int)at);
            assert_int_equal(pwrite(fd, &was, 1, at), 1);
        }
        close(fd);
    }
    assert_whole(&w, 6);
    world_close(&w);
}

static void a_record_or_segment_taken_out_is_told(void **state)
{
    struct world w;
    static uint8_t bytes[65536];
    (void)state;
    world_open(&w);
    add_some(&w, 1, 1);
    off_t one = size_of(&w, 1, "seg");
    add_some(&w, 2, 1);
    off_t two = size_of(&w, 1, "seg");
    add_some(&w, 3, 1);
    off_t three = size_of(&w, 1, "seg");
    int fd = open_segment(&w, 1, "seg");
    assert_int_equal(pread(fd, bytes, (size_t)three, 0), three);
    assert_int_equal(pwrite(fd, bytes + two, (size_t)(three - two), one), three - two);
    assert_int_equal(ftruncate(fd, one + three - two), 0);
    struct journal_walk walk = {.dir = w.dir, .verify = true};
    assert_int_equal(journal_walk(&walk), RC_OK);
    assert_true(walk.broken && walk.segment == 1 && walk.at == (uint64_t)one);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, bytes, (size_t)three, 0), three);
    close(fd);

    journal_disk(w.j)->max_bytes = 1;
    add_some(&w, 4, 1);
    add_some(&w, 5, 1);
    assert_whole(&w, 5);
    assert_int_equal(unlinkat(w.dir, "000000000002.seg", 0), 0);
    walk = (struct journal_walk){.dir = w.dir, .verify = true};
    assert_int_equal(journal_walk(&walk), RC_OK);
    assert_true(walk.broken && walk.segment == 3);
    world_close(&w);
}

/* ---- codes ---- */

static void every_code_is_found_whatever_the_index_is(void **state)
{
    struct world w;
    uint8_t byte = 0xff;
    (void)state;
    world_open(&w);
    journal_disk(w.j)->max_bytes = 3000;
    for (uint64_t seq = 1; seq <= 60; seq += 3)
        add_some(&w, seq, 3);
    assert_found(&w, 60);
    assert_true(tally(&w).walk.n_segments > 3);
    assert_int_equal(unlinkat(w.dir, "000000000002.idx", 0), 0);
    assert_found(&w, 60);
    for (off_t at = 0; at < size_of(&w, 3, "idx") && at < 64; at += 8) { /* its head */
        uint8_t was;
        int fd = open_segment(&w, 3, "idx");
        assert_int_equal(pread(fd, &was, 1, at), 1);
        if (at < 40) /* the range is believed: it is ours, and only time hangs on it */
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        if (at != 32 && at != 24)
            assert_found(&w, 60);
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
        close(fd);
    }
    int fd = open_segment(&w, 3, "idx");
    assert_int_equal(ftruncate(fd, 70), 0);
    close(fd);
    assert_found(&w, 60);
    world_reopen(&w);
    assert_int_equal(journal_ready(w.j), RC_OK);
    assert_found(&w, 60);
    world_close(&w);
}

/* Codes of two workers, far apart; and a map that is not there, torn, or of other segments. */
static void the_map_of_segments_only_saves_time(void **state)
{
    struct world w;
    unsigned more;
    uint8_t bytes[4096];
    (void)state;
    world_open(&w);
    journal_disk(w.j)->max_bytes = 3000;
    for (uint64_t seq = 1; seq <= 60; seq += 3)
        add_some(&w, seq, 3);
    for (uint64_t i = 1; i <= 20; i++) {
        assert_int_equal(journal_add(w.j, BOOT, 4, i, record_of((i << 24) + i, 300)), RC_OK);
        assert_int_equal(journal_write(w.j, true), RC_OK);
    }
    for (int round = 0; round < 4; round++) {
        int fd = openat(w.dir, "map", O_RDWR | O_CLOEXEC);
        ssize_t n = pread(fd, bytes, sizeof bytes, 0);
        assert_true(n > 200);
        if (round == 1) /* torn in the middle of an entry, and others behind it */
            assert_int_equal(pwrite(fd, "torn", 4, 40), 4);
        if (round == 2)
            assert_int_equal(ftruncate(fd, n - 9), 0);
        if (round == 3)
            assert_int_equal(unlinkat(w.dir, "map", 0), 0);
        close(fd);
        for (uint64_t seq = 1; seq <= 60; seq++)
            assert_int_equal(find(&w, seq, &more), RC_OK);
        for (uint64_t i = 1; i <= 20; i++) {
            struct buf b = {0};
            struct journal_frame f;
            assert_int_equal(journal_find(w.dir, journal_code(1, (i << 24) + i), &b, &f, &more), RC_OK);
            assert_true(f.worker == 4 && f.seq == i);
            assert_int_equal(journal_find(w.dir, journal_code(1, (i << 24) + i + 1), &b, &f, &more),
                             RC_NOTFOUND);
            buf_fini(&b);
        }
    }
    world_close(&w);
}

static void a_code_claimed_twice_is_told(void **state)
{
    struct world w;
    unsigned more;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 3);
    assert_int_equal(journal_add(w.j, BOOT, 4, 1, record_of(1002, 5)), RC_OK);
    assert_int_equal(journal_write(w.j, true), RC_OK);
    struct buf b = {0};
    struct journal_frame f;
    assert_int_equal(journal_find(w.dir, journal_code(1, 1002), &b, &f, &more), RC_OK);
    assert_int_equal(more, 1);
    assert_int_equal(f.worker, 4);
    buf_fini(&b);
    world_close(&w);
}

static void nobody_else_can_read_it(void **state)
{
    struct world w;
    struct stat st;
    (void)state;
    world_open(&w);
    add_some(&w, 1, 1);
    assert_int_equal(fstatat(w.dir, "000000000001.seg", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fstatat(w.dir, "000000000001.idx", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_directory_nothing_is_written),
        cmocka_unit_test(what_cannot_be_a_record_is_refused),
        cmocka_unit_test(no_journal_is_no_journal),
        cmocka_unit_test(a_full_disk_costs_time_alone),
        cmocka_unit_test(after_a_failed_sync_another_segment_is_begun),
        cmocka_unit_test(what_a_killed_writer_left_is_synced_before_it_counts),
        cmocka_unit_test(after_a_sync_that_fails_at_opening_the_end_is_written_again),
        cmocka_unit_test(a_segment_is_on_the_disk_before_another_goes_on_from_it),
        cmocka_unit_test(an_end_torn_anywhere_is_mended),
        cmocka_unit_test(an_end_of_wrong_bytes_is_mended_too),
        cmocka_unit_test(a_segment_that_was_just_being_made_is_made_anew),
        cmocka_unit_test(damage_further_ahead_stays_as_it_is),
        cmocka_unit_test(a_strange_file_in_the_last_place_stays_as_it_is),
        cmocka_unit_test(every_changed_byte_is_told),
        cmocka_unit_test(a_record_or_segment_taken_out_is_told),
        cmocka_unit_test(every_code_is_found_whatever_the_index_is),
        cmocka_unit_test(the_map_of_segments_only_saves_time),
        cmocka_unit_test(a_code_claimed_twice_is_told),
        cmocka_unit_test(nobody_else_can_read_it),
    };
    log_setup("test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
