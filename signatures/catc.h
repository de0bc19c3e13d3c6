/* Builds category images (see catdb.h) from lists. Runs in the compiler process, never beside traffic.
 *
 * A list is text, one name or address a line; `#` begins a comment; `.name` and `*.name` mean the name. Lines
 * that are no name are counted and never fatal. The seed of the hash is the digest of everything that was
 * added, so the same input gives the same image. */
#ifndef SIGNATURES_CATC_H
#define SIGNATURES_CATC_H

#include "gw/base/buf.h"

struct catc;

/* What became of one list file; valid after catc_finish. */
struct catc_report {
    const char *path;
    uint64_t n_names, n_bad;
    uint64_t first_bad; /* line number, from 1 */
};

enum rc catc_new(struct catc **out) MUST_USE;
void catc_free(struct catc *c);
/* Adds (or, with `take_out`, excepts) one name or address; BAD when it is neither. */
enum rc catc_add_name(struct catc *c, span name, uint16_t category, bool take_out) MUST_USE;
/* Adds a whole list. NOTFOUND, IO: see errno; BAD: not a text file; LIMIT: larger than CATC_FILE_BYTES. */
enum rc catc_add_file(struct catc *c, const char *path, uint16_t category) MUST_USE;
/* The same for text that is already in memory. */
enum rc catc_add_text(struct catc *c, const char *name, span text, uint16_t category) MUST_USE;
/* Appends the image to `out`. LIMIT when there are more different sets of categories than a slot can number.
 */
enum rc catc_finish(struct catc *c, uint16_t n_categories, struct buf *out) MUST_USE;
size_t catc_n_files(const struct catc *c);
struct catc_report catc_file(const struct catc *c, size_t i);
uint64_t catc_n_names(const struct catc *c);

/* One line of a list -> normalised name in `out` (LIM_NAME_BYTES long). Returns its length; 0: nothing there
 * (`*bad` false: blank or comment) or not a name (`*bad` true). */
size_t catc_line(span line, uint8_t *out, bool *bad);

#endif
