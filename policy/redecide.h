/* Decisions made again from records: under the snapshot that made them (replay), or under another one
 * (what-if). Says how the verdict comes out, or on which facts it hangs that the record does not have: then
 * nobody can tell, which is never "unchanged".
 *
 * Under another snapshot zone and categories are looked up anew. An identity that the policy itself gave (by
 * address) is looked up anew too. Of any other the record knows the groups it was in, by name: a group that
 * means the same in both snapshots is certain, one that is new or whose members changed is not, nor is a rule
 * that names a user, nor a grant for one. Where the other snapshot has no grants of its own, those of the
 * record's time count. */
#ifndef POLICY_REDECIDE_H
#define POLICY_REDECIDE_H

#include "policy/record.h"

struct redecide;

/* For records made by `from`; NULL: that snapshot is gone, and no group of an identity is certain. from ==
 * snap: their own. Both are borrowed. */
enum rc redecide_new(const struct snapshot *snap, const struct snapshot *from,
                     struct redecide **out) MUST_USE;
void redecide_free(struct redecide *d);
/* Decides on r->facts, which it changes to what they are under the snapshot. 0, or bits of the facts that the
 * verdict hangs on and that nobody kept. Allocates nothing. `keys`: what snapshot_expect() of that snapshot
 * made of the record's name; NULL: it was not expected. */
uint64_t redecide(const struct redecide *d, const struct cat_keys *keys, struct record *r,
                  struct verdict *out);

#endif
