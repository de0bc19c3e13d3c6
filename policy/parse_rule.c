/* Rules of blocks: verb, conditions in any order, labels. See parser.h. */
#include "policy/parser.h"

#include <stdio.h>

#include "gw/base/obj.h"

static const unsigned verb_blocks[] = {
#define V(id, word, in, text) in,
#include "policy/verb.tbl"
#undef V
};

/* ---- labels ---- */

static bool twice(struct parser *p, struct pos at, const char *word)
{
    diag_error(p->d, at, NULL, "`%s` stands twice in this rule", word);
    return false;
}

/* Is what begins here the administration's own, and no condition or end? */
static bool at_own_label(const struct parser *p)
{
    static const char *const words[] = {"name", "owner", "ticket", "reason", "purpose", "log"};
    for (size_t i = 0; i < N_ELEMS(words); i++) {
        if (p_at(p, words[i]))
            return true;
    }
    return false;
}

/* name, owner, ticket, reason, purpose. */
static bool text_label(struct parser *p, struct rule *r, bool *found)
{
    static const char *const words[] = {"name", "owner", "ticket", "reason", "purpose"};
    struct word *const to[] = {&r->name, &r->owner, &r->ticket, &r->reason, &r->purpose};
    struct pos at = p->lx.word.pos;
    for (size_t i = 0; i < N_ELEMS(words); i++) {
        *found = p_take(p, words[i]);
        if (!*found)
            continue;
        if (to[i]->text.n)
            return twice(p, at, words[i]);
        if (to[i] == &r->purpose)
            return p_either(p, "a purpose, such as `security`", to[i]);
        return p_string(p, "a text", to[i]);
    }
    return true;
}

/* since, until, observe until: local seconds until the checker knows the time zone. */
static bool time_label(struct parser *p, struct rule *r, bool *found)
{
    struct pos at = p->lx.word.pos;
    *found = true;
    if (p_take(p, "since")) {
        if (r->has_since)
            return twice(p, at, "since");
        r->has_since = true;
        r->since_pos = p->lx.word.pos;
        return p_date(p, false, &r->since);
    }
    if (p_take(p, "until")) {
        if (r->has_until)
            return twice(p, at, "until");
        r->has_until = true;
        r->until_pos = p->lx.word.pos;
        return p_date(p, true, &r->until);
    }
    *found = p_take(p, "observe");
    if (!*found)
        return true;
    if (r->has_observe)
        return twice(p, at, "observe");
    if (p->delegate) { /* it would stand before the main policy's rules, and enforce nothing */
        diag_error(p->d, at, NULL, "`observe` cannot stand in a delegated file");
        return false;
    }
    if (!p_take(p, "until"))
        return p_expected(p, "`until DATE`");
    r->has_observe = true;
    r->observe_pos = at;
    return p_date(p, true, &r->observe_until);
}

static bool flag_label(struct parser *p, struct rule *r, bool *found)
{
    struct pos at = p->lx.word.pos;
    *found = true;
    if (p_take(p, "log"))
        return !r->log ? (r->log = true) : twice(p, at, "log");
    *found = p_take(p, "quic");
    if (!*found)
        return true;
    if (!p_take(p, "refuse"))
        return p_expected(p, "`refuse`");
    if (r->block != BLOCK_FIREWALL || r->verb != VERB_ALLOW) {
        diag_error(p->d, at, NULL, "`quic refuse` belongs to an `allow` rule of a `firewall` block");
        return false;
    }
    return r->quic_refuse = true;
}

static bool label(struct parser *p, struct rule *r, bool *found)
{
    bool ok = text_label(p, r, found);
    if (ok && !*found)
        ok = time_label(p, r, found);
    if (ok && !*found)
        ok = flag_label(p, r, found);
    return ok;
}

/* ---- parts of a rule ---- */

static bool unknown_in_rule(struct parser *p, enum block block)
{
    static const char *const others[] = {"any",     "name",  "owner", "ticket",  "reason",
                                         "purpose", "since", "until", "observe", "log"};
    struct suggest near = suggest_for(p->lx.word.text);
    p_suggest_nouns(&near, block);
    for (size_t i = 0; i < N_ELEMS(others); i++)
        suggest_add(&near, span_str(others[i]));
    if (block == BLOCK_FIREWALL)
        suggest_add(&near, SPAN("quic"));
    return p_unknown(p, "a condition", &near);
}

/* One condition, exception or label. */
/* What was read since `from` is for everybody to read. */
static void show(struct parser *p, struct rule *r, uint32_t from)
{
    span more = p_text_from(p, from);
    uint8_t *out = arena_alloc(&p->t->mem, r->shown.n + 1 + more.n);
    size_t n = r->shown.n;
    if (!out)
        return;
    if (n > 0) {
        memcpy(out, r->shown.p, n);
        out[n++] = ' ';
    }
    if (more.n > 0)
        memcpy(out + n, more.p, more.n);
    r->shown = span_of(out, n + more.n);
}

static bool rule_part(struct parser *p, struct rule *r)
{
    bool found = false;
    if (p_take(p, "any"))
        return r->any = true;
    if (!p_condition(p, r, &found))
        return false;
    if (!found && !label(p, r, &found))
        return false;
    return found || unknown_in_rule(p, r->block);
}

bool p_rule_rest(struct parser *p, struct rule *r)
{
    while (!p_at_end(p)) {
        uint32_t from = p->lx.word.pos.off;
        bool everybody = !at_own_label(p);
        if (r->block == BLOCK_ON && p_answer(p) != ANSWER_DEFAULT)
            return true;
        if (!rule_part(p, r))
            return false;
        if (everybody)
            show(p, r, from);
    }
    return true;
}

/* ---- verbs ---- */

static bool verb_allowed(struct parser *p, enum verb v, enum block block)
{
    if (!(verb_blocks[v] & block)) {
        diag_error(p->d, p->lx.word.pos, NULL, "`%.*s` cannot stand in a `%.*s` block", SHOW(verb_word(v)),
                   SHOW(block_word(block)));
        return false;
    }
    if (p->delegate && v != VERB_ALLOW && v != VERB_BLOCK && v != VERB_WARN) {
        diag_error(p->d, p->lx.word.pos, "it may `block`, `warn`, and `allow` what it was granted",
                   "`%.*s` cannot stand in a delegated file", SHOW(verb_word(v)));
        return false;
    }
    return true;
}

static bool rule_at(struct parser *p, enum verb v, enum block block)
{
    struct rule *r;
    if (!p_new(p, sizeof *r, &r))
        return false;
    *r = (struct rule){.verb = v, .block = block, .pos = p->lx.word.pos, .delegate = p->delegate};
    lex_next(&p->lx);
    if (v == VERB_SET && !p_modifiers(p, r))
        return false;
    show(p, r, r->pos.off);
    if (!p_rule_rest(p, r))
        return false;
    if (!r->any && !r->conds) {
        diag_error(p->d, r->pos, "write `any` when it is meant for everything",
                   "this rule does not say what it is about");
        return false;
    }
    r->text = p_text_from(p, r->pos.off);
    P_APPEND(p->t->rules, r);
    return true;
}

/* "`allow`, `block` or `forbid`": the verbs of a block. */
static const char *verbs_of(enum block block, char *out, size_t size)
{
    size_t n = 0;
    unsigned last = 0;
    for (unsigned v = 0; v < VERB_N; v++)
        last = verb_blocks[v] & block ? v : last;
    for (unsigned v = 0; v < VERB_N && n < size; v++) {
        if (verb_blocks[v] & block)
            n += (size_t)snprintf(out + n, size - n, "%s`%.*s`",
                                  n == 0      ? ""
                                  : v == last ? " or "
                                              : ", ",
                                  SHOW(verb_word(v)));
    }
    return out;
}

bool p_rule(struct parser *p, enum block block)
{
    char verbs[160] = "";
    struct suggest near = suggest_for(p->lx.word.text);
    for (unsigned v = 0; v < VERB_ON; v++) {
        if (p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, verb_word(v)))
            return verb_allowed(p, v, block) && rule_at(p, v, block);
        suggest_add(&near, verb_word(v));
    }
    return p_unknown(p, verbs_of(block, verbs, sizeof verbs), &near);
}
