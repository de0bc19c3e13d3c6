/* Policy file (and what it includes and names) -> the parts of a snapshot. Used by the compiler process,
 * `perrond -n`, `perronctl check` and tests. Diagnostics go to `diag` as text: "file:line:col: error:
 * sentence", the source line, a caret, a hint. CONFIG when there was at least one error (then no part is
 * made); OK with warnings is OK. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/manifest.h"

/* The parts in force: lists that have not changed are taken from here, and so is a list whose file is missing
 * or went bad; lists that make an `expect` fail do not replace these. Borrowed; fds of other parts may be -1.
 */
struct compile_prev {
    int fds[SNAP_PARTS];
    struct manifest manifest;
};

enum lists_outcome {
    LISTS_BUILT,
    LISTS_SAME, /* taken from `prev` */
    LISTS_KEPT, /* built, but of one or more the file cannot be used: these stay as in `prev` */
    LISTS_HELD, /* the new ones were held back, those of `prev` stay; diagnostics say why */
};

/* What came out besides the parts. */
struct compile_made {
    struct manifest manifest;
    enum lists_outcome outcome;
};

struct tree;
struct diag_item;

struct compile_opts {
    bool check_only;  /* -n: make no part (fds are -1), a missing interface is a warning */
    bool print;       /* check -p: append the normal form with every default to `diag` */
    int64_t time_s;   /* "now", for `expect` without a time and for rules past their `until` */
    const char *node; /* which `node` block is ours; NULL: the only one */
    /* Whether this machine has an interface of that name; NULL: not asked (the compiler sees no network
     * itself). */
    bool (*has_interface)(const char *name);
    void (*progress)(const char *what, unsigned long done, unsigned long total);
    /* Called once with what was built, when there was no error. */
    void (*built)(void *arg, struct tree *t, const struct snapshot *snap);
    /* Every error and warning, also those that `diag` has no room for; struct diag_item of policy/diag.h. */
    void (*said)(void *arg, const struct diag_item *item);
    void *arg;                       /* for `built` and `said` */
    const struct compile_prev *prev; /* NULL: nothing is in force */
    struct compile_made *made;       /* filled where not NULL */
};

/* fds receives SNAP_PARTS sealed memfds (caller closes). */
enum rc policy_compile(const char *path, const struct compile_opts *opts, int fds[SNAP_PARTS],
                       uint8_t hash[SNAP_HASH], struct buf *diag) MUST_USE;

#endif
