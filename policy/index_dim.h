/* Bit sets, token lists and hashed strings of the tables; see image.h for what they are. */
#ifndef POLICY_INDEX_DIM_H
#define POLICY_INDEX_DIM_H

#include "policy/index.h"

/* Growing lists of numbers, one per key; what is added twice in a row is kept once. */
struct index_list {
    uint32_t *v;
    uint32_t n;
    size_t cap;
};
struct index_lists {
    struct index_list *v;
    uint32_t n;
};
enum rc index_lists_init(struct index_lists *l, uint32_t n) MUST_USE;
enum rc index_lists_add(struct index_lists *l, uint32_t key, uint32_t number) MUST_USE;
void index_lists_fini(struct index_lists *l);

/* Strings numbered in the order of their first coming. */
struct index_strings {
    struct map ids; /* text -> number + 1 */
    span *v;
    uint32_t n;
    size_t cap;
};
enum rc index_strings_add(struct index_strings *s, span text, uint32_t *id) MUST_USE;
enum rc index_strings_emit(const struct index_strings *s, struct part *p, struct img_run *out) MUST_USE;
void index_strings_fini(struct index_strings *s);

/* All tables of the rules. */
enum rc index_tables(struct tree *t, struct part *p) MUST_USE;

#endif
