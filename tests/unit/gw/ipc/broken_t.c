/* What workers know together of broken places: three different clients and no fewer, within a day, and an
 * end; also when the clock is set back, and after a worker was killed in the middle. */
#include "gw/ipc/broken.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gw/base/limits.h"

enum { NOW = 1000000000 };

static struct broken *b, *other;
static size_t table_bytes;

static int open_table(void **state)
{
    int fd;
    struct stat st;
    (void)state;
    assert_int_equal(broken_create(&fd), RC_OK);
    assert_int_equal(fstat(fd, &st), 0);
    table_bytes = (size_t)st.st_size;
    assert_int_equal(broken_map(fd, &b), RC_OK);
    assert_int_equal(broken_map(fd, &other), RC_OK); /* another worker */
    close(fd);
    return 0;
}

static int close_table(void **state)
{
    (void)state;
    broken_unmap(b);
    broken_unmap(other);
    return 0;
}

static uint64_t device(unsigned n)
{
    struct addr a = {.family = 4, .b = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    return broken_device(b, &a);
}

static uint64_t client(unsigned n)
{
    struct addr a = {.family = 4, .b = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    return broken_client(b, &a);
}

static struct addr six(uint8_t net, uint8_t host)
{
    return (struct addr){.family = 6, .b = {0x20, 1, 0xd, 0xb8, [7] = net, [15] = host}};
}

static int64_t until(const struct broken *t, uint64_t at, int64_t now_s)
{
    return broken_until(t, at, LIM_BROKEN_EXEMPT_S, now_s);
}

static uint64_t place(const char *name, const char *ja4)
{
    return broken_place(b, span_str(name), span_str(ja4));
}

static bool exempt(const char *name, const char *ja4, int64_t until_s)
{
    struct broken_exemption x = {.since_s = NOW, .until_s = until_s};
    snprintf(x.name, sizeof x.name, "%s", name);
    snprintf(x.ja4, sizeof x.ja4, "%s", ja4);
    return broken_exempt(b, &x, NOW);
}

static void what_is_no_table_is_refused(void **state)
{
    int fd = memfd_create("x", MFD_ALLOW_SEALING);
    struct broken *none;
    (void)state;
    assert_int_equal(broken_map(fd, &none), RC_BAD);
    assert_null(none);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(broken_map(fd, &none), RC_BAD);
    close(fd);
}

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    assert_false(broken_trusts(b, device(1), NOW));
    assert_int_equal(until(b, place("a.example", "t13"), NOW), 0);
    assert_false(broken_any(b));
    /* numbers that could not be made know nothing and change nothing */
    broken_accepts(b, 0, NOW);
    assert_false(broken_trusts(b, 0, NOW));
    assert_int_equal(broken_fails(b, 0, client(1), NOW), 0);
    assert_int_equal(broken_fails(b, place("a", "b"), 0, NOW), 0);
    assert_false(exempt("", "t13", NOW + 10));
    assert_false(broken_any(b));
}

static void trust_is_each_devices_own_and_ends(void **state)
{
    (void)state;
    broken_accepts(b, device(1), NOW);
    assert_true(broken_trusts(other, device(1), NOW + LIM_BROKEN_TRUST_S - 1));
    assert_false(broken_trusts(other, device(1), NOW + LIM_BROKEN_TRUST_S));
    assert_false(broken_trusts(other, device(2), NOW));
    broken_accepts(other, device(1), NOW + LIM_BROKEN_TRUST_S);
    assert_true(broken_trusts(b, device(1), NOW + LIM_BROKEN_TRUST_S));
}

static void three_different_clients_count(void **state)
{
    uint64_t p = place("app.example", "t12d"), q = place("app.example", "t13d");
    (void)state;
    assert_int_equal(broken_fails(b, p, client(1), NOW), 1);
    assert_int_equal(broken_fails(b, p, client(1), NOW), 1);
    assert_int_equal(broken_fails(other, p, client(2), NOW), 2);
    assert_int_equal(broken_fails(b, p, client(1), NOW), 2);
    assert_int_equal(broken_fails(b, q, client(3), NOW), 1); /* another kind of client */
    assert_int_equal(broken_fails(b, p, client(3), NOW + LIM_BROKEN_WINDOW_S - 1), 3);
    assert_int_equal(broken_fails(b, p, client(4), NOW + 5), 3);
}

static void failures_of_another_day_do_not_count(void **state)
{
    uint64_t p = place("app.example", "t12d");
    (void)state;
    assert_int_equal(broken_fails(b, p, client(1), NOW), 1);
    assert_int_equal(broken_fails(b, p, client(2), NOW), 2);
    assert_int_equal(broken_fails(b, p, client(3), NOW + LIM_BROKEN_WINDOW_S), 1);
}

static void a_success_ends_what_was_counted(void **state)
{
    uint64_t p = place("app.example", "t12d"), q = place("app.example", "t13d");
    (void)state;
    assert_false(broken_counts(b));
    broken_works(b, p); /* where nothing failed: no row is made */
    broken_works(b, 0);
    assert_int_equal(broken_fails(b, p, client(1), NOW), 1);
    assert_int_equal(broken_fails(b, q, client(1), NOW), 1);
    assert_int_equal(broken_fails(b, p, client(2), NOW), 2);
    assert_true(broken_counts(other));
    broken_works(other, p);
    assert_int_equal(broken_fails(b, p, client(3), NOW + 1), 1);
    assert_int_equal(broken_fails(b, p, client(1), NOW + 1), 2);
    assert_int_equal(broken_fails(b, q, client(2), NOW + 1), 2); /* another kind of client */
    assert_true(exempt("app.example", "t12d", NOW + 60));
    broken_works(b, p);
    assert_int_equal(until(b, p, NOW + 59), NOW + 60);
}

static void an_exemption_is_of_one_place_and_ends(void **state)
{
    uint64_t p = place("app.example", "t12d");
    (void)state;
    for (unsigned i = 1; i <= 3; i++)
        broken_fails(b, p, client(i), NOW);
    assert_true(exempt("app.example", "t12d", NOW + 60));
    assert_true(broken_any(other));
    assert_int_equal(until(other, p, NOW + 59), NOW + 60);
    assert_int_equal(until(other, p, NOW + 60), 0);
    assert_int_equal(until(other, place("app.example", "t13d"), NOW), 0);
    assert_int_equal(until(other, place("x.example", "t12d"), NOW), 0);
    /* when it is over three devices have to fail again */
    assert_int_equal(broken_fails(b, p, client(1), NOW + 61), 1);
}

static void exemptions_are_told_in_words_while_they_last(void **state)
{
    struct broken_exemption x;
    size_t it = 0;
    (void)state;
    assert_false(broken_next(b, &it, NOW, &x));
    assert_true(exempt("a.example", "t12d", NOW + 60));
    assert_true(exempt("b.example", "t12d", NOW + 30));
    assert_true(exempt("a.example", "t12d", NOW + 90)); /* the same anew */
    assert_int_equal(broken_changes(other), 3);
    it = 0;
    assert_true(broken_next(other, &it, NOW, &x));
    assert_string_equal(x.name, "a.example");
    assert_string_equal(x.ja4, "t12d");
    assert_true(x.since_s == NOW && x.until_s == NOW + 90);
    assert_true(broken_next(other, &it, NOW, &x));
    assert_string_equal(x.name, "b.example");
    assert_false(broken_next(other, &it, NOW, &x));
    it = 0;
    assert_true(broken_next(other, &it, NOW + 30, &x));
    assert_string_equal(x.name, "a.example");
    assert_false(broken_next(other, &it, NOW + 30, &x)); /* the other is over */
}

static void no_more_than_so_many_are_exempt_and_no_longer(void **state)
{
    char name[32];
    (void)state;
    assert_false(exempt("a.example", "t12d", NOW));
    assert_false(exempt("a.example", "t12d", NOW + LIM_BROKEN_EXEMPT_S + 1));
    assert_false(exempt("A.example", "t12d", NOW + 60));
    assert_false(exempt("a\n.example", "t12d", NOW + 60));
    assert_false(exempt("a.example", "", NOW + 60));
    for (unsigned i = 0; i < LIM_BROKEN_EXEMPT; i++) {
        snprintf(name, sizeof name, "%u.example", i);
        assert_true(exempt(name, "t12d", NOW + 60));
    }
    assert_false(exempt("more.example", "t12d", NOW + 60));
    assert_int_equal(until(b, place("more.example", "t12d"), NOW), 0);
    assert_true(exempt("7.example", "t12d", NOW + 70)); /* has its place */
    struct broken_exemption x = {
        .name = "later.example", .ja4 = "t12d", .since_s = NOW + 61, .until_s = NOW + 99};
    assert_true(broken_exempt(b, &x, NOW + 61)); /* in the place of one that is over */
}

static void names_and_fingerprints_do_not_run_together(void **state)
{
    (void)state;
    assert_true(place("ab", "c") != place("a", "bc"));
    assert_true(place("a b", "c") == place("a b", "c"));
    assert_true(device(1) != device(2) && device(1) > 1);
}

static void a_full_table_forgets_the_oldest(void **state)
{
    char name[32];
    (void)state;
    for (unsigned i = 0; i < 4 * LIM_BROKEN_DEVICES; i++)
        broken_accepts(b, device(i), NOW + i);
    unsigned known = 0;
    for (unsigned i = 3 * LIM_BROKEN_DEVICES; i < 4 * LIM_BROKEN_DEVICES; i++)
        known += broken_trusts(b, device(i), NOW + i);
    assert_true(known > LIM_BROKEN_DEVICES / 2);
    uint64_t kept = place("kept.example", "t12d");
    assert_true(exempt("kept.example", "t12d", NOW + 10 * LIM_BROKEN_PLACES)); /* the last to go */
    for (unsigned i = 0; i < 2 * LIM_BROKEN_PLACES; i++) {
        snprintf(name, sizeof name, "%u.example", i);
        broken_fails(b, place(name, "t12d"), client(1), NOW + i);
    }
    assert_int_equal(until(b, kept, NOW + 9 * LIM_BROKEN_PLACES), NOW + 10 * LIM_BROKEN_PLACES);
}

static void the_addresses_of_one_ipv6_network_count_once(void **state)
{
    uint64_t p = place("app.example", "t12d");
    struct addr a[4] = {six(1, 1), six(1, 2), six(2, 1), six(3, 1)};
    (void)state;
    assert_int_equal(broken_fails(b, p, client(1), NOW), 1); /* its IPv4 address */
    assert_int_equal(broken_fails(b, p, broken_client(b, &a[0]), NOW), 2);
    assert_int_equal(broken_fails(b, p, broken_client(b, &a[1]), NOW), 2);
    assert_int_equal(broken_fails(b, p, broken_client(b, &a[2]), NOW), 3);
    assert_true(broken_client(b, &a[2]) != broken_client(b, &a[3]));
    broken_accepts(b, broken_device(b, &a[0]), NOW); /* and speaks for no neighbour */
    assert_true(broken_trusts(b, broken_device(b, &a[0]), NOW));
    assert_false(broken_trusts(b, broken_device(b, &a[1]), NOW));
}

static void what_a_clock_ahead_left_is_over(void **state)
{
    enum { AHEAD = NOW + 365 * 86400 };
    struct broken_exemption x = {
        .name = "app.example", .ja4 = "t12d", .since_s = AHEAD, .until_s = AHEAD + 43200};
    uint64_t p = place("app.example", "t12d");
    size_t it = 0;
    (void)state;
    broken_accepts(b, device(1), AHEAD);
    assert_false(broken_trusts(b, device(1), NOW));
    assert_int_equal(broken_fails(b, p, client(1), AHEAD), 1);
    assert_int_equal(broken_fails(b, p, client(2), AHEAD), 2);
    assert_int_equal(broken_fails(b, p, client(3), NOW), 1);
    assert_true(broken_exempt(b, &x, AHEAD));
    assert_int_equal(until(other, p, AHEAD), AHEAD + 43200);
    assert_int_equal(until(other, p, NOW), 0);
    assert_false(broken_next(other, &it, NOW, &x));
    assert_true(exempt("app.example", "t12d", NOW + 60)); /* by failures of now */
    assert_int_equal(until(other, p, NOW), NOW + 60);
}

static void entries_of_a_clock_ahead_make_room(void **state)
{
    char name[32];
    (void)state;
    for (unsigned i = 0; i < 4 * LIM_BROKEN_DEVICES; i++)
        broken_accepts(b, device(i), NOW + 1000000);
    for (unsigned i = 0; i < 4 * LIM_BROKEN_PLACES; i++) {
        snprintf(name, sizeof name, "%u.example", i);
        broken_fails(b, place(name, "t12d"), client(1), NOW + 1000000);
    }
    unsigned known = 0, counted = 0;
    for (unsigned i = 0; i < 1000; i++)
        broken_accepts(b, device(0x800000 + i), NOW);
    for (unsigned i = 0; i < 1000; i++) {
        known += broken_trusts(b, device(0x800000 + i), NOW);
        snprintf(name, sizeof name, "%u.test", i);
        broken_fails(b, place(name, "t12d"), client(1), NOW);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%u.test", i);
        counted += broken_fails(b, place(name, "t12d"), client(2), NOW) == 2;
    }
    assert_true(known == 1000 && counted > 990);
}

static void an_exemption_is_no_longer_than_its_line_says_now(void **state)
{
    uint64_t p = place("app.example", "t12d");
    (void)state;
    assert_true(exempt("app.example", "t12d", NOW + LIM_BROKEN_EXEMPT_S));
    assert_int_equal(broken_until(b, p, 43200, NOW + 43199), NOW + 43200);
    assert_int_equal(broken_until(b, p, 43200, NOW + 43200), 0);
    assert_int_equal(until(b, p, NOW + 43200), NOW + LIM_BROKEN_EXEMPT_S);
}

/* As a worker leaves them that is killed at that moment while it fills them: the rows with this key. */
static void rows_of_the_dead(uint64_t key, int64_t at_s, size_t want)
{
    uint64_t *w = (uint64_t *)b;
    size_t n = 0;
    for (size_t i = 0; i < table_bytes / sizeof *w; i++) {
        if (w[i] == key) {
            w[i] = (uint64_t)at_s;
            n++;
        }
    }
    assert_int_equal(n, want);
}

static void a_row_of_a_killed_worker_is_in_nobodys_way(void **state)
{
    char name[32];
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "dead%u.example", i);
        assert_int_equal(broken_fails(b, place(name, "t12d"), client(1), 1), 1); /* the oldest of all */
        rows_of_the_dead(place(name, "t12d"), NOW, 1);
    }
    for (unsigned i = 0; i < 4 * LIM_BROKEN_PLACES; i++) {
        snprintf(name, sizeof name, "%u.example", i);
        assert_int_equal(broken_fails(b, place(name, "t12d"), client(1), NOW), 1);
    }
}

static void exempt_then_killed(unsigned number, int64_t killed_s)
{
    char name[32];
    snprintf(name, sizeof name, "dead%u.example", number);
    assert_true(exempt(name, "t12d", NOW + 43200));
    rows_of_the_dead(place(name, "t12d"), killed_s, 2); /* its count and its words */
}

static void a_row_of_a_killed_worker_is_free_again_later(void **state)
{
    enum { LATER = NOW + LIM_BROKEN_BUSY_S };
    struct broken_exemption x = {
        .name = "app.example", .ja4 = "t12d", .since_s = NOW, .until_s = NOW + 43200};
    size_t it = 0;
    (void)state;
    for (unsigned i = 0; i < LIM_BROKEN_EXEMPT; i++)
        exempt_then_killed(i, NOW);
    assert_false(broken_next(b, &it, NOW, &x)); /* what is half written is not told */
    assert_false(broken_exempt(b, &x, LATER - 1));
    assert_true(broken_exempt(b, &x, LATER));
    for (unsigned i = 1; i < LIM_BROKEN_EXEMPT; i++) {
        snprintf(x.name, sizeof x.name, "next%u.example", i);
        assert_true(broken_exempt(b, &x, LATER));
    }
    assert_int_equal(until(b, place("app.example", "t12d"), LATER), NOW + 43200);
}

/* Workers read their clocks before they come here: one that began a second later may have begun first. */
static void a_row_of_a_worker_a_second_ahead_is_its_own(void **state)
{
    struct broken_exemption x = {.name = "app.example", .ja4 = "t12d", .since_s = NOW, .until_s = NOW + 60};
    (void)state;
    for (unsigned i = 0; i < LIM_BROKEN_EXEMPT; i++)
        exempt_then_killed(i, NOW + 1);
    assert_false(broken_exempt(b, &x, NOW));
}

/* Two that wrote the words of one row: a name that nobody found broken goes into no list and no file. */
static void words_that_do_not_fit_their_number_are_not_told(void **state)
{
    struct broken_exemption x;
    size_t it = 0;
    (void)state;
    assert_true(exempt("app.example", "t12d", NOW + 43200));
    char *name = memmem(b, table_bytes, "app.example", sizeof "app.example");
    assert_non_null(name);
    name[1] = 'q';
    assert_false(broken_next(b, &it, NOW, &x));
    it = 0;
    name[1] = 'p';
    assert_true(broken_next(b, &it, NOW, &x));
}

static void a_row_that_a_clock_ahead_began_is_free(void **state)
{
    struct broken_exemption x = {.name = "app.example", .ja4 = "t12d", .since_s = NOW, .until_s = NOW + 60};
    (void)state;
    for (unsigned i = 0; i < LIM_BROKEN_EXEMPT; i++)
        exempt_then_killed(i, NOW + 1000000);
    assert_true(broken_exempt(b, &x, NOW));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)
    const struct CMUnitTest tests[] = {
        T(what_is_no_table_is_refused),
        T(nothing_is_known_at_first),
        T(trust_is_each_devices_own_and_ends),
        T(three_different_clients_count),
        T(failures_of_another_day_do_not_count),
        T(a_success_ends_what_was_counted),
        T(an_exemption_is_of_one_place_and_ends),
        T(exemptions_are_told_in_words_while_they_last),
        T(no_more_than_so_many_are_exempt_and_no_longer),
        T(names_and_fingerprints_do_not_run_together),
        T(a_full_table_forgets_the_oldest),
        T(the_addresses_of_one_ipv6_network_count_once),
        T(what_a_clock_ahead_left_is_over),
        T(entries_of_a_clock_ahead_make_room),
        T(an_exemption_is_no_longer_than_its_line_says_now),
        T(a_row_of_a_killed_worker_is_in_nobodys_way),
        T(a_row_of_a_killed_worker_is_free_again_later),
        T(a_row_of_a_worker_a_second_ahead_is_its_own),
        T(words_that_do_not_fit_their_number_are_not_told),
        T(a_row_that_a_clock_ahead_began_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
