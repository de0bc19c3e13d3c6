/* Rules of blocks, `on` lines and values. See parser.h. */
#include "policy/parser.h"

#include <stdio.h>

#include "gw/base/obj.h"

/* ---- values ---- */

static bool value_new(struct parser *p, struct value ***last, struct value **out)
{
    if (!p_new(p, sizeof **out, out))
        return false;
    **last = *out;
    *last = &(*out)->next;
    return true;
}

bool p_networks(struct parser *p, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_word(p, "a network such as 10.0.0.0/8", &v->w))
            return false;
        v->kind = VALUE_NETWORK;
        if (!prefix_parse(v->w.text, &v->prefix)) {
            diag_error(p->d, v->w.pos,
                       "the bits behind the prefix must be zero: 10.32.0.0/12, not 10.32.0.1/12",
                       "`%.*s` is not a network", SHOW(v->w.text));
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

static bool port_range(span text, struct value *v)
{
    uint64_t lo, hi;
    size_t dash = span_find(text, '-', 0);
    if (!span_to_u64(span_cut(text, 0, dash), 65535, &lo))
        return false;
    hi = lo;
    if (dash != SIZE_MAX && !span_to_u64(span_cut(text, dash + 1, text.n), 65535, &hi))
        return false;
    v->lo = (uint16_t)lo;
    v->hi = (uint16_t)hi;
    return lo >= 1 && lo <= hi;
}

bool p_ports(struct parser *p, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_word(p, "a port or a range such as 8000-8100", &v->w))
            return false;
        if (!port_range(v->w.text, v)) {
            diag_error(p->d, v->w.pos, NULL, "`%.*s` is not a port (1 to 65535) or a range of ports",
                       SHOW(v->w.text));
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

bool p_strings(struct parser *p, const char *what, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_string(p, what, &v->w))
            return false;
        v->kind = VALUE_USER;
    } while (p_take_comma(p));
    return true;
}

/* from, to: `lan`, `zone lan`, `host resolver`, `network 10.0.0.0/8`, `10.0.0.0/8`. The word before a value
 * holds for the values behind it too. */
static bool place_values(struct parser *p, const char *what, struct value ***last)
{
    enum value_kind kind = VALUE_BARE;
    do {
        struct value *v;
        if (p_take(p, "zone"))
            kind = VALUE_ZONE;
        else if (p_take(p, "host"))
            kind = VALUE_HOST;
        else if (p_take(p, "network"))
            kind = VALUE_NETWORK;
        if (!value_new(p, last, &v) || !p_word(p, what, &v->w))
            return false;
        v->kind = kind;
        bool network = prefix_parse(v->w.text, &v->prefix);
        if (kind == VALUE_BARE && network)
            v->kind = VALUE_NETWORK;
        if (v->kind == VALUE_NETWORK && !network) {
            diag_error(p->d, v->w.pos, NULL, "`%.*s` is not a network", SHOW(v->w.text));
            return false;
        }
    } while (p_take_comma(p));
    return true;
}

/* for: `agents`, `group agents`, `user "durand"`, `unidentified`. A string is a user, a bare word a group. */
static bool person_values(struct parser *p, const char *what, struct value ***last)
{
    bool users = false;
    do {
        struct value *v;
        bool said = p_take(p, "user");
        users = users || said;
        if (!said && p_take(p, "group"))
            users = false;
        if (!value_new(p, last, &v))
            return false;
        bool user = said || (users && p->lx.tok == TOK_STRING);
        if (user ? !p_string(p, "a user", &v->w) : !p_word(p, what, &v->w))
            return false;
        bool nobody = span_eq(v->w.text, SPAN("unidentified"));
        v->kind = user ? VALUE_USER : nobody ? VALUE_UNIDENTIFIED : VALUE_GROUP;
    } while (p_take_comma(p));
    return true;
}

static bool word_values(struct parser *p, const char *what, struct value ***last)
{
    do {
        struct value *v;
        if (!value_new(p, last, &v) || !p_word(p, what, &v->w))
            return false;
        v->kind = span_eq(v->w.text, SPAN("none")) ? VALUE_NONE : VALUE_BARE;
    } while (p_take_comma(p));
    return true;
}

bool p_values(struct parser *p, enum noun noun, struct value **out)
{
    static const char *const what[] = {
#define N(id, word, dim, blocks, text) text,
#include "policy/noun.tbl"
#undef N
    };
    struct value **last = out;
    switch (noun) {
    case NOUN_FROM:
    case NOUN_TO: return place_values(p, what[noun], &last);
    case NOUN_FOR: return person_values(p, what[noun], &last);
    case NOUN_DOMAIN: return p_strings(p, what[noun], &last);
    case NOUN_TCP: return p_ports(p, &last);
    case NOUN_CATEGORY:
    case NOUN_SERVICE:
    case NOUN_CERTIFICATE:
    case NOUN_METHOD: return word_values(p, what[noun], &last);
    default: break;
    }
    return true;
}

/* ---- conditions ---- */

static const unsigned noun_blocks[] = {
#define N(id, word, dim, blocks, text) blocks,
#include "policy/noun.tbl"
#undef N
};

static enum noun noun_at(const struct parser *p)
{
    for (unsigned n = 0; n < NOUN_N; n++) {
        if (p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, noun_word(n)) && !p_future(p->lx.word.text))
            return n;
    }
    return NOUN_N;
}

static bool allowed_here(struct parser *p, enum noun noun, const struct rule *r)
{
    enum block block = r->block;
    bool site = noun == NOUN_CATEGORY || noun == NOUN_DOMAIN; /* only `broken` is about a site */
    if ((noun_blocks[noun] & block) && (block != BLOCK_ON || r->event == ON_BROKEN || !site))
        return true;
    diag_error(p->d, p->lx.word.pos, NULL, "`%.*s` cannot be asked in %s%.*s%s", SHOW(noun_word(noun)),
               block == BLOCK_ON ? "an `" : "a `", SHOW(block_word(block)),
               block == BLOCK_ON ? "` line" : "` block");
    return false;
}

/* Two conditions of one kind would have to hold at once: nobody means that. */
static bool check_repeated(struct parser *p, const struct rule *r, enum noun noun)
{
    bool ports = noun == NOUN_TCP || noun == NOUN_SERVICE;
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (c->except)
            continue;
        if (c->noun == noun || (ports && (c->noun == NOUN_TCP || c->noun == NOUN_SERVICE))) {
            diag_error(p->d, p->lx.word.pos, "join the values by a comma, or write two rules",
                       "`%.*s` stands twice in this rule", SHOW(noun_word(c->noun)));
            return false;
        }
    }
    return true;
}

/* One condition at its noun. `same`: the noun of an `except` that names none. */
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
    if (noun == NOUN_N && before && before->vals && (p->lx.tok == TOK_WORD || p->lx.tok == TOK_STRING) &&
        !p_future(p->lx.word.text))
        noun = before->noun;
    if (noun == NOUN_N)
        return p_unknown(p, "what is excepted", NULL);
    return condition(p, r, true, noun);
}

/* name, owner, ticket, reason. */
static bool label(struct parser *p, struct word *to, bool *is_label, const char *word)
{
    struct pos at = p->lx.word.pos;
    *is_label = p_take(p, word);
    if (!*is_label)
        return true;
    if (to->text.n) {
        diag_error(p->d, at, NULL, "`%s` stands twice in this rule", word);
        return false;
    }
    return p_string(p, "a text", to);
}

static bool labels(struct parser *p, struct rule *r, bool *found)
{
    bool ok = label(p, &r->name, found, "name");
    if (ok && !*found)
        ok = label(p, &r->owner, found, "owner");
    if (ok && !*found)
        ok = label(p, &r->ticket, found, "ticket");
    if (ok && !*found)
        ok = label(p, &r->reason, found, "reason");
    if (ok && !*found && p_take(p, "log"))
        r->log = *found = true;
    return ok;
}

static bool unknown_in_rule(struct parser *p, enum block block)
{
    static const char *const others[] = {"any", "except", "name", "owner", "ticket", "reason", "log"};
    struct suggest near = suggest_for(p->lx.word.text);
    for (unsigned n = 0; n < NOUN_N; n++) {
        if (noun_blocks[n] & block)
            suggest_add(&near, noun_word(n));
    }
    for (size_t i = 0; i < N_ELEMS(others); i++)
        suggest_add(&near, span_str(others[i]));
    return p_unknown(p, "a condition", &near);
}

static enum on_answer answer_at(const struct parser *p)
{
    for (unsigned a = ANSWER_HOLD; a < ANSWER_N; a++) {
        if (p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, answer_word(a)))
            return a;
    }
    return ANSWER_DEFAULT;
}

/* One condition, exception or label. */
static bool rule_part(struct parser *p, struct rule *r)
{
    bool found = false;
    enum noun noun = noun_at(p);
    if (p_take(p, "any"))
        return r->any = true;
    if (p_take(p, "except"))
        return exception(p, r);
    if (noun != NOUN_N)
        return condition(p, r, false, noun);
    if (!labels(p, r, &found))
        return false;
    return found || unknown_in_rule(p, r->block);
}

/* Up to the end of the rule; an `on` line's rule also ends at its next answer. */
static bool rule_rest(struct parser *p, struct rule *r)
{
    while (!p_at_end(p)) {
        if (r->block == BLOCK_ON && answer_at(p) != ANSWER_DEFAULT)
            return true;
        if (!rule_part(p, r))
            return false;
    }
    return true;
}

static bool verb_allowed(struct parser *p, enum verb v, enum block block)
{
    static const unsigned blocks[] = {
#define V(id, word, in, text) in,
#include "policy/verb.tbl"
#undef V
    };
    if (blocks[v] & block)
        return true;
    diag_error(p->d, p->lx.word.pos, NULL, "`%.*s` cannot stand in a `%.*s` block", SHOW(verb_word(v)),
               SHOW(block_word(block)));
    return false;
}

static bool rule_at(struct parser *p, enum verb v, enum block block)
{
    struct rule *r;
    if (!p_new(p, sizeof *r, &r))
        return false;
    *r = (struct rule){.verb = v, .block = block, .pos = p->lx.word.pos};
    lex_next(&p->lx);
    if (!rule_rest(p, r))
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

bool p_rule(struct parser *p, enum block block)
{
    struct suggest near = suggest_for(p->lx.word.text);
    for (unsigned v = 0; v < VERB_ON; v++) {
        if (v != VERB_LOG && p->lx.tok == TOK_WORD && span_eq(p->lx.word.text, verb_word(v)) &&
            !p_future(p->lx.word.text))
            return verb_allowed(p, v, block) && rule_at(p, v, block);
        suggest_add(&near, verb_word(v));
    }
    if (p_at(p, "log"))
        return diag_error(p->d, p->lx.word.pos, "put `log` at the end of another rule",
                          "`log` (a rule that only logs) is not available in this version"),
               false;
    return p_unknown(p,
                     block == BLOCK_TLS ? "`exempt`, `inspect`, `allow`, `block` or `forbid`"
                                        : "`allow`, `block` or `forbid`",
                     &near);
}

/* ---- on ---- */

static bool event_at(struct parser *p, enum on_event *out)
{
    struct suggest near = suggest_for(p->lx.word.text);
    for (unsigned e = 0; e < ON_N; e++) {
        if (p_at(p, (const char *)event_word(e).p) && !p_future(p->lx.word.text)) {
            *out = e;
            lex_next(&p->lx);
            return true;
        }
        suggest_add(&near, event_word(e));
    }
    return p_unknown(p, "the name of what may be missing", &near);
}

static void check_event(struct parser *p, enum on_event e, struct pos at)
{
    static const char *const lacks[] = {
#define O(id, word, answers, what, def) what,
#include "policy/event.tbl"
#undef O
    };
    if (lacks[e])
        diag_warn(p->d, at, NULL, "`%.*s` cannot happen: %s is not available in this version",
                  SHOW(event_word(e)), lacks[e]);
}

static bool answer_allowed(struct parser *p, enum on_event e, enum on_answer a)
{
    static const unsigned allowed[] = {
#define O(id, word, answers, lacks, def) answers,
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

bool p_on(struct parser *p, struct pos at)
{
    enum on_event e = ON_N;
    struct pos event_pos = p->lx.word.pos;
    if (!event_at(p, &e))
        return false;
    check_event(p, e, event_pos);
    do {
        struct rule *r;
        enum on_answer a = answer_at(p);
        if (!answer_allowed(p, e, a) || !p_new(p, sizeof *r, &r))
            return false;
        *r =
            (struct rule){.verb = VERB_ON, .block = BLOCK_ON, .pos = p->lx.word.pos, .event = e, .answer = a};
        lex_next(&p->lx);
        if (!rule_rest(p, r))
            return false;
        r->any = r->any || !r->conds;
        r->text = p_text_from(p, at.off);
        r->part = p_text_from(p, r->pos.off);
        P_APPEND(p->t->rules, r);
    } while (!p_at_end(p));
    return true;
}
