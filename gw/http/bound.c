/* Authentication of a connection; see bound.h. One field may name several schemes, with parameters between
 * them that hold any text: a word that only looks like one of ours costs no more than a connection of its
 * own. */
#include "gw/http/bound.h"

#include "gw/base/obj.h"

static bool may_name_scheme(span name)
{
    static const char *const fields[] = {"authorization", "www-authenticate", "proxy-authorization",
                                         "proxy-authenticate"};
    for (size_t i = 0; i < N_ELEMS(fields); i++) {
        if (span_ieq(name, span_str(fields[i])))
            return true;
    }
    return false;
}

static bool has_word(span value, span word)
{
    for (size_t i = 0; i + word.n <= value.n; i++) {
        if (span_ieq(span_cut(value, i, i + word.n), word))
            return true;
    }
    return false;
}

bool bound_to_connection(const struct msg *m)
{
    for (uint16_t i = 0; i < m->n_fields; i++) {
        const struct field *f = &m->fields[i];
        if (f->name.n >= 13 && f->name.n <= 19 && may_name_scheme(f->name) &&
            (has_word(f->value, SPAN("ntlm")) || has_word(f->value, SPAN("negotiate"))))
            return true;
    }
    return false;
}
