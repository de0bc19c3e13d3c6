/* Arrays that grow: nothing is lost when there is no memory, room is asked for only when it is needed. */
#include "gw/base/array.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* The doubled size does not fit a size_t. */
static void without_memory_the_array_stays_as_it_is(void **state)
{
    int *four = calloc(4, sizeof *four);
    size_t cap = 4;
    (void)state;
    assert_null(array_room(four, 4, &cap, 4, SIZE_MAX / 4));
    assert_int_equal(cap, 4);
    four[3] = 4;
    free(four);
}

static void the_first_element_brings_the_least_room(void **state)
{
    size_t cap = 0;
    (void)state;
    int *v = array_room(NULL, 0, &cap, 16, sizeof *v);
    assert_non_null(v);
    assert_int_equal(cap, 16);
    assert_ptr_equal(array_room(v, 15, &cap, 16, sizeof *v), v);
    assert_int_equal(cap, 16);
    free(v);
}

static void elements_survive_growth(void **state)
{
    size_t cap = 0, n = 0;
    unsigned *v = NULL;
    (void)state;
    for (; n < 1000; n++) {
        unsigned *grown = array_room(v, n, &cap, 4, sizeof *v);
        assert_non_null(grown);
        v = grown;
        v[n] = (unsigned)n * 3;
    }
    assert_int_equal(cap, 1024);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(v[i], i * 3);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_the_array_stays_as_it_is),
        cmocka_unit_test(the_first_element_brings_the_least_room),
        cmocka_unit_test(elements_survive_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
