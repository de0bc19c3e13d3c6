/* When lists are made anew, when they are taken from what is in force, and when new ones are held back. */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/policy/snap_help.h"

static char list[] = "/tmp/perron-list-XXXXXX";
static char text[4096];

static void write_list(const char *names)
{
    int fd = open(list, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, names, strlen(names)), strlen(names));
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(list);
    close(fd);
    write_list("one.test\n");
    return fd < 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(list);
    return 0;
}

/* A policy with the list as category c; `more` stands at its end. */
static const char *policy(const char *web, const char *more)
{
    snprintf(text, sizeof text,
             ZONES "category c file \"%s\"\ncategory d domain \"d.test\"\nweb {\n %s\n allow any\n}\n%s",
             list, web, more);
    return text;
}

static struct compile_made made;

static void compile_on(const char *what, const struct compile_prev *prev, struct compiled *out)
{
    struct compile_opts opts = {.time_s = 1790000000, .prev = prev, .made = &made};
    made = (struct compile_made){0};
    compile_bytes(span_str(what), &opts, out);
}

static struct compile_prev first(struct compiled *c)
{
    struct compile_prev prev;
    compile_on(policy("", ""), NULL, c);
    assert_int_equal(c->rc, RC_OK);
    assert_int_equal(made.outcome, LISTS_BUILT);
    memcpy(prev.fds, c->fds, sizeof prev.fds);
    prev.manifest = made.manifest;
    return prev;
}

static unsigned cats_of(struct compiled *c, const char *name)
{
    struct snapshot *s;
    assert_int_equal(snapshot_open(c->fds, c->hash, &s), RC_OK);
    struct facts f = hello(s, "10.0.0.1", "", name);
    unsigned n = f.n_cats;
    snapshot_put(s);
    return n;
}

static struct compiled a, b;

static void finish(void)
{
    compiled_close(&a);
    compiled_close(&b);
}

static void a_missing_list_without_another_is_an_error(void **state)
{
    (void)state;
    write_list("one.test\n");
    struct compile_prev prev = first(&a);
    unlink(list);
    compile_on(policy("", ""), NULL, &b);
    assert_int_equal(b.rc, RC_CONFIG);
    /* Another list: the ones in force cannot stand in for it. */
    snprintf(text, sizeof text, ZONES "category c file \"%s-other\"\nweb { allow any }\n", list);
    compile_on(text, &prev, &b);
    assert_int_equal(b.rc, RC_CONFIG);
    assert_int_equal(b.fds[PART_LISTS], -1);
    finish();
}

static void lists_that_have_not_changed_are_not_made_again(void **state)
{
    (void)state;
    write_list("one.test\n");
    struct compile_prev prev = first(&a);
    compile_on(policy("block category c", ""), &prev, &b);
    assert_int_equal(b.rc, RC_OK);
    assert_int_equal(made.outcome, LISTS_SAME);
    assert_true(part_same(&made.manifest.part[PART_LISTS], &prev.manifest.part[PART_LISTS]));
    assert_false(part_same(&made.manifest.part[PART_POLICY], &prev.manifest.part[PART_POLICY]));
    assert_int_equal(cats_of(&b, "one.test"), 1);
    finish();
}

static void a_list_that_has_changed_is_made_again(void **state)
{
    (void)state;
    write_list("one.test\n");
    struct compile_prev prev = first(&a);
    write_list("two.test\n"); /* as long as before */
    compile_on(policy("", ""), &prev, &b);
    assert_int_equal(b.rc, RC_OK);
    assert_int_equal(made.outcome, LISTS_BUILT);
    assert_int_equal(cats_of(&b, "two.test"), 1);
    assert_int_equal(cats_of(&b, "one.test"), 0);
    compiled_close(&b);
    /* What categories say by name is no list's business; that another list is named is. */
    snprintf(text, sizeof text,
             ZONES "category c file \"%s\" except domain \"x.two.test\"\ncategory d domain \"d.test\"\n"
                   "web { allow any }\n",
             list);
    compile_on(text, &prev, &b);
    assert_int_equal(made.outcome, LISTS_BUILT);
    compiled_close(&b);
    write_list("one.test\n");
    compiled_close(&a);
    prev = first(&a);
    compile_on(text, &prev, &b);
    assert_int_equal(made.outcome, LISTS_SAME);
    finish();
}

static void a_list_that_is_gone_stays_as_it_was(void **state)
{
    (void)state;
    write_list("one.test\n");
    struct compile_prev prev = first(&a);
    unlink(list);
    compile_on(policy("block category c", ""), &prev, &b);
    assert_int_equal(b.rc, RC_OK);
    assert_int_equal(made.outcome, LISTS_KEPT);
    assert_non_null(strstr(b.diag, "the list that is in force stays as it is"));
    assert_int_equal(cats_of(&b, "one.test"), 1);
    write_list("one.test\n");
    finish();
}

#define EXPECTING "expect allow get \"https://two.test/\"\n"

static void lists_that_break_an_expectation_are_held_back(void **state)
{
    (void)state;
    write_list("one.test\n");
    struct compile_prev prev = first(&a);
    write_list("one.test\ntwo.test\n");
    compile_on(policy("block category c", EXPECTING), &prev, &b);
    assert_int_equal(b.rc, RC_OK);
    assert_int_equal(made.outcome, LISTS_HELD);
    assert_non_null(strstr(b.diag, "this is not what happens"));
    assert_int_equal(cats_of(&b, "two.test"), 0);
    assert_true(part_same(&made.manifest.part[PART_LISTS], &prev.manifest.part[PART_LISTS]));
    assert_true(part_same(&made.manifest.part[PART_LISTS_TEXT], &prev.manifest.part[PART_LISTS_TEXT]));
    compiled_close(&b);
    /* Lists of other names are not those in force: refused. */
    snprintf(text, sizeof text,
             ZONES "category c file \"%s\"\ncategory d file \"/dev/null\"\nweb {\n block category c\n"
                   " allow any\n}\n" EXPECTING,
             list);
    compile_on(text, &prev, &b);
    assert_int_equal(b.rc, RC_CONFIG);
    /* Nothing in force: refused. */
    compile_on(policy("block category c", EXPECTING), NULL, &b);
    assert_int_equal(b.rc, RC_CONFIG);
    finish();
}

static void an_expectation_that_fails_with_the_old_lists_too_is_an_error(void **state)
{
    (void)state;
    write_list("one.test\n");
    struct compile_prev prev = first(&a);
    write_list("one.test\ntwo.test\n");
    compile_on(policy("block domain \"two.test\"", EXPECTING), &prev, &b);
    assert_int_equal(b.rc, RC_CONFIG);
    assert_null(strstr(b.diag, "held back"));
    assert_null(strstr(strstr(b.diag, "not what happens") + 1, "not what happens")); /* said once */
    write_list("one.test\n");
    compile_on(policy("block domain \"two.test\"", EXPECTING), &prev, &b); /* lists as they were */
    assert_int_equal(b.rc, RC_CONFIG);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_list_without_another_is_an_error),
        cmocka_unit_test(lists_that_have_not_changed_are_not_made_again),
        cmocka_unit_test(a_list_that_has_changed_is_made_again),
        cmocka_unit_test(a_list_that_is_gone_stays_as_it_was),
        cmocka_unit_test(lists_that_break_an_expectation_are_held_back),
        cmocka_unit_test(an_expectation_that_fails_with_the_old_lists_too_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
