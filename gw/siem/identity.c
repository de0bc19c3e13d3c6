/* Whose line is it? Read back from its last bytes, which the writers of event.c always put in the same words:
 * ,"worker":1,"boot":"0123456789abcdef","seq":77}} - nothing in between can look like it, because every quote
 * of a stranger stands escaped in a string. The logger checks with it that a worker speaks for itself alone,
 * and finds after a restart what the file holds already. */
#include "gw/siem/event.h"

/* Takes the decimal number before `end` and what stands before it; SIZE_MAX when it is not there. */
static size_t number_before(span s, size_t end, span key, uint64_t max, uint64_t *out)
{
    size_t from = end;
    while (from > 0 && end - from < 20 && s.p[from - 1] >= '0' && s.p[from - 1] <= '9')
        from--;
    span digits = span_cut(s, from, end);
    if (!span_to_u64(digits, max, out) || (digits.n > 1 && digits.p[0] == '0') || from < key.n ||
        !span_eq(span_cut(s, from - key.n, from), key))
        return SIZE_MAX;
    return from - key.n;
}

static bool hex64(span s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = v;
    return s.n == 16;
}

bool event_identity(span line, uint64_t *boot, uint32_t *worker, uint64_t *seq)
{
    static const size_t hex_n = 16;
    span open = SPAN(",\"boot\":\"");
    uint64_t n;
    if (!span_has_suffix(line, SPAN("}}")))
        return false;
    size_t at = number_before(line, line.n - 2, SPAN("\",\"seq\":"), UINT64_MAX, seq);
    if (at == SIZE_MAX || at < hex_n + open.n || !hex64(span_cut(line, at - hex_n, at), boot) ||
        !span_eq(span_cut(line, at - hex_n - open.n, at - hex_n), open))
        return false;
    at = number_before(line, at - hex_n - open.n, SPAN(",\"worker\":"), UINT32_MAX, &n);
    *worker = (uint32_t)n;
    return at != SIZE_MAX;
}
