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

/* "0,2": the lists that hold `host` (a name or an address) with `path`, which may be NULL. */
static inline const char *found_at(const struct catdb *db, const char *host, const char *path)
{
    static char text[4096];
    struct cat_hits hits;
    struct addr a;
    uint16_t lists[1024];
    span path_span = span_str(path);
    struct cat_query q = {.path = path ? &path_span : NULL};
    if (addr_parse(span_str(host), &a))
        q.addr = &a;
    else
        q.name = span_str(host);
    bool any = catdb_find(db, &q, &hits);
    size_t n = any ? cat_hits_lists(&hits, lists, 1024) : 0, at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", i ? "," : "", lists[i]);
    return text;
}

static inline const char *found(const struct catdb *db, const char *host)
{
    return found_at(db, host, NULL);
}

#endif
