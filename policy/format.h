/* A policy file in its normal form, for people who keep it in git: one space between words, four to a level,
 * at most one empty line, the parts of a rule in one order (what, where, who, when, then labels). Comments
 * and the lines they stand on stay. Formatting twice changes nothing more. */
#ifndef POLICY_FORMAT_H
#define POLICY_FORMAT_H

#include "policy/diag.h"

/* Text that lexes as a policy. LIMIT, NOMEM. */
enum rc format_text(span text, struct buf *out) MUST_USE;
/* Reads `path` alone, not what it includes. CONFIG with errors in `diag` when it cannot be read as a policy;
 * BUG when the result would not say the same, which is asked before anything is handed out. */
enum rc policy_format(const char *path, struct buf *out, struct buf *diag) MUST_USE;

#endif
