/* What the whole language decides beyond names and requests: packets, warnings, modifiers, logs, observed
 * zones, delegated files, client certificates, content, time. Line numbers as in decide_t.c. */
#include "policy/decide.h"

#include "gw/base/obj.h"
#include "tests/unit/policy/snap_help.h"

enum { EXPIRED = 1 << 2, ASKS = 1 << 16 };
/* Tuesday 2026-11-24 10:00 in Brussels. */
enum { TUESDAY_TEN = 1795510800 };

static uint64_t key_of_line(const struct snapshot *s, unsigned line)
{
    for (uint32_t i = 0; i < snapshot_n_rules(s); i++) {
        if (snapshot_rule(s, i).line == line + 3)
            return snapshot_rule(s, i).key;
    }
    fail();
    return 0;
}

/* ---- packets ---- */

static void what_the_firewall_does_not_allow_is_blocked(void **state)
{
    struct snapshot *s =
        snap_of("firewall {\n allow from lan to internet tcp 443\n allow to internet udp 53 from lan\n"
                " forbid icmp\n}\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    f.dst = addr_of("192.0.2.1");
    f.known |= FACT_BIT(DST);
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    f.dst_port = 80;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    assert_int_equal(v.layer, LAYER_FIREWALL);
    for (f.step = STEP_CERTIFICATE; f.step <= STEP_REQUEST; f.step++) {
        v = ask(s, &f);
        EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
        assert_int_equal(v.layer, LAYER_FIREWALL);
    }
    f.step = STEP_CONNECT;
    f.proto = 17;
    f.dst_port = 53;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 3);
    assert_int_equal(v.layer, LAYER_FIREWALL);
    f.dst_port = 443; /* a rule on TCP is none on UDP */
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    f.proto = 58;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    assert_true(v.forbid);
    snapshot_put(s);
}

static void a_destination_that_is_not_looked_up_leaves_the_firewall_open(void **state)
{
    struct snapshot *s =
        snap_of("firewall {\n allow from lan to network 192.0.2.0/24\n}\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, FACT_BIT(DST));
    f = request(s, "10.1.1.1", "", "a.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    assert_int_equal(v.waits_for, FACT_BIT(DST));
    f.known |= FACT_BIT(DST);
    f.dst = addr_of("192.0.2.9");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    assert_int_equal(v.waits_for, 0);
    f.dst = addr_of("198.51.100.9");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFAULT, 0);
    snapshot_put(s);
}

static void without_a_firewall_block_packets_pass(void **state)
{
    struct snapshot *s = snap_of("web { block any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    f.proto = 17;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    assert_int_equal(v.layer, LAYER_FIREWALL);
    snapshot_put(s);
}

/* ---- warn ---- */

static void a_warning_is_shown_until_it_is_clicked(void **state)
{
    struct snapshot *s = snap_of("category game domain \"game.example\"\n"
                                 "web {\n warn category game\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "game.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    f = request(s, "10.1.1.1", "", "game.example", "GET");
    v = ask(s, &f);
    EXPECT(v, ACT_WARN, WHY_RULE, 3);
    assert_int_equal(v.category, 0);
    f.clicked[0] = key_of_line(s, 4);
    f.n_clicked = 1;
    v = ask(s, &f);
    EXPECT(v, ACT_WARN, WHY_RULE, 3);
    f.clicked[1] = key_of_line(s, 3);
    v = ask(s, &f); /* of which one counts */
    EXPECT(v, ACT_WARN, WHY_RULE, 3);
    f.n_clicked = 2;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_CLICKED, 3);
    snapshot_put(s);
}

static void where_no_page_can_be_shown_a_warning_blocks(void **state)
{
    struct snapshot *s = snap_of("tls {\n exempt domain \"own.example\"\n}\nweb {\n warn any\n}\n");
    (void)state;
    struct facts f = hello(s, "172.16.0.1", "", "game.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 5);
    f.clicked[f.n_clicked++] = key_of_line(s, 5);
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_ZONE_NO_CA, 0);
    f = hello(s, "10.1.1.1", "", "own.example");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 5);
    f.tls = false; /* plain: a page can be shown */
    v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_DEFAULT, 0);
    snapshot_put(s);
}

/* ---- set, quota, log ---- */

static bool has_mod(const struct verdict *v, enum modifier kind, const char *value)
{
    for (unsigned i = 0; i < v->n_mods; i++) {
        if (v->mods[i].kind == kind && span_eq(v->mods[i].value, span_str(value)))
            return true;
    }
    return false;
}

static void the_first_value_of_each_modifier_wins(void **state)
{
    struct snapshot *s =
        snap_of("group pupils user \"jean\"\n"
                "web {\n set youtube strict, header \"X-Org: one\" for pupils\n"
                " set youtube moderate, safe-search, header \"x-org: two\", header \"Y-Org: b\" any\n"
                " block domain \"bad.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "jean", "a.example", "GET");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 6);
    assert_int_equal(v.n_mods, 4);
    assert_true(has_mod(&v, MOD_YOUTUBE, "strict") && has_mod(&v, MOD_SAFE_SEARCH, "") &&
                has_mod(&v, MOD_HEADER, "X-Org: one") && has_mod(&v, MOD_HEADER, "Y-Org: b"));
    assert_int_equal(snapshot_rule(s, v.mods[0].rule).line, 6);
    f.user = SPAN("marie");
    v = ask(s, &f);
    assert_int_equal(v.n_mods, 4);
    assert_true(has_mod(&v, MOD_YOUTUBE, "moderate") && has_mod(&v, MOD_HEADER, "x-org: two"));
    f = request(s, "10.1.1.1", "jean", "bad.example", "GET");
    v = ask(s, &f);
    assert_int_equal(v.n_mods, 0);
    f = hello(s, "10.1.1.1", "jean", "a.example");
    v = ask(s, &f);
    assert_int_equal(v.n_mods, 0);
    snapshot_put(s);
}

static void a_quota_that_is_used_up_blocks(void **state)
{
    struct snapshot *s = snap_of("category film domain \"film.example\"\n"
                                 "web {\n set quota 1h per user per day, safe-search category film\n"
                                 " set quota 2h per user per day any\n allow any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "jean", "film.example", "GET");
    f.time_s = 1000;
    f.quota_used_s = 3600; /* not known to be so */
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 5);
    assert_int_equal(v.valid_until, INT64_MAX);
    f.known |= FACT_BIT(QUOTA);
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 3);
    assert_int_equal(v.layer, LAYER_WEB);
    assert_int_equal(v.category, 0);
    assert_int_equal(v.n_mods, 0);
    f.quota_used_s = 3599;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 5);
    assert_int_equal(v.n_mods, 2);
    assert_int_equal(v.valid_until, 1001);
    f = request(s, "10.1.1.1", "jean", "other.example", "GET");
    f.known |= FACT_BIT(QUOTA);
    f.quota_used_s = 7199;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 5);
    f.quota_used_s = 7200;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    snapshot_put(s);
}

static void log_rules_add_entries_where_their_block_is_settled(void **state)
{
    struct snapshot *s =
        snap_of("firewall {\n log from lan purpose net\n allow any\n}\n"
                "tls {\n exempt domain \"bank.example\"\n}\n"
                "web {\n log any purpose \"who looks\"\n block domain \"bad.example\"\n allow any\n}\n"
                "content {\n log pattern iban purpose leak\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    struct verdict v = ask(s, &f);
    assert_int_equal(v.n_logs, 1);
    assert_true(span_eq(snapshot_rule(s, v.logs[0]).purpose, SPAN("net")));
    f = hello(s, "10.1.1.1", "", "bank.example");
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 2);
    f = hello(s, "10.1.1.1", "", "bad.example");
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 2);
    f = request(s, "10.1.1.1", "", "a.example", "GET");
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 1);
    assert_true(span_eq(snapshot_rule(s, v.logs[0]).purpose, SPAN("who looks")));
    f.step = STEP_CERTIFICATE;
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 0);
    f.defects = EXPIRED;
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 1);
    f.step = STEP_CONTENT;
    f.known |= FACT_BIT(PATTERN);
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 0);
    f.patterns[f.n_patterns++] = SPAN("iban");
    v = ask(s, &f);
    assert_int_equal(v.n_logs, 1);
    snapshot_put(s);
}

/* ---- observe ---- */

static void what_is_observed_is_decided_as_written(void **state)
{
    struct snapshot *s =
        snap_of("observe from lan for user \"jean\" until 2026-11-24 10:30\n"
                "web {\n block domain \"bad.example\" observe until 2026-11-24\n block any\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "jean", "a.example", "GET");
    f.time_s = TUESDAY_TEN;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    assert_true(v.observed);
    assert_int_equal(v.valid_until, TUESDAY_TEN + 1800);
    f.time_s = v.valid_until;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 4);
    assert_false(v.observed);
    f.user = SPAN("marie");
    f.time_s = TUESDAY_TEN;
    v = ask(s, &f);
    assert_false(v.observed);
    f.name = SPAN("bad.example");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 3);
    assert_true(v.observed);
    assert_int_equal(v.valid_until, TUESDAY_TEN + 14 * 3600);
    f.time_s = v.valid_until;
    v = ask(s, &f);
    assert_false(v.observed);
    f = hello(s, "192.0.2.1", "jean", "a.example");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
    assert_false(v.observed);
    snapshot_put(s);
}

/* ---- time ---- */

static void a_verdict_says_until_when_it_holds(void **state)
{
    struct snapshot *s = snap_of("schedule class mon-fri 08:15-12:00 13:00-16:30\n"
                                 "web {\n block domain \"game.example\" during class\n"
                                 " block domain \"film.example\" outside class\n"
                                 " block domain \"new.example\" since 2026-11-25\n"
                                 " block domain \"old.example\" until 2026-11-24 10:05\n allow any\n}\n");
    static const struct {
        const char *name;
        enum action action;
        int64_t in_s;
    } cases[] = {{"game.example", ACT_BLOCK, 7200},
                 {"film.example", ACT_ALLOW, 7200},
                 {"new.example", ACT_ALLOW, 14 * 3600},
                 {"old.example", ACT_BLOCK, 300},
                 {"free.example", ACT_ALLOW, -1}};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct facts f = request(s, "10.1.1.1", "", cases[i].name, "GET");
        f.time_s = TUESDAY_TEN;
        struct verdict v = ask(s, &f);
        assert_int_equal(v.action, cases[i].action);
        assert_int_equal(v.valid_until, cases[i].in_s < 0 ? INT64_MAX : TUESDAY_TEN + cases[i].in_s);
        if (cases[i].in_s < 0)
            continue;
        f.time_s = v.valid_until;
        v = ask(s, &f);
        assert_int_not_equal(v.action, cases[i].action);
    }
    int64_t until;
    assert_int_equal(snapshot_n_schedules(s), 1);
    assert_true(span_eq(snapshot_schedule_name(s, 0), SPAN("class")));
    assert_true(snapshot_schedule_active(s, 0, TUESDAY_TEN, &until));
    assert_int_equal(until, TUESDAY_TEN + 7200);
    assert_false(snapshot_schedule_active(s, 0, until, &until));
    assert_int_equal(until, TUESDAY_TEN + 3 * 3600);
    assert_false(snapshot_schedule_active(s, 1, TUESDAY_TEN, &until));
    snapshot_put(s);
}

/* Three are on at once by the clock; one of them is taken away that day. */
static void an_exception_takes_away_its_own_schedule_alone(void **state)
{
    struct snapshot *s =
        snap_of("schedule a mon-fri 08:00-12:00 except 2026-11-25\n"
                "schedule b mon-fri 08:00-12:00\nschedule c mon-fri 08:00-12:00\n"
                "web {\n block domain \"a.example\" during a\n block domain \"b.example\" during b\n"
                " block domain \"c.example\" during c\n allow any\n}\n");
    (void)state;
    for (unsigned day = 0; day < 2; day++) {
        for (unsigned i = 0; i < 3; i++) {
            char name[] = "x.example";
            name[0] = (char)('a' + i);
            struct facts f = request(s, "10.1.1.1", "", name, "GET");
            f.time_s = TUESDAY_TEN + (int64_t)day * 86400;
            struct verdict v = ask(s, &f);
            assert_int_equal(v.action, day && i == 0 ? ACT_ALLOW : ACT_BLOCK);
        }
    }
    snapshot_put(s);
}

static void many_ends_are_found_fast_and_right(void **state)
{
    static char text[1 << 16];
    size_t n = (size_t)snprintf(text, sizeof text, "web {\n");
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              " block domain \"d%u.example\" until 2026-11-24 %02u:%02u\n", i, 8 + i / 60,
                              i % 60);
    snprintf(text + n, sizeof text - n, " allow any\n}\n");
    struct snapshot *s = snap_of(text);
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%u.example", i);
        struct facts f = request(s, "10.1.1.1", "", name, "GET");
        f.time_s = TUESDAY_TEN - 7200 + (int64_t)i * 60 - 1;
        struct verdict v = ask(s, &f);
        assert_int_equal(v.action, ACT_BLOCK);
        assert_int_equal(v.valid_until, f.time_s + 1);
        f.time_s++;
        v = ask(s, &f);
        assert_int_equal(v.action, ACT_ALLOW);
        assert_int_equal(v.valid_until, INT64_MAX);
    }
    snapshot_put(s);
}

/* ---- certificates ---- */

static void a_site_that_asks_for_a_client_certificate_is_exempted_by_rule_alone(void **state)
{
    struct snapshot *s = snap_of("category eid domain \"eid.example\", \"bad.eid.example\"\n"
                                 "tls {\n exempt certificate asks-client-certificate category eid\n"
                                 " allow certificate expired for user \"jean\"\n inspect any\n}\n"
                                 "web {\n block domain \"bad.eid.example\"\n allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "www.eid.example");
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_INSPECT, WHY_RULE, 5);
    f.step = STEP_CERTIFICATE;
    f.known |= FACT_BIT(DEFECTS);
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    f.defects = ASKS;
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 3);
    assert_int_equal(v.n_trail, 1);
    f.defects = ASKS | EXPIRED;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_DEFECT, 0);
    f.user = SPAN("jean");
    v = ask(s, &f);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 3);
    f.name = SPAN("bad.eid.example");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 8);
    f = hello(s, "10.1.1.1", "jean", "other.example");
    f.step = STEP_CERTIFICATE;
    f.known |= FACT_BIT(DEFECTS);
    f.defects = ASKS;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    assert_int_equal(v.n_trail, 0);
    snapshot_put(s);
}

/* ---- content ---- */

static void content_waits_for_what_may_still_be_found(void **state)
{
    struct snapshot *s = snap_of("web { allow any\n}\ncontent {\n allow type image\n forbid virus\n"
                                 " block signature severity 1-2\n block type executable\n}\n");
    (void)state;
    struct facts f = request(s, "10.1.1.1", "", "a.example", "GET");
    f.step = STEP_CONTENT;
    struct verdict v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    assert_int_equal(v.layer, LAYER_CONTENT);
    assert_int_equal(v.waits_for, FACT_BIT(TYPE) | FACT_BIT(VIRUS) | FACT_BIT(SIGNATURE));
    f.known |= FACT_BIT(VIRUS);
    f.virus = SPAN("Eicar");
    v = ask(s, &f); /* it may be an image yet */
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, FACT_BIT(TYPE));
    f.known |= FACT_BIT(TYPE);
    f.type = SPAN("executable");
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 5);
    assert_true(v.forbid);
    f.virus = SPAN_NONE;
    v = ask(s, &f); /* whatever a signature finds, it is blocked */
    EXPECT(v, ACT_BLOCK, WHY_RULE, 7);
    f.known |= FACT_BIT(SIGNATURE);
    f.severity = 2;
    v = ask(s, &f);
    EXPECT(v, ACT_BLOCK, WHY_RULE, 6);
    f.severity = 3;
    f.type = SPAN("pdf");
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_DEFAULT, 0);
    assert_int_equal(v.waits_for, 0);
    f.type = SPAN("image");
    f.severity = 1;
    v = ask(s, &f);
    EXPECT(v, ACT_ALLOW, WHY_RULE, 4);
    snapshot_put(s);
}

/* ---- keys, texts, `on`, tls alone ---- */

static void a_rule_keeps_its_key_when_it_is_moved(void **state)
{
    struct snapshot *a =
        snap_of("web {\n block domain \"a.example\", \"b.example\" upload\n allow any name \"last\"\n}\n");
    struct snapshot *s =
        snap_of("web {\n warn domain \"c.example\"\n"
                " block upload domain \"b.example\", \"a.example\" owner \"x\" until 2030-01-01\n"
                " block upload domain \"b.example\", \"a.example\"\n block any name \"last\"\n}\n");
    (void)state;
    assert_int_equal(key_of_line(a, 2), key_of_line(s, 3));
    assert_int_equal(key_of_line(a, 3), key_of_line(s, 5));
    assert_int_not_equal(key_of_line(s, 3), key_of_line(s, 4));
    assert_int_not_equal(key_of_line(s, 2), key_of_line(s, 3));
    assert_int_equal(snapshot_rule_find(s, key_of_line(s, 4)), 2);
    assert_int_equal(snapshot_rule_find(s, 1), RULE_NONE);
    snapshot_put(a);
    snapshot_put(s);
}

static void rules_say_what_they_are(void **state)
{
    struct snapshot *s =
        snap_of("firewall {\n allow to internet tcp 443 quic refuse\n masquerade from lan to internet\n}\n"
                "web {\n block any since 2026-11-24 until 2026-11-25 observe until 2026-11-24\n}\n"
                "observe from lan until 2026-11-24\n");
    (void)state;
    struct rule_info r = snapshot_rule(s, 0);
    assert_true(span_eq(r.verb, SPAN("block")) && span_eq(r.block, SPAN("web")) && !r.quic_refuse);
    assert_int_equal(r.since, TUESDAY_TEN - 10 * 3600);
    assert_int_equal(r.until, TUESDAY_TEN + 38 * 3600);
    assert_int_equal(r.observe_until, TUESDAY_TEN + 14 * 3600);
    r = snapshot_rule(s, 1);
    assert_true(span_eq(r.block, SPAN("firewall")) && r.quic_refuse);
    assert_int_equal(r.since, INT64_MIN);
    assert_int_equal(r.until, INT64_MAX);
    r = snapshot_rule(s, 2);
    assert_true(span_eq(r.verb, SPAN("observe")) && span_eq(r.block, SPAN("observe")));
    assert_true(span_eq(r.text, SPAN("observe from lan until 2026-11-24")));
    r = snapshot_rule(s, 3);
    assert_true(span_eq(r.verb, SPAN("masquerade")));
    assert_int_equal(snapshot_n_rules(s), 4);
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    assert_int_equal(decide_why_not(s, &f, 3).asks, 0);
    assert_int_equal(decide_why_not(s, &f, 99).asks, 0);
    assert_true(decide_why_not(s, &f, 0).not_yet);
    f.time_s = TUESDAY_TEN + 38 * 3600;
    assert_true(decide_why_not(s, &f, 0).over);
    snapshot_put(s);
}

static void lines_about_what_is_missing_have_conditions(void **state)
{
    struct snapshot *s =
        snap_of("schedule night mon-sun 22:00-06:00\n"
                "on journal-full allow during night block from guests hold\nweb { allow any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "a.example");
    f.time_s = TUESDAY_TEN;
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, &f), ANSWER_HOLD);
    f.time_s = TUESDAY_TEN + 14 * 3600;
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, &f), ANSWER_ALLOW);
    assert_int_equal(snapshot_on(s, ON_JOURNAL_FULL, NULL), ANSWER_HOLD);
    assert_int_equal(snapshot_on(s, ON_LOGGER_DOWN, &f), ANSWER_DEFAULT);
    assert_int_equal(snapshot_on_rule(s, ON_LOGGER_DOWN, &f), RULE_NONE);
    assert_true(span_eq(snapshot_rule(s, snapshot_on_rule(s, ON_JOURNAL_FULL, &f)).verb, SPAN("on")));
    snapshot_put(s);
}

/* A table of at most 64 rules is one word, a larger one blocks of lists and bit sets. */
static void every_rule_is_found_in_tables_of_any_size(void **state)
{
    static const unsigned sizes[] = {1, 2, 63, 64, 65, 66, 128, 511, 512, 513, 1025};
    static char text[1 << 18];
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "web {\n");
        for (unsigned r = 1; r < sizes[i]; r++)
            n += (size_t)snprintf(text + n, sizeof text - n,
                                  " block domain \"d%u.example\" except for user \"u%u\", \"all\"\n", r,
                                  r % 50);
        snprintf(text + n, sizeof text - n, " allow any\n}\n");
        struct snapshot *s = snap_of(text);
        for (unsigned r = 1; r < sizes[i]; r++) {
            char name[32], user[16];
            snprintf(name, sizeof name, "www.d%u.example", r);
            snprintf(user, sizeof user, "u%u", r % 50);
            struct facts f = request(s, "10.1.1.1", "somebody", name, "GET");
            struct verdict v = ask(s, &f);
            EXPECT(v, ACT_BLOCK, WHY_RULE, r + 1);
            f.user = span_str(user);
            v = ask(s, &f);
            EXPECT(v, ACT_ALLOW, WHY_RULE, sizes[i] + 1);
            f.user = SPAN("all");
            v = ask(s, &f);
            EXPECT(v, ACT_ALLOW, WHY_RULE, sizes[i] + 1);
            assert_int_equal(decide_why_not(s, &f, sizes[i] - 1).refuses, 0);
            assert_int_equal(decide_why_not(s, &f, r - 1).excepts != 0, 1);
        }
        snapshot_put(s);
    }
}

static void tls_alone_exempts_or_inspects(void **state)
{
    struct snapshot *s = snap_of(
        "tls {\n exempt domain \"bank.example\"\n block domain \"bad.example\"\n}\nweb { block any\n}\n");
    (void)state;
    struct facts f = hello(s, "10.1.1.1", "", "bank.example");
    struct verdict v;
    decide_tls(s, &f, &v);
    EXPECT(v, ACT_EXEMPT, WHY_RULE, 2);
    f.name = SPAN("bad.example");
    decide_tls(s, &f, &v);
    assert_int_equal(v.action, ACT_INSPECT);
    f = hello(s, "172.16.0.1", "", "a.example");
    decide_tls(s, &f, &v);
    EXPECT(v, ACT_EXEMPT, WHY_ZONE_NO_CA, 0);
    f = hello(s, "192.0.2.1", "", "a.example");
    decide_tls(s, &f, &v);
    EXPECT(v, ACT_INSPECT, WHY_NO_ZONE, 0);
    snapshot_put(s);
}

/* `on broken` exempts what `tls` wants inspected: what only a request could have lifted stands. */
static void what_nobody_decrypts_is_judged_by_its_name(void **state)
{
    struct snapshot *s =
        snap_of("tls {\n inspect any\n}\nweb {\n allow path \"/ok\" domain \"path.example\"\n"
                " block domain \"path.example\"\n warn domain \"warned.example\"\n"
                " block path \"/bad\" domain \"part.example\"\n allow any\n}\n");
    static const struct {
        const char *name;
        enum action action;
        unsigned line;
    } row[] = {
        {"path.example", ACT_BLOCK, 6}, {"warned.example", ACT_BLOCK, 7}, {"part.example", ACT_ALLOW, 0}};
    struct facts f;
    struct verdict v;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(row); i++) {
        f = hello(s, "10.1.1.1", "", row[i].name);
        decide(s, &f, &v);
        assert_int_equal(v.action, ACT_INSPECT);
        decide_unseen(s, &f, &v);
        EXPECT(v, row[i].action, WHY_RULE, row[i].line);
    }
    f = hello(s, "192.0.2.1", "", "part.example");
    decide_unseen(s, &f, &v);
    EXPECT(v, ACT_BLOCK, WHY_NO_ZONE, 0);
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_firewall_does_not_allow_is_blocked),
        cmocka_unit_test(a_destination_that_is_not_looked_up_leaves_the_firewall_open),
        cmocka_unit_test(without_a_firewall_block_packets_pass),
        cmocka_unit_test(a_warning_is_shown_until_it_is_clicked),
        cmocka_unit_test(where_no_page_can_be_shown_a_warning_blocks),
        cmocka_unit_test(the_first_value_of_each_modifier_wins),
        cmocka_unit_test(a_quota_that_is_used_up_blocks),
        cmocka_unit_test(log_rules_add_entries_where_their_block_is_settled),
        cmocka_unit_test(what_is_observed_is_decided_as_written),
        cmocka_unit_test(a_verdict_says_until_when_it_holds),
        cmocka_unit_test(an_exception_takes_away_its_own_schedule_alone),
        cmocka_unit_test(many_ends_are_found_fast_and_right),
        cmocka_unit_test(a_site_that_asks_for_a_client_certificate_is_exempted_by_rule_alone),
        cmocka_unit_test(content_waits_for_what_may_still_be_found),
        cmocka_unit_test(a_rule_keeps_its_key_when_it_is_moved),
        cmocka_unit_test(rules_say_what_they_are),
        cmocka_unit_test(lines_about_what_is_missing_have_conditions),
        cmocka_unit_test(every_rule_is_found_in_tables_of_any_size),
        cmocka_unit_test(tls_alone_exempts_or_inspects),
        cmocka_unit_test(what_nobody_decrypts_is_judged_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
