/* Exemptions of broken places survive a restart; what is over does not, and a damaged file counts for
 * nothing. */
#include "gw/proc/broken_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { NOW = 1795000000 };
#define JA4  "t12d2807h1_d943125447b4_a44c6288192a"
#define HEAD "perron broken 1\n"

static char base[] = "/tmp/perron-broken-XXXXXX";
static int dir;
static struct broken *b;
static struct buf err;

static int make_dir(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    dir = open(base, O_RDONLY | O_DIRECTORY);
    return dir < 0;
}

static int remove_dir(void **state)
{
    char cmd[128];
    (void)state;
    close(dir);
    buf_fini(&err);
    snprintf(cmd, sizeof cmd, "rm -rf %s", base);
    return system(cmd);
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
    unlinkat(dir, "broken", 0);
    unlinkat(dir, "broken.damaged", 0);
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

static void put_file(const char *text)
{
    int fd = openat(dir, "broken", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void damaged_files_count_for_nothing(void **state)
{
    static const char *const bad[] = {"",
                                      "perron broken 2\nend 0\n",
                                      HEAD,
                                      HEAD "end 1\n",
                                      HEAD "end 0",
                                      HEAD "end 0\nmore",
                                      HEAD "1795000000 1795000060 " JA4 " a.example\n",
                                      HEAD "1795000000 1795000060 " JA4 " a.example\nend 2\n",
                                      HEAD "1795000000 1795000060 " JA4 "\nend 1\n",
                                      HEAD "1795000000 -1 " JA4 " a.example\nend 1\n",
                                      HEAD "1795000000 1795000060 " JA4 "0 a.example\nend 1\n"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        setup(NULL);
        put_file(bad[i]);
        assert_int_equal(broken_file_read(dir, b, NOW, &err), RC_CONFIG);
        assert_non_null(memmem(err.p, err.w, "broken.damaged", 14));
        assert_false(broken_any(b));
        assert_int_equal(faccessat(dir, "broken", F_OK, 0), -1);
        assert_int_equal(faccessat(dir, "broken.damaged", F_OK, 0), 0);
        assert_int_equal(broken_file_read(dir, b, NOW, &err), RC_OK); /* the next start */
    }
}

static void what_no_worker_could_have_written_is_left_out(void **state)
{
    (void)state;
    put_file(HEAD "1795000000 1795000060 " JA4 " A.example\n"
                  "1795000000 1795000060 " JA4 " a.example\n"
                  "1795000000 1999999999 " JA4 " years.example\n"
                  "1795000050 1795000060 " JA4 " tomorrow.example\nend 4\n");
    assert_int_equal(broken_file_read(dir, b, NOW + 1, &err), RC_OK);
    assert_int_equal(broken_changes(b), 1);
    assert_int_equal(until("a.example", NOW + 1), NOW + 60);
}

static void exemptions_go_on_until_they_end(void **state)
{
    (void)state;
    assert_int_equal(broken_file_read(dir, b, NOW, &err), RC_OK); /* no file yet */
    exempt("short.example", 60);
    exempt("long.example", 3600);
    assert_int_equal(broken_file_write(dir, b, NOW), RC_OK);
    fresh_table();
    assert_int_equal(broken_file_read(dir, b, NOW + 60, &err), RC_OK);
    assert_int_equal(until("short.example", NOW + 60), 0);
    assert_int_equal(until("long.example", NOW + 60), NOW + 3600); /* not longer for it */
    assert_int_equal(broken_file_write(dir, b, NOW + 60), RC_OK);
    fresh_table();
    assert_int_equal(broken_file_read(dir, b, NOW, &err), RC_OK);
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
    assert_int_equal(broken_file_write(dir, b, NOW), RC_OK);
    fresh_table();
    assert_int_equal(broken_file_read(dir, b, NOW, &err), RC_OK);
    assert_int_equal(broken_changes(b), LIM_BROKEN_EXEMPT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(damaged_files_count_for_nothing),
        T(what_no_worker_could_have_written_is_left_out),
        T(exemptions_go_on_until_they_end),
        T(a_full_table_is_read_back_whole),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
