/* Completes a parsed tree: every name resolved to a number, every value normalised; finds what is unknown,
 * given twice, impossible, never reached or never matching. Errors and warnings are counted in d. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/compile.h"
#include "policy/diag.h"

void policy_check(struct diag *d, const struct compile_opts *opts);
/* Warns of the rules of what was built that can never decide (policy/reach). False without memory. */
bool check_reach(struct diag *d, const struct snapshot *snap, int64_t now) MUST_USE;

#endif
