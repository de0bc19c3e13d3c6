/* Lists to parts: what is refused; what is held back; what an earlier part has to say; what the text part
 * knows. */
#include "signatures/catc.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "signatures/catexpr.h"
#include "tests/unit/signatures/list_help.h"

static char dir[] = "/tmp/perron-lists-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, span text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.p, text.n), text.n);
    close(fd);
}

static void set_mtime(const char *name, time_t t)
{
    struct timespec times[2] = {{t, 0}, {t, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

/* Begins a compiler with one list of one file. */
static void begin(struct parts *p, const char *list, const char *file, enum list_format format,
                  const struct cattext *before)
{
    *p = (struct parts){0};
    assert_int_equal(catc_new(&p->c), RC_OK);
    catc_before(p->c, before);
    assert_int_equal(catc_list(p->c, span_str(list)), RC_OK);
    assert_int_equal(catc_file(p->c, path_of(file), format), RC_OK);
}

static void from_file(struct parts *p, const char *list, const char *file, enum list_format format,
                      const struct cattext *before)
{
    begin(p, list, file, format, before);
    assert_int_equal(catc_read(p->c), RC_OK);
    parts_finish(p);
}

/* ---- what is no list ---- */

static void what_is_no_text_is_refused_with_one_sentence(void **state)
{
    static char longest[LIM_POLICY_LINE_BYTES + 2];
    static const struct {
        const char *file;
        span bytes;
        const char *why;
    } rows[] = {{"none", {0}, "there is no such list"},
                {"", {0}, "this is not a text file"},
                {"zero", {(const uint8_t *)"a.test\n\0b.test\n", 15}, "this is not a text file"},
                {"utf16",
                 {(const uint8_t *)"\xff\xfe"
                                   "a\0.\0t\0",
                  8},
                 "this is UTF-16; a list is UTF-8 text"},
                {"long",
                 {(const uint8_t *)longest, sizeof longest},
                 "a line of it is longer than 65536 bytes: this is no list"}};
    (void)state;
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct parts p;
        if (rows[i].bytes.n)
            write_file(rows[i].file, rows[i].bytes);
        begin(&p, "file x", rows[i].file, LIST_PLAIN, NULL);
        assert_int_equal(catc_read(p.c), RC_CONFIG);
        assert_string_equal(catc_file_report(p.c, 0)->why, rows[i].why);
        assert_false(catc_file_report(p.c, 0)->kept);
        parts_fini(&p);
    }
}

static void a_list_that_is_not_what_its_checksum_says_is_refused(void **state)
{
    struct parts p;
    (void)state;
    write_file("sum", SPAN("a.test\n"));
    write_file("sum.sha256", SPAN("0000000000000000000000000000000000000000000000000000000000000000  sum\n"));
    begin(&p, "file sum", "sum", LIST_PLAIN, NULL);
    assert_int_equal(catc_read(p.c), RC_CONFIG);
    assert_string_equal(catc_file_report(p.c, 0)->why, "this list is not what its .sha256 file says");
    parts_fini(&p);
    write_file("sum.sha256", SPAN("1a64b96f7fdcd1b1a9a9c1a5ac0eb0a9f4c8e2c4b6f3ad0d5d3a3b1f9e6f4a2e"));
    begin(&p, "file sum", "sum", LIST_PLAIN, NULL);
    assert_int_equal(catc_read(p.c), RC_CONFIG);
    parts_fini(&p);
    uint8_t digest[32];
    char hex[80];
    span text = SPAN("a.test\n");
    assert_int_equal(sha256(&text, 1, digest), RC_OK);
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02X", digest[i]);
    write_file("sum.sha256", span_str(hex));
    from_file(&p, "file sum", "sum", LIST_PLAIN, NULL);
    assert_string_equal(found(&p.hot, "a.test"), "0");
    parts_fini(&p);
}

static void too_many_lists_and_ways_to_overlap_are_refused(void **state)
{
    struct catc *c;
    char name[16];
    (void)state;
    assert_int_equal(catc_new(&c), RC_OK);
    for (unsigned i = 0; i < CATFMT_LISTS; i++) {
        snprintf(name, sizeof name, "l%u", i);
        assert_int_equal(catc_list(c, span_str(name)), RC_OK);
    }
    assert_int_equal(catc_list(c, SPAN("one more")), RC_LIMIT);
    catc_free(c);
    assert_int_equal(catc_new(&c), RC_OK);
    assert_int_equal(catc_text(c, "x", LIST_PLAIN, SPAN("a.test")), RC_BUG); /* of which list? */
    catc_free(c);
}

static void bad_lines_are_counted_and_placed(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN,
                                       "\xef\xbb\xbf"
                                       "a.test\r\n\n# c\nbad line\nb.test\n!\nc.test"},
                                      {"b", LIST_ADBLOCK, "||x.test^\n##.ad\n||..^\n"}};
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    const struct catc_report *r = catc_file_report(p.c, 0), *q = catc_file_report(p.c, 1);
    assert_int_equal(catc_n_files(p.c), 2);
    assert_string_equal(r->path, "a");
    assert_int_equal(r->n_lines, 7);
    assert_int_equal(r->n_entries, 3);
    assert_int_equal(r->n_bad, 2);
    assert_int_equal(r->bad[0], 4);
    assert_int_equal(r->bad[1], 6);
    assert_int_equal(q->n_other, 1);
    assert_int_equal(q->bad[0], 3);
    assert_int_equal(p.text.files[1].first_bad, 3);
    assert_int_equal(catc_n_names(p.c), 4);
    assert_string_equal(found(&p.hot, "a.test"), "0");
    parts_fini(&p);
}

static void what_looks_like_an_address_and_is_none_is_a_bad_line(void **state)
{
    static const struct listed l[] = {
        {"plain", LIST_PLAIN, "256.1.1.1\n1.2.3.4.5\n10.0.0.256/24\n10.0.0.0/33\n1.2.3.4\n1.2.3.4.example\n"},
        {"urls", LIST_URLS, "256.1.1.1/a\nhttp://300.0.0.1:80/a\n10.0.0.1/a\n4chan.example/a\n"},
        {"hosts", LIST_HOSTS, "0.0.0.0 256.1.1.1\n0.0.0.0 a.test\n"},
        {"adblock", LIST_ADBLOCK, "||256.1.1.1^\n||a.test^\n"}};
    static const uint64_t bad[N_ELEMS(l)] = {4, 2, 1, 1}, good[N_ELEMS(l)] = {2, 2, 1, 1};
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    for (size_t i = 0; i < N_ELEMS(l); i++) {
        assert_int_equal(catc_file_report(p.c, i)->n_bad, bad[i]);
        assert_int_equal(catc_file_report(p.c, i)->bad[0], 1);
        assert_int_equal(catc_file_report(p.c, i)->n_entries, good[i]);
    }
    parts_fini(&p);
}

static void each_bad_expression_has_its_reason(void **state)
{
    static const struct listed l[] = {
        {"e", LIST_EXPRESSIONS, "casino\n(open\n(a{100}){100}\nbingo\n(?=x)y\n"}};
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    const struct catc_report *r = catc_file_report(p.c, 0);
    assert_int_equal(r->n_bad, 3);
    assert_int_equal(r->n_entries, 2);
    for (size_t i = 0; i < 3; i++)
        assert_true(r->bad_why[i][0]);
    assert_string_not_equal(r->bad_why[0], r->bad_why[1]);
    assert_string_not_equal(r->bad_why[1], r->bad_why[2]);
    assert_int_equal(r->bad[1], 3);
    assert_string_equal(r->bad_why[1], "its repeats multiply to 10000, 1000 is the most");
    parts_fini(&p);
}

/* ---- the text part ---- */

static void every_entry_names_its_file_and_line(void **state)
{
    static const struct listed l[] = {{"ut1 a", LIST_PLAIN, "# x\nB.test.\nu.test/A/b\n"},
                                      {"rpz z", LIST_RPZ, "*.b.test CNAME .\n8.0.0.0.10.rpz-ip CNAME .\n"}};
    static const struct {
        enum catkey_kind kind;
        const char *key, *raw, *list;
        unsigned line;
    } rows[] = {{CATKEY_NAME, "b.test", "B.test.", "ut1 a", 2},
                {CATKEY_URL, "u.test/a/b", "u.test/A/b", "ut1 a", 3},
                {CATKEY_NAME, "b.test", "*.b.test", "rpz z", 1},
                {CATKEY_NET, "10.0.0.0/8", "8.0.0.0.10.rpz-ip", "rpz z", 2}};
    struct parts p;
    struct cattext_entry e;
    struct catkey key;
    uint64_t at = 0;
    unsigned n = 0;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct cattext_find f = {0};
        bool seen = false;
        assert_true(catkey_again(rows[i].kind, span_str(rows[i].key), &key));
        while (cattext_find(&p.text, &key, &f, &e)) {
            seen = seen || (span_eq(e.raw, span_str(rows[i].raw)) && e.line == rows[i].line &&
                            span_eq(cattext_list_name(&p.text, e.list), span_str(rows[i].list)));
        }
        assert_true(seen);
    }
    while (cattext_next(&p.text, &at, &e))
        n++;
    assert_int_equal(n, 4);
    assert_true(catkey_again(CATKEY_NAME, SPAN("c.test"), &key));
    struct cattext_find f = {0};
    assert_false(cattext_find(&p.text, &key, &f, &e));
    assert_int_equal(cattext_list_named(&p.text, SPAN("rpz z")), 1);
    assert_int_equal(cattext_list_named(&p.text, SPAN("rpz")), UINT32_MAX);
    parts_fini(&p);
}

/* It may be longer than any name, and have any bytes. */
static void a_long_expression_is_an_entry_like_others(void **state)
{
    char text[CATKEY_BYTES + 2];
    struct parts p;
    struct cattext_entry e;
    struct catkey key;
    (void)state;
    for (size_t n = 1; n <= CATKEY_BYTES; n = n < 300 ? n + 1 : n < 1200 ? n + 97 : n + 20) {
        memset(text, 'a', n);
        memcpy(text + n / 2, ".", 1);
        text[n] = '\n';
        text[n + 1] = '\0';
        const struct listed l = {"ut1 e", LIST_EXPRESSIONS, text};
        struct cattext_find f = {0};
        parts_build(&p, &l, 1);
        assert_true(catkey_again(CATKEY_N, span_of(text, n), &key));
        assert_true(cattext_find(&p.text, &key, &f, &e));
        assert_true(span_eq(e.raw, span_of(text, n)) && e.line == 1);
        parts_fini(&p);
    }
}

static void the_same_input_gives_the_same_parts(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "a.test\nb.test\n"}, {"b", LIST_PLAIN, "b.test\n"}};
    struct parts p, q;
    (void)state;
    parts_build(&p, l, 2);
    parts_build(&q, l, 2);
    assert_true(span_eq(buf_span(&p.hot_bytes), buf_span(&q.hot_bytes)));
    assert_true(span_eq(buf_span(&p.text_bytes), buf_span(&q.text_bytes)));
    parts_fini(&q);
    parts_build(&q, l, 1);
    assert_memory_not_equal(p.hot.head.digest, q.hot.head.digest, 32);
    parts_fini(&p);
    parts_fini(&q);
}

/* ---- what is held back ---- */

static const char *held(const struct parts *p)
{
    static char text[4096];
    struct cattext_entry e;
    size_t n = 0;
    text[0] = '\0';
    for (uint64_t at = 0; cattext_next(&p->text, &at, &e);) {
        if (e.held)
            n += (size_t)snprintf(text + n, sizeof text - n, "%.*s:%u ", (int)e.raw.n, (const char *)e.raw.p,
                                  (unsigned)e.held);
    }
    return text;
}

static void public_suffixes_and_vast_networks_are_held_back(void **state)
{
    static const char *const bad[] = {"be",  "gov.be",    "co.uk",      "BE.",      "fgov.be",     "xn--p1ai",
                                      "com", "0.0.0.0/0", "64.0.0.0/7", "2000::/3", "kawasaki.jp", "test"};
    static const char *const good[] = {"a.be",     "be.test",      "gov.example.be",
                                       "gov.test", "10.0.0.0/8",   "2001:db8::/32",
                                       "be/x",     "blogspot.com", "city.kawasaki.jp"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(bad) + N_ELEMS(good); i++) {
        bool is_bad = i < N_ELEMS(bad);
        struct listed l = {"a", LIST_PLAIN, is_bad ? bad[i] : good[i - N_ELEMS(bad)]};
        struct parts p;
        parts_build(&p, &l, 1);
        if ((held(&p)[0] != 0) != is_bad)
            print_error("%s\n", l.text);
        assert_int_equal(held(&p)[0] != 0, is_bad);
        assert_int_equal(p.hot.head.n_names > 0, !is_bad);
        assert_int_equal(p.text.lists[0].n_held, is_bad);
        parts_fini(&p);
    }
}

static void our_own_names_are_held_back(void **state)
{
    static const struct listed l[] = {
        {"a", LIST_PLAIN,
         "province.example\nwww.province.example\nxprovince.example\nprovince.example/x\nb.test\n"}};
    struct parts p;
    (void)state;
    parts_begin(&p, l, 1, NULL);
    assert_int_equal(guard_own(catc_guard(p.c), SPAN("a b")), RC_BAD);
    assert_int_equal(guard_own(catc_guard(p.c), SPAN("Province.example.")), RC_OK);
    assert_int_equal(guard_own(catc_guard(p.c), SPAN("deep.b.test")), RC_OK);
    assert_int_equal(catc_read(p.c), RC_OK);
    parts_finish(&p);
    assert_string_equal(found(&p.hot, "www.province.example"), "");
    assert_string_equal(found(&p.hot, "b.test"), "");
    assert_string_equal(found(&p.hot, "xprovince.example"), "0");
    assert_int_equal(p.text.lists[0].n_held, 4);
    parts_fini(&p);
}

static void what_the_review_file_accepts_goes_live(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "be\nco.uk\n"}};
    struct parts p;
    (void)state;
    parts_begin(&p, l, 1, NULL);
    assert_int_equal(
        guard_text(catc_guard(p.c), GUARD_ACCEPTED, SPAN("# reviewed\nco.uk  2026-11-28 durand\n")), RC_OK);
    assert_int_equal(catc_read(p.c), RC_OK);
    parts_finish(&p);
    assert_string_equal(found(&p.hot, "x.co.uk"), "0");
    assert_string_equal(found(&p.hot, "x.be"), "");
    parts_fini(&p);
}

/* New ones only: what is live stays live, and a list that is new altogether was wanted. */
static void popular_and_seen_names_are_held_back_when_they_are_new(void **state)
{
    static const struct listed first[] = {{"a", LIST_PLAIN, "old.test\nx.test\n"}};
    static const struct listed then[] = {
        {"a", LIST_PLAIN, "old.test\nx.test\nsearch.test\nwww.bank.test\nbank.test\nsites.search.test\n"},
        {"b", LIST_PLAIN, "search.test\n"}};
    struct parts p, q, r;
    (void)state;
    parts_build(&p, first, 1);
    for (unsigned i = 0; i < 2; i++) { /* a second time: what was held back is still not live */
        parts_begin(&q, then, 2, i ? &r.text : &p.text);
        assert_int_equal(guard_text(catc_guard(q.c), GUARD_POPULAR, SPAN("1,search.test\n2,old.test\n")),
                         RC_OK);
        assert_int_equal(guard_text(catc_guard(q.c), GUARD_SEEN, SPAN("login.bank.test 17\n")), RC_OK);
        assert_int_equal(catc_read(q.c), RC_OK);
        parts_finish(&q);
        assert_string_equal(found(&q.hot, "old.test"), "0");
        assert_string_equal(found(&q.hot, "search.test"), "1");
        assert_string_equal(found(&q.hot, "sites.search.test"), "0,1");
        assert_string_equal(found(&q.hot, "login.bank.test"), "");
        assert_string_equal(found(&q.hot, "www.bank.test"), "0");
        assert_int_equal(q.text.lists[0].n_held, 2);
        if (i)
            parts_fini(&r);
        r = q;
    }
    parts_fini(&r);
    parts_fini(&p);
}

static void add_text(void *arg, const struct catexpr_item *item, span text)
{
    char *to = arg;
    (void)item;
    snprintf(to + strlen(to), 400 - strlen(to), "%.*s ", (int)text.n, (const char *)text.p);
}

/* Which expressions of a part match the front page of a host. */
static const char *matching(const struct parts *p, const char *host)
{
    static char text[400];
    struct catexpr *x;
    text[0] = '\0';
    assert_int_equal(catexpr_open(p->hot.expressions, p->hot.head.n_lists, &x), RC_OK);
    catexpr_match(x, span_str(host), SPAN("/"), add_text, text);
    catexpr_free(x);
    return text;
}

static void expressions_that_hit_everything_or_us_are_held_back(void **state)
{
    static const struct listed l[] = {
        {"e", LIST_EXPRESSIONS,
         ".+\n[a-z0-9.]+/\n^https?:|\\.\n(^|[-.])(casino|province)[0-9]*\\.\n(casino|poker)[a-z]*\\.\n/ads/"
         "\n.\n"}};
    struct parts p;
    (void)state;
    for (unsigned reviewed = 0; reviewed < 2; reviewed++) {
        parts_begin(&p, l, 1, NULL);
        assert_int_equal(guard_own(catc_guard(p.c), SPAN("province.example")), RC_OK);
        if (reviewed)
            assert_int_equal(guard_text(catc_guard(p.c), GUARD_ACCEPTED,
                                        SPAN("# .\n(^|[-.])(casino|province)[0-9]*\\.  durand\n.+x\n")),
                             RC_OK);
        assert_int_equal(catc_read(p.c), RC_OK);
        parts_finish(&p);
        assert_int_equal(p.text.lists[0].n_held, reviewed ? 4 : 5);
        assert_int_equal(p.text.lists[0].n_live, reviewed ? 3 : 2);
        assert_int_equal(catc_file_report(p.c, 0)->n_held, reviewed ? 4 : 5);
        assert_string_equal(matching(&p, "casinox.test"), "(casino|poker)[a-z]*\\. ");
        assert_string_equal(matching(&p, "www.province.example"),
                            reviewed ? "(^|[-.])(casino|province)[0-9]*\\. " : "");
        parts_fini(&p);
    }
}

static void new_expressions_that_hit_names_in_use_are_held_back(void **state)
{
    static const struct listed first[] = {{"e", LIST_EXPRESSIONS, "search(es)?\\.\n"}};
    static const struct listed then[] = {
        {"e", LIST_EXPRESSIONS, "search(es)?\\.\nsearch\nb.nk\\.test/$\nb.nk\\.test/x\n"},
        {"new", LIST_EXPRESSIONS, "search\n"}};
    struct parts p, q, r;
    (void)state;
    parts_build(&p, first, 1);
    for (unsigned i = 0; i < 2; i++) { /* a second time: what was held back is still not live */
        parts_begin(&q, then, 2, i ? &r.text : &p.text);
        assert_int_equal(guard_text(catc_guard(q.c), GUARD_POPULAR, SPAN("1,search.test\n")), RC_OK);
        assert_int_equal(guard_text(catc_guard(q.c), GUARD_SEEN, SPAN("login.bank.test 17\n")), RC_OK);
        assert_int_equal(catc_read(q.c), RC_OK);
        parts_finish(&q);
        assert_string_equal(held(&q), "b.nk\\.test/$:5 search:4 ");
        assert_string_equal(matching(&q, "search.test"), "search search(es)?\\. ");
        if (i)
            parts_fini(&r);
        r = q;
    }
    parts_fini(&r);
    parts_fini(&p);
}

/* ---- the part before ---- */

static void an_unchanged_list_is_known_by_its_file(void **state)
{
    struct parts p, q;
    bool same;
    (void)state;
    write_file("u", SPAN("a.test\n"));
    from_file(&p, "file u", "u", LIST_PLAIN, NULL);
    begin(&q, "file u", "u", LIST_PLAIN, &p.text);
    assert_int_equal(catc_unchanged(q.c, &same), RC_OK);
    assert_true(same);
    assert_int_equal(guard_own(catc_guard(q.c), SPAN("b.test")), RC_OK);
    assert_int_equal(catc_unchanged(q.c, &same), RC_OK);
    assert_false(same);
    parts_fini(&q);
    begin(&q, "file other", "u", LIST_PLAIN, &p.text);
    assert_int_equal(catc_unchanged(q.c, &same), RC_OK);
    assert_false(same);
    parts_fini(&q);
    write_file("u", SPAN("b.test\n")); /* as long as before */
    begin(&q, "file u", "u", LIST_PLAIN, &p.text);
    assert_int_equal(catc_unchanged(q.c, &same), RC_OK);
    assert_false(same);
    assert_int_equal(catc_list(q.c, SPAN("file v")), RC_OK);
    assert_int_equal(catc_unchanged(q.c, &same), RC_OK);
    assert_false(same);
    parts_fini(&q);
    parts_fini(&p);
}

/* A list that was good, and what becomes of its file; the list in force stays, with its lines. */
static void what_is_worse_than_the_list_in_force_does_not_replace_it(void **state)
{
    static char good[4096];
    static const struct {
        span text;
        time_t mtime;
        const char *why;
    } rows[] = {
        {{0}, 0, "there is no such list"},
        {{(const uint8_t *)"a.test\n", 7}, 3000, "this list is much shorter than the one in force: cut off?"},
        {{(const uint8_t *)good, 3001}, 3000, "the last line of this list has no end: cut off?"},
        {{(const uint8_t *)good, 3000}, 1000, "this list is older than the one in force"},
        {{(const uint8_t *)"\0\0\0\n", 4}, 3000, "this is not a text file"}};
    struct parts p, q;
    size_t n = 0;
    (void)state;
    for (unsigned i = 0; n < 4000; i++)
        n += (size_t)snprintf(good + n, sizeof good - n, "n%07u.test\n", i % 1000000); /* 14 bytes a line */
    write_file("g", span_of(good, n));
    set_mtime("g", 2000);
    from_file(&p, "file g", "g", LIST_PLAIN, NULL);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        unlink(path_of("g"));
        if (rows[i].text.n) {
            /* the third row ends inside a line, the fourth with one */
            span text = rows[i].text.n == 3000 ? span_of(good, 3010) : rows[i].text;
            write_file("g", text);
            set_mtime("g", rows[i].mtime);
        }
        from_file(&q, "file g", "g", LIST_PLAIN, &p.text);
        assert_non_null(catc_file_report(q.c, 0)->why);
        assert_string_equal(catc_file_report(q.c, 0)->why, rows[i].why);
        assert_true(catc_file_report(q.c, 0)->kept);
        assert_string_equal(found(&q.hot, "n0000200.test"), "0");
        struct cattext_entry e;
        struct catkey key;
        struct cattext_find f = {0};
        assert_true(catkey_again(CATKEY_NAME, SPAN("n0000200.test"), &key));
        assert_true(cattext_find(&q.text, &key, &f, &e));
        assert_int_equal(e.line, 201);
        assert_int_equal(q.text.files[0].bytes, n);
        parts_fini(&p);
        p = q;
    }
    parts_fini(&p);
}

static void a_list_may_shrink_when_it_is_told_so(void **state)
{
    static char good[4000];
    struct parts p, q;
    (void)state;
    for (size_t i = 0; i + 14 <= sizeof good; i += 14)
        snprintf(good + i, sizeof good - i, "n%07zu.test\n", i);
    write_file("s", span_of(good, 3990));
    from_file(&p, "file s", "s", LIST_PLAIN, NULL);
    write_file("s", SPAN("new.test\n"));
    begin(&q, "file s", "s", LIST_PLAIN, &p.text);
    catc_guard(q.c)->shrink = 100;
    assert_int_equal(catc_read(q.c), RC_OK);
    parts_finish(&q);
    assert_false(catc_file_report(q.c, 0)->kept);
    assert_string_equal(found(&q.hot, "new.test"), "0");
    assert_string_equal(found(&q.hot, "n0000014.test"), "");
    parts_fini(&p);
    parts_fini(&q);
}

static void an_older_zone_does_not_replace_a_newer_one(void **state)
{
    static const struct {
        const char *was, *is;
        bool kept;
    } rows[] = {
        {"10", "9", true}, {"10", "11", false}, {"4294967295", "1", false}, {"1", "4294967295", true}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        char was[200], is[200];
        struct parts p, q;
        snprintf(was, sizeof was, "@ SOA a. b. %s 1 1 1 1\nold.test CNAME .\n", rows[i].was);
        snprintf(is, sizeof is, "@ SOA a. b. %s 1 1 1 1\nnew.test CNAME .\n", rows[i].is);
        struct listed l[] = {{"z", LIST_RPZ, was}, {"other", LIST_PLAIN, "x.test\n"}};
        parts_build(&p, l, 2);
        l[0].text = is;
        parts_begin(&q, l, 2, &p.text);
        assert_int_equal(catc_read(q.c), RC_OK);
        parts_finish(&q);
        assert_int_equal(catc_file_report(q.c, 0)->kept, rows[i].kept);
        assert_string_equal(found(&q.hot, "old.test"), rows[i].kept ? "0" : "");
        assert_string_equal(found(&q.hot, "new.test"), rows[i].kept ? "" : "0");
        assert_string_equal(found(&q.hot, "x.test"), "1");
        parts_fini(&p);
        parts_fini(&q);
    }
}

static void an_error_page_instead_of_a_list_is_not_taken(void **state)
{
    struct listed l = {"z", LIST_PLAIN, "a.test\nb.test\nc.test\nd.test\n"};
    struct parts p, q;
    (void)state;
    parts_build(&p, &l, 1);
    l.text = "<html>\n<body>\nnot found, sorry\n</body>\n</html>\n";
    parts_begin(&q, &l, 1, &p.text);
    assert_int_equal(catc_read(q.c), RC_OK);
    parts_finish(&q);
    assert_string_equal(catc_file_report(q.c, 0)->why, "most lines of this list are no entries");
    assert_string_equal(found(&q.hot, "d.test"), "0");
    parts_fini(&p);
    parts_fini(&q);
}

/* ---- damaged ---- */

static void damaged_text_parts_never_crash(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "B.test\nx.b.test\nu.test/a/b\n10.0.0.0/8\nbe\n"},
                                      {"b", LIST_ADBLOCK, "||c.test^\n@@||b.test^\n"}};
    uint64_t seed = 1;
    unsigned opened = 0;
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    for (unsigned i = 0; i < 200000; i++) {
        struct cattext t;
        struct cattext_entry e;
        struct catkey key;
        struct cattext_find f = {0};
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint8_t *at = p.text_bytes.p + (seed >> 33) % buf_len(&p.text_bytes), keep = *at;
        *at = (uint8_t)(seed >> 20);
        if (cattext_open(buf_span(&p.text_bytes), &t) == RC_OK) {
            opened++;
            for (uint64_t k = 0; cattext_next(&t, &k, &e);) {
                assert_true(e.raw.n <= 65535 && e.list < t.head.n_lists);
                (void)cattext_file_path(&t, e.file);
                (void)hold_text(e.held);
            }
            assert_true(catkey_again(CATKEY_NAME, SPAN("b.test"), &key));
            while (cattext_find(&t, &key, &f, &e))
                (void)cattext_list_name(&t, e.list);
        }
        *at = keep;
    }
    assert_true(opened > 1000);
    for (size_t n = 0; n < buf_len(&p.text_bytes); n++) {
        struct cattext t;
        assert_int_equal(cattext_open(span_of(p.text_bytes.p, n), &t), RC_BAD);
    }
    parts_fini(&p);
}

/* ---- real lists ---- */

static void a_popular_name_of_the_real_ones_is_held_back(void **state)
{
    static const struct listed was = {"a", LIST_PLAIN, "x.test\n"};
    static const struct listed is = {"a", LIST_PLAIN,
                                     "x.test\ngoogle.com\nnobody-has-heard-of-this.example\nwikipedia.org\n"};
    const char *data = getenv("PERRON_DATA");
    char path[512];
    struct parts p, q;
    (void)state;
    snprintf(path, sizeof path, "%s/lists/top-100k-alexa-2016.txt", data ? data : "../shared/data");
    if (access(path, R_OK) != 0) {
        print_message("skipped: there is no %s\n", path);
        skip();
    }
    parts_build(&p, &was, 1);
    parts_begin(&q, &is, 1, &p.text);
    assert_int_equal(guard_file(catc_guard(q.c), GUARD_POPULAR, path), RC_OK);
    assert_int_equal(catc_read(q.c), RC_OK);
    parts_finish(&q);
    assert_string_equal(found(&q.hot, "google.com"), "");
    assert_string_equal(found(&q.hot, "en.wikipedia.org"), "");
    assert_string_equal(found(&q.hot, "nobody-has-heard-of-this.example"), "0");
    assert_int_equal(q.text.head.n_held, 2);
    parts_fini(&p);
    parts_fini(&q);
}

static void the_ut1_tree(void **state)
{
    static const struct {
        const char *name, *list;
    } rows[] = {{"www.facebook.com", "social_networks"}, {"1822direkt.com", "bank"}};
    static const char *const lists[] = {"bank", "malware", "phishing", "social_networks"};
    const char *data = getenv("PERRON_DATA");
    struct parts p = {0};
    char path[512];
    (void)state;
    assert_int_equal(catc_new(&p.c), RC_OK);
    for (unsigned i = 0; i < N_ELEMS(lists); i++) {
        snprintf(path, sizeof path, "%s/categories/ut1/%s/domains", data ? data : "../shared/data", lists[i]);
        if (access(path, R_OK) != 0) {
            parts_fini(&p);
            print_message("skipped: there is no %s\n", path);
            skip();
        }
        assert_int_equal(catc_list(p.c, span_str(lists[i])), RC_OK);
        assert_int_equal(catc_file(p.c, path, LIST_PLAIN), RC_OK);
        strcpy(strrchr(path, '/'), "/urls");
        if (access(path, R_OK) == 0)
            assert_int_equal(catc_file(p.c, path, LIST_URLS), RC_OK);
    }
    assert_int_equal(catc_read(p.c), RC_OK);
    parts_finish(&p);
    for (unsigned i = 0; i < catc_n_files(p.c); i++) {
        const struct catc_report *r = catc_file_report(p.c, i);
        assert_true(r->n_bad * 50 <= r->n_entries); /* URLs with queries */
    }
    for (unsigned i = 0; i < N_ELEMS(rows); i++)
        assert_string_equal(lists[strtoul(found(&p.hot, rows[i].name), NULL, 10)], rows[i].list);
    assert_string_equal(found(&p.hot, "www.a-name-that-nobody-lists.test"), "");
    assert_true(p.hot.head.size <= p.hot.head.n_names * 16);
    parts_fini(&p);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"zero", "utf16", "long", "sum", "sum.sha256", "u", "g", "s"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(names); i++)
        unlink(path_of(names[i]));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_text_is_refused_with_one_sentence),
        cmocka_unit_test(a_list_that_is_not_what_its_checksum_says_is_refused),
        cmocka_unit_test(too_many_lists_and_ways_to_overlap_are_refused),
        cmocka_unit_test(bad_lines_are_counted_and_placed),
        cmocka_unit_test(what_looks_like_an_address_and_is_none_is_a_bad_line),
        cmocka_unit_test(each_bad_expression_has_its_reason),
        cmocka_unit_test(every_entry_names_its_file_and_line),
        cmocka_unit_test(a_long_expression_is_an_entry_like_others),
        cmocka_unit_test(the_same_input_gives_the_same_parts),
        cmocka_unit_test(public_suffixes_and_vast_networks_are_held_back),
        cmocka_unit_test(our_own_names_are_held_back),
        cmocka_unit_test(what_the_review_file_accepts_goes_live),
        cmocka_unit_test(popular_and_seen_names_are_held_back_when_they_are_new),
        cmocka_unit_test(expressions_that_hit_everything_or_us_are_held_back),
        cmocka_unit_test(new_expressions_that_hit_names_in_use_are_held_back),
        cmocka_unit_test(an_unchanged_list_is_known_by_its_file),
        cmocka_unit_test(what_is_worse_than_the_list_in_force_does_not_replace_it),
        cmocka_unit_test(a_list_may_shrink_when_it_is_told_so),
        cmocka_unit_test(an_older_zone_does_not_replace_a_newer_one),
        cmocka_unit_test(an_error_page_instead_of_a_list_is_not_taken),
        cmocka_unit_test(damaged_text_parts_never_crash),
        cmocka_unit_test(a_popular_name_of_the_real_ones_is_held_back),
        cmocka_unit_test(the_ut1_tree),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
