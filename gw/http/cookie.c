/* Cookies of a request; see cookie.h. */
#include "gw/http/cookie.h"

bool cookie_next(span *left, span *name, span *value)
{
    while (left->n > 0) {
        size_t end = span_find(*left, ';', 0);
        span pair = span_trim(span_cut(*left, 0, end));
        *left = end == SIZE_MAX ? SPAN_NONE : span_cut(*left, end + 1, left->n);
        if (pair.n == 0)
            continue;
        size_t eq = span_find(pair, '=', 0);
        *name = span_trim(span_cut(pair, 0, eq));
        *value = eq == SIZE_MAX ? SPAN_NONE : span_trim(span_cut(pair, eq + 1, pair.n));
        return true;
    }
    return false;
}

bool cookie_has(span value, span name)
{
    span n, v;
    while (cookie_next(&value, &n, &v)) {
        if (span_ieq(n, name))
            return true;
    }
    return false;
}

size_t cookie_without(span value, span name, uint8_t *out)
{
    size_t n = 0;
    while (value.n > 0) {
        size_t end = span_find(value, ';', 0);
        span piece = span_cut(value, 0, end), left = piece, its_name, its_value;
        value = end == SIZE_MAX ? SPAN_NONE : span_cut(value, end + 1, value.n);
        if (!cookie_next(&left, &its_name, &its_value) || span_ieq(its_name, name))
            continue;
        if (n > 0)
            out[n++] = ';';
        else
            piece = span_trim(piece);
        memcpy(out + n, piece.p, piece.n);
        n += piece.n;
    }
    return n;
}
