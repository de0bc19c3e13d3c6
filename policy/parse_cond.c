/* Conditions of rules: nouns with their values, `except`, `outside`. See parser.h. */
#include "policy/parser.h"

#include "gw/base/obj.h"

static const unsigned noun_blocks[] = {
#define N(id, word, dim, blocks, text) blocks,
#include "policy/noun.tbl"
#undef N
};

static enum noun noun_at(const struct parser *p)
{
    for (unsigned n = 0; n < NOUN_N; n++) {
        if (p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, noun_word(n)))
            return n;
    }
    return NOUN_N;
}

static bool allowed_here(struct parser *p, enum noun noun, const struct rule *r)
{
    bool statement = r->block == BLOCK_ON || r->block == BLOCK_OBSERVE || r->block == BLOCK_DELEGATE;
    bool site =
        noun == NOUN_CATEGORY || noun == NOUN_DOMAIN; /* of `on` lines only `broken` is about a site */
    if ((noun_blocks[noun] & r->block) && (r->block != BLOCK_ON || r->event == ON_BROKEN || !site))
        return true;
    if (r->block == BLOCK_CEILING)
        diag_error(p->d, p->lx.word.pos, "a delegate is granted a `category` or a `domain`",
                   "`%.*s` cannot be granted", SHOW(noun_word(noun)));
    else
        diag_error(p->d, p->lx.word.pos, NULL, "`%.*s` cannot be asked in %s `%.*s` %s",
                   SHOW(noun_word(noun)), r->block == BLOCK_ON || r->block == BLOCK_OBSERVE ? "an" : "a",
                   SHOW(block_word(r->block)), statement ? "line" : "block");
    return false;
}

static bool is_port(enum noun n)
{
    return n == NOUN_TCP || n == NOUN_UDP || n == NOUN_ICMP || n == NOUN_SERVICE;
}

/* Two conditions of one kind would have to hold at once: nobody means that. */
static bool check_repeated(struct parser *p, const struct rule *r, enum noun noun)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->except || (c->noun != noun && !(is_port(noun) && is_port(c->noun))))
            continue;
        if (c->noun == noun)
            diag_error(p->d, p->lx.word.pos, "join the values by a comma, or write two rules",
                       "`%.*s` stands twice in this rule", SHOW(noun_word(noun)));
        else
            diag_error(p->d, p->lx.word.pos, "give both a name: `service NAME tcp 53 udp 53`",
                       "nothing is both `%.*s` and `%.*s`", SHOW(noun_word(c->noun)), SHOW(noun_word(noun)));
        return false;
    }
    return true;
}

/* One condition at its noun, or at its values where an `except` names none. */
static bool condition(struct parser *p, struct rule *r, bool except, enum noun noun)
{
    struct cond *c, **last = &r->conds;
    if (!p_new(p, sizeof *c, &c))
        return false;
    c->noun = noun;
    c->except = except;
    c->pos = p->lx.word.pos;
    if (noun_at(p) == noun) {
        if (!allowed_here(p, noun, r) || (!except && !check_repeated(p, r, noun)))
            return false;
        lex_next(&p->lx);
    }
    if (!p_values(p, noun, &c->vals))
        return false;
    while (*last)
        last = &(*last)->next;
    *last = c;
    return true;
}

static bool exception(struct parser *p, struct rule *r)
{
    const struct cond *before = r->conds;
    enum noun noun = noun_at(p);
    while (before && before->next)
        before = before->next;
    if (noun == NOUN_N && before && before->vals && (p->lx.tok == TOK_WORD || p->lx.tok == TOK_STRING))
        noun = before->noun;
    if (noun == NOUN_N)
        return p_unknown(p, "what is excepted", NULL);
    return condition(p, r, true, noun);
}

/* `outside a` is `except during a`. */
static bool outside(struct parser *p, struct rule *r)
{
    struct pos at = p->lx.word.pos;
    if (!allowed_here(p, NOUN_DURING, r))
        return false;
    lex_next(&p->lx);
    if (!condition(p, r, true, NOUN_DURING))
        return false;
    struct cond *c = r->conds;
    while (c->next)
        c = c->next;
    c->pos = at;
    return true;
}

bool p_condition(struct parser *p, struct rule *r, bool *found)
{
    enum noun noun = noun_at(p);
    *found = true;
    if (p_take(p, "except"))
        return exception(p, r);
    if (p_at(p, "outside"))
        return outside(p, r);
    if (noun != NOUN_N)
        return condition(p, r, false, noun);
    *found = false;
    return true;
}

void p_suggest_nouns(struct suggest *near, enum block block)
{
    for (unsigned n = 0; n < NOUN_N; n++) {
        if (noun_blocks[n] & block)
            suggest_add(near, noun_word(n));
    }
    if (noun_blocks[NOUN_DURING] & block)
        suggest_add(near, SPAN("outside"));
    suggest_add(near, SPAN("except"));
}
