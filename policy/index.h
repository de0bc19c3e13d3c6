/* Checked tree -> policy part: settings, zones, texts, and per table and dimension the bit sets that decide()
 * ANDs. */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H

#include "policy/part.h"
#include "policy/tree.h"

/* Table of a rule as decide() knows it; TABLE_N: in none. Rules keep the written order inside their table,
 * those of delegated files ahead of the others (`set`: behind). */
enum table index_table(const struct rule *r);
/* Fills the part from the tree; RC_LIMIT, RC_NOMEM. */
enum rc index_build(struct tree *t, struct part *p) MUST_USE;

#endif
