/* Exemptions of broken places survive a restart; what is over does not, and a damaged file counts for
 * nothing. */
#include "gw/proc/broken_file.h"

#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "tests/unit/gw/proc/state_help.h"

enum { NOW = 1795000000 };
#define JA4  "t12d2807h1_d943125447b4_a44c6288192a"
#define HEAD "perron broken 2\n"

static struct state_dir dir;
static struct broken *b;
static struct buf err;

static int make_dir(void **state)
{
    (void)state;
    state_dir_make(&dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    buf_fini(&err);
    state_dir_remove(&dir);
    return 0;
}

/* As after a start: another table, under another key. */
static void fresh_table(void)
{
    int fd;
    broken_unmap(b);
    assert_int_equal(broken_create(&fd), RC_OK);
    assert_int_equal(broken_map(fd, &b), RC_OK);
    close(fd);
    buf_clear(&err);
}

static int setup(void **state)
{
    (void)state;
    unlinkat(dir.fd, "broken", 0);
    unlinkat(dir.fd, "broken.damaged", 0);
    fresh_table();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    broken_unmap(b);
    b = NULL;
    return 0;
}

static void exempt(const char *name, int64_t for_s)
{
    struct broken_exemption x = {.ja4 = JA4, .since_s = NOW, .until_s = NOW + for_s};
    snprintf(x.name, sizeof x.name, "%s", name);
    assert_true(broken_exempt(b, &x, NOW));
}

static int64_t until(const char *name, int64_t now_s)
{
    return broken_until(b, broken_place(b, span_str(name), SPAN(JA4)), LIM_BROKEN_EXEMPT_S, now_s);
}

/* These lines, with an end of so many and the digest that is theirs. */
static void put_file(const char *lines, unsigned n)
{
    char text[1024];
    uint8_t digest[SHA256_BYTES];
    span before = span_str(lines);
    assert_int_equal(sha256(&before, 1, digest), RC_OK);
    int at = snprintf(text, sizeof text, "%send %u ", lines, n);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%02x", digest[i]);
    at += snprintf(text + at, sizeof text - (size_t)at, "\n");
    state_dir_put(&dir, "broken", text, (size_t)at);
}

static void assert_damaged(void)
{
    fresh_table();
    assert_int_equal(broken_file_read(dir.fd, b, NOW, &err), RC_CONFIG);
    assert_non_null(memmem(err.p, err.w, "broken.damaged", 14));
    assert_false(broken_any(b));
    assert_true(!state_dir_has(&dir, "broken") && state_dir_has(&dir, "broken.damaged"));
    assert_int_equal(broken_file_read(dir.fd, b, NOW, &err), RC_OK); /* the next start */
}

static void damaged_files_count_for_nothing(void **state)
{
    static const struct {
        const char *lines;
        unsigned n;
    } bad[] = {{"perron broken 1\n", 0},
               {HEAD, 1},
               {HEAD "1795000000 1795000060 " JA4 " a.example\n", 2},
               {HEAD "1795000000 1795000060 " JA4 "\n", 1},
               {HEAD "1795000000 -1 " JA4 " a.example\n", 1},
               {HEAD "1795000000 1795000060 " JA4 "0 a.example\n", 1}};
    static const char *const torn[] = {"", HEAD, HEAD "end 0\n", HEAD "end 0 00\n"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        put_file(bad[i].lines, bad[i].n);
        assert_damaged();
    }
    for (size_t i = 0; i < N_ELEMS(torn); i++) {
        state_dir_put(&dir, "broken", torn[i], strlen(torn[i]));
        assert_damaged();
    }
}

static void no_byte_may_be_another(void **state)
{
    uint8_t text[512], bad[sizeof text + 1];
    (void)state;
    exempt("a.example", 60);
    assert_int_equal(broken_file_write(dir.fd, b, NOW), RC_OK);
    int fd = openat(dir.fd, "broken", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    assert_true(n > 0 && (size_t)n < sizeof text);
    for (size_t i = 0; i < (size_t)n; i++) { /* a bit has tipped over, the end is missing */
        memcpy(bad, text, (size_t)n);
        bad[i] ^= 1;
        state_dir_put(&dir, "broken", bad, (size_t)n);
        assert_damaged();
        state_dir_put(&dir, "broken", text, i);
        assert_damaged();
    }
    memcpy(bad, text, (size_t)n);
    bad[n] = '\n';
    state_dir_put(&dir, "broken", bad, (size_t)n + 1);
    assert_damaged();
    state_dir_put(&dir, "broken", text, (size_t)n);
    assert_int_equal(broken_file_read(dir.fd, b, NOW, &err), RC_OK);
    assert_int_equal(until("a.example", NOW), NOW + 60);
}

static void what_no_worker_could_have_written_is_left_out(void **state)
{
    (void)state;
    put_file(HEAD "1795000000 1795000060 " JA4 " A.example\n"
                  "1795000000 1795000060 " JA4 " a.example\n"
                  "1795000000 1999999999 " JA4 " years.example\n"
                  "1795000050 1795000060 " JA4 " tomorrow.example\n",
             4);
    assert_int_equal(broken_file_read(dir.fd, b, NOW + 1, &err), RC_OK);
    assert_int_equal(broken_changes(b), 1);
    assert_int_equal(until("a.example", NOW + 1), NOW + 60);
}

static void exemptions_go_on_until_they_end(void **state)
{
    (void)state;
    assert_int_equal(broken_file_read(dir.fd, b, NOW, &err), RC_OK); /* no file yet */
    exempt("short.example", 60);
    exempt("long.example", 3600);
    assert_int_equal(broken_file_write(dir.fd, b, NOW), RC_OK);
    fresh_table();
    assert_int_equal(broken_file_read(dir.fd, b, NOW + 60, &err), RC_OK);
    assert_int_equal(until("short.example", NOW + 60), 0);
    assert_int_equal(until("long.example", NOW + 60), NOW + 3600); /* not longer for it */
    assert_int_equal(broken_file_write(dir.fd, b, NOW + 60), RC_OK);
    fresh_table();
    assert_int_equal(broken_file_read(dir.fd, b, NOW, &err), RC_OK);
    assert_int_equal(until("short.example", NOW), 0); /* it went from the file */
    assert_int_equal(until("long.example", NOW), NOW + 3600);
}

static void a_full_table_is_read_back_whole(void **state)
{
    char name[LIM_NAME_BYTES + 1];
    (void)state;
    for (unsigned i = 0; i < LIM_BROKEN_EXEMPT; i++) {
        snprintf(name, sizeof name, "%0*u", LIM_NAME_BYTES, i); /* the longest */
        exempt(name, LIM_BROKEN_EXEMPT_S);
    }
    assert_int_equal(broken_file_write(dir.fd, b, NOW), RC_OK);
    fresh_table();
    assert_int_equal(broken_file_read(dir.fd, b, NOW, &err), RC_OK);
    assert_int_equal(broken_changes(b), LIM_BROKEN_EXEMPT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(damaged_files_count_for_nothing),
        T(no_byte_may_be_another),
        T(what_no_worker_could_have_written_is_left_out),
        T(exemptions_go_on_until_they_end),
        T(a_full_table_is_read_back_whole),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
