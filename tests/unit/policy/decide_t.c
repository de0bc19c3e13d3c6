/* What decide() says, step by step: what must be stopped first, then what goes through. Line numbers count
 * from the first line of each test's own text. */
#include "policy/decide.h"

#include "tests/unit/policy/snap_help.h"

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

static void what_is_the_administrations_own_is_not_shown(void **state)
{
    struct snapshot *s = snap_of(
        "web {\n block owner \"o\" domain \"a.example\" ticket \"t\" from lan name \"n\" reason \"r\" "
        "except path \"/x\" log until 2030-01-01 # comment\n allow any\n}\n");
    (void)state;
    assert_true(span_eq(snapshot_rule(s, 0).shown,
                        SPAN("block domain \"a.example\" from lan except path \"/x\" until 2030-01-01")));
    assert_true(span_eq(snapshot_rule(s, 1).shown, SPAN("allow any")));
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
        cmocka_unit_test(the_trail_is_bounded_and_ends_with_what_decided),
        cmocka_unit_test(each_rule_of_many_is_found),
        cmocka_unit_test(each_rule_of_many_names_its_category),
        cmocka_unit_test(the_same_facts_give_the_same_verdict),
        cmocka_unit_test(a_rule_says_where_and_why),
        cmocka_unit_test(what_is_the_administrations_own_is_not_shown),
        cmocka_unit_test(on_lines_answer_by_event_and_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
