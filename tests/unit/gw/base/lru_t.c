/* Bounded caches: what leaves is handed back exactly once, in the order of use, and the cap holds. */
#include "gw/base/lru.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gw/base/obj.h"

struct thing {
    int number;
    struct lru_item item;
};

static unsigned n_gone;
static int last_gone;

static void gone(struct lru_item *item)
{
    struct thing *t = CONTAINER_OF(item, struct thing, item);
    n_gone++;
    last_gone = t->number;
    free(t);
}

static struct thing *thing(int number)
{
    struct thing *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->number = number;
    return t;
}

static int setup(void **state)
{
    (void)state;
    n_gone = 0;
    last_gone = -1;
    return 0;
}

static void put(struct lru *c, const char *key, int number)
{
    assert_int_equal(lru_put(c, span_str(key), &thing(number)->item), RC_OK);
}

static int number_of(const struct lru *c, const char *key)
{
    struct lru_item *item = lru_find(c, span_str(key));
    return item ? CONTAINER_OF(item, struct thing, item)->number : -1;
}

static void a_refused_item_stays_the_callers(void **state)
{
    struct lru c;
    uint8_t key[LRU_KEY_MOST + 1] = {0};
    struct thing *t = thing(1);
    (void)state;
    lru_init(&c, 4, gone);
    assert_int_equal(lru_put(&c, SPAN_NONE, &t->item), RC_LIMIT);
    assert_int_equal(lru_put(&c, span_of(key, sizeof key), &t->item), RC_LIMIT);
    assert_int_equal(n_gone, 0);
    assert_int_equal(lru_put(&c, span_of(key, sizeof key - 1), &t->item), RC_OK);
    lru_fini(&c);
    assert_int_equal(n_gone, 1);
}

static void the_least_recently_used_goes_first(void **state)
{
    struct lru c;
    (void)state;
    lru_init(&c, 3, gone);
    put(&c, "a", 1);
    put(&c, "b", 2);
    put(&c, "c", 3);
    lru_used(&c, lru_find(&c, SPAN("a")));
    put(&c, "d", 4);
    assert_int_equal(last_gone, 2);
    put(&c, "e", 5);
    assert_int_equal(last_gone, 3);
    assert_int_equal(number_of(&c, "a"), 1);
    assert_int_equal(number_of(&c, "b"), -1);
    lru_fini(&c);
    assert_int_equal(n_gone, 5);
}

static void the_same_key_again_replaces(void **state)
{
    struct lru c;
    (void)state;
    lru_init(&c, 2, gone);
    put(&c, "a", 1);
    put(&c, "b", 2);
    put(&c, "a", 3);
    assert_int_equal(n_gone, 1);
    assert_int_equal(last_gone, 1);
    assert_int_equal(number_of(&c, "a"), 3);
    assert_int_equal(number_of(&c, "b"), 2);
    lru_drop(&c, lru_find(&c, SPAN("b")));
    assert_int_equal(last_gone, 2);
    assert_int_equal(number_of(&c, "b"), -1);
    lru_fini(&c);
}

static void a_cap_of_none_is_one_and_clear_leaves_a_usable_cache(void **state)
{
    struct lru c;
    (void)state;
    lru_init(&c, 0, gone);
    put(&c, "a", 1);
    put(&c, "b", 2);
    assert_int_equal(c.map.n, 1);
    lru_clear(&c);
    assert_int_equal(c.map.n, 0);
    assert_int_equal(n_gone, 2);
    put(&c, "a", 3);
    assert_int_equal(number_of(&c, "a"), 3);
    lru_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_refused_item_stays_the_callers, setup),
        cmocka_unit_test_setup(the_least_recently_used_goes_first, setup),
        cmocka_unit_test_setup(the_same_key_again_replaces, setup),
        cmocka_unit_test_setup(a_cap_of_none_is_one_and_clear_leaves_a_usable_cache, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
