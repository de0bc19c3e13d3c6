/* Files of a policy: read whole, checked to be text (UTF-8, no control characters, no endless line) before a
 * word of them is looked at. */
#ifndef POLICY_SOURCE_H
#define POLICY_SOURCE_H

#include "policy/diag.h"

/* Reads `path` as file number tree->n_files. False after an error was shown. `by`: the include line, or NULL.
 */
bool source_load(struct diag *d, const char *path, const struct pos *by);
/* The same for text that is already in memory (tests, fuzzers). */
bool source_text(struct diag *d, const char *name, span text);
/* `name` relative to the folder of file `file`, in the arena; NULL without memory. */
const char *source_beside(struct tree *t, uint32_t file, span name);

#endif
