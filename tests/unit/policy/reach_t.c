/* What policy/reach says of random small policies, beside every flow there can be: a rule that it calls
 * unreached decides none of them, each of its examples is one that decide() agrees to, and hardly anything is
 * left unsettled. The draw is seeded: a failure comes again. */
#include "policy/reach.h"

#include "policy/tree.h"
#include "tests/unit/policy/snap_help.h"

enum { MOST = 64 };

static uint64_t seed;
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* ---- policies ---- */

static const char HEAD[] =
    "zone internet\nzone lan network 10.0.0.0/8\nzone guests network 172.16.0.0/12 ca none\n"
    "group g0 user \"u0\", \"u1\"\ngroup g1 user \"u1\" network 10.64.0.0/12\n"
    "category c0 domain \"c0.test\"\ncategory c1 domain \"c1.test\"\n";

struct words {
    const char *word;
    const char *values[6];
    unsigned blocks; /* 1: tls, 2: web */
};
static const struct words NOUNS[] = {
    {"category", {"c0", "c1", "c0, c1", "none", "none, c1"}, 3},
    {"for", {"group g0", "group g1", "user \"u0\"", "group unidentified", "group g0, unidentified"}, 3},
    {"domain", {"\"a.test\"", "\"x.a.test\"", "\"b.test\"", "\"a.test\", \"b.test\"", "\"test\""}, 3},
    {"from", {"lan", "guests", "lan, guests", "10.64.0.0/12", "10.0.0.0/9"}, 3},
    {"to", {"lan", "internet", "network 198.51.100.0/24", "network 198.51.100.7", "guests"}, 3},
    {"tcp", {"443", "80", "80, 443", "1-1000", "8000-9000"}, 3},
    {"method", {"GET", "POST", "GET, POST", "PUT", "HEAD"}, 2},
    {"upload", {"", "", "", "", ""}, 2},
};
enum { N_NOUNS = sizeof NOUNS / sizeof NOUNS[0] };

static void put(struct buf *b, const char *text)
{
    assert_int_equal(buf_put_str(b, text), RC_OK);
}

static void draw_conds(struct buf *b, unsigned block, unsigned rare)
{
    bool any = true;
    for (unsigned n = 0; n < N_NOUNS; n++) {
        if (!(NOUNS[n].blocks & block) || draw(rare))
            continue;
        unsigned except = draw(4) == 0;
        assert_int_equal(buf_printf(b, " %s%s %s",
                                    any && except ? "any except "
                                    : except      ? "except "
                                                  : "",
                                    NOUNS[n].word, NOUNS[n].values[draw(5)]),
                         RC_OK);
        any = false;
    }
    put(b, any ? " any\n" : "\n");
}

static void draw_policy(struct buf *b)
{
    static const char *const tls[] = {"exempt", "inspect", "block"};
    static const char *const web[] = {"allow", "block", "forbid", "allow"};
    static const char *const defects[] = {"expired", "revoked", "expired, revoked"};
    unsigned rare = 2 + draw(5);
    buf_clear(b);
    put(b, HEAD);
    put(b, "tls {\n");
    for (unsigned i = draw(5); i > 0; i--) {
        if (draw(4) == 0)
            assert_int_equal(
                buf_printf(b, "%s certificate %s", draw(2) ? "allow" : "block", defects[draw(3)]), RC_OK);
        else
            put(b, tls[draw(3)]);
        draw_conds(b, 1, rare);
    }
    put(b, "}\nweb {\n");
    for (unsigned i = 2 + draw(8); i > 0; i--) {
        put(b, web[draw(4)]);
        draw_conds(b, 2, rare);
    }
    put(b, draw(2) ? "allow any\n}\n" : "}\n");
}

/* ---- every flow ---- */

static bool decided[MOST];
static unsigned n_flows;

static void mark(const struct snapshot *s, const struct facts *f, struct verdict *v)
{
    decide(s, f, v);
    n_flows++;
    if (v->rule != RULE_NONE)
        decided[v->rule] = true;
}

static void requests(const struct snapshot *s, struct facts f)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "HEAD", "PATCH"};
    struct verdict v;
    f.step = STEP_REQUEST;
    f.known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    f.path = SPAN("/");
    for (unsigned i = 0; i < 10; i++) {
        f.method = span_str(methods[i / 2]);
        f.upload = i % 2;
        mark(s, &f, &v);
    }
}

static void certificates(const struct snapshot *s, struct facts f)
{
    struct verdict v;
    f.step = STEP_CERTIFICATE;
    f.known |= FACT_BIT(DEFECTS);
    for (unsigned i = 0; i < 12; i++) {
        f.defects = UINT32_C(1) << i;
        mark(s, &f, &v);
    }
}

static void flow(const struct snapshot *s, struct facts f)
{
    struct verdict v;
    f.step = STEP_CONNECT;
    mark(s, &f, &v);
    if (v.action != ACT_INSPECT)
        return;
    if (f.tls)
        certificates(s, f);
    requests(s, f);
}

static void with_names(const struct snapshot *s, struct facts f)
{
    static const char *const names[] = {"", "free.example", "a.test", "x.a.test", "b.test", "test"};
    static const uint16_t ports[] = {80, 443, 500, 8080, 20000};
    for (unsigned i = 0; i < 6 * 4 * 5 * 2; i++) {
        f.name = span_str(names[i % 6]);
        f.n_cats = 0;
        for (uint16_t c = 0; c < 2; c++) {
            if (i / 6 % 4 >> c & 1)
                f.cats[f.n_cats++] = c;
        }
        f.dst_port = ports[i / 24 % 5];
        f.tls = i / 120;
        flow(s, f);
    }
}

static void every_flow(const struct snapshot *s)
{
    static const char *const src[] = {"10.0.0.1", "10.64.0.1", "10.200.0.1", "172.16.0.9"};
    static const char *const users[] = {"", "u0", "u1", "u2"};
    static const char *const dst[] = {"",         "198.51.100.7", "198.51.100.8", "203.0.113.1",
                                      "10.1.1.1", "172.16.1.1"};
    memset(decided, 0, sizeof decided);
    for (unsigned i = 0; i < 4 * 4 * 6; i++) {
        struct facts f = {.src = addr_of(src[i % 4]), .user = span_str(users[i / 4 % 4])};
        f.known = FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(NAME) | FACT_BIT(TLS);
        f.zone = snapshot_zone_of(s, &f.src);
        if (i / 16) {
            f.dst = addr_of(dst[i / 16]);
            f.known |= FACT_BIT(DST);
        }
        with_names(s, f);
    }
}

/* ---- beside each other ---- */

struct tally {
    const struct snapshot *snap;
    const char *text;
    unsigned n, yes, no, never, unsettled, silent;
};

static void each(void *arg, const struct rule *r, const struct reach_of *of)
{
    struct tally *t = arg;
    struct verdict v;
    t->n++;
    t->yes += of->how == REACH_YES;
    t->no += of->how == REACH_NO;
    t->never += of->how == REACH_NEVER;
    t->unsettled += of->how == REACH_UNSETTLED;
    t->silent += of->how == REACH_UNSETTLED && !decided[of->number];
    if (decided[of->number] ? of->how == REACH_NO || of->how == REACH_NEVER : false) {
        print_error("%sdecides, yet called unreached: line %u\n", t->text, r->pos.line);
        fail();
    }
    if (of->how != REACH_YES)
        return;
    decide(t->snap, of->facts, &v);
    bool considered = v.rule == of->number;
    for (unsigned i = 0; i < v.n_trail; i++)
        considered = considered || (v.trail[i].rule == of->number && v.trail[i].match == 1);
    if (!considered || (!decided[of->number] && v.rule == of->number)) {
        print_error("%sexample does not hold: line %u\n", t->text, r->pos.line);
        fail();
    }
}

static void built(void *arg, struct tree *tree, const struct snapshot *snap)
{
    struct tally *t = arg;
    t->snap = snap;
    every_flow(snap);
    assert_true(reach_all(tree, snap, 1790000000, each, t));
}

static void random_policies_against_every_flow(void **state)
{
    static struct compiled c;
    struct buf b = {0};
    struct tally t = {0};
    struct compile_opts opts = {.time_s = 1790000000, .check_only = true, .built = built, .arg = &t};
    (void)state;
    for (unsigned i = 1; i <= 60; i++) {
        seed = i * 7919;
        draw_policy(&b);
        assert_int_equal(buf_put_u8(&b, 0), RC_OK);
        t.text = (const char *)b.p;
        compile_bytes(span_str(t.text), &opts, &c);
        if (c.rc != RC_OK)
            print_error("%s%s", t.text, c.diag);
        assert_int_equal(c.rc, RC_OK);
    }
    print_message("%u rules, %u flows: %u decide, %u unreached, %u never match, %u unsettled (%u of them "
                  "decide nothing)\n",
                  t.n, n_flows, t.yes, t.no, t.never, t.unsettled, t.silent);
    assert_true(t.yes > 200 && t.no > 100 && t.never > 5);
    assert_true(t.unsettled * 50 < t.n);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_policies_against_every_flow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
