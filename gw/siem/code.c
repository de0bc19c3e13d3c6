/* Decision codes: number -> stirred number -> eight characters, a node before and a check character behind;
 * see code.h. */
#include "gw/siem/code.h"

#include "gw/base/obj.h"

enum { CODE_CHARS = 10 };
#define CODE_MASK ((UINT64_C(1) << CODE_NUMBER_BITS) - 1)

const char code_alphabet[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Weights are the powers of x in GF(32) modulo x^5 + x^2 + 1, the first character's 1: all different, none
 * zero. Two characters swapped or one changed move the sum by (w1 - w2)(c1 - c2) or w(c1 - c2), never zero.
 */
enum { POLYNOMIAL = 37 };
#define TIMES_X(v)  ((unsigned)(v) << 1 ^ ((v)&16 ? POLYNOMIAL : 0u))
#define DIVIDE_X(v) (((v) ^ ((v)&1 ? POLYNOMIAL : 0u)) >> 1)

/* Odd factors and xor with a right shift are each undone exactly. UNSTIR_ factors are the inverses modulo
 * 2^40. */
#define STIR_A   UINT64_C(0x9e3779b97b)
#define STIR_B   UINT64_C(0xd6e8feb865)
#define STIR_C   UINT64_C(0x5bd1e995a3) /* the first number of a new gateway is not 000-0000-000 */
#define UNSTIR_A UINT64_C(0xcb04c33db3)
#define UNSTIR_B UINT64_C(0xb38e39396d)
_Static_assert((STIR_A * UNSTIR_A & CODE_MASK) == 1 && (STIR_B * UNSTIR_B & CODE_MASK) == 1, "inverses");
enum { STIR_SHIFT = 20 };

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
    v = (v * UNSTIR_B) & CODE_MASK;
    v ^= v >> STIR_SHIFT;
    return (v * UNSTIR_A) & CODE_MASK;
}

/* By Horner's rule. */
static unsigned weighted(const uint8_t c[CODE_CHARS], size_t n)
{
    unsigned sum = 0;
    while (n-- > 0)
        sum = TIMES_X(sum) ^ c[n];
    return sum;
}

/* What makes the weighted sum zero: minus is plus here, and the last weight is x to the ninth. */
static uint8_t check_char(const uint8_t c[CODE_CHARS])
{
    unsigned v = weighted(c, CODE_CHARS - 1);
    for (unsigned i = 0; i < CODE_CHARS - 1; i++)
        v = DIVIDE_X(v);
    return (uint8_t)v;
}

void code_format(unsigned node, uint64_t number, char out[CODE_TEXT])
{
    uint8_t c[CODE_CHARS];
    uint64_t v = stir(number & CODE_MASK);
    c[0] = node & 31;
    for (size_t i = 8; i >= 1; i--, v >>= 5)
        c[i] = v & 31;
    c[CODE_CHARS - 1] = check_char(c);

    size_t at = 0;
    for (size_t i = 0; i < CODE_CHARS; i++) {
        if (i == 3 || i == 7)
            out[at++] = '-';
        out[at++] = code_alphabet[c[i]];
    }
    out[at] = '\0';
}

/* Value + 1 of a character, 0: none of ours. O reads as 0, I and L as 1, small letters as capitals. */
#define BOTH(capital, v) [capital] = (v) + 1, [(capital) | 0x20] = (v) + 1
static const uint8_t char_value[128] = {
    ['0'] = 1,     ['1'] = 2,     ['2'] = 3,     ['3'] = 4,     ['4'] = 5,     ['5'] = 6,     ['6'] = 7,
    ['7'] = 8,     ['8'] = 9,     ['9'] = 10,    BOTH('A', 10), BOTH('B', 11), BOTH('C', 12), BOTH('D', 13),
    BOTH('E', 14), BOTH('F', 15), BOTH('G', 16), BOTH('H', 17), BOTH('J', 18), BOTH('K', 19), BOTH('M', 20),
    BOTH('N', 21), BOTH('P', 22), BOTH('Q', 23), BOTH('R', 24), BOTH('S', 25), BOTH('T', 26), BOTH('V', 27),
    BOTH('W', 28), BOTH('X', 29), BOTH('Y', 30), BOTH('Z', 31), BOTH('O', 0),  BOTH('I', 1),  BOTH('L', 1),
};
#undef BOTH

enum rc code_parse(span text, unsigned *node, uint64_t *number)
{
    uint8_t c[CODE_CHARS];
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '-' || text.p[i] == ' ')
            continue;
        uint8_t v = text.p[i] < sizeof char_value ? char_value[text.p[i]] : 0;
        if (v == 0 || n == CODE_CHARS)
            return RC_BAD;
        c[n++] = v - 1;
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
