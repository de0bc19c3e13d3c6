/* What the files of the parser share. Functions that return bool have shown an error when they return false;
 * the statement loop then skips to the end of the line. */
#ifndef POLICY_PARSER_H
#define POLICY_PARSER_H

#include "policy/lex.h"

struct parser {
    struct diag *d;
    struct tree *t;
    struct lexer lx;
    bool in_memory;    /* no files to include */
    bool in_block;     /* a `}` ends the statement */
    struct once *once; /* the setting of this statement: not given when the rest of the line is wrong */
    const struct delegate_decl *delegate; /* whose file this is; NULL: the main policy's */
};

/* ---- the token at hand ---- */
bool p_at(const struct parser *p, const char *bare_word);
bool p_take(struct parser *p, const char *bare_word); /* and goes on when it is there */
bool p_at_end(const struct parser *p);                /* of the statement */
bool p_take_comma(struct parser *p);
/* A bare word, a string, or either; `what` completes "expected ...". */
bool p_word(struct parser *p, const char *what, struct word *out);
bool p_string(struct parser *p, const char *what, struct word *out);
bool p_either(struct parser *p, const char *what, struct word *out);
bool p_number(struct parser *p, uint64_t max, const char *what, uint64_t *out);
bool p_open(struct parser *p);
/* Error at the token at hand: "expected WHAT". Always false. */
bool p_expected(struct parser *p, const char *what);
/* Error for a word that means nothing here, with "did you mean"; `among` may be NULL. Always false. */
bool p_unknown(struct parser *p, const char *what, struct suggest *among);
/* Zeroed memory of the tree; false with an error when there is none. */
bool p_new(struct parser *p, size_t size, void *out);
/* Marks a setting as given; false when it was given before. */
bool p_once(struct parser *p, struct once *once, struct pos at);
/* Text from offset `from` to the token at hand: one space between words, no comments. */
span p_text_from(struct parser *p, uint32_t from);
/* Statements of file `file` of the tree. */
void p_file(struct diag *d, uint32_t file, bool in_memory, const struct delegate_decl *delegate);

/* ---- values, in parse_value.c ---- */
/* One or more separated by commas. */
bool p_values(struct parser *p, enum noun noun, struct value **out);
bool p_networks(struct parser *p, struct value ***last);
bool p_ports(struct parser *p, uint8_t proto, struct value ***last);
bool p_strings(struct parser *p, const char *what, struct value ***last);

/* ---- times, in parse_time.c: moments in local seconds ---- */
bool p_duration(struct parser *p, uint32_t *seconds);
/* A date, perhaps with a time. `end`: without a time the end of that day rather than its beginning. */
bool p_date(struct parser *p, bool end, int64_t *local_s);
/* A date with a time. */
bool p_moment(struct parser *p, int64_t *local_s);

/* ---- rules ---- */
/* The condition at hand to the end of r->conds; *found false when there is none. */
bool p_condition(struct parser *p, struct rule *r, bool *found);
void p_suggest_nouns(struct suggest *near, enum block block);
/* Conditions and labels up to the end of the rule; an `on` line's rule also ends at its next answer. */
bool p_rule_rest(struct parser *p, struct rule *r);
/* The answer of an `on` line at hand; ANSWER_DEFAULT when there is none. */
enum on_answer p_answer(const struct parser *p);
/* What a `set` rule sets. */
bool p_modifiers(struct parser *p, struct rule *r);

/* ---- statements: called behind their first word, which stands in `at` ---- */
struct statement {
    const char *word;
    bool (*parse)(struct parser *p, struct pos at);
};
bool p_listen(struct parser *p, struct pos at);
bool p_resolver(struct parser *p, struct pos at);
bool p_trust(struct parser *p, struct pos at);
bool p_workers(struct parser *p, struct pos at);
bool p_private(struct parser *p, struct pos at);
bool p_pool(struct parser *p, struct pos at);
bool p_divert(struct parser *p, struct pos at);
bool p_crl(struct parser *p, struct pos at);
bool p_lists(struct parser *p, struct pos at);
bool p_guard(struct parser *p, struct pos at);
bool p_help(struct parser *p, struct pos at);
bool p_node(struct parser *p, struct pos at);
bool p_zone(struct parser *p, struct pos at);
bool p_host(struct parser *p, struct pos at);
bool p_service(struct parser *p, struct pos at);
bool p_group(struct parser *p, struct pos at);
bool p_user(struct parser *p, struct pos at);
bool p_category(struct parser *p, struct pos at);
bool p_schedule(struct parser *p, struct pos at);
bool p_time_zone(struct parser *p, struct pos at);
bool p_delegate(struct parser *p, struct pos at);
bool p_observe(struct parser *p, struct pos at);
bool p_rule(struct parser *p, enum block block);
bool p_on(struct parser *p, struct pos at);
bool p_expect(struct parser *p, struct pos at);

#define P_APPEND(list, item)         \
    do {                             \
        *(list).last = (item);       \
        (list).last = &(item)->next; \
        (list).n++;                  \
    } while (0)

#endif
