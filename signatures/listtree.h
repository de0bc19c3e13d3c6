/* Lists as they lie on disk, for whoever builds without a policy: a folder with `domains`, `urls` or
 * `expressions` is one UT1 list, a folder of such folders a tree of them, a file a list of the kind that is
 * said. */
#ifndef SIGNATURES_LISTTREE_H
#define SIGNATURES_LISTTREE_H

#include "signatures/catc.h"

/* Adds the source to the compiler: PATH, or KIND:PATH with KIND one of file, urls, hosts, rpz, adblock, ut1.
 * A list is named by its kind and its last word (`ut1 gambling`), so that two trees can be compared.
 * NOTFOUND, IO: see errno; BAD: a folder without lists; LIMIT: too many. */
enum rc listtree_add(struct catc *c, const char *source) MUST_USE;
/* The files of one UT1 list in folder `path`; how many there are. */
enum rc listtree_ut1(struct catc *c, const char *path, unsigned *n) MUST_USE;

#endif
