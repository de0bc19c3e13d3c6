/* Adblock filters: the rules that block or except a whole domain; see listread.h. Rules on parts of pages, on
 * paths, types or first parties ask about what a filter of names does not see: they are counted as other. */
#include "gw/base/obj.h"
#include "signatures/catfmt.h"
#include "signatures/listread.h"

/* Options that do not narrow a rule of a whole domain. */
static bool options_ok(span options)
{
    static const char *const harmless[] = {"important", "all", "document", "doc"};
    for (size_t at = 0; at < options.n;) {
        size_t comma = span_find(options, ',', at), i = 0;
        span option = span_cut(options, at, comma);
        while (i < N_ELEMS(harmless) && !span_ieq(option, span_str(harmless[i])))
            i++;
        if (i == N_ELEMS(harmless))
            return false;
        at += option.n + 1;
    }
    return true;
}

/* `name^` with options or without. */
static enum list_line domain(struct listread *r, span rule, unsigned flags)
{
    size_t end = span_find(rule, '^', 0);
    span name = span_cut(rule, 0, end), rest = span_cut(rule, end == SIZE_MAX ? rule.n : end + 1, rule.n);
    if (end == SIZE_MAX || (rest.n && rest.p[0] != '$'))
        return LINE_OTHER;
    if (rest.n && (rest.n == 1 || !options_ok(span_cut(rest, 1, rest.n))))
        return LINE_OTHER;
    if (span_has_prefix(name, SPAN("*."))) {
        name = span_cut(name, 2, name.n);
        flags |= CATFMT_BELOW;
    }
    if (span_find(name, '*', 0) != SIZE_MAX || span_find(name, '/', 0) != SIZE_MAX)
        return LINE_OTHER;
    if (!catkey_host(name, &r->key))
        return LINE_BAD;
    return listread_emit(r, flags, name);
}

enum list_line listread_adblock(struct listread *r, span line)
{
    bool except = span_has_prefix(line, SPAN("@@"));
    span rule = except ? span_cut(line, 2, line.n) : line;
    if (line.p[0] == '!' || (line.p[0] == '[' && line.p[line.n - 1] == ']'))
        return LINE_NOTHING;
    if (line.p[0] == '#' && (line.n == 1 || line.p[1] == ' '))
        return LINE_NOTHING;
    if (!span_has_prefix(rule, SPAN("||")))
        return LINE_OTHER;
    return domain(r, span_cut(rule, 2, rule.n), except ? CATFMT_MEMBER_OUT : 0);
}
