/* A host name as the table of lists knows it: what catdb_expect() makes when a name becomes known, and
 * catdb_find() uses once it is looked up. For that table and that name alone. */
#ifndef SIGNATURES_CATKEYS_H
#define SIGNATURES_CATKEYS_H

#include <stdint.h>

enum { CATKEYS_MAX = 128 }; /* more labels than a name of LIM_NAME_BYTES can have */

/* Only what the counts say is there is ever set. */
struct cat_keys {
    uint32_t n, n_own; /* keys (0: no name that could be listed); the first ones, with lines of their own */
    uint64_t base[3];  /* chooses the line: of each of these, and of all that are longer */
    uint64_t tag[CATKEYS_MAX]; /* of the name and its parents, shortest first */
};

#endif
