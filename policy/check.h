/* Completes a parsed tree: every name resolved to a number, every value normalised; finds what is unknown,
 * given twice, impossible, never reached or never matching. Errors and warnings are counted in d. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/compile.h"
#include "policy/diag.h"

void policy_check(struct diag *d, const struct compile_opts *opts);

#endif
