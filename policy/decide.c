/* The evaluator; see decide.h. What is in here is the order in which the tables are asked and what their
 * answers come to; how a table finds its rules is in policy/match. */
#include "policy/decide.h"

#include "policy/grants_ask.h"
#include "policy/match.h"
#include "policy/words.h"

enum {
#define D(id, name, text) DEFECT_##id,
#include "certs/defect.tbl"
#undef D
};

/* ---- what a rule or its absence comes to ---- */

static bool is_block(unsigned verb)
{
    return verb == VERB_BLOCK || verb == VERB_FORBID;
}

/* The category of the flow that the rule asked for. */
static uint16_t category_of(const struct query *q, uint32_t rule)
{
    const struct image *m = q->a->m;
    const struct facts *f = q->a->f;
    const struct img_table *t = &m->TABLES[q->table];
    const struct img_dim *d = &t->dim[DIM_CATEGORY];
    if (!(t->asked >> DIM_CATEGORY & 1) || (m->BITS[d->dont_care + rule / 64] >> (rule % 64) & 1))
        return CATEGORY_NONE;
    for (unsigned i = 0; i < f->n_cats && i < FACTS_MAX_CATS; i++) {
        uint16_t c = f->cats[i];
        if (c < m->n_CATS && c < d->tokens.n && image_accepts(m, t, &m->TOKENS[d->tokens.at + c], rule))
            return c;
    }
    return CATEGORY_NONE;
}

static void by_rule(struct verdict *out, const struct query *q, uint32_t rule, enum action action,
                    enum layer layer)
{
    const struct img_rule *r = match_rule(q, rule);
    out->action = action;
    out->layer = layer;
    out->why = WHY_RULE;
    out->rule = q->a->m->TABLES[q->table].rules.at + rule;
    out->category = category_of(q, rule);
    out->forbid = r->verb == VERB_FORBID;
    out->observed = r->observe_until > q->a->f->time_s;
    if (out->observed)
        asking_until(q->a, r->observe_until);
}

static void no_rule(struct verdict *out, enum action action, enum layer layer, enum why why)
{
    out->action = action;
    out->layer = layer;
    out->why = why;
    out->rule = RULE_NONE;
    out->category = CATEGORY_NONE;
    out->forbid = false;
    out->observed = false;
}

static void forget(struct verdict *out)
{
    no_rule(out, ACT_ALLOW, LAYER_NONE, WHY_RULE);
    out->waits_for = 0;
    out->grant = GRANT_NONE;
    out->valid_until = INT64_MAX;
    out->n_mods = out->n_logs = out->n_trail = 0;
}

/* ---- firewall ---- */

/* True when the firewall blocks for certain. Where the destination is not looked up yet it stays open, also
 * at later steps; what else is missing then does not match. */
static bool firewall_blocks(struct asking *a, struct verdict *out)
{
    struct query q = {.a = a, .table = TABLE_FIREWALL};
    if (!a->m->set->has_firewall)
        return false;
    q.hope = a->f->step == STEP_CONNECT ? HOPE_ALL : FACT_BIT(DST);
    struct found x = match_first(&q, out);
    bool blocks = !x.hit || is_block(match_rule(&q, x.rule)->verb);
    if (!blocks || x.may_allow) {
        out->waits_for |= x.waits;
        if (!blocks)
            by_rule(out, &q, x.rule, ACT_ALLOW, LAYER_FIREWALL);
        return false;
    }
    out->waits_for = 0;
    if (x.hit)
        by_rule(out, &q, x.rule, ACT_BLOCK, LAYER_FIREWALL);
    else
        no_rule(out, ACT_BLOCK, LAYER_FIREWALL, WHY_DEFAULT);
    return true;
}

/* ---- web ---- */

static bool is_clicked(const struct query *q, uint32_t rule)
{
    const struct facts *f = q->a->f;
    for (unsigned i = 0; i < f->n_clicked && i < FACTS_MAX_CLICKED; i++) {
        if (f->clicked[i] == match_rule(q, rule)->key)
            return true;
    }
    return false;
}

/* What a rule of a delegated file says holds only as far as the main policy lets it: a `forbid` beats what it
 * allows, and its warning lifts neither a block nor a warning. */
static void below_main(struct query q, struct found *x, struct verdict *out)
{
    const struct img_table *t = &q.a->m->TABLES[q.table];
    unsigned verb = x->hit && x->rule < t->lead ? match_rule(&q, x->rule)->verb : VERB_N;
    if (verb != VERB_ALLOW && verb != VERB_WARN)
        return;
    q.from = t->lead;
    q.forbids = verb == VERB_ALLOW;
    struct found main = match_first(&q, NULL);
    unsigned says = main.hit ? match_rule(&q, main.rule)->verb : q.forbids ? VERB_ALLOW : VERB_BLOCK;
    x->waits |= main.waits;
    if (!is_block(says) && (says != VERB_WARN || is_clicked(&q, main.rule)))
        return;
    (void)match_first(&q, out); /* into the trail */
    x->hit = main.hit;
    x->rule = main.rule;
    x->may_allow |= main.may_allow;
}

/* ---- grants ---- */

static enum grants_word granted(const struct query *q, struct grant *g)
{
    struct asking *a = q->a;
    const struct grants *all = &a->snap->grants;
    if (all->n == all->n_exempt)
        return GRANTS_NO;
    enum grants_word word = snapshot_grants(a->snap, a->f, tokens_of(a, DIM_FOR), g);
    bool hopeless = !((q->hope | a->f->lost) & FACT_BIT(PATH));
    return word == GRANTS_OPEN && hopeless ? GRANTS_NO : word;
}

/* What `web` stops: does a grant lift it? They stand behind every `forbid`, also one that comes later than
 * the rule that stopped it, or is still open. */
static enum grants_word lifts(const struct query *q, struct verdict *out)
{
    struct grant g;
    enum grants_word word = granted(q, &g);
    if (word == GRANTS_NO)
        return GRANTS_NO;
    struct query forbids = {.a = q->a, .table = q->table, .hope = q->hope, .forbids = true};
    struct found f = match_first(&forbids, NULL);
    if (f.hit)
        return GRANTS_NO;
    asking_until(q->a, g.until_s);
    out->waits_for = f.waits | (word == GRANTS_OPEN ? FACT_BIT(PATH) : 0);
    if (out->waits_for)
        return GRANTS_OPEN;
    out->grant = g.id;
    return GRANTS_YES;
}

static void by_grant(struct verdict *out, const struct query *q, const struct found *x)
{
    if (x->hit)
        by_rule(out, q, x->rule, ACT_ALLOW, LAYER_WEB);
    else
        no_rule(out, ACT_ALLOW, LAYER_WEB, WHY_DEFAULT);
    out->why = WHY_GRANT;
    out->observed = false;
}

/* The word of `web` on what is known: true when it blocks for certain, that is when the first certain rule
 * (or the default) blocks and no open rule before it could allow. With hope for nothing more a warning is
 * ACT_WARN at STEP_REQUEST; elsewhere it blocks, as no page can be shown. */
static bool web_blocks(struct asking *a, uint64_t hope, struct verdict *out)
{
    struct query q = {.a = a, .table = TABLE_WEB, .hope = hope};
    struct found x = match_first(&q, out);
    below_main(q, &x, out);
    unsigned verb = x.hit ? match_rule(&q, x.rule)->verb : VERB_BLOCK;
    bool clicked = verb == VERB_WARN && is_clicked(&q, x.rule);
    bool warns = verb == VERB_WARN && !clicked;
    bool page = a->f->step == STEP_REQUEST;
    bool blocks = is_block(verb) || (warns && hope == HOPE_NONE && !page);
    bool open = x.may_allow || (x.may_grant && verb != VERB_FORBID);
    if (verb != VERB_FORBID && ((blocks && !open) || (warns && page))) {
        enum grants_word lifted = lifts(&q, out);
        if (lifted == GRANTS_YES)
            by_grant(out, &q, &x);
        if (lifted != GRANTS_NO)
            return false;
    }
    if (!blocks || open) {
        out->waits_for |= x.waits;
        if (!blocks && !x.waits) {
            by_rule(out, &q, x.rule, warns && page ? ACT_WARN : ACT_ALLOW, LAYER_WEB);
            if (clicked)
                out->why = WHY_CLICKED;
        }
        return false;
    }
    out->waits_for = 0;
    if (x.hit)
        by_rule(out, &q, x.rule, ACT_BLOCK, LAYER_WEB);
    else
        no_rule(out, ACT_BLOCK, LAYER_WEB, WHY_DEFAULT);
    return true;
}

/* ---- tls ---- */

/* exempt, inspect or block by `tls`. This is its only step: what is open does not match. */
static void tls_choice(struct asking *a, struct verdict *out)
{
    struct query q = {.a = a, .table = TABLE_TLS};
    struct found x = match_first(&q, out);
    if (!x.hit) {
        no_rule(out, ACT_INSPECT, LAYER_TLS, WHY_DEFAULT);
    } else {
        unsigned v = match_rule(&q, x.rule)->verb;
        by_rule(out, &q, x.rule,
                v == VERB_EXEMPT    ? ACT_EXEMPT
                : v == VERB_INSPECT ? ACT_INSPECT
                                    : ACT_BLOCK,
                LAYER_TLS);
    }
    if (out->action == ACT_INSPECT && a->snap->zones[a->zone].ca_none)
        no_rule(out, ACT_EXEMPT, LAYER_TLS, WHY_ZONE_NO_CA);
    struct grant g;
    if (out->action == ACT_INSPECT && snapshot_exempt(a->snap, (uint16_t)a->zone, a->f->time_s, &g)) {
        no_rule(out, ACT_EXEMPT, LAYER_TLS, WHY_ZONE_NO_CA);
        out->grant = g.id;
        asking_until(a, g.until_s);
    }
}

/* What is exempt is judged by `web` once more: no request will be seen, so what only a request could lift
 * stands. */
static void exempt_or_blocked(struct asking *a, struct verdict *out)
{
    struct verdict last;
    forget(&last);
    if (web_blocks(a, HOPE_NONE, &last))
        *out = last;
}

static void decide_connect(struct asking *a, struct verdict *out)
{
    const struct facts *f = a->f;
    uint64_t late = out->waits_for; /* of the firewall */
    out->waits_for = 0;
    if (web_blocks(a, HOPE_ALL, out))
        return;
    if ((f->known & FACT_BIT(TLS)) && !f->tls) {
        no_rule(out, ACT_INSPECT, LAYER_WEB, WHY_DEFAULT); /* plain HTTP: every request is asked about */
        out->waits_for |= late;
        return;
    }
    out->waits_for |= FACT_BIT(TLS) & ~f->known;
    tls_choice(a, out);
    if (out->action == ACT_EXEMPT) {
        out->waits_for &= FACT_BIT(TLS);
        exempt_or_blocked(a, out);
    }
    if (out->action != ACT_BLOCK || out->layer == LAYER_TLS)
        out->waits_for |= late;
}

/* Each defect needs a rule that allows it. To ask for a client's certificate is none: it only makes `exempt`
 * rules about it count. */
static void decide_certificate(struct asking *a, struct verdict *out)
{
    const uint32_t asks = DEFECT_ASKS_CLIENT;
    struct query q = {.a = a, .table = TABLE_CERT};
    no_rule(out, ACT_ALLOW, LAYER_TLS, WHY_DEFAULT);
    for (a->defect = 0; a->defect < 32; a->defect++) {
        if (!(a->f->defects >> a->defect & 1) || a->defect == asks)
            continue;
        struct found x = match_first(&q, out);
        if (x.hit && match_rule(&q, x.rule)->verb == VERB_ALLOW) {
            by_rule(out, &q, x.rule, ACT_ALLOW, LAYER_TLS);
            continue;
        }
        if (x.hit)
            by_rule(out, &q, x.rule, ACT_BLOCK, LAYER_TLS);
        else
            no_rule(out, ACT_BLOCK, LAYER_TLS, WHY_DEFECT);
        return;
    }
    if (!(a->f->defects >> asks & 1))
        return;
    a->defect = asks;
    uint16_t n_trail = out->n_trail;
    struct found x = match_first(&q, out);
    unsigned verb = x.hit ? match_rule(&q, x.rule)->verb : VERB_N;
    if (verb == VERB_EXEMPT) {
        by_rule(out, &q, x.rule, ACT_EXEMPT, LAYER_TLS);
        exempt_or_blocked(a, out);
    } else if (is_block(verb)) {
        by_rule(out, &q, x.rule, ACT_BLOCK, LAYER_TLS);
    } else {
        out->n_trail = n_trail;
    }
}

/* ---- content, dns ---- */

/* What no rule names passes. */
static void first_or_allow(struct asking *a, enum table table, enum layer layer, uint64_t hope,
                           struct verdict *out)
{
    struct query q = {.a = a, .table = table, .hope = hope};
    struct found x = match_first(&q, out);
    bool blocks = x.hit && is_block(match_rule(&q, x.rule)->verb);
    if (x.hit && blocks && !x.may_allow) {
        by_rule(out, &q, x.rule, ACT_BLOCK, layer);
        return;
    }
    out->waits_for = x.waits;
    if (x.hit && !x.waits)
        by_rule(out, &q, x.rule, ACT_ALLOW, layer);
    else
        no_rule(out, ACT_ALLOW, layer, WHY_DEFAULT);
}

/* ---- what never decides ---- */

struct noting {
    const struct query *q;
    struct verdict *out;
    unsigned blocks; /* whose `log` rules count */
    uint32_t quota;  /* seconds of the quota that counts, 0: none */
};

/* Name of a header modifier: what stands before the colon. */
static span header_name(span value)
{
    return span_trim(span_cut(value, 0, span_find(value, ':', 0)));
}

static bool is_set(const struct verdict *v, enum modifier kind, span value)
{
    for (unsigned i = 0; i < v->n_mods; i++) {
        if (v->mods[i].kind == kind &&
            (kind != MOD_HEADER || span_ieq(header_name(v->mods[i].value), header_name(value))))
            return true;
    }
    return false;
}

static bool note_set(void *arg, uint32_t rule)
{
    struct noting *n = arg;
    const struct image *m = n->q->a->m;
    const struct img_rule *r = match_rule(n->q, rule);
    for (uint32_t i = 0; i < r->mods.n && n->out->n_mods < VERDICT_MAX_MODS; i++) {
        const struct img_mod *mod = &m->MODS[r->mods.at + i];
        span value = image_bytes(m, mod->value);
        if (is_set(n->out, (enum modifier)mod->kind, value))
            continue;
        if (mod->kind == MOD_QUOTA)
            n->quota = mod->limit_s;
        n->out->mods[n->out->n_mods++] =
            (struct verdict_mod){(enum modifier)mod->kind, m->TABLES[n->q->table].rules.at + rule, value};
    }
    return n->out->n_mods == VERDICT_MAX_MODS;
}

/* Modifiers of a request that is let through. A quota that is used up blocks it. */
static void note_sets(struct asking *a, struct verdict *out)
{
    struct query q = {.a = a, .table = TABLE_SET};
    struct noting n = {.q = &q, .out = out};
    match_all(&q, note_set, &n);
    if (!n.quota || !(a->f->known & FACT_BIT(QUOTA)))
        return;
    if (a->f->quota_used_s < n.quota) {
        asking_until(a, a->f->time_s + (int64_t)(n.quota - a->f->quota_used_s));
        return;
    }
    for (unsigned i = 0; i < out->n_mods; i++) {
        if (out->mods[i].kind == MOD_QUOTA)
            by_rule(out, &q, out->mods[i].rule - a->m->TABLES[TABLE_SET].rules.at, ACT_BLOCK, LAYER_WEB);
    }
    out->n_mods = 0;
}

static bool note_log(void *arg, uint32_t rule)
{
    struct noting *n = arg;
    if (match_rule(n->q, rule)->block & n->blocks)
        n->out->logs[n->out->n_logs++] = n->q->a->m->TABLES[n->q->table].rules.at + rule;
    return n->out->n_logs == VERDICT_MAX_LOGS;
}

/* Blocks whose rules were settled at this step; those of `web` once no request is to come. */
static unsigned settled(const struct facts *f, const struct verdict *v)
{
    switch (f->step) {
    case STEP_CONNECT: return BLOCK_FIREWALL | (v->action == ACT_INSPECT ? 0 : BLOCK_WEB);
    case STEP_CERTIFICATE: return v->action == ACT_ALLOW ? 0 : BLOCK_WEB;
    case STEP_REQUEST: return BLOCK_WEB;
    default: return BLOCK_CONTENT;
    }
}

static void note_logs(struct asking *a, unsigned blocks, struct verdict *out)
{
    struct query q = {.a = a, .table = TABLE_LOG};
    struct noting n = {.q = &q, .out = out, .blocks = blocks};
    match_all(&q, note_log, &n);
}

static bool note_observe(void *arg, uint32_t rule)
{
    struct noting *n = arg;
    (void)rule;
    n->out->observed = true;
    return true;
}

static void note_observed(struct asking *a, struct verdict *out)
{
    struct query q = {.a = a, .table = TABLE_OBSERVE};
    struct noting n = {.q = &q, .out = out};
    match_all(&q, note_observe, &n);
}

/* ---- all of it ---- */

static bool is_client_zone(const struct asking *a)
{
    return (a->f->known & FACT_BIT(SRC)) && a->zone < a->m->n_ZONES && !a->snap->zones[a->zone].internet;
}

/* Packets that carry no web: the firewall alone speaks of them. */
static bool is_packet(const struct facts *f)
{
    return f->proto != 0 && f->proto != IMG_TCP;
}

static void decide_step(struct asking *a, struct verdict *out)
{
    if (a->f->step == STEP_CONTENT) {
        first_or_allow(a, TABLE_CONTENT, LAYER_CONTENT, HOPE_ALL, out);
        return;
    }
    if (firewall_blocks(a, out))
        return;
    if (is_packet(a->f)) {
        if (out->layer == LAYER_NONE)
            no_rule(out, ACT_ALLOW, LAYER_FIREWALL, WHY_DEFAULT);
        return;
    }
    switch (a->f->step) {
    case STEP_CONNECT: decide_connect(a, out); return;
    case STEP_CERTIFICATE: decide_certificate(a, out); return;
    default: (void)web_blocks(a, HOPE_NONE, out);
    }
}

void decide(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    struct asking a;
    asking_start(&a, snap, f);
    forget(out);
    if (!is_client_zone(&a)) {
        no_rule(out, ACT_BLOCK, LAYER_NONE, WHY_NO_ZONE);
        return;
    }
    decide_step(&a, out);
    if (f->step == STEP_REQUEST && out->action == ACT_ALLOW)
        note_sets(&a, out);
    note_logs(&a, settled(f, out), out);
    note_observed(&a, out);
    out->valid_until = a.next;
}

bool decide_forbids(const struct snapshot *snap, const struct facts *f, uint32_t *rule)
{
    struct asking a;
    struct query q = {.a = &a, .table = TABLE_WEB, .forbids = true};
    asking_start(&a, snap, f);
    struct found x = match_first(&q, NULL);
    *rule = x.hit ? snap->img.TABLES[TABLE_WEB].rules.at + x.rule : RULE_NONE;
    return x.hit;
}

void decide_tls(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    struct asking a;
    asking_start(&a, snap, f);
    forget(out);
    if (!is_client_zone(&a)) {
        no_rule(out, ACT_INSPECT, LAYER_TLS, WHY_NO_ZONE);
        return;
    }
    tls_choice(&a, out);
    if (out->action == ACT_BLOCK)
        out->action = ACT_INSPECT;
    out->valid_until = a.next;
}

void decide_unseen(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    struct asking a;
    asking_start(&a, snap, f);
    forget(out);
    if (is_client_zone(&a))
        exempt_or_blocked(&a, out);
    else
        no_rule(out, ACT_BLOCK, LAYER_NONE, WHY_NO_ZONE);
    out->valid_until = a.next;
}

void decide_dns(const struct snapshot *snap, const struct facts *f, struct verdict *out)
{
    struct asking a;
    asking_start(&a, snap, f);
    forget(out);
    if (!is_client_zone(&a)) {
        no_rule(out, ACT_BLOCK, LAYER_NONE, WHY_NO_ZONE);
        return;
    }
    first_or_allow(&a, TABLE_DNS, LAYER_DNS, HOPE_NONE, out);
    note_logs(&a, BLOCK_DNS, out);
    note_observed(&a, out);
    out->valid_until = a.next;
}

/* ---- `on` ---- */

uint32_t snapshot_on_rule(const struct snapshot *s, enum on_event ev, const struct facts *f)
{
    static const struct facts nobody = {.zone = ZONE_NONE};
    struct asking a;
    struct query q = {.a = &a, .table = TABLE_ON, .timeless = !f};
    asking_start(&a, s, f ? f : &nobody);
    a.event = ev;
    struct found x = match_first(&q, NULL);
    return x.hit ? s->img.TABLES[TABLE_ON].rules.at + x.rule : RULE_NONE;
}

enum on_answer snapshot_on(const struct snapshot *s, enum on_event ev, const struct facts *f)
{
    uint32_t rule = snapshot_on_rule(s, ev, f);
    return rule == RULE_NONE ? ANSWER_DEFAULT : (enum on_answer)s->img.RULES[rule].answer;
}
