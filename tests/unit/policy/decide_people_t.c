/* Who somebody is to a policy: groups by name, network and directory, many of them, and what a record of them
 * has lost. Line numbers as in decide_t.c. */
#include "policy/decide.h"

#include "tests/unit/policy/snap_help.h"

static void groups_come_from_names_networks_and_directories(void **state)
{
    struct snapshot *s =
        snap_of("group staff ldap \"CN=Staff, DC=test\"\ngroup eleves radius class \"eleve\" stale 8h\n"
                "group room network 10.4.0.0/16\ngroup named user \"jean\"\n"
                "web {\n block for eleves\n allow for staff\n block for unidentified\n allow any\n}\n");
    struct group_hit hits[8];
    (void)state;
    struct facts f = request(s, "10.1.1.1", "marie", "a.example", "GET");
    f.attrs[f.n_attrs++] = SPAN("ldap:cn=staff ,dc=TEST");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 7);
    assert_int_equal(snapshot_groups_of(s, &f, hits, 8), 1);
    assert_true(span_eq(snapshot_group_name(s, hits[0].group), SPAN("staff")));
    assert_int_equal(hits[0].by, GROUP_BY_ATTR);
    assert_false(hits[0].stale);
    f.attrs[0] = SPAN("radius:class=eleve");
    f.id_age_s = 8 * 3600;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 6);
    assert_int_equal(v.valid_until, f.time_s + 1);
    f.id_age_s++;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 8);
    assert_int_equal(snapshot_groups_of(s, &f, hits, 8), 1);
    assert_true(hits[0].stale);
    f.attrs[1] = f.attrs[2] = f.attrs[3] = SPAN("ldap:cn=staff,dc=test"); /* of which none counts */
    assert_int_equal(snapshot_groups_of(s, &f, hits, 8), 1);
    f.user = SPAN("jean"); /* known by another group */
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 9);
    f.src = addr_of("10.4.0.1");
    hits[1].group = 77;
    assert_int_equal(snapshot_groups_of(s, &f, hits, 1), 3);
    assert_int_equal(hits[1].group, 77);
    assert_int_equal(snapshot_groups_of(s, &f, hits, 8), 3);
    assert_int_equal(hits[1].by, GROUP_BY_USER);
    assert_int_equal(hits[2].by, GROUP_BY_NETWORK);
    assert_int_equal(snapshot_n_groups(s), 4);
    snapshot_put(s);
}

/* As many groups as a directory has: each of them by what it says, in the policy's spelling and in another.
 */
static void each_of_many_groups_of_a_directory_is_found(void **state)
{
    enum { GROUPS = 300 };
    static char text[1 << 16];
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < GROUPS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "group g%u ldap \"cn=g%u,dc=test\"\n", i, i);
    snprintf(text + n, sizeof text - n, "web { allow any }\n");
    struct snapshot *s = snap_of(text);
    for (unsigned i = 0; i < GROUPS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            char attr[40], name[8];
            struct group_hit hits[2];
            struct facts f = request(s, "10.1.1.1", "marie", "a.example", "GET");
            snprintf(attr, sizeof attr, k ? "ldap:CN=G%u, DC=test" : "ldap:cn=g%u,dc=test", i);
            snprintf(name, sizeof name, "g%u", i);
            f.attrs[f.n_attrs++] = span_str(attr);
            assert_int_equal(snapshot_groups_of(s, &f, hits, 2), 1);
            assert_true(span_eq(snapshot_group_name(s, hits[0].group), span_str(name)));
        }
    }
    snapshot_put(s);
}

/* More values met in one dimension than are joined block by block: short lists and long ones, exceptions too.
 */
static void who_is_in_many_groups_is_found_by_each(void **state)
{
    static char text[1 << 16];
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "group g%u user \"jean\"%s\n", i,
                              i % 2 ? ", \"marie\"" : "");
    n += (size_t)snprintf(
        text + n, sizeof text - n,
        "web {\n block domain \"free.example\" except for g38\n allow domain \"path.example\" path \"/a\"\n");
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned k = 0; k <= (i % 3 ? 0u : 4u); k++)
            n += (size_t)snprintf(text + n, sizeof text - n, " block domain \"d%u-%u.example\" for g%u\n", i,
                                  k, i);
    }
    snprintf(text + n, sizeof text - n, " allow any\n}\n");
    struct snapshot *s = snap_of(text);
    unsigned line = 44;
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned k = 0; k <= (i % 3 ? 0u : 4u); k++, line++) {
            char name[32];
            snprintf(name, sizeof name, "d%u-%u.example", i, k);
            struct facts f = request(s, "10.1.1.1", "jean", name, "GET");
            struct verdict v = ask(s, &f);
            EXPECT(v, ACT_BLOCK, WHY_RULE, line);
            f.user = SPAN("marie");
            v = ask(s, &f);
            assert_int_equal(v.action, i % 2 ? ACT_BLOCK : ACT_ALLOW);
        }
    }
    struct facts f = request(s, "10.1.1.1", "jean", "free.example", "GET");
    struct group_hit hits[40];
    uint64_t seen = 0;
    assert_int_equal(snapshot_groups_of(s, &f, hits, 40), 40);
    for (unsigned i = 0; i < 40; i++)
        seen |= UINT64_C(1) << hits[i].group;
    assert_int_equal(seen, (UINT64_C(1) << 40) - 1);
    struct verdict v = ask(s, &f);
    assert_int_equal(v.action, ACT_ALLOW);
    f.user = SPAN("marie");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 42);
    snapshot_put(s);
}

/* Several groups that each have many rules: all of them count, in every block of rules and each half of one.
 */
static void rules_of_several_groups_are_found_in_each_block(void **state)
{
    enum { RULES = 1100, GROUPS = 3 };
    static char text[1 << 17];
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < GROUPS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "group g%u user \"jean\"\n", i);
    n += (size_t)snprintf(text + n, sizeof text - n, "web {\n");
    for (unsigned i = 0; i < RULES; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " block domain \"d%u.example\" for g%u\n", i,
                              i % GROUPS);
    snprintf(text + n, sizeof text - n, " allow any\n}\n");
    struct snapshot *s = snap_of(text);
    for (unsigned i = 0; i < RULES; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%u.example", i);
        struct facts f = request(s, "10.1.1.1", "jean", name, "GET");
        struct verdict v = ask(s, &f);
        EXPECT(v, ACT_BLOCK, WHY_RULE, GROUPS + 2 + i);
        f.user = SPAN("marie");
        v = ask(s, &f);
        assert_int_equal(v.action, ACT_ALLOW);
    }
    snapshot_put(s);
}

/* More groups than there is room for of those that hang on the age of an identity: these hang on none. */
static void who_is_in_hundreds_of_groups_is_found_by_the_last(void **state)
{
    static char text[1 << 16];
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; i < 400; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "group g%u user \"jean\"\n", i);
    snprintf(
        text + n, sizeof text - n,
        "web {\n block domain \"a.example\" for g399\n block domain \"b.example\" for g0\n allow any\n}\n");
    struct snapshot *s = snap_of(text);
    struct facts f = request(s, "10.1.1.1", "jean", "a.example", "GET");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 402);
    f.name = SPAN("b.example");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 403);
    f.user = SPAN("marie");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 404);
    snapshot_put(s);
}

static void a_record_brings_its_groups_and_what_it_lost(void **state)
{
    struct snapshot *s = snap_of(
        "group staff user \"jean\"\ngroup eleves radius class \"eleve\" stale 8h\n"
        "web {\n block for user \"p-17\", \"jean\"\n block for eleves\n allow path \"/a\"\n block for staff\n"
        " allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "p-17", "a.example", "GET");
    f.regroup = true;
    f.attrs[0] = SPAN("radius:class=eleve"); /* of no record */
    f.n_attrs = 1;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 8);
    f.groups[f.n_groups++] = 0;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 7);
    f.known &= ~FACT_BIT(PATH);
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 7);
    f.lost = FACT_BIT(PATH);
    v = ask(s, &f);
    assert_int_equal(v.waits_for, FACT_BIT(PATH));
    f.groups[f.n_groups++] = 1;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 5);
    f.id_age_s = 8 * 3600 + 1;
    v = ask(s, &f);
    assert_int_equal(v.waits_for, FACT_BIT(PATH));
    f.groups[1] = 2; /* there are two */
    v = ask(s, &f);
    assert_int_equal(v.waits_for, FACT_BIT(PATH));
    snapshot_put(s);
    /* Whose only group is too old is unidentified. */
    s = snap_of(
        "group eleves radius class \"eleve\" stale 8h\nweb {\n block for unidentified\n allow any\n}\n");
    f = request(s, "10.1.1.1", "p-17", "a.example", "GET");
    f.regroup = true;
    f.groups[f.n_groups++] = 0;
    f.id_age_s = 8 * 3600;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    f.id_age_s++;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 3);
    snapshot_put(s);
    /* What is lost leaves an allowed request open too: no rule is named for it. */
    s = snap_of("web {\n block path \"/a\"\n allow any\n}\n");
    f = request(s, "10.1.1.1", "p-17", "a.example", "GET");
    f.regroup = true;
    f.known &= ~FACT_BIT(PATH);
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 3);
    f.lost = FACT_BIT(PATH);
    v = ask(s, &f);
    assert_int_equal(v.waits_for, FACT_BIT(PATH));
    EXPECT(v, ACT_ALLOW, WHY_RULE, 0);
    snapshot_put(s);
}

static void a_tunnel_names_its_zone(void **state)
{
    struct snapshot *s = snap_of("zone far vpn site \"seraing\"\nzone home vpn remote \"telework\"\n"
                                 "web {\n allow from far\n block any\n}\n");
    (void)state;
    struct facts f = request(s, "192.0.2.1", "", "a.example", "GET");
    f.vpn = SPAN("seraing");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    f.vpn = SPAN("telework");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 5);
    f = request(s, "10.1.1.1", "", "a.example", "GET");
    f.vpn = SPAN("nowhere");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
    assert_int_equal(snapshot_zone_of_vpn(s, SPAN("telework")), 4);
    assert_int_equal(snapshot_zone_of_vpn(s, SPAN("nowhere")), ZONE_NONE);
    assert_true(snapshot_zone(s, 4)->vpn_remote && !snapshot_zone(s, 3)->vpn_remote);
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_come_from_names_networks_and_directories),
        cmocka_unit_test(each_of_many_groups_of_a_directory_is_found),
        cmocka_unit_test(who_is_in_many_groups_is_found_by_each),
        cmocka_unit_test(rules_of_several_groups_are_found_in_each_block),
        cmocka_unit_test(who_is_in_hundreds_of_groups_is_found_by_the_last),
        cmocka_unit_test(a_record_brings_its_groups_and_what_it_lost),
        cmocka_unit_test(a_tunnel_names_its_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
