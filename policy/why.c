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
