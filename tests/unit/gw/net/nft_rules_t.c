/* From a plan to nft text. That the kernel takes it and does what it says is shown in tests/net/test_nft.py.
 */
#include "gw/net/nft.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "gw/base/obj.h"

static const uint16_t web[] = {80, 443};

static struct nft_plan plan_of(const struct nft_zone *zones, size_t n)
{
    return (struct nft_plan){.zones = zones,
                             .n_zones = n,
                             .ports = web,
                             .n_ports = N_ELEMS(web),
                             .to4 = {.port = 3129},
                             .to6 = {.port = 3129},
                             .uid_first = 100,
                             .uid_last = 200,
                             .quic_refuse = true,
                             .closed = true};
}

static struct prefix net(const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(span_str(text), &p));
    return p;
}

typedef enum rc (*printer)(struct buf *out, const struct nft_plan *p, struct buf *err);

/* The text with a NUL behind it. */
static const char *print(printer f, struct buf *out, const struct nft_plan *p)
{
    struct buf err = {0};
    buf_clear(out);
    assert_int_equal(f(out, p, &err), RC_OK);
    assert_int_equal(buf_len(&err), 0);
    assert_int_equal(buf_put_u8(out, 0), RC_OK);
    return (const char *)buf_span(out).p;
}

static const char *own(struct buf *out, const struct nft_plan *p)
{
    return print(nft_rules_own, out, p);
}

static const char *closed(struct buf *out, const struct nft_plan *p)
{
    return print(nft_rules_closed, out, p);
}

static void expect_refused(struct nft_zone z, const char *why)
{
    struct nft_plan p = plan_of(&z, 1);
    struct buf out = {0}, err = {0};
    assert_int_equal(nft_rules_closed(&out, &p, &err), RC_CONFIG);
    buf_clear(&err);
    assert_int_equal(nft_rules_own(&out, &p, &err), RC_CONFIG);
    assert_int_equal(buf_len(&out), 0);
    assert_int_equal(buf_put_u8(&err, 0), RC_OK);
    assert_non_null(strstr((const char *)err.p, why));
    assert_ptr_equal(strchr((const char *)err.p, '\n') + 1,
                     (const char *)err.p + buf_len(&err) - 1); /* one line */
    buf_fini(&out);
    buf_fini(&err);
}

/* The text is a program: what is not a plain name would become one. */
static void an_interface_name_cannot_smuggle_rules(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a\" accept",       "a b",     "a;b", "a\nb", "lan*", "a{", "$x", "a#b", "a\\b", "a/b",
        "sixteen_letters_", "\xc3\xa9"};
    for (size_t i = 0; i < N_ELEMS(wrong); i++)
        expect_refused((struct nft_zone){.interface = span_str(wrong[i])}, "not the name of an interface");
    expect_refused((struct nft_zone){.interface = SPAN("a\0b")}, "not the name of an interface");
}

static void a_zone_of_everything_is_no_zone(void **state)
{
    (void)state;
    expect_refused((struct nft_zone){0}, "neither interface nor network");
}

static void an_empty_plan_only_removes(void **state)
{
    (void)state;
    struct nft_zone z = {.interface = SPAN("lan0")};
    struct nft_plan none[4] = {plan_of(&z, 0), plan_of(&z, 1), plan_of(&z, 1), plan_of(&z, 1)};
    struct buf out = {0};
    none[1].n_ports = 0;
    none[2].to4.port = none[2].to6.port = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_true(nft_plan_empty(&none[i]));
        assert_string_equal(own(&out, &none[i]),
                            "add table inet perron { flags owner; }\ndelete table inet perron\n");
        assert_string_equal(closed(&out, &none[i]),
                            "add table inet perron_closed\ndelete table inet perron_closed\n");
    }
    assert_false(nft_plan_empty(&none[3]));
    buf_fini(&out);
}

/* A chain that is made anew misses packets: the table stays, its rules are replaced. */
static void the_table_that_diverts_is_never_made_anew(void **state)
{
    (void)state;
    struct nft_zone z = {.interface = SPAN("lan0")};
    struct nft_plan p = plan_of(&z, 1);
    struct buf out = {0};
    const char *text = own(&out, &p);
    assert_non_null(strstr(text, "flush table inet perron\n"));
    assert_null(strstr(text, "delete"));
    buf_fini(&out);
}

static void open_has_no_second_table_and_refuses_quic_in_the_first(void **state)
{
    (void)state;
    struct nft_zone z = {.interface = SPAN("lan0")};
    struct nft_plan p = plan_of(&z, 1);
    struct buf out = {0};
    const char *shut = strstr(closed(&out, &p), "\ntable inet perron_closed {");
    assert_non_null(shut);
    assert_non_null(strstr(shut, "port-unreachable"));
    assert_non_null(strstr(shut, "drop"));
    p.closed = false;
    assert_null(strstr(closed(&out, &p), "\ntable inet perron_closed {"));
    const char *text = own(&out, &p);
    assert_non_null(strstr(text, "port-unreachable"));
    assert_null(strstr(text, "drop"));
    p.quic_refuse = false;
    assert_null(strstr(own(&out, &p), "port-unreachable"));
    buf_fini(&out);
}

static void a_family_without_a_listener_is_not_diverted(void **state)
{
    (void)state;
    struct nft_zone z = {.interface = SPAN("lan0")};
    struct nft_plan p = plan_of(&z, 1);
    struct buf out = {0};
    p.to6.port = 0;
    p.to4.addr = net("192.0.2.1").a;
    const char *text = own(&out, &p);
    assert_non_null(strstr(text, "tproxy ip to 192.0.2.1:3129 "));
    assert_null(strstr(text, "tproxy ip6"));
    p.to6 = (struct nft_target){net("2001:db8::1").a, 3130};
    text = own(&out, &p);
    assert_non_null(strstr(text, "tproxy ip6 to [2001:db8::1]:3130 "));
    assert_non_null(strstr(text, "tcp dport != { 3129, 3130 } socket transparent 1"));
    buf_fini(&out);
}

static void each_network_has_a_rule_of_its_family(void **state)
{
    (void)state;
    const struct prefix nets[] = {net("10.0.0.0/8"), net("fd00::/8"), net("192.0.2.7")},
                        all[] = {net("0.0.0.0/0")};
    const struct nft_zone zones[] = {{.nets = nets, .n_nets = 3},
                                     {.interface = SPAN("wlan-0.7"), .nets = all, .n_nets = 1}};
    struct nft_plan p = plan_of(zones, 2);
    struct buf out = {0};
    const char *text = own(&out, &p);
    assert_non_null(strstr(text, "  ip saddr 10.0.0.0/8 goto take\n"));
    assert_non_null(strstr(text, "  ip saddr 192.0.2.7/32 goto take\n"));
    assert_non_null(strstr(text, "  ip6 saddr fd00::/8 goto take\n"));
    assert_non_null(strstr(text, "  iifname \"wlan-0.7\" meta nfproto ipv4 goto take\n"));
    assert_null(strstr(text, "iifname \"wlan-0.7\" meta nfproto ipv6"));
    assert_non_null(strstr(text, "tcp dport != { 80, 443 } accept\n"));
    assert_non_null(strstr(text, "meta skuid 100-200"));
    assert_non_null(strstr(closed(&out, &p), "tcp dport { 80, 443 } jump tcp_zones\n"));
    buf_fini(&out);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

/* Interfaces that lead to people and not to the internet, each once; in both tables. */
static void strangers_are_looked_for_where_zones_have_interfaces(void **state)
{
    (void)state;
    const struct prefix nets[] = {net("10.0.0.0/8")};
    const struct nft_zone zones[] = {{.interface = SPAN("lan0"), .nets = nets, .n_nets = 1},
                                     {.interface = SPAN("lan0"), .nets = nets, .n_nets = 1},
                                     {.nets = nets, .n_nets = 1},
                                     {.interface = SPAN("eth7"), .nets = nets, .n_nets = 1}};
    struct nft_plan p = plan_of(zones, N_ELEMS(zones));
    struct buf out = {0};
    const printer both[] = {nft_rules_own, nft_rules_closed};
    for (size_t i = 0; i < 2; i++) {
        p.internet = SPAN_NONE;
        const char *text = print(both[i], &out, &p);
        assert_int_equal(count(text, "jump strangers"), 2);
        assert_int_equal(count(text, "  iifname \"lan0\" jump strangers\n"), 1);
        assert_int_equal(count(text, "  iifname \"eth7\" jump strangers\n"), 1);
        assert_non_null(strstr(text, "  iifname \"lan0\" ip saddr 10.0.0.0/8 return\n"));
        assert_non_null(strstr(text, "  ip saddr 10.0.0.0/8 return\n"));
        p.internet = SPAN("eth7");
        assert_int_equal(count(print(both[i], &out, &p), "jump strangers"), 1);
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interface_name_cannot_smuggle_rules),
        cmocka_unit_test(a_zone_of_everything_is_no_zone),
        cmocka_unit_test(an_empty_plan_only_removes),
        cmocka_unit_test(the_table_that_diverts_is_never_made_anew),
        cmocka_unit_test(open_has_no_second_table_and_refuses_quic_in_the_first),
        cmocka_unit_test(a_family_without_a_listener_is_not_diverted),
        cmocka_unit_test(each_network_has_a_rule_of_its_family),
        cmocka_unit_test(strangers_are_looked_for_where_zones_have_interfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
