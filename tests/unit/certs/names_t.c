/* Names in certificates: what is no name, what covers what, and never more than OpenSSL's own matcher would
 * accept. */
#include "certs/names.h"

#include <stdio.h>

#include "tests/unit/certs/make_cert.h"
#include "gw/base/obj.h"

static void what_is_no_host_name_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       ".",           "a..b",  ".a.b",  "a.b.",  "a b.c",
                                      "a/b.c",  "a\xc3\xa9.b", "*",     "*.",    "a.*.b", "a*.b",
                                      "*a.b",   "**.a.b",      "*.*.b", "a:b.c", "a@b.c", "a\tb.c",
                                      "a%2e.b", "[::1]",       "a,b.c"};
    char label64[70], name254[256];
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        if (names_san_ok(span_str(bad[i])))
            fail_msg("accepted '%s'", bad[i]);
    }
    assert_false(names_san_ok(SPAN("a\0b.test")));
    memset(label64, 'a', 64);
    memcpy(label64 + 64, ".test", 6);
    assert_false(names_san_ok(span_str(label64)));
    assert_true(names_san_ok(span_str(label64 + 1)));
    for (size_t i = 0; i < 254; i++)
        name254[i] = i % 32 == 31 ? '.' : 'a';
    assert_false(names_san_ok(span_of(name254, 254)));
    assert_true(names_san_ok(span_of(name254, 253)));
}

static void public_suffixes_are_known(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "com", "co.uk", "CO.UK", "github.io", "be", "unheard-of-label", "s3.amazonaws.com"};
    static const char *const no[] = {"example.com", "province.example.be", "www.github.io", "a.co.uk"};
    for (size_t i = 0; i < N_ELEMS(yes); i++)
        assert_true(names_is_suffix(span_str(yes[i])));
    for (size_t i = 0; i < N_ELEMS(no); i++)
        assert_false(names_is_suffix(span_str(no[i])));
    assert_true(names_is_suffix(SPAN_NONE)); /* when in doubt, nobody's */
}

/* Every pair of a set that holds the awkward ones: we accept nothing that X509_check_host refuses. */
static void nothing_matches_that_openssl_would_refuse(void **state)
{
    (void)state;
    static const char *const sans[] = {"www.site.test", "WWW.Site.Test",   "*.site.test",     "*.test",
                                       "*.com",         "*.co.uk",         "*.a.co.uk",       "w*.site.test",
                                       "*w.site.test",  "www.*.test",      "xn--*.site.test", "*.xn--a.test",
                                       "site.test",     "*.www.site.test", "_a.site.test",    "192.0.2.1",
                                       "*.0.2.1",       "a-.site.test",    "-a.site.test"};
    static const char *const hosts[] = {
        "www.site.test", "site.test",       "a.www.site.test", "x.com",        "x.co.uk",
        "x.a.co.uk",     "xn--b.site.test", "b.xn--a.test",    "_a.site.test", "192.0.2.1",
        "test",          "a-.site.test",    "-a.site.test"};
    unsigned ours = 0, theirs = 0;
    for (size_t i = 0; i < N_ELEMS(sans); i++) {
        char ext[128];
        snprintf(ext, sizeof ext, "subjectAltName=DNS:%s", sans[i]);
        struct made x = mk_cert(&(struct mk){.cn = "A site", .exts = {ext}}, NULL);
        for (size_t k = 0; k < N_ELEMS(hosts); k++) {
            bool we = names_match(span_str(sans[i]), span_str(hosts[k]));
            bool they =
                X509_check_host(x.cert, hosts[k], 0,
                                X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                                NULL) == 1;
            bool known =
                hosts[k][0] == '_' && sans[i][0] == '*'; /* browsers accept these, OpenSSL does not */
            if (we && !they && !known)
                fail_msg("'%s' covers '%s' for us only", sans[i], hosts[k]);
            ours += we;
            theirs += they;
        }
        mk_free(&x);
    }
    print_message("%u pairs match for us, %u for OpenSSL\n", ours, theirs);
    assert_true(ours >= 10 && theirs >= 10);
}

static void names_that_our_ca_never_signs_have_a_reason(void **state)
{
    (void)state;
    assert_string_equal(names_never(SPAN("localhost")), "a name of one label is nobody's");
    assert_string_equal(names_never(SPAN("*.co.uk")), "a wildcard over a public suffix");
    assert_string_equal(names_never(SPAN("a.localhost")), "a special-use name");
    assert_string_equal(names_never(SPAN("A.test")), "not a host name in normal form");
    assert_null(names_never(SPAN("notlocalhost.test")));
    assert_null(names_never(SPAN("localhost.site.test")));
    assert_null(names_never_ip(SPAN("\x0a\0\0\1")));
    assert_non_null(names_never_ip(SPAN("\x7f\0\0\1")));
    assert_non_null(names_never_ip(SPAN_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_host_name_is_refused),
        cmocka_unit_test(public_suffixes_are_known),
        cmocka_unit_test(nothing_matches_that_openssl_would_refuse),
        cmocka_unit_test(names_that_our_ca_never_signs_have_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
