/* The part of grants: what is damaged is refused, who is not meant gets nothing, the narrowest counts, and
 * decide() asks it behind every `forbid`. */
#include "policy/grants.h"

#include "gw/base/limits.h"
#include "policy/grants_ask.h"
#include "policy/manifest.h"
#include "policy/part.h"
#include "tests/unit/policy/snap_help.h"

static const int64_t NOW = 1790000000;

#define G(id, kind, scope, target, who)                                                                     \
    {                                                                                                       \
        id, GRANT_##kind, GRANT_FOR_##scope, 1000, 2000, SPAN(target), SPAN(who), SPAN("boss"), SPAN("why") \
    }

static const struct grant some[] = {
    G(1, NAME, ALL, "casino.test", ""),
    G(2, NAME, USER, "casino.test", "u"),
    G(3, CATEGORY, GROUP, "games", "pupils"),
    G(4, CATEGORY, ZONE, "games", "lan"),
    G(5, URL, ALL, "video.test/watch", ""),
    G(6, EXEMPT, ZONE, "wifi", "wifi"),
    G(7, NAME, ADDRESS, "casino.test", "10.0.0.1"),
    G(8, NAME, USER, "test", "u"),
    G(9, NAME, ALL, "10.1.1.1", ""),
};

static uint64_t part[4096];

static span build(const struct grant *v, size_t n)
{
    struct buf b = {0};
    assert_int_equal(grants_build(v, n, &b), RC_OK);
    assert_true(buf_len(&b) <= sizeof part);
    if (buf_len(&b))
        memcpy(part, b.p, buf_len(&b));
    span s = span_of(part, buf_len(&b));
    buf_fini(&b);
    return s;
}

static struct grants open_some(void)
{
    struct grants g;
    assert_int_equal(grants_open(build(some, sizeof some / sizeof *some), &g), RC_OK);
    return g;
}

/* ---- refused ---- */

static void senseless_grants_are_not_built(void **state)
{
    struct buf b = {0};
    static char longer[LIM_GRANT_TEXT + 1];
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct grant g = some[1];
        if (i == 0)
            g.id = 0;
        if (i == 1)
            g.until_s = g.since_s;
        if (i == 2)
            g.target = SPAN_NONE;
        if (i == 3)
            g.who = SPAN_NONE;
        if (i == 4)
            g.kind = GRANT_KINDS;
        if (i == 5)
            g.scope = GRANT_SCOPES;
        if (i == 6)
            g.reason = span_of(longer, sizeof longer);
        if (i == 7)
            g.scope = GRANT_FOR_ALL; /* and still a person */
        assert_int_equal(grants_build(&g, 1, &b), RC_LIMIT);
    }
    buf_fini(&b);
}

static void damaged_parts_are_refused(void **state)
{
    struct grants g;
    span whole = build(some, sizeof some / sizeof *some);
    (void)state;
    for (size_t n = 1; n < whole.n; n++)
        assert_int_equal(grants_open(span_of(part, n), &g), RC_BAD);
    ((uint8_t *)part)[whole.n] = 0;
    assert_int_equal(grants_open(span_of(part, whole.n + 1), &g), RC_BAD);
    for (size_t at = 0; at < 24; at++) { /* the head */
        ((uint8_t *)part)[at] ^= 1;
        assert_int_equal(grants_open(whole, &g), RC_BAD);
        ((uint8_t *)part)[at] ^= 1;
    }
    assert_int_equal(grants_open(span_of((uint8_t *)part + 1, whole.n - 1), &g), RC_BAD);
    assert_int_equal(g.n, 0);
}

/* Any single byte: refused, or answers without a fault. */
static void damaged_bytes_never_fault(void **state)
{
    span whole = build(some, sizeof some / sizeof *some);
    unsigned refused = 0;
    (void)state;
    for (size_t at = 0; at < whole.n; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct grants g;
            struct grant out;
            struct grants_query q = {.name = SPAN("www.casino.test"), .user = SPAN("u"), .time_s = 1500};
            ((uint8_t *)part)[at] ^= (uint8_t)(1 << bit);
            if (grants_open(whole, &g) == RC_OK) {
                (void)grants_find(&g, &q, &out);
                (void)grants_exempt(&g, SPAN("wifi"), 1500, &out);
            } else {
                refused++;
            }
            ((uint8_t *)part)[at] ^= (uint8_t)(1 << bit);
        }
    }
    assert_true(refused > 500);
}

/* ---- found ---- */

static uint32_t find(const struct grants *g, struct grants_query q)
{
    struct grant out = {0};
    q.time_s = q.time_s ? q.time_s : 1500;
    enum grants_word w = grants_find(g, &q, &out);
    return w == GRANTS_NO ? 0 : w == GRANTS_OPEN ? 1000 + out.id : out.id;
}

static void who_is_not_meant_gets_nothing(void **state)
{
    struct grants g = open_some();
    (void)state;
    assert_int_equal(find(&g, (struct grants_query){.name = SPAN("other.example")}), 0);
    assert_int_equal(find(&g, (struct grants_query){.name = SPAN("notcasino.test")}), 0);
    assert_int_equal(find(&g, (struct grants_query){.cat = {SPAN("games")}, .n_cats = 1}), 0);
    assert_int_equal(
        find(&g, (struct grants_query){.cat = {SPAN("games")}, .n_cats = 1, .zone = SPAN("guests")}), 0);
    assert_int_equal(find(&g, (struct grants_query){.cat = {SPAN("game")}, .n_cats = 1, .zone = SPAN("lan")}),
                     0);
    assert_int_equal(find(&g, (struct grants_query){.name = SPAN("x.test"), .user = SPAN("v")}), 0);
    struct grants none;
    assert_int_equal(grants_open(SPAN_NONE, &none), RC_OK);
    assert_int_equal(find(&none, (struct grants_query){.name = SPAN("casino.test")}), 0);
}

static void only_in_its_time(void **state)
{
    struct grants g = open_some();
    struct grant out;
    (void)state;
    for (int64_t t = 998; t < 2003; t++) {
        uint32_t want = t >= 1000 && t < 2000 ? 1 : 0;
        assert_int_equal(find(&g, (struct grants_query){.name = SPAN("casino.test"), .time_s = t}), want);
        assert_int_equal(grants_exempt(&g, SPAN("wifi"), t, &out), want);
    }
    assert_false(grants_exempt(&g, SPAN("lan"), 1500, &out));
}

static void the_narrowest_counts(void **state)
{
    struct grants g = open_some();
    (void)state;
    struct grants_query q = {.name = SPAN("casino.test"), .address = SPAN("10.0.0.1"), .user = SPAN("u")};
    assert_int_equal(find(&g, q), 2);
    q.name = SPAN("a.b.casino.test"); /* the nearer parent */
    assert_int_equal(find(&g, q), 2);
    q.name = SPAN("other.test");
    assert_int_equal(find(&g, q), 8);
    q.user = SPAN("w");
    q.name = SPAN("casino.test");
    assert_int_equal(find(&g, q), 7);
    q.address = SPAN("10.0.0.2");
    assert_int_equal(find(&g, q), 1);
    struct grants_query c = {.cat = {SPAN("news"), SPAN("games")}, .n_cats = 2, .zone = SPAN("lan")};
    assert_int_equal(find(&g, c), 4);
    c.group[0] = SPAN("staff");
    c.group[1] = SPAN("pupils");
    c.n_groups = 2;
    assert_int_equal(find(&g, c), 3);
    assert_int_equal(find(&g, (struct grants_query){.name = SPAN("10.1.1.1")}), 9);
}

/* A record knows no user, but which grant was his. */
static void what_was_granted_is_granted_again(void **state)
{
    struct grants g = open_some();
    (void)state;
    struct grants_query q = {.name = SPAN("www.casino.test"), .granted = 2};
    assert_int_equal(find(&g, q), 2);
    q.name = SPAN("other.example"); /* not by that one */
    assert_int_equal(find(&g, q), 0);
    q.granted = 8;
    q.name = SPAN("other.test");
    assert_int_equal(find(&g, q), 8);
    q.time_s = 2000;
    assert_int_equal(find(&g, q), 0);
    q.time_s = 0;
    q.name = SPAN("casino.test");
    q.granted = 1; /* for all: found as such */
    assert_int_equal(find(&g, q), 1);
    q.granted = 99;
    assert_int_equal(find(&g, q), 1);
}

static void a_page_waits_for_its_path(void **state)
{
    struct grants g = open_some();
    (void)state;
    struct grants_query q = {.name = SPAN("video.test")};
    assert_int_equal(find(&g, q), 1005);
    q.path_known = true;
    q.path = SPAN("/watch");
    assert_int_equal(find(&g, q), 5);
    q.path = SPAN("/watch2");
    assert_int_equal(find(&g, q), 0);
    q.path_known = false;
    q.name = SPAN("www.video.test");
    assert_int_equal(find(&g, q), 0);
}

/* ---- in decisions ---- */

static struct snapshot *with(const char *text, const struct grant *v, size_t n)
{
    static struct compiled c;
    static char whole[20000];
    struct snapshot *s = NULL;
    struct manifest m;
    snprintf(whole, sizeof whole, "%s%s", ZONES, text);
    compile_text(whole, &c);
    if (c.rc != RC_OK)
        print_error("%s", c.diag);
    assert_int_equal(c.rc, RC_OK);
    close(c.fds[PART_GRANTS]);
    assert_int_equal(part_seal("t", build(v, n), &c.fds[PART_GRANTS]), RC_OK);
    assert_int_equal(manifest_of(c.fds, &m), RC_OK);
    assert_int_equal(snapshot_open_as(&m, c.fds, NULL, &s), RC_OK);
    compiled_close(&c);
    return s;
}

static const char POLICY[] =
    "category games domain \"casino.test\", \"evil.test\"\ncategory evil domain \"evil.test\"\n"
    "group pupils user \"u\"\n"
    "web {\n block category games\n forbid category evil\n block domain \"video.test\"\n"
    " forbid method DELETE\n allow any\n}\n";

static struct grant lasting(struct grant g)
{
    g.since_s = NOW - 10;
    g.until_s = NOW + 3600;
    return g;
}

static struct verdict asked(const struct snapshot *s, struct facts f)
{
    f.time_s = NOW;
    return ask(s, &f);
}

static void a_grant_lifts_a_block_and_is_named(void **state)
{
    struct grant g = lasting((struct grant)G(77, CATEGORY, GROUP, "games", "pupils"));
    struct snapshot *s = with(POLICY, &g, 1);
    (void)state;
    struct verdict v = asked(s, request(s, "10.0.0.1", "u", "casino.test", "GET"));
    assert_int_equal(v.action, ACT_ALLOW);
    assert_int_equal(v.why, WHY_GRANT);
    assert_int_equal(v.grant, 77);
    assert_int_equal(v.valid_until, NOW + 3600);
    assert_true(v.rule != RULE_NONE);
    assert_false(v.observed);
    v = asked(s, hello(s, "10.0.0.1", "u", "casino.test"));
    assert_int_equal(v.action, ACT_INSPECT);
    v = asked(s, request(s, "10.0.0.1", "v", "casino.test", "GET"));
    assert_int_equal(v.action, ACT_BLOCK);
    assert_int_equal(v.grant, GRANT_NONE);
    struct facts late = request(s, "10.0.0.1", "u", "casino.test", "GET");
    late.time_s = NOW + 3600;
    assert_int_equal(ask(s, &late).action, ACT_BLOCK);
    snapshot_put(s);
}

static void no_grant_lifts_a_forbid(void **state)
{
    struct grant g[2] = {lasting((struct grant)G(1, CATEGORY, ALL, "games", "")),
                         lasting((struct grant)G(2, NAME, ALL, "evil.test", ""))};
    struct snapshot *s = with(POLICY, g, 2);
    (void)state;
    /* The block stands before the forbid that matches too. */
    struct verdict v = asked(s, request(s, "10.0.0.1", "", "evil.test", "GET"));
    assert_int_equal(v.action, ACT_BLOCK);
    /* A forbid that hangs on the method: open at first, then it counts. */
    v = asked(s, hello(s, "10.0.0.1", "", "casino.test"));
    assert_int_equal(v.action, ACT_INSPECT);
    v = asked(s, request(s, "10.0.0.1", "", "casino.test", "DELETE"));
    assert_int_equal(v.action, ACT_BLOCK);
    v = asked(s, request(s, "10.0.0.1", "", "casino.test", "GET"));
    assert_int_equal(v.action, ACT_ALLOW);
    snapshot_put(s);
}

static void a_granted_page_opens_its_host_for_looking(void **state)
{
    struct grant g = lasting((struct grant)G(5, URL, ALL, "video.test/", ""));
    struct snapshot *s = with(POLICY, &g, 1);
    (void)state;
    assert_int_equal(asked(s, hello(s, "10.0.0.1", "", "video.test")).action, ACT_INSPECT);
    assert_int_equal(asked(s, request(s, "10.0.0.1", "", "video.test", "GET")).action, ACT_ALLOW);
    struct facts f = request(s, "10.0.0.1", "", "video.test", "GET");
    f.path = SPAN("/other");
    assert_int_equal(asked(s, f).action, ACT_BLOCK);
    /* Where no request will be seen the page cannot be told from others. */
    assert_int_equal(asked(s, hello(s, "172.16.0.1", "", "video.test")).action, ACT_BLOCK);
    snapshot_put(s);
}

/* A category that only the path may add: a grant of it, and a `forbid` of it, wait for the request. */
static void a_granted_category_that_a_path_may_add_is_waited_for(void **state)
{
    struct grant g = lasting((struct grant)G(6, CATEGORY, ALL, "b", ""));
    struct snapshot *s = with("category a domain \"a.test\"\ncategory b domain \"b.test\"\n"
                              "web {\n block domain \"x.test\"\n forbid category a\n allow any\n}\n",
                              &g, 1);
    static const struct {
        uint64_t may;
        const char *src;
        enum action action;
    } rows[] = {{0, "10.0.0.1", ACT_BLOCK},   {1, "10.0.0.1", ACT_BLOCK},   {2, "10.0.0.1", ACT_INSPECT},
                {3, "10.0.0.1", ACT_INSPECT}, {2, "172.16.0.1", ACT_BLOCK}, {3, "172.16.0.1", ACT_BLOCK}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct facts f = hello(s, rows[i].src, "", "x.test");
        f.may_used = rows[i].may != 0;
        f.may[0] = rows[i].may;
        assert_int_equal(asked(s, f).action, rows[i].action);
    }
    for (unsigned cats = 0; cats < 4; cats++) {
        struct facts f = request(s, "10.0.0.1", "", "x.test", "GET");
        for (unsigned c = 0; c < 2; c++) {
            if (cats >> c & 1)
                f.cats[f.n_cats++] = (uint16_t)c;
        }
        assert_int_equal(asked(s, f).action, cats == 2 ? ACT_ALLOW : ACT_BLOCK);
    }
    snapshot_put(s);
}

/* However many groups somebody is in, a grant for any of them counts. */
static void a_grant_for_the_last_of_many_groups(void **state)
{
    enum { MANY = 200 };
    static char text[16384];
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "group g%u user \"u\", \"u%u\"\n", i, i);
    n += (size_t)snprintf(text + n, sizeof text - n,
                          "group h ldap \"cn=h\"\nweb {\n block domain \"a.test\"\n");
    for (unsigned i = 0; i < MANY; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " block method PUT for g%u\n", i);
    snprintf(text + n, sizeof text - n, " block method PUT for h\n allow any\n}\n");
    static const char *const groups[] = {"g0", "g63", "g64", "g199", "h"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct grant g = lasting((struct grant)G(9, NAME, GROUP, "a.test", "x"));
        g.who = span_str(groups[i]);
        struct snapshot *s = with(text, &g, 1);
        struct facts f = request(s, "10.0.0.1", "u", "a.test", "GET");
        f.attrs[f.n_attrs++] = SPAN("ldap:cn=h");
        assert_int_equal(asked(s, f).action, ACT_ALLOW);
        f = request(s, "10.0.0.1", "u7", "a.test", "GET");
        assert_int_equal(asked(s, f).action, ACT_BLOCK);
        snapshot_put(s);
    }
}

/* Who is in a group by name, by network, by the directory or while the identity is fresh; and who is not. */
static void a_grant_for_a_group_is_for_who_is_in_it(void **state)
{
    static const char TEXT[] =
        "group first user \"u\", \"w\"\ngroup other user \"v\"\ngroup last user \"u\"\n"
        "group room network 10.4.0.0/16\ngroup staff ldap \"cn=staff,dc=test\"\n"
        "group fresh radius class \"eleve\" stale 8h\ngroup newer radius class \"eleve\" stale 6h\n"
        "web {\n block domain \"casino.test\"\n block for first, other, last, room, staff, fresh, newer "
        "method PUT\n"
        " allow any\n}\n";
    static const struct {
        const char *group, *user, *src, *attr;
        enum action is;
    } rows[] = {
        {"first", "u", "10.1.1.1", NULL, ACT_ALLOW},
        {"first", "w", "10.1.1.1", NULL, ACT_ALLOW},
        {"first", "v", "10.1.1.1", NULL, ACT_BLOCK},
        {"first", "", "10.1.1.1", NULL, ACT_BLOCK},
        {"last", "u", "10.1.1.1", NULL, ACT_ALLOW},
        {"last", "w", "10.1.1.1", NULL, ACT_BLOCK},
        {"last", "v", "10.1.1.1", NULL, ACT_BLOCK},
        {"other", "v", "10.1.1.1", NULL, ACT_ALLOW},
        {"other", "u", "10.1.1.1", NULL, ACT_BLOCK},
        {"other", "w", "10.1.1.1", NULL, ACT_BLOCK},
        {"room", "", "10.4.1.1", NULL, ACT_ALLOW},
        {"room", "u", "10.4.1.1", NULL, ACT_ALLOW},
        {"room", "u", "10.5.1.1", NULL, ACT_BLOCK},
        {"staff", "x", "10.1.1.1", "ldap:cn=staff,dc=test", ACT_ALLOW},
        {"staff", "u", "10.4.1.1", "ldap:cn=staff,dc=test", ACT_ALLOW},
        {"staff", "x", "10.1.1.1", "ldap:cn=boss,dc=test", ACT_BLOCK},
        {"fresh", "x", "10.1.1.1", "radius:class=eleve", ACT_ALLOW},
        {"fresh", "u", "10.4.1.1", "radius:class=eleve", ACT_ALLOW},
        {"fresh", "x", "10.1.1.1", "radius:class=prof", ACT_BLOCK},
        {"newer", "x", "10.1.1.1", "radius:class=eleve", ACT_ALLOW},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct grant g = lasting((struct grant)G(7, NAME, GROUP, "casino.test", "first"));
        g.who = span_str(rows[i].group);
        struct snapshot *s = with(TEXT, &g, 1);
        struct facts f = request(s, rows[i].src, rows[i].user, "casino.test", "GET");
        if (rows[i].attr)
            f.attrs[f.n_attrs++] = span_str(rows[i].attr);
        if (asked(s, f).action != rows[i].is)
            fail_msg("row %zu", i);
        f.id_age_s = 8 * 3600 + 1;
        bool fresh = span_eq(g.who, SPAN("fresh")) || span_eq(g.who, SPAN("newer"));
        assert_int_equal(asked(s, f).action, fresh ? ACT_BLOCK : rows[i].is);
        snapshot_put(s);
    }
}

/* The warning of a page and the default are lifted too, and nothing is observed then. */
static void what_a_grant_lifts(void **state)
{
    struct grant g = lasting((struct grant)G(7, NAME, ALL, "casino.test", ""));
    struct snapshot *s = with("web {\n warn domain \"casino.test\"\n}\n", &g, 1);
    (void)state;
    struct verdict v = asked(s, request(s, "10.1.1.1", "", "casino.test", "GET"));
    assert_true(v.action == ACT_ALLOW && v.why == WHY_GRANT && v.grant == 7);
    assert_int_equal(asked(s, hello(s, "172.16.0.1", "", "casino.test")).action, ACT_EXEMPT);
    snapshot_put(s);
    s = with("web {\n allow domain \"a.test\"\n}\n", &g, 1);
    v = asked(s, request(s, "10.1.1.1", "", "casino.test", "GET"));
    assert_true(v.action == ACT_ALLOW && v.why == WHY_GRANT && v.rule == RULE_NONE);
    assert_int_equal(asked(s, request(s, "10.1.1.1", "", "b.test", "GET")).action, ACT_BLOCK);
    snapshot_put(s);
    s = with("web {\n block any observe until 2027-01-01\n}\n", &g, 1);
    v = asked(s, request(s, "10.1.1.1", "", "casino.test", "GET"));
    assert_true(v.action == ACT_ALLOW && v.why == WHY_GRANT && !v.observed);
    v = asked(s, request(s, "10.1.1.1", "", "b.test", "GET"));
    assert_true(v.action == ACT_BLOCK && v.observed);
    snapshot_put(s);
    /* What is allowed without it does not name it. */
    s = with("web {\n allow any\n}\n", &g, 1);
    v = asked(s, request(s, "10.1.1.1", "", "casino.test", "GET"));
    assert_true(v.action == ACT_ALLOW && v.why == WHY_RULE && v.grant == GRANT_NONE);
    assert_int_equal(v.valid_until, INT64_MAX);
    snapshot_put(s);
}

/* Who grants is told of the `forbid` that stands in the way; a block is none. */
static void a_forbid_in_the_way_of_a_grant_is_found(void **state)
{
    struct grant g = G(1, CATEGORY, ALL, "games", "");
    struct snapshot *s = with(POLICY, &g, 0);
    (void)state;
    assert_int_equal(snapshot_forbids(s, &g, NOW), RULE_NONE);
    g = (struct grant)G(1, CATEGORY, ALL, "evil", "");
    uint32_t rule = snapshot_forbids(s, &g, NOW);
    assert_true(rule < snapshot_n_rules(s));
    assert_int_equal(snapshot_rule(s, rule).line, 9);
    g = (struct grant)G(1, NAME, ALL, "casino.test", "");
    assert_int_equal(snapshot_forbids(s, &g, NOW), RULE_NONE);
    g.target = SPAN("www.evil.test");
    assert_int_equal(snapshot_forbids(s, &g, NOW), rule);
    struct facts f = request(s, "10.0.0.1", "u", "evil.test", "GET");
    assert_true(decide_forbids(s, &f, &rule));
    assert_int_equal(snapshot_rule(s, rule).line, 9);
    f = request(s, "10.0.0.1", "u", "casino.test", "GET");
    assert_false(decide_forbids(s, &f, &rule));
    assert_int_equal(rule, RULE_NONE);
    snapshot_put(s);
}

static void an_exempt_zone_is_not_intercepted_but_judged(void **state)
{
    struct grant g = lasting((struct grant)G(9, EXEMPT, ZONE, "lan", "lan"));
    struct snapshot *s = with(POLICY, &g, 1);
    (void)state;
    struct verdict v = asked(s, hello(s, "10.0.0.1", "", "free.test"));
    assert_int_equal(v.action, ACT_EXEMPT);
    assert_int_equal(v.why, WHY_ZONE_NO_CA);
    assert_int_equal(v.grant, 9);
    assert_int_equal(v.valid_until, NOW + 3600);
    assert_int_equal(asked(s, hello(s, "10.0.0.1", "", "casino.test")).action, ACT_BLOCK);
    struct facts late = hello(s, "10.0.0.1", "", "free.test");
    late.time_s = NOW + 3600;
    assert_int_equal(ask(s, &late).action, ACT_INSPECT);
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senseless_grants_are_not_built),
        cmocka_unit_test(damaged_parts_are_refused),
        cmocka_unit_test(damaged_bytes_never_fault),
        cmocka_unit_test(who_is_not_meant_gets_nothing),
        cmocka_unit_test(only_in_its_time),
        cmocka_unit_test(the_narrowest_counts),
        cmocka_unit_test(what_was_granted_is_granted_again),
        cmocka_unit_test(a_page_waits_for_its_path),
        cmocka_unit_test(a_grant_lifts_a_block_and_is_named),
        cmocka_unit_test(no_grant_lifts_a_forbid),
        cmocka_unit_test(a_granted_page_opens_its_host_for_looking),
        cmocka_unit_test(a_granted_category_that_a_path_may_add_is_waited_for),
        cmocka_unit_test(a_grant_for_the_last_of_many_groups),
        cmocka_unit_test(a_grant_for_a_group_is_for_who_is_in_it),
        cmocka_unit_test(what_a_grant_lifts),
        cmocka_unit_test(a_forbid_in_the_way_of_a_grant_is_found),
        cmocka_unit_test(an_exempt_zone_is_not_intercepted_but_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
