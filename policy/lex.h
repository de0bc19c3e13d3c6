/* Words of the policy language: bare words, "strings", `{`, `}`, `,` and the end of a line. `#` begins a
 * comment. A line that ends in a comma goes on in the next one. */
#ifndef POLICY_LEX_H
#define POLICY_LEX_H

#include "policy/diag.h"

enum tok { TOK_END, TOK_LINE, TOK_WORD, TOK_STRING, TOK_OPEN, TOK_CLOSE, TOK_COMMA };

struct lexer {
    struct diag *d;
    span text;
    size_t at;
    uint32_t file, line;
    enum tok tok, last; /* the token at hand, and the one before it */
    struct word word;   /* its text and place */
};

/* Starts at the first token of file `file`. */
void lex_start(struct lexer *lx, struct diag *d, uint32_t file);
void lex_next(struct lexer *lx);

#endif
