/* Attributes of users, comparable; see attr.h. Eight bytes at a time: a user has up to 32 of them at every
 * decision. */
#include "policy/attr.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* ASCII capitals in the eight bytes made small; other bytes as they are. */
static uint64_t lower8(uint64_t w)
{
    uint64_t seven = w & EACH(0x7f);
    uint64_t from_a = seven + EACH(0x80 - 'A'), past_z = seven + EACH(0x7f - 'Z');
    uint64_t capital = (from_a & ~past_z) & ~w & EACH(0x80);
    return w | capital >> 2;
}

/* A bit in each byte that is a space, and perhaps in others behind one. */
static uint64_t spaces8(uint64_t w)
{
    uint64_t x = w ^ EACH(' ');
    return (x - EACH(1)) & ~x & EACH(0x80);
}

static bool separates(uint8_t c)
{
    return c == ',' || c == '=';
}

/* Takes out what attr.h says, in place. */
static size_t squeeze(uint8_t *s, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ' ') {
            size_t end = i;
            while (end < n && s[end] == ' ')
                end++;
            if (out == 0 || separates(s[out - 1]) || end == n || separates(s[end])) {
                i = end - 1;
                continue;
            }
        }
        s[out++] = s[i];
    }
    return out;
}

size_t attr_normalise(span in, uint8_t out[ATTR_MOST])
{
    uint64_t found = 0, w;
    size_t i = 0;
    if (in.n > ATTR_MOST)
        return 0;
    for (; i + 8 <= in.n; i += 8) {
        memcpy(&w, in.p + i, 8);
        found |= spaces8(w);
        w = lower8(w);
        memcpy(out + i, &w, 8);
    }
    if (i < in.n && in.n >= 8) { /* the last eight, some of them again */
        memcpy(&w, in.p + in.n - 8, 8);
        found |= spaces8(w);
        w = lower8(w);
        memcpy(out + in.n - 8, &w, 8);
        i = in.n;
    }
    for (; i < in.n; i++) {
        found |= in.p[i] == ' ';
        out[i] = ascii_lower(in.p[i]);
    }
    return found ? squeeze(out, in.n) : in.n;
}

uint32_t attr_hash(span s)
{
    uint64_t h = s.n * UINT64_C(0x9e3779b97f4a7c15), w;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    if (i < s.n && s.n >= 8) {
        memcpy(&w, s.p + s.n - 8, 8);
        i = s.n;
    } else {
        w = 0;
    }
    for (; i < s.n; i++)
        w = w << 8 | s.p[i];
    h = (h ^ w) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (uint32_t)(h ^ h >> 32);
}
