/* UTF-8 from strangers; see utf8.h. */
#include "gw/base/utf8.h"

size_t utf8_at(span s, size_t at, uint32_t *cp)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *p = s.p + at;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len > s.n - at)
        return 0;
    uint32_t v = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *cp = v;
    return len;
}

bool utf8_is_invisible(uint32_t cp)
{
    static const struct {
        uint32_t from, to;
    } range[] = {
        {0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < sizeof range / sizeof *range; i++) {
        if (cp >= range[i].from && cp <= range[i].to)
            return true;
    }
    return false;
}

size_t utf8_shown(span s, size_t at, bool *shown)
{
    uint32_t cp = s.p[at];
    size_t len = cp < 0x80 ? 1 : utf8_at(s, at, &cp);
    *shown = len != 0 && cp >= 0x20 && cp != 0x7f && !utf8_is_invisible(cp);
    return len ? len : 1;
}

span utf8_cut(span s, size_t most)
{
    size_t n = s.n < most ? s.n : most;
    for (size_t back = 0; n < s.n && n > 0 && back < 3 && (s.p[n] & 0xc0) == 0x80; back++)
        n--;
    return span_cut(s, 0, n);
}
