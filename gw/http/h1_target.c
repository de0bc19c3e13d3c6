/* Request targets and hosts (RFC 9112 section 3.2, RFC 9110 section 4.2.4).
 * A host is a name of letters, digits, '-', '.', '_' or an address literal; whether it is a name that a
 * decision can be made about is the flow's question (gw/base/addr.h). User information is refused: it only
 * ever hides a host. */
#include "gw/http/h1_byte.h"
#include "gw/http/h1_part.h"

/* port = *DIGIT: nothing after the colon is no port; 0 is none either, but somebody wrote it. */
static enum h1_why port_why(span in, uint16_t *port)
{
    uint64_t v = 0;
    *port = 0;
    if (in.n == 0)
        return H1_NONE;
    if (in.n > 5 || !span_to_u64(in, UINT16_MAX, &v) || v == 0)
        return H1_HOST_PORT;
    *port = (uint16_t)v;
    return H1_NONE;
}

static enum h1_why literal_why(span in, span *host, uint16_t *port)
{
    struct addr a;
    size_t end = span_find(in, ']', 0);
    if (end == SIZE_MAX)
        return H1_HOST_BYTE;
    *host = span_cut(in, 1, end);
    if (span_find(*host, ':', 0) == SIZE_MAX || !addr_parse(*host, &a))
        return H1_HOST_BYTE;
    span rest = span_cut(in, end + 1, in.n);
    *port = 0;
    if (rest.n == 0)
        return H1_NONE;
    return rest.p[0] == ':' ? port_why(span_cut(rest, 1, rest.n), port) : H1_HOST_BYTE;
}

enum h1_why h1_authority(span in, span *host, uint16_t *port)
{
    *host = SPAN_NONE;
    *port = 0;
    if (span_find(in, ',', 0) != SIZE_MAX)
        return H1_HOST_LIST;
    if (span_find(in, '@', 0) != SIZE_MAX)
        return H1_HOST_USERINFO;
    if (in.n > 0 && in.p[0] == '[')
        return literal_why(in, host, port);
    size_t n = h1_run(in, H1B_HOST);
    if (n < in.n && in.p[n] != ':')
        return H1_HOST_BYTE;
    if (n == 0)
        return H1_HOST_EMPTY;
    if (n > LIM_NAME_BYTES + 1) /* with the root's dot */
        return H1_HOST_LONG;
    *host = span_cut(in, 0, n);
    return n < in.n ? port_why(span_cut(in, n + 1, in.n), port) : H1_NONE;
}

static enum h1_why target_authority(struct msg *m, span in)
{
    enum h1_why why = h1_authority(in, &m->host, &m->port);
    if (why == H1_HOST_USERINFO)
        return H1_TARGET_USERINFO;
    return why == H1_NONE ? H1_NONE : H1_TARGET_HOST;
}

static void split_query(struct msg *m, span rest)
{
    size_t mark = span_find(rest, '?', 0);
    m->has_query = mark != SIZE_MAX;
    m->path = span_cut(rest, 0, mark);
    m->query = m->has_query ? span_cut(rest, mark + 1, rest.n) : SPAN_NONE;
}

static enum h1_why absolute(struct msg *m)
{
    span t = m->target;
    size_t colon = span_find(t, ':', 0), end;
    if (colon == SIZE_MAX || h1_run(span_cut(t, 0, colon), H1B_ALNUM) != colon)
        return H1_TARGET_FORM;
    m->scheme = span_cut(t, 0, colon);
    if (!span_ieq(m->scheme, SPAN("http")) && !span_ieq(m->scheme, SPAN("https")))
        return H1_TARGET_SCHEME;
    if (!span_eq(span_cut(t, colon, colon + 3), SPAN("://")))
        return H1_TARGET_FORM;
    for (end = colon + 3; end < t.n && t.p[end] != '/' && t.p[end] != '?'; end++)
        ;
    m->form = TARGET_ABSOLUTE;
    split_query(m, span_cut(t, end, t.n));
    if (m->path.n == 0 && (m->has_query || !span_eq(m->method, SPAN("OPTIONS"))))
        m->path = SPAN("/"); /* RFC 9112 section 3.2.1; OPTIONS without either means `*`, section 3.2.4 */
    return target_authority(m, span_cut(t, colon + 3, end));
}

enum h1_why h1_target(struct msg *m)
{
    span t = m->target;
    if (span_eq(m->method, SPAN("CONNECT"))) {
        m->form = TARGET_AUTHORITY;
        enum h1_why why = target_authority(m, t);
        return why == H1_NONE && m->port == 0 ? H1_CONNECT_PORT : why;
    }
    if (t.p[0] == '/') {
        m->form = TARGET_ORIGIN;
        split_query(m, t);
        return H1_NONE;
    }
    if (t.n == 1 && t.p[0] == '*') {
        m->form = TARGET_ASTERISK;
        return span_eq(m->method, SPAN("OPTIONS")) ? H1_NONE : H1_TARGET_FORM;
    }
    return absolute(m);
}
