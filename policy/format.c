/* Line by line: the words of a line, rules with their parts in order, comments where they were. See format.h.
 */
#include "policy/format.h"

#include <stdlib.h>

#include "gw/base/obj.h"
#include "policy/parse.h"
#include "policy/same.h"
#include "policy/source.h"

enum { WORDS_MOST = 4096, DEPTH_MOST = 8 };

struct line {
    span word[WORDS_MOST]; /* strings with their quotes; `,` `{` `}` by themselves */
    uint32_t n;
    span comment; /* with its `#`; empty: none */
};

struct format {
    span text;
    size_t at;
    struct buf *out;
    bool block[DEPTH_MOST]; /* open braces: whether rules stand between them */
    unsigned depth;
    bool goes_on; /* the line before ended in a comma */
    bool empty;   /* lines without anything before this one */
    bool begun;   /* a line was written */
};

/* ---- words ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t word_end(span s, size_t at)
{
    static const char ends[] = " \t\r\n\"{},#";
    if (s.p[at] == '"') {
        for (at++; at < s.n && s.p[at] != '"' && s.p[at] != '\n'; at++)
            at += s.p[at] == '\\' && at + 1 < s.n && (s.p[at + 1] == '"' || s.p[at + 1] == '\\');
        return at < s.n && s.p[at] == '"' ? at + 1 : at;
    }
    if (span_find(SPAN("{},"), s.p[at], 0) != SIZE_MAX)
        return at + 1;
    while (at < s.n && span_find(SPAN(ends), s.p[at], 0) == SIZE_MAX)
        at++;
    return at;
}

/* The next line; false at the end, LIMIT by an n of WORDS_MOST. */
static bool next_line(struct format *f, struct line *l)
{
    l->n = 0;
    l->comment = SPAN_NONE;
    if (f->at >= f->text.n)
        return false;
    while (f->at < f->text.n && f->text.p[f->at] != '\n' && l->n < WORDS_MOST) {
        if (is_blank(f->text.p[f->at])) {
            f->at++;
        } else if (f->text.p[f->at] == '#') {
            size_t end = span_find(f->text, '\n', f->at);
            l->comment = span_cut(f->text, f->at, end);
            while (l->comment.n && is_blank(l->comment.p[l->comment.n - 1]))
                l->comment.n--;
            f->at = end < f->text.n ? end : f->text.n;
        } else {
            size_t end = word_end(f->text, f->at);
            l->word[l->n++] = span_cut(f->text, f->at, end);
            f->at = end;
        }
    }
    f->at++;
    return true;
}

/* ---- the parts of a rule ---- */

/* In the order in which they are written; what no keyword begins stays behind the verb. */
static const char *const order[] = {
    "any",   "certificate", "category", "domain",      "path",    "method",  "upload",  "type",
    "virus", "signature",   "pattern",  "application", "from",    "to",      "service", "tcp",
    "udp",   "icmp",        "for",      "during",      "outside", "quic",    "purpose", "name",
    "owner", "ticket",      "reason",   "since",       "until",   "observe", "log"};
enum { FIRST_LABEL = 21, PART_EXCEPT = N_ELEMS(order), PART_NONE };

static bool is_word(span s, const char *word)
{
    return span_eq(s, span_str(word));
}

static unsigned part_at(span word)
{
    for (unsigned i = 0; i < N_ELEMS(order); i++) {
        if (is_word(word, order[i]))
            return i;
    }
    return is_word(word, "except") ? (unsigned)PART_EXCEPT : (unsigned)PART_NONE;
}

static bool takes_value(span word)
{
    unsigned p = part_at(word);
    return p < PART_EXCEPT && !is_word(word, "any") && !is_word(word, "upload") && !is_word(word, "virus") &&
           !is_word(word, "icmp") && !is_word(word, "log");
}

/* Words that only announce the value behind them. */
static bool announces(span word)
{
    static const char *const words[] = {"zone", "host", "network", "group", "user", "severity"};
    for (size_t i = 0; i < N_ELEMS(words); i++) {
        if (is_word(word, words[i]))
            return true;
    }
    return false;
}

/* Whether word i begins a part: a keyword that stands where no value does. */
static bool begins_part(const struct line *l, uint32_t i, uint32_t first)
{
    if (part_at(l->word[i]) == PART_NONE || i == first)
        return i == first;
    span before = l->word[i - 1];
    if (is_word(before, ",") || (i - 1 > first && announces(before) && !is_word(before, "user")))
        return false;
    if (is_word(before, "except"))
        return false;
    bool value_due = i - 1 > first && takes_value(before) && begins_part(l, i - 1, first);
    if (i >= 2 && is_word(before, "until") && is_word(l->word[i - 2], "observe"))
        value_due = true;
    if (i >= 2 && takes_value(before) && is_word(l->word[i - 2], "except"))
        value_due = true;
    if (is_word(before, "observe") && is_word(l->word[i], "until"))
        return false;
    return !value_due;
}

struct part {
    uint32_t from, to; /* words */
    unsigned rank;
};

/* Parts of the rule from word `first` to `end`; exceptions stay with what stands before them. */
static uint32_t parts_of(const struct line *l, uint32_t first, uint32_t end, struct part *out)
{
    uint32_t n = 0;
    for (uint32_t i = first; i < end; i++) {
        unsigned rank = part_at(l->word[i]);
        bool begins = begins_part(l, i, first);
        if (begins && i > first && rank == PART_EXCEPT && out[n - 1].rank > 0 &&
            out[n - 1].rank <= FIRST_LABEL)
            begins = false;
        if (begins) {
            if (rank == PART_EXCEPT)
                rank = i + 1 < end ? part_at(l->word[i + 1]) : rank;
            out[n++] = (struct part){.from = i, .rank = i == first ? 0 : rank + 1};
        }
        out[n - 1].to = i + 1;
    }
    return n;
}

static void sort_parts(struct part *p, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct part one = p[i];
        uint32_t at = i;
        for (; at > 0 && p[at - 1].rank > one.rank; at--)
            p[at] = p[at - 1];
        p[at] = one;
    }
}

/* ---- writing ---- */

static enum rc put_words(struct buf *b, const struct line *l, uint32_t from, uint32_t to, bool *space)
{
    for (uint32_t i = from; i < to; i++) {
        if (*space && !is_word(l->word[i], ","))
            TRY(buf_put_u8(b, ' '));
        TRY(buf_put(b, l->word[i]));
        *space = true;
    }
    return RC_OK;
}

static enum rc put_rule(struct format *f, const struct line *l, uint32_t from, uint32_t to, bool *space)
{
    struct part *parts = calloc(to - from + 1, sizeof *parts);
    enum rc rc = parts ? RC_OK : RC_NOMEM;
    uint32_t n = parts ? parts_of(l, from, to, parts) : 0;
    if (parts)
        sort_parts(parts, n);
    for (uint32_t i = 0; i < n && rc == RC_OK; i++)
        rc = put_words(f->out, l, parts[i].from, parts[i].to, space);
    free(parts);
    return rc;
}

static bool is_rule_block(span word)
{
    static const char *const blocks[] = {"firewall", "tls", "web", "content", "dns"};
    for (size_t i = 0; i < N_ELEMS(blocks); i++) {
        if (is_word(word, blocks[i]))
            return true;
    }
    return false;
}

static enum rc indent(struct format *f, unsigned depth)
{
    if (f->begun && f->empty)
        TRY(buf_put_u8(f->out, '\n'));
    f->empty = false;
    f->begun = true;
    for (unsigned i = 0; i < depth * 4; i++)
        TRY(buf_put_u8(f->out, ' '));
    return RC_OK;
}

static bool in_rules(const struct format *f)
{
    return f->depth > 0 && f->block[f->depth - 1];
}

/* A stretch of words without braces that stands by itself: reordered where it is a whole rule. */
static enum rc put_stretch(struct format *f, const struct line *l, uint32_t from, uint32_t to, bool *space)
{
    bool whole = in_rules(f) && !f->goes_on && !is_word(l->word[to - 1], ",");
    return whole ? put_rule(f, l, from, to, space) : put_words(f->out, l, from, to, space);
}

static void open_brace(struct format *f, const struct line *l, uint32_t i)
{
    if (f->depth == DEPTH_MOST)
        return;
    f->block[f->depth++] = i > 0 && is_rule_block(l->word[i - 1]);
}

/* Braces that close on the line where they open stay on it. */
static bool closes_here(const struct line *l, uint32_t i)
{
    while (++i < l->n) {
        if (is_word(l->word[i], "}"))
            return true;
        if (is_word(l->word[i], "{"))
            return false;
    }
    return false;
}

static enum rc new_line(struct format *f, bool *space)
{
    if (!*space)
        return RC_OK;
    *space = false;
    return buf_put_u8(f->out, '\n');
}

static uint32_t stretch_end(const struct line *l, uint32_t i)
{
    while (i < l->n && !is_word(l->word[i], "{") && !is_word(l->word[i], "}"))
        i++;
    return i;
}

/* All words of a line; more lines where braces ask for them. */
static enum rc put_line(struct format *f, const struct line *l, bool *space)
{
    bool inline_block = false;
    for (uint32_t i = 0; i < l->n;) {
        bool open = is_word(l->word[i], "{"), close = is_word(l->word[i], "}");
        if (close && f->depth)
            f->depth--;
        if (close && !inline_block)
            TRY(new_line(f, space));
        if (!*space)
            TRY(indent(f, f->depth + (f->goes_on && !close)));
        if (!open && !close) {
            uint32_t end = stretch_end(l, i);
            TRY(put_stretch(f, l, i, end, space));
            f->goes_on = is_word(l->word[end - 1], ",");
            i = end;
            continue;
        }
        TRY(put_words(f->out, l, i, i + 1, space));
        if (open) {
            inline_block = closes_here(l, i);
            open_brace(f, l, i);
        }
        i++;
        if ((open && !inline_block && i < l->n) || (close && i < l->n && !inline_block))
            TRY(new_line(f, space));
        if (close)
            inline_block = false;
    }
    return RC_OK;
}

static enum rc one_line(struct format *f, const struct line *l)
{
    bool space = false;
    if (l->n == 0 && l->comment.n == 0) {
        f->empty = true;
        return RC_OK;
    }
    TRY(put_line(f, l, &space));
    if (l->comment.n) {
        TRY(space ? buf_put_str(f->out, "  ") : indent(f, f->depth + f->goes_on));
        TRY(buf_put(f->out, l->comment));
    }
    return buf_put_u8(f->out, '\n');
}

enum rc format_text(span text, struct buf *out)
{
    struct format f = {.text = text, .out = out};
    struct line *l = malloc(sizeof *l);
    enum rc rc = l ? RC_OK : RC_NOMEM;
    if (span_has_prefix(text, SPAN("\xef\xbb\xbf")))
        f.at = 3;
    while (rc == RC_OK && next_line(&f, l))
        rc = l->n < WORDS_MOST ? one_line(&f, l) : RC_LIMIT;
    free(l);
    return rc;
}

/* ---- files ---- */

/* Lines that name other files are left out: what they include is not this file's matter. */
static enum rc without_includes(span text, struct buf *out)
{
    for (size_t at = 0; at < text.n;) {
        size_t end = span_find(text, '\n', at);
        span line = span_cut(text, at, end < text.n ? end + 1 : text.n);
        span first = span_trim(line);
        if (span_has_prefix(first, SPAN("include")) || span_has_prefix(first, SPAN("delegate")))
            TRY(buf_put_u8(out, '#'));
        TRY(buf_put(out, line));
        at += line.n;
    }
    return RC_OK;
}

struct parsed {
    struct tree tree;
    struct diag d;
    struct buf text;
};

static enum rc parse_text(struct parsed *p, const char *path, span text, struct buf *diag)
{
    tree_init(&p->tree);
    buf_init(&p->text, 0);
    p->d = (struct diag){.out = diag, .tree = &p->tree};
    TRY(without_includes(text, &p->text));
    policy_parse_text(&p->d, path, buf_span(&p->text));
    diag_end(&p->d);
    return p->d.errors ? RC_CONFIG : RC_OK;
}

static void parsed_fini(struct parsed *p)
{
    tree_fini(&p->tree);
    buf_fini(&p->text);
}

static enum rc format_checked(struct parsed p[3], const char *path, struct buf *out, struct buf *diag)
{
    struct buf quiet;
    p[0].d = (struct diag){.out = diag, .tree = &p[0].tree};
    if (!source_load(&p[0].d, path, NULL))
        return RC_CONFIG;
    span text = p[0].tree.files[0]->text;
    TRY(parse_text(&p[1], path, text, diag));
    TRY(format_text(text, out));
    buf_init(&quiet, 0);
    enum rc rc = parse_text(&p[2], path, buf_span(out), &quiet);
    buf_fini(&quiet);
    return rc == RC_OK && same_policy(&p[1].tree, &p[2].tree) ? RC_OK : RC_BUG;
}

enum rc policy_format(const char *path, struct buf *out, struct buf *diag)
{
    struct parsed *p = calloc(3, sizeof *p);
    if (!p)
        return RC_NOMEM;
    for (unsigned i = 0; i < 3; i++)
        tree_init(&p[i].tree);
    enum rc rc = format_checked(p, path, out, diag);
    for (unsigned i = 0; i < 3; i++)
        parsed_fini(&p[i]);
    free(p);
    if (rc != RC_OK)
        buf_clear(out);
    return rc;
}
