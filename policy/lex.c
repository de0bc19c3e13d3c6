/* The lexer; see lex.h. The text was checked by policy/source: valid UTF-8 without control characters. */
#include "policy/lex.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool ends_word(uint8_t c)
{
    return is_blank(c) || c == '\n' || c == '"' || c == '{' || c == '}' || c == ',' || c == '#';
}

static void skip_blank(struct lexer *lx)
{
    while (lx->at < lx->text.n && is_blank(lx->text.p[lx->at]))
        lx->at++;
    if (lx->at < lx->text.n && lx->text.p[lx->at] == '#') {
        while (lx->at < lx->text.n && lx->text.p[lx->at] != '\n')
            lx->at++;
    }
}

static void set_token(struct lexer *lx, enum tok tok, size_t n)
{
    lx->tok = tok;
    lx->word = (struct word){.text = span_cut(lx->text, lx->at, lx->at + n),
                             .pos = {lx->file, lx->line, (uint32_t)lx->at},
                             .quoted = tok == TOK_STRING};
    lx->at += n;
}

/* Text between quotes with \" and \\ resolved. */
static span unescape(struct lexer *lx, span raw)
{
    if (span_find(raw, '\\', 0) == SIZE_MAX)
        return raw;
    uint8_t *out = arena_alloc(&lx->d->tree->mem, raw.n);
    size_t n = 0;
    for (size_t i = 0; out && i < raw.n; i++) {
        if (raw.p[i] == '\\' && i + 1 < raw.n)
            i++;
        out[n++] = raw.p[i];
    }
    return span_of(out, n);
}

static void lex_string(struct lexer *lx)
{
    size_t start = lx->at, i = start + 1;
    while (i < lx->text.n && lx->text.p[i] != '"' && lx->text.p[i] != '\n') {
        if (lx->text.p[i] == '\\' && i + 1 < lx->text.n &&
            (lx->text.p[i + 1] == '"' || lx->text.p[i + 1] == '\\'))
            i++;
        i++;
    }
    bool closed = i < lx->text.n && lx->text.p[i] == '"';
    set_token(lx, TOK_STRING, i - start + closed);
    if (!closed)
        diag_error(lx->d, lx->word.pos, "strings end on the line where they begin",
                   "this string has no closing `\"`");
    lx->word.text = unescape(lx, span_cut(lx->text, start + 1, i));
}

static void lex_word(struct lexer *lx)
{
    size_t end = lx->at;
    while (end < lx->text.n && !ends_word(lx->text.p[end]))
        end++;
    set_token(lx, TOK_WORD, end - lx->at);
}

void lex_start(struct lexer *lx, struct diag *d, uint32_t file)
{
    *lx =
        (struct lexer){.d = d, .text = d->tree->files[file]->text, .file = file, .line = 1, .tok = TOK_LINE};
    lex_next(lx);
}

void lex_next(struct lexer *lx)
{
    lx->last = lx->tok;
    for (;;) {
        skip_blank(lx);
        if (lx->at == lx->text.n) {
            set_token(lx, TOK_END, 0);
            return;
        }
        uint8_t c = lx->text.p[lx->at];
        if (c != '\n')
            break;
        set_token(lx, TOK_LINE, 1);
        lx->line++;
        if (lx->last != TOK_COMMA)
            return;
    }
    uint8_t c = lx->text.p[lx->at];
    if (c == '"')
        lex_string(lx);
    else if (c == '{' || c == '}' || c == ',')
        set_token(lx, c == '{' ? TOK_OPEN : c == '}' ? TOK_CLOSE : TOK_COMMA, 1);
    else
        lex_word(lx);
}
