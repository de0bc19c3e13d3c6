/* Sixteen bytes at once: what this processor's instructions say is what plain C says. */
#include "signatures/catsimd.h"

#include "tests/unit/signatures/list_help.h"

static void the_two_ways_agree(void **state)
{
    uint32_t r = 1;
    (void)state;
    for (unsigned run = 0; run < 200000; run++) {
        uint8_t bytes[16], low[16], low_plain[16];
        _Alignas(16) uint16_t numbers[8];
        for (unsigned i = 0; i < 16; i++) {
            r = r * 1664525 + 1013904223;
            bytes[i] = run < 256 ? (uint8_t)run
                       : r >> 31 ? (uint8_t)("@AZ[`az{/09:-._,"[r >> 20 & 15])
                                 : r >> 24;
        }
        for (unsigned i = 0; i < 8; i++)
            numbers[i] = (uint16_t)(bytes[i] & 3 ? bytes[2 * i] << 8 | bytes[2 * i + 1] : 0x2e2e);
        assert_int_equal(cat_dots(bytes), cat_dots_plain(bytes));
        assert_int_equal(cat_lower(bytes, low), cat_lower_plain(bytes, low_plain));
        assert_memory_equal(low, low_plain, sizeof low);
        assert_int_equal(cat_same(numbers, 0x2e2e), cat_same_plain(numbers, 0x2e2e));
    }
}

static void what_may_stand_in_a_name(void **state)
{
    uint8_t low[16];
    (void)state;
    assert_int_equal(cat_lower_plain((const uint8_t *)"AZaz09-_.@[`{/:,", low), 0x1ff);
    assert_memory_equal(low, "azaz09-_.@[`{/:,", 16);
    assert_int_equal(cat_dots_plain((const uint8_t *)".a.bc............"), 0xffe5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_ways_agree),
        cmocka_unit_test(what_may_stand_in_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
