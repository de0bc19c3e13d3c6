/* One client cannot use up what is there for all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/flow/share.h"

#include "gw/base/limits.h"

static struct addr address(const char *text)
{
    struct addr a;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

static unsigned drain(struct share *s, const struct addr *a, int64_t now_ms)
{
    unsigned n = 0;
    while (n < 100000 && share_take(s, a, now_ms))
        n++;
    return n;
}

static void an_empty_bucket_refuses_and_fills_again_at_its_rate(void **state)
{
    struct share s;
    struct addr a = address("10.32.1.10");
    (void)state;
    share_init(&s);
    assert_int_equal(drain(&s, &a, 1000), LIM_CLIENT_MINT_BURST);
    assert_false(share_take(&s, &a, 1000));
    assert_int_equal(drain(&s, &a, 2000), LIM_CLIENT_MINT_RATE);
    assert_int_equal(drain(&s, &a, 100000000), LIM_CLIENT_MINT_BURST); /* never more than the burst */
    share_fini(&s);
}

static void other_clients_have_their_own(void **state)
{
    struct share s;
    struct addr a = address("10.32.1.10"), b = address("10.32.1.11");
    (void)state;
    share_init(&s);
    drain(&s, &a, 1000);
    assert_true(share_take(&s, &b, 1000));
    share_fini(&s);
}

static void an_ipv6_client_does_not_get_more_by_changing_its_address(void **state)
{
    struct share s;
    struct addr a = address("fd10:32::1"), same = address("fd10:32::ffff:2"),
                other = address("fd10:32:0:1::1");
    (void)state;
    share_init(&s);
    drain(&s, &a, 1000);
    assert_false(share_take(&s, &same, 1000));
    assert_true(share_take(&s, &other, 1000));
    share_fini(&s);
}

static void the_table_is_bounded(void **state)
{
    struct share s;
    (void)state;
    share_init(&s);
    for (uint32_t i = 0; i < LIM_CLIENTS_SHARED + 10; i++) {
        struct addr a = {.family = 4, .b = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        assert_true(share_take(&s, &a, 1000));
        assert_true(s.by_client.n <= LIM_CLIENTS_SHARED);
    }
    share_fini(&s);
}

/* ---- open flows ---- */

static struct addr numbered(const char *net, unsigned n)
{
    struct addr a = address(net);
    size_t last = a.family == 4 ? 3 : 15;
    a.b[last] = (uint8_t)n;
    a.b[last - 1] = (uint8_t)(a.family == 6 ? n >> 8 : a.b[last - 1]);
    return a;
}

static unsigned fill(struct share *s, const struct addr *a)
{
    unsigned n = 0;
    while (n < 100000 && share_enter(s, a))
        n++;
    return n;
}

static void one_address_does_not_take_the_place_of_others(void **state)
{
    static const char *const clients[][2] = {{"10.32.1.10", "10.32.1.11"}, {"fd10:32::1", "fd10:32::2"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct share s;
        struct addr a = address(clients[i][0]), b = address(clients[i][1]);
        share_init(&s);
        assert_int_equal(fill(&s, &a), LIM_CLIENT_FLOWS);
        assert_false(share_enter(&s, &a));
        assert_true(share_enter(&s, &b));
        share_leave(&s, &a);
        assert_true(share_enter(&s, &a));
        assert_false(share_enter(&s, &a));
        share_fini(&s);
    }
}

static void one_network_leaves_room_for_others(void **state)
{
    static const char *const nets[][2] = {{"10.32.1.0", "10.32.2.1"}, {"fd10:32::", "fd10:32:0:1::1"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct share s;
        struct addr other = address(nets[i][1]);
        unsigned n = 0;
        share_init(&s);
        for (unsigned k = 0; k < 256; k++) {
            struct addr a = numbered(nets[i][0], k);
            n += fill(&s, &a);
        }
        assert_int_equal(n, LIM_NETWORK_FLOWS);
        assert_true(share_enter(&s, &other));
        share_fini(&s);
    }
}

static void who_has_left_leaves_no_entry(void **state)
{
    struct share s;
    (void)state;
    share_init(&s);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned k = 0; k < 300; k++) {
            struct addr a = numbered("fd10:32::", k);
            assert_true(share_enter(&s, &a));
        }
        assert_int_equal(s.open.n, 301);
        for (unsigned k = 0; k < 300; k++) {
            struct addr a = numbered("fd10:32::", k);
            share_leave(&s, &a);
        }
        assert_int_equal(s.open.n, 0);
    }
    share_fini(&s);
}

/* ---- memory of HTTP/2 ---- */

static void what_waits_counts_for_its_client_and_for_all(void **state)
{
    struct share s;
    struct addr a = address("fd10:32::1"), same = address("fd10:32::ffff:2"), other = address("10.32.1.10");
    (void)state;
    share_init(&s);
    struct h2_waiting *w = share_waiting_get(&s, &a), *o = share_waiting_get(&s, &other);
    assert_ptr_equal(w, share_waiting_get(&s, &same));
    assert_ptr_not_equal(w, o);
    h2_waiting_count(w, 0, LIM_H2_CLIENT_WAITING_BYTES - 1);
    assert_false(h2_waiting_full(w, 1));
    h2_waiting_count(w, 0, 1);
    assert_true(h2_waiting_full(w, 1) && !h2_waiting_full(w, 2));
    assert_false(h2_waiting_full(o, 1));
    h2_waiting_count(o, 0, LIM_H2_WAITING_BYTES - LIM_H2_CLIENT_WAITING_BYTES);
    h2_waiting_count(w, LIM_H2_CLIENT_WAITING_BYTES, 0);
    assert_false(h2_waiting_full(w, 1));
    h2_waiting_count(o, 0, LIM_H2_CLIENT_WAITING_BYTES);
    assert_true(h2_waiting_full(w, 1)); /* the worker is full */
    h2_waiting_count(o, LIM_H2_WAITING_BYTES, 0);
    assert_int_equal(s.all.bytes, 0);
    share_waiting_put(&s, &same);
    share_waiting_put(&s, &a);
    share_waiting_put(&s, &other);
    assert_int_equal(s.waiting.n, 0);
    share_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_bucket_refuses_and_fills_again_at_its_rate),
        cmocka_unit_test(other_clients_have_their_own),
        cmocka_unit_test(an_ipv6_client_does_not_get_more_by_changing_its_address),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(one_address_does_not_take_the_place_of_others),
        cmocka_unit_test(one_network_leaves_room_for_others),
        cmocka_unit_test(who_has_left_leaves_no_entry),
        cmocka_unit_test(what_waits_counts_for_its_client_and_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
