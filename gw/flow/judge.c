/* From a flow to facts, from facts to a verdict. Where a flow has two names (CONNECT and SNI, SNI and Host)
 * both are judged and the stricter verdict counts: fronting gains nothing. */
#include "gw/flow/flow.h"

#include <openssl/x509v3.h>

#include "gw/base/clock.h"
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
    x->explicit_proxy = f->explicit_proxy;
    x->dst = f->dst;
    x->dst_port = f->dst_port;
    if (f->dst.family)
        x->known |= FACT_BIT(DST);
    x->tls = f->tls;
    x->decrypted = f->mode == MODE_INSPECTED;
    if (f->hello) {
        x->known |= FACT_BIT(HELLO);
        x->ech = f->hello->ech;
    }
    x->ja4 = span_str(f->ja4);
}

static void run(const struct snapshot *snap, struct facts *x, struct judged *out)
{
    struct verdict v;
    snapshot_categories(snap, x);
    decide(snap, x, &v);
    if (v.action != ACT_ALLOW && v.category != CATEGORY_NONE && snapshot_categories_confirm(snap, x))
        decide(snap, x, &v); /* two names that the table cannot tell apart */
    *out = (struct judged){
        .action = v.action, .why = v.why, .made = true, .rule = v.rule, .category = v.category};
}

/* Blocking beats inspecting beats passing. */
static unsigned strictness(const struct judged *j)
{
    switch (j->action) {
    case ACT_BLOCK: return 3;
    case ACT_WARN: return 2;
    case ACT_INSPECT: return 1;
    default: return 0;
    }
}

static void take_stricter(struct judged *a, const struct judged *b)
{
    if (!a->made || strictness(b) > strictness(a))
        *a = *b;
}

void judge_connect(struct flow *f, struct judged *out)
{
    struct facts x;
    base_facts(f, f->snap, STEP_CONNECT, &x);
    x.name = f->name;
    run(f->snap, &x, out);
    if (f->connect_name.n > 0 && !span_eq(f->connect_name, f->name)) {
        struct judged other;
        x.name = f->connect_name;
        run(f->snap, &x, &other);
        take_stricter(out, &other);
    }
}

enum on_answer judge_event(const struct flow *f, enum on_event what)
{
    struct facts x;
    base_facts(f, f->e->snap, STEP_CONNECT, &x);
    x.name = f->tx.open ? f->tx.host : f->name;
    return snapshot_on(f->e->snap, what, &x);
}

enum on_answer judge_room(struct flow *f)
{
    struct engine *e = f->e;
    if (engine_has_room(e))
        return ANSWER_ALLOW;
    enum on_answer answer = judge_event(f, e->logger_away ? ON_LOGGER_DOWN : ON_JOURNAL_FULL);
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
        struct judged j;
        if (g->type != GEN_DNS)
            continue;
        span s = span_of(ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
        size_t n = name_normalise(span_has_prefix(s, SPAN("*.")) ? span_cut(s, 2, s.n) : s, name);
        if (n == 0)
            continue;
        base_facts(f, f->snap, STEP_CONNECT, &x);
        x.name = span_of(name, n);
        run(f->snap, &x, &j);
        take_stricter(out, &j);
    }
    GENERAL_NAMES_free(names);
}

void judge_certificate(struct flow *f, struct judged *out)
{
    struct facts x;
    base_facts(f, f->snap, STEP_CERTIFICATE, &x);
    x.name = f->name;
    x.known |= FACT_BIT(DEFECTS);
    x.defects = f->cert.defects;
    run(f->snap, &x, out);
}

void judge_request(struct flow *f, struct judged *out)
{
    const struct snapshot *snap = f->tx.snap;
    struct facts x;
    base_facts(f, snap, STEP_REQUEST, &x);
    x.known |= FACT_BIT(METHOD) | FACT_BIT(PATH) | FACT_BIT(DEFECTS);
    x.defects = f->cert.defects;
    x.method = f->tx.method;
    x.path = f->tx.path;
    x.upload = f->tx.upload;
    x.name = f->tx.host;
    if (f->tx.ip.family) {
        x.dst = f->tx.ip;
        x.known |= FACT_BIT(DST);
    }
    if (f->tx.port)
        x.dst_port = f->tx.port;
    run(snap, &x, out);
    const span others[] = {f->name, f->connect_name};
    for (size_t i = 0; i < 2; i++) {
        struct judged other;
        if (others[i].n == 0 || span_eq(others[i], f->tx.host))
            continue;
        x.name = others[i];
        run(snap, &x, &other);
        take_stricter(out, &other);
    }
}
