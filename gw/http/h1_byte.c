/* The byte table, worked out by the compiler from the rules themselves; see h1_byte.h. */
#include "gw/http/h1_byte.h"

#define UPPER(c) ((c) >= 'A' && (c) <= 'Z')
#define LOWER(c) ((c) >= 'a' && (c) <= 'z')
#define DIGIT(c) ((c) >= '0' && (c) <= '9')
#define ALNUM(c) (UPPER(c) || LOWER(c) || DIGIT(c))
/* RFC 9110 section 5.6.2 */
#define TOKEN(c)                                                                                        \
    (ALNUM(c) || (c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' || (c) == '-' || \
     (c) == '.' || ((c) >= '^' && (c) <= '`') || (c) == '|' || (c) == '~')

#define B1(c)                                                                                              \
    (uint8_t)((TOKEN(c) ? H1B_TOKEN : 0) |                                                                 \
              (UPPER(c) || DIGIT(c) || (c) == '-' || (c) == '_' ? H1B_METHOD : 0) |                        \
              ((c) > 0x20 && (c) < 0x7f && (c) != '#' ? H1B_TARGET : 0) |                                  \
              (ALNUM(c) || (c) == '-' || (c) == '.' || (c) == '_' ? H1B_HOST : 0) |                        \
              ((c) == '\t' || ((c) >= 0x20 && (c) != 0x7f) ? H1B_VALUE : 0) | (ALNUM(c) ? H1B_ALNUM : 0) | \
              (TOKEN(c) && !UPPER(c) ? H1B_LOWER : 0))
#define B4(c)  B1((c)), B1((c) + 1), B1((c) + 2), B1((c) + 3)
#define B16(c) B4((c)), B4((c) + 4), B4((c) + 8), B4((c) + 12)
#define B64(c) B16((c)), B16((c) + 16), B16((c) + 32), B16((c) + 48)

const uint8_t h1_byte[256] = {B64(0), B64(64), B64(128), B64(192)};
