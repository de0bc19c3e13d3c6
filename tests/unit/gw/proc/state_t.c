/* Numbers are never given out twice, secrets are never readable by others, damage is said and not mended
 * silently. */
#include "gw/proc/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gw/siem/code.h"

static char base[64];
static struct buf err;

static const char *in_base(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, 128, "%s/%s", base, name);
    return p;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && fchmod(fd, mode) == 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool said(const char *words)
{
    span s = buf_span(&err);
    for (size_t i = 0; i + strlen(words) <= s.n; i++) {
        if (memcmp(s.p + i, words, strlen(words)) == 0)
            return s.p[s.n - 1] == '\n' && span_find(s, '\n', 0) == s.n - 1; /* one line */
    }
    return false;
}

static void a_directory_that_cannot_be_made_or_is_open_to_all_is_refused(void **state)
{
    (void)state;
    struct state s;
    buf_clear(&err);
    assert_int_equal(state_open(&s, in_base("no/such/place"), &err), RC_CONFIG);
    assert_true(said("state directory cannot be made"));
    buf_clear(&err);
    assert_int_equal(mkdir(in_base("open"), 0700), 0);
    assert_int_equal(chmod(in_base("open"), 0777), 0);
    assert_int_equal(state_open(&s, in_base("open"), &err), RC_CONFIG);
    assert_true(said("writable by others"));
    state_close(&s);
    rmdir(in_base("open"));
}

static void a_second_gateway_on_one_directory_is_refused_by_name_of_the_first(void **state)
{
    (void)state;
    struct state s, second;
    char pid[32];
    buf_clear(&err);
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
    assert_int_equal(state_open(&second, in_base("s"), &err), RC_CONFIG);
    snprintf(pid, sizeof pid, "pid %d", (int)getpid());
    assert_true(said(pid));
    state_close(&second);
    state_close(&s);
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK); /* the lock went with its owner */
    state_close(&s);
}

static void a_damaged_file_of_numbers_is_refused(void **state)
{
    (void)state;
    static const char *const damaged[] = {"", "\n", "12", "12x\n", "-1\n", "99999999999999999999\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct state s;
        uint64_t from, to;
        assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
        write_file(in_base("s/codes"), damaged[i], 0600);
        buf_clear(&err);
        assert_int_equal(state_codes(&s, &from, &to, &err), RC_CONFIG);
        assert_true(said("`codes` is damaged"));
        state_close(&s);
    }
    unlink(in_base("s/codes"));
}

static void after_the_last_number_they_begin_anew(void **state)
{
    (void)state;
    struct state s;
    uint64_t from, to;
    char last[32];
    snprintf(last, sizeof last, "%llu\n", (1ULL << CODE_NUMBER_BITS) - 5);
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
    write_file(in_base("s/codes"), last, 0600);
    assert_int_equal(state_codes(&s, &from, &to, &err), RC_OK);
    assert_true(from == 0 && to <= 1ULL << CODE_NUMBER_BITS);
    state_close(&s);
    unlink(in_base("s/codes"));
}

/* A crash after any number of ranges: what was handed out before is below what comes after. */
static void ranges_never_overlap_also_after_a_crash(void **state)
{
    (void)state;
    uint64_t end = 0;
    for (int start = 0; start < 5; start++) {
        struct state s;
        assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
        for (int i = 0; i < 3 + 9 * start; i++) {
            uint64_t from, to;
            assert_int_equal(state_codes(&s, &from, &to, &err), RC_OK);
            assert_true(from >= end && to - from >= 1 << 20);
            end = to;
        }
        state_close(&s);
    }
}

static void a_secret_readable_by_others_or_cut_short_is_refused(void **state)
{
    (void)state;
    struct state s;
    uint8_t secret[STATE_SECRET];
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
    write_file(in_base("s/pseudonym.key"), "0123456789abcdef0123456789abcdef", 0444);
    buf_clear(&err);
    assert_int_equal(state_secret(&s, secret, &err), RC_CONFIG);
    assert_true(said("readable by others"));
    chmod(in_base("s/pseudonym.key"), 0600);
    write_file(in_base("s/pseudonym.key"), "short", 0400);
    buf_clear(&err);
    assert_int_equal(state_secret(&s, secret, &err), RC_CONFIG);
    assert_true(said("damaged"));
    unlink(in_base("s/pseudonym.key"));
    state_close(&s);
}

static void the_secret_is_made_once_and_stays(void **state)
{
    (void)state;
    struct state s;
    struct stat st;
    uint8_t first[STATE_SECRET] = {0}, again[STATE_SECRET];
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
    assert_int_equal(state_secret(&s, first, &err), RC_OK);
    assert_int_equal(state_secret(&s, again, &err), RC_OK);
    assert_memory_equal(first, again, STATE_SECRET);
    assert_int_equal(stat(in_base("s/pseudonym.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    state_close(&s);
}

static void a_missing_trust_file_is_named_and_a_present_one_is_sealed(void **state)
{
    (void)state;
    int fd = -1;
    char text[8] = {0};
    buf_clear(&err);
    assert_int_equal(state_file_memfd(in_base("none.pem"), 100, &fd, &err), RC_CONFIG);
    assert_true(said("none.pem"));
    write_file(in_base("trust.pem"), "certs", 0644);
    buf_clear(&err);
    assert_int_equal(state_file_memfd(in_base("trust.pem"), 4, &fd, &err), RC_CONFIG);
    assert_true(said("too large"));
    assert_int_equal(state_file_memfd(in_base("trust.pem"), 100, &fd, &err), RC_OK);
    assert_int_equal(read(fd, text, sizeof text), 5);
    assert_int_equal(write(fd, "x", 1), -1);
    close(fd);
    unlink(in_base("trust.pem"));
}

static void resolvers_are_read_as_the_c_library_reads_them(void **state)
{
    (void)state;
    struct addr a[STATE_RESOLVERS];
    char text[ADDR_TEXT];
    write_file(
        in_base("resolv.conf"),
        "# nameserver 192.0.2.9\nsearch example\nnameserver\nnameserverx 192.0.2.8\n nameserver 192.0.2.7\n"
        "nameserver 192.0.2.53\nnameserver\t2001:db8::53  # second\nnameserver not-an-address\n"
        "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3",
        0644);
    assert_int_equal(state_resolvers(in_base("resolv.conf"), a), 4);
    assert_string_equal(addr_text(&a[0], text), "192.0.2.53");
    assert_string_equal(addr_text(&a[1], text), "2001:db8::53");
    assert_string_equal(addr_text(&a[3], text), "192.0.2.2");
    assert_int_equal(state_resolvers(in_base("none"), a), 0);
    unlink(in_base("resolv.conf"));
}

static void the_log_directory_belongs_to_the_logger(void **state)
{
    (void)state;
    struct state s;
    struct stat st;
    int fd = -1;
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
    assert_int_equal(state_log_dir(&s, NULL, getuid(), &fd, &err), RC_OK);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    close(fd);
    buf_clear(&err);
    assert_int_equal(state_log_dir(&s, in_base("a/b/c"), getuid(), &fd, &err), RC_CONFIG);
    assert_true(said("--log-dir"));
    state_close(&s);
}

static void the_directory_of_seen_names_belongs_to_the_logger(void **state)
{
    (void)state;
    struct state s;
    struct stat st;
    int fd = -1;
    assert_int_equal(state_open(&s, in_base("s"), &err), RC_OK);
    buf_clear(&err);
    assert_int_equal(symlink("log", in_base("s/seen")), 0); /* leads nowhere else */
    assert_int_equal(state_seen_dir(&s, getuid(), &fd, &err), RC_CONFIG);
    assert_true(said("seen names"));
    assert_int_equal(unlink(in_base("s/seen")), 0);
    buf_clear(&err);
    assert_int_equal(state_seen_dir(&s, getuid(), &fd, &err), RC_OK);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    close(fd);
    state_close(&s);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/perron-state-%d", (int)getpid());
    return mkdir(base, 0700);
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const files[] = {"s/lock", "s/codes", "s/pseudonym.key"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(in_base(files[i]));
    rmdir(in_base("s/log"));
    rmdir(in_base("s/seen"));
    rmdir(in_base("s"));
    buf_fini(&err);
    return rmdir(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_directory_that_cannot_be_made_or_is_open_to_all_is_refused),
        cmocka_unit_test(a_second_gateway_on_one_directory_is_refused_by_name_of_the_first),
        cmocka_unit_test(a_damaged_file_of_numbers_is_refused),
        cmocka_unit_test(after_the_last_number_they_begin_anew),
        cmocka_unit_test(ranges_never_overlap_also_after_a_crash),
        cmocka_unit_test(a_secret_readable_by_others_or_cut_short_is_refused),
        cmocka_unit_test(the_secret_is_made_once_and_stays),
        cmocka_unit_test(a_missing_trust_file_is_named_and_a_present_one_is_sealed),
        cmocka_unit_test(resolvers_are_read_as_the_c_library_reads_them),
        cmocka_unit_test(the_log_directory_belongs_to_the_logger),
        cmocka_unit_test(the_directory_of_seen_names_belongs_to_the_logger),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
