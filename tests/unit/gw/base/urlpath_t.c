/* One spelling for paths: what stays different, then what becomes the same. */
#include "gw/base/urlpath.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw/base/obj.h"

static const char *normal(const char *path)
{
    static char out[256];
    size_t n = urlpath_normalise(span_str(path), (uint8_t *)out);
    assert_true(n <= strlen(path) + 1);
    out[n] = '\0';
    return out;
}

static void other_places_stay_other(void **state)
{
    static const char *const rows[][2] = {{"/a", "/ab"},   {"/a/b", "/ab"},    {"/a", "/b"},
                                          {"/a%", "/a%2"}, {"/a%zz", "/a"},    {"/a.", "/a"},
                                          {"/...", "/"},   {"/a/..b", "/a/b"}, {"/a%3fb", "/a"}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        char first[256];
        snprintf(first, sizeof first, "%s", normal(rows[i][0]));
        assert_string_not_equal(first, normal(rows[i][1]));
    }
}

static void one_place_has_one_spelling(void **state)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"/", ""},
                                          {"//", ""},
                                          {"/.", ""},
                                          {"/..", ""},
                                          {"/../../a", "/a"},
                                          {"a/b", "/a/b"},
                                          {"/A/b", "/a/b"},
                                          {"/a/b/", "/a/b"},
                                          {"/a//b", "/a/b"},
                                          {"/a/./b", "/a/b"},
                                          {"/a/x/../b", "/a/b"},
                                          {"/a/b/..", "/a"},
                                          {"/%61/%62", "/a/b"},
                                          {"/%41", "/a"},
                                          {"/a%2fb", "/a/b"},
                                          {"/a%2Fb", "/a/b"},
                                          {"/a%252fb", "/a/b"},
                                          {"/a%25252fb", "/a/b"},
                                          {"/a/%2e%2e/b", "/b"},
                                          {"/a/.%2E/b", "/b"},
                                          {"/a/%252e%252e/b", "/b"},
                                          {"/%2561", "/a"},
                                          {"/%%36%31", "/a"},
                                          {"/a\\b", "/a/b"},
                                          {"/a%5cb", "/a/b"},
                                          {"/a;x=1/b;y", "/a/b"},
                                          {"/a;x=%2f/b", "/a/b"},
                                          {"/a/..;/b", "/b"},
                                          {"/a/;/b", "/a/b"},
                                          {"/a%3bx/b", "/a/b"},
                                          {"/a?b=/c", "/a"},
                                          {"/a#b", "/a"},
                                          {"/a%", "/a%"},
                                          {"/a%4", "/a%4"},
                                          {"/%zz", "/%zz"},
                                          {"/\xc3\xa9", "/\xc3\xa9"},
                                          {"/%C3%A9", "/\xc3\xa9"}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++)
        assert_string_equal(normal(rows[i][0]), rows[i][1]);
}

/* Encodings inside encodings take time in proportion to the length. */
static void nested_encodings_do_not_explode(void **state)
{
    static uint8_t in[1 << 20], out[(1 << 20) + 1];
    (void)state;
    in[0] = '%';
    for (size_t i = 1; i < sizeof in; i++)
        in[i] = i % 2 ? '2' : '5';
    assert_in_range(urlpath_normalise(span_of(in, sizeof in), out), 1, 4);
    memset(in, '/', sizeof in);
    assert_int_equal(urlpath_normalise(span_of(in, sizeof in), out), 0);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = i % 3 ? '.' : '/';
    assert_int_equal(urlpath_normalise(span_of(in, sizeof in), out), 0);
}

/* Every text of up to six of these bytes: what is called plain loses nothing but slashes at its end. */
static void what_is_plain_stays_as_it_is(void **state)
{
    static const char bytes[] = "/.aA%25;\\?#\xe9";
    enum { N = sizeof bytes - 1, LONGEST = 6 };
    unsigned n_plain = 0;
    (void)state;
    for (unsigned k = 1, all = N; k <= LONGEST; k++, all *= N) {
        for (unsigned i = 0; i < all; i++) {
            uint8_t in[LONGEST], out[LONGEST + 1];
            for (unsigned at = 0, rest = i; at < k; at++, rest /= N)
                in[at] = (uint8_t)bytes[rest % N];
            if (!urlpath_is_plain(span_of(in, k)))
                continue;
            n_plain++;
            size_t n = urlpath_normalise(span_of(in, k), out);
            assert_true(span_eq(span_of(out, n), span_of(in, in[k - 1] == '/' ? k - 1 : k)));
        }
    }
    assert_true(n_plain > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_places_stay_other),
        cmocka_unit_test(one_place_has_one_spelling),
        cmocka_unit_test(nested_encodings_do_not_explode),
        cmocka_unit_test(what_is_plain_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
