/* Rules and expectations: what their parts have to do with each other; see checker.h. */
#include "policy/checker.h"

#include "gw/base/obj.h"
#include "policy/explain.h"
#include "policy/index.h"

const struct cond *check_find(const struct rule *r, enum noun noun, bool except)
{
    const struct cond *c = r->conds;
    while (c && (c->noun != noun || c->except != except))
        c = c->next;
    return c;
}

bool check_is_certificate(const struct rule *r)
{
    return check_find(r, NOUN_CERTIFICATE, false) != NULL;
}

/* ---- contradictions ---- */

enum { PAIR_MOST = 256 };

static bool same_value(const struct value *a, const struct value *b)
{
    return a->kind == b->kind && a->lo == b->lo && a->hi == b->hi && span_eq(a->w.text, b->w.text);
}

static bool has_value(const struct cond *c, const struct value *v)
{
    const struct value *x = c->vals;
    while (x && !same_value(v, x))
        x = x->next;
    return x != NULL;
}

/* All that is asked for is excepted again: nobody means that, and nobody writes more of it than PAIR_MOST. */
static void check_pair(struct diag *d, const struct cond *wanted, const struct cond *not_wanted)
{
    unsigned n = 0;
    for (const struct value *v = wanted->vals; v; v = v->next) {
        if (n++ == PAIR_MOST || !has_value(not_wanted, v))
            return;
    }
    if (wanted->vals || !not_wanted->vals)
        diag_error(d, not_wanted->pos, diag_at(d, "it is asked for at", wanted->pos),
                   "this rule can never match: the same is asked for and excepted");
}

static void check_contradictions(struct diag *d, const struct rule *r)
{
    for (const struct cond *a = r->conds; a; a = a->next) {
        for (const struct cond *b = r->conds; b && !a->except; b = b->next) {
            if (b->except && b->noun == a->noun)
                check_pair(d, a, b);
        }
    }
}

/* ---- blocks and verbs ---- */

static void check_exempt_certificate(struct diag *d, const struct rule *r, const struct cond *cert)
{
    for (const struct value *v = cert->vals; v; v = v->next) {
        bool asks = span_eq(v->w.text, SPAN("asks-client-certificate"));
        if (r->verb == VERB_EXEMPT && !asks)
            diag_error(d, v->w.pos, "only `asks-client-certificate` can be exempted",
                       "whether a certificate is `%.*s` is seen only after that choice", SHOW(v->w.text));
        else if (r->verb != VERB_EXEMPT && asks)
            diag_error(d, v->w.pos, "write `exempt certificate asks-client-certificate ...`",
                       "`asks-client-certificate` is no defect: it can only be exempted");
    }
}

/* What `tls` verbs and certificate conditions have to do with each other. */
static void check_tls_rule(struct diag *d, const struct rule *r)
{
    const struct cond *cert = check_find(r, NOUN_CERTIFICATE, false);
    const struct cond *not_cert = check_find(r, NOUN_CERTIFICATE, true);
    if (not_cert && !cert)
        diag_error(d, not_cert->pos, "name the defects that are meant: `certificate ...`",
                   "an exception from no certificate condition");
    if (r->verb == VERB_ALLOW && !cert)
        diag_error(d, r->pos, "write `allow certificate DEFECT ...` here, or move the rule to `web`",
                   "in `tls`, `allow` is about certificates");
    if (r->verb == VERB_INSPECT && cert)
        diag_error(d, cert->pos, NULL,
                   "`inspect certificate` cannot be: a certificate is seen only after that choice");
    else if (cert)
        check_exempt_certificate(d, r, cert);
}

/* An answer "never" to "who is that": a quota needs persons. */
static bool only_unidentified(const struct rule *r)
{
    const struct cond *who = check_find(r, NOUN_FOR, false);
    for (const struct value *v = who ? who->vals : NULL; v; v = v->next) {
        if (v->kind != VALUE_UNIDENTIFIED)
            return false;
    }
    return who != NULL;
}

/* An exemption that nobody looked at first must at least be one of a kind that somebody did. */
static void check_broken(struct diag *d, const struct rule *r)
{
    const struct cond *category = check_find(r, NOUN_CATEGORY, false),
                      *domain = check_find(r, NOUN_DOMAIN, false);
    if (r->event != ON_BROKEN || r->answer != ANSWER_EXEMPT)
        return;
    if (!category && !domain)
        diag_error(d, r->pos, "write `exempt for 12h category ...`",
                   "what breaks is exempt only where a category says what it is");
    for (const struct value *v = category ? category->vals : NULL; v; v = v->next) {
        if (v->kind == VALUE_NONE)
            diag_error(d, v->w.pos, NULL, "a name in no list is never exempt for being broken");
    }
    if (r->exempt_s > LIM_BROKEN_EXEMPT_S)
        diag_error(d, r->exempt_pos, NULL, "an exemption of more than %d days is a rule of `tls`",
                   LIM_BROKEN_EXEMPT_S / 86400);
}

static void check_verb(struct diag *d, const struct rule *r)
{
    if (r->verb == VERB_ON)
        check_broken(d, r);
    for (const struct set_part *s = r->sets; s; s = s->next) {
        if (s->kind == MOD_QUOTA && only_unidentified(r))
            diag_error(d, s->value.pos, "name a group, or take `for` out",
                       "a quota is counted per user, and who is `unidentified` is no user");
    }
    if (r->verb == VERB_LOG && !r->purpose.text.n)
        diag_error(d, r->pos, "add `purpose security`, or what it is for",
                   "this `log` rule does not say its purpose");
    if (r->verb != VERB_LOG && r->purpose.text.n)
        diag_error(d, r->purpose.pos, "write `log ... purpose ...` as a rule of its own",
                   "a purpose belongs to a `log` rule");
    if (r->verb == VERB_LOG && r->log)
        diag_error(d, r->pos, NULL, "a `log` rule logs: `log` at its end says nothing");
    if (r->has_observe &&
        (r->verb == VERB_SET || r->verb == VERB_LOG || r->verb == VERB_MASQUERADE || r->verb == VERB_ON))
        diag_error(d, r->observe_pos, "only rules that decide can be observed",
                   "`%.*s` decides nothing that could be observed", SHOW(verb_word(r->verb)));
}

/* Counters, grants and click-throughs know a rule by its name. */
static void check_names(struct diag *d)
{
    struct map names;
    map_init(&names, 0);
    for (struct rule *r = d->tree->rules.first; r; r = r->next) {
        if (r->name.text.n)
            check_declare(d, &names, &r->name, "rules");
    }
    map_fini(&names);
}

/* decide() has room for so many rules of a table. `log` and `set` rules have one table, whatever their block.
 */
static void count_rule(struct diag *d, unsigned per_table[TABLE_N + 1], enum table table, struct pos pos)
{
    const char *hint = table == TABLE_LOG || table == TABLE_SET ? "those of all blocks count together" : NULL;
    if (++per_table[table] == LIM_POLICY_RULES + 1)
        diag_error(d, pos, hint, "more than %d `%s` rules", LIM_POLICY_RULES,
                   table == TABLE_N ? "masquerade" : explain_table_word(table));
}

void check_rules(struct diag *d)
{
    unsigned per_table[TABLE_N + 1] = {0};
    for (struct rule *r = d->tree->rules.first; r; r = r->next) {
        check_conds(d, r, r->conds);
        check_contradictions(d, r);
        check_verb(d, r);
        if (r->block == BLOCK_TLS)
            check_tls_rule(d, r);
        count_rule(d, per_table, index_table(r), r->pos);
    }
    for (struct observe_decl *o = d->tree->observes.first; o; o = o->next) {
        struct rule r = {.block = BLOCK_OBSERVE, .conds = o->conds};
        check_conds(d, &r, o->conds);
        check_contradictions(d, &r);
        count_rule(d, per_table, TABLE_OBSERVE, o->pos);
    }
    check_names(d);
}

/* ---- expectations ---- */

static void one_only(struct diag *d, const struct value *v)
{
    if (v && v->next)
        diag_error(d, v->next->w.pos, "write a second `expect`", "an expectation is about one request");
}

void check_expects(struct diag *d)
{
    for (struct expect *e = d->tree->expects.first; e; e = e->next) {
        if (e->from)
            check_place(d, e->from);
        if (e->to)
            check_place(d, e->to);
        if (e->who)
            check_person(d, e->who);
        one_only(d, e->from);
        one_only(d, e->to);
        one_only(d, e->who);
        if (e->certificate.text.n)
            check_defect(d, &e->certificate, &e->defect);
        if (e->type.text.n)
            check_in_table(d, &e->type, "type of file", type_word);
        if (e->pattern.text.n)
            check_in_table(d, &e->pattern, "pattern", pattern_word);
        if (e->application.text.n)
            check_application(d, &e->application);
    }
}
