/* Decision codes: number -> stirred number -> eight characters, a node before and a check character behind;
 * see code.h. */
#include "gw/siem/code.h"

#include "gw/base/obj.h"

enum { CODE_CHARS = 10, CODE_BAD = 0xff };
#define CODE_MASK ((UINT64_C(1) << CODE_NUMBER_BITS) - 1)

const char code_alphabet[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Powers of x in GF(32) modulo x^5 + x^2 + 1: all different, none zero. Two characters swapped or one changed
 * move the sum by (w1 - w2)(c1 - c2) or w(c1 - c2), never zero. */
static const uint8_t code_weight[CODE_CHARS] = {1, 2, 4, 8, 16, 5, 10, 20, 13, 26};

static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t sum = 0;
    for (; b; b >>= 1) {
        if (b & 1)
            sum ^= a;
        a = (uint8_t)(a << 1);
        if (a & 32)
            a ^= 37; /* x^5 = x^2 + 1 */
    }
    return sum;
}

/* Odd factors and xor with a right shift are each undone exactly. UNSTIR_ factors are the inverses modulo
 * 2^40. */
#define STIR_A UINT64_C(0x9e3779b97b)
#define STIR_B UINT64_C(0xd6e8feb865)
#define STIR_C UINT64_C(0x5bd1e995a3) /* the first number of a new gateway is not 000-0000-000 */
enum { STIR_SHIFT = 20 };

static uint64_t inverse_40(uint64_t odd)
{
    uint64_t x = odd; /* right in the lowest 3 bits; each round doubles them (Newton) */
    for (int i = 0; i < 4; i++)
        x *= 2 - odd * x;
    return x & CODE_MASK;
}

static uint64_t stir(uint64_t v)
{
    v = (v * STIR_A) & CODE_MASK;
    v ^= v >> STIR_SHIFT;
    v = (v * STIR_B) & CODE_MASK;
    return v ^ (v >> STIR_SHIFT) ^ STIR_C;
}

static uint64_t unstir(uint64_t v)
{
    v ^= STIR_C;
    v ^= v >> STIR_SHIFT; /* half the width: its own inverse */
    v = (v * inverse_40(STIR_B)) & CODE_MASK;
    v ^= v >> STIR_SHIFT;
    return (v * inverse_40(STIR_A)) & CODE_MASK;
}

static uint8_t weighted(const uint8_t c[CODE_CHARS], size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum ^= gf_mul(code_weight[i], c[i]);
    return sum;
}

void code_format(unsigned node, uint64_t number, char out[CODE_TEXT])
{
    uint8_t c[CODE_CHARS];
    uint64_t v = stir(number & CODE_MASK);
    c[0] = node & 31;
    for (size_t i = 8; i >= 1; i--, v >>= 5)
        c[i] = v & 31;
    uint8_t sum = weighted(c, CODE_CHARS - 1), last = 0;
    while (gf_mul(code_weight[CODE_CHARS - 1], last) != sum)
        last++; /* at most 32 steps: multiplying by a non-zero element is a bijection */
    c[CODE_CHARS - 1] = last;

    size_t at = 0;
    for (size_t i = 0; i < CODE_CHARS; i++) {
        if (i == 3 || i == 7)
            out[at++] = '-';
        out[at++] = code_alphabet[c[i]];
    }
    out[at] = '\0';
}

static uint8_t char_value(uint8_t ch)
{
    switch (ascii_lower(ch)) {
    case 'o': return 0;
    case 'i':
    case 'l': return 1;
    default: break;
    }
    for (uint8_t v = 0; v < 32; v++) {
        if (ascii_lower((uint8_t)code_alphabet[v]) == ascii_lower(ch))
            return v;
    }
    return CODE_BAD;
}

enum rc code_parse(span text, unsigned *node, uint64_t *number)
{
    uint8_t c[CODE_CHARS];
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-' || text.p[i] == ' ')
            continue;
        uint8_t v = char_value(text.p[i]);
        if (v == CODE_BAD || n == CODE_CHARS)
            return RC_BAD;
        c[n++] = v;
    }
    if (n != CODE_CHARS || weighted(c, CODE_CHARS) != 0)
        return RC_BAD;
    uint64_t v = 0;
    for (size_t i = 1; i <= 8; i++)
        v = v << 5 | c[i];
    *node = c[0];
    *number = unstir(v);
    return RC_OK;
}
