/* Streams and their ends: alerts, resets, failures that last, and what is a clean end. */
#include "tests/unit/gw/tls/stream_help.h"

#include <errno.h>

/* ---- failures ---- */

static void a_fatal_alert_is_told_by_its_number(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    put_tls(&r);
    SSL_set_verify(r.theirs, SSL_VERIFY_PEER, NULL); /* it trusts nobody */
    assert_int_equal(shake(&r), RC_TLS);
    assert_true(r.s.alert_in == SSL_AD_UNKNOWN_CA || r.s.alert_in == SSL_AD_BAD_CERTIFICATE);
    assert_int_equal(ERR_GET_REASON(r.s.tls_error), SSL_AD_REASON_OFFSET + r.s.alert_in);
    expect_dead(&r);
    end(&r);
}

static void what_is_not_tls_fails_the_handshake_for_good(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    put_tls(&r);
    assert_int_equal(write(r.peer, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_int_equal(stream_handshake(&r.s), RC_TLS);
    assert_int_not_equal(r.s.tls_error, 0);
    assert_int_equal(r.s.alert_in, -1);
    enum rc again = stream_handshake(&r.s);
    assert_true(again != RC_OK && again != RC_AGAIN);
    expect_dead(&r);
    end(&r);
}

static void hanging_up_in_the_handshake_is_a_failure(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    put_tls(&r);
    hang_up(&r);
    assert_int_equal(stream_handshake(&r.s), RC_CLOSED);
    assert_true(r.s.in_eof && !r.s.clean_eof);
    expect_dead(&r);
    end(&r);
}

static void a_damaged_record_ends_the_stream(void **state)
{
    struct rig r;
    static const uint8_t forged[] = "\x17\x03\x03\x00\x14this is no ciphertext";
    (void)state;
    begin_tls(&r, TLS1_3_VERSION);
    assert_int_equal(write(r.peer, forged, sizeof forged), (ssize_t)sizeof forged);
    turn(&r);
    expect_rc(&r, RC_TLS);
    assert_int_not_equal(r.s.tls_error, 0);
    expect_dead(&r);
    end(&r);
}

static void writing_to_nobody_fails_and_stays_failed(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    hang_up(&r);
    assert_int_equal(stream_write(&r.s, SPAN("x")), RC_IO);
    assert_int_equal(r.s.sys_errno, EPIPE);
    expect_dead(&r);
    end(&r);
}

static void abort_sends_a_reset(void **state)
{
    struct rig r;
    char c;
    (void)state;
    begin_tcp(&r);
    stream_abort(&r.s);
    expect_dead(&r);
    stream_fini(&r.s);
    errno = 0;
    assert_int_equal(read(r.peer, &c, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    end(&r);
    begin_tcp(&r); /* and without it the peer sees an end */
    stream_fini(&r.s);
    assert_int_equal(read(r.peer, &c, 1), 0);
    end(&r);
}

static void a_reset_from_the_peer_is_no_end(void **state)
{
    struct rig r;
    struct linger now = {.l_onoff = 1};
    (void)state;
    begin_tcp(&r);
    setsockopt(r.peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    hang_up(&r);
    turn(&r);
    expect_rc(&r, RC_IO);
    assert_int_equal(r.s.sys_errno, ECONNRESET);
    assert_false(r.s.clean_eof);
    expect_dead(&r);
    end(&r);
}

/* ---- ends ---- */

static void end_without_close_notify(int version)
{
    struct rig r;
    begin_tls(&r, version);
    say(&r, "half a bo");
    hang_up(&r);
    turn(&r);
    expect(&r, "half a bo");
    turn(&r);
    expect_rc(&r, RC_CLOSED);
    assert_true(r.s.in_eof);
    assert_false(r.s.clean_eof);
    expect_rc(&r, RC_CLOSED);
    assert_false(r.s.clean_eof || r.s.failed);
    end(&r);
}

static void a_tls_end_without_close_notify_is_not_clean(void **state)
{
    (void)state;
    end_without_close_notify(TLS1_2_VERSION);
    end_without_close_notify(TLS1_3_VERSION);
}

static void end_with_close_notify(int version)
{
    struct rig r;
    begin_tls(&r, version);
    say(&r, "all");
    SSL_shutdown(r.theirs);
    hang_up(&r);
    turn(&r);
    expect(&r, "all");
    turn(&r);
    expect_rc(&r, RC_CLOSED);
    assert_true(r.s.in_eof && r.s.clean_eof);
    expect_rc(&r, RC_CLOSED);
    assert_true(r.s.clean_eof && !r.s.failed);
    end(&r);
}

static void a_tls_end_with_close_notify_is_clean(void **state)
{
    (void)state;
    end_with_close_notify(TLS1_2_VERSION);
    end_with_close_notify(TLS1_3_VERSION);
}

static void a_plain_end_is_clean(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    hang_up(&r);
    expect_rc(&r, RC_AGAIN);
    turn(&r);
    expect_rc(&r, RC_CLOSED);
    assert_true(r.s.in_eof && r.s.clean_eof);
    end(&r);
}

static void our_end(bool clean, int want)
{
    struct rig r;
    uint8_t c;
    begin_tls(&r, TLS1_3_VERSION);
    stream_shut(&r.s, clean);
    stream_shut(&r.s, clean); /* once is enough */
    int ret = SSL_read(r.theirs, &c, 1);
    assert_int_equal(SSL_get_error(r.theirs, ret), want);
    ERR_clear_error();
    assert_int_equal(read(r.peer, &c, 1), 0);
    end(&r);
}

static void our_end_says_close_notify_only_when_it_is_clean(void **state)
{
    (void)state;
    our_end(true, SSL_ERROR_ZERO_RETURN);
    our_end(false, SSL_ERROR_SSL); /* unexpected end of file */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fatal_alert_is_told_by_its_number),
        cmocka_unit_test(what_is_not_tls_fails_the_handshake_for_good),
        cmocka_unit_test(hanging_up_in_the_handshake_is_a_failure),
        cmocka_unit_test(a_damaged_record_ends_the_stream),
        cmocka_unit_test(writing_to_nobody_fails_and_stays_failed),
        cmocka_unit_test(abort_sends_a_reset),
        cmocka_unit_test(a_reset_from_the_peer_is_no_end),
        cmocka_unit_test(a_tls_end_without_close_notify_is_not_clean),
        cmocka_unit_test(a_tls_end_with_close_notify_is_clean),
        cmocka_unit_test(a_plain_end_is_clean),
        cmocka_unit_test(our_end_says_close_notify_only_when_it_is_clean),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
