/* The leaf cache: bounded, the least recently used goes first, nothing that is about to expire is given out;
 * and an object is changed into the next leaf only while nobody uses it, and only into what the signer
 * signed. */
#include "certs/leafcache.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "tests/unit/certs/own_ca.h"

static void leaf(struct buf *der, int64_t to)
{
    struct made m = mk_cert(&(struct mk){.cn = "a.test", .to = to}, NULL);
    uint8_t *p = NULL;
    int n = i2d_X509(m.cert, &p);
    assert_true(n > 0);
    assert_int_equal(buf_put(der, span_of(p, (size_t)n)), RC_OK);
    OPENSSL_free(p);
    mk_free(&m);
}

static struct leafcache *new_cache(size_t max)
{
    struct leafcache *c;
    assert_int_equal(leafcache_new(max, &c), RC_OK);
    return c;
}

static bool has(struct leafcache *c, const char *key, int64_t now_s)
{
    struct leaf *l = leafcache_find(c, span_str(key), now_s);
    leaf_put(l);
    return l != NULL;
}

static struct leaf_counts counts(const struct leafcache *c)
{
    struct leaf_counts n;
    leafcache_counts(c, &n);
    return n;
}

static void unusable_keys_and_certificates_are_refused(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(4);
    struct buf x = {0};
    uint8_t big[65] = {0};
    leaf(&x, DAY);
    assert_int_equal(leafcache_put(c, SPAN_NONE, buf_span(&x)), RC_LIMIT);
    assert_int_equal(leafcache_put(c, span_of(big, sizeof big), buf_span(&x)), RC_LIMIT);
    assert_int_equal(leafcache_put(c, SPAN("k"), SPAN_NONE), RC_BAD);
    assert_int_equal(leafcache_put(c, SPAN("k"), span_cut(buf_span(&x), 0, buf_len(&x) - 1)), RC_BAD);
    assert_int_equal(buf_put_u8(&x, 0), RC_OK);
    assert_int_equal(leafcache_put(c, SPAN("k"), buf_span(&x)), RC_BAD);
    assert_int_equal(leafcache_count(c), 0);
    leafcache_free(c);
    leafcache_free(NULL);
    leaf_put(NULL);
    buf_fini(&x);
}

static void a_leaf_with_less_than_a_minute_left_is_not_given_out(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(4);
    struct buf x = {0};
    leaf(&x, 1000);
    assert_int_equal(leafcache_put(c, SPAN("k"), buf_span(&x)), RC_OK);
    assert_true(has(c, "k", NOW + 940));
    assert_false(has(c, "k", NOW + 941));
    assert_false(has(c, "k", NOW)); /* it is gone for good */
    assert_int_equal(leafcache_count(c), 0);
    leafcache_free(c);
    buf_fini(&x);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(3);
    struct buf x = {0};
    leaf(&x, DAY);
    assert_int_equal(leafcache_put(c, SPAN("a"), buf_span(&x)), RC_OK);
    assert_int_equal(leafcache_put(c, SPAN("b"), buf_span(&x)), RC_OK);
    assert_int_equal(leafcache_put(c, SPAN("c"), buf_span(&x)), RC_OK);
    assert_true(has(c, "a", NOW));
    assert_int_equal(leafcache_put(c, SPAN("d"), buf_span(&x)), RC_OK);
    assert_int_equal(leafcache_count(c), 3);
    assert_true(has(c, "a", NOW));
    assert_false(has(c, "b", NOW));
    assert_true(has(c, "c", NOW));
    leafcache_free(c);
    buf_fini(&x);
}

static void a_leaf_in_use_outlives_its_entry_and_its_cache(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(1);
    struct buf x = {0}, y = {0};
    leaf(&x, DAY);
    leaf(&y, DAY);
    assert_int_equal(leafcache_put(c, SPAN("a"), buf_span(&x)), RC_OK);
    struct leaf *used = leafcache_find(c, SPAN("a"), NOW);
    struct leaf *again = leafcache_find(c, SPAN("a"), NOW);
    assert_ptr_equal(used, again); /* decoded once */
    leaf_put(again);
    assert_int_equal(leafcache_put(c, SPAN("a"), buf_span(&y)), RC_OK); /* replaces */
    assert_int_equal(leafcache_count(c), 1);
    struct leaf *other = leafcache_find(c, SPAN("a"), NOW);
    assert_ptr_not_equal(other, used);
    leafcache_clear(c);
    assert_int_equal(leafcache_count(c), 0);
    assert_int_equal(counts(c).objects, 0);
    leafcache_free(c);
    assert_int_equal(X509_get_version(leaf_x509(used)), X509_VERSION_3);
    leaf_put(used);
    leaf_put(other);
    buf_fini(&x);
    buf_fini(&y);
}

/* threats.md row 53: the cache is bounded. */
static void the_cap_holds_for_a_flood_of_names(void **state)
{
    (void)state;
    struct leafcache *c = new_cache(100);
    struct buf x = {0};
    leaf(&x, DAY);
    for (uint32_t i = 0; i < 50000; i++)
        assert_int_equal(leafcache_put(c, span_of(&i, sizeof i), buf_span(&x)), RC_OK);
    assert_int_equal(leafcache_count(c), 100);
    leafcache_free(c);
    buf_fini(&x);
}

/* ---- recycled objects */

static void is_exactly(const struct leaf *l, const struct buf *der)
{
    uint8_t *p = NULL;
    int n = i2d_X509(leaf_x509(l), &p);
    assert_int_equal(n, buf_len(der));
    assert_memory_equal(p, buf_span(der).p, (size_t)n);
    OPENSSL_free(p);
}

static struct leaf *fresh(struct leafcache *c, struct own_ca *o, const struct mint_request *req,
                          const char *key, struct buf *der)
{
    own_ca_mint(o, req, der);
    assert_int_equal(leafcache_put(c, span_str(key), buf_span(der)), RC_OK);
    struct leaf *l = leafcache_find(c, span_str(key), NOW);
    assert_non_null(l);
    return l;
}

/* As many unused objects as make the cache recycle. */
static void fill(struct leafcache *c, struct own_ca *o)
{
    struct leaf *l[LIM_LEAF_OBJECTS];
    struct buf der = {0};
    for (int i = 0; i < LIM_LEAF_OBJECTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "host%d.example", i);
        struct mint_request req = own_ca_ask(name);
        l[i] = fresh(c, o, &req, name, &der);
    }
    for (int i = 0; i < LIM_LEAF_OBJECTS; i++)
        leaf_put(l[i]);
    assert_int_equal(counts(c).recycled, 0);
    buf_fini(&der);
}

/* Short, long (no common name, names critical), many names, addresses, dates in UTCTime and in
 * GeneralizedTime. */
static void a_recycled_object_is_byte_for_byte_what_was_signed(void **state)
{
    (void)state;
    struct own_ca o;
    struct leafcache *c = new_cache(1000);
    struct buf der = {0};
    static const char longest[] =
        "a-very-long-label-that-fills-the-common-name.and-more-than-that.site.example";
    own_ca_open(&o);
    fill(c, &o);
    for (int i = 0; i < 400; i++) {
        char name[64], second[64];
        snprintf(name, sizeof name, "www%d.site.example", i);
        snprintf(second, sizeof second, "*.w%d.site.example", i);
        struct mint_request req = own_ca_ask(i % 5 == 1 ? longest : name);
        if (i % 3 == 1)
            req.sans[req.n_sans++] = (struct san){SAN_DNS, span_str(second)};
        if (i % 4 == 1)
            req.sans[req.n_sans++] = (struct san){SAN_IP, SPAN("\x0a\x01\x02\x03")};
        if (i % 7 == 1)
            req.n_sans = 1, req.sans[0] = (struct san){SAN_IP, SPAN("\x0a\x01\x02\x04")};
        struct leaf *l = fresh(c, &o, &req, name, &der);
        is_exactly(l, &der);
        if (i % 5 != 1 && i % 7 != 1)
            assert_int_equal(
                X509_check_host(leaf_x509(l), name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
        leaf_put(l);
    }
    assert_int_equal(counts(c).recycled, 400);
    assert_int_equal(counts(c).objects, LIM_LEAF_OBJECTS);
    leafcache_free(c);
    own_ca_close(&o);
    buf_fini(&der);
}

static void an_object_that_is_used_is_never_changed(void **state)
{
    (void)state;
    struct own_ca o;
    struct leafcache *c = new_cache(1000);
    struct buf kept = {0}, der = {0};
    own_ca_open(&o);
    struct mint_request req = own_ca_ask("kept.example");
    struct leaf *l = fresh(c, &o, &req, "kept", &kept);
    fill(c, &o);
    for (int i = 0; i < 3 * LIM_LEAF_OBJECTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.example", i);
        req = own_ca_ask(name);
        leaf_put(fresh(c, &o, &req, name, &der));
    }
    assert_int_equal(counts(c).recycled, 3 * LIM_LEAF_OBJECTS);
    is_exactly(l, &kept);
    leaf_put(l);
    leafcache_free(c);
    own_ca_close(&o);
    buf_fini(&kept);
    buf_fini(&der);
}

/* A leaf for another key, or of another CA, would come out wrong: it is decoded instead. */
static void what_an_object_cannot_become_is_decoded(void **state)
{
    (void)state;
    struct own_ca o, other;
    struct leafcache *c = new_cache(1000);
    struct buf der = {0};
    own_ca_open(&o);
    own_ca_open(&other);
    fill(c, &o);
    uint64_t decoded = counts(c).decoded;
    struct mint_request req = own_ca_ask("www.example");
    struct leaf *l = fresh(c, &other, &req, "www", &der);
    is_exactly(l, &der);
    assert_int_equal(counts(c).recycled, 0);
    assert_int_equal(counts(c).decoded, decoded + 1);
    leaf_put(l);
    leafcache_free(c);
    own_ca_close(&o);
    own_ca_close(&other);
    buf_fini(&der);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cost_of(struct leafcache *c, struct own_ca *o, int n)
{
    struct buf der = {0};
    double sum = 0;
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%d-%d.example", n, i);
        struct mint_request req = own_ca_ask(name);
        own_ca_mint(o, &req, &der);
        double from = cpu_us();
        assert_int_equal(leafcache_put(c, span_str(name), buf_span(&der)), RC_OK);
        leaf_put(leafcache_find(c, span_str(name), NOW));
        sum += cpu_us() - from;
    }
    buf_fini(&der);
    return sum / n;
}

/* The reason for all this: at most half of what OpenSSL takes (a fifth, measured). */
static void recycling_is_cheaper_than_decoding(void **state)
{
    (void)state;
    struct own_ca o;
    struct leafcache *c = new_cache(1000);
    own_ca_open(&o);
    double decoded = cost_of(c, &o, LIM_LEAF_OBJECTS);
    double recycled = cost_of(c, &o, 300);
    print_message("a leaf into an object: decoded %.1f us, recycled %.1f us\n", decoded, recycled);
    assert_true(recycled < decoded / 2);
    leafcache_free(c);
    own_ca_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusable_keys_and_certificates_are_refused),
        cmocka_unit_test(a_leaf_with_less_than_a_minute_left_is_not_given_out),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(a_leaf_in_use_outlives_its_entry_and_its_cache),
        cmocka_unit_test(the_cap_holds_for_a_flood_of_names),
        cmocka_unit_test(a_recycled_object_is_byte_for_byte_what_was_signed),
        cmocka_unit_test(an_object_that_is_used_is_never_changed),
        cmocka_unit_test(what_an_object_cannot_become_is_decoded),
        cmocka_unit_test(recycling_is_cheaper_than_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
