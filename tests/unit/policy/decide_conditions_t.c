/* What each noun of a rule matches, alone, together and with exceptions. Line numbers as in decide_t.c. */
#include "policy/decide.h"

#include "tests/unit/policy/snap_help.h"

static void the_first_rule_that_matches_wins(void **state)
{
    struct snapshot *s = snap_of(
        "web {\n allow domain \"a.b.example\"\n block domain \"b.example\"\n allow domain \"example\"\n}\n");
    (void)state;
    static const struct {
        const char *name;
        enum action action;
        unsigned line;
    } rows[] = {
        {"a.b.example", ACT_ALLOW, 2},   {"x.a.b.example", ACT_ALLOW, 2}, {"b.example", ACT_BLOCK, 3},
        {"xa.b.example", ACT_BLOCK, 3},  {"xb.example", ACT_ALLOW, 4},    {"example", ACT_ALLOW, 4},
        {"b.example.org", ACT_BLOCK, 0}, {"myexample", ACT_BLOCK, 0},     {"", ACT_BLOCK, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, "10.1.1.1", "", rows[i].name, "GET");
        struct verdict v = ask(s, &f);
        assert_int_equal(v.action, rows[i].action);
        assert_int_equal(line_of(s, &v), rows[i].line);
    }
    snapshot_put(s);
}

/* A name whose label has n letters, the last `c`; above a short label or a long one. */
static span name_with(char *out, size_t size, unsigned n, char c, unsigned above)
{
    static const char *const parents[] = {".x", ".example", ".long-parent.example"};
    char label[64];
    memset(label, 'a', sizeof label);
    label[n - 1] = c;
    return span_of(out, (size_t)snprintf(out, size, "%.*s%s", (int)n, label, parents[above]));
}

static void labels_of_every_length(void **state)
{
    struct buf text = {0};
    char name[100], under[110];
    (void)state;
    assert_int_equal(buf_put_str(&text, "web {\n"), RC_OK);
    for (unsigned i = 0; i < 63 * 3; i++) {
        span s = name_with(name, sizeof name, i / 3 + 1, 'b', i % 3);
        assert_int_equal(buf_printf(&text, " block domain \"%.*s\"\n", (int)s.n, name), RC_OK);
    }
    assert_int_equal(buf_put(&text, SPAN(" allow any\n}\n\0")), RC_OK);
    struct snapshot *s = snap_of((const char *)text.p);
    for (unsigned i = 0; i < 63 * 3; i++) {
        name_with(name, sizeof name, i / 3 + 1, 'b', i % 3);
        snprintf(under, sizeof under, "%s%s", i % 2 ? "www." : "w.", name);
        struct facts f = request(s, "10.1.1.1", "", name, "GET");
        struct verdict v = ask(s, &f);
        assert_int_equal(line_of(s, &v), 2 + i);
        f = request(s, "10.1.1.1", "", under, "GET");
        v = ask(s, &f);
        assert_int_equal(line_of(s, &v), 2 + i);
        name_with(name, sizeof name, i / 3 + 1, 'c', i % 3);
        f = request(s, "10.1.1.1", "", name, "GET");
        v = ask(s, &f);
        assert_int_equal(line_of(s, &v), 2 + 63 * 3);
    }
    snapshot_put(s);
    buf_fini(&text);
}

static void different_nouns_must_all_hold(void **state)
{
    struct snapshot *s = snap_of("group g user \"jean\"\ncategory c domain \"c.example\"\n"
                                 "web {\n allow category c for g from 10.2.0.0/16 tcp 443 method GET\n}\n");
    (void)state;
    struct facts f = request(s, "10.2.1.1", "jean", "c.example", "GET");
    assert_int_equal(ask(s, &f).action, ACT_ALLOW);
    f.method = SPAN("POST");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.2.1.1", "jean", "c.example", "GET");
    f.dst_port = 444;
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.3.1.1", "jean", "c.example", "GET");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.2.1.1", "eve", "c.example", "GET");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.2.1.1", "jean", "d.example", "GET");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    snapshot_put(s);
}

static void except_takes_away(void **state)
{
    struct snapshot *s =
        snap_of("group g user \"jean\", \"luc\"\ncategory c domain \"c.example\"\n"
                "web {\n block category c except domain \"ok.c.example\" for g except user \"luc\"\n"
                " block any except category c except from 10.9.0.0/16\n allow any\n}\n");
    (void)state;
    static const struct {
        const char *src, *user, *name;
        unsigned line;
    } rows[] = {
        {"10.1.1.1", "jean", "c.example", 4}, {"10.1.1.1", "jean", "x.ok.c.example", 6},
        {"10.1.1.1", "luc", "c.example", 6},  {"10.1.1.1", "eve", "c.example", 6},
        {"10.1.1.1", "eve", "d.example", 5},  {"10.9.1.1", "eve", "d.example", 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, rows[i].src, rows[i].user, rows[i].name, "GET");
        struct verdict v = ask(s, &f);
        assert_int_equal(line_of(s, &v), rows[i].line);
    }
    snapshot_put(s);
}

/* One name in two lists: accepted by one, excepted by the other. What is excepted stays out. */
static void an_exception_wins_over_other_values_met(void **state)
{
    struct snapshot *s = snap_of("category a domain \"x.example\"\ncategory b domain \"x.example\"\n"
                                 "web {\n block category a except category b\n allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "", "x.example", "GET");
    assert_int_equal(f.n_cats, 2);
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 5);
    snapshot_put(s);
}

static void from_and_to_take_zones_hosts_and_networks(void **state)
{
    struct snapshot *s = snap_of(
        "host dns 10.0.0.53, fd00::53\n"
        "web {\n allow any from guests to internet\n allow any from lan to host dns\n"
        " allow any from fd00:1::/32 to lan\n allow any from 10.7.0.0/16, 10.8.0.1 to 198.51.100.0/24\n}\n");
    (void)state;
    static const struct {
        const char *src, *dst;
        unsigned line;
    } rows[] = {
        {"172.16.0.1", "192.0.2.1", 3},    {"172.16.0.1", "2001:db8::1", 3}, {"172.16.0.1", "10.0.0.53", 0},
        {"10.1.1.1", "10.0.0.53", 4},      {"10.1.1.1", "fd00::53", 4},      {"10.1.1.1", "10.0.0.54", 0},
        {"10.1.1.1", "192.0.2.1", 0},      {"fd00:1::9", "10.3.3.3", 5},     {"fd00:2::9", "10.3.3.3", 0},
        {"10.7.3.4", "198.51.100.255", 6}, {"10.8.0.1", "198.51.100.0", 6},  {"10.8.0.2", "198.51.100.0", 0},
        {"10.7.3.4", "198.51.101.0", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, rows[i].src, "", "a.example", "GET");
        f.dst = addr_of(rows[i].dst);
        f.known |= FACT_BIT(DST);
        struct verdict v = ask(s, &f);
        assert_int_equal(line_of(s, &v), rows[i].line);
    }
    snapshot_put(s);
}

static void ports_and_services(void **state)
{
    struct snapshot *s =
        snap_of("service web tcp 80, 443 udp 443\n"
                "web {\n allow service web\n allow tcp 8000-8100, 9000\n block tcp 8050\n}\n");
    (void)state;
    static const struct {
        uint16_t port;
        unsigned line;
    } rows[] = {{79, 0},   {80, 3},   {81, 0},   {443, 3},  {7999, 0}, {8000, 4},
                {8050, 4}, {8100, 4}, {8101, 0}, {9000, 4}, {65535, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, "10.1.1.1", "", "a.example", "GET");
        f.dst_port = rows[i].port;
        struct verdict v = ask(s, &f);
        assert_int_equal(line_of(s, &v), rows[i].line);
    }
    snapshot_put(s);
}

/* Values that look alike in all but one part are still different ones. */
static void networks_and_ports_of_the_same_size_are_told_apart(void **state)
{
    struct snapshot *s =
        snap_of("web {\n allow any from 10.7.0.0/16 tcp 10-20\n allow any from 10.8.0.0/16 tcp 10-30\n"
                " allow any from fd00:7::/32 tcp 5-20\n allow any from fd00:8::/32\n}\n");
    static const struct {
        const char *src;
        uint16_t port;
        unsigned line;
    } rows[] = {{"10.7.1.1", 20, 2}, {"10.7.1.1", 21, 0},    {"10.8.1.1", 20, 3}, {"10.8.1.1", 30, 3},
                {"10.8.1.1", 31, 0}, {"10.8.1.1", 9, 0},     {"10.9.1.1", 20, 0}, {"fd00:7::1", 5, 4},
                {"fd00:7::1", 4, 0}, {"fd00:8::1", 9999, 5}, {"fd00:9::1", 5, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, rows[i].src, "", "a.example", "GET");
        f.dst_port = rows[i].port;
        struct verdict v = ask(s, &f);
        assert_int_equal(line_of(s, &v), rows[i].line);
    }
    snapshot_put(s);
}

static void people_are_known_by_name_by_address_or_not_at_all(void **state)
{
    struct snapshot *s =
        snap_of("group staff user \"jean\"\ngroup room network 10.5.0.0/16, 10.5.5.0/24\n"
                "web {\n allow domain \"staff.example\" for staff\n allow domain \"room.example\" for room\n"
                " allow domain \"jean.example\" for user \"jean\"\n allow domain \"nobody.example\" for "
                "unidentified\n}\n");
    (void)state;
    static const struct {
        const char *src, *user, *name;
        enum action action;
    } rows[] = {
        {"10.1.1.1", "jean", "staff.example", ACT_ALLOW},
        {"10.1.1.1", "jeanne", "staff.example", ACT_BLOCK},
        {"10.1.1.1", "", "staff.example", ACT_BLOCK},
        {"10.5.5.5", "", "room.example", ACT_ALLOW},
        {"10.5.6.1", "jean", "room.example", ACT_ALLOW},
        {"10.6.0.1", "", "room.example", ACT_BLOCK},
        {"10.1.1.1", "jean", "jean.example", ACT_ALLOW},
        {"10.1.1.1", "luc", "jean.example", ACT_BLOCK},
        {"10.1.1.1", "", "nobody.example", ACT_ALLOW},
        {"10.1.1.1", "stranger", "nobody.example", ACT_BLOCK},
        {"10.5.6.1", "", "nobody.example", ACT_BLOCK},
        {"10.1.1.1", "jean", "nobody.example", ACT_BLOCK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, rows[i].src, rows[i].user, rows[i].name, "GET");
        assert_int_equal(ask(s, &f).action, rows[i].action);
    }
    snapshot_put(s);
}

static void category_none_means_in_no_list(void **state)
{
    struct snapshot *s =
        snap_of("category c domain \"c.example\"\nweb {\n block category none\n allow category c\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "", "other.example", "GET");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 3);
    assert_int_equal(v.category, CATEGORY_NONE);
    f = request(s, "10.1.1.1", "", "c.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    assert_int_equal(v.category, 0);
    snapshot_put(s);
}

static void the_category_named_is_one_that_the_rule_asks_for(void **state)
{
    struct snapshot *s = snap_of(
        "category a domain \"x.example\"\ncategory b domain \"x.example\"\ncategory c domain \"y.example\"\n"
        "web {\n block category c, b\n allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "", "x.example", "GET");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 5);
    assert_int_equal(v.category, 1);
    assert_true(span_eq(snapshot_category_name(s, v.category), SPAN("b")));
    snapshot_put(s);
}

static void addresses_are_judged_like_names(void **state)
{
    struct snapshot *s = snap_of("category c domain \"192.0.2.1\", \"2001:db8:0::1\"\n"
                                 "web {\n block category c\n block domain \"192.0.2.2\"\n allow any\n}\n");
    (void)state;
    static const struct {
        const char *dst;
        unsigned line;
    } rows[] = {{"192.0.2.1", 3}, {"2001:db8::1", 3}, {"192.0.2.2", 4}, {"192.0.2.3", 5}, {"2001:db8::2", 5}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = request(s, "10.1.1.1", "", "", "GET");
        f.dst = addr_of(rows[i].dst);
        f.known |= FACT_BIT(DST);
        snapshot_categories(s, &f);
        struct verdict v = ask(s, &f);
        assert_int_equal(line_of(s, &v), rows[i].line);
    }
    snapshot_put(s);
}

/* With a name known, the address it happens to go to is not looked up in the lists. */
static void a_name_is_judged_before_its_address(void **state)
{
    struct snapshot *s = snap_of("category c domain \"192.0.2.1\"\nweb {\n block category c\n block domain "
                                 "\"192.0.2.1\"\n allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "", "a.example", "GET");
    f.dst = addr_of("192.0.2.1");
    f.known |= FACT_BIT(DST);
    snapshot_categories(s, &f);
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 5);
    snapshot_put(s);
}

static void methods_and_uploads(void **state)
{
    struct snapshot *s = snap_of("web {\n block upload except domain \"up.example\"\n block method trace, "
                                 "PUT, m-search, a_z\n allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "", "a.example", "POST");
    assert_int_equal(ask(s, &f).action, ACT_ALLOW);
    f.upload = true;
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.1.1.1", "", "up.example", "POST");
    f.upload = true;
    assert_int_equal(ask(s, &f).action, ACT_ALLOW);
    f = request(s, "10.1.1.1", "", "a.example", "TRACE");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.1.1.1", "", "a.example", "M-SEARCH");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.1.1.1", "", "a.example", "A_Z");
    assert_int_equal(ask(s, &f).action, ACT_BLOCK);
    f = request(s, "10.1.1.1", "", "a.example",
                "trace"); /* methods are case-sensitive (RFC 9110 section 9.1) */
    assert_int_equal(ask(s, &f).action, ACT_ALLOW);
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_wins),
        cmocka_unit_test(labels_of_every_length),
        cmocka_unit_test(different_nouns_must_all_hold),
        cmocka_unit_test(except_takes_away),
        cmocka_unit_test(an_exception_wins_over_other_values_met),
        cmocka_unit_test(from_and_to_take_zones_hosts_and_networks),
        cmocka_unit_test(ports_and_services),
        cmocka_unit_test(networks_and_ports_of_the_same_size_are_told_apart),
        cmocka_unit_test(people_are_known_by_name_by_address_or_not_at_all),
        cmocka_unit_test(category_none_means_in_no_list),
        cmocka_unit_test(the_category_named_is_one_that_the_rule_asks_for),
        cmocka_unit_test(addresses_are_judged_like_names),
        cmocka_unit_test(a_name_is_judged_before_its_address),
        cmocka_unit_test(methods_and_uploads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
