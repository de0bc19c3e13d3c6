/* What is remembered of origins: for how long, for which name, address and port, and how much of it at most.
 */
#include "gw/flow/noted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

enum { NOW = 1795000000, RULE = 77, LIFE = 28800 };

static struct noted *fresh(size_t max)
{
    struct noted *a;
    assert_int_equal(noted_new(max, LIFE, &a), RC_OK);
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
    struct noted *a = fresh(8);
    struct addr v4 = ip("192.0.2.1"), other = ip("192.0.2.2"), v6 = ip("c000:201::");
    noted_note(a, SPAN("eid.example"), &v4, 443, RULE, NOW);
    assert_true(noted_known(a, SPAN("eid.example"), &v4, 443, NOW));
    assert_false(noted_known(a, SPAN("eid.exampl"), &v4, 443, NOW));
    assert_false(noted_known(a, SPAN_NONE, &v4, 443, NOW));
    assert_false(noted_known(a, SPAN("eid.example"), &other, 443, NOW));
    assert_false(noted_known(a, SPAN("eid.example"), &v6, 443, NOW)); /* the same first bytes */
    assert_false(noted_known(a, SPAN("eid.example"), &v4, 444, NOW));
    noted_free(a);
}

static void it_ends_and_a_clock_set_back_ends_it_too(void **state)
{
    (void)state;
    struct noted *a = fresh(8);
    struct addr v4 = ip("192.0.2.1");
    noted_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    assert_true(noted_known(a, SPAN("a.example"), &v4, 443, NOW + LIFE - 1));
    assert_false(noted_known(a, SPAN("a.example"), &v4, 443, NOW + LIFE));
    assert_false(noted_known(a, SPAN("a.example"), &v4, 443, NOW)); /* gone for good */
    noted_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    assert_false(noted_known(a, SPAN("a.example"), &v4, 443, NOW - 1));
    noted_free(a);
}

static void it_can_be_forgotten(void **state)
{
    (void)state;
    struct noted *a = fresh(8);
    struct addr v4 = ip("192.0.2.1");
    noted_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    noted_note(a, SPAN("b.example"), &v4, 443, RULE, NOW);
    noted_forget(a, SPAN("a.example"), &v4, 443);
    noted_forget(a, SPAN("a.example"), &v4, 443);
    assert_false(noted_known(a, SPAN("a.example"), &v4, 443, NOW));
    assert_true(noted_known(a, SPAN("b.example"), &v4, 443, NOW));
    noted_free(a);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct noted *a = fresh(2);
    struct addr v4 = ip("192.0.2.1");
    noted_note(a, SPAN("a.example"), &v4, 443, RULE, NOW);
    noted_note(a, SPAN("b.example"), &v4, 443, RULE, NOW);
    assert_true(noted_known(a, SPAN("a.example"), &v4, 443, NOW));
    noted_note(a, SPAN("c.example"), &v4, 443, RULE, NOW);
    assert_true(noted_known(a, SPAN("a.example"), &v4, 443, NOW));
    assert_false(noted_known(a, SPAN("b.example"), &v4, 443, NOW));
    assert_true(noted_known(a, SPAN("c.example"), &v4, 443, NOW));
    noted_free(a);
}

static void only_what_still_holds_is_shown(void **state)
{
    (void)state;
    struct noted *a = fresh(8);
    struct addr v4 = ip("192.0.2.1"), v6 = ip("2001:db8::1");
    noted_note(a, SPAN("old.example"), &v4, 443, RULE, NOW - LIFE);
    noted_note(a, SPAN("new.example"), &v6, 8443, RULE, NOW - 10);
    json_t *rows = noted_json(a, NOW), *row = json_array_get(rows, 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(row, "name")), "new.example");
    assert_string_equal(json_string_value(json_object_get(row, "address")), "2001:db8::1");
    assert_int_equal(json_integer_value(json_object_get(row, "port")), 8443);
    assert_int_equal(json_integer_value(json_object_get(row, "until")), NOW - 10 + LIFE);
    json_decref(rows);
    noted_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_for_its_name_address_and_port_alone),
        cmocka_unit_test(it_ends_and_a_clock_set_back_ends_it_too),
        cmocka_unit_test(it_can_be_forgotten),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(only_what_still_holds_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
