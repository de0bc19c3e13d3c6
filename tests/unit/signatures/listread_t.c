/* Lines of every format: what is bad, what is of no use, what is an entry and which. */
#include "signatures/listread.h"

#include "signatures/catfmt.h"
#include "tests/unit/signatures/list_help.h"

/* What came out of a line: "KIND KEY FLAGS", several separated by `|`. */
static char got[4096];
static size_t got_n;

static enum rc take(void *arg, const struct catkey *k, unsigned flags, span raw)
{
    static const char *const kinds[] = {"", "net ", "url ", "expr "};
    (void)arg;
    (void)raw;
    got_n += (size_t)snprintf(got + got_n, sizeof got - got_n, "%s%s%s%s%s%.*s", got_n ? "|" : "",
                              flags & CATFMT_MEMBER_OUT ? "not " : "", flags & CATFMT_EXACT ? "only " : "",
                              flags & CATFMT_BELOW ? "below " : "", kinds[k->kind], (int)k->n,
                              (const char *)k->text);
    return RC_OK;
}

struct row {
    const char *line;
    enum list_line is;
    const char *entries;
};

static void try_rows(enum list_format format, const struct row *rows, size_t n, const char *before)
{
    for (size_t i = 0; i < n; i++) {
        static struct listread r;
        listread_init(&r, format, take, NULL);
        for (const char *at = before; at && *at;) {
            const char *nl = strchr(at, '\n');
            listread_line(&r, span_of(at, (size_t)(nl - at)));
            at = nl + 1;
        }
        got_n = 0;
        got[0] = '\0';
        enum list_line is = listread_line(&r, span_str(rows[i].line));
        if (is != rows[i].is || strcmp(got, rows[i].entries) != 0)
            print_error("line: %s\n", rows[i].line);
        assert_string_equal(got, rows[i].entries);
        assert_int_equal(is, rows[i].is);
    }
}

static void plain_lines(void **state)
{
    static const struct row rows[] = {
        {"a test", LINE_BAD, ""},
        {"http:///", LINE_BAD, ""},
        {"0300.0.2.1", LINE_BAD, ""},
        {"a,b", LINE_BAD, ""},
        {"\xff", LINE_BAD, ""},
        {"\xe9t\xe9.test", LINE_BAD, ""}, /* Latin-1 */
        {"a..b", LINE_BAD, ""},
        {"1.2.3", LINE_BAD, ""},
        {"0x7f.1", LINE_BAD, ""},
        {"*.", LINE_BAD, ""},
        {"a_b$c", LINE_BAD, ""},
        {"10.0.0.1/8", LINE_BAD, ""},
        {"10.0.0.0/33", LINE_BAD, ""},
        {"2001:db8::/129", LINE_BAD, ""},
        {"a.test:x/y", LINE_BAD, ""},
        {"user@a.test/y", LINE_BAD, ""},
        {"a.test/x?y=1", LINE_BAD, ""}, /* without its query it would mean more */
        {"ftp:/a.test", LINE_BAD, ""},
        {"", LINE_NOTHING, ""},
        {"  \t", LINE_NOTHING, ""},
        {"# x", LINE_NOTHING, ""},
        {"a.test", LINE_ENTRY, "a.test"},
        {" A.Test.\r", LINE_ENTRY, "a.test"},
        {"a.test # why", LINE_ENTRY, "a.test"},
        {"*.a.test", LINE_ENTRY, "a.test"},
        {".a.test", LINE_ENTRY, "a.test"},
        {"_dmarc.a.test", LINE_ENTRY, "_dmarc.a.test"},
        {"m\xc3\xbc"
         "nchen.test",
         LINE_ENTRY, "xn--mnchen-3ya.test"},
        {"M\xc3\x9cNCHEN.test.", LINE_ENTRY, "xn--mnchen-3ya.test"},
        {"XN--MNCHEN-3YA.test", LINE_ENTRY, "xn--mnchen-3ya.test"},
        {"stra\xc3\x9f"
         "e.test",
         LINE_ENTRY, "xn--strae-oqa.test"},
        {"a\xe3\x80\x82test", LINE_ENTRY, "a.test"}, /* ideographic full stop */
        {"192.0.2.1", LINE_ENTRY, "net 192.0.2.1"},
        {"192.0.2.0/24", LINE_ENTRY, "net 192.0.2.0/24"},
        {"192.0.2.1/32", LINE_ENTRY, "net 192.0.2.1"},
        {"2001:DB8::0:1", LINE_ENTRY, "net 2001:db8::1"},
        {"2001:db8::/32", LINE_ENTRY, "net 2001:db8::/32"},
        {"::ffff:192.0.2.1", LINE_ENTRY, "net 192.0.2.1"},
        {"a.test/x", LINE_ENTRY, "url a.test/x"},
        {"a.test/", LINE_ENTRY, "a.test"},
        {"https://A.test:443/X/../y/", LINE_ENTRY, "url a.test/y"},
        {"192.0.2.1/x", LINE_ENTRY, "url 192.0.2.1/x"},
        {"192.0.2.1/~1", LINE_ENTRY, "url 192.0.2.1/~1"},
        {"[2001:db8::1]:80/x", LINE_ENTRY, "url 2001:db8::1/x"},
    };
    (void)state;
    try_rows(LIST_PLAIN, rows, N_ELEMS(rows), NULL);
}

static void a_url_of_too_many_segments_is_bad(void **state)
{
    char line[400] = "a.test";
    struct row row = {line, LINE_ENTRY, ""};
    (void)state;
    for (unsigned i = 0; i < 65; i++)
        memcpy(line + 6 + 2 * i, "/a", 3);
    row.is = LINE_BAD;
    try_rows(LIST_PLAIN, &row, 1, NULL);
}

static void hosts_lines(void **state)
{
    static const struct row rows[] = {
        {"a.test", LINE_BAD, ""},
        {"a.test 0.0.0.0", LINE_BAD, ""},
        {"0.0.0.0 a..b", LINE_BAD, ""},
        {"0.0.0.0 192.0.2.1", LINE_BAD, ""},
        {"0.0.0.0", LINE_NOTHING, ""},
        {"127.0.0.1 localhost", LINE_NOTHING, ""},
        {"::1 ip6-localhost ip6-loopback", LINE_NOTHING, ""},
        {"fe80::1%lo0 localhost", LINE_NOTHING, ""},
        {"# 0.0.0.0 a.test", LINE_NOTHING, ""},
        {"0.0.0.0 A.test", LINE_ENTRY, "a.test"},
        {"127.0.0.1\ta.test b.test # c.test", LINE_ENTRY, "a.test|b.test"},
        {":: a.test", LINE_ENTRY, "a.test"},
    };
    (void)state;
    try_rows(LIST_HOSTS, rows, N_ELEMS(rows), NULL);
}

static void adblock_lines(void **state)
{
    static const struct row rows[] = {
        {"||a..b^", LINE_BAD, ""},
        {"||^", LINE_BAD, ""},
        {"||a.test", LINE_OTHER, ""},
        {"||a.test/x", LINE_OTHER, ""},
        {"||a.test/x^", LINE_OTHER, ""},
        {"||a.test^x", LINE_OTHER, ""},
        {"||a.test^$", LINE_OTHER, ""},
        {"||a.test^$third-party", LINE_OTHER, ""},
        {"||a.test^$important,script", LINE_OTHER, ""},
        {"||a*.test^", LINE_OTHER, ""},
        {"/banner/*/img^", LINE_OTHER, ""},
        {"example.test##.ad", LINE_OTHER, ""},
        {"##.ad", LINE_OTHER, ""},
        {"a.test", LINE_OTHER, ""},
        {"@@a.test", LINE_OTHER, ""},
        {"! comment", LINE_NOTHING, ""},
        {"# comment", LINE_NOTHING, ""},
        {"[Adblock Plus 2.0]", LINE_NOTHING, ""},
        {"||A.test^", LINE_ENTRY, "a.test"},
        {"||a.test^$important", LINE_ENTRY, "a.test"},
        {"||a.test^$all,document", LINE_ENTRY, "a.test"},
        {"||*.a.test^", LINE_ENTRY, "below a.test"},
        {"||192.0.2.1^", LINE_ENTRY, "net 192.0.2.1"},
        {"@@||a.test^", LINE_ENTRY, "not a.test"},
    };
    (void)state;
    try_rows(LIST_ADBLOCK, rows, N_ELEMS(rows), NULL);
}

static void rpz_lines(void **state)
{
    static const char before[] = "$TTL 1h\n$ORIGIN rpz.test.\n"
                                 "@ IN SOA localhost. root.localhost. (\n  2026112801 ; serial\n 3600 900\n"
                                 " 2592000 60 )\n  IN NS localhost.\n";
    static const struct row rows[] = {
        {"a.test", LINE_BAD, ""},
        {"a.test CNAME", LINE_BAD, ""},
        {"a.test WHAT .", LINE_BAD, ""},
        {"a.test.elsewhere. CNAME .", LINE_BAD, ""},
        {"a..test CNAME .", LINE_BAD, ""},
        {"33.1.2.0.192.rpz-ip CNAME .", LINE_BAD, ""},
        {"x.rpz-ip CNAME .", LINE_BAD, ""},
        {"32.zz.zz.rpz-ip CNAME .", LINE_BAD, ""},
        {"$INCLUDE x", LINE_OTHER, ""},
        {"a.test CNAME rpz-tcp-only.", LINE_OTHER, ""},
        {"24.0.2.0.192.rpz-client-ip CNAME .", LINE_OTHER, ""},
        {"ns.test.rpz-nsdname CNAME .", LINE_OTHER, ""},
        {"; comment", LINE_NOTHING, ""},
        {"@ NS ns.test.", LINE_NOTHING, ""},
        {"rpz.test. NS ns.test.", LINE_NOTHING, ""},
        {"A.test CNAME .", LINE_ENTRY, "only a.test"},
        {"a.test 300 IN CNAME *.", LINE_ENTRY, "only a.test"},
        {"a.test IN 1h30m CNAME rpz-drop. ; why", LINE_ENTRY, "only a.test"},
        {"a.test.rpz.test. CNAME .", LINE_ENTRY, "only a.test"},
        {"a.test A 192.0.2.1", LINE_ENTRY, "only a.test"},
        {"a.test TXT \"a ; b\"", LINE_ENTRY, "only a.test"},
        {"*.a.test CNAME .", LINE_ENTRY, "below a.test"},
        {"a.test CNAME rpz-passthru.", LINE_ENTRY, "not only a.test"},
        {"24.0.2.0.192.rpz-ip CNAME .", LINE_ENTRY, "net 192.0.2.0/24"},
        {"32.zz.db8.2001.rpz-ip CNAME .", LINE_ENTRY, "net 2001:db8::/32"},
        {"128.1.zz.db8.2001.rpz-ip CNAME rpz-passthru.", LINE_ENTRY, "not net 2001:db8::1"},
        {"128.1.zz.rpz-ip CNAME .", LINE_ENTRY, "net ::1"},
    };
    static struct listread r;
    (void)state;
    try_rows(LIST_RPZ, rows, N_ELEMS(rows), before);
    listread_init(&r, LIST_RPZ, take, NULL);
    got_n = 0;
    listread_line(&r, SPAN("zone.test. 60 IN SOA a. b. 7 1 2 3 4"));
    assert_int_equal(r.serial, 8);
    assert_int_equal(listread_line(&r, SPAN("x.test.zone.test. CNAME .")), LINE_ENTRY);
    assert_int_equal(listread_line(&r, SPAN("  CNAME rpz-passthru.")), LINE_ENTRY);
    assert_int_equal(listread_line(&r, SPAN("$ORIGIN sub.zone.test.")), LINE_NOTHING);
    assert_int_equal(listread_line(&r, SPAN("y CNAME .")), LINE_ENTRY);
    assert_int_equal(listread_line(&r, SPAN("$ORIGIN other.test.")), LINE_BAD);
    assert_string_equal(got, "only x.test|not only x.test|only y.sub");
}

static void a_serial_over_several_lines_is_read(void **state)
{
    static struct listread r;
    (void)state;
    listread_init(&r, LIST_RPZ, take, NULL);
    listread_line(&r, SPAN("@ SOA a. b. ("));
    assert_int_equal(r.serial, 0);
    listread_line(&r, SPAN("  ; nothing yet"));
    listread_line(&r, SPAN("  42 ; serial"));
    listread_line(&r, SPAN("  1 2 3 4 )"));
    assert_int_equal(r.serial, 43);
}

static enum rc refuse(void *arg, const struct catkey *k, unsigned flags, span raw)
{
    (void)arg, (void)k, (void)flags, (void)raw;
    return RC_NOMEM;
}

static void a_failure_of_the_taker_is_kept(void **state)
{
    static struct listread r;
    (void)state;
    listread_init(&r, LIST_PLAIN, refuse, NULL);
    listread_line(&r, SPAN("a.test"));
    assert_int_equal(r.rc, RC_NOMEM);
}

/* Lines of a file, as the compiler reads them: the quick way and the thorough one find the same. */
static void a_file_gives_what_its_lines_give(void **state)
{
    static const char *const lines[] = {
        "a.test",
        "A.B-c_D.Test",
        "test",
        ".a.test",
        "*.a.test",
        "a..b",
        "a.b.",
        "a.b\r",
        "a.b # more",
        "# none",
        "",
        "192.0.2.1",
        "192.0.2.0/24",
        "0x7f.1",
        "a.1",
        "a.-",
        "u.test/path",
        "a b",
        "\xc3\xa9.test",
        "-.a",
        "a.b:80",
        "a.0a",
        ".",
        "..",
        "a.",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bb",
        "aaaaaaaaaaaaaaa.bbbbbbbbbbbbbbb.test",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbb",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbb",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbb",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbb"};
    static struct listread by_line, by_file;
    char text[4096], want[4096];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(lines); i++) {
        for (unsigned behind = 0; behind < 2; behind++) { /* at the end of a file, and not */
            int n = snprintf(text, sizeof text, "%s%s%0*d", lines[i], behind ? "\n" : "", behind ? 80 : 0, 0);
            span rest = span_of(text, behind ? (size_t)n : strlen(lines[i]));
            if (rest.n == 0)
                continue;
            got_n = 0;
            got[0] = '\0';
            listread_init(&by_line, LIST_PLAIN, take, NULL);
            enum list_line is = listread_line(&by_line, span_str(lines[i]));
            memcpy(want, got, sizeof want);
            got_n = 0;
            got[0] = '\0';
            listread_init(&by_file, LIST_PLAIN, take, NULL);
            assert_int_equal(listread_next(&by_file, &rest), is);
            assert_string_equal(got, want);
            assert_int_equal(rest.n, behind ? (size_t)n - strlen(lines[i]) - 1 : 0);
        }
    }
}

/* What was read in one pass is the same key. */
static void hashes_do_not_depend_on_how_a_name_was_read(void **state)
{
    static const uint64_t seed[4] = {5, 6, 7, 8};
    char text[512];
    (void)state;
    for (unsigned n = 3; n < 64; n++) {
        for (unsigned dot = 1; dot < n - 1; dot++) {
            struct catkey quick, thorough;
            struct catkey_hashes a, b;
            memset(text, 'x', sizeof text);
            text[dot] = text[n / 2 > dot + 1 ? n / 2 : dot] = '.';
            text[n] = '\n';
            assert_int_equal(catkey_line(span_of(text, sizeof text), &quick), n);
            assert_true(catkey_host(span_of(text, n), &thorough));
            assert_int_equal(catkey_hash(seed, &quick, &a), catkey_hash(seed, &thorough, &b));
            assert_true(quick.n == thorough.n && memcmp(quick.text, thorough.text, n) == 0);
            assert_true(a.own == b.own && a.base == b.base && a.parent == b.parent);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gives_what_its_lines_give),
        cmocka_unit_test(hashes_do_not_depend_on_how_a_name_was_read),
        cmocka_unit_test(plain_lines),
        cmocka_unit_test(a_url_of_too_many_segments_is_bad),
        cmocka_unit_test(hosts_lines),
        cmocka_unit_test(adblock_lines),
        cmocka_unit_test(rpz_lines),
        cmocka_unit_test(a_serial_over_several_lines_is_read),
        cmocka_unit_test(a_failure_of_the_taker_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
