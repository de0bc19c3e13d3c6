/* What stands before a rule: the steps that let a flow on to it, and the rules of its own table. Both are
 * asked for by every rule there is, so that a table's formulas are lined up once, under a cover. See
 * reach_int.h. */
#include <stdlib.h>

#include "policy/reach_int.h"

static bool lets_on(const struct model *m, enum table table, uint32_t number)
{
    const struct rule *r = m->rules[number];
    return table == TABLE_TLS ? r->verb == VERB_INSPECT : !rule_blocks(r);
}

/* Of all rules of the table, or of those that let a flow on. */
static bool line_up(struct model *m, struct line *line, enum table table, enum view view, bool all)
{
    struct img_run run = m->snap->img.TABLES[table].rules;
    if (line->cover)
        return true;
    const struct formula **f = arena_alloc(&m->mem, (run.n + 1) * sizeof(*f));
    line->rule = arena_alloc(&m->mem, (run.n + 1) * sizeof *line->rule);
    if (!f || !line->rule)
        return false;
    uint32_t n = 0;
    for (uint32_t i = run.at; i < run.at + run.n; i++) {
        if (!all && !lets_on(m, table, i))
            continue;
        f[n] = rule_formula(m, i, view);
        if (!f[n])
            return false;
        line->rule[n++] = i;
    }
    line->cover = cover_make(&m->mem, f, n, m->dom);
    return line->cover != NULL;
}

/* How many of the line come before a rule. */
static uint32_t place_of(const struct line *line, uint32_t number)
{
    uint32_t lo = 0, hi = line->cover->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (line->rule[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What a delegated file allows does not lift a `forbid`; its rules stand first. */
static const struct formula *make_gate(struct model *m, enum table table, uint32_t rule, bool closed)
{
    const struct img_table *t = &m->snap->img.TABLES[table];
    struct line *line = &m->lets_on[closed][table];
    const struct formula *stops = NULL;
    if (!line_up(m, line, table, closed ? VIEW_FINAL : VIEW_MAY, false))
        return NULL;
    if (rule != RULE_NONE)
        stops = formula_not(&m->mem, rule_formula(m, rule, closed ? VIEW_FINAL : VIEW_SURE));
    struct formula *out =
        (struct formula *)(uintptr_t)formula_list(&m->mem, false, &stops, rule != RULE_NONE);
    if (!out)
        return NULL;
    out->more = line->cover;
    out->to = rule == RULE_NONE ? line->cover->n : place_of(line, rule);
    if (rule != RULE_NONE && m->rules[rule]->verb == VERB_FORBID)
        out->from = place_of(line, t->rules.at + t->lead);
    return out;
}

const struct formula *gate_formula(struct model *m, enum table table, uint32_t rule, bool closed)
{
    const struct formula **known = &m->gate[closed][rule == RULE_NONE ? m->n_rules + table : rule];
    if (!*known)
        *known = make_gate(m, table, rule, closed);
    return *known;
}

static bool holds(const struct formula *f, const uint32_t *choice)
{
    if (f->kind == F_IN)
        return iset_has(f->set, choice[f->var]);
    if (f->kind == F_NOT)
        return !holds(f->part[0], choice);
    for (uint32_t i = 0; i < f->n; i++) {
        if (holds(f->part[i], choice) == (f->kind == F_OR))
            return f->kind == F_OR;
    }
    return f->kind == F_AND;
}

uint32_t first_match(struct model *m, uint32_t number, const uint32_t *choice)
{
    enum table table = rule_table(m, number);
    struct line *line = &m->all[table];
    if (!line_up(m, line, table, VIEW_FINAL, true))
        return RULE_NONE;
    struct picked p = cover_of(line->cover, choice, 0, place_of(line, number));
    for (uint32_t i = 0; i < p.n; i++) {
        uint32_t at = picked_at(&p, i);
        if (m->rules[line->rule[at]]->event == m->rules[number]->event && holds(line->cover->f[at], choice))
            return line->rule[at];
    }
    return RULE_NONE;
}
