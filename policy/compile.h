/* Policy file (and what it includes and names) -> the parts of a snapshot. Used by the compiler process, `perrond -n`,
 * `perronctl check` and tests. Diagnostics go to `diag` as text: "file:line:col: error: sentence", the source line, a
 * caret, a hint. CONFIG when there was at least one error (then no part is made); OK with warnings is OK. */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/snapshot.h"

struct compile_opts {
    bool check_only;   /* -n: make nothing, a missing interface is a warning */
    bool print;        /* check -p: append the normal form with every default to `diag` */
    int64_t time_s;    /* "now", for rules past their `until` */
    void (*progress)(const char *what, unsigned long done, unsigned long total);
};

/* fds receives SNAP_PARTS sealed memfds (caller closes). */
enum rc policy_compile(const char *path, const struct compile_opts *opts, int fds[SNAP_PARTS],
                       uint8_t hash[SNAP_HASH], struct buf *diag) MUST_USE;

#endif
