/* What stands in an open directory. */
#ifndef GW_BASE_DIR_H
#define GW_BASE_DIR_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gw/base/err.h"

/* A walk from the first entry on, with a position of its own: two walks of one handle do not meet. The caller
 * closes it; `dir` stays open. NULL: see errno. */
DIR *dir_walk(int dir) MUST_USE;
/* The numbers of the files of a series, ascending; the caller frees *out. number_of() says whether a name
 * belongs to the series, and its number there. None: OK, *n is 0. IO (errno); NOMEM. */
enum rc dir_numbers(int dir, bool (*number_of)(const char *name, uint64_t *number), uint64_t **out,
                    size_t *n) MUST_USE;

#endif
