/* Sessions of origins and the place they belong to: nothing is shared between two places, a session of TLS
 * 1.3 is offered once, and only what was verified and still holds is used (threats.md row 28). */
#include "gw/flow/sessions.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "tests/unit/certs/make_cert.h"

static struct sessions *cache;
static const uint8_t place_a[PLACE_KEY] = {1}, place_b[PLACE_KEY] = {2};

static int setup(void **state)
{
    (void)state;
    return sessions_new(4, LIM_ORIGIN_TICKETS + 2, &cache) == RC_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sessions_free(cache);
    sessions_free(NULL);
    return 0;
}

static struct origin_facts facts(uint8_t leaf)
{
    return (struct origin_facts){.cert = {.not_after = NOW + DAY, .leaf_sha256 = {leaf}},
                                 .since_s = NOW,
                                 .until_s = NOW + 100,
                                 .subject = SPAN("CN=a.test"),
                                 .issuer = SPAN("CN=R")};
}

static SSL_SESSION *session(int version)
{
    SSL_SESSION *s = SSL_SESSION_new();
    assert_non_null(s);
    assert_int_equal(SSL_SESSION_set_protocol_version(s, version), 1);
    return s;
}

static bool put(const uint8_t *place, int version, const struct origin_facts *f)
{
    return sessions_put(cache, place, NOW, session(version), f);
}

/* Is there one to offer? */
static bool take(const uint8_t *place, int64_t now)
{
    struct origin_facts f;
    SSL_SESSION *s = sessions_take(cache, place, now, &f);
    if (s) {
        assert_true(span_eq(f.subject, SPAN("CN=a.test")));
        assert_true(span_eq(f.issuer, SPAN("CN=R")));
        assert_int_equal(f.cert.not_after, NOW + DAY);
    }
    SSL_SESSION_free(s);
    return s != NULL;
}

/* ---- what must not be used ---- */

static void a_session_behind_a_bad_certificate_is_not_kept(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    f.cert.defects = DEFECT_BIT(EXPIRED);
    assert_false(put(place_a, TLS1_3_VERSION, &f));
    f = facts(1);
    f.until_s = NOW; /* over already */
    assert_false(put(place_a, TLS1_3_VERSION, &f));
    f.since_s = NOW + 1;
    f.until_s = NOW + 100;
    assert_false(put(place_a, TLS1_3_VERSION, &f));
    assert_int_equal(sessions_count(cache), 0);
}

static void another_place_gets_nothing(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    assert_false(take(place_b, NOW));
    assert_true(take(place_a, NOW));
}

static void what_was_verified_ends(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    assert_true(take(place_a, NOW + 99));
    assert_false(take(place_a, NOW + 100));
    assert_false(take(place_a, NOW)); /* gone for good */
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    assert_false(take(place_a, NOW - 1)); /* the clock was set back */
    assert_int_equal(sessions_count(cache), 0);
}

static void bad_after_good_drops_what_good_left(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    assert_true(put(place_b, TLS1_2_VERSION, &f));
    sessions_drop(cache, place_a);
    assert_false(take(place_a, NOW));
    assert_true(take(place_b, NOW));
    sessions_drop(cache, place_a); /* twice is no harm */
    sessions_clear(cache);
    assert_false(take(place_b, NOW));
}

static void a_new_certificate_ends_the_sessions_of_the_old_one(void **state)
{
    (void)state;
    struct origin_facts old = facts(1), new = facts(2), out;
    assert_true(put(place_a, TLS1_3_VERSION, &old));
    assert_true(put(place_a, TLS1_3_VERSION, &new));
    SSL_SESSION *s = sessions_take(cache, place_a, NOW, &out);
    assert_non_null(s);
    SSL_SESSION_free(s);
    assert_int_equal(out.cert.leaf_sha256[0], 2);
    assert_false(take(place_a, NOW)); /* the old one's is not the second choice */
}

/* ---- how often ---- */

static void tls_1_3_is_offered_once_and_a_place_keeps_the_newest(void **state)
{
    (void)state;
    enum { MANY = LIM_ORIGIN_TICKETS + 1 };
    struct origin_facts f = facts(1), out;
    SSL_SESSION *s[MANY];
    for (size_t i = 0; i < MANY; i++) {
        s[i] = session(TLS1_3_VERSION);
        assert_true(sessions_put(cache, place_a, NOW, s[i], &f));
    }
    for (size_t i = MANY; i-- > 1;) { /* the newest first; the oldest is gone */
        SSL_SESSION *got = sessions_take(cache, place_a, NOW, &out);
        assert_ptr_equal(got, s[i]);
        SSL_SESSION_free(got);
    }
    assert_false(take(place_a, NOW));
}

static void all_places_together_keep_no_more_than_they_may(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    assert_true(put(place_b, TLS1_3_VERSION, &f));
    for (int i = 0; i < LIM_ORIGIN_TICKETS + 5; i++)
        assert_true(put(place_a, TLS1_3_VERSION, &f));
    assert_true(take(place_b, NOW));
    assert_true(put(place_b, TLS1_3_VERSION, &f)); /* the two are as many as there may be */
    for (int i = 0; i < 3; i++)
        assert_true(put((uint8_t[PLACE_KEY]){9}, TLS1_3_VERSION, &f));
    assert_false(take(place_a, NOW)); /* used longest ago: all of it goes */
    assert_true(take(place_b, NOW));
}

static void tls_1_2_is_offered_again(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    for (int i = 0; i < 5; i++)
        assert_true(take(place_a, NOW));
}

static void a_chain_verified_later_holds_longer(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    f.since_s = NOW + 50;
    f.until_s = NOW + 150;
    assert_true(sessions_put(cache, place_a, NOW + 50, session(TLS1_2_VERSION), &f));
    assert_true(take(place_a, NOW + 149));
    assert_false(take(place_a, NOW + 150));
}

static void the_least_recently_used_place_goes_first(void **state)
{
    (void)state;
    struct origin_facts f = facts(1);
    for (uint8_t i = 0; i < 4; i++)
        assert_true(put((uint8_t[PLACE_KEY]){9, i}, TLS1_2_VERSION, &f));
    assert_true(take((uint8_t[PLACE_KEY]){9, 0}, NOW));
    assert_true(put(place_a, TLS1_2_VERSION, &f));
    assert_int_equal(sessions_count(cache), 4);
    assert_true(take((uint8_t[PLACE_KEY]){9, 0}, NOW));
    assert_false(take((uint8_t[PLACE_KEY]){9, 1}, NOW));
}

/* ---- the place ---- */

static void every_part_of_a_place_is_in_its_key(void **state)
{
    (void)state;
    const struct place base = {
        .addr = {4, {192, 0, 2, 1}}, .port = 443, .name = SPAN("a.test"), .named = true, .tls = true};
    struct place p[12];
    uint8_t k[N_ELEMS(p)][PLACE_KEY];
    for (size_t i = 0; i < N_ELEMS(p); i++)
        p[i] = base;
    p[1].addr.b[3] = 2;
    p[2].addr.family = 6;
    p[3].port = 444;
    p[4].name = SPAN("b.test");
    p[5].name = SPAN_NONE;
    p[6].named = false;
    p[7].tls = false;
    p[8].h2 = true;
    p[9].profile = 1;
    p[10].version = TLS1_3_VERSION;
    p[11].trust = 1;
    for (size_t i = 0; i < N_ELEMS(p); i++) {
        assert_int_equal(place_key(&p[i], k[i]), RC_OK);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(k[i], k[j], PLACE_KEY);
    }
    assert_int_equal(place_key(&base, k[1]), RC_OK);
    assert_memory_equal(k[0], k[1], PLACE_KEY);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_session_behind_a_bad_certificate_is_not_kept),
        T(another_place_gets_nothing),
        T(what_was_verified_ends),
        T(bad_after_good_drops_what_good_left),
        T(a_new_certificate_ends_the_sessions_of_the_old_one),
        T(tls_1_3_is_offered_once_and_a_place_keeps_the_newest),
        T(all_places_together_keep_no_more_than_they_may),
        T(tls_1_2_is_offered_again),
        T(a_chain_verified_later_holds_longer),
        T(the_least_recently_used_place_goes_first),
        T(every_part_of_a_place_is_in_its_key),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
