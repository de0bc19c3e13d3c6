/* A logger's worlds: real directories and real rings. What stands in the files: drain_tally.h. */
#ifndef TESTS_UNIT_GW_SIEM_DRAIN_HELP_H
#define TESTS_UNIT_GW_SIEM_DRAIN_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/ring.h"
#include "gw/siem/drain.h"
#include "gw/siem/event.h"

enum { RINGS = 2, BOOT = 0xb007 };

struct world {
    char path[64];
    int dir, fd[RINGS];
    struct ring *w[RINGS]; /* the workers' views */
    struct drain *d;
};

static inline struct drain *logger_start(const struct world *w)
{
    struct drain *d;
    assert_int_equal(drain_new(BOOT, SPAN("node-a"), &d), RC_OK);
    assert_int_equal(drain_target(d, fcntl(w->dir, F_DUPFD_CLOEXEC, 0), SPAN("eve.json")), RC_OK);
    for (uint32_t i = 0; i < RINGS; i++)
        assert_int_equal(drain_add(d, w->fd[i], BOOT, i), RC_OK);
    return d;
}

static inline void world_open(struct world *w)
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

static inline void world_restart(struct world *w)
{
    drain_free(w->d);
    w->d = logger_start(w);
}

static inline void each_file(const struct world *w, void (*f)(const struct world *, const char *, void *),
                             void *arg)
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

static inline void remove_one(const struct world *w, const char *name, void *arg)
{
    (void)arg;
    unlinkat(w->dir, name, 0);
}

static inline void world_close(struct world *w)
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

static inline void put_raw(struct ring *r, span s)
{
    bool wake;
    assert_int_equal(ring_reserve(r), RC_OK);
    ring_put(r, RING_EVENT, s, &wake);
}

/* An honest line of worker i with about `more` bytes of stuffing. */
static inline span line_of(uint32_t worker, uint64_t seq, size_t more)
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

static inline void put_lines(struct world *w, uint32_t worker, unsigned n)
{
    while (n-- > 0)
        put_raw(w->w[worker], line_of(worker, ring_next_seq(w->w[worker]), 100));
}

static inline void pump(struct world *w)
{
    enum rc rc;
    do {
        rc = drain_turn(w->d);
    } while (rc == RC_OK);
    assert_int_equal(rc, RC_MORE);
}

static inline int quiet(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR);
    return 0;
}

#endif
