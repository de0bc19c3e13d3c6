/* Rules as formulas; see reach_int.h. The conditions of one dimension are joined as policy/index joins them:
 * any of what is asked for, none of what is excepted. */
#include "gw/base/obj.h"
#include "policy/index.h"
#include "policy/reach_int.h"

const struct formula *formula_in(struct model *m, uint32_t var, const struct iset *set)
{
    struct formula *f = set ? arena_alloc(&m->mem, sizeof *f) : NULL;
    if (f)
        *f = (struct formula){.kind = F_IN, .var = var, .set = set};
    return f;
}

const struct formula *formula_list(struct arena *mem, bool all, const struct formula **part, uint32_t n)
{
    struct formula *f = arena_alloc(mem, sizeof *f);
    const struct formula **copy = arena_alloc(mem, (n + 1) * sizeof(*copy));
    if (!f || !copy)
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (!part[i])
            return NULL;
        copy[i] = part[i];
    }
    *f = (struct formula){.kind = all ? F_AND : F_OR, .n = n, .part = copy};
    return f;
}

const struct formula *formula_not(struct arena *mem, const struct formula *f)
{
    struct formula *not = (struct formula *)(uintptr_t)formula_list(mem, true, &f, 1);
    if (not )
        not ->kind = F_NOT;
    return not ;
}

/* Parts of a list that grows. */
struct parts {
    struct model *m;
    const struct formula **v;
    uint32_t n;
    size_t cap;
    bool full;
};

static void add(struct parts *p, const struct formula *f)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 8;
        const struct formula **v = arena_alloc(&p->m->mem, cap * sizeof(*v));
        if (v && p->n)
            memcpy(v, p->v, p->n * sizeof(*v));
        p->v = v ? v : p->v;
        p->cap = v ? cap : p->cap;
    }
    if (!f || p->n == p->cap)
        p->full = true;
    else
        p->v[p->n++] = f;
}

static const struct formula *list(struct parts *p, bool all)
{
    return p->full ? NULL : formula_list(&p->m->mem, all, p->v, p->n);
}

static const struct iset *both(struct model *m, uint32_t no_or_yes)
{
    return iset_range(&m->mem, no_or_yes, no_or_yes + 1);
}

/* ---- sets of a dimension ---- */

static uint32_t var_of(enum noun noun)
{
    static const uint8_t vars[] = {
        [NOUN_FROM] = V_SRC,           [NOUN_TO] = V_DST,        [NOUN_FOR] = V_USER,
        [NOUN_CATEGORY] = V_FIXED,     [NOUN_DOMAIN] = V_NAME,   [NOUN_TCP] = V_PORT,
        [NOUN_UDP] = V_PORT,           [NOUN_ICMP] = V_PORT,     [NOUN_SERVICE] = V_PORT,
        [NOUN_CERTIFICATE] = V_DEFECT, [NOUN_METHOD] = V_METHOD, [NOUN_UPLOAD] = V_UPLOAD,
        [NOUN_PATH] = V_PATH,          [NOUN_DURING] = V_TIME,   [NOUN_TYPE] = V_TYPE,
        [NOUN_SIGNATURE] = V_SEVERITY, [NOUN_VIRUS] = V_VIRUS,   [NOUN_PATTERN] = V_FIXED,
        [NOUN_APPLICATION] = V_APP};
    return vars[noun];
}

static const struct iset *places_of(struct model *m, const struct places *p, const struct value *v)
{
    if (v->kind == VALUE_ZONE)
        return class_zone(m, p, v->id);
    if (v->kind != VALUE_HOST)
        return class_network(m, p, &v->prefix);
    const struct iset *out = iset_range(&m->mem, 0, 0);
    for (const struct value *a = v->members; a; a = a->next)
        out = iset_or(&m->mem, out, class_network(m, p, &a->prefix));
    return out;
}

static const struct iset *ports_of(struct model *m, const struct value *v)
{
    const struct iset *out = iset_range(&m->mem, 0, 0);
    if (!v->members)
        return class_ports(m, v->proto ? v->proto : 6, v->lo, v->hi);
    for (const struct value *p = v->members; p; p = p->next)
        out = iset_or(&m->mem, out, class_ports(m, p->proto ? p->proto : 6, p->lo, p->hi));
    return out;
}

static const struct iset *value_set(struct model *m, enum noun noun, const struct value *v)
{
    switch (noun) {
    case NOUN_FROM: return places_of(m, &m->src, v);
    case NOUN_TO: return places_of(m, &m->dst, v);
    case NOUN_DOMAIN: return class_under(m, &m->names, v->w.text);
    case NOUN_TCP:
    case NOUN_UDP:
    case NOUN_SERVICE: return ports_of(m, v);
    case NOUN_CERTIFICATE: return iset_range(&m->mem, v->id, v->id + 1);
    case NOUN_METHOD: return class_under(m, &m->methods, v->w.text);
    case NOUN_PATH: return class_under(m, &m->paths, v->w.text);
    case NOUN_DURING: return class_schedule(m, v->id);
    case NOUN_TYPE: return class_under(m, &m->types, v->w.text);
    case NOUN_SIGNATURE: return iset_range(&m->mem, v->lo, v->hi + 1u);
    case NOUN_APPLICATION: return class_under(m, &m->apps, v->w.text);
    default: return NULL;
    }
}

/* What a condition of one variable names. */
static const struct iset *cond_set(struct model *m, const struct cond *c)
{
    const struct iset *out = iset_range(&m->mem, 0, 0);
    if (c->noun == NOUN_ICMP)
        return class_ports(m, 1, 0, UINT16_MAX);
    if (c->noun == NOUN_UPLOAD || c->noun == NOUN_VIRUS)
        return both(m, 1);
    for (const struct value *v = c->vals; v; v = v->next)
        out = iset_or(&m->mem, out, value_set(m, c->noun, v));
    return out;
}

/* ---- people and categories: conditions of several variables ---- */

static const struct iset *group_networks(struct model *m, const struct group_decl *g)
{
    const struct iset *out = iset_range(&m->mem, 0, 0);
    for (const struct value *v = g->networks; v; v = v->next)
        out = iset_or(&m->mem, out, class_network(m, &m->src, &v->prefix));
    return out;
}

static const struct formula *attr(struct model *m, span text)
{
    const struct iset *at = class_under(m, &m->attrs, text);
    return at && at->n ? formula_in(m, m->first_attr + at->v[0].lo, both(m, 1)) : NULL;
}

/* Who is in the group by name or attribute: with an identity that is fresh, or one that is stale. */
static const struct formula *named_in(struct model *m, const struct group_decl *g, bool fresh)
{
    struct parts p = {.m = m};
    const struct iset *age = class_fresh(m, g->stale_s), *users = iset_range(&m->mem, 0, 0);
    if (!fresh)
        age = iset_minus(&m->mem, m->dom[V_USER], age);
    for (const struct value *v = g->users; v; v = v->next)
        users = iset_or(&m->mem, users, class_user(m, v->id, 0));
    add(&p, formula_in(m, V_USER, iset_and(&m->mem, users, age)));
    for (const struct value *v = g->attrs; v; v = v->next) {
        const struct formula *two[] = {attr(m, v->w.text), formula_in(m, V_USER, age)};
        add(&p, formula_list(&m->mem, true, two, 2));
    }
    return list(&p, false);
}

static const struct formula *in_group(struct model *m, const struct group_decl *g)
{
    if (!m->of_group[g->id]) {
        const struct formula *two[] = {named_in(m, g, true), formula_in(m, V_SRC, group_networks(m, g))};
        m->of_group[g->id] = formula_list(&m->mem, false, two, 2);
    }
    return m->of_group[g->id];
}

/* "Unidentified": in no group, and without a name or with an identity that is too old for one. */
static const struct formula *nobody(struct model *m)
{
    struct parts p = {.m = m}, old = {.m = m};
    if (m->unidentified)
        return m->unidentified;
    add(&old, formula_in(m, V_USER, class_nobody(m)));
    for (const struct group_decl *g = m->t->groups.first; g; g = g->next) {
        add(&p, formula_not(&m->mem, in_group(m, g)));
        if (g->stale_s)
            add(&old, named_in(m, g, false));
    }
    add(&p, list(&old, false));
    return m->unidentified = list(&p, true);
}

static const struct formula *people(struct model *m, const struct cond *c)
{
    struct parts p = {.m = m};
    for (const struct value *v = c->vals; v; v = v->next) {
        const struct group_decl *g = v->kind == VALUE_GROUP ? m->groups[v->id] : NULL;
        if (v->kind == VALUE_UNIDENTIFIED)
            add(&p, nobody(m));
        else if (v->kind == VALUE_USER)
            add(&p, formula_in(m, V_USER, class_user(m, v->id, 0)));
        else if (g)
            add(&p, in_group(m, g));
    }
    return list(&p, false);
}

/* A category in one view, or by its name alone; NO_PATHS: of tables that see no request. */
enum { NO_PATHS = VIEWS };

static const struct formula *category_is(struct model *m, uint32_t category, uint32_t lo, uint32_t hi)
{
    return formula_in(m, m->first_cat + category, iset_range(&m->mem, lo, hi));
}

/* `is`, or "by this path" when that is seen. */
static const struct formula *or_by_path(struct model *m, uint32_t category, const struct formula *is)
{
    const struct formula *path[] = {category_is(m, category, C_PATH, C_PATH + 1),
                                    formula_in(m, V_SEEN, both(m, 1))};
    const struct formula *two[] = {is, formula_list(&m->mem, true, path, 2)};
    return formula_list(&m->mem, false, two, 2);
}

static const struct formula *in_category(struct model *m, uint32_t category, unsigned view)
{
    if (view == VIEW_MAY)
        return category_is(m, category, C_YES, C_N);
    const struct formula *yes = category_is(m, category, C_YES, C_YES + 1);
    return view == VIEW_FINAL && class_has_urls(m, category) ? or_by_path(m, category, yes) : yes;
}

static const struct formula *not_in_category(struct model *m, uint32_t category, unsigned view)
{
    if (view == VIEW_SURE)
        return category_is(m, category, C_NO, C_NO + 1);
    const struct formula *yes = category_is(m, category, C_YES, C_YES + 1);
    return formula_not(&m->mem, view == VIEW_FINAL ? in_category(m, category, view) : yes);
}

static const struct formula *in_none(struct model *m, unsigned view)
{
    struct parts p = {.m = m};
    for (uint32_t i = 0; i < m->t->categories.n && !m->no_category[view]; i++)
        add(&p, not_in_category(m, i, view));
    return m->no_category[view] ? m->no_category[view] : (m->no_category[view] = list(&p, true));
}

/* What must not hold for a condition with `except` is looked at from the other side. */
static unsigned turned(unsigned view)
{
    return view == VIEW_MAY ? VIEW_SURE : view == VIEW_SURE ? VIEW_MAY : view;
}

static const struct formula *categories(struct model *m, const struct cond *c, unsigned view)
{
    struct parts p = {.m = m};
    for (const struct value *v = c->vals; v; v = v->next)
        add(&p, v->kind == VALUE_NONE ? in_none(m, c->except ? turned(view) : view)
                                      : in_category(m, v->id, c->except ? turned(view) : view));
    return list(&p, false);
}

static const struct formula *patterns(struct model *m, const struct cond *c)
{
    struct parts p = {.m = m};
    for (const struct value *v = c->vals; v; v = v->next) {
        const struct iset *at = class_under(m, &m->patterns, v->w.text);
        if (at && at->n)
            add(&p, formula_in(m, m->first_pattern + at->v[0].lo, both(m, 1)));
    }
    return list(&p, false);
}

/* ---- conditions ---- */

/* A class of its own stands for "not known" in these. */
static bool may_be_unknown(uint32_t var)
{
    return var == V_DST || var == V_APP;
}

static bool of_request(enum noun noun)
{
    return noun == NOUN_METHOD || noun == NOUN_UPLOAD || noun == NOUN_PATH;
}

/* One variable: what all conditions of the dimension accept, or what one excepts. */
static const struct formula *on_variable(struct model *m, const struct iset *set, uint32_t var, bool want,
                                         bool may)
{
    const struct iset *unknown = iset_range(&m->mem, 0, 1);
    if (!want)
        set = iset_minus(&m->mem, m->dom[var], set);
    if (may_be_unknown(var))
        set = may ? iset_or(&m->mem, set, unknown) : iset_minus(&m->mem, set, unknown);
    return formula_in(m, var, set);
}

/* How conditions are looked at. */
struct look {
    enum view view;
    unsigned categories; /* the same for them, or NO_PATHS */
};

static const struct formula *one_cond(struct model *m, const struct cond *conds, const struct cond *c,
                                      struct look look)
{
    const struct formula *several = c->noun == NOUN_FOR        ? people(m, c)
                                    : c->noun == NOUN_CATEGORY ? categories(m, c, look.categories)
                                    : c->noun == NOUN_PATTERN  ? patterns(m, c)
                                                               : NULL;
    if (several)
        return c->except ? formula_not(&m->mem, several) : several;
    if (c->noun == NOUN_FOR || c->noun == NOUN_CATEGORY || c->noun == NOUN_PATTERN)
        return NULL;
    const struct iset *set = cond_set(m, c);
    for (const struct cond *x = conds; x && !c->except; x = x->next) {
        if (x != c && !x->except && var_of(x->noun) == var_of(c->noun))
            set = iset_or(&m->mem, set, cond_set(m, x));
    }
    return on_variable(m, set, var_of(c->noun), !c->except, look.view == VIEW_MAY);
}

static void add_conds(struct parts *p, const struct cond *conds, struct look look)
{
    for (const struct cond *c = conds; c; c = c->next) {
        if (look.view == VIEW_MAY && of_request(c->noun))
            continue;
        if (of_request(c->noun))
            add(p, formula_in(p->m, V_SEEN, both(p->m, 1)));
        add(p, one_cond(p->m, conds, c, look));
    }
}

/* Whether requests are judged by the rule's table; `tls` and `dns` see names alone. */
static bool sees_paths(const struct rule *r)
{
    enum table t = index_table(r);
    return t == TABLE_WEB || t == TABLE_CONTENT || t == TABLE_SET || t == TABLE_LOG || t == TABLE_OBSERVE;
}

static const struct formula *make(struct model *m, const struct rule *r, enum view view)
{
    struct parts p = {.m = m};
    struct look look = {view, sees_paths(r) ? (unsigned)view : (unsigned)NO_PATHS};
    add_conds(&p, r->conds, look);
    if (r->delegate) {
        add_conds(&p, r->delegate->who, look);
        if (r->verb == VERB_ALLOW)
            add_conds(&p, r->delegate->ceiling, look);
    }
    if (r->has_since || r->has_until)
        add(&p, formula_in(m, V_TIME,
                           class_between(m, r->has_since ? r->since : INT64_MIN,
                                         r->has_until ? r->until : INT64_MAX)));
    return list(&p, true);
}

const struct formula *rule_timeless(struct model *m, uint32_t number)
{
    struct rule r = *m->rules[number];
    struct cond **last = &r.conds;
    *last = NULL;
    for (const struct cond *c = m->rules[number]->conds; c; c = c->next) {
        if (c->noun == NOUN_DURING)
            continue;
        struct cond *copy = arena_alloc(&m->mem, sizeof *copy);
        if (!copy)
            return NULL;
        *copy = *c;
        copy->next = NULL;
        *last = copy;
        last = &copy->next;
    }
    r.has_since = r.has_until = false;
    return make(m, &r, VIEW_FINAL);
}

const struct formula *rule_formula(struct model *m, uint32_t number, enum view view)
{
    const struct formula **known = &m->formula[view][number];
    if (!*known)
        *known = make(m, m->rules[number], view);
    return *known;
}

bool rule_asks_request(const struct rule *r)
{
    for (const struct cond *c = r->conds; c; c = c->next) {
        if (of_request(c->noun))
            return true;
    }
    return false;
}

bool rule_blocks(const struct rule *r)
{
    return r->verb == VERB_BLOCK || r->verb == VERB_FORBID;
}

enum table rule_table(const struct model *m, uint32_t number)
{
    return index_table(m->rules[number]);
}
