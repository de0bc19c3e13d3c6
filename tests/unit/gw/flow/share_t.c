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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_bucket_refuses_and_fills_again_at_its_rate),
        cmocka_unit_test(other_clients_have_their_own),
        cmocka_unit_test(an_ipv6_client_does_not_get_more_by_changing_its_address),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
