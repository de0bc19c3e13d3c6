/* Verified chains: only good verdicts, only for the same certificates, name and hour. */
#include "certs/chaincache.h"

#include <stdio.h>
#include <time.h>

#include "tests/unit/certs/make_cert.h"
#include "gw/base/obj.h"

static struct made root, leaf, other;
static struct chaincache *cache;
static const struct cert_verdict good = {.not_after = NOW + DAY, .leaf_sha256 = {7}};

static int setup(void **state)
{
    (void)state;
    root = mk_cert(&(struct mk){.cn = "R", .exts = ROOT_EXTS}, NULL);
    leaf = mk_cert(&(struct mk){.cn = "L", .exts = LEAF_EXTS("DNS:a.test")}, &root);
    other = mk_cert(&(struct mk){.cn = "L", .exts = LEAF_EXTS("DNS:a.test")}, &root);
    return chaincache_new(100, &cache) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    chaincache_free(cache);
    chaincache_free(NULL);
    mk_free(&root);
    mk_free(&leaf);
    mk_free(&other);
    return 0;
}

static void key_of(X509 *a, X509 *b, uint8_t place, uint8_t key[32])
{
    STACK_OF(X509) *sk = sk_X509_new_null();
    sk_X509_push(sk, a);
    if (b)
        sk_X509_push(sk, b);
    assert_int_equal(chaincache_key(sk, (uint8_t[32]){place}, key), RC_OK);
    sk_X509_free(sk);
}

static void every_part_of_the_question_is_in_the_key(void **state)
{
    (void)state;
    uint8_t k[5][32];
    key_of(leaf.cert, root.cert, 1, k[0]);
    key_of(other.cert, root.cert, 1, k[1]);
    key_of(leaf.cert, NULL, 1, k[2]);
    key_of(root.cert, leaf.cert, 1, k[3]);
    key_of(leaf.cert, root.cert, 2, k[4]);
    for (size_t i = 0; i < N_ELEMS(k); i++) {
        for (size_t j = i + 1; j < N_ELEMS(k); j++)
            assert_memory_not_equal(k[i], k[j], 32);
    }
    key_of(leaf.cert, root.cert, 1, k[1]);
    assert_memory_equal(k[0], k[1], 32);
}

static void bad_verdicts_and_expired_chains_are_not_kept(void **state)
{
    (void)state;
    uint8_t key[32] = {1};
    struct cert_verdict v = good;
    assert_int_equal(chaincache_put(cache, key, NOW, NOW, &good), RC_DENIED);
    assert_int_equal(chaincache_put(cache, key, NOW, 0, &good), RC_DENIED);
    v.defects = DEFECT_BIT(EXPIRED);
    assert_int_equal(chaincache_put(cache, key, NOW, NOW + DAY, &v), RC_DENIED);
    assert_false(chaincache_find(cache, key, NOW, &v));
}

static void an_entry_ends_with_its_chain_or_after_an_hour(void **state)
{
    (void)state;
    uint8_t key[32] = {2};
    struct cert_verdict v;
    assert_int_equal(chaincache_put(cache, key, NOW, NOW + 100, &good), RC_OK);
    assert_true(chaincache_find(cache, key, NOW + 99, &v));
    assert_int_equal(v.leaf_sha256[0], 7);
    assert_false(chaincache_find(cache, key, NOW + 100, &v));
    assert_int_equal(chaincache_put(cache, key, NOW, INT64_MAX, &good), RC_OK);
    assert_true(chaincache_find(cache, key, NOW + 3599, &v));
    assert_false(chaincache_find(cache, key, NOW + 3600, &v));
    assert_int_equal(chaincache_put(cache, key, NOW, NOW + DAY, &good), RC_OK);
    assert_false(chaincache_find(cache, key, NOW - 1, &v)); /* the clock was set back */
}

static void the_least_recently_used_goes_first_and_clear_empties(void **state)
{
    (void)state;
    struct cert_verdict v;
    chaincache_clear(cache);
    for (uint8_t i = 0; i < 100; i++)
        assert_int_equal(chaincache_put(cache, (uint8_t[32]){3, i}, NOW, NOW + DAY, &good), RC_OK);
    assert_true(chaincache_find(cache, (uint8_t[32]){3, 0}, NOW, &v));
    assert_int_equal(chaincache_put(cache, (uint8_t[32]){4}, NOW, NOW + DAY, &good), RC_OK);
    assert_true(chaincache_find(cache, (uint8_t[32]){3, 0}, NOW, &v));
    assert_false(chaincache_find(cache, (uint8_t[32]){3, 1}, NOW, &v));
    assert_true(chaincache_find(cache, (uint8_t[32]){4}, NOW, &v));
    chaincache_clear(cache);
    assert_false(chaincache_find(cache, (uint8_t[32]){4}, NOW, &v));
}

static void a_look_up_is_much_cheaper_than_a_verification(void **state)
{
    (void)state;
    enum { N = 5000 };
    uint8_t key[32];
    struct cert_verdict v;
    struct timespec a, b;
    key_of(leaf.cert, root.cert, 1, key);
    assert_int_equal(chaincache_put(cache, key, NOW, NOW + DAY, &good), RC_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < N; i++) {
        key_of(leaf.cert, root.cert, 1, key);
        assert_true(chaincache_find(cache, key, NOW, &v));
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double us = ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / N;
    print_message("a chain seen before: %.1f us of CPU\n", us);
    assert_true(us < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_the_question_is_in_the_key),
        cmocka_unit_test(bad_verdicts_and_expired_chains_are_not_kept),
        cmocka_unit_test(an_entry_ends_with_its_chain_or_after_an_hour),
        cmocka_unit_test(the_least_recently_used_goes_first_and_clear_empties),
        cmocka_unit_test(a_look_up_is_much_cheaper_than_a_verification),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
