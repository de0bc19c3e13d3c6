/* Attributes of users, comparable; see attr.h. Sixteen bytes at a time: a user has up to 32 of them at every
 * decision. */
#include "policy/attr.h"

typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t halves __attribute__((vector_size(16), may_alias));

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

static block load(const uint8_t *p)
{
    return *(const block *)(const void *)p;
}

static bool any(block b)
{
    const halves h = (halves)b;
    return (h[0] | h[1]) != 0;
}

static block lower(block b)
{
    block capital = (block)(b - 'A' <= 'Z' - 'A');
    return b | (capital & 0x20);
}

static uint64_t load8(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return w;
}

/* Capitals and small letters have one hash, as have a few bytes that are no letters. */
static uint64_t add(uint64_t h, uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)((a | EACH(0x20)) ^ h) * ((b | EACH(0x20)) ^ EACH(0xa5));
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint32_t add_end(uint64_t h)
{
    return (uint32_t)(h * UINT64_C(0xc4ceb9fe1a85ec53) >> 32);
}

static uint64_t start(size_t n)
{
    return (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Above the bits of a hash. */
#define MAY_HAVE_SPACES (UINT64_C(1) << 32)

/* Less than a block. */
static uint64_t hash_short(span s)
{
    uint64_t a = 0, b = 0;
    if (s.n >= 8) { /* some bytes twice */
        a = load8(s.p);
        b = load8(s.p + s.n - 8);
    } else {
        for (size_t i = 0; i < s.n; i++)
            a = a << 8 | s.p[i];
    }
    uint32_t hash = add_end(add(start(s.n), a, b));
    return s.n && !spaces8(a) && !spaces8(b) ? hash : MAY_HAVE_SPACES | hash;
}

static inline uint64_t hash_of(span s)
{
    block blank = {0};
    uint64_t h = start(s.n);
    if (s.n < sizeof blank)
        return hash_short(s);
    const uint8_t *p = s.p, *last = s.p + s.n - sizeof blank;
    for (; p < last; p += sizeof blank) {
        blank |= (block)(load(p) == ' ');
        h = add(h, load8(p), load8(p + 8));
    }
    blank |= (block)(load(last) == ' '); /* the last sixteen, some of them again */
    h = add_end(add(h, load8(last), load8(last + 8)));
    return any(blank) ? MAY_HAVE_SPACES | h : h;
}

uint32_t attr_hash(span attr)
{
    return (uint32_t)hash_of(attr);
}

uint64_t attr_plain_hash(span attr)
{
    uint64_t h = attr.n <= ATTR_MOST ? hash_of(attr) : MAY_HAVE_SPACES;
    return h < MAY_HAVE_SPACES ? h : ATTR_OTHER;
}

bool attr_is(span norm, span plain)
{
    block differ = {0};
    if (norm.n != plain.n)
        return false;
    if (norm.n < sizeof differ)
        return span_ieq(norm, plain);
    const size_t last = norm.n - sizeof differ;
    for (size_t i = 0; i < last; i += sizeof differ)
        differ |= load(norm.p + i) ^ lower(load(plain.p + i));
    differ |= load(norm.p + last) ^ lower(load(plain.p + last));
    return !any(differ);
}
