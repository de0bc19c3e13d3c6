/* Authorities: the one reader of "host:port" for Host, absolute targets, CONNECT and Referer. */
#include "tests/unit/gw/http/h1_help.h"

static const struct {
    const char *in;
    enum h1_why why;
    const char *host;
    unsigned port;
} tests[] = {
    {"", H1_HOST_EMPTY, "", 0},
    {":", H1_HOST_EMPTY, "", 0},
    {":80", H1_HOST_EMPTY, "", 0},
    {"a,b", H1_HOST_LIST, "", 0},
    {"[::1],a", H1_HOST_LIST, "", 0},
    {"a@b", H1_HOST_USERINFO, "", 0},
    {"[::1]@b", H1_HOST_USERINFO, "", 0},
    {"a b", H1_HOST_BYTE, "", 0},
    {"a%2eb", H1_HOST_BYTE, "", 0},
    {"a\\b", H1_HOST_BYTE, "", 0},
    {"a/b", H1_HOST_BYTE, "", 0},
    {"a~b", H1_HOST_BYTE, "", 0},
    {"a*b", H1_HOST_BYTE, "", 0},
    {"(a)", H1_HOST_BYTE, "", 0},
    {"\xef\xbc\x8e", H1_HOST_BYTE, "", 0},
    {"a:0", H1_HOST_PORT, "a", 0},
    {"a:65536", H1_HOST_PORT, "a", 0},
    {"a:99999", H1_HOST_PORT, "a", 0},
    {"a:100000", H1_HOST_PORT, "a", 0},
    {"a:4 43", H1_HOST_PORT, "a", 0},
    {"a:443:", H1_HOST_PORT, "a", 0},
    {"1:2:3:4:5:6:7:8", H1_HOST_PORT, "1", 0},
    {"[1:2:3:4:5:6:7:8", H1_HOST_BYTE, "", 0},
    {"[:]", H1_HOST_BYTE, ":", 0},
    {"[1:2:3:4:5:6:7:8:9]", H1_HOST_BYTE, "1:2:3:4:5:6:7:8:9", 0},
    {"[::1]:0", H1_HOST_PORT, "::1", 0},
    {"[::1]a", H1_HOST_BYTE, "::1", 0},
    {"a", H1_NONE, "a", 0},
    {"a.", H1_NONE, "a.", 0},
    {"A-b_c.Example", H1_NONE, "A-b_c.Example", 0},
    {"a:", H1_NONE, "a", 0},
    {"a:1", H1_NONE, "a", 1},
    {"a:00443", H1_NONE, "a", 443},
    {"a:65535", H1_NONE, "a", 65535},
    {"1.2.3.4:8080", H1_NONE, "1.2.3.4", 8080},
    {"0x7f.1", H1_NONE, "0x7f.1", 0}, /* whether that is a name is the flow's question */
    {"[::1]", H1_NONE, "::1", 0},
    {"[::1]:", H1_NONE, "::1", 0},
    {"[2001:DB8::1]:8443", H1_NONE, "2001:DB8::1", 8443},
    {"[::ffff:192.0.2.1]", H1_NONE, "::ffff:192.0.2.1", 0},
};

static void test_authorities(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        span host, in = copy_exact(span_str(tests[i].in));
        uint16_t port;
        enum h1_why why = h1_authority(in, &host, &port);
        if (why != tests[i].why || (why == H1_NONE && !span_eq(host, span_str(tests[i].host))) ||
            port != tests[i].port)
            fail_msg("%s: %s, host %.*s, port %u", tests[i].in, h1_why_name(why), (int)host.n, host.p, port);
        free_block(in);
    }
}

/* Exactly the bytes the classes allow, each alone in a host, a method and a target. */
static void test_every_byte_has_its_place(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[] = "GXT /x HTTP/1.1\r\nHost: axb\r\n\r\n";
        bool upper = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9', lower = c >= 'a' && c <= 'z';
        span in = span_of(text, sizeof text - 1);
        text[1] = (uint8_t)c;
        struct outcome method = outcome_of(in, NULL, in.n);
        text[1] = 'X';
        text[5] = (uint8_t)c;
        struct outcome target = outcome_of(in, NULL, in.n);
        text[5] = 'x';
        text[24] = (uint8_t)c;
        struct outcome host = outcome_of(in, NULL, in.n);
        assert_int_equal(method.rc == RC_OK, upper || digit || c == '-' || c == '_');
        assert_int_equal(target.rc == RC_OK, c > 0x20 && c < 0x7f && c != '#');
        if ((host.rc == RC_OK) != (upper || digit || lower || c == '-' || c == '_' || c == '.'))
            fail_msg("byte %u in a host: %s %s", c, rc_name(host.rc), h1_why_name(host.why));
        buf_fini(&method.text);
        buf_fini(&target.text);
        buf_fini(&host.text);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_authorities),
        cmocka_unit_test(test_every_byte_has_its_place),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
