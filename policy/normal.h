/* The normal form of a policy (`check -p`): every setting with its default, every rule on one line. */
#ifndef POLICY_NORMAL_H
#define POLICY_NORMAL_H

#include "policy/tree.h"

enum rc policy_normal(const struct tree *t, struct buf *out) MUST_USE;

#endif
