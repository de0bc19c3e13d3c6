/* A record gives back what was put into it, whatever that was; what is cut, changed or made up is refused;
 * and a verdict can be reached again from the record alone. */
#include "policy/record.h"

#include "tests/unit/policy/snap_help.h"

#include "gw/base/obj.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static unsigned below(unsigned n)
{
    return (unsigned)(rnd() % n);
}

static uint8_t noise[4096];

static span text(size_t most)
{
    size_t n = below((unsigned)most + 1);
    return n ? span_of(noise + below((unsigned)(sizeof noise - most)), n) : SPAN_NONE;
}

static struct addr some_addr(void)
{
    static const uint8_t families[] = {0, 4, 6};
    struct addr a = {.family = families[below(3)]};
    for (size_t i = 0; i < sizeof a.b; i++)
        a.b[i] = (uint8_t)rnd();
    return a;
}

static void some_facts(struct record *r)
{
    struct facts *f = &r->facts;
    f->known = rnd();
    f->lost = rnd();
    f->step = below(STEP_N);
    f->time_s = (int64_t)rnd();
    f->src = some_addr();
    f->dst = some_addr();
    f->dst_port = (uint16_t)rnd();
    f->proto = (uint8_t)rnd();
    f->explicit_proxy = below(2);
    f->zone = (uint16_t)rnd();
    f->vpn = text(RECORD_TEXT);
    f->user = text(40);
    f->id_source = below(ID_N);
    f->id_age_s = (uint32_t)rnd();
    f->name = text(253);
    f->tls = below(2);
    f->decrypted = below(2);
    f->ech = below(2);
    f->ja4 = text(40);
    f->app = text(RECORD_TEXT);
    f->app_confidence = (uint8_t)rnd();
    f->defects = (uint32_t)rnd();
    f->method = text(40);
    f->path = text(RECORD_PATH);
    f->upload = below(2);
    f->type = text(RECORD_TEXT);
    f->size = rnd();
    if (below(2))
        memcpy(f->hash, noise + below(1000), sizeof f->hash);
    f->virus = text(128);
    f->signature = (uint32_t)rnd();
    f->severity = (uint8_t)rnd();
    f->quota_used_s = (uint32_t)rnd();
    f->regroup = true;
}

static void some_lists(struct record *r)
{
    struct facts *f = &r->facts;
    f->n_patterns = (uint16_t)below(FACTS_MAX_PATTERNS + 1);
    for (unsigned i = 0; i < f->n_patterns; i++)
        f->patterns[i] = text(RECORD_TEXT);
    f->n_clicked = (uint16_t)below(FACTS_MAX_CLICKED + 1);
    for (unsigned i = 0; i < f->n_clicked; i++)
        f->clicked[i] = rnd();
    f->n_cats = (uint16_t)below(FACTS_MAX_CATS + 1);
    for (unsigned i = 0; i < f->n_cats; i++) {
        f->cats[i] = (uint16_t)rnd();
        r->hits[i] = (struct record_hit){f->cats[i], (uint32_t)rnd(), text(RECORD_LIST), text(RECORD_TEXT)};
    }
    f->n_groups = (uint16_t)below(FACTS_MAX_GROUPS + 1);
    for (unsigned i = 0; i < f->n_groups; i++) {
        f->groups[i] = (uint16_t)rnd();
        r->groups[i] = text(RECORD_TEXT);
    }
    f->may_used = below(2) ? (uint16_t)rnd() : 0;
    for (unsigned i = 0; i < FACTS_CAT_WORDS; i++)
        f->may[i] = rnd();
}

static void some_verdict(struct record *r)
{
    struct verdict *v = &r->verdict;
    v->action = below(ACT_WARN + 1);
    v->layer = below(LAYER_DNS + 1);
    v->why = below(WHY_N);
    v->forbid = below(2);
    v->observed = below(2);
    v->rule = (uint32_t)rnd();
    v->grant = (uint32_t)rnd();
    v->category = (uint16_t)rnd();
    v->waits_for = rnd();
    v->valid_until = (int64_t)rnd();
    v->n_mods = (uint16_t)below(VERDICT_MAX_MODS + 1);
    for (unsigned i = 0; i < v->n_mods; i++)
        v->mods[i] = (struct verdict_mod){below(MOD_N), (uint32_t)rnd(), SPAN_NONE};
    v->n_logs = (uint16_t)below(VERDICT_MAX_LOGS + 1);
    for (unsigned i = 0; i < v->n_logs; i++)
        v->logs[i] = (uint32_t)rnd();
}

static void some_record(struct record *r)
{
    memset(r, 0, sizeof *r);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)rnd();
    r->node = below(32);
    r->number = rnd() >> 24;
    r->flow = rnd();
    r->wall_us = (int64_t)rnd();
    r->took_ns = (uint32_t)rnd();
    memcpy(r->snapshot, noise, SNAP_HASH);
    r->zone = text(RECORD_TEXT);
    r->rule = text(RECORD_TEXT);
    r->rule_key = rnd();
    some_facts(r);
    some_lists(r);
    some_verdict(r);
}

#define SAME(field)      assert_true(a->field == b->field)
#define SAME_TEXT(field) assert_true(span_eq(a->field, b->field))

static void same_facts(const struct facts *a, const struct facts *b)
{
    SAME(known), SAME(lost), SAME(step), SAME(time_s), SAME(dst_port), SAME(proto), SAME(explicit_proxy);
    SAME(zone), SAME(id_source), SAME(id_age_s), SAME(tls), SAME(decrypted), SAME(ech), SAME(app_confidence);
    SAME(defects), SAME(upload), SAME(size), SAME(signature), SAME(severity), SAME(quota_used_s);
    SAME(n_patterns), SAME(n_clicked), SAME(n_cats), SAME(n_groups), SAME(n_attrs), SAME(regroup);
    SAME_TEXT(vpn), SAME_TEXT(user), SAME_TEXT(name), SAME_TEXT(ja4), SAME_TEXT(app), SAME_TEXT(method);
    SAME_TEXT(path), SAME_TEXT(type), SAME_TEXT(virus);
    assert_memory_equal(&a->src, &b->src, sizeof a->src);
    assert_memory_equal(&a->dst, &b->dst, sizeof a->dst);
    assert_memory_equal(a->hash, b->hash, sizeof a->hash);
    for (unsigned i = 0; i < a->n_patterns; i++)
        SAME_TEXT(patterns[i]);
    for (unsigned i = 0; i < a->n_clicked; i++)
        SAME(clicked[i]);
    for (unsigned i = 0; i < a->n_cats; i++)
        SAME(cats[i]);
    for (unsigned i = 0; i < a->n_groups; i++)
        SAME(groups[i]);
    SAME(may_used);
    for (unsigned c = 0; c < FACTS_CAT_WORDS * 64; c++)
        assert_int_equal(facts_may(a, c), facts_may(b, c));
}

static void same_verdict(const struct verdict *a, const struct verdict *b)
{
    SAME(action), SAME(layer), SAME(why), SAME(forbid), SAME(observed), SAME(rule), SAME(grant);
    SAME(category), SAME(waits_for), SAME(valid_until), SAME(n_mods), SAME(n_logs);
    for (unsigned i = 0; i < a->n_mods; i++)
        SAME(mods[i].kind), SAME(mods[i].rule);
    for (unsigned i = 0; i < a->n_logs; i++)
        SAME(logs[i]);
}

static void same_record(const struct record *a, const struct record *b)
{
    SAME(node), SAME(number), SAME(flow), SAME(wall_us), SAME(took_ns), SAME(rule_key);
    SAME_TEXT(zone), SAME_TEXT(rule);
    assert_memory_equal(a->snapshot, b->snapshot, SNAP_HASH);
    same_facts(&a->facts, &b->facts);
    same_verdict(&a->verdict, &b->verdict);
    for (unsigned i = 0; i < a->facts.n_cats; i++)
        SAME(hits[i].category), SAME_TEXT(hits[i].list), SAME(hits[i].line), SAME_TEXT(hits[i].name);
    for (unsigned i = 0; i < a->facts.n_groups; i++)
        SAME_TEXT(groups[i]);
}

static void what_is_cut_or_longer_is_refused(void **state)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX + 1];
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        some_record(&r);
        size_t n = record_encode(&r, bytes);
        for (size_t k = 0; k < n; k++) {
            AUTO_FREE uint8_t *exact = malloc(k ? k : 1); /* a sanitizer sees a read past the end */
            memcpy(exact, bytes, k);
            assert_int_equal(record_decode(span_of(exact, k), &back), RC_BAD);
            span name = record_name(span_of(exact, k));
            assert_true(name.n == 0 || span_eq(name, r.facts.name));
        }
        assert_int_equal(record_decode(span_of(bytes, n + 1), &back), RC_BAD);
    }
}

static void words_that_do_not_exist_are_refused(void **state)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX];
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{8, RECORD_VERSION + 1},
               {8, 0},
               {10, 0},
               {12, STEP_N},
               {13, ACT_WARN + 1},
               {14, LAYER_DNS + 1},
               {15, WHY_N},
               {93, 1},
               {97, ID_N},
               {98, 5},
               {99, 1},
               {194, VERDICT_MAX_MODS + 1},
               {195, VERDICT_MAX_LOGS + 1},
               {196, FACTS_MAX_CATS + 1},
               {197, FACTS_MAX_GROUPS + 1},
               {198, FACTS_MAX_CLICKED + 1},
               {199, FACTS_MAX_PATTERNS + 1},
               {200, RECORD_TEXT + 1}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        some_record(&r);
        size_t n = record_encode(&r, bytes);
        assert_int_equal(record_decode(span_of(bytes, n), &back), RC_OK);
        bytes[bad[i].at] = bad[i].value;
        assert_int_equal(record_decode(span_of(bytes, n), &back), RC_BAD);
    }
}

/* Any change of bytes is refused or read as another record; what was read can be written again. */
static void noise_is_read_within_its_bounds(void **state)
{
    static struct record r, back, again;
    static uint8_t bytes[RECORD_MAX], more[RECORD_MAX];
    unsigned read = 0;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        if (round % 50 == 0)
            some_record(&r);
        size_t n = record_encode(&r, bytes);
        for (unsigned k = below(4) + 1; k > 0; k--)
            bytes[below((unsigned)n)] = (uint8_t)rnd();
        span name = record_name(span_of(bytes, n));
        if (record_decode(span_of(bytes, n), &back) != RC_OK)
            continue;
        read++;
        assert_true(span_eq(name, back.facts.name));
        size_t m = record_encode(&back, more);
        assert_int_equal(record_decode(span_of(more, m), &again), RC_OK);
        same_record(&back, &again);
    }
    assert_true(read > 100);
}

static void everything_comes_back(void **state)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX];
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        some_record(&r);
        size_t n = record_encode(&r, bytes);
        assert_int_equal(record_decode(span_of(bytes, n), &back), RC_OK);
        same_record(&r, &back);
        assert_true(span_eq(record_name(span_of(bytes, n)), r.facts.name));
        record_set_code(bytes, 7, 12345);
        assert_int_equal(record_decode(span_of(bytes, n), &back), RC_OK);
        assert_true(back.node == 7 && back.number == 12345);
    }
}

/* The fixed part may grow: an older reader takes what it knows. */
static void a_longer_fixed_part_is_skipped(void **state)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX + 8];
    (void)state;
    some_record(&r);
    size_t n = record_encode(&r, bytes);
    memmove(bytes + RECORD_FIXED + 8, bytes + RECORD_FIXED, n - RECORD_FIXED);
    bytes[10] = RECORD_FIXED + 8;
    assert_int_equal(record_decode(span_of(bytes, n + 8), &back), RC_OK);
    same_record(&r, &back);
    assert_true(span_eq(record_name(span_of(bytes, n + 8)), r.facts.name));
}

/* Journals hold records of the first version as long as they are kept: those end before what a path could
 * add. */
static void a_record_of_the_first_version_is_read(void **state)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX];
    (void)state;
    for (unsigned round = 0; round < 50; round++) {
        some_record(&r);
        r.facts.may_used = 0;
        size_t n = record_encode(&r, bytes) - 2;
        assert_int_equal(record_decode(span_of(bytes, n), &back), RC_BAD);
        bytes[8] = 1;
        assert_int_equal(record_decode(span_of(bytes, n), &back), RC_OK);
        same_record(&r, &back);
        assert_int_equal(record_decode(span_of(bytes, n + 2), &back), RC_BAD);
    }
}

static void the_largest_record_fits(void **state)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX], long_text[4096];
    (void)state;
    span s = span_of(long_text, sizeof long_text);
    some_record(&r);
    struct facts *f = &r.facts;
    f->vpn = f->user = f->name = f->ja4 = f->app = f->method = f->path = f->type = f->virus = r.zone =
        r.rule = s;
    f->hash[0] = 1;
    f->n_patterns = FACTS_MAX_PATTERNS;
    f->n_clicked = FACTS_MAX_CLICKED;
    f->n_cats = FACTS_MAX_CATS;
    f->n_groups = FACTS_MAX_GROUPS;
    f->may_used = UINT16_MAX;
    r.verdict.n_mods = VERDICT_MAX_MODS;
    r.verdict.n_logs = VERDICT_MAX_LOGS;
    for (unsigned i = 0; i < FACTS_MAX_PATTERNS; i++)
        f->patterns[i] = s;
    for (unsigned i = 0; i < FACTS_MAX_CATS; i++)
        r.hits[i].name = r.hits[i].list = s;
    for (unsigned i = 0; i < FACTS_MAX_GROUPS; i++)
        r.groups[i] = s;
    for (unsigned i = 0; i < VERDICT_MAX_MODS; i++)
        r.verdict.mods[i].kind = MOD_QUOTA;
    size_t n = record_encode(&r, bytes);
    assert_true(n <= RECORD_MAX);
    assert_int_equal(record_decode(span_of(bytes, n), &back), RC_OK);
    assert_int_equal(back.facts.name.n, 253);
    assert_int_equal(back.facts.n_cats, FACTS_MAX_CATS);
}

/* ---- from a decision and back to it ---- */

static const char rules[] = "user \"anne\" address 10.1.1.7\n"
                            "group staff user \"anne\", \"bob\"\n"
                            "group many network 10.2.0.0/16\n"
                            "category games domain \"games.example\"\n"
                            "tls { inspect any\n}\n"
                            "web {\n"
                            "block category games for staff\n"
                            "block domain \"many.example\" for many\n"
                            "block domain \"some.example\" for unidentified\n"
                            "block method POST domain \"post.example\"\n"
                            "allow any\n}\n";

static void again(const struct snapshot *s, const struct facts *f, enum action want)
{
    static struct record r, back;
    static uint8_t bytes[RECORD_MAX];
    struct verdict v, w;
    decide(s, f, &v);
    assert_int_equal(v.action, want);
    memset(&r, 0, sizeof r);
    record_fill(&r, s, f, &v, f->user.n ? SPAN("u-0123456789") : SPAN_NONE);
    size_t n = record_encode(&r, bytes);
    if (f->user.n)
        assert_null(memmem(bytes, n, f->user.p, f->user.n)); /* nobody is named */
    assert_int_equal(record_decode(span_of(bytes, n), &back), RC_OK);
    assert_memory_equal(back.snapshot, snapshot_hash(s), SNAP_HASH);
    decide(s, &back.facts, &w);
    same_verdict(&v, &back.verdict);
    same_verdict(&v, &w);
}

static void a_verdict_can_be_reached_again(void **state)
{
    struct snapshot *s = snap_of(rules);
    (void)state;
    static const struct {
        const char *src, *user, *name, *method;
        enum action action;
    } asked[] = {
        {"10.1.1.1", "anne", "www.games.example", "GET", ACT_BLOCK},
        {"10.1.1.1", "carl", "www.games.example", "GET", ACT_ALLOW},
        {"10.1.1.1", "", "www.games.example", "GET", ACT_ALLOW},
        {"10.2.1.1", "anne", "many.example", "GET", ACT_BLOCK},
        {"10.2.1.1", "", "many.example", "GET", ACT_BLOCK},
        {"10.1.1.1", "anne", "some.example", "GET", ACT_ALLOW},
        {"10.1.1.1", "", "some.example", "GET", ACT_BLOCK},
        {"10.1.1.1", "carl", "post.example", "POST", ACT_BLOCK},
        {"192.0.2.1", "anne", "post.example", "GET", ACT_BLOCK},
    };
    for (size_t i = 0; i < N_ELEMS(asked); i++) {
        struct facts f = request(s, asked[i].src, asked[i].user, asked[i].name, asked[i].method);
        again(s, &f, asked[i].action);
    }
    snapshot_put(s);
}

static void a_path_that_no_rule_looks_at_is_not_kept(void **state)
{
    static struct record r;
    struct snapshot *s = snap_of(rules);
    struct facts f = request(s, "10.1.1.1", "anne", "post.example", "GET");
    struct verdict v;
    (void)state;
    f.path = SPAN("/secret");
    f.known |= FACT_BIT(PATH);
    decide(s, &f, &v);
    record_fill(&r, s, &f, &v, SPAN("u-0123456789"));
    assert_int_equal(r.facts.path.n, 0);
    assert_true(r.facts.lost & FACT_BIT(PATH));
    assert_false(r.facts.known & FACT_BIT(PATH));
    snapshot_put(s);
}

static void a_path_that_a_rule_looks_at_is_kept(void **state)
{
    static struct record r;
    static const uint8_t long_path[RECORD_PATH + 1] = "/";
    struct snapshot *s = snap_of("web { block path \"/private\"\nallow any\n}\n");
    struct facts f = request(s, "10.1.1.1", "", "www.example", "GET");
    struct verdict v;
    (void)state;
    f.path = SPAN("/private/x");
    again(s, &f, ACT_BLOCK);
    decide(s, &f, &v);
    record_fill(&r, s, &f, &v, SPAN_NONE);
    assert_true(span_eq(r.facts.path, SPAN("/private/x")) && r.facts.lost == 0);
    f.path = span_of(long_path, sizeof long_path); /* half a path would be another one */
    decide(s, &f, &v);
    record_fill(&r, s, &f, &v, SPAN_NONE);
    assert_true(r.facts.path.n == 0 && r.facts.lost == FACT_BIT(PATH));
    snapshot_put(s);
}

/* Groups by name and by attribute, each once; those by address are found again by the address. */
static void groups_are_those_of_the_identity(void **state)
{
    static struct record r;
    struct snapshot *s = snap_of("group staff user \"anne\"  ldap \"cn=staff,dc=x\"\n"
                                 "group many network 10.0.0.0/8\n"
                                 "group pupils radius class \"eleve\" stale 1h\n"
                                 "web { block domain \"a.example\" for staff\n"
                                 "block domain \"b.example\" for pupils\n"
                                 "block domain \"c.example\" for many\nallow any\n}\n");
    struct facts f = request(s, "10.1.1.1", "anne", "b.example", "GET");
    struct verdict v;
    (void)state;
    f.attrs[f.n_attrs++] = SPAN("ldap:cn=staff,dc=x");
    f.attrs[f.n_attrs++] = SPAN("radius:class=eleve");
    f.attrs[f.n_attrs++] = SPAN("ldap:cn=secret,dc=x");
    again(s, &f, ACT_BLOCK);
    decide(s, &f, &v);
    record_fill(&r, s, &f, &v, SPAN("u-0123456789"));
    assert_int_equal(r.facts.n_groups, 2);
    assert_true(span_eq(r.groups[0], SPAN("staff")) && span_eq(r.groups[1], SPAN("pupils")));
    f.id_age_s = 7200; /* too old for `pupils` */
    again(s, &f, ACT_ALLOW);
    f.name = SPAN("a.example");
    again(s, &f, ACT_BLOCK);
    f.name = SPAN("c.example");
    f.user = SPAN_NONE;
    f.n_attrs = 0;
    again(s, &f, ACT_BLOCK);
    snapshot_put(s);
}

/* A fact that was there and was not kept leaves a rule open even where no further step comes. */
static void a_lost_fact_keeps_rules_open(void **state)
{
    struct snapshot *s = snap_of(rules);
    struct facts f = request(s, "10.1.1.1", "anne", "post.example", "GET");
    struct verdict v;
    (void)state;
    f.known &= ~FACT_BIT(METHOD);
    decide(s, &f, &v);
    assert_int_equal(v.waits_for, 0);
    f.lost = FACT_BIT(METHOD);
    decide(s, &f, &v);
    assert_int_equal(v.waits_for, FACT_BIT(METHOD));
    f.name = SPAN("www.example");
    decide(s, &f, &v);
    assert_int_equal(v.waits_for, 0); /* no rule that asks for a method is in question */
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_or_longer_is_refused),
        cmocka_unit_test(words_that_do_not_exist_are_refused),
        cmocka_unit_test(noise_is_read_within_its_bounds),
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(a_longer_fixed_part_is_skipped),
        cmocka_unit_test(a_record_of_the_first_version_is_read),
        cmocka_unit_test(the_largest_record_fits),
        cmocka_unit_test(a_verdict_can_be_reached_again),
        cmocka_unit_test(a_path_that_no_rule_looks_at_is_not_kept),
        cmocka_unit_test(a_path_that_a_rule_looks_at_is_kept),
        cmocka_unit_test(groups_are_those_of_the_identity),
        cmocka_unit_test(a_lost_fact_keeps_rules_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
