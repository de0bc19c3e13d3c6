/* The filter before libpsl: it never hides a suffix that libpsl knows, and it is in use where the list is. */
#include "signatures/suffix.h"

#include <libpsl.h>

#include "signatures/catfile.h"
#include "tests/unit/signatures/list_help.h"

static const uint64_t seed[4] = {1, 2, 3, 4};

static bool have(const struct suffixes *s, span name)
{
    struct catkey_hashes h;
    catkey_hash_name(seed, name, &h);
    return suffixes_have(s, name, &h);
}

/* Of a name that a rule of the list is made of, and of names beside and below it. */
static size_t compare(const struct suffixes *by_filter, const struct suffixes *by_libpsl, span rule)
{
    static const char *const before[] = {"", "x.", "www.x.", "city."};
    struct catkey key;
    char name[512];
    size_t n_suffixes = 0;
    if (!catkey_host(rule, &key) || key.kind != CATKEY_NAME)
        return 0;
    for (size_t i = 0; i < N_ELEMS(before); i++) {
        int n = snprintf(name, sizeof name, "%s%.*s", before[i], (int)key.n, (const char *)key.text);
        bool want = have(by_libpsl, span_of(name, (size_t)n));
        if (have(by_filter, span_of(name, (size_t)n)) != want)
            fail_msg("%s", name);
        n_suffixes += want;
    }
    return n_suffixes;
}

static void the_filter_says_what_libpsl_says(void **state)
{
    struct suffixes by_filter;
    struct suffixes by_libpsl = {0};
    struct buf text = {0};
    size_t n_suffixes = 0;
    (void)state;
    suffixes_init(&by_filter, seed);
    if (!by_filter.known || catfile_read(psl_builtin_filename(), &text, NULL) != RC_OK)
        skip(); /* the list is not installed, or another one than libpsl was made from */
    for (span rest = buf_span(&text); rest.n;) {
        span line = span_cut(rest, 0, span_find(rest, '\n', 0));
        rest = span_cut(rest, line.n + 1, rest.n);
        if (line.n && line.p[0] != '/')
            n_suffixes += compare(&by_filter, &by_libpsl,
                                  span_cut(line,
                                           line.p[0] == '!'   ? 1
                                           : line.p[0] == '*' ? 2
                                                              : 0,
                                           line.n));
    }
    assert_true(n_suffixes > 7000);
    buf_fini(&text);
}

static void names_that_are_no_suffixes_pass_and_suffixes_do_not(void **state)
{
    static const char *const suffixes[] = {"be",     "gov.be",    "co.uk", "fgov.be",
                                           "foo.ck", "xn--p1ai",  "com",   "any.kawasaki.jp",
                                           "ac.be",  "k12.ma.us", "go.zz"};
    static const char *const none[] = {"a.be",         "www.gov.be", "a.co.uk",           "www.ck",
                                       "a.com",        "co.com",     "city.kawasaki.jp",  "gov.be.test.org",
                                       "blogspot.com", "github.io",  "a.any.kawasaki.jp", "governor.be"};
    struct suffixes known, unknown = {0};
    (void)state;
    suffixes_init(&known, seed);
    for (size_t i = 0; i < N_ELEMS(suffixes); i++)
        assert_true(have(&known, span_str(suffixes[i])) && have(&unknown, span_str(suffixes[i])));
    for (size_t i = 0; i < N_ELEMS(none); i++)
        assert_false(have(&known, span_str(none[i])) || have(&unknown, span_str(none[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_no_suffixes_pass_and_suffixes_do_not),
        cmocka_unit_test(the_filter_says_what_libpsl_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
