/* A rule is the same one as long as its name, or else what it matches, is the same. */
#include "policy/rule_key.h"

#include "tests/unit/policy/snap_help.h"

static uint64_t key_of(const char *web, uint32_t rule)
{
    char text[1024];
    snprintf(text, sizeof text, "category c domain \"c.test\"\ngroup g user \"u\"\nweb {\n%s\n}\n", web);
    struct snapshot *s = snap_of(text);
    uint64_t key = snapshot_rule_key(s, rule);
    assert_int_equal(snapshot_rule_key(s, snapshot_n_rules(s)), 0);
    assert_int_equal(snapshot_rule_key(s, RULE_NONE), 0);
    snapshot_put(s);
    return key;
}

static void another_match_is_another_rule(void **state)
{
    (void)state;
    uint64_t key = key_of("block category c for g\nallow any", 0);
    assert_int_not_equal(key, 0);
    assert_true(key != key_of("block category c for user \"u\"\nallow any", 0));
    assert_true(key != key_of("forbid category c for g\nallow any", 0));
    assert_true(key != key_of("block category c for g name \"x\"\nallow any", 0));
}

static void place_and_labels_do_not_count(void **state)
{
    (void)state;
    uint64_t key = key_of("block category c for g\nallow any", 0);
    assert_true(
        key ==
        key_of("block   category c   for g  reason \"until later\" owner \"o\" ticket \"1\"\nallow any", 0));
    assert_true(key == key_of("block domain \"z.test\"\nblock category c for g\nallow any", 1));
    assert_true(key_of("block category c name \"n\"\nallow any", 0) ==
                key_of("forbid domain \"x.test\" name \"n\"\nallow any", 0));
}

static void words_in_quotes_are_no_words(void **state)
{
    (void)state;
    assert_true(rule_says(SPAN("block any observe until 2027-01-01"), SPAN("observe")));
    assert_true(rule_says(SPAN("observe from lan"), SPAN("observe")));
    assert_false(rule_says(SPAN("block any reason \"we observe it\""), SPAN("observe")));
    assert_false(rule_says(SPAN("block any reason \"a \\\" observe \\\" b\""), SPAN("observe")));
    assert_false(rule_says(SPAN_NONE, SPAN("observe")));
}

static void the_block_is_known(void **state)
{
    struct snapshot *s = snap_of("tls {\n inspect any\n}\nweb {\n allow any\n}\non journal-full block\n");
    (void)state;
    unsigned seen = 0;
    for (uint32_t i = 0; i < snapshot_n_rules(s); i++) {
        const char *b = snapshot_rule_block(s, i);
        seen |= !strcmp(b, "tls") ? 1 : !strcmp(b, "web") ? 2 : !strcmp(b, "on") ? 4 : 8;
    }
    assert_int_equal(seen, 7);
    assert_string_equal(snapshot_rule_block(s, 99), "");
    snapshot_put(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_match_is_another_rule),
        cmocka_unit_test(place_and_labels_do_not_count),
        cmocka_unit_test(words_in_quotes_are_no_words),
        cmocka_unit_test(the_block_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
