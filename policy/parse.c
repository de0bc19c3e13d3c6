/* Statements, blocks, includes and the helpers of the parser; see parse.h. */
#include "policy/parse.h"

#include <glob.h>

#include "gw/base/obj.h"
#include "policy/parser.h"
#include "policy/source.h"

/* ---- the token at hand ---- */

bool p_at(const struct parser *p, const char *bare_word)
{
    return p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, span_str(bare_word));
}

bool p_take(struct parser *p, const char *bare_word)
{
    if (!p_at(p, bare_word))
        return false;
    lex_next(&p->lx);
    return true;
}

bool p_at_end(const struct parser *p)
{
    return p->lx.tok == TOK_LINE || p->lx.tok == TOK_END || (p->in_block && p->lx.tok == TOK_CLOSE);
}

bool p_take_comma(struct parser *p)
{
    if (p->lx.tok != TOK_COMMA)
        return false;
    lex_next(&p->lx);
    return true;
}

bool p_expected(struct parser *p, const char *what)
{
    span w = p->lx.word.text;
    if (p->lx.tok == TOK_LINE || p->lx.tok == TOK_END)
        diag_error(p->d, p->lx.word.pos, NULL, "the line ends where %s is expected", what);
    else if (p->lx.tok == TOK_STRING)
        diag_error(p->d, p->lx.word.pos, NULL, "expected %s, not the string \"%.*s\"", what, SHOW(w));
    else
        diag_error(p->d, p->lx.word.pos, NULL, "expected %s, not `%.*s`", what, SHOW(w));
    return false;
}

bool p_unknown(struct parser *p, const char *what, struct suggest *among)
{
    const struct word *w = &p->lx.word;
    if (p->lx.tok != TOK_WORD)
        return p_expected(p, what);
    diag_error(p->d, w->pos, among ? suggest_hint(p->d, among) : NULL, "expected %s, not `%.*s`", what,
               SHOW(w->text));
    return false;
}

static bool take_token(struct parser *p, struct word *out)
{
    *out = p->lx.word;
    lex_next(&p->lx);
    return true;
}

bool p_word(struct parser *p, const char *what, struct word *out)
{
    return p->lx.tok == TOK_WORD ? take_token(p, out) : p_expected(p, what);
}

bool p_string(struct parser *p, const char *what, struct word *out)
{
    if (p->lx.tok == TOK_WORD) {
        diag_error(p->d, p->lx.word.pos, diag_hint(p->d, "write \"%.*s\"", SHOW(p->lx.word.text)),
                   "expected %s in quotes", what);
        return false;
    }
    return p->lx.tok == TOK_STRING ? take_token(p, out) : p_expected(p, what);
}

bool p_either(struct parser *p, const char *what, struct word *out)
{
    return p->lx.tok == TOK_WORD || p->lx.tok == TOK_STRING ? take_token(p, out) : p_expected(p, what);
}

bool p_number(struct parser *p, uint64_t max, const char *what, uint64_t *out)
{
    if (p->lx.tok != TOK_WORD || !span_to_u64(p->lx.word.text, max, out))
        return p_expected(p, what);
    lex_next(&p->lx);
    return true;
}

bool p_open(struct parser *p)
{
    if (p->lx.tok != TOK_OPEN)
        return p_expected(p, "`{`");
    lex_next(&p->lx);
    return true;
}

bool p_new(struct parser *p, size_t size, void *out)
{
    void *mem = arena_alloc(&p->t->mem, size);
    memcpy(out, &mem, sizeof mem);
    if (!mem)
        diag_error(p->d, p->lx.word.pos, NULL, "the policy is too large");
    return mem != NULL;
}

bool p_once(struct parser *p, struct once *once, struct pos at)
{
    if (once->given) {
        diag_error(p->d, at, diag_first(p->d, once->pos), "this may be given only once");
        return false;
    }
    *once = (struct once){true, at};
    p->once = once;
    return true;
}

span p_text_from(struct parser *p, uint32_t from)
{
    span raw = span_cut(p->lx.text, from, p->lx.word.pos.off);
    uint8_t *out = arena_alloc(&p->t->mem, raw.n + 1);
    size_t n = 0;
    bool quoted = false;
    for (size_t i = 0; out && i < raw.n; i++) {
        uint8_t c = raw.p[i];
        if (quoted && c == '\\' && i + 1 < raw.n)
            out[n++] = raw.p[i++], c = raw.p[i];
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == '#')
            i = span_find(raw, '\n', i) == SIZE_MAX ? raw.n : span_find(raw, '\n', i), c = ' ';
        if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
            if (n && out[n - 1] != ' ')
                out[n++] = ' ';
        } else {
            out[n++] = c;
        }
    }
    return span_trim(span_of(out, n));
}

/* ---- going on after an error ---- */

/* To the end of the statement, over a whole `{ ... }` where one begins. */
static void skip_statement(struct parser *p)
{
    unsigned depth = 0;
    for (;; lex_next(&p->lx)) {
        if (p->lx.tok == TOK_END || (depth == 0 && p_at_end(p)))
            return;
        if (p->lx.tok == TOK_OPEN)
            depth++;
        else if (p->lx.tok == TOK_CLOSE && depth > 0)
            depth--;
    }
}

static void end_statement(struct parser *p, bool ok)
{
    if (ok && !p_at_end(p)) {
        struct suggest none = suggest_for(SPAN_NONE);
        p_unknown(p, "the end of the line", &none);
        ok = false;
    }
    if (!ok && p->once)
        p->once->given = false;
    p->once = NULL;
    if (!ok)
        skip_statement(p);
}

/* ---- blocks ---- */

static bool rule_block(struct parser *p, struct pos at, enum block block)
{
    if (!p_open(p))
        return false;
    p->in_block = true;
    while (p->lx.tok != TOK_END && p->lx.tok != TOK_CLOSE) {
        if (p->lx.tok == TOK_LINE)
            lex_next(&p->lx);
        else
            end_statement(p, p_rule(p, block));
    }
    p->in_block = false;
    if (p->lx.tok == TOK_END) {
        diag_error(p->d, at, NULL, "this block is not closed: a `}` is missing");
        return true;
    }
    lex_next(&p->lx);
    return true;
}

static bool p_firewall(struct parser *p, struct pos at)
{
    return rule_block(p, at, BLOCK_FIREWALL);
}

static bool p_tls(struct parser *p, struct pos at)
{
    return rule_block(p, at, BLOCK_TLS);
}

static bool p_web(struct parser *p, struct pos at)
{
    return rule_block(p, at, BLOCK_WEB);
}

static bool p_content(struct parser *p, struct pos at)
{
    return rule_block(p, at, BLOCK_CONTENT);
}

static bool p_dns(struct parser *p, struct pos at)
{
    return rule_block(p, at, BLOCK_DNS);
}

/* ---- statements ---- */

static bool p_include(struct parser *p, struct pos at)
{
    struct word pattern;
    glob_t found = {0};
    if (!p_string(p, "a file name or pattern", &pattern))
        return false;
    if (p->in_memory) {
        diag_error(p->d, at, NULL, "a policy that is not in a file cannot include files");
        return false;
    }
    const char *path = source_beside(p->t, p->lx.file, pattern.text);
    int rc = path ? glob(path, GLOB_ERR, NULL, &found) : GLOB_NOSPACE;
    if (rc == GLOB_NOMATCH && strpbrk(path, "*?["))
        diag_warn(p->d, pattern.pos, NULL, "no file matches \"%.*s\"", SHOW(pattern.text));
    else if (rc != 0)
        diag_error(p->d, pattern.pos, NULL, "there is no such file: %s", path ? path : "?");
    for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
        if (source_load(p->d, found.gl_pathv[i], &pattern.pos))
            p_file(p->d, p->t->n_files - 1, false, p->delegate);
    }
    globfree(&found);
    return true;
}

static const struct statement statements[] = {
    {"listen", p_listen},
    {"resolver", p_resolver},
    {"trust", p_trust},
    {"workers", p_workers},
    {"private-destinations", p_private},
    {"pool", p_pool},
    {"divert", p_divert},
    {"crl", p_crl},
    {"lists", p_lists},
    {"guard", p_guard},
    {"help", p_help},
    {"time-zone", p_time_zone},
    {"node", p_node},
    {"zone", p_zone},
    {"host", p_host},
    {"service", p_service},
    {"group", p_group},
    {"user", p_user},
    {"category", p_category},
    {"schedule", p_schedule},
    {"firewall", p_firewall},
    {"tls", p_tls},
    {"web", p_web},
    {"content", p_content},
    {"dns", p_dns},
    {"on", p_on},
    {"observe", p_observe},
    {"include", p_include},
    {"delegate", p_delegate},
    {"expect", p_expect},
};

/* A verb outside its block is the likeliest mistake of someone new. */
static bool verb_outside(struct parser *p)
{
    for (unsigned v = 0; v < VERB_N; v++) {
        if (!span_eq(p->lx.word.text, verb_word(v)))
            continue;
        diag_error(p->d, p->lx.word.pos, "write `web { ... }` (or firewall, tls, content, dns) around it",
                   "a rule stands in a block");
        return true;
    }
    return false;
}

/* A delegated file holds rules of its owner, and nothing that is everybody's. */
static bool allowed_in_file(struct parser *p, const struct statement *s, struct pos at)
{
    if (!p->delegate || s->parse == p_web || s->parse == p_expect)
        return true;
    diag_error(p->d, at, "it holds `web { ... }` and `expect` lines", "`%s` cannot stand in a delegated file",
               s->word);
    return false;
}

static bool statement(struct parser *p)
{
    struct suggest near = suggest_for(p->lx.word.text);
    for (size_t i = 0; i < N_ELEMS(statements); i++) {
        struct pos at = p->lx.word.pos;
        if (p_take(p, statements[i].word))
            return allowed_in_file(p, &statements[i], at) && statements[i].parse(p, at);
        suggest_add(&near, span_str(statements[i].word));
    }
    if (p->lx.tok == TOK_CLOSE) {
        diag_error(p->d, p->lx.word.pos, NULL, "this `}` closes nothing");
        lex_next(&p->lx);
        return true;
    }
    if (p->lx.tok == TOK_WORD && verb_outside(p))
        return false;
    return p_unknown(p, "a setting, a name or a block", &near);
}

void p_file(struct diag *d, uint32_t file, bool in_memory, const struct delegate_decl *delegate)
{
    struct parser p = {.d = d, .t = d->tree, .in_memory = in_memory, .delegate = delegate};
    lex_start(&p.lx, d, file);
    while (p.lx.tok != TOK_END) {
        if (p.lx.tok == TOK_LINE)
            lex_next(&p.lx);
        else
            end_statement(&p, statement(&p));
    }
}

void policy_parse(struct diag *d, const char *path)
{
    if (source_load(d, path, NULL))
        p_file(d, 0, false, NULL);
}

void policy_parse_text(struct diag *d, const char *name, span text)
{
    if (source_text(d, name, text))
        p_file(d, d->tree->n_files - 1, true, NULL);
}
