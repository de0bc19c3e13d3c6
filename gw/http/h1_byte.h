/* Which byte may stand where in an HTTP/1 head: one table, one look-up a byte (RFC 9110 section 5.6, RFC
 * 9112). Also the walk over field values, eight bytes a step, which is where a parser spends its time. */
#ifndef GW_HTTP_H1_BYTE_H
#define GW_HTTP_H1_BYTE_H

#include "gw/base/buf.h"

enum {
    H1B_TOKEN = 1,  /* tchar */
    H1B_METHOD = 2, /* upper case, digit, '-', '_': every method in use; `get` is for no one to guess at */
    H1B_TARGET = 4, /* visible ASCII without '#'; browsers leave '|', '^', '{' and others as they are */
    H1B_HOST = 8,   /* letters, digits, '-', '.', '_' */
    H1B_VALUE = 16, /* field value: visible, space, tab, obs-text */
    H1B_ALNUM = 32,
    H1B_LOWER = 64, /* tchar, none in upper case: names in HTTP/2 */
};

extern const uint8_t h1_byte[256];

/* Number of leading bytes of s that are all of a class. */
static inline size_t h1_run(span s, uint8_t class)
{
    size_t i = 0;
    while (i < s.n && (h1_byte[s.p[i]] & class))
        i++;
    return i;
}

/* The same for H1B_VALUE, by words: a word with a byte below 0x20 or equal to 0x7f is looked at byte by byte.
 */
static inline size_t h1_value_run(span s)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    size_t i = 0;
    while (s.n - i >= 8) {
        uint64_t x, y;
        memcpy(&x, s.p + i, 8);
        y = x ^ (ones * 0x7f);
        if ((((x - ones * 0x20) & ~x) | ((y - ones) & ~y)) & high) {
            size_t run = h1_run((span){s.p + i, 8}, H1B_VALUE);
            i += run;
            if (run < 8)
                return i;
        } else {
            i += 8;
        }
    }
    return i + h1_run((span){s.p + i, s.n - i}, H1B_VALUE);
}

#endif
