/* Addresses, prefixes and names: one form for one thing, and nothing that a stranger writes passes for
 * another. */
#include "gw/base/addr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "gw/base/limits.h"

#define EACH(list, i) for (size_t i = 0; i < sizeof(list) / sizeof((list)[0]); i++)

static struct addr addr_of(const char *text)
{
    struct addr a = {0};
    if (!addr_parse(span_str(text), &a))
        fail_msg("%s is no address", text);
    return a;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix p = {0};
    if (!prefix_parse(span_str(text), &p))
        fail_msg("%s is no prefix", text);
    return p;
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "256.1.1.1",
                                        "01.2.3.4",
                                        "1.2.3.04",
                                        "0x1.2.3.4",
                                        " 1.2.3.4",
                                        "1.2.3.4 ",
                                        "1.2.3.4/32",
                                        "1..3.4",
                                        "2130706433",
                                        ":",
                                        ":::",
                                        "1::2::3",
                                        "12345::",
                                        "fe80::1%lo",
                                        "[::1]",
                                        "1:2:3:4:5:6:7:8:9",
                                        "::1.2.3",
                                        "g::",
                                        "0000000000000000000000000000000000000000000000::1"};
    struct addr a;
    EACH(wrong, i)
    {
        if (addr_parse(span_str(wrong[i]), &a))
            fail_msg("%s passed for an address", wrong[i]);
    }
    assert_false(addr_parse(SPAN("1.2.3.4\0"), &a));
}

static void one_address_has_one_form(void **state)
{
    (void)state;
    char text[ADDR_TEXT];
    struct addr plain = addr_of("192.0.2.1"), mapped = addr_of("::ffff:192.0.2.1"),
                hex = addr_of("::ffff:c000:201");
    assert_int_equal(mapped.family, 4);
    assert_true(addr_eq(&plain, &mapped) && addr_eq(&plain, &hex));
    struct addr six = addr_of("2001:DB8:0:0:0:0:0:1");
    assert_string_equal(addr_text(&six, text), "2001:db8::1");
    assert_string_equal(addr_text(&plain, text), "192.0.2.1");
    assert_string_equal(addr_text(&(struct addr){0}, text), "-");
    assert_false(addr_eq(&plain, &six));
}

static void socket_addresses_go_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::"};
    EACH(texts, i)
    {
        struct sockaddr_storage ss;
        uint16_t port = 0;
        struct addr a = addr_of(texts[i]);
        assert_true(addr_to_sockaddr(&a, 443, &ss) >= sizeof(struct sockaddr_in));
        struct addr back = addr_from_sockaddr(&ss, &port);
        assert_true(addr_eq(&a, &back));
        assert_int_equal(port, 443);
    }
    struct sockaddr_storage none = {.ss_family = AF_UNIX};
    assert_int_equal(addr_from_sockaddr(&none, NULL).family, 0);
    /* what a dual-stack listener hands over for an IPv4 client */
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    memcpy(in6.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16);
    memcpy(&none, &in6, sizeof in6);
    assert_int_equal(addr_from_sockaddr(&none, NULL).family, 4);
}

static void what_is_no_prefix_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "/8",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/08",
                                        "10.0.0.0/ 8",
                                        "10.0.0.1/8",
                                        "10.0.0.0/8/8",
                                        "10.0.0.0/8 ",
                                        "2001:db8::/129",
                                        "2001:db8::1/64",
                                        "1.2.3.5/31",
                                        "::ffff:10.0.0.0/8",
                                        "::ffff:10.0.0.0/104"};
    struct prefix p;
    EACH(wrong, i)
    {
        if (prefix_parse(span_str(wrong[i]), &p))
            fail_msg("%s passed for a prefix", wrong[i]);
    }
}

static void a_prefix_has_what_lies_in_it(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *inside, *outside;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
        {"10.32.0.0/12", "10.47.255.255", "10.48.0.0"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        {"0.0.0.0/0", "255.1.2.3", "::1"},
        {"::/0", "ffff::", "0.0.0.0"},
        {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::"},
    };
    EACH(cases, i)
    {
        struct prefix p = prefix_of(cases[i].prefix);
        struct addr in = addr_of(cases[i].inside), out = addr_of(cases[i].outside);
        assert_true(prefix_has(&p, &in));
        assert_false(prefix_has(&p, &out));
    }
}

/* Where a name from outside may not lead: RFC 6890 and what hides behind translators. */
static void private_addresses_are_known_in_every_dress(void **state)
{
    (void)state;
    static const char *const private[] = {"0.0.0.0",
                                          "10.1.2.3",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.255.254",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.168.1.1",
                                          "198.18.0.1",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "240.0.0.1",
                                          "::",
                                          "::1",
                                          "::7f00:1",
                                          "::ffff:127.0.0.1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd00::1",
                                          "ff02::1",
                                          "64:ff9b::7f00:1",
                                          "64:ff9b::a00:1",
                                          "64:ff9b:1::1",
                                          "2002:7f00:1::",
                                          "2002:c0a8:101::1",
                                          "100::1",
                                          "fec0::1"};
    static const char *const public[] = {
        "1.1.1.1",     "9.255.255.255", "11.0.0.0",         "100.63.255.255",
        "100.128.0.0", "172.15.0.1",    "172.32.0.0",       "192.167.1.1",
        "192.0.2.1",   "198.51.100.1",  "203.0.113.1",      "223.255.255.255",
        "2001:db8::1", "2606:4700::1",  "64:ff9b::808:808", "2002:808:808::1"};
    EACH(private, i)
    {
        struct addr a = addr_of(private[i]);
        if (!addr_is_private(&a))
            fail_msg("%s passed for public", private[i]);
    }
    EACH(public, i)
    {
        struct addr a = addr_of(public[i]);
        if (addr_is_private(&a))
            fail_msg("%s passed for private", public[i]);
    }
}

static void local_addresses_are_no_destination(void **state)
{
    (void)state;
    static const char *const local[] = {
        "0.0.0.0", "127.0.0.1",       "169.254.1.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "ff02::1", "64:ff9b::7f00:1", "::2",         "::7f00:1",  "2001::80ff:fffe"};
    static const char *const other[] = {"10.0.0.1", "192.168.1.1", "8.8.8.8",
                                        "fd00::1",  "2001:db8::1", "64:ff9b::808:808"};
    EACH(local, i)
    {
        struct addr a = addr_of(local[i]);
        if (!addr_is_local(&a))
            fail_msg("%s", local[i]);
    }
    EACH(other, i)
    {
        struct addr a = addr_of(other[i]);
        if (addr_is_local(&a))
            fail_msg("%s", other[i]);
    }
}

/* ---- names */

static void what_is_no_host_name_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        ".",
                                        "..",
                                        "a..b",
                                        ".a",
                                        "a b",
                                        "a/b",
                                        "a:80",
                                        "a@b",
                                        "a%2e",
                                        "[::1]",
                                        "::1",
                                        ("b\xc3\xbc"
                                         "cher.example"),
                                        "a\\b",
                                        "a\tb",
                                        "1.2.3.4",
                                        "127.1",
                                        "0x7f.1",
                                        "017700000001",
                                        "2130706433",
                                        "0x7f000001",
                                        "1.2.3.4.",
                                        "127.0.1",
                                        "0",
                                        "0x"};
    uint8_t out[LIM_NAME_BYTES];
    EACH(wrong, i)
    {
        if (name_normalise(span_str(wrong[i]), out) != 0)
            fail_msg("%s passed for a name", wrong[i]);
    }
    assert_int_equal(name_normalise(SPAN("a\0b"), out), 0);
}

static span repeat(uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        b[i] = i % 64 == 63 ? '.' : 'a';
    return span_of(b, n);
}

static void lengths_end_where_dns_ends_them(void **state)
{
    (void)state;
    uint8_t out[LIM_NAME_BYTES], b[300];
    memset(b, 'a', sizeof b);
    assert_int_equal(name_normalise(span_of(b, 63), out), 63);
    assert_int_equal(name_normalise(span_of(b, 64), out), 0);
    assert_int_equal(name_normalise(repeat(b, 253), out), 253);
    assert_int_equal(name_normalise(repeat(b, 254), out), 0);
    repeat(b, 253);
    b[253] = '.';
    assert_int_equal(name_normalise(span_of(b, 254), out), 253); /* the root's dot does not count */
}

static void expect_name(const char *in, const char *want)
{
    uint8_t out[LIM_NAME_BYTES];
    size_t n = name_normalise(span_str(in), out);
    assert_true(span_eq(span_of(out, n), span_str(want)));
}

static void names_are_lower_case_without_the_last_dot(void **state)
{
    (void)state;
    expect_name("WWW.Example.ORG.", "www.example.org");
    expect_name("localhost", "localhost");
    expect_name("_dmarc.xn--bcher-kva.example", "_dmarc.xn--bcher-kva.example");
    expect_name("1.2.3.4.example", "1.2.3.4.example");
    expect_name("256.256.256.256", "256.256.256.256");
    expect_name("3com.example", "3com.example");
}

static void every_spelling_of_an_ipv4_address_is_seen(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1",  "127.1",       "127.0.1",     "0x7f.1",
                                           "0x7f000001", "2130706433",  "0177.0.0.01", "0X7F.0x0.0x0.0x1",
                                           "127.0.0.1.", "017700000001"};
    static const char *const none[] = {
        "",    ".",   "..",          "1.2.3.4.5",   "256.1.1.1",  "1.2.3.256", "4294967296", "08.1.1.1",
        "0xg", "a.1", "1.2.65536.1", "127.0.65536", "1.16777216", "-1",        "1. 2"};
    struct addr want = addr_of("127.0.0.1"), a;
    EACH(loopback, i)
    {
        if (!addr_parse_loose_v4(span_str(loopback[i]), &a) || !addr_eq(&a, &want))
            fail_msg("%s", loopback[i]);
    }
    EACH(none, i)
    {
        if (addr_parse_loose_v4(span_str(none[i]), &a))
            fail_msg("%s passed", none[i]);
    }
    assert_true(addr_parse_loose_v4(SPAN("1.2.65535"), &a));
    assert_memory_equal(a.b, "\x01\x02\xff\xff", 4);
    assert_true(addr_parse_loose_v4(SPAN("4294967295"), &a));
    assert_memory_equal(a.b, "\xff\xff\xff\xff", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(one_address_has_one_form),
        cmocka_unit_test(socket_addresses_go_there_and_back),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(a_prefix_has_what_lies_in_it),
        cmocka_unit_test(private_addresses_are_known_in_every_dress),
        cmocka_unit_test(local_addresses_are_no_destination),
        cmocka_unit_test(what_is_no_host_name_is_refused),
        cmocka_unit_test(lengths_end_where_dns_ends_them),
        cmocka_unit_test(names_are_lower_case_without_the_last_dot),
        cmocka_unit_test(every_spelling_of_an_ipv4_address_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
