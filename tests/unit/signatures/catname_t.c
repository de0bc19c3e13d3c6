/* No two names, and no two paths, have the same tag or base because of how they are made: whoever registers a
 * name to look like a listed one has to know the seed. Names that share their pieces, by overlap, by repeated
 * letters, with bytes that could make up for another length, are hashed under several seeds and compared all
 * with all; by chance two would be equal in one run of ten thousand, and runs are all the same. */
#include "signatures/catname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw/base/obj.h"

enum { SEEDS = 4, NAMES_MAX = 1 << 17, TAG_BITS = 48 };

struct name {
    uint64_t tag, base;
    uint8_t n, p[LIM_NAME_BYTES];
};

static struct name names[NAMES_MAX];
static size_t n_names;

static uint64_t drawn;
static uint64_t draw(void)
{
    drawn += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t v = (drawn ^ drawn >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
    return v ^ v >> 31;
}

static void draw_seed(unsigned i, uint64_t seed[4])
{
    drawn = i;
    for (unsigned k = 0; k < 4; k++)
        seed[k] = draw();
}

static uint64_t tag_of(uint64_t h)
{
    return h & ((UINT64_C(1) << TAG_BITS) - 1);
}

static uint64_t hash(const uint64_t seed[4], const uint8_t *p, size_t n)
{
    uint64_t all[CATKEYS_MAX];
    uint32_t own;
    size_t labels = catname_hashes(seed, span_of(p, n), all, &own);
    return labels ? all[labels - 1] : 0;
}

/* Bytes that make an empty label make no name. */
static void add(const uint64_t seed[4], const uint8_t *p, size_t n)
{
    uint64_t h = hash(seed, p, n);
    if (h == 0)
        return;
    assert_true(n_names < NAMES_MAX);
    struct name *v = &names[n_names++];
    *v = (struct name){.tag = tag_of(h), .base = catfmt_base(seed, h), .n = (uint8_t)n};
    memcpy(v->p, p, n);
}

static int by_tag(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

static int by_base(const void *a, const void *b)
{
    const struct name *x = a, *y = b;
    return (x->base > y->base) - (x->base < y->base);
}

static size_t count_twins(int (*order)(const void *, const void *))
{
    size_t twins = 0;
    qsort(names, n_names, sizeof *names, order);
    for (size_t i = 1; i < n_names; i++) {
        const struct name *a = &names[i - 1], *b = &names[i];
        if (order(a, b) != 0 || (a->n == b->n && memcmp(a->p, b->p, a->n) == 0))
            continue;
        if (twins++ == 0)
            print_error("%.*s and %.*s look alike\n", a->n, (const char *)a->p, b->n, (const char *)b->p);
    }
    return twins;
}

/* All names that were added, compared with each other. */
static void all_differ(void)
{
    size_t twins = count_twins(by_tag) + count_twins(by_base);
    n_names = 0;
    assert_int_equal(twins, 0);
}

/* Labels of letters, a dot after at most twenty. */
static void draw_name(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = i % 21 == 20 && i + 1 < n ? '.' : (uint8_t)('a' + draw() % 26);
}

/* The first sixteen bytes of `a`, then its last m - 16: as long as m. */
static void overlap(const uint8_t *a, size_t n, size_t m, uint8_t *out)
{
    memcpy(out, a, CATNAME_PIECE);
    for (size_t i = CATNAME_PIECE; i < m; i++)
        out[i] = a[n - 1 - (m - 1 - i) % n];
}

static void a_listed_name_has_no_twin_of_another_length(void **state)
{
    uint8_t a[LIM_NAME_BYTES], b[LIM_NAME_BYTES];
    uint64_t seed[4];
    (void)state;
    for (unsigned s = 0; s < SEEDS; s++) {
        draw_seed(s, seed);
        for (size_t n = CATNAME_PIECE + 1; n <= LIM_NAME_BYTES; n++) {
            draw_name(a, n);
            add(seed, a, n);
            for (size_t m = n > 64 ? n - 48 : CATNAME_PIECE; m <= n + 48 && m <= LIM_NAME_BYTES; m++) {
                overlap(a, n, m, b);
                add(seed, b, m);
                b[7] ^= (uint8_t)(n ^ m);
                add(seed, b, m);
                b[15] ^= (uint8_t)(n ^ m);
                add(seed, b, m);
            }
        }
        all_differ();
    }
}

/* The pair by which such twins were found; all names of 33 to 47 bytes had one of 48. */
static void a_name_of_48_bytes_is_not_one_of_33_to_47(void **state)
{
    static const char listed[] = "openclassrooms-education.github.io",
                      twin[] = "openclaasrooms-eenclassrooms-education.github.io";
    uint8_t a[48], b[48];
    uint64_t seed[4];
    (void)state;
    for (unsigned s = 0; s < 100; s++) {
        draw_seed(s, seed);
        assert_true(tag_of(hash(seed, (const uint8_t *)listed, sizeof listed - 1)) !=
                    tag_of(hash(seed, (const uint8_t *)twin, sizeof twin - 1)));
        for (size_t n = 33; n < 48; n++) {
            draw_name(a, n);
            overlap(a, n, 48, b);
            b[7] ^= (uint8_t)(n ^ 48);
            assert_true(tag_of(hash(seed, a, n)) != tag_of(hash(seed, b, 48)));
        }
    }
}

static void repeated_letters_differ_by_their_length(void **state)
{
    static const char *const parts[] = {"a", "z", "ab", "a.", "abcdefgh", "abcdefghijklmnop"};
    uint8_t a[LIM_NAME_BYTES];
    uint64_t seed[4];
    (void)state;
    for (unsigned s = 0; s < SEEDS; s++) {
        draw_seed(s, seed);
        for (size_t i = 0; i < N_ELEMS(parts); i++) {
            for (size_t n = 1; n <= LIM_NAME_BYTES; n++) {
                for (size_t k = 0; k < n; k++)
                    a[n - 1 - k] = (uint8_t)parts[i][strlen(parts[i]) - 1 - k % strlen(parts[i])];
                a[n - 1] = a[n - 1] == '.' ? 'x' : a[n - 1];
                add(seed, a, n);
                for (unsigned x = 1; x < 32 && n > 8; x++) {
                    a[n < CATNAME_PIECE ? n - 8 : 7] ^= (uint8_t)x;
                    add(seed, a, n);
                    a[n < CATNAME_PIECE ? n - 8 : 7] ^= (uint8_t)x;
                }
            }
        }
        all_differ();
    }
}

static void add_with_two_changed(const uint64_t seed[4], const uint8_t *a, size_t n)
{
    uint8_t b[LIM_NAME_BYTES];
    memcpy(b, a, n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k <= i; k++) {
            for (unsigned x = 1; x < 64; x *= 4) {
                b[i] ^= (uint8_t)x;
                b[k] ^= (uint8_t)(k < i ? 1 + x / 2 : 0);
                add(seed, b, n);
                b[i] = a[i];
                b[k] = a[k];
            }
        }
    }
}

static void names_of_which_one_or_two_bytes_differ(void **state)
{
    static const size_t lengths[] = {8, 15, 16, 17, 31, 32, 33, 34, 47, 48, 49, 65};
    uint8_t a[LIM_NAME_BYTES];
    uint64_t seed[4];
    (void)state;
    for (unsigned s = 0; s < SEEDS; s++) {
        draw_seed(s, seed);
        draw_name(a, 80);
        for (size_t i = 0; i < N_ELEMS(lengths); i++)
            add_with_two_changed(seed, a + 80 - lengths[i], lengths[i]);
        all_differ();
    }
}

/* One segment of a path, and two that have the same chunks. */
static void segments_differ_by_where_they_end(void **state)
{
    uint8_t one[32], tail[16];
    uint64_t seed[4];
    (void)state;
    for (unsigned s = 0; s < 100; s++) {
        draw_seed(s, seed);
        draw_name(one, 32);
        for (size_t n = 1; n <= 16; n++) {
            uint64_t whole = catfmt_label(seed, seed[0], one + 16 - n, 16 + n);
            for (unsigned x = 0; x < 32; x++) {
                memcpy(tail, one + 16, 16);
                tail[7] ^= (uint8_t)x;
                uint64_t h = catfmt_label(seed, seed[0], tail, 16);
                assert_true(tag_of(h) != tag_of(whole));
                for (unsigned y = 0; y < 4; y++) {
                    one[15] ^= (uint8_t)y;
                    assert_true(tag_of(catfmt_label(seed, h, one + 16 - n, n)) != tag_of(whole));
                    one[15] ^= (uint8_t)y;
                }
            }
        }
    }
}

/* A name's own pieces, and the segments of a URL of a shorter one. */
static void a_path_does_not_make_a_longer_name(void **state)
{
    uint8_t a[64];
    uint64_t seed[4];
    (void)state;
    for (unsigned s = 0; s < 100; s++) {
        draw_seed(s, seed);
        draw_name(a, 64);
        for (size_t n = 17; n <= 32; n++) {
            uint64_t h = hash(seed, a + 64 - n, n), host = hash(seed, a + 48, 16);
            for (size_t k = 1; k <= 16; k++)
                assert_true(tag_of(catfmt_label(seed, host, a + 64 - n, k)) != tag_of(h));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_name_has_no_twin_of_another_length),
        cmocka_unit_test(a_name_of_48_bytes_is_not_one_of_33_to_47),
        cmocka_unit_test(repeated_letters_differ_by_their_length),
        cmocka_unit_test(names_of_which_one_or_two_bytes_differ),
        cmocka_unit_test(segments_differ_by_where_they_end),
        cmocka_unit_test(a_path_does_not_make_a_longer_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
