/* What is remembered of origins that ask for a client's certificate: for how long, for which name, address
 * and port, and how much of it at most. */
#include "gw/flow/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "gw/base/limits.h"

enum { NOW = 1795000000, RULE = 77 };

static struct asking *fresh(size_t max)
{
    struct asking *a;
    assert_int_equal(asking_new(max, &a), RC_OK);
    return a;
}

static struct addr ip(const char *text)
{
    struct addr a;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

static void it_holds_for_its_name_address_and_port_alone(void **state)
{
    (void)state;
    struct asking *a = fresh(8);
    struct addr v4 = ip("192.0.2.1"), other = ip("192.0.2.2"), v6 = ip("c000:201::");
    asking_note(a, SPAN("eid.example"), &v4, 443, RULE, NOW);
    assert_true(asking_known(a, SPAN("eid.example"), &v4, 443, NOW));
    assert_false(asking_known(a, SPAN("eid.exampl"), &v4, 443, NOW));
    assert_false(asking_known(a, SPAN_NONE, &v4, 443, NOW));
    assert_false(asking_known(a, SPAN("eid.example"), &other, 443, NOW));
    assert_false(asking_known(a, SPAN("eid.example"), &v6, 443, NOW)); /* the same first bytes */
    assert_false(asking_known(a, SPAN("eid.example"), &v4, 444, NOW));
    asking_free(a);
}

static void it_ends_and_a_clock_set_back_ends_it_too(void **state)
{
    (void)state;
    struct asking *a = fresh(8);
    struct addr v4 = ip("192.0.2.1");
    asking_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    assert_true(asking_known(a, SPAN("a.example"), &v4, 443, NOW + LIM_ASKING_S - 1));
    assert_false(asking_known(a, SPAN("a.example"), &v4, 443, NOW + LIM_ASKING_S));
    assert_false(asking_known(a, SPAN("a.example"), &v4, 443, NOW)); /* gone for good */
    asking_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    assert_false(asking_known(a, SPAN("a.example"), &v4, 443, NOW - 1));
    asking_free(a);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct asking *a = fresh(2);
    struct addr v4 = ip("192.0.2.1");
    asking_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    asking_note(a, SPAN("b.example"), &v4, 443, RULE, NOW);
    assert_true(asking_known(a, SPAN("a.example"), &v4, 443, NOW));
    asking_note(a, SPAN("c.example"), &v4, 443, RULE, NOW);
    assert_true(asking_known(a, SPAN("a.example"), &v4, 443, NOW));
    assert_false(asking_known(a, SPAN("b.example"), &v4, 443, NOW));
    assert_true(asking_known(a, SPAN("c.example"), &v4, 443, NOW));
    asking_free(a);
}

static void only_what_still_holds_is_shown(void **state)
{
    (void)state;
    struct asking *a = fresh(8);
    struct addr v4 = ip("192.0.2.1"), v6 = ip("2001:db8::1");
    asking_note(a, SPAN("old.example"), &v4, 443, RULE, NOW - LIM_ASKING_S);
    asking_note(a, SPAN("new.example"), &v6, 8443, RULE, NOW - 10);
    json_t *rows = asking_json(a, NOW), *row = json_array_get(rows, 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(row, "name")), "new.example");
    assert_string_equal(json_string_value(json_object_get(row, "address")), "2001:db8::1");
    assert_int_equal(json_integer_value(json_object_get(row, "port")), 8443);
    assert_int_equal(json_integer_value(json_object_get(row, "until")), NOW - 10 + LIM_ASKING_S);
    json_decref(rows);
    asking_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_for_its_name_address_and_port_alone),
        cmocka_unit_test(it_ends_and_a_clock_set_back_ends_it_too),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(only_what_still_holds_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
