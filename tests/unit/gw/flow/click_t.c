/* A token holds for one kind, client, host and time, and for nobody who changed a bit of it. */
#include "gw/flow/click.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

enum { NOW = 1795514400 };

static struct click_keys keys;
static char token[CLICK_TEXT + 1];

static struct click_who pupil(void)
{
    struct click_who who = {.zone = SPAN("lan"), .user = SPAN("p.dupont"), .host = SPAN("casino.example")};
    assert_true(addr_parse(SPAN("10.32.1.10"), &who.addr));
    return who;
}

static int fresh(void **state)
{
    (void)state;
    static const uint8_t key[CLICK_KEY] = {1, 2, 3};
    struct click_who who = pupil();
    struct click c = {.rule_key = 0x1122334455667788, .rule = 7, .until_s = NOW + LIM_CLICK_S};
    keys = (struct click_keys){0};
    if (click_sign(&keys, CLICK_PASS, &who, &c, token))
        return -1; /* without a key */
    click_key(&keys, 5, key);
    return click_sign(&keys, CLICK_PASS, &who, &c, token) ? 0 : -1;
}

static bool holds(const struct click_who *who, int64_t now_s)
{
    struct click c;
    return click_check(&keys, CLICK_PASS, who, span_str(token), now_s, &c);
}

static void another_client_zone_or_host_is_refused(void **state)
{
    (void)state;
    struct click_who who = pupil();
    assert_true(holds(&who, NOW));
    who.user = SPAN("a.martin");
    assert_false(holds(&who, NOW));
    who = pupil();
    who.user = SPAN_NONE;
    assert_false(holds(&who, NOW));
    who = pupil();
    who.zone = SPAN("wifi");
    assert_false(holds(&who, NOW));
    who = pupil();
    who.host = SPAN("www.casino.example");
    assert_false(holds(&who, NOW));
    who = pupil();
    who.zone = SPAN("la");
    who.user = SPAN("np.dupont"); /* the same bytes one after the other */
    assert_false(holds(&who, NOW));
    who = pupil();
    assert_true(addr_parse(SPAN("10.32.1.11"), &who.addr));
    assert_true(holds(&who, NOW)); /* the user counts, wherever he sits */
}

static void without_a_user_the_address_counts(void **state)
{
    (void)state;
    struct click_who who = pupil();
    struct click c = {.rule_key = 1, .until_s = NOW + 10};
    who.user = SPAN_NONE;
    assert_true(click_sign(&keys, CLICK_PASS, &who, &c, token));
    assert_true(holds(&who, NOW));
    assert_true(addr_parse(SPAN("10.32.1.11"), &who.addr));
    assert_false(holds(&who, NOW));
    assert_true(addr_parse(SPAN("fd10:32::1:10"), &who.addr));
    assert_false(holds(&who, NOW));
}

static void it_ends_and_a_clock_set_back_does_not_prolong_it(void **state)
{
    (void)state;
    struct click_who who = pupil();
    assert_true(holds(&who, NOW + LIM_CLICK_S - 1));
    assert_false(holds(&who, NOW + LIM_CLICK_S));
    assert_false(holds(&who, NOW - 1));
}

static void an_offer_is_no_pass_and_a_pass_no_offer(void **state)
{
    (void)state;
    struct click_who who = pupil();
    struct click c = {.rule_key = 1, .until_s = NOW + 10}, out;
    assert_false(click_check(&keys, CLICK_OFFER, &who, span_str(token), NOW, &out));
    assert_true(click_sign(&keys, CLICK_OFFER, &who, &c, token));
    assert_false(holds(&who, NOW));
    assert_true(click_check(&keys, CLICK_OFFER, &who, span_str(token), NOW, &out));
}

static void every_changed_character_is_refused(void **state)
{
    (void)state;
    struct click_who who = pupil();
    for (size_t i = 0; i < CLICK_TEXT; i++) {
        char was = token[i];
        for (int c = 1; c < 256; c++) {
            token[i] = (char)(was ^ c);
            assert_false(holds(&who, NOW));
        }
        token[i] = was;
    }
    struct click c;
    assert_false(click_check(&keys, CLICK_PASS, &who, span_cut(span_str(token), 0, CLICK_TEXT - 1), NOW, &c));
    assert_false(click_check(&keys, CLICK_PASS, &who, SPAN_NONE, NOW, &c));
    assert_true(holds(&who, NOW));
}

static void what_was_signed_comes_back(void **state)
{
    (void)state;
    struct click_who who = pupil();
    struct click c;
    assert_int_equal(strlen(token), CLICK_TEXT);
    assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     CLICK_TEXT);
    assert_true(click_check(&keys, CLICK_PASS, &who, span_str(token), NOW, &c));
    assert_true(c.rule_key == 0x1122334455667788 && c.rule == 7 && c.until_s == NOW + LIM_CLICK_S);
}

static void the_key_before_the_last_is_forgotten(void **state)
{
    (void)state;
    static const uint8_t second[CLICK_KEY] = {9}, third[CLICK_KEY] = {10};
    struct click_who who = pupil();
    char first[CLICK_TEXT + 1];
    memcpy(first, token, sizeof first);
    click_key(&keys, 6, second);
    assert_true(holds(&who, NOW));
    click_key(&keys, 5, third); /* told again, as after a worker's start: nothing new */
    assert_true(holds(&who, NOW));
    struct click c = {.rule_key = 1, .until_s = NOW + 10};
    assert_true(click_sign(&keys, CLICK_PASS, &who, &c, token));
    assert_true(holds(&who, NOW));
    click_key(&keys, 7, third);
    assert_true(holds(&who, NOW));
    memcpy(token, first, sizeof token);
    assert_false(holds(&who, NOW));
}

static void a_key_of_somebody_else_is_refused(void **state)
{
    (void)state;
    static const uint8_t other[CLICK_KEY] = {1, 2, 4};
    struct click_who who = pupil();
    keys = (struct click_keys){0};
    click_key(&keys, 5, other);
    assert_false(holds(&who, NOW));
}

static void long_names_are_told_apart(void **state)
{
    (void)state;
    static char a[400], b[400];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    b[399] = 'b';
    struct click_who who = pupil();
    struct click c = {.rule_key = 1, .until_s = NOW + 10};
    who.user = span_of(a, sizeof a);
    assert_true(click_sign(&keys, CLICK_PASS, &who, &c, token));
    assert_true(holds(&who, NOW));
    who.user = span_of(b, sizeof b);
    assert_false(holds(&who, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(another_client_zone_or_host_is_refused, fresh),
        cmocka_unit_test_setup(without_a_user_the_address_counts, fresh),
        cmocka_unit_test_setup(it_ends_and_a_clock_set_back_does_not_prolong_it, fresh),
        cmocka_unit_test_setup(an_offer_is_no_pass_and_a_pass_no_offer, fresh),
        cmocka_unit_test_setup(every_changed_character_is_refused, fresh),
        cmocka_unit_test_setup(what_was_signed_comes_back, fresh),
        cmocka_unit_test_setup(the_key_before_the_last_is_forgotten, fresh),
        cmocka_unit_test_setup(a_key_of_somebody_else_is_refused, fresh),
        cmocka_unit_test_setup(long_names_are_told_apart, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
