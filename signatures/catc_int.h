/* What the files of the list compiler share: catc.c (lists, files, order of work), catc_read.c (files to
 * entries), catc_emit.c (entries to parts). */
#ifndef SIGNATURES_CATC_INT_H
#define SIGNATURES_CATC_INT_H

#include "signatures/catc.h"
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

/* One hash to put into the table: of the record at `at`, or of a host of which a list has URLs: then `at` is
 * CATC_AT_URLS + the list. */
struct catc_entry {
    uint64_t hash, base, at;
};
#define CATC_AT_URLS (UINT64_C(1) << 63)

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
    struct buf records;
    struct catc_entry *entries;
    size_t n_entries, cap_entries;
    uint64_t n_records, n_names;
    uint64_t v4_lengths, v6_lengths[3];
};

void catc_tell(const struct catc *c, size_t done);
/* catc_read.c: all lines of all lists, to records and entries. */
enum rc catc_entries(struct catc *c) MUST_USE;
/* What is wrong with a file that was read, compared with the one in force; NULL: nothing. */
const char *catc_stale(const struct catc *c, const struct catc_source *s);
/* catc_emit.c */
enum rc catc_emit_hot(struct catc *c, struct buf *out) MUST_USE;
enum rc catc_emit_text(struct catc *c, struct buf *out) MUST_USE;

#endif
