/* The revocation set: damaged ones are not read, and what is in it is found, nothing else. Threats A 26. */
#include "certs/revoked.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "certs/verify.h"
#include "gw/base/limits.h"
#include "tests/unit/certs/make_cert.h"

static void serial_of(uint32_t n, uint8_t out[CRL_SERIAL])
{
    memset(out, 0, CRL_SERIAL);
    for (int i = 0; i < 4; i++)
        out[CRL_SERIAL - 1 - i] = (uint8_t)(n >> 8 * i);
}

/* A source of n entries: `first`, `first` + 3 ... */
static struct revoked_source source(uint8_t id, uint32_t first, size_t n, uint8_t *room)
{
    struct revoked_source s = {.id = {id},
                               .this_s = NOW - DAY,
                               .next_s = NOW + id * DAY,
                               .number = {[CRL_NUMBER - 1] = id},
                               .url = SPAN("http://a.test/l.crl"),
                               .issuer = SPAN("issuer"),
                               .authorities = id % 2,
                               .serials = span_of(room, n * CRL_SERIAL)};
    for (size_t i = 0; i < n; i++)
        serial_of(first + 3 * (uint32_t)i, room + i * CRL_SERIAL);
    return s;
}

static struct revoked_id id_of(uint8_t source_id, uint32_t serial)
{
    struct revoked_id id = {.source = {source_id}};
    serial_of(serial, id.serial);
    return id;
}

static void build(int *fd, size_t n_each)
{
    static uint8_t room[3][1000 * CRL_SERIAL];
    struct revoked_source src[] = {source(9, 100, n_each, room[0]), source(2, 101, n_each, room[1]),
                                   source(5, 7, 0, room[2])};
    assert_int_equal(revoked_build(src, 3, fd), RC_OK);
}

static void what_is_listed_is_found_and_nothing_else(void **state)
{
    (void)state;
    int fd;
    struct revoked *r;
    build(&fd, 1000);
    assert_int_equal(revoked_map(fd, &r), RC_OK);
    assert_int_equal(revoked_n_sources(r), 3);
    assert_int_equal(revoked_n_serials(r), 2000);
    for (uint32_t s = 90; s < 3200; s++) {
        struct revoked_id nine = id_of(9, s), two = id_of(2, s), none = id_of(3, s), empty = id_of(5, s);
        bool in9 = s >= 100 && s < 3100 && (s - 100) % 3 == 0,
             in2 = s >= 101 && s < 3101 && (s - 101) % 3 == 0;
        assert_int_equal(revoked_find(r, &nine, NOW), in9 ? REVOCATION_REVOKED : REVOCATION_GOOD);
        assert_int_equal(revoked_find(r, &two, NOW), in2 ? REVOCATION_REVOKED : REVOCATION_GOOD);
        assert_int_equal(revoked_find(r, &none, NOW), REVOCATION_UNKNOWN);
        assert_int_equal(revoked_find(r, &empty, NOW), REVOCATION_GOOD);
        assert_int_equal(revoked_find(NULL, &nine, NOW), REVOCATION_UNKNOWN);
    }
    revoked_free(r);
    close(fd);
}

static void an_old_list_still_revokes_but_vouches_for_nobody(void **state)
{
    (void)state;
    int fd;
    struct revoked *r;
    build(&fd, 10);
    assert_int_equal(revoked_map(fd, &r), RC_OK);
    struct revoked_id bad = id_of(2, 101), good = id_of(2, 102);
    assert_int_equal(revoked_find(r, &good, NOW + 2 * DAY - 1), REVOCATION_GOOD);
    assert_int_equal(revoked_find(r, &good, NOW + 2 * DAY), REVOCATION_UNKNOWN);
    assert_int_equal(revoked_find(r, &bad, NOW + 900 * DAY), REVOCATION_REVOKED);
    bad.no_proof = good.no_proof = true; /* and so does a certificate whose pointer is not in order */
    assert_int_equal(revoked_find(r, &good, NOW), REVOCATION_UNKNOWN);
    assert_int_equal(revoked_find(r, &bad, NOW), REVOCATION_REVOKED);
    revoked_free(r);
    close(fd);
}

static void a_set_gives_back_what_it_was_made_of(void **state)
{
    (void)state;
    int fd, again;
    struct revoked *r;
    struct revoked_source all[3];
    build(&fd, 7);
    assert_int_equal(revoked_map(fd, &r), RC_OK);
    for (size_t i = 0; i < 3; i++)
        revoked_source_at(r, i, &all[i]);
    assert_int_equal(all[0].id[0], 2);
    assert_int_equal(all[2].id[0], 9);
    assert_true(span_eq(all[0].url, SPAN("http://a.test/l.crl")) && span_eq(all[2].issuer, SPAN("issuer")));
    assert_int_equal(all[0].serials.n, 7 * CRL_SERIAL);
    assert_int_equal(all[1].number[CRL_NUMBER - 1], 5);
    assert_true(all[1].authorities && !all[0].authorities);
    assert_int_equal(revoked_build(all, 3, &again), RC_OK);
    off_t n = lseek(fd, 0, SEEK_END);
    assert_int_equal(lseek(again, 0, SEEK_END), n);
    void *a = mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, fd, 0),
         *b = mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, again, 0);
    assert_memory_equal(a, b, (size_t)n);
    munmap(a, (size_t)n);
    munmap(b, (size_t)n);
    revoked_free(r);
    close(fd);
    close(again);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    static struct revoked_source many[LIM_REVOKED_SOURCES + 1];
    int fd;
    assert_int_equal(revoked_build(many, LIM_REVOKED_SOURCES + 1, &fd), RC_LIMIT);
    uint8_t one[CRL_SERIAL];
    struct revoked_source huge = source(1, 1, 1, one);
    huge.serials.n = (LIM_REVOKED_SERIALS + (size_t)1) * CRL_SERIAL;
    assert_int_equal(revoked_build(&huge, 1, &fd), RC_LIMIT);
}

/* Every byte of head and rows changed, every length: refused, or read within its bounds. */
static void damaged_sets_are_refused_or_harmless(void **state)
{
    (void)state;
    int fd;
    build(&fd, 20);
    size_t n = (size_t)lseek(fd, 0, SEEK_END), refused = 0;
    uint8_t *bytes = malloc(n), *copy = malloc(n);
    assert_int_equal(pread(fd, bytes, n, 0), (ssize_t)n);
    struct revoked *r;
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(revoked_over(span_of(bytes, cut), &r), RC_BAD);
    for (size_t i = 0; i < 32 + 3 * 80; i++) {
        for (unsigned v = 1; v < 256; v <<= 1) {
            memcpy(copy, bytes, n);
            copy[i] ^= (uint8_t)v;
            if (revoked_over(span_of(copy, n), &r) != RC_OK) {
                refused++;
                continue;
            }
            for (size_t s = 0; s < revoked_n_sources(r); s++) {
                struct revoked_source out;
                revoked_source_at(r, s, &out);
                assert_true(out.serials.p >= copy && out.serials.p + out.serials.n <= copy + n);
                assert_true(out.url.p >= copy && out.issuer.p + out.issuer.n <= copy + n);
            }
            revoked_free(r);
        }
    }
    assert_true(refused > 300);
    free(bytes);
    free(copy);
    close(fd);
}

static void a_set_that_can_still_change_is_not_mapped(void **state)
{
    (void)state;
    int sealed, open = memfd_create("x", MFD_ALLOW_SEALING);
    struct revoked *r;
    build(&sealed, 3);
    size_t n = (size_t)lseek(sealed, 0, SEEK_END);
    uint8_t bytes[4096];
    assert_int_equal(pread(sealed, bytes, n, 0), (ssize_t)n);
    assert_int_equal(write(open, bytes, n), (ssize_t)n);
    assert_int_equal(revoked_map(open, &r), RC_BAD);
    assert_int_equal(fcntl(open, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
    assert_int_equal(revoked_map(open, &r), RC_OK);
    revoked_free(r);
    close(open);
    close(sealed);
}

/* ---- ids and verdicts */

static void sources_differ_by_key_name_address_and_kind(void **state)
{
    (void)state;
    struct made a = mk_cert(&(struct mk){.cn = "A", .exts = ROOT_EXTS}, NULL),
                b = mk_cert(&(struct mk){.cn = "A", .exts = ROOT_EXTS}, NULL),
                c = mk_cert(&(struct mk){.cn = "C", .exts = ROOT_EXTS, .key = a.key}, NULL);
    uint8_t id[5][REVOKED_SOURCE];
    assert_int_equal(revoked_source_id(a.cert, SPAN("http://a.test/l.crl"), false, id[0]), RC_OK);
    assert_int_equal(revoked_source_id(b.cert, SPAN("http://a.test/l.crl"), false, id[1]), RC_OK);
    assert_int_equal(revoked_source_id(c.cert, SPAN("http://a.test/l.crl"), false, id[2]), RC_OK);
    assert_int_equal(revoked_source_id(a.cert, SPAN("http://a.test/m.crl"), false, id[3]), RC_OK);
    assert_int_equal(revoked_source_id(a.cert, SPAN("http://a.test/l.crl"), true, id[4]), RC_OK);
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(id[i], id[k], REVOKED_SOURCE);
    }
    mk_free(&a);
    mk_free(&b);
    mk_free(&c);
}

static void a_verdict_follows_set_staple_and_clock(void **state)
{
    (void)state;
    uint8_t room[CRL_SERIAL];
    struct revoked_source src[] = {source(4, 1, 1, room), source(8, 50, 0, room)};
    int fd;
    struct revoked *r;
    assert_int_equal(revoked_build(src, 2, &fd), RC_OK);
    assert_int_equal(revoked_map(fd, &r), RC_OK);
    struct cert_verdict v = {.not_after = 90 * DAY, .n_path = 2, .path = {id_of(4, 2), id_of(8, 3)}};
    verify_revocation(NULL, &v, NOW);
    assert_false(v.revocation_known);
    assert_int_equal(v.defects, 0);
    verify_revocation(r, &v, NOW);
    assert_true(v.revocation_known);
    verify_revocation(r, &v, NOW + 5 * DAY); /* the first list is over */
    assert_false(v.revocation_known);
    v.staple = STAPLE_GOOD;
    v.staple_until_s = NOW + 6 * DAY;
    verify_revocation(r, &v, NOW + 5 * DAY);
    assert_true(v.revocation_known);
    verify_revocation(r, &v, NOW + 6 * DAY); /* and now the staple too */
    assert_false(v.revocation_known);
    v.not_after = 7 * DAY; /* a short life needs neither */
    verify_revocation(r, &v, NOW + 6 * DAY);
    assert_true(v.revocation_known);
    v.path[0] = id_of(4, 1);
    verify_revocation(r, &v, NOW);
    assert_int_equal(v.defects, DEFECT_BIT(REVOKED)); /* whatever the staple says */
    v.path[0] = id_of(4, 2);
    v.path[1] = id_of(4, 1);
    verify_revocation(r, &v, NOW);
    assert_int_equal(v.defects, DEFECT_BIT(REVOKED)); /* the issuer */
    v.path[1] = id_of(8, 3);
    v.staple = STAPLE_REVOKED;
    verify_revocation(r, &v, NOW);
    assert_int_equal(v.defects, DEFECT_BIT(REVOKED));
    v.staple = STAPLE_NONE;
    v.defects |= DEFECT_BIT(EXPIRED);
    verify_revocation(r, &v, NOW);
    assert_int_equal(v.defects, DEFECT_BIT(EXPIRED)); /* only its own bit goes */
    revoked_free(r);
    close(fd);
}

/* The machine may be busy with other things. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void a_look_up_takes_about_a_microsecond(void **state)
{
    (void)state;
    enum { SERIALS = 1000000, ROUNDS = 200000 };
    uint8_t *room = malloc((size_t)SERIALS * CRL_SERIAL);
    struct revoked_source src = source(3, 5, SERIALS, room);
    int fd;
    struct revoked *r;
    assert_int_equal(revoked_build(&src, 1, &fd), RC_OK);
    assert_int_equal(revoked_map(fd, &r), RC_OK);
    unsigned found = 0;
    int64_t before = cpu_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct revoked_id id = id_of(3, i * 7);
        found += revoked_find(r, &id, NOW) == REVOCATION_REVOKED;
    }
    int64_t each = (cpu_ns() - before) / ROUNDS;
    print_message("one look-up among %d entries: %lld ns of CPU\n", SERIALS, (long long)each);
    assert_true(found > ROUNDS / 4 && found < ROUNDS / 2);
    assert_true(each < 20000);
    revoked_free(r);
    close(fd);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_sets_are_refused_or_harmless),
        cmocka_unit_test(a_set_that_can_still_change_is_not_mapped),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(what_is_listed_is_found_and_nothing_else),
        cmocka_unit_test(an_old_list_still_revokes_but_vouches_for_nobody),
        cmocka_unit_test(a_set_gives_back_what_it_was_made_of),
        cmocka_unit_test(sources_differ_by_key_name_address_and_kind),
        cmocka_unit_test(a_verdict_follows_set_staple_and_clock),
        cmocka_unit_test(a_look_up_takes_about_a_microsecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
