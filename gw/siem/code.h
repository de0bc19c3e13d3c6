/* Decision codes: "A7K-2Q9F-XM4". Ten characters of 5 bits (Crockford's alphabet without I, L, O, U) and a check character.
 * The first is the node, the other nine are the decision's number (45 bits), stirred by a fixed bijection so that
 * neighbours do not look alike; uniqueness comes from the number, which the master hands out in ranges that it writes
 * down before use. The check character is the value modulo 31 in the same alphabet: it finds every single wrong
 * character and every swap of neighbours. */
#ifndef GW_SIEM_CODE_H
#define GW_SIEM_CODE_H

#include "gw/base/buf.h"

enum { CODE_TEXT = 13, CODE_NUMBER_BITS = 45 };

/* "A7K-2Q9F-XM4" and a NUL. */
void code_format(unsigned node, uint64_t number, char out[CODE_TEXT]);
/* Accepts any case, with or without hyphens; O, I, L read as 0, 1, 1. BAD: wrong shape or check character. */
enum rc code_parse(span text, unsigned *node, uint64_t *number) MUST_USE;

#endif
