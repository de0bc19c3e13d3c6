/* Categories and their lists as written; see tree.h. */
#ifndef POLICY_TREE_LISTS_H
#define POLICY_TREE_LISTS_H

#include "policy/tree_rule.h"

struct category_source {
    enum category_kind {
#define L(id, word, what) CAT_##id,
#include "policy/listkind.tbl"
#undef L
        CAT_N
    } kind;
    bool except;
    struct word w;
    span named; /* kind and name or path of the list; by policy_lists, as its number */
    uint32_t list;
    struct category_source *next;
};

struct category_decl {
    struct word name;
    struct category_source *sources;
    uint32_t id;
    struct category_decl *next;
};

/* What holds entries of lists back, `guard ...`. */
struct guard_decl {
    struct value *own;
    struct word popular, seen, accepted;
    bool has_shrink;
    unsigned shrink; /* per cent */
};

#endif
