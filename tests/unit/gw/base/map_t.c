/* Maps and lists, held against a plain table of what should be in them. */
#include "gw/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { KEYS = 2000 };

static span key_of(unsigned i, char out[16])
{
    return span_of(out, (size_t)snprintf(out, 16, "key %u", i));
}

static void nothing_is_found_in_an_empty_map(void **state)
{
    (void)state;
    struct map m = {0};
    size_t it = 0;
    span k;
    void *v;
    assert_null(map_find(&m, SPAN("x")));
    assert_null(map_take(&m, SPAN("x")));
    assert_false(map_next(&m, &it, &k, &v));
    map_fini(&m);
}

static void the_cap_holds_but_replacing_is_no_growth(void **state)
{
    (void)state;
    struct map m;
    int a, b;
    map_init(&m, 2);
    assert_int_equal(map_put(&m, SPAN("a"), &a), RC_OK);
    assert_int_equal(map_put(&m, SPAN("b"), &a), RC_OK);
    assert_int_equal(map_put(&m, SPAN("c"), &a), RC_LIMIT);
    assert_null(map_find(&m, SPAN("c")));
    assert_int_equal(map_put(&m, SPAN("b"), &b), RC_OK);
    assert_ptr_equal(map_find(&m, SPAN("b")), &b);
    assert_int_equal(m.n, 2);
    assert_ptr_equal(map_take(&m, SPAN("a")), &a);
    assert_int_equal(map_put(&m, SPAN("c"), &b), RC_OK);
    map_fini(&m);
}

static void refused_puts_do_not_make_it_grow_without_end(void **state)
{
    (void)state;
    struct map m;
    char k[16];
    int x;
    map_init(&m, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(map_put(&m, key_of(i, k), &x), RC_OK);
    for (unsigned i = 100; i < 5000; i++)
        assert_int_equal(map_put(&m, key_of(i, k), &x), RC_LIMIT);
    assert_true(m.cap <= 256);
    map_fini(&m);
}

static void keys_are_bytes_of_any_length(void **state)
{
    (void)state;
    struct map m = {0};
    int v[6];
    uint8_t longer[1000] = {0};
    const span keys[6] = {SPAN_NONE,        SPAN("\0"),        SPAN("\0\0"),
                          SPAN("12345678"), SPAN("123456789"), span_of(longer, sizeof longer)};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(map_put(&m, keys[i], &v[i]), RC_OK);
    for (size_t i = 0; i < 6; i++)
        assert_ptr_equal(map_find(&m, keys[i]), &v[i]);
    longer[999] = 1; /* the map has its own copy */
    assert_null(map_find(&m, span_of(longer, sizeof longer)));
    assert_int_equal(m.n, 6);
    map_fini(&m);
}

static void check_against(const struct map *m, const bool there[KEYS], int *values)
{
    char k[16];
    size_t n = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        void *found = map_find(m, key_of(i, k));
        assert_ptr_equal(found, there[i] ? &values[i] : NULL);
        n += there[i];
    }
    assert_int_equal(m->n, n);
}

/* Deletion closes the gap in its run of slots: the place where such maps go wrong. */
static void any_order_of_puts_and_takes_keeps_it_right(void **state)
{
    (void)state;
    struct map m = {0};
    static bool there[KEYS];
    static int values[KEYS];
    uint32_t random = 12345;
    char k[16];
    for (int step = 0; step < 40000; step++) {
        random = random * 1664525 + 1013904223;
        unsigned i = (random >> 8) % KEYS;
        if (random >> 31) {
            assert_int_equal(map_put(&m, key_of(i, k), &values[i]), RC_OK);
            there[i] = true;
        } else {
            assert_ptr_equal(map_take(&m, key_of(i, k)), there[i] ? &values[i] : NULL);
            there[i] = false;
        }
        if (step % 4000 == 0)
            check_against(&m, there, values);
    }
    check_against(&m, there, values);
    map_fini(&m);
}

static void walking_meets_every_entry_once(void **state)
{
    (void)state;
    struct map m = {0};
    static int values[KEYS];
    char k[16];
    span key;
    void *v;
    size_t it = 0, met = 0;
    for (unsigned i = 0; i < KEYS; i++)
        assert_int_equal(map_put(&m, key_of(i, k), &values[i]), RC_OK);
    while (map_next(&m, &it, &key, &v)) {
        assert_true(span_eq(key, key_of((unsigned)((int *)v - values), k)));
        ++*(int *)v;
        met++;
    }
    assert_int_equal(met, KEYS);
    for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(values[i], 1);
    map_fini(&m);
}

static void the_hash_depends_on_every_byte_and_on_the_length(void **state)
{
    (void)state;
    uint8_t b[40] = {0};
    uint64_t plain = map_hash(span_of(b, 32));
    assert_true(plain == map_hash(span_of(b, 32)));
    assert_true(plain != map_hash(span_of(b, 31)) && plain != map_hash(span_of(b, 33)));
    for (size_t i = 0; i < 32; i++) {
        b[i] ^= 1;
        assert_true(plain != map_hash(span_of(b, 32)));
        b[i] ^= 1;
    }
}

static void lists_keep_order_and_dropping_twice_is_fine(void **state)
{
    (void)state;
    struct list head, item[3];
    list_init(&head);
    assert_true(list_empty(&head));
    for (int i = 0; i < 3; i++)
        list_push(&head, &item[i]);
    assert_ptr_equal(head.next, &item[0]);
    assert_ptr_equal(head.prev, &item[2]);
    list_drop(&item[1]);
    list_drop(&item[1]);
    assert_ptr_equal(item[0].next, &item[2]);
    assert_ptr_equal(item[2].prev, &item[0]);
    list_drop(&item[0]);
    list_drop(&item[2]);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_found_in_an_empty_map),
        cmocka_unit_test(the_cap_holds_but_replacing_is_no_growth),
        cmocka_unit_test(refused_puts_do_not_make_it_grow_without_end),
        cmocka_unit_test(keys_are_bytes_of_any_length),
        cmocka_unit_test(any_order_of_puts_and_takes_keeps_it_right),
        cmocka_unit_test(walking_meets_every_entry_once),
        cmocka_unit_test(the_hash_depends_on_every_byte_and_on_the_length),
        cmocka_unit_test(lists_keep_order_and_dropping_twice_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
