/* A user is the same all day, another tomorrow, and never himself. */
#include "gw/siem/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void a_pseudonym_is_the_same_all_day_and_another_tomorrow(void **state)
{
    (void)state;
    uint8_t secret[PSEUDO_KEY] = {1, 2, 3}, other[PSEUDO_KEY] = {1, 2, 4}, today[PSEUDO_KEY],
            tomorrow[PSEUDO_KEY];
    char a[PSEUDO_TEXT], b[PSEUDO_TEXT];
    pseudonym_day_key(secret, 20416, today);
    pseudonym_day_key(secret, 20417, tomorrow);
    assert_memory_not_equal(today, tomorrow, PSEUDO_KEY);
    pseudonym(today, SPAN("p.dupont"), a);
    pseudonym(today, SPAN("p.dupont"), b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 12);
    assert_memory_equal(a, "u-", 2);
    assert_int_equal(strspn(a + 2, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 10);
    pseudonym(tomorrow, SPAN("p.dupont"), b);
    assert_string_not_equal(a, b);
    pseudonym(today, SPAN("a.martin"), b);
    assert_string_not_equal(a, b);
    pseudonym_day_key(other, 20416, tomorrow);
    pseudonym(tomorrow, SPAN("p.dupont"), b);
    assert_string_not_equal(a, b);
    pseudonym(today, SPAN_NONE, b); /* nobody has one too */
    assert_int_equal(strlen(b), 12);
}

/* Computed once with Python's hmac module: a change of the function would make old lines unreadable. */
static void pseudonyms_do_not_change_between_versions(void **state)
{
    (void)state;
    uint8_t secret[PSEUDO_KEY], key[PSEUDO_KEY];
    char text[PSEUDO_TEXT];
    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = (uint8_t)i;
    pseudonym_day_key(secret, 20416, key);
    pseudonym(key, SPAN("p.dupont"), text);
    assert_string_equal(text, "u-ZWP61PCQT8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pseudonym_is_the_same_all_day_and_another_tomorrow),
        cmocka_unit_test(pseudonyms_do_not_change_between_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
