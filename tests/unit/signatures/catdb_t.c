/* Hosts, addresses and URLs to lists: what must not be found first, then what must; beside a plain model of
 * it; damaged images. */
#include "signatures/catdb.h"

#include "gw/base/limits.h"
#include "tests/unit/signatures/list_help.h"

static void an_empty_table_holds_nothing(void **state)
{
    struct parts p;
    parts_build(&p, NULL, 0);
    (void)state;
    assert_string_equal(found_at(&p.hot, "a.test", "/x"), "");
    assert_string_equal(found(&p.hot, ""), "");
    assert_string_equal(found(&p.hot, "192.0.2.1"), "");
    assert_int_equal(p.hot.head.n_names, 0);
    parts_fini(&p);
    struct catdb none = {0};
    struct cattext no_text = {0};
    struct cattext_entry e;
    struct catkey key;
    uint64_t at = 0;
    assert_string_equal(found_at(&none, "a.test", "/x"), "");
    assert_string_equal(found(&none, "192.0.2.1"), "");
    assert_true(catkey_again(CATKEY_NAME, SPAN("a.test"), &key));
    assert_false(cattext_find(&no_text, &key, &(struct cattext_find){0}, &e));
    assert_false(cattext_next(&no_text, &at, &e) || cattext_held(&no_text, 0, &e));
}

static void what_is_not_in_a_list_is_not_found(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "b.test\n"},
                                      {"b", LIST_PLAIN, "deep.er.c.test\n"},
                                      {"c", LIST_PLAIN, "192.0.2.1\n198.51.100.0/24\n"},
                                      {"d", LIST_PLAIN, "u.test/a/b\n"}};
    static const char *const none[] = {"test",    "xb.test",      "b.test.x",      "b",
                                       "c.test",  "er.c.test",    "deeper.c.test", "b..test",
                                       ".b.test", "b.test.",      "B.TEST",        "192.0.2.2",
                                       "2.1",     "1.192.0.2.10", "b.tes",         "tset.b",
                                       "",        "u.test",       "test/a/b",      "..",
                                       ".",       "198.51.99.1",  "198.51.101.1",  "::c000:0201",
                                       "u.test/a"};
    static const char *const paths[] = {"/", "/a", "/a/", "/a/bc", "/a/c", "/b", "/ab", "/x/a/b", ""};
    struct parts p;
    char longer[300];
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    for (size_t i = 0; i < N_ELEMS(none); i++)
        assert_string_equal(found(&p.hot, none[i]), "");
    for (size_t i = 0; i < N_ELEMS(paths); i++)
        assert_string_equal(found_at(&p.hot, "u.test", paths[i]), "");
    memset(longer, 'a', sizeof longer - 1);
    memcpy(longer + 290, ".b.test", 8);
    assert_string_equal(found(&p.hot, longer), "");
    parts_fini(&p);
}

static void a_name_covers_what_is_below_it(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "b.test\n"},  {"b", LIST_PLAIN, "x.b.test\nb.test"},
                                      {"c", LIST_PLAIN, "C.Test.\n"}, {"d", LIST_PLAIN, "*.d.test\n"},
                                      {"e", LIST_PLAIN, ".e.test\n"}, {"f", LIST_PLAIN, "2001:db8:0:0::1"}};
    struct parts p;
    struct cat_hits hits;
    uint16_t one[1];
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    assert_string_equal(found(&p.hot, "b.test"), "0,1");
    assert_string_equal(found(&p.hot, "www.b.test"), "0,1");
    assert_string_equal(found(&p.hot, "a.www.x.b.test"), "0,1");
    assert_string_equal(found(&p.hot, "c.test"), "2");
    assert_string_equal(found(&p.hot, "d.test"), "3");
    assert_string_equal(found(&p.hot, "e.test"), "4");
    assert_string_equal(found(&p.hot, "2001:db8::1"), "5");
    assert_int_equal(p.hot.head.n_names, 6);
    struct cat_query q = {.name = SPAN("x.b.test")};
    assert_true(catdb_find(&p.hot, &q, &hits));
    assert_int_equal(cat_hits_lists(&hits, one, 1), 1);
    assert_int_equal(one[0], 0);
    parts_fini(&p);
}

static void rpz_entries_mean_the_name_or_what_is_below(void **state)
{
    static const struct listed l[] = {
        {"a", LIST_RPZ, "only.test CNAME .\n*.below.test CNAME .\n"},
        {"b", LIST_RPZ, "*.all.test CNAME .\nok.all.test CNAME rpz-passthru.\n"}};
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    assert_string_equal(found(&p.hot, "www.only.test"), "");
    assert_string_equal(found(&p.hot, "below.test"), "");
    assert_string_equal(found(&p.hot, "ok.all.test"), "");
    assert_string_equal(found(&p.hot, "only.test"), "0");
    assert_string_equal(found(&p.hot, "x.below.test"), "0");
    assert_string_equal(found(&p.hot, "x.ok.all.test"), "1");
    parts_fini(&p);
}

static void an_exception_takes_a_name_and_what_is_below_out_of_its_list(void **state)
{
    static const struct listed l[] = {
        {"a", LIST_ADBLOCK, "||b.test^\n@@||ok.b.test^\n||in.ok.b.test^\n@@||c.test^\n||x.c.test^\n"},
        {"b", LIST_ADBLOCK, "||b.test^\n"}};
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    assert_string_equal(found(&p.hot, "b.test"), "0,1");
    assert_string_equal(found(&p.hot, "ok.b.test"), "1");
    assert_string_equal(found(&p.hot, "in.ok.b.test"), "1");
    assert_string_equal(found(&p.hot, "notok.b.test"), "0,1");
    assert_string_equal(found(&p.hot, "x.c.test"), "");
    parts_fini(&p);
}

static void urls_match_whole_segments_of_the_normal_path(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "u.test/a/b\nhttp://U.Test:8080/A/./x/../C;p=1/\n"},
                                      {"b", LIST_URLS, "u.test/a\n192.0.2.7/~x\nu.test\n"},
                                      {"c", LIST_PLAIN, "[2001:db8::9]/v6\n"}};
    static const char *const same[] = {"/a/c",        "/A/C/",     "//a//c",     "/%61/c",
                                       "/%2561/%63",  "/a/b/../c", "/a;x/c;y",   "/a/c?q",
                                       "/.;/a/c/d/e", "/a\\c",     "/x/..;/a/c", "/a/c/%2e"};
    struct parts p;
    struct cat_hits hits;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    assert_string_equal(found_at(&p.hot, "u.test", "/ac"), "1");
    assert_string_equal(found_at(&p.hot, "u.test", "/a"), "1"); /* b holds the whole host too */
    assert_string_equal(found_at(&p.hot, "u.test", "/a/b"), "0,1");
    assert_string_equal(found_at(&p.hot, "www.u.test", "/a/b/c"), "0,1");
    for (size_t i = 0; i < N_ELEMS(same); i++)
        assert_string_equal(found_at(&p.hot, "u.test", same[i]), "0,1");
    assert_string_equal(found_at(&p.hot, "192.0.2.7", "/%7Ex/1"), "1");
    assert_string_equal(found_at(&p.hot, "192.0.2.7", "/~xy"), "");
    assert_string_equal(found_at(&p.hot, "2001:db8::9", "/v6"), "2");
    assert_string_equal(found(&p.hot, "2001:db8::9"), "");
    struct cat_query q = {.name = SPAN("u.test")};
    assert_true(catdb_find(&p.hot, &q, &hits));
    assert_int_equal(hits.may_used, 1);
    assert_int_equal(hits.may[0], 3); /* what the path could add: lists that have URLs of this host alone */
    q.name = SPAN("www.u.test");
    assert_true(catdb_find(&p.hot, &q, &hits));
    assert_int_equal(hits.may[0], 3);
    struct addr v6;
    assert_true(addr_parse(SPAN("2001:db8::9"), &v6));
    q = (struct cat_query){.addr = &v6};
    assert_false(catdb_find(&p.hot, &q, &hits));
    assert_int_equal(hits.may_used, 1);
    assert_int_equal(hits.may[0], 4);
    uint64_t lists[CATFMT_LISTS / 64] = {0};
    catdb_url_lists(&p.hot, lists);
    assert_int_equal(lists[0], 7);
    q.name = SPAN("test");
    assert_false(catdb_find(&p.hot, &q, &hits));
    assert_int_equal(hits.may_used, 0);
    parts_fini(&p);
}

/* A path as long as may be, and of as many segments. */
static void endless_paths_are_looked_at_so_far(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "u.test/a\n"}};
    static char path[65536];
    struct parts p;
    (void)state;
    parts_build(&p, l, 1);
    for (size_t i = 0; i < sizeof path - 1; i++)
        path[i] = i % 2 ? 'a' : '/';
    assert_string_equal(found_at(&p.hot, "u.test", path), "0");
    path[1] = 'b';
    assert_string_equal(found_at(&p.hot, "u.test", path), "");
    memset(path + 1, '%', sizeof path - 2);
    assert_string_equal(found_at(&p.hot, "u.test", path), "");
    parts_fini(&p);
}

static void networks_match_by_every_length_that_occurs(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "10.0.0.0/8\n10.1.0.0/16\n"},
                                      {"b", LIST_PLAIN, "10.1.2.3\n2001:db8::/32\n"},
                                      {"c", LIST_RPZ,
                                       "24.0.2.1.10.rpz-ip CNAME .\n32.3.2.1.10.rpz-ip CNAME "
                                       "rpz-passthru.\n"}};
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    assert_string_equal(found(&p.hot, "11.0.0.1"), "");
    assert_string_equal(found(&p.hot, "2001:db9::1"), "");
    assert_string_equal(found(&p.hot, "10.9.9.9"), "0");
    assert_string_equal(found(&p.hot, "10.1.9.9"), "0");
    assert_string_equal(found(&p.hot, "10.1.2.4"), "0,2");
    assert_string_equal(found(&p.hot, "10.1.2.3"), "0,1");
    assert_string_equal(found(&p.hot, "2001:db8:ffff::1"), "1");
    parts_fini(&p);
}

static void the_longest_names_and_most_labels(void **state)
{
    char longest[256] = "", labels[256] = "", text[600];
    struct parts p;
    (void)state;
    for (unsigned i = 0; i < 253; i++) {
        longest[i] = i % 64 == 63 ? '.' : (char)('a' + i % 26);
        labels[i] = i % 2 ? '.' : 'x';
    }
    snprintf(text, sizeof text, "%s\n%s\n", longest, labels);
    struct listed l[] = {{"a", LIST_PLAIN, text}, {"b", LIST_PLAIN, "x.x\n"}};
    parts_build(&p, l, 2);
    assert_string_equal(found(&p.hot, longest), "0");
    assert_string_equal(found(&p.hot, labels), "0,1");
    assert_string_equal(found(&p.hot, longest + 1), "");
    parts_fini(&p);
}

/* Names that differ only in where the dots are, or in one byte at each place of a long label. */
static void label_boundaries_are_part_of_a_name(void **state)
{
    static const struct listed l[] = {
        {"a", LIST_PLAIN, "abcdefgh.io\nabcdefghijklmnopqrstuvwxyzabcdefghijk.test\n"}};
    struct parts p;
    char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijk.test";
    (void)state;
    parts_build(&p, l, 1);
    assert_string_equal(found(&p.hot, "abcdefghio"), "");
    assert_string_equal(found(&p.hot, "abcdefg.hio"), "");
    assert_string_equal(found(&p.hot, "abcdefghi.o"), "");
    assert_string_equal(found(&p.hot, name), "0");
    for (unsigned i = 0; i < sizeof name - 1; i++) {
        name[i] ^= 2;
        assert_string_equal(found(&p.hot, name), "");
        name[i] ^= 2;
    }
    parts_fini(&p);
}

/* More names below one base than a line has slots, and other bases whose lines are full of them. */
static void crowded_bases_are_found_wholly(void **state)
{
    enum { NAMES = 3000 };
    static char text[NAMES * 24];
    struct listed l[] = {{"a", LIST_PLAIN, text}, {"b", LIST_PLAIN, "n7.blog.test\nblog.test/x\n"}};
    struct parts p;
    char name[64];
    unsigned passed = 0;
    size_t at = 0;
    (void)state;
    for (unsigned i = 0; i < NAMES; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, i % 2 ? "n%u.blog.test\n" : "n%u.test\n", i);
    parts_build(&p, l, N_ELEMS(l));
    for (uint64_t i = 0; i < p.hot.head.n_lines; i++)
        passed += p.hot.lines[i].passed != 0;
    assert_in_range(passed, 2, p.hot.head.n_lines / 4); /* the one of blog.test, and some by chance */
    assert_int_equal(p.hot.head.n_names, NAMES + 2);
    for (unsigned i = 0; i < 2 * NAMES; i++) {
        bool below = i % 2 == 1;
        snprintf(name, sizeof name, below ? "www.n%u.blog.test" : "www.n%u.test", i);
        assert_string_equal(found(&p.hot, name), i >= NAMES ? "" : i == 7 ? "0,1" : "0");
        snprintf(name, sizeof name, below ? "n%u.test" : "n%u.blog.test", i);
        assert_string_equal(found(&p.hot, name), "");
        assert_string_equal(found_at(&p.hot, name, "/x"), below ? "" : "1");
    }
    parts_fini(&p);
}

/* Names of every length, as they are read in pieces of sixteen bytes; nothing beside a name is read. */
static void names_of_every_length_are_found(void **state)
{
    static char text[256 * 260];
    struct listed l[] = {{"a", LIST_PLAIN, text}};
    struct parts p;
    size_t at = 0;
    (void)state;
    for (unsigned n = 6; n <= LIM_NAME_BYTES; n++) {
        for (unsigned i = 0; i < n; i++)
            text[at++] = i % 29 == 28 && i + 7 < n ? '.' : (char)('a' + (i + n) % 26);
        memcpy(text + at - 5, ".test\n", 6);
        at++;
    }
    parts_build(&p, l, 1);
    assert_int_equal(p.hot.head.n_names, LIM_NAME_BYTES - 5);
    at = 0;
    for (size_t n = 6; n <= LIM_NAME_BYTES; at += n + 1, n++) {
        char *name = malloc(n), below[LIM_NAME_BYTES + 3];
        struct cat_hits hits;
        assert_non_null(name);
        memcpy(name, text + at, n);
        assert_true(catdb_find(&p.hot, &(struct cat_query){.name = span_of(name, n)}, &hits));
        name[n / 3] = '-';
        assert_false(catdb_find(&p.hot, &(struct cat_query){.name = span_of(name, n)}, &hits));
        snprintf(below, sizeof below, "w.%.*s", (int)n, text + at);
        assert_string_equal(found(&p.hot, below), n + 2 <= LIM_NAME_BYTES ? "0" : "");
        free(name);
    }
    parts_fini(&p);
}

/* ---- many ---- */

static uint64_t seed = 1;
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* Names from few labels, so that parents, children and neighbours all occur. */
static void draw_name(char out[128])
{
    static const char *const labels[] = {"a", "b", "ab", "abcdefghi", "x-y", "co", "abcdefghijklmnopqrst"};
    int n = 0;
    for (unsigned i = 2 + draw(3); i > 0; i--)
        n += snprintf(out + n, 128 - (size_t)n, "%s%s", labels[draw(i == 1 ? 2 : 7)], i > 1 ? "." : "");
    if (strlen(out) > 44)
        draw_name(out);
}

static bool below(const char *name, const char *parent)
{
    size_t n = strlen(name), p = strlen(parent);
    return n >= p && strcmp(name + n - p, parent) == 0 && (n == p || name[n - p - 1] == '.');
}

static void a_plain_model_says_the_same(void **state)
{
    enum { LISTS = 6, ENTRIES = 12 };
    (void)state;
    for (unsigned round = 0; round < 150; round++) {
        static char names[LISTS][ENTRIES][128], texts[LISTS][ENTRIES * 128], list_names[LISTS][4];
        bool except[LISTS][ENTRIES];
        struct listed l[LISTS];
        struct parts p;
        for (unsigned i = 0; i < LISTS; i++) {
            size_t at = 0;
            for (unsigned k = 0; k < ENTRIES; k++) {
                draw_name(names[i][k]);
                except[i][k] = draw(5) == 0;
                at += (size_t)snprintf(texts[i] + at, sizeof texts[i] - at, "%s||%s^\n",
                                       except[i][k] ? "@@" : "", names[i][k]);
            }
            snprintf(list_names[i], sizeof list_names[i], "l%u", i);
            l[i] = (struct listed){list_names[i], LIST_ADBLOCK, texts[i]};
        }
        parts_build(&p, l, LISTS);
        for (unsigned k = 0; k < 200; k++) {
            char name[128], want[256] = "";
            size_t at = 0;
            draw_name(name);
            for (unsigned i = 0; i < LISTS; i++) {
                bool in = false, out = false;
                for (unsigned e = 0; e < ENTRIES; e++)
                    *(except[i][e] ? &out : &in) |= below(name, names[i][e]) != 0;
                if (in && !out)
                    at += (size_t)snprintf(want + at, sizeof want - at, "%s%u", at ? "," : "", i);
            }
            assert_string_equal(found(&p.hot, name), want);
        }
        parts_fini(&p);
    }
}

static void search_damaged(const struct catdb *db, const char *host, const char *path)
{
    struct cat_hits hits;
    (void)found_at_once(db, host, path, &hits);
    (void)found_in_halves(db, host, path, &hits);
}

static void damaged_images_never_crash(void **state)
{
    static const struct listed l[] = {{"a", LIST_PLAIN, "b.test\nx.b.test\nu.test/a/b\n10.0.0.0/8\n"},
                                      {"b", LIST_ADBLOCK, "||c.test^\n@@||b.test^\n"}};
    struct parts p;
    struct catdb db;
    unsigned opened = 0;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t *at = p.hot_bytes.p + draw((unsigned)buf_len(&p.hot_bytes)), keep = *at;
        *at = (uint8_t)draw(256);
        if (catdb_open(buf_span(&p.hot_bytes), &db) == RC_OK) {
            search_damaged(&db, "y.x.b.test", NULL);
            search_damaged(&db, "c.test", "/a");
            search_damaged(&db, "u.test", "/a/b/c");
            search_damaged(&db, "10.1.1.1", NULL);
            opened++;
        }
        *at = keep;
    }
    assert_true(opened > 1000);
    for (size_t n = 0; n < buf_len(&p.hot_bytes); n++)
        assert_int_equal(catdb_open(span_of(p.hot_bytes.p, n), &db), RC_BAD);
    assert_int_equal(catdb_open(span_of(p.hot_bytes.p + 4, 400), &db), RC_BAD);
    parts_fini(&p);
}

/* ---- the fuzzers' seeds ---- */

/* Made anew with UPDATE_SEEDS=1; the seed there must be these bytes. */
static void check_seed(const char *path, span part, span behind)
{
    static uint8_t there[1 << 16];
    FILE *f = fopen(path, getenv("UPDATE_SEEDS") ? "w+b" : "rb");
    assert_non_null(f);
    if (getenv("UPDATE_SEEDS")) {
        assert_int_equal(fwrite(part.p, 1, part.n, f), part.n);
        assert_int_equal(fwrite(behind.p, 1, behind.n, f), behind.n);
        rewind(f);
    }
    size_t n = fread(there, 1, sizeof there, f);
    fclose(f);
    if (n != part.n + behind.n || memcmp(there, part.p, part.n) != 0)
        fail_msg("%s is of another layout: UPDATE_SEEDS=1 makes the seeds anew", path);
}

static void seeds_of_the_fuzzers_are_of_this_layout(void **state)
{
    static const struct listed l[] = {
        {"file x", LIST_PLAIN, "x.b.test\nu.test/a/b\n10.0.0.0/8\nB.test\n2001:db8::/32\n"},
        {"ut1 e", LIST_EXPRESSIONS, "/ads/\n"},
        {"rpz y", LIST_RPZ, "*.b.test CNAME .\nc.test CNAME rpz-passthru.\n"},
        {"urls z", LIST_URLS, "u.test/a\nb.test/c\n"}};
    static const uint8_t asked[64] = "x.b.test\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0/a/b/c";
    struct parts p;
    (void)state;
    parts_build(&p, l, N_ELEMS(l));
    p.hot_bytes.w -= catfmt_align(p.hot.head.expr_bytes); /* a database is of one kind of processor */
    struct catfmt_head head = p.hot.head;
    head.size -= catfmt_align(head.expr_bytes);
    head.expr_bytes = 0;
    memcpy(p.hot_bytes.p, &head, sizeof head);
    check_seed("tests/fuzz/signatures/catdb_corpus/small", buf_span(&p.hot_bytes), span_of(asked, 64));
    check_seed("tests/fuzz/signatures/cattext_corpus/small", buf_span(&p.text_bytes), SPAN_NONE);
    parts_fini(&p);
    parts_build(&p, NULL, 0);
    check_seed("tests/fuzz/signatures/catdb_corpus/nothing", buf_span(&p.hot_bytes), span_of(asked, 64));
    check_seed("tests/fuzz/signatures/cattext_corpus/nothing", buf_span(&p.text_bytes), SPAN_NONE);
    parts_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_holds_nothing),
        cmocka_unit_test(what_is_not_in_a_list_is_not_found),
        cmocka_unit_test(a_name_covers_what_is_below_it),
        cmocka_unit_test(rpz_entries_mean_the_name_or_what_is_below),
        cmocka_unit_test(an_exception_takes_a_name_and_what_is_below_out_of_its_list),
        cmocka_unit_test(urls_match_whole_segments_of_the_normal_path),
        cmocka_unit_test(endless_paths_are_looked_at_so_far),
        cmocka_unit_test(networks_match_by_every_length_that_occurs),
        cmocka_unit_test(the_longest_names_and_most_labels),
        cmocka_unit_test(label_boundaries_are_part_of_a_name),
        cmocka_unit_test(crowded_bases_are_found_wholly),
        cmocka_unit_test(names_of_every_length_are_found),
        cmocka_unit_test(a_plain_model_says_the_same),
        cmocka_unit_test(damaged_images_never_crash),
        cmocka_unit_test(seeds_of_the_fuzzers_are_of_this_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
