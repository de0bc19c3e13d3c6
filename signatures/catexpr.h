/* Regular expressions of lists (UT1 `expressions`) over host and path: one Hyperscan database for all of
 * them, so that a look-up costs one pass however many there are. It is the last section of the hot part:
 * entries, texts, and the database as it was serialised by the machine that compiled it. */
#ifndef SIGNATURES_CATEXPR_H
#define SIGNATURES_CATEXPR_H

#include "gw/base/buf.h"

enum {
    CATEXPR_MOST = 4096,         /* expressions in a part */
    CATEXPR_REPEATS = 1000,      /* what nested {n} of one may multiply to */
    CATEXPR_ALL_REPEATS = 20000, /* what that comes to in a part; a thousand take 0.2 s to compile */
    CATEXPR_BYTES = 1048576,     /* of the database of one */
    CATEXPR_ALL_BYTES = 8388608  /* of all */
};

/* One expression and where it stands. */
struct catexpr_item {
    uint32_t text_at, text_n, line;
    uint16_t list, file;
};

struct catexpr;

/* What is in a part already. */
struct catexpr_sum {
    uint64_t n, repeats;
};
void catexpr_add(struct catexpr_sum *sum, span text);
/* Whether the expression may be used beside `sum`: it can be compiled, cannot match nothing, and stays within
 * the limits. When not, `why` gets a sentence with its cost. */
bool catexpr_check(const struct catexpr_sum *sum, span text, char why[128]);
/* Appends the section. LIMIT: all of them together are too large. */
enum rc catexpr_build(const struct catexpr_item *items, uint32_t n, span texts, struct buf *out) MUST_USE;
/* `section` is borrowed. BAD: not one of this machine's. Not for two threads at once. */
enum rc catexpr_open(span section, uint32_t n_lists, struct catexpr **out) MUST_USE;
void catexpr_free(struct catexpr *x);
/* Adds the lists that have expressions, a bit each. NULL has none. */
void catexpr_lists(const struct catexpr *x, uint64_t *lists);
/* Calls `fn` for each expression that matches host and normalised path, once. */
void catexpr_match(const struct catexpr *x, span host, span path,
                   void (*fn)(void *arg, const struct catexpr_item *item, span text), void *arg);

#endif
