/* What a policy says that nothing acts on yet; see unheard.tbl. So that nobody takes a rule that is checked
 * for one that is in force. */
#ifndef POLICY_UNHEARD_H
#define POLICY_UNHEARD_H

#include "policy/tree.h"

enum {
#define U(id, words, text) UNHEARD_##id,
#include "policy/unheard.tbl"
#undef U
    UNHEARD_N
};

struct unheard {
    const char *words, *sentence;
    uint32_t n;       /* how often */
    struct pos first; /* the first time */
};

/* Those that occur, in the order of the table. Returns how many. */
size_t policy_unheard(const struct tree *t, struct unheard out[UNHEARD_N]);

#endif
