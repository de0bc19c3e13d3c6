/* The permit table says who may say what to whom, and nothing else; the configuration survives its way
 * unchanged. */
#include "gw/ipc/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/base/limits.h"

static bool may(enum msg_type t, enum role from, enum role to)
{
    struct msg_permit p;
    return msg_permitted(t, from, to, &p);
}

static void a_worker_may_not_speak_as_the_master(void **state)
{
    (void)state;
    assert_false(may(MSG_STOP, ROLE_WORKER, ROLE_SIGNER));
    assert_false(may(MSG_CAKEY_FD, ROLE_WORKER, ROLE_SIGNER));
    assert_false(may(MSG_SNAPSHOT, ROLE_WORKER, ROLE_MASTER));
    assert_false(may(MSG_MINTED, ROLE_WORKER, ROLE_SIGNER));
    assert_false(may(MSG_MINT, ROLE_WORKER, ROLE_MASTER));
    assert_false(may(MSG_CRL_REP, ROLE_WORKER, ROLE_MASTER));
}

static void the_ca_key_goes_to_the_signer_only(void **state)
{
    (void)state;
    for (unsigned to = 0; to < ROLE_N; to++)
        assert_int_equal(may(MSG_CAKEY_FD, ROLE_MASTER, (enum role)to), to == ROLE_SIGNER);
}

static void any_means_every_role_but_the_master(void **state)
{
    (void)state;
    for (unsigned r = 0; r < ROLE_N; r++) {
        assert_int_equal(may(MSG_HELLO, (enum role)r, ROLE_MASTER), r != ROLE_MASTER);
        assert_int_equal(may(MSG_PING, ROLE_MASTER, (enum role)r), r != ROLE_MASTER);
    }
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_false(may((enum msg_type)MSG_N, ROLE_MASTER, ROLE_WORKER));
    assert_false(may((enum msg_type)65535, ROLE_MASTER, ROLE_WORKER));
    assert_false(may(MSG_PING, (enum role)ROLE_N, ROLE_WORKER));
    assert_false(may(MSG_PING, ROLE_MASTER, (enum role)99));
}

static void every_row_is_whole_and_within_the_caps(void **state)
{
    (void)state;
    for (unsigned t = 0; t < MSG_N; t++) {
        bool somebody = false;
        assert_true(strlen(msg_name((enum msg_type)t)) > 1);
        for (unsigned i = 0; i < ROLE_N * ROLE_N; i++) {
            struct msg_permit p;
            if (!msg_permitted((enum msg_type)t, (enum role)(i / ROLE_N), (enum role)(i % ROLE_N), &p))
                continue;
            somebody = true;
            assert_true(p.max_bytes > 0 && p.max_bytes + 2 <= LIM_MSG_BYTES);
            assert_true(p.max_fds <= 4);
        }
        assert_true(somebody);
    }
    assert_string_equal(msg_name((enum msg_type)MSG_N), "?");
}

static void roles_are_found_by_name_only(void **state)
{
    (void)state;
    assert_int_equal(role_find("signer"), ROLE_SIGNER);
    assert_int_equal(role_find("SIGNER"), ROLE_N);
    assert_int_equal(role_find("sign"), ROLE_N);
    assert_int_equal(role_find(""), ROLE_N);
    for (unsigned r = 0; r < ROLE_N; r++)
        assert_int_equal(role_find(role_name((enum role)r)), r);
}

static struct role_config sample(void)
{
    struct role_config c = {.index = 7,
                            .boot = 0x0123456789abcdefULL,
                            .clock_offset_us = -5000000,
                            .node = 31,
                            .log_level = 3,
                            .node_name = "opera",
                            .n_resolvers = 2};
    c.resolver[0] = (struct addr){4, {192, 0, 2, 53}};
    c.resolver[1] = (struct addr){6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x35}};
    return c;
}

static void a_configuration_cut_short_or_with_a_tail_is_bad(void **state)
{
    (void)state;
    struct role_config c = sample(), got;
    struct buf b = {0};
    assert_int_equal(role_config_put(&b, &c), RC_OK);
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(role_config_get(span_cut(buf_span(&b), 0, n), &got), RC_BAD);
    assert_int_equal(buf_put_u8(&b, 0), RC_OK);
    assert_int_equal(role_config_get(buf_span(&b), &got), RC_BAD);
    buf_fini(&b);
}

/* Puts a wrong value into one byte of a good message. */
static enum rc with_byte(size_t at, uint8_t value)
{
    struct role_config c = sample(), got;
    struct buf b = {0};
    assert_int_equal(role_config_put(&b, &c), RC_OK);
    b.p[at] = value;
    enum rc rc = role_config_get(buf_span(&b), &got);
    buf_fini(&b);
    return rc;
}

static void values_out_of_range_are_bad(void **state)
{
    (void)state;
    assert_int_equal(with_byte(0, 1), RC_BAD);   /* index */
    assert_int_equal(with_byte(23, 32), RC_BAD); /* node */
    assert_int_equal(with_byte(24, 4), RC_BAD);  /* log level */
    assert_int_equal(with_byte(26, 0), RC_BAD);  /* NUL in the name */
    assert_int_equal(with_byte(31, 5), RC_BAD);  /* resolvers */
    assert_int_equal(with_byte(32, 5), RC_BAD);  /* family */
    assert_int_equal(with_byte(26, 'O'), RC_OK);
}

static void a_configuration_comes_back_as_it_was(void **state)
{
    (void)state;
    struct role_config c = sample(), got;
    struct buf b = {0};
    assert_int_equal(role_config_put(&b, &c), RC_OK);
    assert_int_equal(role_config_get(buf_span(&b), &got), RC_OK);
    assert_int_equal(got.index, 7);
    assert_true(got.boot == c.boot && got.clock_offset_us == c.clock_offset_us);
    assert_int_equal(got.node, 31);
    assert_string_equal(got.node_name, "opera");
    assert_true(got.n_resolvers == 2 && addr_eq(&got.resolver[1], &c.resolver[1]));
    buf_fini(&b);
}

static void rules_of_the_fetcher_come_back_whole_or_not_at_all(void **state)
{
    (void)state;
    struct fetch_rules f = {.private_block = true, .n_resolvers = 2, .n_open = 1, .n_management = 1}, got;
    struct buf b = {0};
    assert_true(addr_parse(SPAN("192.0.2.53"), &f.resolver[0]) &&
                addr_parse(SPAN("2001:db8::53"), &f.resolver[1]) &&
                prefix_parse(SPAN("10.1.0.0/16"), &f.open[0]) &&
                prefix_parse(SPAN("192.0.2.0/24"), &f.management[0]));
    assert_int_equal(fetch_rules_put(&b, &f), RC_OK);
    assert_int_equal(fetch_rules_get(buf_span(&b), &got), RC_OK);
    assert_true(got.private_block && got.n_resolvers == 2 && addr_eq(&got.resolver[1], &f.resolver[1]));
    assert_true(got.n_open == 1 && got.open[0].bits == 16 && got.n_management == 1 &&
                addr_eq(&got.management[0].a, &f.management[0].a));
    for (size_t n = 0; n < buf_len(&b); n++)
        assert_int_equal(fetch_rules_get(span_cut(buf_span(&b), 0, n), &got), RC_BAD);
    b.p[1] = FETCH_RESOLVERS + 1;
    assert_int_equal(fetch_rules_get(buf_span(&b), &got), RC_BAD);
    b.p[1] = 1;
    assert_int_equal(fetch_rules_get(buf_span(&b), &got), RC_BAD);
    b.p[1] = 2;
    b.p[2] = 5; /* no family */
    assert_int_equal(fetch_rules_get(buf_span(&b), &got), RC_BAD);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_may_not_speak_as_the_master),
        cmocka_unit_test(the_ca_key_goes_to_the_signer_only),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(a_configuration_cut_short_or_with_a_tail_is_bad),
        cmocka_unit_test(values_out_of_range_are_bad),
        cmocka_unit_test(any_means_every_role_but_the_master),
        cmocka_unit_test(every_row_is_whole_and_within_the_caps),
        cmocka_unit_test(roles_are_found_by_name_only),
        cmocka_unit_test(rules_of_the_fetcher_come_back_whole_or_not_at_all),
        cmocka_unit_test(a_configuration_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
