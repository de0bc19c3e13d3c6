/* Field lines, and what the few fields that frame a message say (RFC 9112 sections 5 and 6).
 * A field that frames is taken in its one plain spelling or the message is refused: no list, no twin, no
 * sign, no second coding. So the next server cannot read another message out of what we let through. */
#include "gw/http/h1_byte.h"
#include "gw/http/h1_part.h"

enum h1_why h1_byte_why(uint8_t c, enum h1_why other)
{
    switch (c) {
    case 0: return H1_NUL;
    case '\r': return H1_BARE_CR;
    case '\n': return H1_BARE_LF;
    default: return other;
    }
}

/* The name of a line ended at a byte that is no colon. */
static enum h1_why name_why(span line, size_t n)
{
    size_t after = n;
    if (n == line.n)
        return H1_NO_COLON;
    while (after < line.n && (line.p[after] == ' ' || line.p[after] == '\t'))
        after++;
    if (after > n && n == 0)
        return H1_FOLD;
    if (after > n)
        return after < line.n && line.p[after] == ':' ? H1_NAME_SPACE : H1_NAME_BYTE;
    if (line.p[n] == ':')
        return H1_NO_NAME;
    if (line.p[n] == '\r' && n + 1 < line.n && line.p[n + 1] == '\n')
        return H1_NO_COLON;
    return h1_byte_why(line.p[n], H1_NAME_BYTE);
}

/* Is `name` the framing field `exact` but for signs between its letters: `Transfer_Encoding`,
 * `ContentLength`? Some servers fold such names into the one that frames. `letters` is `exact` without its
 * hyphen. */
static bool is_twin(span name, span letters, span exact)
{
    size_t n = 0;
    if (span_eq(name, exact))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = ascii_lower(name.p[i]);
        if (!(h1_byte[c] & H1B_ALNUM))
            continue;
        if (n == letters.n || c != letters.p[n])
            return false;
        n++;
    }
    return n == letters.n && !span_ieq(name, exact);
}

bool h1_is_twin(span name)
{
    return name.n >= 13 && (is_twin(name, SPAN("contentlength"), SPAN("content-length")) ||
                            is_twin(name, SPAN("transferencoding"), SPAN("transfer-encoding")));
}

enum h1_why h1_field_line(span in, size_t *at, struct field *f)
{
    span line = {in.p + *at, in.n - *at};
    size_t n = h1_run(line, H1B_TOKEN);
    if (n == 0 || n == line.n || line.p[n] != ':')
        return name_why(line, n);
    span rest = {line.p + n + 1, line.n - n - 1};
    size_t v = h1_value_run(rest);
    if (rest.n - v < 2 || rest.p[v] != '\r' || rest.p[v + 1] != '\n')
        return v < rest.n ? h1_byte_why(rest.p[v], H1_VALUE_BYTE) : H1_BARE_CR;
    f->ours = false;
    f->name = (span){line.p, n};
    f->value = span_trim((span){rest.p, v});
    f->secret = false;
    if (h1_is_twin(f->name))
        return H1_NAME_TWIN;
    *at += n + 1 + v + 2;
    return H1_NONE;
}

static void note_one(uint16_t *count, span *at, const struct field *f, span name)
{
    if (!span_ieq(f->name, name))
        return;
    if ((*count)++ == 0)
        *at = f->value;
}

/* Options that are no tokens name nothing and need no reason: Connection is written afresh anyway. Empty ones
 * count towards the cap too, for walking over them costs as much. */
static void note_connection(struct h1_seen *seen, const struct field *f)
{
    span list = f->value, option;
    if (!span_ieq(f->name, SPAN("connection")))
        return;
    for (size_t at = 0; at != SIZE_MAX && seen->n_options <= LIM_CONNECTION_OPTIONS; seen->n_options++) {
        at = span_find(list, ',', at);
        at += at != SIZE_MAX;
    }
    if (seen->n_options > LIM_CONNECTION_OPTIONS)
        return;
    while (list_next(&list, &option)) {
        seen->close |= span_ieq(option, SPAN("close"));
        seen->keep |= span_ieq(option, SPAN("keep-alive"));
        seen->switches |= span_ieq(option, SPAN("upgrade"));
    }
}

void h1_note(struct h1_seen *seen, const struct field *f)
{
    switch (f->name.n) {
    case 4: note_one(&seen->n_host, &seen->host, f, SPAN("host")); break;
    case 6: note_one(&seen->n_expect, &seen->expect, f, SPAN("expect")); break;
    case 7: note_one(&seen->n_upgrade, &seen->upgrade, f, SPAN("upgrade")); break;
    case 10: note_connection(seen, f); break;
    case 14: note_one(&seen->n_length, &seen->length, f, SPAN("content-length")); break;
    case 17:
        note_one(&seen->n_coding, &seen->coding, f, SPAN("transfer-encoding"));
        note_one(&seen->n_ws_key, &seen->ws_key, f, SPAN("sec-websocket-key"));
        break;
    }
}

static enum h1_why length_why(const struct h1_seen *seen, uint64_t *out)
{
    span v = seen->length;
    bool digits = v.n > 0;
    if (seen->n_length > 1)
        return H1_CL_TWO;
    if (span_to_u64(v, INT64_MAX, out))
        return H1_NONE;
    if (span_find(v, ',', 0) != SIZE_MAX)
        return H1_CL_LIST;
    for (size_t i = 0; i < v.n; i++)
        digits &= v.p[i] >= '0' && v.p[i] <= '9';
    return digits ? H1_CL_HUGE : H1_CL_SYNTAX;
}

/* 501 for a coding we do not know (RFC 9112 section 6.1), 400 for what is no honest attempt at one. */
static enum h1_why coding_why(const struct h1_seen *seen, uint8_t minor)
{
    span list = seen->coding, first = SPAN_NONE;
    if (minor == 0)
        return H1_TE_HTTP10;
    if (seen->n_coding > 1)
        return H1_TE_TWO;
    if (span_ieq(list, SPAN("chunked")))
        return H1_NONE;
    if (list_next(&list, &first) && h1_run(first, H1B_ALNUM) == first.n && !span_ieq(first, SPAN("chunked")))
        return H1_TE_CODING;
    return H1_TE_SYNTAX;
}

enum h1_why h1_framing(const struct h1_seen *seen, struct msg *m)
{
    enum h1_why why = H1_NONE;
    if (seen->n_options > LIM_CONNECTION_OPTIONS)
        return H1_OPTIONS;
    if (seen->n_coding > 0 && seen->n_length > 0)
        return H1_CL_AND_TE;
    if (seen->n_coding > 0) {
        m->body = BODY_CHUNKED;
        return coding_why(seen, m->minor);
    }
    if (seen->n_length > 0) {
        m->body = BODY_LENGTH;
        m->has_length = true;
        why = length_why(seen, &m->length);
    }
    return why;
}
