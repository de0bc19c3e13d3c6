/* perronctl check --coverage, --mutate, --examples: what the policy's own expectations are worth, and a flow
 * for each rule. */
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/ctl/check.h"
#include "policy/diag.h"
#include "policy/reach.h"
#include "policy/trial.h"
#include "policy/unheard.h"

json_t *check_string(span s)
{
    json_t *text = json_stringn(s.n ? (const char *)s.p : "", s.n);
    return text ? text : json_string("");
}

/* What could not be kept makes the whole fail. */
static void keep(struct check *c, enum rc rc)
{
    if (rc != RC_OK)
        c->rc = rc;
}

/* {"file", "line", "rule", "name"} */
static json_t *rule_json(const struct tree *t, const struct rule *r)
{
    json_t *o = json_pack("{s:o, s:i, s:o}", "file", check_string(t->files[r->pos.file]->path), "line",
                          (int)r->pos.line, "rule", check_string(r->text));
    if (o && r->name.text.n)
        json_object_set_new(o, "name", check_string(r->name.text));
    return o;
}

static void put_rule(struct check *c, const struct tree *t, const struct rule *r, const char *what)
{
    span path = t->files[r->pos.file]->path;
    keep(c, buf_printf(&c->text, "%.*s:%u: %s: %.*s\n", (int)path.n, (const char *)path.p, r->pos.line, what,
                       (int)r->text.n, (const char *)r->text.p));
}

struct listing {
    struct check *c;
    struct tree *t;
    const struct snapshot *snap;
    json_t *list, *equal; /* with --json: what is listed; changes that no flow can tell */
};

static unsigned percent(const struct trial_count *n)
{
    return n->n ? (unsigned)((uint64_t)n->good * 100 / n->n) : 100;
}

/* ---- coverage ---- */

static void untouched(void *arg, const struct rule *r)
{
    struct listing *l = arg;
    l->c->wanting = true;
    if (l->list)
        json_array_append_new(l->list, rule_json(l->t, r));
    else
        put_rule(l->c, l->t, r, "no expectation touches it");
}

static void coverage(struct listing *l)
{
    struct check *c = l->c;
    struct trial_count n;
    l->list = c->answer ? json_array() : NULL;
    if (!trial_coverage(l->t, l->snap, c->now, untouched, l, &n))
        c->rc = RC_NOMEM;
    else if (c->answer)
        json_object_set_new(c->answer, "coverage",
                            json_pack("{s:i, s:i, s:i, s:i, s:o}", "rules", (int)n.n, "touched", (int)n.good,
                                      "percent", (int)percent(&n), "not_counted", (int)n.unseen, "untouched",
                                      l->list));
    else
        keep(c, buf_printf(&c->text, "%u of %u rules are touched by an expectation (%u %%)\n", n.good, n.n,
                           percent(&n)));
}

/* ---- mutants ---- */

/* "category streaming, gambling" as it would be written. */
static void put_cond(struct check *c, const struct cond *cond, struct buf *b)
{
    span noun = noun_word(cond->noun);
    keep(c, buf_printf(b, "%s%.*s", cond->except ? "except " : "", (int)noun.n, (const char *)noun.p));
    for (const struct value *v = cond->vals; v; v = v->next)
        keep(c, buf_printf(b, v->w.quoted ? "%s\"%.*s\"" : "%s%.*s", v == cond->vals ? " " : ", ",
                           (int)v->w.text.n, (const char *)v->w.text.p));
}

static void put_change(struct check *c, const struct trial_mutant *m, struct buf *b)
{
    switch (m->change) {
    case TRIAL_DELETE: keep(c, buf_put_str(b, "the rule left out")); return;
    case TRIAL_FLIP:
        keep(c, buf_printf(b, "`%.*s` for `%.*s`", SHOW(verb_word(m->verb)), SHOW(verb_word(m->was))));
        return;
    case TRIAL_DROP:
        keep(c, buf_put_str(b, "`"));
        put_cond(c, m->cond, b);
        keep(c, buf_put_str(b, "` left out"));
    }
}

static void survivor(void *arg, const struct trial_mutant *m)
{
    static const char *const words[] = {"delete", "flip", "drop"};
    struct listing *l = arg;
    struct buf change, line;
    buf_init(&change, 0);
    buf_init(&line, 0);
    l->c->wanting = l->c->wanting || !m->equal;
    put_change(l->c, m, &change);
    if (l->list) {
        json_t *o = rule_json(l->t, m->rule);
        json_object_set_new(o, "change", json_string(words[m->change]));
        json_object_set_new(o, "what", check_string(buf_span(&change)));
        json_array_append_new(m->equal ? l->equal : l->list, o);
    } else {
        keep(l->c,
             buf_printf(&line, m->equal ? "equivalent, no flow can tell %.*s" : "no expectation notices %.*s",
                        (int)buf_len(&change), (const char *)buf_span(&change).p));
        keep(l->c, buf_put_u8(&line, 0));
        put_rule(l->c, l->t, m->rule, buf_len(&line) ? (const char *)buf_span(&line).p : "");
    }
    buf_fini(&change);
    buf_fini(&line);
}

static void mutants(struct listing *l)
{
    struct check *c = l->c;
    struct trial_count n;
    l->list = c->answer ? json_array() : NULL;
    l->equal = c->answer ? json_array() : NULL;
    enum rc rc = trial_mutate(l->t, l->snap, c->now, survivor, l, c->progress, &n);
    keep(c, rc);
    if (c->answer)
        json_object_set_new(c->answer, "mutation",
                            json_pack("{s:i, s:i, s:i, s:i, s:o, s:o}", "changes", (int)n.n, "noticed",
                                      (int)n.good, "percent", (int)percent(&n), "not_counted", (int)n.unseen,
                                      "survivors", l->list, "equivalent", l->equal));
    else
        keep(c, buf_printf(&c->text, "%u of %u changes are noticed by an expectation (%u %%)%s\n", n.good,
                           n.n, percent(&n), n.equal ? "; equivalent ones do not count" : ""));
}

/* ---- examples ---- */

static void example(void *arg, const struct rule *r, const struct reach_of *of)
{
    struct listing *l = arg;
    struct buf text;
    if (of->how != REACH_YES)
        return;
    buf_init(&text, 0);
    keep(l->c, reach_example(l->snap, of->facts, &text));
    keep(l->c, buf_put_u8(&text, 0));
    const char *flow = buf_len(&text) ? (const char *)buf_span(&text).p : "";
    if (l->list) {
        json_t *o = rule_json(l->t, r);
        json_object_set_new(o, "flow", json_string(flow));
        json_array_append_new(l->list, o);
    } else {
        put_rule(l->c, l->t, r, "decides, for example");
        keep(l->c, buf_printf(&l->c->text, "    %s\n", flow));
    }
    buf_fini(&text);
}

static void examples(struct listing *l)
{
    l->list = l->c->answer ? json_array() : NULL;
    if (!reach_all(l->t, l->snap, l->c->now, example, l))
        l->c->rc = RC_NOMEM;
    if (l->list)
        json_object_set_new(l->c->answer, "examples", l->list);
}

/* ---- what is not in force ---- */

enum rc check_unheard(const struct tree *t, json_t *list, struct buf *text)
{
    struct unheard u[UNHEARD_N];
    size_t n = policy_unheard(t, u);
    for (size_t i = 0; i < n; i++) {
        span path = t->files[u[i].first.file]->path;
        if (list)
            json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:o, s:i}", "what", u[i].words, "sentence",
                                                  u[i].sentence, "times", (int)u[i].n, "file",
                                                  check_string(path), "line", (int)u[i].first.line));
        else
            TRY(buf_printf(text, "%.*s:%u: note: `%s` is not in force yet: %s\n", (int)path.n,
                           (const char *)path.p, u[i].first.line, u[i].words, u[i].sentence));
    }
    return RC_OK;
}

static void not_in_force(struct listing *l)
{
    json_t *list = l->c->answer ? json_array() : NULL;
    keep(l->c, check_unheard(l->t, list, &l->c->text));
    if (list)
        json_object_set_new(l->c->answer, "not_in_force", list);
}

void check_more(void *arg, struct tree *t, const struct snapshot *snap)
{
    struct check *c = arg;
    struct listing l = {.c = c, .t = t, .snap = snap};
    if (c->examples)
        examples(&l);
    if (c->coverage)
        coverage(&l);
    if (c->mutate)
        mutants(&l);
    not_in_force(&l);
}
