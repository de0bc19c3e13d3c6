/* Public suffixes: names below which strangers register theirs. libpsl says which they are, but takes half a
 * microsecond for each of millions of names; so where the file is at hand that its list was made from, a
 * filter of all rules is made, and libpsl is asked about those names alone that a rule may be about. */
#ifndef SIGNATURES_SUFFIX_H
#define SIGNATURES_SUFFIX_H

#include "signatures/catkey.h"

enum { SUFFIX_WORDS = 2048, SUFFIX_WILD_WORDS = 64 };

/* Three bits in one word for each name. Few words, as everything else wants the cache too. */
struct suffixes {
    uint64_t rules[SUFFIX_WORDS];     /* names that are rules, or that have `*.` before them: 7000 */
    uint64_t wild[SUFFIX_WILD_WORDS]; /* names that have `*.` before them: 100 */
    bool known;                       /* false: libpsl is asked about every name */
};

/* Reads the rules, under the seed of the part being made. Without the file (package publicsuffix), or when it
 * is not the one that libpsl was made from, `known` is false. */
void suffixes_init(struct suffixes *s, const uint64_t seed[4]);
/* Whether a normalised name is a public suffix of ICANN's section, a second-level name that a country gives
 * to many (gov.be), or has no dot at all. */
bool suffixes_have(const struct suffixes *s, span name, const struct catkey_hashes *h);

#endif
