/* `on` lines: what happens when something is missing. See parser.h. */
#include "policy/parser.h"

#include <stdio.h>

enum on_answer p_answer(const struct parser *p)
{
    for (unsigned a = ANSWER_HOLD; a < ANSWER_N; a++) {
        if (p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, answer_word(a)))
            return a;
    }
    return ANSWER_DEFAULT;
}

static bool event_at(struct parser *p, enum on_event *out)
{
    struct suggest near = suggest_for(p->lx.word.text);
    for (unsigned e = 0; e < ON_N; e++) {
        if (p_at(p, (const char *)event_word(e).p)) {
            *out = e;
            lex_next(&p->lx);
            return true;
        }
        suggest_add(&near, event_word(e));
    }
    return p_unknown(p, "the name of what may be missing", &near);
}

static bool answer_allowed(struct parser *p, enum on_event e, enum on_answer a)
{
    static const unsigned allowed[] = {
#define O(id, word, answers, def) answers,
#include "policy/event.tbl"
#undef O
    };
    if (a != ANSWER_DEFAULT && (allowed[e] & 1u << a))
        return true;
    char list[64] = "";
    size_t n = 0;
    for (unsigned i = ANSWER_HOLD; i < ANSWER_N; i++) {
        if (allowed[e] & 1u << i)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s`%.*s`", n ? " or " : "",
                                  SHOW(answer_word(i)));
    }
    return p_expected(p, list);
}

/* `block for pupils`, `exempt for 12h category banking`: one answer with its conditions. */
static bool one_answer(struct parser *p, struct rule *r)
{
    lex_next(&p->lx);
    if (r->answer == ANSWER_EXEMPT) {
        if (!p_take(p, "for"))
            return p_expected(p, "`for` and how long, such as `for 12h`");
        r->exempt_pos = p->lx.word.pos;
        if (!p_duration(p, &r->exempt_s))
            return false;
    }
    return p_rule_rest(p, r);
}

bool p_on(struct parser *p, struct pos at)
{
    enum on_event e = ON_N;
    if (!event_at(p, &e))
        return false;
    do {
        struct rule *r;
        enum on_answer a = p_answer(p);
        if (!answer_allowed(p, e, a) || !p_new(p, sizeof *r, &r))
            return false;
        *r =
            (struct rule){.verb = VERB_ON, .block = BLOCK_ON, .pos = p->lx.word.pos, .event = e, .answer = a};
        if (!one_answer(p, r))
            return false;
        r->any = r->any || !r->conds;
        r->text = p_text_from(p, at.off);
        r->part = p_text_from(p, r->pos.off);
        P_APPEND(p->t->rules, r);
    } while (!p_at_end(p));
    return true;
}
