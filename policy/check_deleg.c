/* Delegated files: whose they are, and that they allow only what their ceiling says; see checker.h. */
#include "policy/checker.h"

/* ---- what the ceiling holds ---- */

static bool domain_below(span name, span parent)
{
    return span_eq(name, parent) ||
           (name.n > parent.n && span_has_suffix(name, parent) && name.p[name.n - parent.n - 1] == '.');
}

static bool within(const struct value *v, const struct cond *ceiling)
{
    for (const struct value *c = ceiling->vals; c; c = c->next) {
        if (ceiling->noun == NOUN_DOMAIN ? domain_below(v->w.text, c->w.text)
                                         : v->kind == c->kind && span_eq(v->w.text, c->w.text))
            return true;
    }
    return false;
}

/* Each noun of the ceiling must be asked, with values that lie below it. */
static void check_allow(struct diag *d, const struct rule *r)
{
    const struct delegate_decl *del = r->delegate;
    if (!del->ceiling) {
        diag_error(d, r->pos, diag_at(d, "it was delegated at", del->pos),
                   "\"%.*s\" may only narrow: it cannot `allow`", SHOW(del->name.text));
        return;
    }
    for (const struct cond *c = del->ceiling; c; c = c->next) {
        const struct cond *own = check_find(r, c->noun, false);
        if (!own)
            diag_error(d, r->pos, diag_at(d, "it was delegated at", del->pos),
                       "\"%.*s\" was granted a `%.*s`: say which one this rule allows", SHOW(del->name.text),
                       SHOW(noun_word(c->noun)));
        for (const struct value *v = own ? own->vals : NULL; v; v = v->next) {
            if (!within(v, c))
                diag_error(d, v->w.pos, diag_at(d, "it was delegated at", del->pos),
                           "`%.*s` was not granted to \"%.*s\"", SHOW(v->w.text), SHOW(del->name.text));
        }
    }
}

void check_delegates(struct diag *d)
{
    struct map names;
    map_init(&names, 0);
    for (struct delegate_decl *del = d->tree->delegates.first; del; del = del->next) {
        struct rule r = {.block = BLOCK_DELEGATE};
        check_declare(d, &names, &del->name, "delegates");
        check_conds(d, &r, del->who);
        check_conds(d, &r, del->ceiling);
    }
    map_fini(&names);
    for (const struct rule *r = d->tree->rules.first; r; r = r->next) {
        if (r->delegate && r->verb == VERB_ALLOW)
            check_allow(d, r);
    }
}
