/* Builds the two list parts (see catdb.h, cattext.h) from list files. Runs in the compiler process, never
 * beside traffic.
 *
 * First all lists and their files are named (this opens them and no more), then it can be asked whether they
 * are what an earlier part was made from; only if not they are read. A list whose file is missing, damaged,
 * cut off or older than what is in force is taken from the earlier part. The seed of the hash is the digest
 * of everything that was put in, so the same input gives the same parts. */
#ifndef SIGNATURES_CATC_H
#define SIGNATURES_CATC_H

#include "signatures/cattext.h"
#include "signatures/guard.h"
#include "signatures/listread.h"

struct catc;

enum { CATC_BAD_SHOWN = 20, CATC_WHY = 128 };

/* What became of one list file; valid after catc_finish. */
struct catc_report {
    const char *path;
    uint32_t list;
    enum list_format format;
    enum rc rc;      /* it could not be read: NOTFOUND, IO, BAD, LIMIT */
    const char *why; /* a sentence: what is wrong with the file; NULL: nothing */
    bool kept;       /* the list is the one of the part before */
    uint64_t n_lines, n_entries, n_held, n_bad, n_other;
    uint64_t bad[CATC_BAD_SHOWN];           /* lines, from 1 */
    char bad_why[CATC_BAD_SHOWN][CATC_WHY]; /* of each of them, where there is more to say than its format */
};

enum rc catc_new(struct catc **out) MUST_USE;
void catc_free(struct catc *c);
/* The text part in force; borrowed. */
void catc_before(struct catc *c, const struct cattext *before);
/* To be filled before catc_finish. */
struct guard *catc_guard(struct catc *c);
/* Begins a list; files named after it belong to it. LIMIT: more than CATFMT_LISTS. `name` (kind and name) is
 * copied. Lists of one name are the caller's mistake. */
enum rc catc_list(struct catc *c, span name) MUST_USE;
/* A file of the list; what is wrong with it is in its report. */
enum rc catc_file(struct catc *c, const char *path, enum list_format format) MUST_USE;
/* The same for text that is already in memory. */
enum rc catc_text(struct catc *c, const char *path, enum list_format format, span text) MUST_USE;
/* Whether the part before was made from these very lists, files and options. */
enum rc catc_unchanged(struct catc *c, bool *same) MUST_USE;
/* Told of each file that is done, twice: read, and taken in. May be NULL. */
void catc_progress(struct catc *c, void (*fn)(const char *what, unsigned long done, unsigned long total));
/* Reads all files. CONFIG when one cannot be used and nothing stands in for it: see the reports. */
enum rc catc_read(struct catc *c) MUST_USE;
/* Takes the text part piece by piece, which is large and written from one end to the other. */
struct catc_sink {
    enum rc (*put)(void *arg, span bytes);
    void *arg;
};
/* One that appends to a buffer. */
struct catc_sink catc_to(struct buf *out);
/* Appends the hot part to `hot`, and hands out the text part. LIMIT when there are more different sets of
 * lists than a slot can number. */
enum rc catc_finish(struct catc *c, struct buf *hot, struct catc_sink text) MUST_USE;
size_t catc_n_files(const struct catc *c);
const struct catc_report *catc_file_report(const struct catc *c, size_t i);
uint64_t catc_n_names(const struct catc *c);

#endif
