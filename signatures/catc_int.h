/* What the files of the list compiler share: catc.c (lists, files, order of work), catc_read.c (files to
 * entries), catc_emit.c (entries to parts). */
#ifndef SIGNATURES_CATC_INT_H
#define SIGNATURES_CATC_INT_H

#include "signatures/catbins.h"
#include "signatures/catc.h"
#include "signatures/catexpr.h"
#include "signatures/catfile.h"

struct catc_source {
    char *path;
    struct catfile id;
    struct buf text;
    struct cattext_file out; /* as it will stand in the part; of the part before when kept */
    bool in_memory;
    struct catc_report report;
};

struct catc_list {
    uint8_t *name;
    size_t name_n;
    size_t first, n; /* sources */
    uint32_t before; /* its number in the part before, or UINT32_MAX */
    bool kept;
    uint64_t n_live, n_held;
};

/* What goes into the table, in a bin by the place of its base: that place, which leaves the lower 16 bits for
 * what its set will have; and its hash. */
struct catc_entry {
    uint64_t place_member, hash;
};

/* What goes into the text part, in a bin by `place` (its own); the key and the text as written follow `r` as
 * they do there. */
struct catc_record {
    uint64_t place;
    struct cattext_record r;
};

static inline size_t catc_record_bytes(const struct cattext_record *r)
{
    return sizeof *r + r->key_n + r->raw_n;
}

struct catc {
    struct catc_list *lists;
    size_t n_lists, cap_lists;
    struct catc_source *sources;
    size_t n_sources, cap_sources;
    const struct cattext *before;
    struct guard guard;
    void (*progress)(const char *what, unsigned long done, unsigned long total);
    uint8_t digest[SHA256_BYTES], options[SHA256_BYTES];
    uint64_t seed[4];
    struct catbins entries, records;
    uint64_t n_entries, n_records, record_bytes, n_names;
    struct buf expr_items, expr_texts; /* for catexpr_build */
    struct catexpr_sum expr_sum;
    uint64_t v4_lengths, v6_lengths[3];
};

void catc_tell(const struct catc *c, size_t done);
/* catc_read.c: all lines of all lists, to records and entries. */
enum rc catc_entries(struct catc *c) MUST_USE;
/* What is wrong with a file that was read, compared with the one in force; NULL: nothing. */
const char *catc_stale(const struct catc *c, const struct catc_source *s);
/* catc_emit.c */
enum rc catc_emit_hot(struct catc *c, struct buf *out) MUST_USE;
enum rc catc_emit_text(struct catc *c, const struct catc_sink *out) MUST_USE;

#endif
