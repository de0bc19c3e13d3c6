/* A logger whose worker writes records and lines into one ring: real directories, a real ring, and what
 * stands in journal and log. */
#ifndef TESTS_UNIT_GW_SIEM_BOTH_HELP_H
#define TESTS_UNIT_GW_SIEM_BOTH_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"
#include "gw/siem/drain.h"
#include "gw/siem/event.h"

enum { BOOT = 0xb007, WORKER = 2 };

struct world {
    char path[64], journal[80];
    int dir, journal_dir, fd;
    struct ring *ring;
    struct drain *d;
};

static inline struct drain *logger_start(const struct world *w, bool with_journal)
{
    struct drain *d;
    assert_int_equal(drain_new(BOOT, SPAN("node-a"), &d), RC_OK);
    if (with_journal)
        drain_journal(d, fcntl(w->journal_dir, F_DUPFD_CLOEXEC, 0));
    assert_int_equal(drain_target(d, fcntl(w->dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
    assert_int_equal(drain_add(d, w->fd, BOOT, WORKER), RC_OK);
    return d;
}

static inline void world_open(struct world *w)
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

static inline void world_restart(struct world *w)
{
    drain_free(w->d);
    w->d = logger_start(w, true);
}

static inline void empty(int dir)
{
    DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        unlinkat(dir, e->d_name, 0);
    closedir(d);
}

static inline void world_close(struct world *w)
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

static inline bool put(struct ring *r, enum ring_kind kind, span s)
{
    bool wake;
    if (ring_reserve(r) != RC_OK)
        return false;
    ring_put(r, kind, s, &wake);
    return true;
}

static inline bool put_line(struct ring *r)
{
    static struct buf b;
    struct event_http e = {
        .perron = {.reason = "done", .worker = WORKER, .boot = BOOT, .seq = ring_next_seq(r)}};
    assert_int_equal(event_http_json(&b, &e), RC_OK);
    return put(r, RING_EVENT, buf_span(&b));
}

static inline bool put_record(struct ring *r)
{
    uint8_t bytes[400] = {0};
    uint64_t n = ring_next_of(r, RING_RECORD);
    memcpy(bytes, &n, sizeof n);
    return put(r, RING_RECORD, span_of(bytes, 8 + n * 37 % 390));
}

static inline void put_both(struct world *w, unsigned n)
{
    while (n-- > 0)
        assert_true(put_record(w->ring) && put_line(w->ring));
}

static inline void pump(struct world *w)
{
    enum rc rc;
    do {
        rc = drain_turn(w->d);
    } while (rc == RC_OK);
    assert_int_equal(rc, RC_MORE);
}

/* ---- what was written ---- */

static inline enum rc next_record(const struct journal_frame *f, void *arg)
{
    uint64_t *last = arg, n;
    memcpy(&n, f->record.p, sizeof n);
    assert_true(f->boot == BOOT && f->worker == WORKER);
    assert_int_equal(f->seq, *last + 1); /* each once, in order */
    assert_int_equal(n, f->seq);
    *last = f->seq;
    return RC_OK;
}

static inline uint64_t records(const struct world *w)
{
    uint64_t last = 0;
    struct journal_walk walk = {.dir = w->journal_dir, .verify = true, .each = next_record, .arg = &last};
    assert_int_equal(journal_walk(&walk), RC_OK);
    if (walk.broken)
        fail_msg("%s", walk.broken);
    return last;
}

/* Lines of all files; each number once and in order within a file. `notes`: what the logger says itself. */
static inline uint64_t lines(const struct world *w, unsigned *notes)
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

/* So many records and as many lines, and what the logger says itself. */
static inline unsigned assert_both(const struct world *w, uint64_t n)
{
    unsigned notes;
    assert_int_equal(records(w), n);
    assert_int_equal(lines(w, &notes), n);
    return notes;
}

#endif
