/* Look-ups in a neutral message; see msg.h. Everything borrows, nothing allocates. */
#include "gw/http/msg.h"

#include "gw/http/h1.h"

void msg_reset(struct msg *m)
{
    memset(m, 0, offsetof(struct msg, fields));
    memset((uint8_t *)m + offsetof(struct msg, n_fields), 0, sizeof *m - offsetof(struct msg, n_fields));
}

span msg_field(const struct msg *m, span name)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        if (m->fields[i].name.n == name.n && span_ieq(m->fields[i].name, name))
            return m->fields[i].value;
    }
    return SPAN_NONE;
}

bool list_next(span *list, span *element)
{
    while (list->n > 0) {
        size_t comma = span_find(*list, ',', 0);
        *element = span_trim(span_cut(*list, 0, comma));
        *list = comma == SIZE_MAX ? SPAN_NONE : span_cut(*list, comma + 1, list->n);
        if (element->n > 0)
            return true;
    }
    return false;
}

bool msg_has_token(const struct msg *m, span name, span token)
{
    for (size_t i = 0; i < m->n_fields; i++) {
        span list = m->fields[i].value, element;
        if (m->fields[i].name.n != name.n || !span_ieq(m->fields[i].name, name))
            continue;
        while (list_next(&list, &element)) {
            if (span_ieq(element, token))
                return true;
        }
    }
    return false;
}

/* What a URL's authority ends with, to browsers too: '\' counts as '/' there. */
static size_t authority_len(span s)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != '/' && s.p[i] != '?' && s.p[i] != '#' && s.p[i] != '\\')
        i++;
    return i;
}

span referer_host(span referer)
{
    span rest, host;
    uint16_t port;
    if (span_ieq(span_cut(referer, 0, 7), SPAN("http://")))
        rest = span_cut(referer, 7, referer.n);
    else if (span_ieq(span_cut(referer, 0, 8), SPAN("https://")))
        rest = span_cut(referer, 8, referer.n);
    else
        return SPAN_NONE;
    rest = span_cut(rest, 0, authority_len(rest));
    for (size_t at; (at = span_find(rest, '@', 0)) != SIZE_MAX;)
        rest = span_cut(rest, at + 1, rest.n);
    return h1_authority(rest, &host, &port) == H1_NONE ? host : SPAN_NONE;
}
