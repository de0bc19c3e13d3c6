/* Decision codes: "A7K-2Q9F-XMH". Nine characters of 5 bits (Crockford's alphabet without I, L, O, U) and a
 * check character. The first is the node, the other eight are the decision's number (40 bits: at 2,000
 * decisions a second every day and night 17 years), stirred by a fixed bijection so that neighbours do not
 * look alike; uniqueness comes from the number, which the master hands out in ranges that it writes down
 * before use. The check character makes a weighted sum over the field of 32 elements zero: it finds every
 * single wrong character and every swap of any two. (A remainder modulo 31 would not: 32 is 1 modulo 31, so
 * it is a mere sum of the characters and blind to swaps.) */
#ifndef GW_SIEM_CODE_H
#define GW_SIEM_CODE_H

#include "gw/base/buf.h"

enum { CODE_TEXT = 13, CODE_NUMBER_BITS = 40 };

/* "A7K-2Q9F-XMH" and a NUL. Bits of `node` above the fifth and of `number` above the fortieth are ignored. */
void code_format(unsigned node, uint64_t number, char out[CODE_TEXT]);
/* Accepts any case, with or without hyphens and spaces; O, I, L read as 0, 1, 1. BAD: wrong shape or check
 * character. */
enum rc code_parse(span text, unsigned *node, uint64_t *number) MUST_USE;
/* The alphabet (32 characters), shared with pseudonyms. */
extern const char code_alphabet[33];

#endif
