/* From hosts to categories through a whole snapshot: what a list or the policy takes out, which entry it was,
 * and that the list parts outlive changes that are none of theirs. */
#include <fcntl.h>
#include <sys/stat.h>

#include "policy/image.h"
#include "tests/unit/policy/snap_help.h"

static char dir[] = "/tmp/perron-categories-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    fclose(f);
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

/* Compiles `policy`, written beside the lists. */
static enum rc compile_here(const char *policy, const int *before, struct compiled *out)
{
    struct compile_prev prev = {0};
    struct compile_opts opts = {.time_s = 1790000000, .prev = before ? &prev : NULL};
    struct buf diag = {0};
    char path[256];
    for (unsigned i = 0; before && i < 2; i++) {
        prev.fds[PART_LISTS + i] = before[i];
        if (part_identify(before[i], &prev.manifest.part[PART_LISTS + i]) != RC_OK)
            prev.manifest.part[PART_LISTS + i] = (struct part_id){0};
    }
    write_file("p", ZONES);
    snprintf(path, sizeof path, "%s/p", dir);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    assert_true(fputs(policy, f) >= 0);
    fclose(f);
    out->rc = policy_compile(path, &opts, out->fds, out->hash, &diag);
    snprintf(out->diag, sizeof out->diag, "%.*s", (int)buf_len(&diag), diag.p ? (const char *)diag.p : "");
    buf_fini(&diag);
    return out->rc;
}

static ino_t inode(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

#define LISTS                                                                                      \
    "category a file \"one\" except domain \"ok.x.test\"\n"                                        \
    "category b file \"one\", \"two\"  domain \"named.test\", \"192.0.2.9\"\n"                     \
    "category c hosts \"three\"\nweb {\n block category a\n block category b\n block category c\n" \
    " allow any\n}\n"

static struct snapshot *open_lists(void)
{
    static struct compiled c;
    struct snapshot *s;
    write_file("one", "x.test\nu.test/a\nbe\nv.z.test/a\n");
    write_file("two", "# comment\n  Y.test.  # why\n192.0.2.0/24\n");
    write_file("three", "0.0.0.0 z.test x.test\n");
    assert_int_equal(compile_here(LISTS, NULL, &c), RC_OK);
    assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
    compiled_close(&c);
    return s;
}

/* "0,2" */
static const char *cats(const struct facts *f)
{
    static char text[256];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < f->n_cats; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%u", i ? "," : "", f->cats[i]);
    return text;
}

/* The same of what the path may add. */
static const char *may(const struct facts *f)
{
    static char text[256];
    size_t n = 0;
    text[0] = '\0';
    for (unsigned c = 0; c < 1024; c++)
        n += facts_may(f, c) ? (size_t)snprintf(text + n, sizeof text - n, "%s%u", n ? "," : "", c) : 0;
    return text;
}

static struct facts about(const struct snapshot *s, const char *host, const char *path)
{
    struct facts f = {.known = FACT_BIT(NAME) | (path ? FACT_BIT(PATH) : 0), .path = span_str(path)};
    if (!addr_parse(span_str(host), &f.dst))
        f.name = span_str(host);
    struct facts halves = f;
    struct cat_keys keys;
    snapshot_categories(s, &f);
    snapshot_expect(s, halves.name, &keys);
    snapshot_categories_expected(s, &keys, &halves);
    assert_true(halves.n_cats == f.n_cats && halves.may_used == f.may_used);
    assert_memory_equal(halves.cats, f.cats, f.n_cats * sizeof *f.cats);
    return f;
}

static void lists_and_names_make_categories(void **state)
{
    static const struct {
        const char *host, *path, *cats, *may;
    } rows[] = {
        {"free.test", "/", "", ""},      {"test", NULL, "", ""},        {"u.test", "/b", "", ""},
        {"u.test", NULL, "", "0,1"},     {"u.test", "/A/c", "0,1", ""}, {"w.u.test", NULL, "", "0,1"},
        {"a.be", "/", "", ""},           {"x.test", NULL, "0,1,2", ""}, {"ok.x.test", NULL, "1,2", ""},
        {"q.ok.x.test", "/", "1,2", ""}, {"y.test", NULL, "1", ""},     {"a.named.test", NULL, "1", ""},
        {"192.0.2.9", NULL, "1", ""},    {"192.0.3.1", NULL, "", ""},   {"192.0.2.10", "/", "1", ""},
        {"z.test", NULL, "2", ""},       {"v.z.test", NULL, "2", "0,1"}};
    struct snapshot *s = open_lists();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = about(s, rows[i].host, rows[i].path);
        assert_string_equal(cats(&f), rows[i].cats);
        assert_string_equal(may(&f), rows[i].may);
        assert_false(snapshot_categories_confirm(s, &f)); /* the text says the same */
        assert_string_equal(cats(&f), rows[i].cats);
    }
    snapshot_put(s);
}

/* A name that only looks like a listed one: its bits in the table are there, the text has no such entry. */
static void what_the_text_does_not_confirm_is_no_hit(void **state)
{
    struct snapshot *s = open_lists();
    struct facts f = about(s, "x.test", NULL);
    (void)state;
    f.name = SPAN("free.test");
    assert_true(snapshot_categories_confirm(s, &f));
    assert_int_equal(f.n_cats, 0);
    f = about(s, "free.test", NULL);
    f.name = SPAN("x.test");
    assert_true(snapshot_categories_confirm(s, &f));
    assert_string_equal(cats(&f), "0,1,2");
    snapshot_put(s);
}

/* What a category decides is asked of the text, letting through as well as blocking. */
static void a_name_that_looks_like_a_listed_one_decides_nothing(void **state)
{
    static const struct {
        const char *policy;
        enum action listed, other;
    } rows[] = {{"category a file \"one\"\nweb { allow category a }\n", ACT_ALLOW, ACT_BLOCK},
                {"category a file \"one\"\nweb {\n block category a\n allow any\n}\n", ACT_BLOCK, ACT_ALLOW}};
    (void)state;
    write_file("one", "x.test\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct compiled c;
        struct snapshot *s;
        struct verdict v;
        assert_int_equal(compile_here(rows[i].policy, NULL, &c), RC_OK);
        assert_int_equal(snapshot_open(c.fds, c.hash, &s), RC_OK);
        compiled_close(&c);
        struct facts f = request(s, "10.0.0.1", "", "x.test", "GET");
        snapshot_categories(s, &f);
        struct facts alike = f;
        snapshot_decide(s, &f, &v);
        assert_int_equal(v.action, rows[i].listed);
        alike.name = SPAN("free.test");
        snapshot_decide(s, &alike, &v);
        assert_int_equal(v.action, rows[i].other);
        assert_int_equal(v.category, CATEGORY_NONE);
        snapshot_put(s);
    }
}

static void every_hit_names_list_file_line_and_entry(void **state)
{
    static const struct {
        const char *host, *path, *hits;
    } rows[] = {{"free.test", "/", ""},
                {"x.test", NULL,
                 "0 file DIR/one DIR/one:1 x.test|1 file DIR/one DIR/one:1 x.test|2 hosts DIR/three "
                 "DIR/three:1 x.test|"},
                {"w.ok.x.test", NULL,
                 "0 file DIR/one DIR/one:1 x.test|1 file DIR/one DIR/one:1 x.test|2 hosts DIR/three "
                 "DIR/three:1 x.test|"
                 "not 0 domain DIR/p:4 ok.x.test|"},
                {"www.y.test", NULL, "1 file DIR/two DIR/two:2 Y.test.|"},
                {"u.test", "/a/b", "0 file DIR/one DIR/one:2 u.test/a|1 file DIR/one DIR/one:2 u.test/a|"},
                {"192.0.2.9", NULL, "1 file DIR/two DIR/two:3 192.0.2.0/24|1 domain DIR/p:5 192.0.2.9|"},
                {"named.test", NULL, "1 domain DIR/p:5 named.test|"}};
    struct snapshot *s = open_lists();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct facts f = about(s, rows[i].host, rows[i].path);
        struct category_hit hits[16];
        char got[2048] = "", want[2048] = "";
        size_t n = snapshot_category_hits(s, &f, hits, 16), at = 0, w = 0;
        for (size_t k = 0; k < n; k++) {
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%u %.*s %.*s:%u %.*s|",
                                   hits[k].except ? "not " : "", hits[k].category, (int)hits[k].list.n,
                                   (const char *)hits[k].list.p, (int)hits[k].file.n,
                                   (const char *)hits[k].file.p, hits[k].line, (int)hits[k].entry.n,
                                   (const char *)hits[k].entry.p);
        }
        for (const char *p = rows[i].hits; *p;) {
            bool is_dir = strncmp(p, "DIR", 3) == 0;
            w += (size_t)snprintf(want + w, sizeof want - w, "%.*s", is_dir ? (int)strlen(dir) : 1,
                                  is_dir ? dir : p);
            p += is_dir ? 3 : 1;
        }
        assert_string_equal(got, want);
        assert_int_equal(snapshot_category_hits(s, &f, hits, n ? 1 : 0), n ? 1 : 0);
    }
    snapshot_put(s);
}

static void what_is_held_back_can_be_asked_for(void **state)
{
    struct snapshot *s = open_lists();
    struct held_entry h;
    (void)state;
    assert_true(snapshot_held(s, 0, &h));
    assert_true(span_eq(h.entry, SPAN("be")));
    assert_true(span_has_suffix(h.file, SPAN("/one")));
    assert_int_equal(h.line, 3);
    assert_non_null(strstr(h.why, "public suffix"));
    assert_false(snapshot_held(s, 1, &h));
    snapshot_put(s);
}

/* ---- parts that are still right ---- */

static void a_change_of_rules_or_names_leaves_the_list_parts(void **state)
{
    static struct compiled a, b;
    (void)state;
    write_file("one", "x.test\n");
    write_file("two", "y.test\n");
    assert_int_equal(
        compile_here("category a file \"one\"\ncategory b file \"two\"\nweb { allow any }\n", NULL, &a),
        RC_OK);
    int before[2] = {a.fds[PART_LISTS], a.fds[PART_LISTS_TEXT]};
    assert_int_equal(
        compile_here("category z file \"two\", \"one\" domain \"q.test\" except domain \"w.x.test\"\n"
                     "category y file \"one\"\nweb {\n block category z\n allow any\n}\n"
                     "expect block get \"http://x.test/\"\nexpect allow get \"http://w.x.test/\"\n"
                     "expect block get \"http://q.test/\"\nexpect block get \"http://y.test/\"\n",
                     before, &b),
        RC_OK);
    assert_int_equal(inode(b.fds[PART_LISTS]), inode(before[0]));
    assert_int_equal(inode(b.fds[PART_LISTS_TEXT]), inode(before[1]));
    assert_int_not_equal(inode(b.fds[PART_POLICY]), inode(a.fds[PART_POLICY]));
    compiled_close(&b);
    write_file("two", "n.test\n");
    assert_int_equal(
        compile_here("category a file \"one\"\ncategory b file \"two\"\nweb {\n block category b\n"
                     " allow any\n}\nexpect block get \"http://n.test/\"\n",
                     before, &b),
        RC_OK);
    assert_int_not_equal(inode(b.fds[PART_LISTS]), inode(before[0]));
    compiled_close(&a);
    compiled_close(&b);
}

static void a_list_whose_file_is_gone_stays_in_force(void **state)
{
    static struct compiled a, b;
    static const char policy[] =
        "category a file \"one\"\ncategory b file \"two\"\nweb {\n block category b\n"
        " allow any\n}\nexpect block get \"http://y.test/\"\n";
    (void)state;
    write_file("one", "x.test\n");
    write_file("two", "y.test\n");
    assert_int_equal(compile_here(policy, NULL, &a), RC_OK);
    int before[2] = {a.fds[PART_LISTS], a.fds[PART_LISTS_TEXT]};
    remove_file("two");
    assert_int_equal(compile_here(policy, NULL, &b), RC_CONFIG);
    assert_non_null(strstr(b.diag, "error: there is no such list"));
    assert_int_equal(compile_here(policy, before, &b), RC_OK);
    assert_non_null(strstr(b.diag, "warning: there is no such list"));
    assert_non_null(strstr(b.diag, "the list that is in force stays as it is"));
    compiled_close(&a);
    /* what was kept is kept again, and goes when the file is back */
    int then[2] = {b.fds[PART_LISTS], b.fds[PART_LISTS_TEXT]};
    assert_int_equal(compile_here(policy, then, &a), RC_OK);
    assert_non_null(strstr(a.diag, "the list that is in force stays as it is"));
    compiled_close(&b);
    write_file("two", "y.test\n");
    then[0] = a.fds[PART_LISTS], then[1] = a.fds[PART_LISTS_TEXT];
    assert_int_equal(compile_here(policy, then, &b), RC_OK);
    assert_string_equal(b.diag, "");
    compiled_close(&a);
    compiled_close(&b);
}

/* Parts in force that are none: the lists are built from their files. */
static void parts_in_force_that_are_damaged_are_not_used(void **state)
{
    static struct compiled a;
    (void)state;
    write_file("one", "x.test\n");
    int null = open("/dev/null", O_RDONLY), before[2] = {null, null};
    assert_int_equal(compile_here("category a file \"one\"\nweb { allow any }\n", before, &a), RC_OK);
    close(null);
    compiled_close(&a);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    remove_file("one");
    remove_file("two");
    remove_file("three");
    remove_file("p");
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_names_make_categories),
        cmocka_unit_test(what_the_text_does_not_confirm_is_no_hit),
        cmocka_unit_test(a_name_that_looks_like_a_listed_one_decides_nothing),
        cmocka_unit_test(every_hit_names_list_file_line_and_entry),
        cmocka_unit_test(what_is_held_back_can_be_asked_for),
        cmocka_unit_test(a_change_of_rules_or_names_leaves_the_list_parts),
        cmocka_unit_test(a_list_whose_file_is_gone_stays_in_force),
        cmocka_unit_test(parts_in_force_that_are_damaged_are_not_used),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
