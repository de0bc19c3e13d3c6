/* What keeps a list from breaking the country: entries that would hit a public suffix, the organisation
 * itself, or (when they are new) names that many people use or that were asked for here lately are held back
 * for review; the rest of the list goes live. A held-back entry is let in by a line of the review file, or by
 * naming it in the policy's category. */
#ifndef SIGNATURES_GUARD_H
#define SIGNATURES_GUARD_H

#include "gw/base/sha256.h"
#include "signatures/cattext.h"
#include "signatures/suffix.h"

enum { GUARD_OWN = 64, GUARD_SHRINK = 50 };

enum guard_set { GUARD_ACCEPTED, GUARD_POPULAR, GUARD_SEEN, GUARD_SETS };

/* Hashes of names under the seed of the part being made. */
struct guard_names {
    struct buf text;
    uint64_t *slots;
    uint64_t n_slots;
};

struct guard {
    span own[GUARD_OWN]; /* owned copies */
    size_t n_own;
    struct guard_names set[GUARD_SETS];
    struct suffixes suffixes;
    unsigned shrink; /* a file that lost more than so many per cent is taken for truncated */
};

void guard_init(struct guard *g);
void guard_fini(struct guard *g);
/* BAD: no host name. LIMIT: more than GUARD_OWN. */
enum rc guard_own(struct guard *g, span name) MUST_USE;
/* A text file of names: `name`, `rank,name` or `name count` a line. Of a popular or seen name every parent
 * counts too: an entry that holds the parent holds the name. NOTFOUND, IO: see errno. */
enum rc guard_file(struct guard *g, enum guard_set set, const char *path) MUST_USE;
enum rc guard_text(struct guard *g, enum guard_set set, span text) MUST_USE;
/* Digest of what holds entries back that are not new: own names, review file, shrink, and these rules. */
enum rc guard_digest(const struct guard *g, uint8_t out[SHA256_BYTES]) MUST_USE;
/* Before the first judgement; `bytes`: of all lists, about. */
enum rc guard_prepare(struct guard *g, const uint64_t seed[4], uint64_t bytes) MUST_USE;
/* HOLD_POPULAR and HOLD_SEEN count for new entries alone: the caller knows which are. */
enum hold guard_judge(const struct guard *g, const struct catkey *k, unsigned flags,
                      const struct catkey_hashes *h);
/* The same of `n` expressions at once, each tried on the front page of names: of ours, of names that have
 * nothing in common, and, those that are `fresh`, of popular and seen ones. `out`: n. LIMIT: together they
 * are too large for a part. */
enum rc guard_judge_expressions(const struct guard *g, const span *expr, const bool *fresh, size_t n,
                                enum hold *out) MUST_USE;

#endif
