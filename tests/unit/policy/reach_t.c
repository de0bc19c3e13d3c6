/* What policy/reach says of random small policies, beside every flow there can be: a rule that it calls
 * unreached decides none of them, each of its examples is one that decide() agrees to, and hardly anything is
 * left unsettled. Categories have lists of URLs in some, so that a path adds them. The draw is seeded: a
 * failure comes again. */
#include "policy/reach.h"

#include "policy/image.h"
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
    "group g0 user \"u0\", \"u1\"\ngroup g1 user \"u1\" network 10.64.0.0/12\n";

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

/* Categories that have URLs, a bit each. */
static unsigned urls;
static char list[] = "/tmp/perron-reach-XXXXXX";

static void draw_categories(struct buf *b)
{
    urls = draw(2) ? draw(4) : 0;
    for (unsigned c = 0; c < 2; c++)
        assert_int_equal(buf_printf(b, "category c%u domain \"c%u.test\"%s%s%s\n", c, c,
                                    urls >> c & 1 ? " urls \"" : "", urls >> c & 1 ? list : "",
                                    urls >> c & 1 ? "\"" : ""),
                         RC_OK);
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
    draw_categories(b);
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

/* How the host stands to each category: not, by its name, by the path of the request, by other paths. */
enum { BY_NAME = 1, BY_PATH, BY_OTHER };
static unsigned by[2];

static void set_categories(struct facts *f, bool path)
{
    f->n_cats = f->may_used = 0;
    f->may[0] = 0;
    for (uint16_t c = 0; c < 2; c++) {
        if (by[c] == BY_NAME || (path && by[c] == BY_PATH))
            f->cats[f->n_cats++] = c;
        else if (by[c] && !path)
            f->may[0] |= UINT64_C(1) << c;
    }
    f->may_used = f->may[0] != 0;
}

static void requests(const struct snapshot *s, struct facts f)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "HEAD", "PATCH"};
    struct verdict v;
    f.step = STEP_REQUEST;
    f.known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    f.path = SPAN("/");
    set_categories(&f, true);
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
    for (unsigned i = 0; i < 6 * 16 * 5 * 2; i++) {
        f.name = span_str(names[i % 6]);
        by[0] = i / 6 % 4;
        by[1] = i / 24 % 4;
        if ((by[0] > BY_NAME && !(urls & 1)) || (by[1] > BY_NAME && !(urls & 2)))
            continue;
        set_categories(&f, false);
        f.dst_port = ports[i / 96 % 5];
        f.tls = i / 480;
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
    bool drawn; /* flows were drawn, not all of them tried */
    unsigned n, yes, no, never, unsettled, silent;
};

/* decide() says so of the example. */
static void holds(const struct tally *t, const struct rule *r, const struct reach_of *of)
{
    struct verdict v;
    if (r->block == BLOCK_DNS)
        decide_dns(t->snap, of->facts, &v);
    else
        decide(t->snap, of->facts, &v);
    bool found = v.rule == of->number;
    for (unsigned i = 0; i < v.n_trail; i++)
        found = found || (v.trail[i].rule == of->number && v.trail[i].match == 1);
    for (unsigned i = 0; i < v.n_mods; i++)
        found = found || v.mods[i].rule == of->number;
    if (r->block == BLOCK_ON)
        found = snapshot_on_rule(t->snap, r->event, of->facts) == of->number;
    if (!found)
        print_error("the example of line %u does not hold:\n%s", r->pos.line, t->text);
    assert_true(found);
}

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
        print_error("line %u decides, yet is called unreached (%u):\n%s", r->pos.line, of->how, t->text);
        fail();
    }
    if (of->how != REACH_YES)
        return;
    if (t->drawn) {
        holds(t, r, of);
        return;
    }
    decide(t->snap, of->facts, &v);
    bool considered = v.rule == of->number;
    for (unsigned i = 0; i < v.n_trail; i++)
        considered = considered || (v.trail[i].rule == of->number && v.trail[i].match == 1);
    if (!considered || (!decided[of->number] && v.rule == of->number)) {
        print_error("the example of line %u does not hold:\n%s", r->pos.line, t->text);
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

/* ---- the whole language ---- */

static const char WHOLE[] =
    "zone internet\nzone lan network 10.0.0.0/8\nzone guests network 172.16.0.0/12 ca none\n"
    "zone far vpn site \"far\"\n"
    "group g0 user \"u0\"\ngroup g1 radius class \"x\" stale 1h\ngroup g2 ldap \"cn=a,dc=b\" network "
    "10.64.0.0/12\n"
    "schedule morning mon-fri 08:00-12:00\nschedule day mon-fri 08:00-17:00\nschedule night sat-sun "
    "22:00-06:00\n"
    "schedule once 2026-10-01 08:00-12:00\n";

enum { F = 1, T = 2, W = 4, C = 8, D = 16, O = 32 };
static const struct words WIDE[] = {
    {"category", {"c0", "c1", "c0, c1", "none", "none, c1"}, T | W | C | D},
    {"domain",
     {"\"a.test\"", "\"x.a.test\"", "\"b.test\"", "\"a.test\", \"b.test\"", "\"test\""},
     T | W | C | D},
    {"path", {"\"/a\"", "\"/a/b\"", "\"/\"", "\"/c\", \"/a\"", "\"/ab\""}, W | C},
    {"method", {"GET", "POST", "GET, POST", "PUT", "HEAD"}, W | C},
    {"upload", {"", "", "", "", ""}, W | C},
    {"type", {"executable", "archive", "executable, archive", "script", "image, executable"}, C},
    {"signature", {"severity 1", "severity 1-2", "severity 2", "severity 3-9", "severity 1, 3"}, C},
    {"virus", {"", "", "", "", ""}, C},
    {"pattern", {"belgian-national-number", "iban", "belgian-national-number, iban", "iban", "iban"}, C},
    {"application", {"tor", "bittorrent", "tor, bittorrent", "tor", "bittorrent"}, F | T | W},
    {"from", {"lan", "guests, far", "lan, guests", "10.64.0.0/12", "10.0.0.0/9"}, F | T | W | C | D | O},
    {"to", {"lan", "internet", "network 198.51.100.0/24", "network 198.51.100.7", "guests"}, F | T | W},
    {"tcp", {"443", "80", "80, 443", "1-1000", "8000-9000"}, F | T | W},
    {"for",
     {"group g0", "group g1", "user \"u0\"", "group unidentified", "group g2, g1"},
     F | T | W | C | D | O},
    {"during", {"morning", "day", "night", "once", "morning, night"}, F | T | W | C | D | O},
};
enum { N_WIDE = sizeof WIDE / sizeof WIDE[0] };
static const char *const DATES[] = {" until 2026-09-30", " since 2026-10-01", " until 2026-10-01",
                                    " since 2026-09-30", " since 2026-10-02 until 2026-10-05"};

static void wide_conds(struct buf *b, unsigned block, unsigned rare)
{
    bool any = true;
    for (unsigned n = 0; n < N_WIDE; n++) {
        if (!(WIDE[n].blocks & block) || draw(rare))
            continue;
        bool except = draw(5) == 0;
        const char *before = any && except ? "any except " : except ? "except " : "";
        assert_int_equal(buf_printf(b, " %s%s %s", before, WIDE[n].word, WIDE[n].values[draw(5)]), RC_OK);
        any = false;
    }
    put(b, any && block != O ? " any" : "");
    put(b, block != O && draw(8) == 0 ? DATES[draw(5)] : "");
    put(b, block == O ? " " : "\n");
}

static void wide_block(struct buf *b, const char *name, unsigned block, const char *const verbs[4],
                       unsigned most, unsigned rare)
{
    assert_int_equal(buf_printf(b, "%s {\n", name), RC_OK);
    for (unsigned i = draw(most); i > 0; i--) {
        put(b, verbs[draw(4)]);
        wide_conds(b, block, rare);
    }
    put(b, block == W && draw(3) ? "allow any\n}\n" : block == F ? "allow any\n}\n" : "}\n");
}

static void draw_whole(struct buf *b)
{
    static const char *const decide[] = {"allow", "block", "forbid", "allow"};
    static const char *const web[] = {"allow", "block", "warn", "set safe-search"};
    static const char *const tls[] = {"exempt", "inspect", "block", "exempt"};
    unsigned rare = 4 + draw(8);
    buf_clear(b);
    put(b, WHOLE);
    draw_categories(b);
    if (draw(2))
        wide_block(b, "firewall", F, decide, 5, rare);
    wide_block(b, "tls", T, tls, 4, rare);
    wide_block(b, "web", W, web, 9, rare);
    wide_block(b, "content", C, decide, 5, rare);
    wide_block(b, "dns", D, decide, 4, rare);
    put(b, "on journal-full block");
    for (unsigned i = 0; i < 3; i++) {
        wide_conds(b, O, rare);
        put(b, i < 2 ? "allow" : "\n");
    }
}

static void mark_all(const struct snapshot *s, const struct facts *f, struct verdict *v)
{
    mark(s, f, v);
    for (unsigned i = 0; i < v->n_mods; i++)
        decided[v->mods[i].rule] = true;
    for (unsigned i = 0; i < v->n_trail; i++) { /* the firewall's word stands before the others' */
        uint32_t r = v->trail[i].rule;
        const struct img_run *fw = &s->img.TABLES[TABLE_FIREWALL].rules;
        if (v->trail[i].match == 1 && r >= fw->at && r < fw->at + fw->n)
            decided[r] = true;
    }
}

static void contents(const struct snapshot *s, struct facts f)
{
    static const char *const types[] = {"executable", "archive", "script", "text", "image"};
    struct verdict v;
    f.step = STEP_CONTENT;
    f.known |= FACT_BIT(TYPE) | FACT_BIT(SIGNATURE) | FACT_BIT(VIRUS) | FACT_BIT(PATTERN);
    for (unsigned i = 0; i < 6; i++) {
        f.type = span_str(types[draw(5)]);
        f.severity = (uint8_t)draw(5);
        f.signature = f.severity != 0;
        f.virus = draw(2) ? SPAN("v") : SPAN_NONE;
        f.n_patterns = 0;
        if (draw(2))
            f.patterns[f.n_patterns++] = SPAN("belgian-national-number");
        if (draw(2))
            f.patterns[f.n_patterns++] = SPAN("iban");
        mark_all(s, &f, &v);
    }
}

static void wide_flow(const struct snapshot *s, struct facts f)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "HEAD", "PATCH"};
    static const char *const paths[] = {"/", "/a", "/a/b", "/ab", "/c", "/d"};
    struct verdict v;
    f.step = STEP_CONNECT;
    mark_all(s, &f, &v);
    decide_dns(s, &f, &v);
    if (v.rule != RULE_NONE)
        decided[v.rule] = true;
    uint32_t on = snapshot_on_rule(s, ON_JOURNAL_FULL, &f);
    if (on != RULE_NONE)
        decided[on] = true;
    decide(s, &f, &v);
    if (v.action != ACT_INSPECT)
        return;
    f.step = STEP_REQUEST;
    f.known |= FACT_BIT(METHOD) | FACT_BIT(PATH);
    set_categories(&f, true);
    for (unsigned i = 0; i < 4; i++) {
        f.method = span_str(methods[draw(5)]);
        f.path = span_str(paths[draw(6)]);
        f.upload = draw(2);
        mark_all(s, &f, &v);
        if (v.action == ACT_ALLOW)
            contents(s, f);
    }
}

static void draw_client(const struct snapshot *s, struct facts *f)
{
    static const char *const src[] = {"10.0.0.1", "10.64.0.1", "10.200.0.1", "172.16.0.9"};
    static const char *const users[] = {"", "u0", "u1"};
    f->src = addr_of(src[draw(4)]);
    f->zone = snapshot_zone_of(s, &f->src);
    f->vpn = draw(5) ? SPAN_NONE : SPAN("far");
    f->user = span_str(users[draw(3)]);
    f->id_age_s = draw(2) ? 0 : 7200;
    if (draw(3) == 0)
        f->attrs[f->n_attrs++] = SPAN("radius:class=x");
    if (draw(3) == 0)
        f->attrs[f->n_attrs++] = SPAN("ldap:cn=a,dc=b");
}

/* Mondays, nights and days around the dates: 2026-09-21 to 2026-10-12, by quarters of an hour. */
static void random_flow(const struct snapshot *s)
{
    static const char *const dst[] = {"",         "198.51.100.7", "198.51.100.8", "203.0.113.1",
                                      "10.1.1.1", "172.16.1.1"};
    static const char *const names[] = {"", "free.example", "a.test", "x.a.test", "b.test", "test"};
    static const uint16_t ports[] = {80, 443, 500, 8080, 20000};
    static const char *const apps[] = {"tor", "bittorrent", "ssh"};
    struct facts f = {.time_s = 1790000000 + (int64_t)draw(21 * 96) * 900};
    f.known = FACT_BIT(SRC) | FACT_BIT(USER) | FACT_BIT(PORT) | FACT_BIT(NAME) | FACT_BIT(TLS);
    draw_client(s, &f);
    unsigned to = draw(6), app = draw(4);
    if (to) {
        f.dst = addr_of(dst[to]);
        f.known |= FACT_BIT(DST);
    }
    if (app < 3) {
        f.app = span_str(apps[app]);
        f.app_confidence = 100;
        f.known |= FACT_BIT(APP);
    }
    f.name = span_str(names[draw(6)]);
    f.dst_port = ports[draw(5)];
    f.proto = draw(20) ? 6 : 17;
    f.tls = draw(2);
    for (unsigned c = 0; c < 2; c++)
        by[c] = draw(urls >> c & 1 ? 4 : 2);
    set_categories(&f, false);
    for (uint32_t r = 0; r < snapshot_n_rules(s) && f.n_clicked < FACTS_MAX_CLICKED; r++) {
        if (s->img.RULES[r].verb == VERB_WARN && draw(3) == 0)
            f.clicked[f.n_clicked++] = s->img.RULES[r].key;
    }
    wide_flow(s, f);
}

static void built_whole(void *arg, struct tree *tree, const struct snapshot *snap)
{
    struct tally *t = arg;
    t->snap = snap;
    memset(decided, 0, sizeof decided);
    for (unsigned i = 0; i < 4000; i++)
        random_flow(snap);
    t->drawn = true;
    assert_true(reach_all(tree, snap, 1790000000, each, t));
}

static void random_policies_of_the_whole_language(void **state)
{
    static struct compiled c;
    struct buf b = {0};
    struct tally t = {0};
    struct compile_opts opts = {.time_s = 1790000000, .check_only = true, .built = built_whole, .arg = &t};
    unsigned refused = 0;
    (void)state;
    for (unsigned i = 1; i <= 150; i++) {
        seed = i * 104729;
        draw_whole(&b);
        assert_int_equal(buf_put_u8(&b, 0), RC_OK);
        t.text = (const char *)b.p;
        compile_bytes(span_str(t.text), &opts, &c);
        refused += c.rc != RC_OK; /* what is asked for and excepted both */
        if (c.rc != RC_OK && !strstr(c.diag, "can never match"))
            print_error("%s", c.diag);
        assert_true(c.rc == RC_OK || strstr(c.diag, "can never match"));
    }
    print_message(
        "%u rules: %u decide, %u unreached, %u never match, %u unsettled (%u of them decide nothing); "
        "%u policies refused\n",
        t.n, t.yes, t.no, t.never, t.unsettled, t.silent, refused);
    assert_true(t.yes > 300 && t.no > 100 && t.never > 3 && refused < 20);
    assert_true(t.unsettled * 10 < t.n);
    buf_fini(&b);
}

static int make_list(void **state)
{
    int fd = mkstemp(list);
    (void)state;
    return fd >= 0 && write(fd, "u.test/a\n", 9) == 9 && close(fd) == 0 ? 0 : -1;
}

static int drop_list(void **state)
{
    (void)state;
    return unlink(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_policies_against_every_flow),
                                       cmocka_unit_test(random_policies_of_the_whole_language)};
    return cmocka_run_group_tests(tests, make_list, drop_list);
}
