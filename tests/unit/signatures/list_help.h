/* List parts from texts, for tests. */
#ifndef TESTS_UNIT_SIGNATURES_LIST_HELP_H
#define TESTS_UNIT_SIGNATURES_LIST_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw/base/obj.h"
#include "signatures/catc.h"
#include "signatures/catdb.h"

/* A list of one file. */
struct listed {
    const char *name;
    enum list_format format;
    const char *text;
};

struct parts {
    struct buf hot_bytes, text_bytes;
    struct catdb hot;
    struct cattext text;
    struct catc *c; /* for its reports */
};

static inline void parts_fini(struct parts *p)
{
    buf_fini(&p->hot_bytes);
    buf_fini(&p->text_bytes);
    catc_free(p->c);
}

static inline void parts_finish(struct parts *p)
{
    assert_int_equal(catc_finish(p->c, &p->hot_bytes, catc_to(&p->text_bytes)), RC_OK);
    assert_int_equal(catdb_open(buf_span(&p->hot_bytes), &p->hot), RC_OK);
    assert_int_equal(cattext_open(buf_span(&p->text_bytes), &p->text), RC_OK);
}

static inline void parts_begin(struct parts *p, const struct listed *l, size_t n,
                               const struct cattext *before)
{
    *p = (struct parts){0};
    assert_int_equal(catc_new(&p->c), RC_OK);
    catc_before(p->c, before);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(catc_list(p->c, span_str(l[i].name)), RC_OK);
        assert_int_equal(catc_text(p->c, l[i].name, l[i].format, span_str(l[i].text)), RC_OK);
    }
}

static inline void parts_build(struct parts *p, const struct listed *l, size_t n)
{
    parts_begin(p, l, n, NULL);
    assert_int_equal(catc_read(p->c), RC_OK);
    parts_finish(p);
}

/* A host (a name or an address) with a path, which may be NULL. */
struct asked {
    struct addr addr;
    span path;
    struct cat_query q;
};

static inline void ask_for(struct asked *a, const char *host, const char *path)
{
    *a = (struct asked){.path = span_str(path)};
    a->q.path = path ? &a->path : NULL;
    if (addr_parse(span_str(host), &a->addr))
        a->q.addr = &a->addr;
    else
        a->q.name = span_str(host);
}

/* "0,2": lists in hits. */
static inline const char *hits_text(bool any, const struct cat_hits *hits, char text[4096])
{
    uint16_t lists[1024];
    size_t n = any ? cat_hits_lists(hits, lists, 1024) : 0, at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, 4096 - at, "%s%u", i ? "," : "", lists[i]);
    return text;
}

/* The lists that hold it, and those that the path could add, where the look-up is made in two halves. */
static inline const char *found_in_halves(const struct catdb *db, const char *host, const char *path,
                                          struct cat_hits *hits)
{
    static char text[4096];
    struct asked a;
    struct cat_keys keys;
    ask_for(&a, host, path);
    catdb_expect(db, a.q.name, &keys);
    return hits_text(catdb_find_expected(db, &a.q, &keys, hits), hits, text);
}

/* The same at once, without a look at whether halves find the same: in a damaged table they may not. */
static inline const char *found_at_once(const struct catdb *db, const char *host, const char *path,
                                        struct cat_hits *hits)
{
    static char text[4096];
    struct asked a;
    ask_for(&a, host, path);
    return hits_text(catdb_find(db, &a.q, hits), hits, text);
}

static inline const char *found_at(const struct catdb *db, const char *host, const char *path)
{
    struct cat_hits hits, halves;
    const char *text = found_at_once(db, host, path, &hits);
    assert_string_equal(found_in_halves(db, host, path, &halves), text);
    assert_int_equal(hits.may_used, halves.may_used);
    for (unsigned used = hits.may_used; used; used &= used - 1) {
        unsigned w = (unsigned)__builtin_ctz(used);
        assert_true(hits.may[w] == halves.may[w]);
    }
    return text;
}

static inline const char *found(const struct catdb *db, const char *host)
{
    return found_at(db, host, NULL);
}

#endif
