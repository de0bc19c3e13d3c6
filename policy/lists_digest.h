/* What category lists are made of, as two digests, so that a reload that changes none of them rebuilds none.
 * `shape` covers the declarations in their order (numbers of categories depend on it), `content` the files
 * behind them as the file system sees them (device, inode, size, times): no list is read for it. */
#ifndef POLICY_LISTS_DIGEST_H
#define POLICY_LISTS_DIGEST_H

#include "policy/compile.h"
#include "policy/tree.h"

/* Path of the list that a source names, in the tree's arena; NULL: no memory, or no `lists` setting. */
const char *lists_path(struct tree *t, const struct category_source *s);
/* A file that is not there counts as such: its coming changes the content. */
enum rc lists_identify(struct tree *t, struct lists_id *out) MUST_USE;

#endif
