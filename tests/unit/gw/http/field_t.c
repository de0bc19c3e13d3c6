/* What becomes of a field on its way: the rows of field.tbl, their order, and the families. */
#include "gw/http/field.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_rows_are_lower_case_once_each_and_hop_rows_first(void **state)
{
    (void)state;
    enum { HOP = 1, END = 2, HEAD = 4 };
    static const struct {
        const char *name;
        unsigned flags;
    } rows[] = {
#define F(name, flags) {name, flags},
#include "gw/http/field.tbl"
#undef F
    };
    bool hop_over = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hop_over |= !(rows[i].flags & HOP);
        assert_false(hop_over && (rows[i].flags & HOP));
        assert_true(!(rows[i].flags & HOP) ||
                    (rows[i].flags & HEAD)); /* what is for a hop is never a trailer */
        assert_true(strlen(rows[i].name) < 32);
        for (const char *c = rows[i].name; *c; c++)
            assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
        span name = span_str(rows[i].name);
        assert_int_equal(field_is_hop(name), (rows[i].flags & HOP) != 0);
        assert_int_equal(field_is_end_to_end(name), (rows[i].flags & END) != 0);
        assert_int_equal(field_may_trail(name), !(rows[i].flags & HEAD));
    }
}

static void test_fields_of_the_hop_in_any_case(void **state)
{
    (void)state;
    static const char *const hop[] = {"Connection",          "KEEP-ALIVE", "tE",
                                      "Proxy-Authorization", "Proxy",      "HTTP2-Settings"};
    static const char *const not_hop[] = {"Cookie",
                                          "Connections",
                                          "Proxy-Status",
                                          "Trailer",
                                          "X",
                                          "",
                                          "A-name-that-is-longer-than-any-of-the-rows-in-the-table"};
    for (size_t i = 0; i < sizeof hop / sizeof hop[0]; i++)
        assert_true(field_is_hop(span_str(hop[i])));
    for (size_t i = 0; i < sizeof not_hop / sizeof not_hop[0]; i++)
        assert_false(field_is_hop(span_str(not_hop[i])));
}

static void test_families(void **state)
{
    (void)state;
    static const char *const members[] = {"Content-Disposition", "If-None-Match",
                                          "Sec-WebSocket-Key",   "Accept",
                                          "Accept-Language",     "Access-Control-Allow-Origin",
                                          "X-Forwarded-Proto",   "content-security-policy"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        assert_true(field_is_end_to_end(span_str(members[i])));
        assert_false(field_may_trail(span_str(members[i])));
    }
    assert_false(field_is_end_to_end(SPAN("X-Own")));
    /* What policy takes out of heads may not come back behind the content, in either spelling. */
    static const char *const taken_out[] = {"x_forwarded_for",
                                            "restrict_access_to_tenants",
                                            "X-Dropbox-Allowed-Team-Ids",
                                            "True_Client-IP",
                                            "client-ip",
                                            "x_real_ip",
                                            "User_Agent",
                                            "X-Originating-IP"};
    for (size_t i = 0; i < sizeof taken_out / sizeof taken_out[0]; i++)
        assert_false(field_may_trail(span_str(taken_out[i])));
    assert_true(field_may_trail(SPAN("X-Own")));
    assert_true(field_may_trail(SPAN("Server-Timing")));
    assert_true(field_may_trail(SPAN("Grpc-Status")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_lower_case_once_each_and_hop_rows_first),
        cmocka_unit_test(test_fields_of_the_hop_in_any_case),
        cmocka_unit_test(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
