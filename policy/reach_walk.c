/* A choice of classes as facts, and those facts taken through decide() step by step until the rule in
 * question decides or something else does. See reach_int.h. */
#include "gw/base/obj.h"
#include "policy/reach_int.h"

static span word_at(const struct words_of *w, uint32_t class, const char *other)
{
    return class < w->skip ? span_str(other) : w->v[class - w->skip];
}

/* One of the candidates that is none of the words. */
static const char *other_than(const struct words_of *w, const char *const *candidates, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool taken = false;
        for (uint32_t k = 0; k < w->n && !taken; k++)
            taken = span_eq(w->v[k], span_str(candidates[i]));
        if (!taken)
            return candidates[i];
    }
    return "X-OTHER";
}

static const char *other_method(const struct model *m)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH"};
    return other_than(&m->methods, methods, N_ELEMS(methods));
}

static void set_place(const struct model *m, const uint32_t *choice, struct facts *f)
{
    uint32_t copy = choice[V_SRC] / m->src.n;
    const struct place *src = &m->src.v[choice[V_SRC] % m->src.n];
    f->src = src->addr;
    f->zone = src->zone;
    for (const struct zone_decl *z = m->t->zones.first; z && copy; z = z->next) {
        if (z->vpn.text.n == 0 || --copy)
            continue;
        f->vpn = z->vpn.text;
        f->zone = z->id;
    }
    f->known |= FACT_BIT(SRC);
    if (choice[V_DST]) {
        f->dst = m->dst.v[choice[V_DST] - 1].addr;
        f->known |= FACT_BIT(DST);
    }
    f->proto = m->ports[choice[V_PORT]].proto;
    f->dst_port = m->ports[choice[V_PORT]].port;
    f->known |= FACT_BIT(PORT);
}

static void set_person(const struct model *m, const uint32_t *choice, struct facts *f)
{
    uint32_t per_age = m->n_classes[V_USER] / m->n_ages, user = choice[V_USER] % per_age;
    f->known |= FACT_BIT(USER);
    f->id_age_s = m->ages[choice[V_USER] / per_age];
    if (user == 0)
        return;
    f->id_source = ID_POLICY;
    f->user = user == 1 ? SPAN("somebody.else") : m->users[user - 2]->name.text;
}

/* Categories before the path is known, or with it; false when they are more than facts hold. */
static bool set_categories(const struct model *m, const uint32_t *choice, bool path, struct facts *f)
{
    f->n_cats = 0;
    f->may_used = 0;
    for (uint32_t i = 0; i < m->t->categories.n; i++) {
        uint32_t c = choice[m->first_cat + i], w = i / 64;
        if (!path && (c == C_PATH || c == C_OTHER)) {
            f->may[w] = (f->may_used >> w & 1 ? f->may[w] : 0) | UINT64_C(1) << (i % 64);
            f->may_used |= (uint16_t)(1u << w);
        }
        if (c != C_YES && !(path && c == C_PATH))
            continue;
        if (f->n_cats == FACTS_MAX_CATS)
            return false;
        f->cats[f->n_cats++] = (uint16_t)i;
    }
    return true;
}

/* Attributes, categories and patterns that are there; false when they are more than facts hold. */
static bool set_many(const struct model *m, const uint32_t *choice, struct facts *f)
{
    if (!set_categories(m, choice, true, f) || !set_categories(m, choice, false, f))
        return false;
    for (uint32_t i = 0; i < m->patterns.n; i++) {
        if (!choice[m->first_pattern + i])
            continue;
        if (f->n_patterns == FACTS_MAX_PATTERNS)
            return false;
        f->patterns[f->n_patterns++] = m->patterns.v[i];
    }
    for (uint32_t i = 0; i < m->attrs.n; i++) {
        if (!choice[m->first_attr + i])
            continue;
        if (f->n_attrs == FACTS_MAX_ATTRS)
            return false;
        f->attrs[f->n_attrs++] = m->attrs.v[i];
    }
    return true;
}

static bool set_name(const struct model *m, const uint32_t *choice, struct facts *f)
{
    struct addr a;
    f->known |= FACT_BIT(NAME) | FACT_BIT(TLS) | FACT_BIT(HELLO);
    if (choice[V_NAME] == 0)
        return true;
    f->name = choice[V_NAME] == 1 ? m->other_name : word_at(&m->names, choice[V_NAME], "");
    if (!addr_parse(f->name, &a))
        return f->name.n != 0;
    f->name = SPAN_NONE;
    if (f->known & FACT_BIT(DST))
        return addr_eq(&a, &f->dst);
    f->dst = a;
    f->known |= FACT_BIT(DST);
    return true;
}

static void set_request(const struct model *m, const uint32_t *choice, struct facts *f)
{
    static const char *const types[] = {"other", "data", "unheard-of"};
    static const char *const apps[] = {"other", "unheard-of"};
    f->method = word_at(&m->methods, choice[V_METHOD], other_method(m));
    f->upload = choice[V_UPLOAD];
    f->path = word_at(&m->paths, choice[V_PATH], "/");
    f->type = word_at(&m->types, choice[V_TYPE], other_than(&m->types, types, N_ELEMS(types)));
    f->severity = (uint8_t)choice[V_SEVERITY];
    f->signature = choice[V_SEVERITY] ? 1 : 0;
    f->virus = choice[V_VIRUS] ? SPAN("Eicar-Test-Signature") : SPAN_NONE;
    if (choice[V_APP]) {
        f->app = word_at(&m->apps, choice[V_APP], other_than(&m->apps, apps, N_ELEMS(apps)));
        f->app_confidence = 100;
        f->known |= FACT_BIT(APP);
    }
}

bool walk_facts(const struct model *m, const uint32_t *choice, struct facts *f)
{
    *f = (struct facts){.step = STEP_CONNECT, .time_s = m->times[choice[V_TIME]]};
    set_place(m, choice, f);
    set_person(m, choice, f);
    set_request(m, choice, f);
    f->tls = !choice[V_SEEN];
    f->defects = UINT32_C(1) << choice[V_DEFECT];
    return set_name(m, choice, f) && set_many(m, choice, f);
}

/* ---- what decide() makes of them ---- */

/* It goes through rules by the word, and through all that are open one by one. */
static void ask(const struct model *m, const struct facts *f, struct verdict *v)
{
    decide(m->snap, f, v);
    m->asked->steps += m->n_rules / (v->n_trail == TRAIL_MAX ? 4 : 64);
}

/* The rule of this table that matched for certain, by the trail. */
static uint32_t matched(const struct model *m, enum table table, const struct verdict *v)
{
    struct img_run rules = m->snap->img.TABLES[table].rules;
    for (unsigned i = v->n_trail; i-- > 0;) {
        uint32_t r = v->trail[i].rule;
        if (v->trail[i].match == 1 && r >= rules.at && r - rules.at < rules.n)
            return r;
    }
    return RULE_NONE;
}

/* The first rule before `number` that is open and does not block. */
static uint32_t open_before(const struct model *m, uint32_t number, const struct verdict *v)
{
    for (unsigned i = 0; i < v->n_trail; i++) {
        uint32_t r = v->trail[i].rule;
        if (v->trail[i].match == 2 && r < number && rule_table(m, r) == rule_table(m, number) &&
            !rule_blocks(m->rules[r]))
            return r;
    }
    return RULE_NONE;
}

static struct walked gate(enum table table, uint32_t rule, bool closed)
{
    return (struct walked){WALK_GATE, table, rule, closed};
}

static const struct walked UNCLEAR = {.how = WALK_UNCLEAR, .rule = RULE_NONE};

/* Its own table came to a rule: this one, or one before it. */
static struct walked settled(uint32_t number, uint32_t by)
{
    if (by == number)
        return (struct walked){.how = WALK_DECIDES, .rule = by};
    if (by < number)
        return (struct walked){.how = WALK_EARLIER, .rule = by};
    return UNCLEAR;
}

static enum table layer_table(enum layer l)
{
    return l == LAYER_FIREWALL ? TABLE_FIREWALL
           : l == LAYER_TLS    ? TABLE_TLS
           : l == LAYER_WEB    ? TABLE_WEB
                               : TABLE_N;
}

/* A verdict that ends the flow at a step before the rule's own. */
static struct walked ended(const struct verdict *v, bool closed)
{
    enum table table = layer_table(v->layer);
    /* the firewall stays open where `web` no longer does */
    return table == TABLE_N ? UNCLEAR : gate(table, v->rule, closed && table == TABLE_WEB);
}

/* Whether a warning stopped it that this client can have clicked through before; it has, then. */
static bool clicks(const struct model *m, const struct verdict *v, struct facts *f)
{
    if (v->rule == RULE_NONE || m->rules[v->rule]->verb != VERB_WARN || v->why == WHY_CLICKED ||
        f->n_clicked == FACTS_MAX_CLICKED)
        return false;
    f->clicked[f->n_clicked++] = snapshot_rule(m->snap, v->rule).key;
    return true;
}

/* decide(), with every warning clicked through that ends the flow. */
static void past_warnings(const struct model *m, struct facts *f, struct verdict *v)
{
    do
        ask(m, f, v);
    while ((v->action == ACT_WARN || v->action == ACT_BLOCK) && clicks(m, v, f));
}

static struct walked walk_tls(const struct model *m, uint32_t number, struct facts *f)
{
    struct verdict v;
    bool exempt = m->rules[number]->verb == VERB_EXEMPT;
    f->tls = true;
    past_warnings(m, f, &v);
    if (v.layer != LAYER_TLS)
        return ended(&v, exempt);
    return settled(number, v.rule == RULE_NONE ? matched(m, TABLE_TLS, &v) : v.rule);
}

static struct walked walk_certificate(const struct model *m, uint32_t number, struct facts *f)
{
    struct verdict v;
    f->tls = true;
    ask(m, f, &v);
    if (v.action != ACT_INSPECT)
        return ended(&v, false);
    f->step = STEP_CERTIFICATE;
    f->known |= FACT_BIT(DEFECTS);
    past_warnings(m, f, &v);
    uint32_t by = v.layer == LAYER_TLS ? matched(m, TABLE_CERT, &v) : RULE_NONE;
    return by == RULE_NONE ? ended(&v, m->rules[number]->verb == VERB_EXEMPT) : settled(number, by);
}

/* What is not known yet when a connection is made. */
static bool comes_later(const struct model *m, uint32_t var)
{
    switch (var) {
    case V_METHOD:
    case V_UPLOAD:
    case V_PATH:
    case V_TYPE:
    case V_SEVERITY:
    case V_VIRUS:
    case V_DEFECT: return true;
    default: return var >= m->first_pattern && var < m->first_attr;
    }
}

/* decide() when the connection is made. Rules that differ in the request alone have that in common, and
 * where they are many it takes long: all of them are open. */
static void decide_connected(const struct model *m, const struct facts *f, struct verdict *v)
{
    struct asked *a = m->asked;
    bool same = a->known;
    for (uint32_t i = 0; i < m->n_vars && same; i++)
        same = a->choice[i] == m->choice[i] || comes_later(m, i);
    if (!same) {
        ask(m, f, &a->verdict);
        memcpy(a->choice, m->choice, m->n_vars * sizeof *a->choice);
        a->known = true;
    }
    *v = a->verdict;
}

/* Through the first step: true when a request will be seen. */
static bool to_request(const struct model *m, struct facts *f, struct verdict *v)
{
    decide_connected(m, f, v);
    if (v->action != ACT_INSPECT)
        return false;
    f->step = STEP_REQUEST;
    f->known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    return set_categories(m, m->choice, true, f);
}

/* A rule of a delegated file that came first, which yet gives way to this one where the main policy has it.
 */
static bool gives_way(const struct model *m, uint32_t by, uint32_t number)
{
    const struct rule *d = by == RULE_NONE ? NULL : m->rules[by], *r = m->rules[number];
    if (!d || !d->delegate || r->delegate || !rule_blocks(r))
        return false;
    return d->verb == VERB_WARN || (d->verb == VERB_ALLOW && r->verb == VERB_FORBID);
}

static struct walked walk_web(const struct model *m, uint32_t number, bool early, struct facts *f)
{
    struct verdict v;
    if (!to_request(m, f, &v)) {
        uint32_t by = v.layer == LAYER_WEB ? v.rule : matched(m, TABLE_WEB, &v);
        if (v.layer == LAYER_FIREWALL || v.layer == LAYER_NONE)
            return ended(&v, false);
        if (v.layer == LAYER_WEB && (by == RULE_NONE || by > number))
            return gate(TABLE_WEB, by, false);
        return settled(number, by);
    }
    uint32_t open = early ? open_before(m, number, &v) : RULE_NONE;
    if (open != RULE_NONE && !gives_way(m, open, number))
        return (struct walked){.how = WALK_OPEN, .rule = open};
    ask(m, f, &v);
    if (v.layer != LAYER_WEB)
        return ended(&v, false);
    if (gives_way(m, v.rule, number))
        return UNCLEAR;
    if (v.forbid && v.rule > number && m->rules[number]->delegate)
        return (struct walked){.how = WALK_EARLIER, .rule = v.rule}; /* it beats what a delegate allows */
    return settled(number, matched(m, TABLE_WEB, &v));
}

static struct walked walk_content(const struct model *m, uint32_t number, struct facts *f)
{
    struct verdict v;
    if (!to_request(m, f, &v))
        return ended(&v, false);
    past_warnings(m, f, &v);
    if (v.action != ACT_ALLOW)
        return ended(&v, true);
    f->step = STEP_CONTENT;
    f->known |= FACT_BIT(TYPE) | FACT_BIT(SIGNATURE) | FACT_BIT(VIRUS) | FACT_BIT(PATTERN);
    ask(m, f, &v);
    uint32_t by = matched(m, TABLE_CONTENT, &v);
    return by == RULE_NONE ? UNCLEAR : settled(number, by);
}

/* What the firewall waits for at first, it no longer waits for once a request is there, but for the address.
 */
static struct walked walk_firewall(const struct model *m, uint32_t number, struct facts *f)
{
    struct verdict v;
    ask(m, f, &v);
    if (rule_blocks(m->rules[number]) && open_before(m, number, &v) != RULE_NONE) {
        f->step = STEP_REQUEST;
        ask(m, f, &v);
        if (open_before(m, number, &v) != RULE_NONE)
            return UNCLEAR;
    }
    uint32_t by = matched(m, TABLE_FIREWALL, &v);
    return by == RULE_NONE ? UNCLEAR : settled(number, by);
}

static struct walked walk_dns(const struct model *m, uint32_t number, struct facts *f)
{
    struct verdict v;
    decide_dns(m->snap, f, &v);
    uint32_t by = matched(m, TABLE_DNS, &v);
    return by == RULE_NONE ? UNCLEAR : settled(number, by);
}

static struct walked walk_on(const struct model *m, uint32_t number, struct facts *f)
{
    uint32_t by = snapshot_on_rule(m->snap, m->rules[number]->event, f);
    return by == RULE_NONE ? UNCLEAR : settled(number, by);
}

/* Name of the header that a modifier sets; empty for the others. */
static span header_name(span value)
{
    return span_trim(span_cut(value, 0, span_find(value, ':', 0)));
}

static struct walked walk_set(const struct model *m, uint32_t number, const struct set_part *mod,
                              struct facts *f)
{
    struct verdict v;
    if (!to_request(m, f, &v))
        return ended(&v, false);
    past_warnings(m, f, &v);
    if (v.action != ACT_ALLOW)
        return ended(&v, true);
    for (unsigned i = 0; i < v.n_mods; i++) {
        if (v.mods[i].kind == mod->kind &&
            (mod->kind != MOD_HEADER || span_ieq(header_name(v.mods[i].value), header_name(mod->value.text))))
            return settled(number, v.mods[i].rule);
    }
    return UNCLEAR;
}

struct walked walk_rule(const struct model *m, uint32_t number, bool early, const struct set_part *mod,
                        struct facts *f)
{
    switch (rule_table(m, number)) {
    case TABLE_TLS: return walk_tls(m, number, f);
    case TABLE_CERT: return walk_certificate(m, number, f);
    case TABLE_WEB: return walk_web(m, number, early, f);
    case TABLE_FIREWALL: return walk_firewall(m, number, f);
    case TABLE_CONTENT: return walk_content(m, number, f);
    case TABLE_DNS: return walk_dns(m, number, f);
    case TABLE_ON: return walk_on(m, number, f);
    default: return mod ? walk_set(m, number, mod, f) : UNCLEAR;
    }
}
