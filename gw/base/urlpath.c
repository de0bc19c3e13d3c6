/* The normal form of a URL path; see urlpath.h. Deliberately coarse: where servers differ in what they take
 * two spellings for (RFC 3986 section 6.2.2 and what they do beyond it), both become one. */
#include "gw/base/urlpath.h"

static int hex(uint8_t c)
{
    c = ascii_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends c. When that completes a percent-encoding, its three bytes become one, which may complete another:
 * `%252e` is `%2e` is a dot. */
static size_t put(uint8_t *out, size_t n, uint8_t c)
{
    out[n++] = ascii_lower(c);
    while (n >= 3 && out[n - 3] == '%' && hex(out[n - 2]) >= 0 && hex(out[n - 1]) >= 0) {
        out[n - 3] = ascii_lower((uint8_t)(hex(out[n - 2]) << 4 | hex(out[n - 1])));
        n -= 2;
    }
    return n;
}

/* With a slash before it, whether there was one or not. */
static size_t decode(span in, uint8_t *out)
{
    size_t n = 0;
    out[n++] = '/';
    for (size_t i = 0; i < in.n && in.p[i] != '?' && in.p[i] != '#'; i++)
        n = put(out, n, in.p[i]);
    return n;
}

static bool slash(uint8_t c)
{
    return c == '/' || c == '\\';
}

/* Drops the last segment of out[0, n). */
static size_t up(const uint8_t *out, size_t n)
{
    while (n > 0 && out[n - 1] != '/')
        n--;
    return n ? n - 1 : 0;
}

/* Length of the segment at out[at, end) without its parameters. */
static size_t segment(const uint8_t *out, size_t at, size_t end)
{
    const uint8_t *semicolon = memchr(out + at, ';', end - at);
    return semicolon ? (size_t)(semicolon - (out + at)) : end - at;
}

static bool plain_byte(uint8_t c)
{
    return c != '%' && c != ';' && c != '\\' && c != '?' && c != '#' && !(c >= 'A' && c <= 'Z');
}

bool urlpath_is_plain(span in)
{
    bool plain = in.n > 0 && in.p[0] == '/';
    for (size_t i = 1; i < in.n && plain; i++)
        plain = plain_byte(in.p[i]) && (in.p[i - 1] != '/' || (in.p[i] != '/' && in.p[i] != '.'));
    return plain;
}

size_t urlpath_normalise(span in, uint8_t *out)
{
    size_t n = decode(in, out), w = 0;
    for (size_t at = 1, end; at <= n; at = end + 1) {
        for (end = at; end < n && !slash(out[end]);)
            end++;
        size_t len = segment(out, at, end);
        if (len == 2 && out[at] == '.' && out[at + 1] == '.') {
            w = up(out, w);
        } else if (len != 0 && !(len == 1 && out[at] == '.')) {
            out[w] = '/'; /* at or before the slash that stands before this segment */
            memmove(out + w + 1, out + at, len);
            w += len + 1;
        }
    }
    return w;
}
