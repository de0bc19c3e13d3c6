/* The caret printer; see diag.h. */
#include "policy/diag.h"

#include <stdarg.h>
#include <stdio.h>

#include "gw/base/utf8.h"
#include "policy/utf8.h"

/* What could not be appended is not shown: the counts still tell that there was an error. */
static void put(struct diag *d, span s)
{
    if (buf_put(d->out, s) != RC_OK)
        return;
}

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

static size_t characters(span s)
{
    size_t n = 0;
    for (size_t i = 0, len; i < s.n; i += len ? len : 1, n++)
        len = utf8_len(s.p + i, s.n - i);
    return n;
}

/* The line that holds offset `off`. */
static span line_at(span text, size_t off, size_t *start)
{
    size_t end;
    if (off > text.n)
        off = text.n;
    *start = off;
    while (*start > 0 && text.p[*start - 1] != '\n')
        (*start)--;
    end = span_find(text, '\n', off);
    return span_cut(text, *start, end);
}

/* What is no text is shown as one place holder a byte, so that the caret still stands right. */
static void put_visible(struct diag *d, span s)
{
    bool shown;
    for (size_t i = 0, len; i < s.n; i += len) {
        len = utf8_shown(s, i, &shown);
        put(d, shown ? span_of(s.p + i, len) : s.p[i] == '\t' ? SPAN(" ") : SPAN("?"));
    }
}

/* Source line and caret; a long line is cut to a window around the place. */
static void put_excerpt(struct diag *d, span line, size_t at)
{
    size_t from = at > DIAG_WIDTH * 2 / 3 ? at - DIAG_WIDTH * 2 / 3 : 0;
    size_t to = from + DIAG_WIDTH;
    if (from == 0 || line.n <= DIAG_WIDTH)
        from = 0;
    while (from > 0 && is_continuation(line.p[from]))
        from--;
    if (to > line.n || line.n <= DIAG_WIDTH)
        to = line.n;
    while (to < line.n && is_continuation(line.p[to]))
        to++;
    put(d, SPAN("    "));
    put_visible(d, span_cut(line, from, to));
    put(d, SPAN("\n    "));
    for (size_t i = characters(span_cut(line, from, at)); i > 0; i--)
        put(d, SPAN(" "));
    put(d, SPAN("^\n"));
}

/* Where a place is: its path, the text of its line, and how far into that it stands. */
struct spot {
    span path, line;
    size_t in_line;
    uint32_t column;
};

static struct spot spot_of(const struct diag *d, struct pos at)
{
    struct spot s = {.path = SPAN("?")};
    size_t start = 0;
    if (at.file < d->tree->n_files) {
        s.path = d->tree->files[at.file]->path;
        s.line = line_at(d->tree->files[at.file]->text, at.off, &start);
    }
    s.in_line = at.off > start ? at.off - start : 0;
    s.column = (uint32_t)characters(span_cut(s.line, 0, s.in_line)) + 1;
    return s;
}

static void message(struct diag *d, struct pos at, bool error, const char *hint, const char *text)
{
    struct spot s = spot_of(d, at);
    unsigned n = error ? d->errors++ : d->warnings++;
    if (d->each)
        d->each(d->arg, &(struct diag_item){error, s.path, at.line, s.column, text, hint});
    if (n >= DIAG_MOST || buf_printf(d->out, "%.*s:%u:%u: %s: %s\n", (int)s.path.n, (const char *)s.path.p,
                                     at.line, s.column, error ? "error" : "warning", text) != RC_OK)
        return;
    put_excerpt(d, s.line, s.in_line);
    if (hint && buf_printf(d->out, "    hint: %s\n", hint) != RC_OK)
        return;
}

void diag_error(struct diag *d, struct pos at, const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    message(d, at, true, hint, text);
}

void diag_warn(struct diag *d, struct pos at, const char *hint, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    message(d, at, false, hint, text);
}

void diag_note(struct diag *d, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    span path = d->tree->n_files ? d->tree->files[0]->path : SPAN("?");
    if (buf_printf(d->out, "%.*s: note: %s\n", (int)path.n, (const char *)path.p, text) != RC_OK)
        return;
}

void diag_file(struct diag *d, const char *path, const char *why)
{
    if (d->each)
        d->each(d->arg, &(struct diag_item){true, span_str(path), 1, 1, why, NULL});
    if (d->errors++ < DIAG_MOST && buf_printf(d->out, "%s:1:1: error: %s\n", path, why) != RC_OK)
        return;
}

const char *diag_hint(struct diag *d, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return arena_str(&d->tree->mem, span_str(text));
}

const char *diag_at(struct diag *d, const char *what, struct pos at)
{
    span path = at.file < d->tree->n_files ? d->tree->files[at.file]->path : SPAN("?");
    return diag_hint(d, "%s %.*s:%u", what, (int)path.n, (const char *)path.p, at.line);
}

const char *diag_first(struct diag *d, struct pos at)
{
    return diag_at(d, "first given at", at);
}

static void put_rest(struct diag *d, unsigned n, const char *what)
{
    if (n > DIAG_MOST && buf_printf(d->out, "... and %u more %s%s\n", n - DIAG_MOST, what,
                                    n - DIAG_MOST == 1 ? "" : "s") != RC_OK)
        return;
}

void diag_end(struct diag *d)
{
    put_rest(d, d->errors, "error");
    put_rest(d, d->warnings, "warning");
}

/* ---- did you mean ---- */

enum { SUGGEST_WORD = 40 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance (insert, delete, replace, swap of neighbours), case-insensitive. */
static unsigned distance(span a, span b)
{
    unsigned rows[3][SUGGEST_WORD + 1];
    for (unsigned j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            uint8_t x = ascii_lower(a.p[i - 1]), y = ascii_lower(b.p[j - 1]);
            now[j] = least(now[j - 1] + 1, up[j] + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) && y == ascii_lower(a.p[i - 2]) &&
                up2[j - 2] + 1 < now[j])
                now[j] = up2[j - 2] + 1;
        }
    }
    return rows[a.n % 3][b.n];
}

struct suggest suggest_for(span word)
{
    return (struct suggest){.word = word, .distance = word.n < 3 ? 1 : word.n < 6 ? 2 : 3};
}

void suggest_add(struct suggest *s, span candidate)
{
    if (s->word.n == 0 || s->word.n > SUGGEST_WORD || candidate.n > SUGGEST_WORD)
        return;
    unsigned d = distance(s->word, candidate);
    if (d < s->distance || (d == s->distance && s->best.n && span_cmp(candidate, s->best) < 0)) {
        s->distance = d;
        s->best = candidate;
    }
}

const char *suggest_hint(struct diag *d, const struct suggest *s)
{
    return s->best.n ? diag_hint(d, "did you mean `%.*s`?", SHOW(s->best)) : NULL;
}
