/* Grammar of the policy language -> tree with positions. Knows words and shapes, not names: whether a zone or
 * group exists is for policy/check. Reads on after an error, line by line, so that one run shows them all. */
#ifndef POLICY_PARSE_H
#define POLICY_PARSE_H

#include "policy/diag.h"

/* Reads `path` and what it includes into d->tree; errors are counted in d. */
void policy_parse(struct diag *d, const char *path);
/* The same for text in memory; `include` is refused there. */
void policy_parse_text(struct diag *d, const char *name, span text);

#endif
