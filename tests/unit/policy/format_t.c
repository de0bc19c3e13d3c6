/* The normal form of policy text: what becomes of spacing, braces, comments, and the order of a rule's parts;
 * and that over all of tests/policy a second time changes nothing. */
#include "policy/format.h"

#include <glob.h>
#include <sys/mman.h>

#include "gw/base/obj.h"
#include "policy/parse.h"
#include "policy/same.h"
#include "policy/tree.h"
#include "tests/unit/policy/snap_help.h"

/* The text at the end of a page with nothing behind it: a byte read too far ends the test. */
static enum rc format_page(span text, struct buf *out)
{
    const size_t page = 65536;
    assert_true(text.n <= page);
    uint8_t *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    assert_int_equal(mprotect(p + page, page, PROT_NONE), 0);
    memcpy(p + page - text.n, text.p, text.n);
    enum rc rc = format_text(span_of(p + page - text.n, text.n), out);
    munmap(p, 2 * page);
    return rc;
}

static void becomes(const char *text, const char *want)
{
    struct buf once = {0}, twice = {0};
    assert_int_equal(format_page(span_str(text), &once), RC_OK);
    if (!span_eq(buf_span(&once), span_str(want)))
        print_error("became:\n%.*s", (int)buf_len(&once), (const char *)once.p);
    assert_true(span_eq(buf_span(&once), span_str(want)));
    assert_int_equal(format_text(buf_span(&once), &twice), RC_OK);
    assert_true(span_eq(buf_span(&once), buf_span(&twice)));
    buf_fini(&once);
    buf_fini(&twice);
}

static void what_is_no_policy(void **state)
{
    struct buf out = {0}, diag = {0}, most = {0};
    (void)state;
    assert_int_equal(policy_format("/no/such.policy", &out, &diag), RC_CONFIG);
    assert_int_equal(buf_len(&out), 0);
    assert_true(span_eq(buf_span(&diag), SPAN("/no/such.policy:1:1: error: there is no such file\n")));
    buf_clear(&diag);
    assert_int_equal(policy_format("tests/policy/shapes-wrong.policy", &out, &diag), RC_CONFIG);
    assert_int_equal(buf_len(&out), 0);
    assert_true(buf_len(&diag) > 0);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(buf_put_str(&most, "x "), RC_OK);
    assert_int_equal(format_text(buf_span(&most), &out), RC_LIMIT);
    buf_fini(&most);
    buf_init(&most, 4);
    assert_int_equal(format_text(SPAN("zone lan network 10.0.0.0/8\n"), &most), RC_LIMIT);
    buf_fini(&out);
    buf_fini(&diag);
    buf_fini(&most);
    becomes("", "");
    becomes("\n\n \t\r\n", "");
    becomes("} } x", "}\n}\nx\n");
    becomes("\"open \\\" string", "\"open \\\" string\n");
    becomes("\"open \\", "\"open \\\n");
    becomes("a  \"b\\\nc  d", "a \"b\\\nc d\n");
    becomes("a  \"b\\\\\"  c", "a \"b\\\\\" c\n");
}

static void spacing_and_comments(void **state)
{
    (void)state;
    becomes("\xef\xbb\xbfzone\tlan   network 10.0.0.0/8 ,10.1.0.0/16\r\n",
            "zone lan network 10.0.0.0/8, 10.1.0.0/16\n");
    becomes("\n\n# a  \n\n\n\n#b\nx \"a#b\"# c\n\n", "# a\n\n#b\nx \"a#b\"  # c\n");
    becomes("x a,\nb,\n# c\n d\ny", "x a,\n    b,\n    # c\n    d\ny\n");
    becomes("x \"a\\\"b{\" {y}", "x \"a\\\"b{\" { y }\n");
}

static void braces(void **state)
{
    (void)state;
    becomes("web{allow any}", "web { allow any }\n");
    becomes("web{allow any\nblock any}", "web {\n    allow any\n    block any\n}\n");
    becomes("web\n", "web\n");
    becomes("web {  # w\nallow any } # e\nx", "web {  # w\n    allow any\n}  # e\nx\n");
    becomes("web {\n\n\nallow any\n\n}\n", "web {\n\n    allow any\n\n}\n");
    becomes("node a { zone x interface y\nzone z interface w }",
            "node a {\n    zone x interface y\n    zone z interface w\n}\n");
    becomes("a {\nb {\nc {\nd\n}\n}\n}\n", "a {\n    b {\n        c {\n            d\n        }\n    }\n}\n");
    becomes("web\n{\nallow for g any\n}", "web\n{\n    allow for g any\n}\n");
}

/* More braces than a policy can have: the lines go no further in. */
static void braces_without_end(void **state)
{
    struct buf in = {0}, want = {0};
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(buf_put_str(&in, "web {\n"), RC_OK);
        assert_int_equal(buf_printf(&want, "%*sweb {\n", i < 8 ? (int)i * 4 : 32, ""), RC_OK);
    }
    assert_int_equal(buf_put(&in, SPAN("allow for g any\n\0")), RC_OK);
    assert_int_equal(buf_printf(&want, "%*sallow any for g\n", 32, ""), RC_OK);
    assert_int_equal(buf_put_u8(&want, 0), RC_OK);
    becomes((const char *)in.p, (const char *)want.p);
    buf_fini(&in);
    buf_fini(&want);
}

/* One rule of a `web` block. */
static void rule(const char *text, const char *want)
{
    char in[512], out[512];
    snprintf(in, sizeof in, "web {\n%s\n}\n", text);
    snprintf(out, sizeof out, "web {\n    %s\n}\n", want);
    becomes(in, out);
}

static void the_parts_of_a_rule(void **state)
{
    (void)state;
    rule("block log reason \"x\" ticket \"t\" owner \"o\" name \"n\" for g from a any",
         "block any from a for g name \"n\" owner \"o\" ticket \"t\" reason \"x\" log");
    rule("block during d for g tcp 1 service s to z from a upload method get path \"/\" domain \"d\" "
         "category c",
         "block category c domain \"d\" path \"/\" method get upload from a to z service s tcp 1 for g "
         "during d");
    rule("allow outside a for g", "allow for g outside a");
    rule("block for a, from category for, to", "block category for, to for a, from");
    rule("block for group log category any", "block category any for group log");
    rule("block from host to category c", "block category c from host to");
    rule("block for g except h category c except d any", "block any category c except d for g except h");
    rule("block any except domain \"x\" for g", "block any except domain \"x\" for g");
    rule("block except for g category c", "block category c except for g");
    rule("block for g except category c", "block for g except category c");
    rule("block except category c for g during d", "block except category c for g during d");
    rule("block except for g", "block except for g");
    rule("block any name \"n\" except for g", "block any except for g name \"n\"");
    rule("block any except for g from a", "block any except for g from a");
    rule("block for g except category for log category c", "block category c for g except category for log");
    rule("block observe until since any", "block any observe until since");
    rule("block until 2026-10-01 18:00 since 2026-01-01 tcp 1",
         "block tcp 1 since 2026-01-01 until 2026-10-01 18:00");
    rule("block observe until 2026-10-01 any until 2026-11-01",
         "block any until 2026-11-01 observe until 2026-10-01");
    rule("set safe-search, youtube strict for p category c",
         "set safe-search, youtube strict category c for p");
    rule("set quota 1h per user per day from a category c",
         "set quota 1h per user per day category c from a");
    rule("block signature severity 1 for user \"u\", \"v\" virus",
         "block virus signature severity 1 for user \"u\", \"v\"");
    rule("log purpose security pattern p", "log pattern p purpose security");
    rule("block for a,", "block for a,");
    becomes("firewall {\nallow tcp 1 from a\n}", "firewall {\n    allow from a tcp 1\n}\n");
    becomes("web {\nallow any for category\nblock log except\n}",
            "web {\n    allow any for category\n    block log except\n}\n");
    becomes("content { block for g virus }", "content { block virus for g }\n");
    becomes("dns{\nblock for g domain \"d\"\n}", "dns {\n    block domain \"d\" for g\n}\n");
    becomes("tls { inspect for g category c }", "tls { inspect category c for g }\n");
    becomes("expect block user \"u\" get \"http://a/\" from b",
            "expect block user \"u\" get \"http://a/\" from b\n");
    becomes("node x {\nzone b interface a zone\n}", "node x {\n    zone b interface a zone\n}\n");
}

static bool are_same(const char *one, const char *two)
{
    static struct tree t[2];
    static char text[8192];
    const char *rules[2] = {one, two};
    struct buf said = {0};
    for (unsigned i = 0; i < 2; i++) {
        struct diag d = {.out = &said, .tree = &t[i]};
        snprintf(text, sizeof text, "web {\n%s\n}\n", rules[i]);
        tree_init(&t[i]);
        policy_parse_text(&d, "x", span_str(text));
        if (buf_len(&said))
            print_error("%.*s", (int)buf_len(&said), (const char *)said.p);
        assert_int_equal(d.errors, 0);
    }
    bool same = same_policy(&t[0], &t[1]);
    tree_fini(&t[0]);
    tree_fini(&t[1]);
    buf_fini(&said);
    return same;
}

static void another_order_is_the_same(void **state)
{
    (void)state;
    assert_true(are_same("block category c, d, e, f", "block category e, c, f, d"));
    assert_true(
        are_same("block for user \"a\", group b, user \"b\"", "block for user \"b\", \"a\", group b"));
    assert_true(are_same("block category c for g tcp 1 except category d",
                         "block tcp 1 for g category c except category d"));
    assert_true(are_same("block any except category d except category c for g",
                         "block any for g except category d except category c"));
    assert_true(are_same("block except category d category c", "block category c except category d"));
    assert_true(are_same("block  any # x", "block any"));
    assert_false(are_same("block for user \"a\"", "block for group a"));
    assert_false(are_same("block category c, d", "block category c, c"));
    assert_false(are_same("block category c", "block domain \"c\""));
    assert_false(are_same("block category cd, e", "block category c, de"));
}

/* As many values as a rule of bank names has; of conditions, too many are never called the same. */
static void many_values_and_many_conditions(void **state)
{
    struct buf up = {0}, down = {0}, other = {0}, conds = {0};
    (void)state;
    assert_int_equal(buf_put_str(&conds, "block any"), RC_OK);
    for (unsigned i = 0; i < 200; i++) {
        const char *before = i ? "," : "block domain";
        assert_int_equal(buf_printf(&up, "%s \"d%u.test\"", before, i), RC_OK);
        assert_int_equal(buf_printf(&down, "%s \"d%u.test\"", before, 199 - i), RC_OK);
        assert_int_equal(buf_printf(&other, "%s \"d%u.test\"", before, i == 150 ? 999 : i), RC_OK);
        if (i < 65)
            assert_int_equal(buf_printf(&conds, " except domain \"d%u.test\"", i), RC_OK);
    }
    assert_int_equal(buf_put_u8(&up, 0) | buf_put_u8(&down, 0) | buf_put_u8(&other, 0), RC_OK);
    assert_int_equal(buf_put_u8(&conds, 0), RC_OK);
    assert_true(are_same((const char *)up.p, (const char *)down.p));
    assert_false(are_same((const char *)up.p, (const char *)other.p));
    assert_false(are_same((const char *)conds.p, (const char *)conds.p));
    buf_fini(&up);
    buf_fini(&down);
    buf_fini(&other);
    buf_fini(&conds);
}

/* A rule of more values than fit a list made by hand is brought to its normal form like any other. */
static void a_long_rule_has_a_normal_form(void **state)
{
    char path[] = "/tmp/perron-format-XXXXXX";
    struct buf out = {0}, diag = {0};
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    dprintf(fd, "web {\nblock for g domain \"d.test\"");
    for (unsigned i = 0; i < 100; i++)
        dprintf(fd, " , \"d%u.test\"", i);
    dprintf(fd, "\n}\n");
    close(fd);
    assert_int_equal(policy_format(path, &out, &diag), RC_OK);
    assert_true(span_has_prefix(buf_span(&out), SPAN("web {\n    block domain \"d.test\", \"d0.test\", ")));
    assert_true(span_has_suffix(buf_span(&out), SPAN(", \"d99.test\" for g\n}\n")));
    unlink(path);
    buf_fini(&out);
    buf_fini(&diag);
}

/* What differs is told apart, whatever it is. */
static void the_same_and_not(void **state)
{
    static const char *const texts[] = {"block any",
                                        "block any log",
                                        "allow any",
                                        "forbid any",
                                        "block category c",
                                        "block category c, d",
                                        "block category c except d",
                                        "block except category c",
                                        "block domain \"c\"",
                                        "block category c for g",
                                        "block category c for user \"g\"",
                                        "block any name \"n\"",
                                        "block any owner \"n\"",
                                        "block any ticket \"n\"",
                                        "block any reason \"n\"",
                                        "block any until 2026-10-01",
                                        "block any until 2026-10-02",
                                        "block any since 2026-10-01",
                                        "block any since 2026-10-02",
                                        "block any observe until 2026-10-01",
                                        "block any observe until 2026-10-02",
                                        "set safe-search any",
                                        "set youtube strict any",
                                        "set youtube moderate any",
                                        "set safe-search, youtube strict any",
                                        "log any purpose security",
                                        "log any purpose statistics",
                                        "block any\nblock any"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        for (size_t k = 0; k < N_ELEMS(texts); k++) {
            if (are_same(texts[i], texts[k]) != (i == k))
                print_error("%s / %s\n", texts[i], texts[k]);
            assert_int_equal(are_same(texts[i], texts[k]), i == k);
        }
    }
}

static void every_policy_of_the_tests(void **state)
{
    glob_t found = {0};
    unsigned good = 0;
    (void)state;
    assert_int_equal(glob("tests/policy/*.policy", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct buf once = {0}, twice = {0}, diag = {0};
        enum rc rc = policy_format(found.gl_pathv[i], &once, &diag);
        assert_true(rc == RC_OK || (rc == RC_CONFIG && buf_len(&diag)));
        if (strstr(found.gl_pathv[i], "/includes.policy") || strstr(found.gl_pathv[i], "/delegates.policy"))
            assert_int_equal(rc, RC_OK);
        if (rc == RC_OK) {
            assert_int_equal(format_text(buf_span(&once), &twice), RC_OK);
            assert_true(span_eq(buf_span(&once), buf_span(&twice)));
            good++;
        }
        buf_fini(&once);
        buf_fini(&twice);
        buf_fini(&diag);
    }
    assert_true(good > 20);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_no_policy),
                                       cmocka_unit_test(spacing_and_comments),
                                       cmocka_unit_test(braces),
                                       cmocka_unit_test(braces_without_end),
                                       cmocka_unit_test(the_parts_of_a_rule),
                                       cmocka_unit_test(another_order_is_the_same),
                                       cmocka_unit_test(many_values_and_many_conditions),
                                       cmocka_unit_test(a_long_rule_has_a_normal_form),
                                       cmocka_unit_test(the_same_and_not),
                                       cmocka_unit_test(every_policy_of_the_tests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
