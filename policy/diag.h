/* The caret printer: `file:line:col: error: sentence`, the source line, a caret under the place, a hint.
 * At most DIAG_MOST of each kind are shown; the rest is counted. Text from the policy is shown with control
 * characters replaced and cut to a readable length. Never fails: what does not fit in `out` is left out. */
#ifndef POLICY_DIAG_H
#define POLICY_DIAG_H

#include "policy/tree.h"

enum { DIAG_MOST = 20, DIAG_WIDTH = 100, DIAG_WORD = 60 };

/* One error or warning, for those who want more than text; what it points to dies with the call. */
struct diag_item {
    bool error;
    span file;
    uint32_t line, column;       /* in characters, from 1 */
    const char *sentence, *hint; /* hint: or NULL */
};

struct diag {
    struct buf *out;
    struct tree *tree;
    void (*each)(void *arg, const struct diag_item *item); /* all of them, shown or not; or NULL */
    void *arg;
    unsigned errors, warnings;
    unsigned unread; /* errors before checking: what they hid is not reported as missing */
};

/* For "%.*s": a word, cut. */
#define SHOW(s) \
    (int)((s).n > DIAG_WORD ? DIAG_WORD : (s).n), (const char *)((s).p ? (s).p : (const uint8_t *)"")

/* `hint` may be NULL. */
void diag_error(struct diag *d, struct pos at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void diag_warn(struct diag *d, struct pos at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* One line about the whole, neither error nor warning. */
void diag_note(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A formatted hint, kept in the tree's arena; NULL when there is no room. */
const char *diag_hint(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "WHAT FILE:LINE", "first given at FILE:LINE". */
const char *diag_at(struct diag *d, const char *what, struct pos at);
const char *diag_first(struct diag *d, struct pos at);
/* The lines about what was not shown. */
void diag_end(struct diag *d);
/* For a file that could not even be read. */
void diag_file(struct diag *d, const char *path, const char *why);

/* "did you mean": offer candidates, then ask for the hint (NULL when nothing is near). */
struct suggest {
    span word, best;
    unsigned distance;
};
struct suggest suggest_for(span word);
void suggest_add(struct suggest *s, span candidate);
const char *suggest_hint(struct diag *d, const struct suggest *s);

#endif
