/* Tables whose rules are anchored, beside rules looked at one by one: policies of many values drawn at
 * random, so that every rule has rare ones, and decide_why_not(), which knows of no anchor, as the judge.
 * What is found and its trail must be the same, whatever is missing, lost or still to come. The draw is
 * seeded: a failure comes again. */
#include "policy/match.h"
#include "policy/words.h"
#include "gw/base/obj.h"

#include "tests/unit/policy/snap_help.h"

enum { CATEGORIES = 28, GROUPS = 20, HOSTS = 40, NETS = 40, MOST_RULES = 1200, ROUNDS = 400 };

static struct buf text;
static struct snapshot *snap;
static uint64_t seed;

static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

#define PUT(...) assert_int_equal(buf_printf(&text, __VA_ARGS__), RC_OK)

static void put_names(void)
{
    PUT("zone internet\nzone z0 network 10.0.0.0/9\nzone z1 network 10.128.0.0/9, fd00::/16\n");
    for (unsigned i = 0; i < CATEGORIES; i++)
        PUT("category c%u domain \"c%u.test\", \"h%u.test\"\n", i, i, i);
    for (unsigned i = 0; i < GROUPS; i++)
        PUT("group g%u user \"u%u\" ldap \"cn=g%u,dc=test\"%s\n", i, i, i, i % 3 ? "" : " stale 1h");
    PUT("schedule s0 mon-fri 08:00-12:00\nschedule s1 mon-sun 12:00-18:00\n");
}

/* What is asked for is even and what is excepted odd: both at once is refused. */
static unsigned even(unsigned n)
{
    return draw(n / 2) * 2;
}

/* The condition by which a rule is found. */
static void put_rare(void)
{
    switch (draw(8)) {
    case 0: PUT(" category c%u", even(CATEGORIES)); break;
    case 1: PUT(" category c%u, c%u", even(CATEGORIES / 2), CATEGORIES / 2 + even(CATEGORIES / 2)); break;
    case 2: PUT(" domain \"h%u.test\", \"a.h%u.test\"", even(HOSTS), even(HOSTS) + 1); break;
    case 3: PUT(" for group g%u, g%u", even(GROUPS / 2), GROUPS / 2 + even(GROUPS / 2)); break;
    case 4: PUT(" for user \"u%u\"", draw(2 * GROUPS)); break;
    case 5: PUT(" from network 10.%u.0.0/16", 108 + even(NETS)); break;
    case 6: PUT(" category none to network 198.51.100.%u", draw(NETS)); break;
    default: PUT(" category c%u for group g%u", even(CATEGORIES), even(GROUPS));
    }
}

static void put_more(void)
{
    static const char *const more[] = {" during s0",     " outside s1",  " upload",
                                       " method POST",   " path \"/a\"", " path \"/b\", \"/a/b\"",
                                       " tcp 443, 8443", " tcp 80",      " application \"tor\"",
                                       " during s0, s1"};
    static const char *const excepts[] = {" except domain \"a.h", " except category c", " except for group g",
                                          " except from network 10."};
    static const char *const behind[] = {".test\"", "", "", ".0.0/16"};
    if (draw(2))
        PUT("%s", more[draw(N_ELEMS(more))]);
    if (draw(3) == 0) {
        unsigned i = draw(N_ELEMS(excepts));
        PUT("%s%u%s", excepts[i], (i == 3 ? 108 : 0) + even(GROUPS) + (i != 0), behind[i]);
    }
    if (draw(8) == 0)
        PUT(" until 2027-03-%02u", 1 + draw(28));
}

/* One rule in a hundred times `loose` has no rare value. */
static void policy(uint64_t number, unsigned rules, unsigned loose)
{
    static const char *const verbs[] = {"block", "allow", "forbid", "warn"};
    static struct compiled c;
    struct compile_opts opts = {.time_s = 1};
    seed = number;
    buf_clear(&text);
    put_names();
    PUT("web {\n");
    for (unsigned i = 0; i < rules; i++) {
        bool is_loose = draw(100) < loose;
        PUT(" %s", verbs[draw(4)]);
        if (is_loose)
            PUT(" path \"/only%u\"", i);
        else
            put_rare();
        if (!is_loose)
            put_more();
        PUT(" name \"r%u\"\n", i);
    }
    PUT(" allow any\n}\n");
    compile_bytes(buf_span(&text), &opts, &c);
    if (c.rc != RC_OK)
        print_error("%.3000s", c.diag);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &snap), RC_OK);
    compiled_close(&c);
}

/* ---- facts ---- */

static char words[8][64];

static span word(unsigned i, const char *before, unsigned n, const char *behind)
{
    int len = snprintf(words[i], sizeof words[i], "%s%u%s", before, n, behind);
    return span_of(words[i], (size_t)len);
}

static void draw_facts(struct facts *f)
{
    static const char *const names[] = {"c", "x.c", "h", "a.h", "none"};
    static const char *const paths[] = {"/x", "/a", "/a/b/", "/b/c", "/only"};
    *f = (struct facts){.step = STEP_REQUEST, .dst_port = draw(2) ? 443 : 80, .tls = true};
    f->time_s = 1806000000 + draw(30 * 86400);
    f->src = (struct addr){4, {10, (uint8_t)(108 + draw(NETS + 5)), 1, 1}};
    f->dst = (struct addr){4, {198, 51, 100, (uint8_t)draw(NETS + 5)}};
    f->zone = snapshot_zone_of(snap, &f->src);
    f->name = word(0, names[draw(5)], draw(HOSTS), ".test");
    f->user = draw(8) ? word(1, "u", draw(2 * GROUPS + 5), "") : SPAN_NONE;
    f->id_age_s = draw(2) ? 60 : 3590 + draw(20);
    f->n_attrs = (uint16_t)draw(4);
    for (unsigned i = 0; i < f->n_attrs; i++)
        f->attrs[i] = word(2 + i, draw(2) ? "ldap:CN=g" : "ldap:cn = g", draw(GROUPS),
                           draw(2) ? ",dc=Test" : " , dc=test ");
    f->method = draw(2) ? SPAN("GET") : SPAN("POST");
    f->upload = draw(2);
    f->path = word(6, paths[draw(5)], draw(MOST_RULES), "");
    f->path = draw(2) ? f->path : draw(2) ? SPAN("/a/b") : SPAN("/b");
    f->app = draw(2) ? SPAN("tor") : SPAN("tls");
    for (unsigned i = 0; i < FACT_N; i++) {
        if (draw(8))
            f->known |= UINT64_C(1) << i;
        else if (draw(3) == 0)
            f->lost |= UINT64_C(1) << i;
    }
    f->known |= FACT_BIT(SRC);
    snapshot_categories(snap, f);
}

/* ---- the judge ---- */

/* 0 no, 1 yes, 2 open. */
static unsigned judge(const struct query *q, const struct facts *f, uint32_t rule, uint64_t *waits)
{
    const struct image *m = &snap->img;
    uint32_t global = m->TABLES[TABLE_WEB].rules.at + rule;
    struct why_not w = decide_why_not(snap, f, global);
    *waits = 0;
    if (w.refuses || w.not_yet || w.over || (q->forbids && m->RULES[global].verb != VERB_FORBID))
        return 0;
    for (unsigned d = 0; d < DIM_N; d++) {
        uint64_t missing = w.waits >> d & 1 ? dim_needs(d) & ~f->known : 0;
        if (missing && !(missing & (q->hope | f->lost)))
            return 0;
        *waits |= missing;
    }
    return *waits ? 2 : 1;
}

/* Steps of the trail up to the first that matches; TRAIL_MAX holds the last one. */
static void compare_first(const struct query *q, const struct facts *f)
{
    static struct verdict v;
    uint64_t waits, all = 0;
    unsigned step = 0, word = 0;
    v.n_trail = 0;
    struct found x = match_first(q, &v);
    for (uint32_t rule = q->from; rule < snap->img.TABLES[TABLE_WEB].rules.n && word != 1; rule++) {
        word = judge(q, f, rule, &waits);
        if (word == 0)
            continue;
        all |= waits;
        if (step < TRAIL_MAX - 1 || word == 1) {
            const struct trail_step *s = &v.trail[step < TRAIL_MAX ? step : TRAIL_MAX - 1];
            assert_int_equal(s->rule, snap->img.TABLES[TABLE_WEB].rules.at + rule);
            assert_int_equal(s->match, word);
            assert_int_equal(s->waits_for, waits);
        }
        step++;
        if (word == 1)
            assert_int_equal(x.rule, rule);
    }
    assert_int_equal(x.hit, word == 1);
    assert_int_equal(x.waits, all);
    assert_int_equal(v.n_trail, step < TRAIL_MAX ? step : TRAIL_MAX);
}

struct listed {
    uint32_t rule[MOST_RULES];
    unsigned n;
};

static bool list_rule(void *arg, uint32_t rule)
{
    struct listed *l = arg;
    assert_true(l->n < MOST_RULES);
    l->rule[l->n++] = rule;
    return false;
}

static void compare_all(const struct query *q, const struct facts *f)
{
    static struct listed l;
    uint64_t waits;
    unsigned n = 0;
    l.n = 0;
    match_all(q, list_rule, &l);
    for (uint32_t rule = q->from; rule < snap->img.TABLES[TABLE_WEB].rules.n; rule++) {
        if (judge(q, f, rule, &waits) != 1)
            continue;
        assert_true(n < l.n);
        assert_int_equal(l.rule[n++], rule);
    }
    assert_int_equal(n, l.n);
}

static void compare(unsigned rounds)
{
    static const uint64_t hopes[] = {HOPE_NONE, HOPE_ALL, FACT_BIT(PATH) | FACT_BIT(METHOD), FACT_BIT(DST)};
    for (unsigned i = 0; i < rounds; i++) {
        struct facts f;
        struct asking a;
        draw_facts(&f);
        asking_start(&a, snap, &f);
        struct query q = {.a = &a, .table = TABLE_WEB, .hope = hopes[draw(4)], .forbids = draw(4) == 0};
        q.from = draw(4) ? 0 : draw(snap->img.TABLES[TABLE_WEB].rules.n);
        compare_first(&q, &f);
        compare_all(&q, &f);
    }
    snapshot_put(snap);
}

/* ---- */

static void rules_with_rare_values_are_anchored(void **state)
{
    static const unsigned sizes[] = {70, 300, MOST_RULES - 100};
    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        policy(100 + i, sizes[i % 3], 2);
        assert_int_not_equal(snap->img.TABLES[TABLE_WEB].anchored, 0);
        compare(ROUNDS);
    }
}

/* The same rules, and so many without a rare value that all of the table is gone through. */
static void rules_without_are_not(void **state)
{
    (void)state;
    policy(7, 500, 50);
    assert_int_equal(snap->img.TABLES[TABLE_WEB].anchored, 0);
    compare(ROUNDS);
}

static void small_tables_are_not(void **state)
{
    (void)state;
    policy(8, 40, 0);
    assert_int_equal(snap->img.TABLES[TABLE_WEB].anchored, 0);
    compare(ROUNDS);
}

/* Anchored at names alone: where a person or a category is open, its sign refuses nothing. */
static void open_signs_refuse_nothing(void **state)
{
    static struct compiled c;
    struct compile_opts opts = {.time_s = 1};
    (void)state;
    seed = 9;
    buf_clear(&text);
    put_names();
    PUT("web {\n");
    for (unsigned i = 0; i < 300; i++)
        PUT(" %s domain \"%s%u.test\" %s g%u name \"r%u\"\n", i % 3 ? "block" : "allow", i % 2 ? "h" : "a.h",
            draw(HOSTS), i % 4 ? "for group" : "except for group", draw(GROUPS / 4), i);
    PUT(" allow any\n}\n");
    compile_bytes(buf_span(&text), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &snap), RC_OK);
    compiled_close(&c);
    assert_int_equal(snap->img.TABLES[TABLE_WEB].anchored, 1u << DIM_DOMAIN);
    compare(ROUNDS);
}

/* More rules match than there is room for: then all of the table is gone through. */
static void more_rules_than_room(void **state)
{
    (void)state;
    static struct compiled c;
    struct compile_opts opts = {.time_s = 1};
    buf_clear(&text);
    put_names();
    PUT("web {\n");
    for (unsigned i = 0; i < 60; i++)
        PUT(" block domain \"c1.test\" until 2027-03-%02u name \"a%u\"\n", 1 + i % 28, i);
    for (unsigned i = 0; i < 200; i++)
        PUT(" allow domain \"d%u.test\" name \"b%u\"\n", i, i);
    PUT(" allow any\n}\n");
    compile_bytes(buf_span(&text), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &snap), RC_OK);
    compiled_close(&c);
    assert_int_not_equal(snap->img.TABLES[TABLE_WEB].anchored, 0);
    compare(ROUNDS);
}

/* So many rules that name a host with so many members, each a domain of its own too. */
static bool anchored_with(unsigned rules, unsigned members)
{
    static struct compiled c;
    struct compile_opts opts = {.time_s = 1};
    bool anchored;
    buf_clear(&text);
    PUT("zone lan network 10.0.0.0/8\nhost farm");
    for (unsigned i = 0; i < members; i++)
        PUT("%s 192.0.%u.%u", i ? "," : "", i / 256, i % 256);
    PUT("\nweb {\n");
    for (unsigned i = 0; i < rules; i++)
        PUT(" block domain \"d%u.test\" to host farm\n", i);
    PUT(" allow any\n}\n");
    compile_bytes(buf_span(&text), &opts, &c);
    assert_int_equal(c.rc, RC_OK);
    struct snapshot *s;
    assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
    compiled_close(&c);
    anchored = s->img.TABLES[TABLE_WEB].anchored != 0;
    snapshot_put(s);
    return anchored;
}

/* A host of many members that very many rules name would take more room than a part has. */
static void anchors_have_a_room(void **state)
{
    (void)state;
    assert_true(anchored_with(200, 700));
    assert_true(anchored_with(5000, 1));
    assert_false(anchored_with(14000, 700));
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_with_rare_values_are_anchored),
        cmocka_unit_test(rules_without_are_not),
        cmocka_unit_test(small_tables_are_not),
        cmocka_unit_test(open_signs_refuse_nothing),
        cmocka_unit_test(more_rules_than_room),
        cmocka_unit_test(anchors_have_a_room),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
