/* Expectations: takes the requests that `expect` lines describe through a compiled snapshot, step by step as
 * the gateway does, and reports those that come out otherwise. */
#ifndef POLICY_EXPECT_H
#define POLICY_EXPECT_H

#include "policy/diag.h"

enum expect_said {
    EXPECT_HOLDS,
    EXPECT_FAILS,
    EXPECT_CANNOT /* nobody can be chosen, no URL, ... */
};
/* Takes one expectation through its steps without a word; `step` (or NULL) hears of each. `t` lends memory.
 */
enum expect_said expect_try(struct tree *t, const struct snapshot *snap, const struct expect *e, int64_t now,
                            void (*step)(void *arg, const struct facts *f, const struct verdict *v),
                            void *arg);
void policy_expect(struct diag *d, const struct snapshot *snap, int64_t now);

#endif
