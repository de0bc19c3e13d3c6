/* What is never reached or never matches: says what policy/reach proved; then the expectations. See check.h.
 */
#include "policy/check.h"
#include "policy/expect.h"
#include "policy/reach.h"
#include "policy/same.h"
#include "policy/trial.h"

/* "they stand at a.policy:3, a.policy:7 and 2 more". */
static const char *where(struct diag *d, const struct reach_of *of)
{
    uint32_t shown = of->n_by < REACH_BY_MOST ? of->n_by : REACH_BY_MOST;
    const char *text = of->n_by == 1 ? "it stands at" : "they stand at";
    for (uint32_t i = 0; i < shown && text; i++)
        text = diag_hint(d, "%s%s", diag_at(d, text, of->by[i]->pos), i + 1 < shown ? "," : "");
    if (of->n_by > shown && text)
        text = diag_hint(d, "%s and %u more", text, of->n_by - shown);
    return text;
}

static void warn_unreached(struct diag *d, const struct rule *r, const struct reach_of *of)
{
    const struct rule *by = of->n_by ? of->by[0] : NULL;
    const char *what = of->n_by == 1 ? "one" : diag_hint(d, "%u", of->n_by);
    if (of->gate && !by)
        diag_warn(d, r->pos, "what no rule allows is blocked",
                  "this rule is never reached: no rule lets what it matches come this far");
    else if (of->later)
        diag_warn(d, r->pos, where(d, of),
                  "this rule never decides: %s behind it settle%s the matter before the request is seen",
                  what, of->n_by == 1 ? "s" : "");
    else if (of->gate)
        diag_warn(d, r->pos, where(d, of),
                  "this rule is never reached: what it matches is settled before it");
    else if (r->verb == VERB_SET)
        diag_warn(d, r->pos, where(d, of), "this rule has no effect: %s before it always set%s the same",
                  what, of->n_by == 1 ? "s" : "");
    else if (of->n_by == 1 && !by->conds)
        diag_warn(d, r->pos, where(d, of), "this rule is never reached: one before it matches everything");
    else if (of->n_by == 1 && same_conditions(r, by))
        diag_warn(d, r->pos, where(d, of),
                  "this rule is never reached: one before it has the same conditions");
    else if (of->n_by == 1)
        diag_warn(d, r->pos, where(d, of),
                  "this rule is never reached: one before it matches all that it matches");
    else
        diag_warn(d, r->pos, where(d, of),
                  "this rule is never reached: %s before it together match all that it matches", what);
}

struct job {
    struct diag *d;
    int64_t now;
    bool web; /* there are rules in a `web` block */
};

static void each(void *arg, const struct rule *r, const struct reach_of *of)
{
    const struct job *j = arg;
    if (r->has_until && r->until <= j->now)
        return; /* said already */
    if (of->gate && of->n_by == 0 && !j->web)
        return; /* likewise */
    if (of->how == REACH_NO)
        warn_unreached(j->d, r, of);
    else if (of->how == REACH_NEVER && of->no_ca)
        diag_warn(j->d, r->pos, NULL,
                  "this rule can never match: its zone has `ca none`, nothing is intercepted there");
    else if (of->how == REACH_NEVER && of->no_time)
        diag_warn(j->d, r->pos, NULL, "this rule can never match: its time does not come again");
    else if (of->how == REACH_NEVER)
        diag_warn(j->d, r->pos, NULL, "this rule can never match: its conditions exclude each other");
}

static bool check_reached(struct diag *d, const struct snapshot *snap, int64_t now)
{
    struct job j = {.d = d, .now = now};
    for (const struct rule *r = d->tree->rules.first; r; r = r->next)
        j.web = j.web || r->block == BLOCK_WEB;
    return reach_all(d->tree, snap, now, each, &j);
}

static bool sum_up(struct diag *d, const struct snapshot *snap, int64_t now)
{
    struct trial_count n;
    if (!trial_coverage(d->tree, snap, now, NULL, NULL, &n))
        return false;
    if (n.good < n.n)
        diag_note(d, "no expectation touches %u of %u rules (perronctl check --coverage names them)",
                  n.n - n.good, n.n);
    return true;
}

bool check_built(struct diag *d, const struct snapshot *snap, const struct compile_opts *opts)
{
    if (!check_reached(d, snap, opts->time_s))
        return false;
    policy_expect(d, snap, opts->time_s);
    bool ask = opts->check_only && d->tree->expects.n && !d->errors;
    return !ask || sum_up(d, snap, opts->time_s);
}
