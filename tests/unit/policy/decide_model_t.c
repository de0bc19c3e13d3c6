/* decide() beside a model of it that knows nothing of bit sets: thousands of rules drawn at random, each
 * asked rule by rule as DESIGN section 4 says it. Whatever differs is a bug in one of the two. The draw is
 * seeded: a failure comes again. */
#include "policy/decide.h"

#include "tests/unit/policy/snap_help.h"

enum { CATEGORY, FOR, DOMAIN, FROM, PORT, METHOD, UPLOAD, NOUNS };
enum { NO, YES, OPEN };
enum { MOST_RULES = 700 };

static const char *const VALUES[NOUNS][8] = {
    [CATEGORY] = {"c0", "c1", "c2", "none"},
    [FOR] = {"g0", "g1", "user \"u0\"", "user \"u3\"", "group unidentified"},
    [DOMAIN] = {"\"example\"", "\"b.example\"", "\"a.b.example\"", "\"other.test\"", "\"198.51.100.7\""},
    [FROM] = {"lan", "guests", "network 10.0.0.0/9", "network 10.64.0.0/16", "network 172.16.0.9",
              "network fd00::/16"},
    [PORT] = {"443", "1-1000", "400-500", "8443"},
    [METHOD] = {"GET", "POST"},
    [UPLOAD] = {""},
};
static const char *const WORD[NOUNS] = {"category", "for", "domain", "from", "tcp", "method", "upload"};
static const unsigned N_VALUES[NOUNS] = {4, 5, 5, 6, 4, 2, 1};
static const uint64_t NEEDS[NOUNS] = {FACT_BIT(NAME), FACT_BIT(USER),   FACT_BIT(NAME),  FACT_BIT(SRC),
                                      FACT_BIT(PORT), FACT_BIT(METHOD), FACT_BIT(METHOD)};

struct mrule {
    bool allow, forbid, exempt;
    unsigned want[NOUNS], except[NOUNS]; /* bits of VALUES; 0: not asked */
};

static uint64_t seed;
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* ---- policies ---- */

static void put_values(struct buf *b, unsigned noun, unsigned set)
{
    const char *comma = "";
    assert_int_equal(buf_printf(b, " %s ", WORD[noun]), RC_OK);
    for (unsigned v = 0; v < N_VALUES[noun]; v++) {
        if (!(set >> v & 1))
            continue;
        assert_int_equal(
            buf_printf(b, "%s%s%s", comma, noun == FOR && v < 2 ? "group " : "", VALUES[noun][v]), RC_OK);
        comma = ", ";
    }
}

/* Words that stand before a value hold for the next ones too: bare zones come first in VALUES. */
static void draw_rule(struct mrule *r, struct buf *b, bool tls)
{
    *r = (struct mrule){0};
    r->allow = draw(2);
    r->forbid = !r->allow && draw(3) == 0;
    r->exempt = r->allow;
    const char *verb = tls         ? (r->exempt ? "exempt" : "inspect")
                       : r->allow  ? "allow"
                       : r->forbid ? "forbid"
                                   : "block";
    assert_int_equal(buf_printf(b, " %s any", verb), RC_OK);
    for (unsigned noun = 0; noun < (tls ? METHOD : NOUNS); noun++) {
        unsigned all = (1u << N_VALUES[noun]) - 1;
        if (draw(3) == 0)
            r->want[noun] = draw(all) + 1;
        if (draw(6) == 0)
            r->except[noun] = 1u << draw(N_VALUES[noun]);
        if (r->except[noun] == r->want[noun]) /* refused as a contradiction */
            r->except[noun] = 0;
        if (r->want[noun])
            put_values(b, noun, r->want[noun]);
        if (r->except[noun]) {
            assert_int_equal(buf_put_str(b, " except"), RC_OK);
            put_values(b, noun, r->except[noun]);
        }
    }
    assert_int_equal(buf_put_str(b, "\n"), RC_OK);
}

static const char HEAD[] =
    "zone internet\nzone lan network 10.0.0.0/8, fd00::/8\nzone guests network 172.16.0.0/12\n"
    "group g0 user \"u0\", \"u1\"\ngroup g1 user \"u1\" network 10.64.0.0/12\n"
    "category c0 domain \"example\"\ncategory c1 domain \"b.example\", \"other.test\"\n"
    "category c2 domain \"b.example\" except domain \"a.b.example\"\n";

static struct snapshot *draw_policy(struct mrule *tls, unsigned n_tls, struct mrule *web, unsigned n_web)
{
    static struct compiled c;
    struct buf b = {0};
    struct snapshot *s = NULL;
    struct compile_opts opts = {0};
    assert_int_equal(buf_printf(&b, "%stls {\n", HEAD), RC_OK);
    for (unsigned i = 0; i < n_tls; i++)
        draw_rule(&tls[i], &b, true);
    assert_int_equal(buf_put_str(&b, "}\nweb {\n"), RC_OK);
    for (unsigned i = 0; i < n_web; i++)
        draw_rule(&web[i], &b, false);
    assert_int_equal(buf_put_str(&b, "}\n"), RC_OK);
    compile_bytes(buf_span(&b), &opts, &c);
    if (c.rc != RC_OK)
        print_error("%s", c.diag);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
    compiled_close(&c);
    buf_fini(&b);
    return s;
}

/* ---- the model ---- */

static bool below(span name, const char *parent)
{
    size_t n = strlen(parent);
    return span_has_suffix(name, span_str(parent)) && (name.n == n || name.p[name.n - n - 1] == '.');
}

static bool in_net(const struct addr *a, const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(span_str(text), &p));
    return prefix_has(&p, a);
}

static bool met(unsigned noun, unsigned v, const struct facts *f)
{
    static const uint16_t ports[][2] = {{443, 443}, {1, 1000}, {400, 500}, {8443, 8443}};
    bool u1 = span_eq(f->user, SPAN("u1"));
    bool is_addr = f->name.n == 0 && f->dst.family;
    switch (noun) {
    case CATEGORY: {
        bool c[3] = {below(f->name, "example"), below(f->name, "b.example") || below(f->name, "other.test"),
                     below(f->name, "b.example") && !below(f->name, "a.b.example")};
        return v < 3 ? c[v] : !c[0] && !c[1] && !c[2];
    }
    case FOR: {
        bool g1 = u1 || in_net(&f->src, "10.64.0.0/12");
        bool who[5] = {u1 || span_eq(f->user, SPAN("u0")), g1, span_eq(f->user, SPAN("u0")),
                       span_eq(f->user, SPAN("u3")), f->user.n == 0 && !in_net(&f->src, "10.64.0.0/12")};
        return who[v];
    }
    case DOMAIN: {
        static const char *const names[] = {"example", "b.example", "a.b.example", "other.test"};
        return v < 4 ? below(f->name, names[v]) : is_addr && in_net(&f->dst, "198.51.100.7");
    }
    case FROM: return v < 2 ? f->zone == v + 1 : in_net(&f->src, VALUES[FROM][v] + 8);
    case PORT: return f->dst_port >= ports[v][0] && f->dst_port <= ports[v][1];
    case METHOD: return span_eq(f->method, span_str(VALUES[METHOD][v]));
    default: return f->upload;
    }
}

static bool any_met(unsigned noun, unsigned set, const struct facts *f)
{
    for (unsigned v = 0; v < N_VALUES[noun]; v++) {
        if ((set >> v & 1) && met(noun, v, f))
            return true;
    }
    return false;
}

static int match(const struct mrule *r, const struct facts *f, uint64_t *waits)
{
    *waits = 0;
    for (unsigned noun = 0; noun < NOUNS; noun++) {
        if (!r->want[noun] && !r->except[noun])
            continue;
        if (NEEDS[noun] & ~f->known)
            *waits |= NEEDS[noun];
        else if ((r->want[noun] && !any_met(noun, r->want[noun], f)) || any_met(noun, r->except[noun], f))
            return NO;
    }
    return *waits ? OPEN : YES;
}

struct answer {
    int rule; /* -1: none */
    uint64_t waits;
    bool may_allow;
};

static struct answer first(const struct mrule *r, unsigned n, const struct facts *f, bool closed)
{
    struct answer a = {-1, 0, false};
    for (unsigned i = 0; i < n; i++) {
        uint64_t waits;
        int m = match(&r[i], f, &waits);
        if (m == YES) {
            a.rule = (int)i;
            return a;
        }
        if (m == OPEN && !closed) {
            a.waits |= waits;
            a.may_allow |= r[i].allow;
        }
    }
    return a;
}

struct model {
    struct mrule tls[MOST_RULES], web[MOST_RULES];
    unsigned n_tls, n_web;
};

struct outcome {
    enum action action;
    int rule; /* of its table */
    uint64_t waits;
};

static bool web_blocks(const struct model *m, const struct facts *f, bool closed, struct outcome *o)
{
    struct answer a = first(m->web, m->n_web, f, closed);
    bool blocks = a.rule < 0 || !m->web[a.rule].allow;
    *o = (struct outcome){blocks ? ACT_BLOCK : ACT_ALLOW, a.rule, a.waits};
    if (blocks && !a.may_allow)
        o->waits = 0;
    return blocks && !a.may_allow;
}

static struct outcome model_decide(const struct model *m, const struct facts *f)
{
    struct outcome o, closed;
    if (web_blocks(m, f, f->step == STEP_REQUEST, &o) || f->step == STEP_REQUEST)
        return o;
    if (!f->tls)
        return (struct outcome){ACT_INSPECT, -1, o.waits};
    struct answer t = first(m->tls, m->n_tls, f, true);
    if (t.rule < 0 || !m->tls[t.rule].exempt)
        return (struct outcome){ACT_INSPECT, t.rule, o.waits};
    if (web_blocks(m, f, true, &closed))
        return closed;
    return (struct outcome){ACT_EXEMPT, t.rule, 0};
}

/* ---- facts ---- */

static void draw_facts(const struct snapshot *s, struct facts *f)
{
    static const char *const src[] = {"10.0.0.1",   "10.64.0.1",  "10.65.1.1", "10.200.0.1",
                                      "172.16.0.9", "172.16.0.8", "fd00::1",   "fd01::1"};
    static const char *const names[] = {
        "",           "example",   "b.example", "x.b.example", "a.b.example", "y.a.b.example",
        "other.test", "free.test", "notexample"};
    static const char *const users[] = {"", "u0", "u1", "u2", "u3"};
    static const char *const methods[] = {"GET", "POST", "PUT"};
    static const uint16_t ports[] = {80, 443, 450, 1000, 1001, 8443};
    *f = (struct facts){.step = draw(2) ? STEP_CONNECT : STEP_REQUEST, .src = addr_of(src[draw(8)])};
    f->known = FACT_BIT(SRC) | FACT_BIT(TLS) | (draw(8) ? FACT_BIT(USER) : 0) |
               (draw(8) ? FACT_BIT(NAME) : 0) | (draw(8) ? FACT_BIT(PORT) : 0);
    if (f->step == STEP_REQUEST || draw(10) == 0)
        f->known |= FACT_BIT(METHOD);
    f->zone = snapshot_zone_of(s, &f->src);
    f->user = span_str(users[draw(5)]);
    f->name = span_str(names[draw(9)]);
    if (f->name.n == 0 && draw(2))
        f->dst = addr_of(draw(2) ? "198.51.100.7" : "198.51.100.8");
    f->dst_port = ports[draw(6)];
    f->tls = draw(4) != 0;
    f->method = span_str(methods[draw(3)]);
    f->upload = draw(2);
    snapshot_categories(s, f);
}

static void compare(const struct model *m, const struct snapshot *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct facts f;
        draw_facts(s, &f);
        struct outcome want = model_decide(m, &f);
        struct verdict v = ask(s, &f);
        int rule = v.rule == RULE_NONE ? -1 : (int)(v.layer == LAYER_WEB ? v.rule - m->n_tls : v.rule);
        if (v.action != want.action || v.waits_for != want.waits || rule != want.rule)
            print_error("facts %u: action %d/%d rule %d/%d waits %llx/%llx\n", i, (int)v.action,
                        (int)want.action, rule, want.rule, (unsigned long long)v.waits_for,
                        (unsigned long long)want.waits);
        assert_int_equal(v.action, want.action);
        assert_int_equal(rule, want.rule);
        assert_int_equal(v.waits_for, want.waits);
        if (want.action == ACT_BLOCK && want.rule >= 0)
            assert_int_equal(v.forbid, m->web[want.rule].forbid);
    }
}

static void few_rules(void **state)
{
    static struct model m;
    (void)state;
    for (seed = 1; seed < 60 * 1000; seed = seed / 1000 * 1000 + 1000) {
        uint64_t keep = seed;
        m.n_tls = draw(5);
        m.n_web = draw(12);
        struct snapshot *s = draw_policy(m.tls, m.n_tls, m.web, m.n_web);
        compare(&m, s, 400);
        snapshot_put(s);
        seed = keep;
    }
}

/* More than one block of words, lists and bit sets side by side. */
static void many_rules(void **state)
{
    static struct model m;
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        seed = 77 + i;
        m.n_tls = 90;
        m.n_web = 500 + draw(200);
        struct snapshot *s = draw_policy(m.tls, m.n_tls, m.web, m.n_web);
        compare(&m, s, 3000);
        snapshot_put(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_rules), cmocka_unit_test(many_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
