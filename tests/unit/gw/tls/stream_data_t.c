/* What goes through a stream: order of bytes, what is asked of the kernel and when, what waits and how much
 * memory that takes. */
#include "tests/unit/gw/tls/stream_help.h"

#include <malloc.h>

#include "gw/base/limits.h"

enum { BIG = 200000 };

/* ---- memory of OpenSSL, counted ---- */

static size_t live; /* bytes that OpenSSL holds */

static void *count_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    void *p = malloc(n);
    live += malloc_usable_size(p);
    return p;
}

static void count_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    live -= malloc_usable_size(p);
    free(p);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    live -= malloc_usable_size(p);
    p = realloc(p, n);
    live += malloc_usable_size(p);
    return p;
}

/* ---- reading ---- */

static void kept_bytes_are_read_before_the_socket(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    assert_int_equal(buf_put(&r.s.kept, SPAN("first ")), RC_OK);
    say(&r, "second");
    assert_true(stream_has_buffered(&r.s));
    expect(&r, "first ");
    assert_false(stream_has_buffered(&r.s));
    assert_int_equal(r.s.n_in, 0);
    turn(&r);
    expect(&r, "second");
    assert_int_equal(r.s.n_in, 6);
    end(&r);
}

static void kept_bytes_may_be_read_in_pieces(void **state)
{
    struct rig r;
    uint8_t b[4];
    size_t got;
    (void)state;
    begin_plain(&r);
    assert_int_equal(buf_put(&r.s.kept, SPAN("abcdef")), RC_OK);
    assert_int_equal(stream_read(&r.s, b, 4, &got), RC_OK);
    assert_true(span_eq(span_of(b, got), SPAN("abcd")));
    expect(&r, "ef");
    expect_rc(&r, RC_AGAIN);
    end(&r);
}

/* The hello was read by somebody else: `keep` of its bytes are kept, the others still come by the socket. */
static void hello_kept(size_t keep)
{
    struct rig r;
    uint8_t hello[2048];
    begin_plain(&r);
    put_tls(&r);
    assert_int_equal(SSL_do_handshake(r.theirs), -1);
    ERR_clear_error();
    ssize_t n = recv(r.s.io.fd, hello, sizeof hello, 0);
    assert_true(n > 60);
    if (keep > (size_t)n)
        keep = (size_t)n;
    assert_int_equal(buf_put(&r.s.kept, span_of(hello, keep)), RC_OK);
    assert_int_equal(write(r.peer, hello + keep, (size_t)n - keep), n - (ssize_t)keep);
    assert_int_equal(shake(&r), RC_OK);
    assert_int_equal(r.s.kept.cap, 0);
    say(&r, "hi");
    turn(&r);
    expect(&r, "hi");
    end(&r);
}

static void tls_reads_the_kept_hello_first(void **state)
{
    (void)state;
    hello_kept(SIZE_MAX);
    hello_kept(50);
    hello_kept(3);
}

static void not_ready(struct rig *r)
{
    expect_rc(r, RC_AGAIN);
    say(r, "abc");
    uint64_t before = r->s.n_in;
    expect_rc(r, RC_AGAIN); /* it is there, but nobody has told */
    assert_int_equal(r->s.n_in, before);
    stream_event(&r->s, EPOLLOUT); /* which says nothing of reading */
    expect_rc(r, RC_AGAIN);
    stream_event(&r->s, EPOLLIN);
    expect(r, "abc");
    assert_false(r->s.ready); /* less came than was asked for */
    say(r, "def");
    expect_rc(r, RC_AGAIN);
    turn(r);
    assert_int_equal(r->told, EPOLLIN);
    expect(r, "def");
    end(r);
}

static void the_kernel_is_not_asked_before_it_has_told(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    not_ready(&r);
    begin_tls(&r, TLS1_2_VERSION);
    not_ready(&r);
    begin_tls(&r, TLS1_3_VERSION);
    not_ready(&r);
}

static void a_full_read_leaves_it_ready(void **state)
{
    struct rig r;
    uint8_t b[2];
    size_t got;
    (void)state;
    begin_plain(&r);
    say(&r, "abc");
    turn(&r);
    assert_int_equal(stream_read(&r.s, b, 2, &got), RC_OK);
    assert_true(r.s.ready);
    expect(&r, "c");
    end(&r);
}

static void what_tls_holds_is_read_without_the_kernel(void **state)
{
    struct rig r;
    uint8_t b[2];
    size_t got;
    (void)state;
    begin_tls(&r, TLS1_3_VERSION);
    say(&r, "abc");
    turn(&r);
    assert_int_equal(stream_read(&r.s, b, 2, &got), RC_OK);
    assert_false(r.s.ready);
    assert_true(stream_has_buffered(&r.s));
    expect(&r, "c");
    expect_rc(&r, RC_AGAIN);
    assert_false(stream_has_buffered(&r.s));
    end(&r);
}

static void half_a_record_does_not_keep_the_owner_busy(void **state)
{
    struct rig r;
    uint8_t record[256];
    (void)state;
    begin_tls(&r, TLS1_3_VERSION);
    say(&r, "abc");
    ssize_t n = recv(r.s.io.fd, record, sizeof record, 0);
    assert_true(n > 10);
    assert_int_equal(write(r.peer, record, 10), 10);
    turn(&r);
    expect_rc(&r, RC_AGAIN);
    assert_false(stream_has_buffered(&r.s)); /* although TLS holds ten bytes */
    assert_int_equal(write(r.peer, record + 10, (size_t)n - 10), n - 10);
    turn(&r);
    expect(&r, "abc");
    end(&r);
}

static void a_paused_stream_is_not_told(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    say(&r, "abc");
    r.s.paused = true;
    turn(&r);
    assert_int_equal(r.told, 0);
    assert_false(r.s.ready);
    r.s.paused = false;
    turn(&r);
    expect(&r, "abc");
    end(&r);
}

/* ---- writing ---- */

static size_t stuff(int fd)
{
    static const uint8_t junk[4096];
    size_t n = 0;
    for (ssize_t put; (put = send(fd, junk, sizeof junk, MSG_NOSIGNAL)) > 0;)
        n += (size_t)put;
    return n;
}

static void being_writable_wakes_a_read_that_must_write_first(void **state)
{
    struct rig r;
    uint8_t junk[4096];
    (void)state;
    begin_plain(&r);
    put_tls(&r);
    assert_int_equal(SSL_do_handshake(r.theirs), -1);
    ERR_clear_error();
    size_t stuffed = stuff(r.s.io.fd); /* no room for our answer to the hello */
    assert_int_equal(stream_handshake(&r.s), RC_AGAIN);
    assert_true(r.s.want_write);
    turn(&r);
    assert_int_equal(r.told, 0);
    assert_int_equal(r.s.io.events, EPOLLOUT);
    while (stuffed > 0) {
        ssize_t n = read(r.peer, junk, stuffed < sizeof junk ? stuffed : sizeof junk);
        assert_true(n > 0);
        stuffed -= (size_t)n;
    }
    r.s.ready = false;
    turn(&r);
    assert_int_equal(r.told, EPOLLOUT);
    assert_true(r.s.ready);
    assert_false(r.s.want_write);
    assert_int_equal(shake(&r), RC_OK);
    end(&r);
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

/* The peer reads on and checks that byte follows byte. */
static size_t drain(struct rig *r, size_t at)
{
    static uint8_t b[16384];
    for (ssize_t n; (n = hear(r, b, sizeof b)) > 0;) {
        for (ssize_t i = 0; i < n; i++, at++) {
            if (b[i] != pattern(at))
                fail_msg("byte %zu is not the one written", at);
        }
    }
    return at;
}

static void slow_reader(struct rig *r)
{
    static uint8_t all[BIG];
    size_t at = 0, small = 4096;
    setsockopt(r->s.io.fd, SOL_SOCKET, SO_SNDBUF, &(int){(int)small}, sizeof(int));
    for (size_t i = 0; i < BIG; i++)
        all[i] = pattern(i);
    assert_int_equal(stream_queue(&r->s, span_of(all, 10)), RC_OK);
    assert_int_equal(stream_pending(&r->s), 10);
    for (size_t i = 10, n; i < BIG; i += n) { /* most of it must wait, and what waits goes first */
        n = BIG - i < 7001 ? BIG - i : 7001;
        assert_int_equal(stream_write(&r->s, span_of(all + i, n)), RC_OK);
    }
    assert_true(stream_pending(&r->s) > BIG / 2);
    assert_int_equal(stream_flush(&r->s), RC_AGAIN);
    for (int i = 0; i < 10000 && at < BIG; i++) {
        at = drain(r, at);
        turn(r);
        if (r->told & EPOLLOUT)
            (void)!stream_flush(&r->s);
    }
    assert_int_equal(at, BIG);
    assert_int_equal(stream_flush(&r->s), RC_OK);
    assert_int_equal(r->s.out.cap, 0); /* an idle stream holds nothing */
    turn(r);
    assert_int_equal(r->s.io.events, EPOLLIN);
    assert_int_equal(stream_write(&r->s, SPAN("x")), RC_OK);
    assert_int_equal(stream_pending(&r->s), 0);
    end(r);
}

static void what_a_slow_reader_cannot_take_waits_in_order(void **state)
{
    struct rig r;
    (void)state;
    begin_plain(&r);
    slow_reader(&r);
    begin_tls(&r, TLS1_2_VERSION);
    slow_reader(&r);
    begin_tls(&r, TLS1_3_VERSION);
    slow_reader(&r);
}

static void what_waits_has_a_bound(void **state)
{
    static const uint8_t much[LIM_PEND_BYTES];
    struct rig r;
    enum rc rc = RC_OK;
    (void)state;
    begin_plain(&r);
    stuff(r.s.io.fd);
    for (int i = 0; i < 5 && rc == RC_OK; i++)
        rc = stream_write(&r.s, span_of(much, sizeof much));
    assert_int_equal(rc, RC_LIMIT);
    assert_int_equal(stream_pending(&r.s), LIM_PEND_BYTES * 4);
    end(&r);
}

/* ---- memory ---- */

/* What an idle side holds: as in the gateway, or with OpenSSL left to itself. */
static size_t held(int version, bool as_ours)
{
    struct rig r;
    uint8_t b[8];
    if (!as_ours)
        SSL_CTX_clear_mode(server, SSL_MODE_RELEASE_BUFFERS);
    begin_tls(&r, version);
    SSL_CTX_set_mode(server, SSL_MODE_RELEASE_BUFFERS);
    say(&r, "abc");
    turn(&r);
    expect(&r, "abc");
    expect_rc(&r, RC_AGAIN);
    assert_int_equal(stream_write(&r.s, SPAN("answer")), RC_OK);
    assert_int_equal(hear(&r, b, 6), 6);
    if (as_ours)
        stream_trim(&r.s);
    size_t n = live;
    end(&r);
    return n;
}

static void an_idle_stream_holds_no_buffers(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        size_t ours = held(version, true), left_alone = held(version, false);
        assert_true(left_alone >= ours + 2 * 16384);
    }
}

static void trim(int version)
{
    struct rig r;
    uint8_t b[8];
    begin_tls(&r, version);
    SSL_clear_mode(r.s.ssl, SSL_MODE_RELEASE_BUFFERS); /* else they went by themselves */
    say(&r, "abc");
    turn(&r);
    expect(&r, "abc");
    expect_rc(&r, RC_AGAIN);
    assert_int_equal(stream_write(&r.s, SPAN("answer")), RC_OK);
    size_t before = live;
    stream_trim(&r.s);
    if (OpenSSL_version_num() < 0x30200000L) /* since then it lets go of them in its own time alone */
        assert_true(before - live >= 2 * 16384);
    say(&r, "def");
    turn(&r);
    expect(&r, "def");
    assert_int_equal(stream_write(&r.s, SPAN("!")), RC_OK);
    assert_int_equal(hear(&r, b, 6), 6);
    assert_int_equal(hear(&r, b, 8), 1);
    end(&r);
}

static void a_trimmed_stream_holds_no_buffers_and_works_on(void **state)
{
    (void)state;
    trim(TLS1_2_VERSION);
    trim(TLS1_3_VERSION);
}

static void trimming_loses_nothing_that_waits(void **state)
{
    struct rig r;
    uint8_t b[8];
    size_t got;
    (void)state;
    begin_tls(&r, TLS1_3_VERSION);
    say(&r, "abc");
    turn(&r);
    assert_int_equal(stream_read(&r.s, b, 1, &got), RC_OK);
    assert_int_equal(stream_queue(&r.s, SPAN("later")), RC_OK);
    stream_trim(&r.s);
    expect(&r, "bc");
    assert_int_equal(stream_flush(&r.s), RC_OK);
    assert_int_equal(hear(&r, b, 8), 5);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_bytes_are_read_before_the_socket),
        cmocka_unit_test(kept_bytes_may_be_read_in_pieces),
        cmocka_unit_test(tls_reads_the_kept_hello_first),
        cmocka_unit_test(the_kernel_is_not_asked_before_it_has_told),
        cmocka_unit_test(a_full_read_leaves_it_ready),
        cmocka_unit_test(what_tls_holds_is_read_without_the_kernel),
        cmocka_unit_test(half_a_record_does_not_keep_the_owner_busy),
        cmocka_unit_test(a_paused_stream_is_not_told),
        cmocka_unit_test(being_writable_wakes_a_read_that_must_write_first),
        cmocka_unit_test(what_a_slow_reader_cannot_take_waits_in_order),
        cmocka_unit_test(what_waits_has_a_bound),
        cmocka_unit_test(an_idle_stream_holds_no_buffers),
        cmocka_unit_test(a_trimmed_stream_holds_no_buffers_and_works_on),
        cmocka_unit_test(trimming_loses_nothing_that_waits),
    };
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
