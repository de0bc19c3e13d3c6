/* Completes a parsed tree: every name resolved to a number, every value normalised; finds what is unknown,
 * given twice, impossible, never reached or never matching. Errors and warnings are counted in d. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/compile.h"
#include "policy/diag.h"

void policy_check(struct diag *d, const struct compile_opts *opts);
/* What shows only in what was built: warns of rules that can never decide (policy/reach), tries the
 * expectations, and with check_only sums up the rules that none of them touches. False without memory. */
bool check_built(struct diag *d, const struct snapshot *snap, const struct compile_opts *opts) MUST_USE;

#endif
