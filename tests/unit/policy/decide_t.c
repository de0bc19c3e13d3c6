/* What decide() says, step by step: what must be stopped first, then what goes through. Line numbers count
 * from the first line of each test's own text. */
#include "policy/decide.h"

#include "tests/unit/policy/snap_help.h"

#define EXPECT(v, act, w, line)                   \
    do {                                          \
        assert_int_equal((v).action, act);        \
        assert_int_equal((v).why, w);             \
        assert_int_equal(line_of(s, &(v)), line); \
    } while (0)

/* ---- who asks ---- */

static void a_client_of_no_zone_is_blocked(void **state)
{
    struct snapshot *s = snap_of("tls { exempt any\n}\nweb { allow any\n}\n");
    struct facts f = hello(s, "192.0.2.1", "", "www.example");
    (void)state;
    for (f.step = STEP_CONNECT; f.step <= STEP_REQUEST; f.step++) {
        struct verdict v = ask(s, &f);
        EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
        assert_int_equal(v.layer, LAYER_NONE);
    }
    snapshot_put(s);
}

static void the_internet_is_not_a_client(void **state)
{
    struct snapshot *s = snap_of("web { allow any\n}\n");
    struct facts f = hello(s, "10.1.1.1", "", "www.example");
    (void)state;
    f.zone = 0;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
    f.zone = 77;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
    f.zone = 1;
    f.known &= ~FACT_BIT(SRC);
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
    snapshot_put(s);
}

/* ---- default deny ---- */

static void what_no_web_rule_names_is_blocked_at_once(void **state)
{
    struct snapshot *s = snap_of("web { allow domain \"good.example\"\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "bad.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    assert_int_equal(v.layer, LAYER_WEB);
    assert_int_equal(v.waits_for, 0);
    assert_int_equal(v.category, CATEGORY_NONE);
    f = request(s, "10.1.1.1", "", "bad.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    f = request(s, "10.1.1.1", "", "www.good.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 1);
    snapshot_put(s);
}

static void a_default_that_a_request_could_lift_waits(void **state)
{
    struct snapshot *s = snap_of("web { allow method GET\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "some.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, FACT_BIT(METHOD));
    f = request(s, "10.1.1.1", "", "some.example", "POST");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    f = request(s, "10.1.1.1", "", "some.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 1);
    snapshot_put(s);
}

/* ---- connect ---- */

static void a_blocked_name_is_blocked_although_tls_exempts_it(void **state)
{
    struct snapshot *s = snap_of("category bank domain \"bank.example\"\n"
                                 "tls {\n exempt category bank\n inspect any\n}\n"
                                 "web {\n forbid domain \"evil.bank.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "evil.bank.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 7);
    assert_true(v.forbid);
    assert_int_equal(v.layer, LAYER_WEB);
    assert_int_equal(v.waits_for, 0);
    f = hello(s, "10.1.1.1", "", "www.bank.example");
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 3);
    assert_false(v.forbid);
    assert_int_equal(v.layer, LAYER_TLS);
    assert_int_equal(v.category, 0);
    f = hello(s, "10.1.1.1", "", "other.example");
    v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_RULE, 4);
    assert_int_equal(v.category, CATEGORY_NONE);
    snapshot_put(s);
}

/* The first rule could lift the block when the request is seen; in an exempt flow no request is seen. */
static void an_exempt_flow_takes_open_rules_as_no_match(void **state)
{
    struct snapshot *s =
        snap_of("category bank domain \"bank.example\"\n"
                "tls {\n exempt category bank\n inspect any\n}\n"
                "web {\n allow method HEAD\n block category bank for group staff\n allow any\n}\n"
                "group staff user \"jean\"\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "jean", "bank.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 8);
    assert_int_equal(v.waits_for, 0);
    assert_int_equal(v.n_trail, 1);
    assert_int_equal(v.trail[0].match, 1);
    f = hello(s, "10.1.1.1", "marie", "bank.example");
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 3);
    f = hello(s, "10.1.1.1", "jean", "shop.example");
    v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_RULE, 4);
    assert_int_equal(v.waits_for, FACT_BIT(METHOD));
    snapshot_put(s);
}

static void an_exempt_flow_that_only_a_request_could_allow_is_blocked(void **state)
{
    struct snapshot *s = snap_of("tls { exempt any\n}\nweb { allow method GET\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    snapshot_put(s);
}

static void open_block_rules_do_not_hold_up_a_certain_block(void **state)
{
    struct snapshot *s = snap_of("category social domain \"social.example\"\n"
                                 "web {\n block upload\n block category social\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "social.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    assert_int_equal(v.waits_for, 0);
    assert_int_equal(v.category, 0);
    assert_int_equal(v.n_trail, 2);
    assert_int_equal(v.trail[0].match, 2);
    assert_int_equal(v.trail[0].waits_for, FACT_BIT(METHOD));
    assert_int_equal(v.trail[1].match, 1);
    assert_int_equal(v.trail[1].rule, v.rule);
    snapshot_put(s);
}

static void an_open_allow_rule_holds_up_a_certain_block(void **state)
{
    struct snapshot *s =
        snap_of("web {\n block upload\n allow method HEAD\n block domain \"a.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, FACT_BIT(METHOD));
    f = request(s, "10.1.1.1", "", "a.example", "HEAD");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 3);
    f.upload = true;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 2);
    f = request(s, "10.1.1.1", "", "a.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    snapshot_put(s);
}

static void without_a_user_fact_rules_for_people_are_open(void **state)
{
    struct snapshot *s = snap_of("group staff user \"jean\"\nweb {\n allow any for staff\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    f.known &= ~FACT_BIT(USER);
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, FACT_BIT(USER));
    snapshot_put(s);
}

static void without_a_name_fact_name_rules_are_open(void **state)
{
    struct snapshot *s =
        snap_of("category c domain \"c.example\"\n"
                "web {\n block category c\n block any except domain \"d.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "c.example");
    f.known &= ~FACT_BIT(NAME);
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, FACT_BIT(NAME));
    assert_int_equal(v.n_trail, 3);
    snapshot_put(s);
}

static void tls_rules_do_not_touch_plain_http(void **state)
{
    struct snapshot *s = snap_of("tls { exempt any\n}\nweb {\n block domain \"a.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "b.example");
    f.tls = false;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    f = hello(s, "10.1.1.1", "", "a.example");
    f.tls = false;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    f = hello(s, "172.16.1.1", "", "b.example"); /* ca none: plain HTTP is still read */
    f.tls = false;
    v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    snapshot_put(s);
}

static void a_flow_not_yet_known_as_tls_waits_for_that(void **state)
{
    struct snapshot *s = snap_of("tls { exempt domain \"a.example\"\n}\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    f.known &= ~FACT_BIT(TLS);
    f.tls = false;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 1);
    assert_int_equal(v.waits_for, FACT_BIT(TLS));
    snapshot_put(s);
}

static void tls_block_blocks(void **state)
{
    struct snapshot *s = snap_of("tls {\n block domain \"a.example\"\n inspect any\n}\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 2);
    assert_int_equal(v.layer, LAYER_TLS);
    snapshot_put(s);
}

static void without_a_tls_rule_everything_is_inspected(void **state)
{
    struct snapshot *s = snap_of("web { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    assert_int_equal(v.layer, LAYER_TLS);
    assert_true(v.valid_until == INT64_MAX);
    snapshot_put(s);
}

/* ---- ca none ---- */

static void nothing_is_intercepted_in_a_zone_without_our_ca(void **state)
{
    struct snapshot *s =
        snap_of("tls { inspect any\n}\nweb {\n block domain \"bad.example\"\n block upload\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "172.16.1.1", "", "good.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_ZONE_NO_CA, 0);
    f = hello(s, "172.16.1.1", "", "bad.example");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    f = hello(s, "172.16.1.1", "", ""); /* no SNI */
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_ZONE_NO_CA, 0);
    snapshot_put(s);
}

static void in_a_zone_without_our_ca_an_exempt_rule_is_still_named(void **state)
{
    struct snapshot *s = snap_of("tls { exempt domain \"a.example\"\n}\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "172.16.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 1);
    snapshot_put(s);
}

/* ---- certificate ---- */

static struct facts certificate(const struct snapshot *s, const char *user, defect_set defects)
{
    struct facts f = hello(s, "10.1.1.1", user, "a.example");
    f.step = STEP_CERTIFICATE;
    f.known |= FACT_BIT(DEFECTS);
    f.defects = defects;
    return f;
}

enum { REVOKED = 1 << 1, EXPIRED = 1 << 2, SELF_SIGNED = 1 << 5, LAST = 1 << 14, ASKS = 16 };

static void a_defect_that_no_rule_names_is_blocked(void **state)
{
    struct snapshot *s = snap_of("tls { inspect any\n}\nweb { allow any\n}\n");
    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        struct facts f = certificate(s, "", UINT32_C(1) << bit);
        struct verdict v = ask(s, &f);
        if (bit == ASKS) {
            EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
            continue;
        }
        EXPECT(v, ACT_BLOCK, WHY_DEFECT, 0);
        assert_int_equal(v.layer, LAYER_TLS);
    }
    snapshot_put(s);
}

static void every_defect_needs_its_own_rule(void **state)
{
    struct snapshot *s = snap_of("group it user \"jean\"\n"
                                 "tls {\n block certificate revoked for user \"eve\"\n"
                                 " allow certificate expired, weak-tls for it\n allow certificate revoked "
                                 "for user \"jean\", user \"eve\"\n}\n"
                                 "web { allow any\n}\n");
    (void)state;
    struct facts f = certificate(s, "jean", EXPIRED | SELF_SIGNED);
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFECT, 0);
    f = certificate(s, "", EXPIRED);
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFECT, 0);
    f = certificate(s, "eve", REVOKED);
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 3);
    f = certificate(s, "jean", EXPIRED);
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    f = certificate(s, "jean", LAST);
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    f = certificate(s, "jean", EXPIRED | REVOKED | LAST);
    v = ask(s, &f);
    assert_int_equal(v.action, ACT_ALLOW);
    f = certificate(s, "", 0);
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    snapshot_put(s);
}

static void certificate_rules_do_not_decide_whether_to_inspect(void **state)
{
    struct snapshot *s =
        snap_of("tls {\n block certificate expired\n exempt domain \"a.example\"\n}\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "b.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    f = hello(s, "10.1.1.1", "", "a.example");
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 3);
    snapshot_put(s);
}

/* ---- conditions ---- */

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

/* ---- the record ---- */

static void the_trail_is_bounded_and_ends_with_what_decided(void **state)
{
    static char text[8192];
    int n = snprintf(text, sizeof text, "web {\n");
    (void)state;
    for (int i = 0; i < TRAIL_MAX + 8; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " block method M%c%c\n", 'A' + i / 26, 'A' + i % 26);
    snprintf(text + n, sizeof text - (size_t)n, " block any\n}\n");
    struct snapshot *s = snap_of(text);
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, TRAIL_MAX + 10);
    assert_int_equal(v.n_trail, TRAIL_MAX);
    assert_int_equal(v.trail[TRAIL_MAX - 1].rule, v.rule);
    assert_int_equal(v.trail[TRAIL_MAX - 1].match, 1);
    snapshot_put(s);
}

/* Every rule of a long table is found by its own request, and only by that, whatever word and block it stands
 * in. */
static void each_rule_of_many_is_found(void **state)
{
    enum { RULES = 1500 };
    static char text[RULES * 80];
    int n = snprintf(text, sizeof text, "group g user \"u\"\nweb {\n");
    (void)state;
    for (int i = 0; i < RULES; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s domain \"h%d.test\" for %s\n",
                      i % 3 ? "block" : "forbid", i, i % 2 ? "g" : "unidentified");
    snprintf(text + n, sizeof text - (size_t)n, " allow any\n}\n");
    struct snapshot *s = snap_of(text);
    for (unsigned i = 0; i < RULES; i++) {
        char name[32];
        snprintf(name, sizeof name, "x.h%u.test", i);
        struct facts f = request(s, "10.1.1.1", i % 2 ? "u" : "", name, "GET");
        struct verdict v = ask(s, &f);
        EXPECT(v, ACT_BLOCK, WHY_RULE, i + 3);
        assert_int_equal(v.forbid, i % 3 == 0);
        f.user = i % 2 ? SPAN_NONE : SPAN("u");
        v = ask(s, &f);
        EXPECT(v, ACT_ALLOW, WHY_RULE, RULES + 3);
    }
    snapshot_put(s);
}

static void each_rule_of_many_names_its_category(void **state)
{
    static char text[65536];
    int n =
        snprintf(text, sizeof text, "category a domain \"a.test\"\ncategory b domain \"b.test\"\nweb {\n");
    (void)state;
    for (int i = 0; i < 600; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " block category %s tcp %d\n",
                      i % 2 ? "none, a" : "b, a", i + 1);
    snprintf(text + n, sizeof text - (size_t)n, " allow any\n}\n");
    struct snapshot *s = snap_of(text);
    for (unsigned i = 0; i < 600; i++) {
        struct facts f = request(s, "10.1.1.1", "", i % 2 ? "free.test" : "b.test", "GET");
        f.dst_port = (uint16_t)(i + 1);
        struct verdict v = ask(s, &f);
        EXPECT(v, ACT_BLOCK, WHY_RULE, i + 4);
        assert_int_equal(v.category, i % 2 ? CATEGORY_NONE : 1);
        f = request(s, "10.1.1.1", "", "a.test", "GET");
        f.dst_port = (uint16_t)(i + 1);
        v = ask(s, &f);
        EXPECT(v, ACT_BLOCK, WHY_RULE, i + 4);
        assert_int_equal(v.category, 0);
    }
    snapshot_put(s);
}

static void the_same_facts_give_the_same_verdict(void **state)
{
    struct snapshot *s = snap_of("web {\n block upload\n block domain \"a.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict a = {0}, b = {0};
    decide(s, &f, &a);
    decide(s, &f, &b);
    assert_memory_equal(&a, &b, sizeof a);
    snapshot_put(s);
}

static void a_rule_says_where_and_why(void **state)
{
    struct snapshot *s = snap_of("web {\n   block   any   name \"n\"  owner \"o\" ticket \"t\"\treason \"say "
                                 "\\\"why\\\"\" log # comment\n}\n");
    (void)state;
    struct rule_info r = snapshot_rule(s, 0);
    assert_int_equal(snapshot_n_rules(s), 1);
    assert_true(span_eq(
        r.text, SPAN("block any name \"n\" owner \"o\" ticket \"t\" reason \"say \\\"why\\\"\" log")));
    assert_true(span_eq(r.name, SPAN("n")));
    assert_true(span_eq(r.owner, SPAN("o")));
    assert_true(span_eq(r.ticket, SPAN("t")));
    assert_true(span_eq(r.reason, SPAN("say \"why\"")));
    assert_true(r.log);
    assert_true(span_has_prefix(r.file, SPAN("/tmp/perron-policy-")));
    assert_int_equal(r.line, 5);
    assert_int_equal(snapshot_rule(s, 1).line, 0);
    assert_int_equal(snapshot_rule(s, RULE_NONE).text.n, 0);
    snapshot_put(s);
}

/* ---- on ---- */

static void on_lines_answer_by_event_and_scope(void **state)
{
    struct snapshot *s =
        snap_of("group pupils network 10.5.0.0/16\n"
                "on journal-full block for pupils allow from guests hold\non gateway-down open\n"
                "on lists-missing allow for pupils\nweb { allow any\n}\n");
    (void)state;
    struct facts pupil = hello(s, "10.5.0.1", "", "a.example");
    struct facts guest = hello(s, "172.16.0.1", "", "a.example");
    struct facts other = hello(s, "10.1.0.1", "", "a.example");
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, &pupil), ANSWER_BLOCK);
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, &guest), ANSWER_ALLOW);
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, &other), ANSWER_HOLD);
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, NULL), ANSWER_HOLD);
    assert_int_equal(snapshot_on(s, ON_GATEWAY_DOWN, NULL), ANSWER_OPEN);
    assert_int_equal(snapshot_on(s, ON_LISTS_MISSING, NULL), ANSWER_DEFAULT);
    assert_int_equal(snapshot_on(s, ON_LISTS_MISSING, &other), ANSWER_DEFAULT);
    assert_int_equal(snapshot_on(s, ON_LISTS_MISSING, &pupil), ANSWER_ALLOW);
    assert_int_equal(snapshot_on(s, ON_SIGNER_DOWN, &pupil), ANSWER_DEFAULT);
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_of_no_zone_is_blocked),
        cmocka_unit_test(the_internet_is_not_a_client),
        cmocka_unit_test(what_no_web_rule_names_is_blocked_at_once),
        cmocka_unit_test(a_default_that_a_request_could_lift_waits),
        cmocka_unit_test(a_blocked_name_is_blocked_although_tls_exempts_it),
        cmocka_unit_test(an_exempt_flow_takes_open_rules_as_no_match),
        cmocka_unit_test(an_exempt_flow_that_only_a_request_could_allow_is_blocked),
        cmocka_unit_test(open_block_rules_do_not_hold_up_a_certain_block),
        cmocka_unit_test(an_open_allow_rule_holds_up_a_certain_block),
        cmocka_unit_test(without_a_user_fact_rules_for_people_are_open),
        cmocka_unit_test(without_a_name_fact_name_rules_are_open),
        cmocka_unit_test(tls_rules_do_not_touch_plain_http),
        cmocka_unit_test(a_flow_not_yet_known_as_tls_waits_for_that),
        cmocka_unit_test(tls_block_blocks),
        cmocka_unit_test(without_a_tls_rule_everything_is_inspected),
        cmocka_unit_test(nothing_is_intercepted_in_a_zone_without_our_ca),
        cmocka_unit_test(in_a_zone_without_our_ca_an_exempt_rule_is_still_named),
        cmocka_unit_test(a_defect_that_no_rule_names_is_blocked),
        cmocka_unit_test(every_defect_needs_its_own_rule),
        cmocka_unit_test(certificate_rules_do_not_decide_whether_to_inspect),
        cmocka_unit_test(the_first_rule_that_matches_wins),
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
        cmocka_unit_test(the_trail_is_bounded_and_ends_with_what_decided),
        cmocka_unit_test(each_rule_of_many_is_found),
        cmocka_unit_test(each_rule_of_many_names_its_category),
        cmocka_unit_test(the_same_facts_give_the_same_verdict),
        cmocka_unit_test(a_rule_says_where_and_why),
        cmocka_unit_test(on_lines_answer_by_event_and_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
