/* From a flow to facts, from facts to a verdict. Where a flow has two names (CONNECT and SNI, SNI and Host)
 * both are judged and the stricter verdict counts: fronting gains nothing. */
#include "gw/flow/flow.h"

#include <openssl/x509v3.h>

#include "gw/base/clock.h"
#include "gw/flow/breaks.h"
#include "gw/flow/record.h"
#include "policy/decide.h"

static void base_facts(const struct flow *f, const struct snapshot *snap, enum step step, struct facts *x)
{
    memset(x, 0, sizeof *x);
    x->known = FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(NAME) | FACT_BIT(TLS);
    x->step = step;
    x->time_s = clock_wall_s();
    x->src = f->src;
    /* After a reload zones have other numbers and users other addresses. */
    bool same = snap == f->snap;
    x->zone = same ? f->zone : snapshot_zone_of(snap, &f->src);
    x->user = same ? f->user : snapshot_user_of(snap, &f->src);
    x->id_source = x->user.n ? ID_POLICY : ID_NONE;
    x->explicit_proxy = f->explicit_proxy;
    x->dst = f->dst;
    x->dst_port = f->dst_port;
    if (f->dst.family)
        x->known |= FACT_BIT(DST);
    x->tls = f->tls;
    x->decrypted = f->mode == MODE_INSPECTED;
    if (f->hello_seen) {
        x->known |= FACT_BIT(HELLO);
        x->ech = f->ech;
    }
    x->ja4 = span_str(f->ja4);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void judged_until(struct judged *j, const struct judged *also)
{
    j->valid_until = earlier(j->valid_until, also->valid_until);
}

/* What is done about a verdict. `observe` lifts what a rule or a default of policy blocks or warns of; not
 * what holds without any policy: a client of no zone, a certificate that nobody has allowed. Where a
 * connection is let through all the same, `tls` alone says whether it may be decrypted. */
static enum action enforced(const struct snapshot *snap, const struct facts *x, struct verdict *v)
{
    struct verdict tls;
    if (!v->observed || (v->action != ACT_BLOCK && v->action != ACT_WARN) || v->why == WHY_NO_ZONE ||
        v->why == WHY_DEFECT)
        return v->action;
    if (x->step != STEP_CONNECT)
        return ACT_ALLOW;
    if (!x->tls)
        return ACT_INSPECT;
    decide_tls(snap, x, &tls);
    v->valid_until = earlier(v->valid_until, tls.valid_until);
    return tls.action == ACT_EXEMPT ? ACT_EXEMPT : ACT_INSPECT;
}

/* Blocking beats warning beats inspecting beats passing; what is done counts before what is only recorded. */
static unsigned strictness(const struct judged *j)
{
    static const unsigned strict[] = {
        [ACT_ALLOW] = 0, [ACT_EXEMPT] = 0, [ACT_INSPECT] = 1, [ACT_WARN] = 2, [ACT_BLOCK] = 3};
    return strict[j->does] * 4 + strict[j->action];
}

/* Decides, and where that is stricter than what `out` says (or it says nothing yet) takes it and makes its
 * record. Modifiers of a request are kept in `keep`. `keys` are of x->name, made as early as may be: what is
 * done between that and this is done while the lists' table is fetched. */
static void run(struct flow *f, struct arena *keep, const struct snapshot *snap, const struct cat_keys *keys,
                struct facts *x, struct judged *out)
{
    struct verdict v;
    int64_t before_ns = clock_mono_ns();
    snapshot_categories_expected(snap, keys, x);
    snapshot_decide(snap, x, &v);
    int64_t took_ns = clock_mono_ns() - before_ns;
    struct judged j = {.action = v.action,
                       .why = v.why,
                       .made = true,
                       .observed = v.observed,
                       .category = v.category,
                       .rule = v.rule,
                       .grant = v.grant,
                       .n_logs = v.n_logs < VERDICT_MAX_LOGS ? v.n_logs : VERDICT_MAX_LOGS};
    memcpy(j.logs, v.logs, j.n_logs * sizeof *v.logs);
    struct verdict as_decided = v;
    j.does = enforced(snap, x, &v);
    j.valid_until = out->made ? earlier(out->valid_until, v.valid_until) : v.valid_until;
    again_due(f->e, v.valid_until);
    if (out->made && strictness(&j) <= strictness(out)) {
        out->valid_until = j.valid_until;
        return;
    }
    if (keep && v.n_mods) {
        span kept = arena_dup(keep, span_of(v.mods, v.n_mods * sizeof *v.mods));
        j.mods = (const void *)kept.p;
        j.n_mods = kept.n ? v.n_mods : 0;
    }
    *out = j;
    record_made(f, snap, x, &as_decided, took_ns);
}

/* Does `web` let this name pass where no request is seen, and until when? */
static bool passes_unseen(const struct flow *f, struct facts *x, span name, int64_t *until_s)
{
    struct verdict v;
    x->name = name;
    snapshot_categories(f->snap, x);
    snapshot_categories_confirm(f->snap, x);
    decide_unseen(f->snap, x, &v);
    *until_s = earlier(*until_s, v.valid_until);
    return v.action == ACT_ALLOW;
}

uint32_t judge_broken(const struct flow *f, int64_t *until_s)
{
    struct facts x;
    *until_s = INT64_MAX;
    base_facts(f, f->snap, STEP_CONNECT, &x);
    x.decrypted = false;
    bool passes = f->connect_name.n == 0 || passes_unseen(f, &x, f->connect_name, until_s);
    if (!passes || !passes_unseen(f, &x, f->name, until_s) || x.n_cats == 0 ||
        snapshot_on(f->snap, ON_BROKEN, &x) != ANSWER_EXEMPT)
        return RULE_NONE;
    return snapshot_on_rule(f->snap, ON_BROKEN, &x);
}

/* To be decrypted by policy, but for a while that line of it counts which knows that it cannot be. */
static void pass_broken(struct flow *f, struct judged *out)
{
    uint32_t rule;
    int64_t until_s;
    if (out->does != ACT_INSPECT || !f->tls || !breaks_exempt(f, &rule, &until_s))
        return;
    out->action = out->does = ACT_EXEMPT;
    out->why = WHY_RULE;
    out->rule = rule;
    out->category = CATEGORY_NONE;
    out->valid_until = earlier(out->valid_until, until_s);
    again_due(f->e, until_s);
}

void judge_connect(struct flow *f, struct judged *out)
{
    struct facts x;
    struct cat_keys keys, connect_keys;
    bool two = f->connect_name.n > 0 && !span_eq(f->connect_name, f->name);
    snapshot_expect(f->snap, f->name, &keys);
    if (two)
        snapshot_expect(f->snap, f->connect_name, &connect_keys);
    base_facts(f, f->snap, STEP_CONNECT, &x);
    x.name = f->name;
    out->made = false;
    run(f, NULL, f->snap, &keys, &x, out);
    if (two) {
        x.name = f->connect_name;
        run(f, NULL, f->snap, &connect_keys, &x, out);
    }
    pass_broken(f, out);
}

enum on_answer judge_event(const struct flow *f, span name, enum on_event what)
{
    struct facts x;
    base_facts(f, f->e->snap, STEP_CONNECT, &x);
    x.name = name;
    return snapshot_on(f->e->snap, what, &x);
}

enum on_answer judge_room(struct flow *f, span name)
{
    struct engine *e = f->e;
    if (engine_has_room(e))
        return ANSWER_ALLOW;
    enum on_answer answer = judge_event(f, name, e->logger_away ? ON_LOGGER_DOWN : ON_JOURNAL_FULL);
    e->n.held += answer != ANSWER_ALLOW;
    e->n.journal_full += answer == ANSWER_BLOCK;
    return answer;
}

void judge_origin_names(struct flow *f, X509 *leaf, struct judged *out)
{
    uint8_t name[LIM_NAME_BYTES];
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        struct facts x;
        struct cat_keys keys;
        if (g->type != GEN_DNS)
            continue;
        span s = span_of(ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
        size_t n = name_normalise(span_has_prefix(s, SPAN("*.")) ? span_cut(s, 2, s.n) : s, name);
        if (n == 0)
            continue;
        snapshot_expect(f->snap, span_of(name, n), &keys);
        base_facts(f, f->snap, STEP_CONNECT, &x);
        x.name = span_of(name, n);
        run(f, NULL, f->snap, &keys, &x, out);
    }
    GENERAL_NAMES_free(names);
}

void judge_certificate(struct flow *f, struct judged *out)
{
    struct facts x;
    struct cat_keys keys;
    snapshot_expect(f->snap, f->name, &keys);
    base_facts(f, f->snap, STEP_CERTIFICATE, &x);
    x.name = f->name;
    x.known |= FACT_BIT(DEFECTS);
    x.defects = f->cert.defects | (f->cert.asked_client_cert ? DEFECT_BIT(ASKS_CLIENT) : 0);
    out->made = false;
    run(f, NULL, f->snap, &keys, &x, out);
}

enum action judge_would(const struct flow *f, uint32_t defects, uint32_t *rule)
{
    struct facts x;
    struct verdict v;
    base_facts(f, f->snap, STEP_CERTIFICATE, &x);
    x.name = f->name;
    x.known |= FACT_BIT(DEFECTS);
    x.defects = defects;
    snapshot_categories(f->snap, &x);
    snapshot_decide(f->snap, &x, &v);
    *rule = v.rule;
    return v.action;
}

enum defect judge_defect(const struct flow *f)
{
    uint32_t rule;
    for (unsigned d = 0; d < DEFECT_N; d++) {
        uint32_t one = f->cert.defects & UINT32_C(1) << d;
        if (one && judge_would(f, one, &rule) == ACT_BLOCK)
            return (enum defect)d;
    }
    return defect_first(f->cert.defects);
}

void judge_request(struct txn *t, struct judged *out)
{
    const struct flow *f = t->f;
    const struct snapshot *snap = t->snap;
    struct facts x;
    struct cat_keys keys;
    snapshot_expect(snap, t->host, &keys);
    base_facts(f, snap, STEP_REQUEST, &x);
    x.known |= FACT_BIT(METHOD) | FACT_BIT(PATH) | FACT_BIT(DEFECTS);
    x.defects = f->cert.defects;
    x.method = t->method;
    x.path = t->path;
    x.upload = t->upload;
    x.n_clicked = t->n_clicked;
    memcpy(x.clicked, t->clicked, sizeof x.clicked);
    x.name = t->host;
    if (t->ip.family) {
        x.dst = t->ip;
        x.known |= FACT_BIT(DST);
    }
    if (t->port)
        x.dst_port = t->port;
    out->made = false;
    run(t->f, &t->arena, snap, &keys, &x, out);
    const span others[] = {f->name, f->connect_name};
    for (size_t i = 0; i < 2; i++) {
        if (others[i].n == 0 || span_eq(others[i], t->host))
            continue;
        x.name = others[i];
        snapshot_expect(snap, x.name, &keys);
        run(t->f, &t->arena, snap, &keys, &x, out);
    }
}
