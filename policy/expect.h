/* Expectations: takes the requests that `expect` lines describe through a compiled snapshot, step by step as
 * the gateway does, and reports those that come out otherwise. */
#ifndef POLICY_EXPECT_H
#define POLICY_EXPECT_H

#include "policy/diag.h"

void policy_expect(struct diag *d, const struct snapshot *snap, int64_t now);

#endif
