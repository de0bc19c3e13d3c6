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

/* Capitals and small letters have one hash, as have a few bytes that are no letters. `spaces`: not 0 where
 * there is one. */
static uint64_t add8(uint64_t h, uint64_t w, uint64_t *spaces)
{
    *spaces |= spaces8(w);
    h = (h ^ (w | EACH(0x20))) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 32;
}

static uint32_t hash_of(span s, uint64_t *spaces)
{
    uint64_t h = s.n * UINT64_C(0x9e3779b97f4a7c15), w = 0;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        h = add8(h, w, spaces);
    }
    if (s.n >= 8) { /* the last eight, some of them again */
        memcpy(&w, s.p + s.n - 8, 8);
        i = s.n;
    }
    for (; i < s.n; i++)
        w = w << 8 | s.p[i];
    return (uint32_t)(add8(h, w, spaces) * UINT64_C(0xc4ceb9fe1a85ec53) >> 32);
}

uint32_t attr_hash(span attr)
{
    uint64_t spaces = 0;
    return hash_of(attr, &spaces);
}

bool attr_is_plain(span attr, uint32_t *hash)
{
    uint64_t spaces = 0;
    *hash = hash_of(attr, &spaces);
    return !spaces && attr.n > 0 && attr.n <= ATTR_MOST;
}

bool attr_is(span norm, span plain)
{
    uint64_t a, b, differ = 0;
    size_t i = 0;
    if (norm.n != plain.n)
        return false;
    for (; i + 8 <= norm.n; i += 8) {
        memcpy(&a, norm.p + i, 8);
        memcpy(&b, plain.p + i, 8);
        differ |= a ^ lower8(b);
    }
    for (; i < norm.n; i++)
        differ |= norm.p[i] ^ ascii_lower(plain.p[i]);
    return !differ;
}
