/* Names seen lately: what is kept, what never is, and a file that is whole whatever happens. */
#include "gw/siem/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/clock.h"
#include "gw/base/limits.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"

enum { DAY = 20785, KILLS = 20 };

struct world {
    char path[64];
    int dir;
    struct seen *s;
};

static void world_reopen(struct world *w)
{
    seen_free(w->s);
    assert_int_equal(seen_new(&w->s), RC_OK);
    seen_target(w->s, fcntl(w->dir, F_DUPFD_CLOEXEC, 0));
}

static void world_open(struct world *w)
{
    *w = (struct world){.path = "/tmp/perron-seen-XXXXXX"};
    assert_non_null(mkdtemp(w->path));
    w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    world_reopen(w);
}

static void world_close(struct world *w)
{
    seen_free(w->s);
    unlinkat(w->dir, "names", 0);
    unlinkat(w->dir, "names.new", 0);
    close(w->dir);
    assert_int_equal(rmdir(w->path), 0); /* and nothing else is in it */
}

static void ask(struct world *w, const char *name, unsigned flows)
{
    static uint64_t flow = 100;
    while (flows-- > 0)
        seen_ask(w->s, span_str(name), ++flow, DAY);
}

static span file_text(const struct world *w)
{
    static uint8_t text[1 << 16];
    int fd = openat(w->dir, "names", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return n < 0 ? SPAN_NONE : span_of(text, (size_t)n);
}

static bool file_has(const struct world *w, const char *what)
{
    span text = file_text(w);
    return text.n && memmem(text.p, text.n, what, strlen(what)) != NULL;
}

static void put_file(const struct world *w, span text)
{
    int fd = openat(w->dir, "names", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_int_equal(write(fd, text.p, text.n), (ssize_t)text.n);
    close(fd);
}

/* ---- what is never kept ---- */

static void a_name_of_one_flow_is_not_kept(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    ask(&w, "kept.example", 2);
    for (int i = 0; i < 50; i++)
        seen_ask(w.s, SPAN("visitor-7f3a91.tracker.example"), 7, DAY);
    assert_int_equal(seen_count(w.s, SPAN("visitor-7f3a91.tracker.example")), 0);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    assert_false(file_has(&w, "visitor"));
    assert_true(file_has(&w, "\nkept.example 2 20785\n"));
    seen_ask(w.s, SPAN("visitor-7f3a91.tracker.example"), 8, DAY);
    assert_int_equal(seen_count(w.s, SPAN("visitor-7f3a91.tracker.example")), 2);
    world_close(&w);
}

static void what_is_no_host_name_is_not_kept(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ".",
                                      "localhost",
                                      "Www.example",
                                      "www.example.",
                                      "a..example",
                                      "192.0.2.1",
                                      "0x7f.1",
                                      "2001:db8::1",
                                      "p dupont.example",
                                      "p.dupont@example.org",
                                      "www.example/path",
                                      "www.example 9\nx.example",
                                      "#www.example",
                                      "u-\xc3\xa9.example"};
    struct world w;
    char longer[LIM_NAME_BYTES + 3];
    world_open(&w);
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        ask(&w, bad[i], 3);
    for (size_t i = 0; i < sizeof longer - 1; i++)
        longer[i] = i % 50 == 49 ? '.' : 'a';
    longer[sizeof longer - 1] = '\0';
    ask(&w, longer, 3);
    assert_int_equal(seen_total(w.s), 0);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    assert_int_equal(file_text(&w).n, 0); /* nothing new: nothing was written */
    longer[LIM_NAME_BYTES] = '\0';
    ask(&w, longer, 2);
    assert_int_equal(seen_total(w.s), 1);
    world_close(&w);
}

static void the_table_has_an_end_and_the_oldest_goes(void **state)
{
    (void)state;
    char name[32];
    struct world w;
    world_open(&w);
    for (unsigned i = 0; i < LIM_SEEN_NAMES; i++) {
        snprintf(name, sizeof name, "h%u.example", i);
        ask(&w, name, 2);
    }
    assert_int_equal(seen_total(w.s), LIM_SEEN_NAMES);
    ask(&w, "h0.example", 1);
    ask(&w, "one-more.example", 2);
    assert_int_equal(seen_total(w.s), LIM_SEEN_NAMES);
    assert_int_equal(seen_count(w.s, SPAN("h0.example")), 3);
    assert_int_equal(seen_count(w.s, SPAN("h1.example")), 0);
    assert_int_equal(seen_count(w.s, SPAN("one-more.example")), 2);
    /* a flood of names that nobody asks for twice takes no one's place */
    for (unsigned i = 0; i < 4 * LIM_SEEN_NAMES; i++) {
        snprintf(name, sizeof name, "r%u.flood.example", i);
        ask(&w, name, 1);
    }
    assert_int_equal(seen_count(w.s, SPAN("h2.example")), 2);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    world_reopen(&w);
    assert_int_equal(seen_total(w.s), LIM_SEEN_NAMES);
    ask(&w, "another.example", 2);
    assert_int_equal(seen_count(w.s, SPAN("h2.example")), 0); /* the order outlives a restart */
    assert_int_equal(seen_count(w.s, SPAN("h0.example")), 3);
    world_close(&w);
}

static void what_nobody_asked_for_long_is_forgotten(void **state)
{
    (void)state;
    struct world w;
    world_open(&w);
    ask(&w, "old.example", 2);
    ask(&w, "young.example", 2);
    seen_ask(w.s, SPAN("young.example"), 1, DAY + 1);
    assert_int_equal(seen_write(w.s, DAY + LIM_SEEN_DAYS), RC_OK);
    assert_true(file_has(&w, "old.example"));
    assert_int_equal(seen_write(w.s, DAY + LIM_SEEN_DAYS + 1), RC_OK);
    assert_false(file_has(&w, "old.example"));
    assert_true(file_has(&w, "young.example 3 20786"));
    assert_int_equal(seen_write(w.s, 0), RC_OK); /* a clock that lost its battery forgets nothing */
    assert_int_equal(seen_total(w.s), 1);
    world_close(&w);
}

/* ---- the file ---- */

static void a_bad_file_is_left_out_as_a_whole(void **state)
{
    (void)state;
    static const char *const bad[] = {"a.example 2 20785\nb.example 2\n",
                                      "a.example 2 20785\nb.example 2 20785",
                                      "a.example 2 20785\n\n",
                                      "a.example 1 20785\n",
                                      "a.example -2 20785\n",
                                      "a.example 2 20785 x\n",
                                      "a.example 99999999999 20785\n",
                                      "a.example 2 20785\na.example 2 20785\n",
                                      "A.example 2 20785\n",
                                      "localhost 2 20785\n",
                                      "\x7f"
                                      "ELF"};
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        put_file(&w, span_str(bad[i]));
        world_reopen(&w);
        assert_int_equal(seen_total(w.s), 0);
    }
    ask(&w, "new.example", 2);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    assert_true(file_has(&w, "new.example 2 20785\n"));
    unlinkat(w.dir, "names", 0);
    assert_int_equal(mkfifoat(w.dir, "names", 0600), 0); /* nobody waits for its other end */
    world_reopen(&w);
    assert_int_equal(seen_total(w.s), 0);
    world_close(&w);
}

/* Whether a bad file makes one line and not a line for each of its lines. */
static void a_bad_file_is_told_in_one_line(void **state)
{
    (void)state;
    struct world w;
    struct buf bad = {0};
    char said[4096] = "";
    int fds[2], kept = dup(2);
    world_open(&w);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_put_str(&bad, "no name at all\n"), RC_OK);
    put_file(&w, buf_span(&bad));
    assert_int_equal(pipe(fds), 0);
    log_setup("test", LOG_INFO);
    dup2(fds[1], 2);
    world_reopen(&w);
    dup2(kept, 2);
    log_setup("test", LOG_ERROR);
    close(fds[1]);
    ssize_t n = read(fds[0], said, sizeof said - 1);
    assert_true(n > 0);
    assert_non_null(strstr(said, "line 1)"));
    assert_ptr_equal(strchr(said, '\n'), said + n - 1);
    close(fds[0]);
    close(kept);
    buf_fini(&bad);
    world_close(&w);
}

static void a_restart_goes_on_with_the_counts(void **state)
{
    (void)state;
    struct world w;
    struct stat st;
    mode_t mask = umask(077);
    world_open(&w);
    ask(&w, "www.example", 5);
    ask(&w, "_dmarc.mail.example", 2);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    umask(mask);
    world_reopen(&w);
    assert_int_equal(seen_total(w.s), 2);
    ask(&w, "www.example", 1);
    assert_int_equal(seen_count(w.s, SPAN("www.example")), 6);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    assert_true(file_has(&w, "\n_dmarc.mail.example 2 20785\nwww.example 6 20785\n"));
    assert_int_equal(fstatat(w.dir, "names", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    world_close(&w);
}

/* Whoever has the old file open reads it to its end. */
static void the_file_is_replaced_and_not_changed(void **state)
{
    (void)state;
    struct world w;
    uint8_t had[4096], old[4096];
    world_open(&w);
    ask(&w, "www.example", 2);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    span before = file_text(&w);
    memcpy(had, before.p, before.n);
    int reader = openat(w.dir, "names", O_RDONLY | O_CLOEXEC);
    ask(&w, "www.example", 7);
    ask(&w, "later.example", 2);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    assert_true(file_has(&w, "later.example"));
    assert_int_equal(read(reader, old, sizeof old), (ssize_t)before.n);
    assert_memory_equal(old, had, before.n);
    close(reader);
    world_close(&w);
}

static void a_disk_that_refuses_leaves_the_old_file(void **state)
{
    (void)state;
    struct world w;
    const struct rlimit none = {0, RLIM_INFINITY};
    struct rlimit had;
    world_open(&w);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    ask(&w, "first.example", 2);
    assert_int_equal(seen_write(w.s, DAY), RC_OK);
    ask(&w, "second.example", 2);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &had), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(seen_write(w.s, DAY), RC_IO);
    assert_int_equal(errno, EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &had), 0);
    assert_true(file_has(&w, "first.example 2 20785\n") && !file_has(&w, "second"));
    assert_int_equal(faccessat(w.dir, "names.new", F_OK, 0), -1);
    assert_int_equal(seen_write(w.s, DAY), RC_OK); /* tried again although nothing came since */
    assert_true(file_has(&w, "second.example 2 20785\n"));
    seen_target(w.s, -1);
    assert_int_equal(seen_write(w.s, DAY), RC_NOTFOUND);
    world_close(&w);
}

/* Writes for ever, each time some more. */
static void write_until_killed(struct world *w)
{
    char name[32];
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "k%u.example", i % 20000);
        ask(w, name, 2);
        if (i % 50 == 0 && seen_write(w->s, DAY) != RC_OK)
            _exit(1);
    }
}

static void a_kill_never_damages_the_file(void **state)
{
    (void)state;
    struct world w;
    size_t had = 0;
    world_open(&w);
    for (int i = 0; i < KILLS; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            write_until_killed(&w);
        nanosleep(&(struct timespec){0, 20000000 + i * 3700000L}, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        world_reopen(&w); /* a file that is not whole counts as none */
        assert_true(seen_total(w.s) >= had);
        had = seen_total(w.s);
    }
    assert_true(had > 0);
    world_close(&w);
}

static int quiet(void **state)
{
    (void)state;
    log_setup("test", LOG_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(a_name_of_one_flow_is_not_kept),
        cmocka_unit_test(what_is_no_host_name_is_not_kept),
        cmocka_unit_test(the_table_has_an_end_and_the_oldest_goes),
        cmocka_unit_test(what_nobody_asked_for_long_is_forgotten),
        cmocka_unit_test(a_bad_file_is_left_out_as_a_whole),
        cmocka_unit_test(a_bad_file_is_told_in_one_line),
        cmocka_unit_test(a_restart_goes_on_with_the_counts),
        cmocka_unit_test(the_file_is_replaced_and_not_changed),
        cmocka_unit_test(a_disk_that_refuses_leaves_the_old_file),
        cmocka_unit_test(a_kill_never_damages_the_file),
    };
    return cmocka_run_group_tests(all, quiet, NULL);
}
