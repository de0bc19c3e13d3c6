/* Sets of members are numbered once, whatever order their members came in. */
#include "signatures/catset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "signatures/catfmt.h"

static uint16_t with(struct catset *s, uint16_t set, uint16_t member)
{
    uint16_t out = 0;
    assert_int_equal(catset_with(s, set, member, &out), RC_OK);
    return out;
}

static void the_number_of_sets_is_bounded(void **state)
{
    struct catset s;
    uint16_t out;
    unsigned made = 0;
    enum rc rc = RC_OK;
    (void)state;
    assert_int_equal(catset_init(&s), RC_OK);
    for (uint16_t a = 0; a < 400 && rc == RC_OK; a++) {
        uint16_t first = with(&s, 0, a);
        for (uint16_t b = 0; b < 400 && rc == RC_OK; b++) {
            rc = catset_with(&s, first, (uint16_t)(500 + b), &out);
            made += rc == RC_OK;
        }
    }
    assert_int_equal(rc, RC_LIMIT);
    assert_int_equal(s.n_sets, CATFMT_SETS);
    assert_in_range(made, 1, CATFMT_SETS);
    catset_fini(&s);
}

static void order_and_repetition_do_not_matter(void **state)
{
    struct catset s;
    (void)state;
    assert_int_equal(catset_init(&s), RC_OK);
    uint16_t a = with(&s, 0, 5), b = with(&s, 0, 7), ab = with(&s, a, 7);
    assert_true(a != b && a != ab && b != ab && a && b && ab);
    assert_int_equal(with(&s, b, 5), ab);
    assert_int_equal(with(&s, ab, 5), ab);
    assert_int_equal(with(&s, ab, 7), ab);
    assert_int_equal(with(&s, 0, 5), a);
    assert_int_equal(with(&s, a, 5), a);
    uint16_t abc = with(&s, ab, 6);
    assert_int_equal(catset_size(&s, abc), 3);
    assert_memory_equal(catset_members(&s, abc), ((uint16_t[]){5, 6, 7}), 6);
    assert_int_equal(s.n_sets, 4);
    assert_int_equal(catset_total(&s), 1 + 1 + 2 + 3);
    catset_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_sets_is_bounded),
        cmocka_unit_test(order_and_repetition_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
