/* What the files of the index share: index.c (declarations, rules), index_dim.c (bit sets, token lists and
 * hashed strings of the tables), index_anchor.c (where rules are
 * anchored), index_time.c (schedules), index_key.c (keys of rules). See image.h for what
 * they make. */
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
typedef uint32_t (*index_hash)(span text);
enum rc index_strings_emit(const struct index_strings *s, index_hash hash, struct part *p,
                           struct img_run *out) MUST_USE;
void index_strings_fini(struct index_strings *s);

/* All rules in the order of the part: table by table, then those of no table. */
struct index_item {
    const struct rule *rule; /* NULL: an `observe` statement */
    const struct observe_decl *observe;
    uint64_t key;
    struct img_run schedules; /* numbers of the schedules it names, of NUMBERS */
};
struct index_order {
    struct index_item *items;
    uint32_t n;
    uint32_t first[TABLE_N + 1]; /* of each table; the last one: of those in none */
    uint32_t lead;               /* rules of delegated files at the beginning of `web` */
};

/* One table while it is indexed. */
struct index_table {
    uint32_t n_rules, n_words;
    bool asked[DIM_N];
    struct index_lists accept[DIM_N], except[DIM_N]; /* rules by token */
    uint64_t *conditioned[DIM_N], *touched[DIM_N];   /* rules with a condition; with one or an exception */
};
static inline bool index_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* Where each rule of a table is anchored (policy/layout_rule.h). */
struct index_anchors {
    uint8_t *dim;              /* a rule; DIM_N: nowhere */
    struct img_anchor *anchor; /* a rule; NULL: the table is not anchored */
};
/* Chooses them within `room`, the bytes that the anchors of all tables may still take, and takes from it. */
enum rc index_anchors_choose(const struct index_table *x, uint64_t *room, struct index_anchors *a) MUST_USE;
void index_anchors_fini(struct index_anchors *a);
/* Of these rules the ones that are anchored in that dimension. */
enum rc index_anchors_put(const struct index_anchors *a, const struct index_list *rules, enum dim d,
                          struct part *p, struct img_run *out) MUST_USE;
/* What the rules ask, and those without an anchor; `timed`, `forbids`: rules as bits. */
enum rc index_asks_put(const struct index_table *x, const struct index_anchors *a, const uint64_t *timed,
                       const uint64_t *forbids, struct part *p, struct img_table *out) MUST_USE;

/* Conditions of an item that are not its own: for whom a delegated file is, and within which ceiling. */
static inline const struct cond *index_own(const struct index_item *i)
{
    return i->rule ? i->rule->conds : i->observe->conds;
}

/* Keys of all items; no two are the same. */
enum rc index_keys(struct index_order *o) MUST_USE;
/* Bit sets of all tables; fills in the items' schedules. */
enum rc index_tables(struct tree *t, struct index_order *o, struct part *p) MUST_USE;
/* Schedules with their time zones, and the policy's. RC_NOTFOUND: the system does not know one. */
enum rc index_schedules(const struct tree *t, struct part *p) MUST_USE;

#endif
