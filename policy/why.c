/* Why a rule does not match; see decide.h. One rule is looked at alone, dimension by dimension. */
#include "policy/match.h"
#include "policy/words.h"

static bool has_bit(const struct image *m, uint32_t at, uint32_t rule)
{
    return m->BITS[at + rule / 64] >> (rule % 64) & 1;
}

/* Whether a token that was met accepts the rule, and whether one excepts it. */
static void look(struct asking *a, const struct img_table *t, enum dim d, uint32_t rule, bool *accepted,
                 bool *excepted)
{
    const struct tokens *k = tokens_of(a, d);
    for (unsigned r = 0; r < k->n_runs; r++) {
        for (uint32_t i = 0; i < k->run[r].n; i++) {
            if (k->run[r].v[i] >= t->dim[d].tokens.n)
                continue;
            const struct img_token *token = &a->m->TOKENS[t->dim[d].tokens.at + k->run[r].v[i]];
            *accepted |= image_accepts(a->m, t, token, rule);
            *excepted |= image_excepts(a->m, t, token, rule);
        }
    }
}

/* What the path could add to the categories: whether one of them (or "in none", which may cease to be so)
 * accepts the rule, and whether one excepts it. */
static void look_may(const struct asking *a, const struct img_table *t, enum dim d, uint32_t rule,
                     bool *accepted, bool *excepted)
{
    for (uint32_t c = 0; c <= a->m->n_CATS && c < t->dim[d].tokens.n; c++) {
        if (c < a->m->n_CATS ? !facts_may(a->f, c) : a->f->n_cats > 0)
            continue;
        const struct img_token *token = &a->m->TOKENS[t->dim[d].tokens.at + c];
        *accepted |= image_accepts(a->m, t, token, rule);
        *excepted |= image_excepts(a->m, t, token, rule);
    }
}

/* Of a dimension of categories: what is certain, and whether the rest makes a difference. */
static void why_half(struct asking *a, const struct img_table *t, enum dim d, uint32_t rule,
                     struct why_not *out)
{
    uint32_t bit = UINT32_C(1) << d;
    bool accepted = has_bit(a->m, t->dim[d].dont_care, rule), excepted = false;
    bool may_accept = false, may_except = false;
    if (a->f->n_cats)
        look(a, t, d, rule, &accepted, &excepted);
    look_may(a, t, d, rule, &may_accept, &may_except);
    out->excepts |= excepted ? bit : 0;
    if (excepted || !(accepted || may_accept))
        out->refuses |= bit;
    else if (!accepted || may_except)
        out->waits |= bit;
}

/* Whether requests are judged by this table: `tls` and `dns` see names alone. */
static bool sees_paths(const struct asking *a, const struct img_table *t)
{
    return t == &a->m->TABLES[TABLE_WEB] || t == &a->m->TABLES[TABLE_CONTENT];
}

static void why_dim(struct asking *a, const struct img_table *t, enum dim d, uint32_t rule,
                    struct why_not *out)
{
    uint32_t bit = UINT32_C(1) << d;
    bool accepted = false, excepted = false;
    if (!(t->asked >> d & 1) || has_bit(a->m, t->dim[d].free, rule))
        return;
    out->asks |= bit;
    if (dim_needs(d) & ~a->f->known) {
        out->waits |= bit;
        return;
    }
    if (tokens_dim(d) == DIM_CATEGORY && a->f->may_used && !(a->f->known & FACT_BIT(PATH)) &&
        sees_paths(a, t)) {
        why_half(a, t, d, rule, out);
        return;
    }
    look(a, t, d, rule, &accepted, &excepted);
    accepted |= has_bit(a->m, t->dim[d].dont_care, rule);
    out->excepts |= excepted ? bit : 0;
    out->refuses |= excepted || !accepted ? bit : 0;
}

/* Certificate rules are about the first defect that they accept. */
static uint32_t defect_of(const struct img_table *t, const struct image *m, uint32_t rule, defect_set defects)
{
    const struct img_dim *d = &t->dim[DIM_DEFECT];
    for (uint32_t i = 0; i < 32 && i < d->tokens.n; i++) {
        if ((defects >> i & 1) && image_accepts(m, t, &m->TOKENS[d->tokens.at + i], rule))
            return i;
    }
    return UINT32_MAX;
}

struct why_not decide_why_not(const struct snapshot *snap, const struct facts *facts, uint32_t rule)
{
    struct why_not out = {0};
    struct asking a;
    if (rule >= snap->img.n_RULES || snap->img.RULES[rule].table >= TABLE_N)
        return out;
    const struct img_rule *r = &snap->img.RULES[rule];
    const struct img_table *t = &snap->img.TABLES[r->table];
    uint32_t number = rule - t->rules.at;
    if (rule < t->rules.at || number >= t->rules.n)
        return out;
    asking_start(&a, snap, facts);
    a.defect = defect_of(t, &snap->img, number, facts->defects);
    for (unsigned d = 0; d < DIM_N; d++) {
        if (d != DIM_EVENT)
            why_dim(&a, t, d, number, &out);
    }
    out.not_yet = facts->time_s < r->since;
    out.over = facts->time_s >= r->until;
    return out;
}

span decide_dim_word(unsigned dim)
{
    static const struct {
        enum dim dim;
        enum noun noun;
    } words[] = {
#define N(id, word, d, blocks, text) {DIM_##d, NOUN_##id},
#include "policy/noun.tbl"
#undef N
    };
    for (unsigned i = 0; i < NOUN_N; i++) {
        if (words[i].dim == tokens_dim(dim))
            return noun_word(words[i].noun);
    }
    return SPAN_NONE;
}
