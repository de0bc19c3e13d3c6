/* What stands in the files of a logger's world, counted. */
#ifndef TESTS_UNIT_GW_SIEM_DRAIN_TALLY_H
#define TESTS_UNIT_GW_SIEM_DRAIN_TALLY_H

#include <jansson.h>

#include "tests/unit/gw/siem/drain_help.h"

/* ---- what stands in the files ---- */

struct tally {
    uint64_t last[RINGS]; /* highest number of each worker, seen once each and in order */
    unsigned lines, files, notes, malformed, gaps, torn, broken, doubled, missing;
};

static inline void tally_note(struct tally *t, const char *reason)
{
    t->notes++;
    t->malformed += strcmp(reason, "malformed-event") == 0;
    t->gaps += strcmp(reason, "log-gap") == 0;
    t->torn += strcmp(reason, "log-torn") == 0;
    t->broken += strcmp(reason, "ring-broken") == 0;
}

static inline void tally_line(struct tally *t, span line)
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

static inline void slurp(const struct world *w, const char *name, struct buf *b)
{
    struct stat st;
    int fd = openat(w->dir, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(buf_reserve(b, (size_t)st.st_size), RC_OK);
    assert_int_equal(read(fd, b->p + b->w, (size_t)st.st_size), st.st_size);
    b->w += (size_t)st.st_size;
    close(fd);
}

static inline void tally_file(const struct world *w, const char *name, void *arg)
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
static inline void tally_old(const struct world *w, const char *name, void *arg)
{
    if (strcmp(name, "eve.json") != 0)
        tally_file(w, name, arg);
}

static inline struct tally tally_all(const struct world *w)
{
    struct tally t = {0};
    each_file(w, tally_old, &t);
    tally_file(w, "eve.json", &t);
    return t;
}

static inline void write_file(const struct world *w, const char *name, const void *p, size_t n)
{
    int fd = openat(w->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

#endif
