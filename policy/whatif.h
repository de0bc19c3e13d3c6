/* What another policy would have made of recorded decisions: every record is decided again (policy/redecide),
 * and what comes out otherwise is counted by rule, group and category, with a few codes as examples. Records
 * whose verdict hangs on a fact that nobody kept are counted apart and never as unchanged.
 *
 * "Changes" is what somebody would notice: allowed, blocked, warned, exempt or inspected; enforced or only
 * observed; which modifiers a request gets. Another rule with the same outcome is counted on the side. */
#ifndef POLICY_WHATIF_H
#define POLICY_WHATIF_H

#include "policy/record.h"

enum { WHATIF_EXAMPLES = 3, WHATIF_NAME = 160, WHATIF_AHEAD = 16 };

/* One line of a table: what it is called, how often, and which codes. */
struct whatif_row {
    char name[WHATIF_NAME]; /* NUL-terminated */
    uint64_t n;
    uint64_t example[WHATIF_EXAMPLES]; /* as the first bytes of a record have it */
    unsigned n_examples;
};

enum whatif_table {
    WHATIF_OUTCOME,  /* "allow -> block" */
    WHATIF_RULE,     /* by the new rule, or the old one where no rule is left */
    WHATIF_GROUP,    /* a record counts for each of its groups */
    WHATIF_CATEGORY, /* of the rules that decided; else of the host */
    WHATIF_CANNOT,   /* by the facts that are lacking */
    WHATIF_TABLES
};

struct whatif_counts {
    uint64_t records, same, other_rule, changed, cannot, unreadable;
};

struct whatif;

/* Borrows the new snapshot. `open_old` gives the snapshot that made a record (kept by whoever gives it until
 * whatif_free), or NULL where it is gone. */
enum rc whatif_new(const struct snapshot *now,
                   const struct snapshot *(*open_old)(void *arg, const uint8_t hash[SNAP_HASH]), void *arg,
                   struct whatif **out) MUST_USE;
void whatif_free(struct whatif *w);
/* One record's bytes, at most WHATIF_AHEAD records before they are taken, in the same order, and there until
 * then: what deciding will look for is fetched meanwhile. Changes nothing but the time that takes. */
void whatif_expect(struct whatif *w, span record);
/* One record's bytes. Memory is taken only for a snapshot or a line of a table not met before. */
enum rc whatif_take(struct whatif *w, span record) MUST_USE;
const struct whatif_counts *whatif_counts(const struct whatif *w);
/* The rows of a table, most first; *n of them. Borrowed. More kinds than a table holds are in the last row,
 * "others". */
const struct whatif_row *whatif_rows(struct whatif *w, enum whatif_table t, size_t *n);

#endif
