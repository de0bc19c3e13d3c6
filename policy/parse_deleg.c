/* `delegate` and `observe`: statements about whole zones, groups and files. See parser.h. */
#include "policy/parser.h"

#include "policy/source.h"

/* ---- delegate ---- */

/* from ..., for ... up to `may`. */
static bool whose(struct parser *p, struct delegate_decl *del)
{
    struct rule r = {.block = BLOCK_DELEGATE};
    while (!p_at(p, "may")) {
        bool found;
        if (!p_condition(p, &r, &found))
            return false;
        if (!found)
            return p_expected(p, r.conds ? "`may narrow` or `may grant ...`" : "`for GROUP` or `from ZONE`");
    }
    del->who = r.conds;
    return r.conds || p_expected(p, "`for GROUP` or `from ZONE` before it");
}

/* narrow, or grant category ... domain ... */
static bool ceiling(struct parser *p, struct delegate_decl *del)
{
    struct rule r = {.block = BLOCK_CEILING};
    struct suggest near = suggest_for(p->lx.word.text);
    suggest_add(&near, SPAN("narrow"));
    suggest_add(&near, SPAN("grant"));
    if (p_take(p, "narrow"))
        return true;
    if (!p_take(p, "grant"))
        return p_unknown(p, "`narrow` or `grant`", &near);
    do {
        bool found;
        if (!p_condition(p, &r, &found))
            return false;
        if (!found)
            return p_expected(p, "`category ...` or `domain ...`");
    } while (!p_at_end(p));
    del->ceiling = r.conds;
    for (const struct cond *c = r.conds; c; c = c->next) {
        if (c->except) {
            diag_error(p->d, c->pos, NULL, "a ceiling says what may be granted; it has no exceptions");
            return false;
        }
    }
    return true;
}

static void read_file(struct parser *p, const struct delegate_decl *del)
{
    const char *path = source_beside(p->t, p->lx.file, del->file.text);
    if (!path || !source_load(p->d, path, &del->file.pos))
        return;
    p->t->files[p->t->n_files - 1]->delegated = true;
    p_file(p->d, p->t->n_files - 1, false, del);
}

bool p_delegate(struct parser *p, struct pos at)
{
    struct delegate_decl *del;
    if (!p_new(p, sizeof *del, &del) || !p_string(p, "a file", &del->file))
        return false;
    del->pos = at;
    if (!p_take(p, "to"))
        return p_expected(p, "`to \"NAME\"`");
    if (!p_string(p, "whose file it is", &del->name))
        return false;
    uint32_t from = p->lx.word.pos.off;
    if (!whose(p, del))
        return false;
    lex_next(&p->lx);
    if (!ceiling(p, del))
        return false;
    del->may = p_text_from(p, from);
    del->id = p->t->delegates.n;
    P_APPEND(p->t->delegates, del);
    if (p->in_memory) {
        diag_error(p->d, at, NULL, "a policy that is not in a file cannot include files");
        return false;
    }
    read_file(p, del);
    return true;
}

/* ---- observe ---- */

bool p_observe(struct parser *p, struct pos at)
{
    struct observe_decl *o;
    struct rule r = {.block = BLOCK_OBSERVE};
    bool any = false;
    if (!p_new(p, sizeof *o, &o))
        return false;
    while (!p_at(p, "until")) {
        bool found = p_take(p, "any");
        any = any || found;
        if (!found && !p_condition(p, &r, &found))
            return false;
        if (!found)
            return p_expected(p, r.conds || any ? "`until DATE`" : "`from ZONE`, `for GROUP` or `any`");
    }
    if (!r.conds && !any)
        return p_expected(p, "`from ZONE`, `for GROUP` or `any` before it");
    lex_next(&p->lx);
    o->pos = at;
    o->conds = r.conds;
    if (!p_date(p, true, &o->until))
        return false;
    o->text = p_text_from(p, at.off);
    P_APPEND(p->t->observes, o);
    return true;
}
