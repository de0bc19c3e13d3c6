/* The leaf cache: bounded, the least recently used goes first, nothing that is about to expire is given out.
 */
#include "certs/leafcache.h"

#include <stdio.h>

#include "tests/unit/certs/make_cert.h"

static X509 *leaf(int64_t to)
{
    struct made m = mk_cert(&(struct mk){.cn = "a.test", .to = to}, NULL);
    EVP_PKEY_free(m.key);
    return m.cert;
}

static struct leafcache *new_cache(size_t max)
{
    struct leafcache *c;
    assert_int_equal(leafcache_new(max, &c), RC_OK);
    return c;
}

static bool has(struct leafcache *c, const char *key, int64_t now_s)
{
    X509 *x = leafcache_find(c, span_str(key), now_s);
    X509_free(x);
    return x != NULL;
}

static void unusable_keys_are_refused(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(4);
    X509 *x = leaf(DAY);
    uint8_t big[65] = {0};
    assert_int_equal(leafcache_put(c, SPAN_NONE, x), RC_LIMIT);
    assert_int_equal(leafcache_put(c, span_of(big, sizeof big), x), RC_LIMIT);
    assert_int_equal(leafcache_count(c), 0);
    leafcache_free(c);
    leafcache_free(NULL);
    X509_free(x);
}

static void a_leaf_with_less_than_a_minute_left_is_not_given_out(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(4);
    X509 *x = leaf(1000);
    assert_int_equal(leafcache_put(c, SPAN("k"), x), RC_OK);
    assert_true(has(c, "k", NOW + 940));
    assert_false(has(c, "k", NOW + 941));
    assert_false(has(c, "k", NOW)); /* it is gone for good */
    assert_int_equal(leafcache_count(c), 0);
    leafcache_free(c);
    X509_free(x);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(3);
    X509 *x = leaf(DAY);
    assert_int_equal(leafcache_put(c, SPAN("a"), x), RC_OK);
    assert_int_equal(leafcache_put(c, SPAN("b"), x), RC_OK);
    assert_int_equal(leafcache_put(c, SPAN("c"), x), RC_OK);
    assert_true(has(c, "a", NOW));
    assert_int_equal(leafcache_put(c, SPAN("d"), x), RC_OK);
    assert_int_equal(leafcache_count(c), 3);
    assert_true(has(c, "a", NOW));
    assert_false(has(c, "b", NOW));
    assert_true(has(c, "c", NOW));
    leafcache_free(c);
    X509_free(x);
}

static void a_leaf_in_use_outlives_its_entry(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(1);
    X509 *x = leaf(DAY), *y = leaf(DAY);
    assert_int_equal(leafcache_put(c, SPAN("a"), x), RC_OK);
    X509_free(x);
    X509 *used = leafcache_find(c, SPAN("a"), NOW);
    assert_ptr_equal(used, x);
    assert_int_equal(leafcache_put(c, SPAN("a"), y), RC_OK); /* replaces */
    assert_int_equal(leafcache_count(c), 1);
    leafcache_clear(c);
    assert_int_equal(leafcache_count(c), 0);
    assert_int_equal(X509_get_version(used), X509_VERSION_3);
    X509_free(used);
    X509_free(y);
    leafcache_free(c);
}

static void the_cap_holds_for_a_flood_of_names(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(100);
    X509 *x = leaf(DAY);
    for (uint32_t i = 0; i < 50000; i++)
        assert_int_equal(leafcache_put(c, span_of(&i, sizeof i), x), RC_OK);
    assert_int_equal(leafcache_count(c), 100);
    leafcache_free(c);
    X509_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusable_keys_are_refused),
        cmocka_unit_test(a_leaf_with_less_than_a_minute_left_is_not_given_out),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(a_leaf_in_use_outlives_its_entry),
        cmocka_unit_test(the_cap_holds_for_a_flood_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
