/* Policy file (and what it includes and names) -> the parts of a snapshot. Used by the compiler process,
 * `perrond -n`, `perronctl check` and tests. Diagnostics go to `diag` as text: "file:line:col: error:
 * sentence", the source line, a caret, a hint. CONFIG when there was at least one error (then no part is
 * made); OK with warnings is OK. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/snapshot.h"

struct compile_opts {
    bool check_only;  /* -n: make no part (fds are -1), a missing interface is a warning */
    bool print;       /* check -p: append the normal form with every default to `diag` */
    int64_t time_s;   /* "now", for `expect` without a time and for rules past their `until` */
    const char *node; /* which `node` block is ours; NULL: the only one */
    /* The list parts in force (SNAP_LISTS, SNAP_LISTS_TEXT; borrowed), or NULL: handed out again when no list
     * has changed, and the source of lists whose files went bad. */
    const int *before;
    /* Whether this machine has an interface of that name; NULL: not asked (the compiler sees no network
     * itself). */
    bool (*has_interface)(const char *name);
    void (*progress)(const char *what, unsigned long done, unsigned long total);
};

/* fds receives SNAP_PARTS sealed memfds (caller closes). */
enum rc policy_compile(const char *path, const struct compile_opts *opts, int fds[SNAP_PARTS],
                       uint8_t hash[SNAP_HASH], struct buf *diag) MUST_USE;

#endif
