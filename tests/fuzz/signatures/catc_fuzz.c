/* A list from anybody: every name that its lines give is found in the image that comes of it, and no other
 * line is counted as one. */
#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "signatures/catc.h"
#include "signatures/catdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find_all(const struct catdb *db, span text, uint64_t *names, uint64_t *bad)
{
    for (size_t at = 0; at < text.n;) {
        size_t end = span_find(text, '\n', at);
        uint8_t name[LIM_NAME_BYTES];
        bool is_bad;
        uint16_t cat;
        size_t n = catc_line(span_cut(text, at, end), name, &is_bad);
        *bad += is_bad;
        if (n) {
            gw_assert(catdb_find(db, span_of(name, n), &cat, 1) == 1 && cat == 0);
            (*names)++;
        }
        at = end == SIZE_MAX ? text.n : end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catc *c;
    struct catdb db;
    struct buf image = {0};
    span text = span_of(data, size);
    uint64_t names = 0, bad = 0;
    gw_assert(catc_new(&c) == RC_OK);
    if (catc_add_text(c, "fuzz", text, 0) == RC_OK) {
        gw_assert(catc_finish(c, 1, &image) == RC_OK);
        gw_assert(catdb_open(buf_span(&image), &db) == RC_OK);
        if (span_has_prefix(text, SPAN("\xef\xbb\xbf")))
            text = span_cut(text, 3, text.n);
        find_all(&db, text, &names, &bad);
        gw_assert(catc_file(c, 0).n_names == names && catc_file(c, 0).n_bad == bad);
    }
    catc_free(c);
    buf_fini(&image);
    return 0;
}
