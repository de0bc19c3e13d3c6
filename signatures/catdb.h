/* Host name -> categories: one compact table in mapped memory, built by signatures/catc.
 *
 * An open-addressing table of 8-byte slots (48-bit tag, 16-bit number of a category set) under a keyed hash
 * that is computed label by label from the right, so that all parent domains of a name cost one walk. A name
 * in a list stands for itself and everything below it; an exception takes itself and everything below it out
 * of its category again. Addresses are kept under their canonical text. The view borrows the bytes; a look-up
 * allocates nothing, never reads outside the image whatever its bytes are, and costs at most one bounded
 * probe a label. */
#ifndef SIGNATURES_CATDB_H
#define SIGNATURES_CATDB_H

#include "gw/base/buf.h"

enum {
    CATDB_CATEGORIES = 1024, /* numbers a table can hold */
    CATDB_SETS = 65535,      /* different sets of categories; number 0 means "free slot" */
};

/* An open image. */
struct catdb {
    const uint64_t *slots;
    uint64_t n_slots;
    const uint32_t *set_at; /* n_sets + 1 offsets into members */
    uint32_t n_sets;
    const uint16_t *members;
    uint32_t n_members;
    uint16_t n_categories;
    uint64_t n_names;
    uint64_t seed[4];
};

/* Checks header, sizes and every set; BAD when anything is off. `image` must be 8-byte aligned. */
enum rc catdb_open(span image, struct catdb *out) MUST_USE;
/* Numbers of the categories that hold `name` (normalised: lower case, no trailing dot; or an address as
 * addr_text writes it) or one of its parents, ascending, at most `cap`. Returns how many. */
size_t catdb_find(const struct catdb *db, span name, uint16_t *out, size_t cap);

#endif
