/* Names to categories: what must not be found first, then what must; beside a plain model of it; damaged
 * images; and the UT1 tree where the shared data is there. */
#include "signatures/catdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "signatures/catc.h"
#include "signatures/catfmt.h"

struct entry {
    const char *name;
    uint16_t category;
    bool out;
};

/* Builds an image from names; the caller frees `image`. */
static struct catdb build(const struct entry *e, size_t n, uint16_t n_categories, struct buf *image)
{
    struct catc *c;
    struct catdb db;
    assert_int_equal(catc_new(&c), RC_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(catc_add_name(c, span_str(e[i].name), e[i].category, e[i].out), RC_OK);
    assert_int_equal(catc_finish(c, n_categories, image), RC_OK);
    catc_free(c);
    assert_int_equal(catdb_open(buf_span(image), &db), RC_OK);
    return db;
}

/* "0,2" */
static const char *found(const struct catdb *db, const char *name)
{
    static char text[256];
    uint16_t cats[64];
    size_t n = catdb_find(db, span_str(name), cats, 64), at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%u", i ? "," : "", cats[i]);
    return text;
}

static void an_empty_table_holds_nothing(void **state)
{
    struct buf image = {0};
    struct catdb db = build(NULL, 0, 0, &image);
    (void)state;
    assert_string_equal(found(&db, "a.test"), "");
    assert_string_equal(found(&db, ""), "");
    assert_int_equal(db.n_names, 0);
    buf_fini(&image);
}

static void what_is_not_in_a_list_is_not_found(void **state)
{
    static const struct entry e[] = {
        {"b.test", 0, false}, {"deep.er.c.test", 1, false}, {"192.0.2.1", 2, false}};
    static const char *const none[] = {
        "test",          "xb.test",      "b.test.x", "b",       "c.test", "er.c.test",
        "deeper.c.test", "b..test",      ".b.test",  "b.test.", "B.TEST", "192.0.2.2",
        "2.1",           "1.192.0.2.10", "b.tes",    "tset.b",  ""};
    struct buf image = {0};
    struct catdb db = build(e, N_ELEMS(e), 3, &image);
    (void)state;
    for (size_t i = 0; i < N_ELEMS(none); i++)
        assert_string_equal(found(&db, none[i]), "");
    buf_fini(&image);
}

static void a_name_covers_what_is_below_it(void **state)
{
    static const struct entry e[] = {
        {"b.test", 0, false},  {"x.b.test", 1, false}, {"b.test", 3, false},  {"test", 2, false},
        {"C.Test.", 4, false}, {"*.d.test", 5, false}, {".e.test", 6, false}, {"2001:db8:0:0::1", 7, false}};
    struct buf image = {0};
    struct catdb db = build(e, N_ELEMS(e), 8, &image);
    (void)state;
    assert_string_equal(found(&db, "b.test"), "0,2,3");
    assert_string_equal(found(&db, "www.b.test"), "0,2,3");
    assert_string_equal(found(&db, "a.www.x.b.test"), "0,1,2,3");
    assert_string_equal(found(&db, "ax.b.test"), "0,2,3");
    assert_string_equal(found(&db, "c.test"), "2,4");
    assert_string_equal(found(&db, "d.test"), "2,5");
    assert_string_equal(found(&db, "e.test"), "2,6");
    assert_string_equal(found(&db, "2001:db8::1"), "7");
    assert_int_equal(db.n_names, 7);
    uint16_t two[2];
    assert_int_equal(catdb_find(&db, SPAN("x.b.test"), two, 2), 2);
    assert_int_equal(two[1], 1);
    buf_fini(&image);
}

static void an_exception_takes_a_name_and_what_is_below_out(void **state)
{
    static const struct entry e[] = {{"b.test", 0, false},   {"b.test", 1, false},
                                     {"ok.b.test", 0, true}, {"in.ok.b.test", 0, false},
                                     {"c.test", 1, true},    {"x.c.test", 1, false}};
    struct buf image = {0};
    struct catdb db = build(e, N_ELEMS(e), 2, &image);
    (void)state;
    assert_string_equal(found(&db, "b.test"), "0,1");
    assert_string_equal(found(&db, "ok.b.test"), "1");
    assert_string_equal(found(&db, "in.ok.b.test"), "1");
    assert_string_equal(found(&db, "notok.b.test"), "0,1");
    assert_string_equal(found(&db, "x.c.test"), "");
    buf_fini(&image);
}

static void the_longest_names_and_most_labels(void **state)
{
    char longest[256] = "", labels[256] = "";
    (void)state;
    for (unsigned i = 0; i < 253; i++) {
        longest[i] = i % 64 == 63 ? '.' : (char)('a' + i % 26);
        labels[i] = i % 2 ? '.' : 'x';
    }
    struct entry e[] = {{longest, 0, false}, {labels, 1, false}, {"x.x", 2, false}};
    struct buf image = {0};
    struct catdb db = build(e, 3, 3, &image);
    assert_string_equal(found(&db, longest), "0");
    assert_string_equal(found(&db, labels), "1,2");
    assert_string_equal(found(&db, longest + 1), "");
    buf_fini(&image);
}

/* Names that differ only in where the dots are, or in one byte at each place of a long label. */
static void label_boundaries_are_part_of_a_name(void **state)
{
    static const struct entry e[] = {{"abcdefgh.i", 0, false}, {"abcdefghijklmnopq", 1, false}};
    struct buf image = {0};
    struct catdb db = build(e, N_ELEMS(e), 2, &image);
    char name[] = "abcdefghijklmnopq";
    (void)state;
    assert_string_equal(found(&db, "abcdefghi"), "");
    assert_string_equal(found(&db, "iabcdefgh"), "");
    assert_string_equal(found(&db, "abcdefg.hi"), "");
    assert_string_equal(found(&db, name), "1");
    for (unsigned i = 0; i < sizeof name - 1; i++) {
        name[i] ^= 2;
        assert_string_equal(found(&db, name), "");
        name[i] ^= 2;
    }
    buf_fini(&image);
}

static void what_is_no_name_is_not_added(void **state)
{
    static const char *const bad[] = {"",      ".",      "a b", "a..b",  "http://a.test", "a.test/x",
                                      "1.2.3", "0x7f.1", "*.",  "a_b$c", "\xc3\xa9.test", "10.0.0.0/8"};
    struct catc *c;
    (void)state;
    assert_int_equal(catc_new(&c), RC_OK);
    for (size_t i = 0; i < N_ELEMS(bad); i++)
        assert_int_equal(catc_add_name(c, span_str(bad[i]), 0, false), RC_BAD);
    assert_int_equal(catc_add_name(c, SPAN("a.test"), CATDB_CATEGORIES, false), RC_BAD);
    assert_int_equal(catc_add_file(c, "/dev/null", CATDB_CATEGORIES), RC_BAD);
    assert_int_equal(catc_add_file(c, "/no/such/list", 0), RC_NOTFOUND);
    assert_int_equal(catc_add_file(c, "/tmp", 0), RC_BAD);
    assert_int_equal(catc_add_file(c, "/dev/zero", 0), RC_BAD);
    catc_free(c);
}

/* ---- lines ---- */

static void lines_of_lists(void **state)
{
    static const struct {
        const char *line, *name;
        bool bad;
    } rows[] = {{"", "", false},
                {"  \t", "", false},
                {"# x", "", false},
                {"a.test", "a.test", false},
                {" A.Test.\r", "a.test", false},
                {"a.test # why", "a.test", false},
                {"*.a.test", "a.test", false},
                {".a.test", "a.test", false},
                {"192.0.2.1", "192.0.2.1", false},
                {"2001:DB8::0:1", "2001:db8::1", false},
                {"::ffff:192.0.2.1", "192.0.2.1", false},
                {"a test", "", true},
                {"http://a/", "", true},
                {"0300.0.2.1", "", true},
                {"a,b", "", true},
                {"\xff", "", true}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        uint8_t out[LIM_NAME_BYTES];
        bool bad = !rows[i].bad;
        size_t n = catc_line(span_str(rows[i].line), out, &bad);
        assert_true(span_eq(span_of(out, n), span_str(rows[i].name)));
        assert_int_equal(bad, rows[i].bad);
    }
}

static void a_list_counts_what_it_leaves_out(void **state)
{
    char path[] = "/tmp/perron-list-XXXXXX";
    static const char text[] = "\xef\xbb\xbf"
                               "a.test\r\n\n# c\nbad line\nb.test\n!\nc.test";
    struct buf image = {0};
    struct catc *c;
    struct catdb db;
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    assert_int_equal(catc_new(&c), RC_OK);
    assert_int_equal(catc_add_name(c, SPAN("first.test"), 0, false), RC_OK);
    assert_int_equal(catc_add_file(c, path, 1), RC_OK);
    assert_int_equal(catc_add_name(c, SPAN("last.test"), 1, false), RC_OK);
    assert_int_equal(catc_finish(c, 2, &image), RC_OK);
    assert_int_equal(catc_n_files(c), 1);
    struct catc_report r = catc_file(c, 0);
    assert_string_equal(r.path, path);
    assert_int_equal(r.n_names, 3);
    assert_int_equal(r.n_bad, 2);
    assert_int_equal(r.first_bad, 4);
    assert_null(catc_file(c, 1).path);
    assert_int_equal(catc_n_names(c), 5);
    assert_int_equal(catdb_open(buf_span(&image), &db), RC_OK);
    assert_string_equal(found(&db, "a.test"), "1");
    assert_string_equal(found(&db, "x.c.test"), "1");
    assert_string_equal(found(&db, "first.test"), "0");
    assert_string_equal(found(&db, "last.test"), "1");
    catc_free(c);
    unlink(path);
    buf_fini(&image);
}

static void a_binary_list_is_refused(void **state)
{
    char path[] = "/tmp/perron-list-XXXXXX";
    struct catc *c;
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, "a.test\n\0b.test\n", 15), 15);
    close(fd);
    assert_int_equal(catc_new(&c), RC_OK);
    assert_int_equal(catc_add_file(c, path, 0), RC_BAD);
    catc_free(c);
    unlink(path);
}

/* ---- many ---- */

static uint64_t seed = 1;
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* Names from few labels, so that parents, children and neighbours all occur. */
static void draw_name(char out[32])
{
    static const char *const labels[] = {"a", "b", "ab", "abcdefghi", "x-y"};
    int n = 0;
    for (unsigned i = 1 + draw(4); i > 0; i--)
        n += snprintf(out + n, 32 - (size_t)n, "%s%s", labels[draw(5)], i > 1 ? "." : "");
}

static bool below(const char *name, const char *parent)
{
    size_t n = strlen(name), p = strlen(parent);
    return n >= p && strcmp(name + n - p, parent) == 0 && (n == p || name[n - p - 1] == '.');
}

static void a_plain_model_says_the_same(void **state)
{
    enum { ENTRIES = 60, CATEGORIES = 20 };
    (void)state;
    for (unsigned round = 0; round < 150; round++) {
        static char names[ENTRIES][32];
        struct entry e[ENTRIES];
        struct buf image = {0};
        for (unsigned i = 0; i < ENTRIES; i++) {
            draw_name(names[i]);
            e[i] = (struct entry){names[i], (uint16_t)draw(CATEGORIES), draw(6) == 0};
        }
        struct catdb db = build(e, ENTRIES, CATEGORIES, &image);
        for (unsigned k = 0; k < 100; k++) {
            bool in[CATEGORIES] = {0}, out[CATEGORIES] = {0};
            char name[32], want[256] = "";
            size_t at = 0;
            draw_name(name);
            for (unsigned i = 0; i < ENTRIES; i++) {
                if (below(name, e[i].name))
                    *(e[i].out ? &out[e[i].category] : &in[e[i].category]) = true;
            }
            for (unsigned i = 0; i < CATEGORIES; i++) {
                if (in[i] && !out[i])
                    at += (size_t)snprintf(want + at, sizeof want - at, "%s%u", at ? "," : "", i);
            }
            assert_string_equal(found(&db, name), want);
        }
        buf_fini(&image);
    }
}

static void damaged_images_never_crash(void **state)
{
    static const struct entry e[] = {
        {"b.test", 0, false}, {"x.b.test", 1, false}, {"c.test", 2, false}, {"c.test", 1, true}};
    struct buf image = {0};
    struct catdb db = build(e, N_ELEMS(e), 3, &image);
    uint16_t cats[64];
    unsigned opened = 0;
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t *at = image.p + draw((unsigned)buf_len(&image)), keep = *at;
        *at = (uint8_t)draw(256);
        if (catdb_open(buf_span(&image), &db) == RC_OK) {
            size_t n =
                catdb_find(&db, SPAN("y.x.b.test"), cats, 64) + catdb_find(&db, SPAN("c.test"), cats, 64);
            assert_true(n <= 128);
            opened++;
        }
        *at = keep;
    }
    assert_true(opened > 1000);
    for (size_t n = 0; n < buf_len(&image); n++)
        assert_int_equal(catdb_open(span_of(image.p, n), &db), RC_BAD);
    assert_int_equal(catdb_open(span_of(image.p + 4, 64), &db), RC_BAD);
    buf_fini(&image);
}

/* ---- real lists ---- */

static void the_ut1_tree(void **state)
{
    static const struct {
        const char *name, *list;
    } rows[] = {{"www.facebook.com", "social_networks"},
                {"m.facebook.com", "social_networks"},
                {"1822direkt.com", "bank"}};
    static const char *const lists[] = {"social_networks", "bank", "malware", "phishing"};
    const char *data = getenv("PERRON_DATA");
    char path[512];
    struct buf image = {0};
    struct catc *c;
    struct catdb db;
    (void)state;
    assert_int_equal(catc_new(&c), RC_OK);
    for (unsigned i = 0; i < N_ELEMS(lists); i++) {
        snprintf(path, sizeof path, "%s/categories/ut1/%s/domains", data ? data : "../shared/data", lists[i]);
        if (catc_add_file(c, path, (uint16_t)i) != RC_OK) {
            catc_free(c);
            print_message("skipped: there is no %s\n", path);
            skip();
        }
    }
    assert_int_equal(catc_finish(c, N_ELEMS(lists), &image), RC_OK);
    assert_int_equal(catdb_open(buf_span(&image), &db), RC_OK);
    for (unsigned i = 0; i < N_ELEMS(lists); i++) {
        assert_int_equal(catc_file(c, i).n_bad, 0);
        assert_true(catc_file(c, i).n_names > 700);
    }
    for (unsigned i = 0; i < N_ELEMS(rows); i++) {
        uint16_t cats[64];
        size_t n = catdb_find(&db, span_str(rows[i].name), cats, 64);
        assert_true(n >= 1);
        assert_string_equal(lists[cats[0]], rows[i].list);
    }
    assert_string_equal(found(&db, "www.a-name-that-nobody-lists.test"), "");
    assert_true(db.n_slots * 8 <= db.n_names * 16);
    catc_free(c);
    buf_fini(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_holds_nothing),
        cmocka_unit_test(what_is_not_in_a_list_is_not_found),
        cmocka_unit_test(a_name_covers_what_is_below_it),
        cmocka_unit_test(an_exception_takes_a_name_and_what_is_below_out),
        cmocka_unit_test(the_longest_names_and_most_labels),
        cmocka_unit_test(label_boundaries_are_part_of_a_name),
        cmocka_unit_test(what_is_no_name_is_not_added),
        cmocka_unit_test(lines_of_lists),
        cmocka_unit_test(a_list_counts_what_it_leaves_out),
        cmocka_unit_test(a_binary_list_is_refused),
        cmocka_unit_test(a_plain_model_says_the_same),
        cmocka_unit_test(damaged_images_never_crash),
        cmocka_unit_test(the_ut1_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
