/* Plain lists and URL lists, and the choice of the others; see listread.h. */
#include "signatures/listread.h"

#include "signatures/catfmt.h"

void listread_init(struct listread *r, enum list_format format, list_entry_fn entry, void *arg)
{
    *r = (struct listread){.format = format, .entry = entry, .arg = arg};
}

enum list_line listread_emit(struct listread *r, unsigned flags, span raw)
{
    enum rc rc = r->entry(r->arg, &r->key, flags, raw);
    if (rc == RC_BAD)
        return LINE_BAD;
    if (r->rc == RC_OK)
        r->rc = rc;
    return LINE_ENTRY;
}

span listread_word(span *rest)
{
    size_t from = 0, to;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t'))
        from++;
    for (to = from; to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t';)
        to++;
    span word = span_cut(*rest, from, to);
    *rest = span_cut(*rest, to, rest->n);
    return word;
}

/* `.name` and `*.name` mean the name. */
static span strip_prefix(span s)
{
    if (s.n >= 2 && s.p[0] == '*' && s.p[1] == '.')
        return span_cut(s, 2, s.n);
    if (s.n >= 1 && s.p[0] == '.')
        return span_cut(s, 1, s.n);
    return s;
}

static enum list_line plain(struct listread *r, span line)
{
    span text = strip_prefix(line);
    if (!catkey_host(text, &r->key) && !catkey_url(text, &r->key))
        return LINE_BAD;
    return listread_emit(r, 0, line);
}

static enum list_line expression(struct listread *r, span line)
{
    if (line.n > CATKEY_BYTES)
        return LINE_BAD;
    catkey_expression(line, &r->key);
    return listread_emit(r, 0, line);
}

static span without_comment(span line)
{
    return span_trim(span_cut(line, 0, span_find(line, '#', 0)));
}

enum list_line listread_line(struct listread *r, span line)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (r->format == LIST_RPZ) /* white space at the beginning means something there */
        return listread_rpz(r, line);
    span text =
        r->format == LIST_ADBLOCK || r->format == LIST_EXPRESSIONS ? span_trim(line) : without_comment(line);
    if (text.n == 0 || (r->format == LIST_EXPRESSIONS && text.p[0] == '#'))
        return LINE_NOTHING;
    switch (r->format) {
    case LIST_HOSTS: return listread_hosts(r, text);
    case LIST_ADBLOCK: return listread_adblock(r, text);
    case LIST_EXPRESSIONS: return expression(r, text);
    default: return plain(r, text);
    }
}

enum list_line listread_next(struct listread *r, span *rest)
{
    bool names = r->format == LIST_PLAIN || r->format == LIST_URLS;
    size_t n = names ? catkey_line(*rest, &r->key) : 0;
    bool name = n != 0;
    if (!name)
        n = span_find(*rest, '\n', 0);
    span line = span_cut(*rest, 0, n);
    *rest = span_cut(*rest, line.n + 1, rest->n);
    return name ? listread_emit(r, 0, line) : listread_line(r, line);
}
