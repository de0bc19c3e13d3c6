/* Splitting a URL; see url.h. */
#include "policy/url.h"

/* First byte of `marks` at or after `from`; the end when there is none. */
static size_t url_mark(span s, size_t from, span marks)
{
    while (from < s.n && span_find(marks, s.p[from], 0) == SIZE_MAX)
        from++;
    return from;
}

bool url_split(span text, struct url *out)
{
    uint64_t port;
    out->tls = span_has_prefix(text, SPAN("https://"));
    if (!out->tls && !span_has_prefix(text, SPAN("http://")))
        return false;
    span rest = span_cut(text, out->tls ? 8 : 7, text.n);
    size_t end = url_mark(rest, 0, SPAN("/?#")), path_end = url_mark(rest, end, SPAN("?#"));
    span authority = span_cut(rest, 0, end);
    out->path = path_end > end ? span_cut(rest, end, path_end) : SPAN("/");
    out->port = out->tls ? 443 : 80;
    size_t close = span_find(authority, ']', 0);
    size_t colon = span_find(authority, ':', close == SIZE_MAX ? 0 : close);
    out->host = span_cut(authority, 0, colon);
    if (colon != SIZE_MAX) {
        if (!span_to_u64(span_cut(authority, colon + 1, authority.n), 65535, &port) || port == 0)
            return false;
        out->port = (uint16_t)port;
    }
    if (out->host.n > 2 && out->host.p[0] == '[' && out->host.p[out->host.n - 1] == ']')
        out->host = span_cut(out->host, 1, out->host.n - 1);
    return out->host.n > 0;
}
