/* A hot list part from anybody: refused, or safe to search. The last 64 bytes are host and path that are
 * looked for.
 */
#include <stdlib.h>

#include "gw/base/obj.h"
#include "signatures/catdb.h"
#include "signatures/catexpr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *arg, unsigned kind, span text, bool whole)
{
    (void)kind, (void)whole;
    *(size_t *)arg += text.n;
}

static void count(void *arg, const struct catexpr_item *item, span text)
{
    *(size_t *)arg += text.n + item->line;
}

static void check(const struct catdb *db, bool any, const struct cat_hits *hits)
{
    uint16_t lists[CATFMT_LISTS];
    size_t n = any ? cat_hits_lists(hits, lists, CATFMT_LISTS) : 0;
    for (size_t i = 0; i < n; i++)
        gw_assert(lists[i] < db->head.n_lists && (i == 0 || lists[i] > lists[i - 1]));
}

/* At once and in two halves. */
static void search(const struct catdb *db, const struct cat_query *q)
{
    struct cat_hits hits;
    struct cat_keys keys;
    size_t sum = 0;
    check(db, catdb_find(db, q, &hits), &hits);
    catdb_expect(db, q->name, &keys);
    check(db, catdb_find_expected(db, q, &keys, &hits), &hits);
    cat_query_keys(db, q, ignore, &sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct addr addr = {4, {10, 1, 2, 3}}, addr6 = {6, {0x20, 1, 0xd, 0xb8}};
    struct catdb db;
    if (size < 64)
        return 0;
    uint64_t *aligned = malloc(size);
    gw_assert(aligned);
    memcpy(aligned, data, size - 64);
    if (catdb_open(span_of(aligned, size - 64), &db) == RC_OK) {
        span path = span_of(data + size - 32, 32);
        search(&db, &(struct cat_query){.name = span_of(data + size - 64, 32), .path = &path});
        search(&db, &(struct cat_query){.name = SPAN("x.u.test"), .path = &path});
        search(&db, &(struct cat_query){.name = SPAN("x.b.test")});
        search(&db, &(struct cat_query){.addr = &addr, .path = &path});
        search(&db, &(struct cat_query){.addr = &addr6});
        struct catexpr *x;
        if (catexpr_open(db.expressions, db.head.n_lists, &x) == RC_OK)
            catexpr_match(x, SPAN("x.u.test"), path, count, &(size_t){0});
        catexpr_free(x);
    }
    free(aligned);
    return 0;
}
