/* UTF-8 from strangers, for whoever shows or records it: what is well formed, and which characters show
 * nothing but change how their neighbours look. */
#ifndef GW_BASE_UTF8_H
#define GW_BASE_UTF8_H

#include "gw/base/buf.h"

/* Length of the well-formed sequence of two to four bytes that begins at s[at] (Unicode table 3-7) with its
 * code point, or 0 when there is none. For bytes of 0x80 and above; at < s.n. */
size_t utf8_at(span s, size_t at, uint32_t *cp);
/* C1 controls, soft hyphen, Arabic letter mark, zero width and direction marks, separators, byte order mark,
 * interlinear annotations, tag characters. */
bool utf8_is_invisible(uint32_t cp);
/* Length of the character at s[at], or 1 where there is none; at < s.n. `*shown`: a terminal can be given it
 * as it is: it is well formed, no control character (some terminals obey C1 too) and not invisible. */
size_t utf8_shown(span s, size_t at, bool *shown);
/* s[0, most), or a little less: no character of it is cut in two. */
span utf8_cut(span s, size_t most);

#endif
