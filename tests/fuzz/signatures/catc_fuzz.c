/* A list from anybody, in the format that its first byte says: every line is counted once, every entry that
 * came of it is in the text part, and what is live is found by its key. */
#include "gw/base/obj.h"
#include "signatures/catc.h"
#include "signatures/catdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_find(const struct catdb *db, const struct cattext_entry *e)
{
    struct catkey key;
    struct cat_hits hits;
    gw_assert(catkey_again(e->kind, e->key, &key));
    gw_assert(span_eq(span_of(key.text, key.n), e->key));
    span path = span_of(key.text + key.host_n, key.n - key.host_n);
    if (span_find(path, '?', 0) != SIZE_MAX || span_find(path, '#', 0) != SIZE_MAX)
        return; /* encoded in a request, where they would end the path here */
    struct cat_query q = {.path = &path};
    if (key.net.a.family)
        q.addr = &key.net.a;
    else
        q.name = span_of(key.text, key.host_n);
    bool found = catdb_find(db, &q, &hits);
    gw_assert(found || e->flags & CATFMT_BELOW || (e->kind == CATKEY_NET && e->flags & CATFMT_EXACT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catc *c;
    struct catdb db;
    struct cattext text;
    struct buf hot = {0}, cold = {0};
    uint64_t n = 0;
    if (size == 0)
        return 0;
    enum list_format format = (enum list_format)(data[0] % LIST_FORMATS);
    gw_assert(catc_new(&c) == RC_OK);
    gw_assert(catc_list(c, SPAN("fuzz")) == RC_OK);
    gw_assert(catc_text(c, "fuzz", format, span_of(data + 1, size - 1)) == RC_OK);
    if (catc_read(c) == RC_OK) {
        gw_assert(catc_finish(c, &hot, catc_to(&cold)) == RC_OK);
        gw_assert(catdb_open(buf_span(&hot), &db) == RC_OK && cattext_open(buf_span(&cold), &text) == RC_OK);
        struct cattext_entry e;
        for (uint64_t at = 0; cattext_next(&text, &at, &e); n++) {
            if (e.held == HOLD_NONE && e.kind != CATKEY_N)
                must_find(&db, &e);
        }
        const struct catc_report *r = catc_file_report(c, 0);
        gw_assert(n == r->n_entries && n == text.head.n_records);
        gw_assert(r->n_bad + r->n_other <= r->n_lines);
    }
    catc_free(c);
    buf_fini(&hot);
    buf_fini(&cold);
    return 0;
}
