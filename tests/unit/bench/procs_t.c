/* Reading /proc: hostile command names, short texts, and our own process as a living example. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "bench/procs.c"

static enum rc parse(const char *name, const char *times, struct proc_stat *st)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "4711 (%s) S 42 4711 4711 0 -1 4194560 100 200 0 0 %s 20 0 1 0 1 2 3\n", name, times);
    return proc_stat_parse(span_of(text, (size_t)n), st);
}

static void texts_that_are_no_stat_are_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "4711",
                                      "4711 (x",
                                      "x (y) S 1 2",
                                      "4711 (x) S",
                                      "4711 (x) S 42 1 1 0 -1 0 0 0 0 0 1 2 3",
                                      "4711 (x) S 42 1 1 0 -1 0 0 0 0 0 1 2 3 x"};
    struct proc_stat st;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(proc_stat_parse(span_str(BAD[i]), &st), RC_BAD);
}

static void a_name_with_brackets_and_spaces_does_not_move_the_fields(void **state)
{
    (void)state;
    struct proc_stat st;
    assert_int_equal(parse("a) S 1 (b c) ", "10 20 30 40", &st), RC_OK);
    assert_int_equal(st.pid, 4711);
    assert_int_equal(st.parent, 42);
    assert_int_equal(st.own_ticks, 30);
    assert_int_equal(st.ended_ticks, 70);
}

static void memory_without_pss_is_refused(void **state)
{
    (void)state;
    struct proc_memory mem;
    assert_int_equal(proc_memory_parse(SPAN("55 7f [rollup]\nRss:   100 kB\n"), &mem), RC_BAD);
    assert_int_equal(proc_memory_parse(SPAN("Rss: many kB\nPss: 1 kB\n"), &mem), RC_BAD);
    assert_int_equal(proc_memory_parse(SPAN(""), &mem), RC_BAD);
    assert_int_equal(proc_memory_parse(SPAN("Rss: 1 kB\nPss: 1 kB\n"), &mem), RC_BAD);
}

static void memory_takes_the_lines_of_that_name_only(void **state)
{
    (void)state;
    struct proc_memory mem;
    span text =
        SPAN("55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:                5120 kB\nPss:                "
             "1234 kB\nPss_Dirty:           999 kB\nAnonymous:           77 kB\n");
    assert_int_equal(proc_memory_parse(text, &mem), RC_OK);
    assert_int_equal(mem.rss_kib, 5120);
    assert_int_equal(mem.pss_kib, 1234);
    assert_int_equal(mem.own_kib, 77);
}

static void a_process_that_is_gone_is_gone(void **state)
{
    (void)state;
    struct procs set;
    uint64_t ns;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    assert_int_equal(procs_find(pid, &set), RC_GONE);
    assert_int_equal(procs_cpu_ns(pid, &ns), RC_GONE);
}

static void a_child_belongs_to_the_tree_and_its_work_stays_counted_when_it_ends(void **state)
{
    (void)state;
    struct procs set;
    uint64_t before, after;
    assert_int_equal(procs_cpu_ns(getpid(), &before), RC_OK);
    pid_t pid = fork();
    if (pid == 0) {
        for (volatile unsigned long i = 0; i < 200000000; i++)
            ;
        _exit(0);
    }
    assert_int_equal(procs_find(getpid(), &set), RC_OK);
    assert_true(holds(&set, pid));
    waitpid(pid, NULL, 0);
    assert_int_equal(procs_cpu_ns(getpid(), &after), RC_OK);
    assert_true(after > before + 10000000);
}

static void memory_and_descriptors_of_ourselves_are_there(void **state)
{
    (void)state;
    struct proc_memory mem;
    uint64_t before, after;
    assert_int_equal(procs_memory(getpid(), &mem), RC_OK);
    assert_true(mem.rss_kib > 0 && mem.pss_kib > 0 && mem.pss_kib <= mem.rss_kib);
    assert_int_equal(procs_fds(getpid(), &before), RC_OK);
    int fd = dup(STDOUT_FILENO);
    assert_int_equal(procs_fds(getpid(), &after), RC_OK);
    close(fd);
    assert_int_equal(after, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_are_no_stat_are_refused),
        cmocka_unit_test(a_name_with_brackets_and_spaces_does_not_move_the_fields),
        cmocka_unit_test(memory_without_pss_is_refused),
        cmocka_unit_test(memory_takes_the_lines_of_that_name_only),
        cmocka_unit_test(a_process_that_is_gone_is_gone),
        cmocka_unit_test(a_child_belongs_to_the_tree_and_its_work_stays_counted_when_it_ends),
        cmocka_unit_test(memory_and_descriptors_of_ourselves_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
