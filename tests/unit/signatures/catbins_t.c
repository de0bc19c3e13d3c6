/* Bins: what was put in comes out in order, bin by bin, whatever the lengths; going back to a mark. */
#include "signatures/catbins.h"

#include "tests/unit/signatures/list_help.h"

static uint64_t next(uint64_t *s)
{
    *s = *s * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *s >> 16 | *s << 48;
}

/* An item: its number and length, then bytes of it. */
struct item {
    uint32_t number, n;
};

static void put(struct catbins *b, uint32_t number, uint64_t *random)
{
    uint64_t r = next(random);
    size_t n = sizeof(struct item) + (number % 100 == 0 ? CATBINS_ITEM - 16 : r % 50);
    struct item *at = catbins_add(b, r, n);
    assert_non_null(at);
    assert_int_equal((uintptr_t)at % 8, 0);
    *at = (struct item){number, (uint32_t)n};
    memset(at + 1, (int)(number & 255), n - sizeof *at);
}

/* How many there are; they are whole, in order, and in the bin of their hash. */
static size_t check(const struct catbins *b, uint64_t random, uint32_t from)
{
    static uint8_t bin_of[200000];
    uint32_t n = 0;
    for (uint32_t i = from; i < N_ELEMS(bin_of); i++)
        bin_of[i] = (uint8_t)(next(&random) >> 56);
    for (unsigned bin = 0; bin < CATBINS; bin++) {
        struct catbins_walk w = {0};
        uint32_t last = 0;
        for (span run; catbins_next(b, bin, &w, &run);) {
            while (run.n) {
                const struct item *at = (const void *)run.p;
                assert_true(n == 0 || last == 0 || at->number > last);
                assert_int_equal(bin_of[at->number], bin);
                for (size_t i = sizeof *at; i < at->n; i++)
                    assert_int_equal(run.p[i], at->number & 255);
                last = at->number;
                n++;
                run = span_cut(run, (at->n + 7) & ~7u, run.n);
            }
        }
    }
    return n;
}

static void items_come_out_by_bin_and_in_order(void **state)
{
    struct catbins b = {0};
    uint64_t random = 1;
    (void)state;
    assert_int_equal(check(&b, 1, 0), 0);
    for (uint32_t i = 0; i < 100000; i++)
        put(&b, i, &random);
    assert_int_equal(check(&b, 1, 0), 100000);
    catbins_fini(&b);
    assert_int_equal(check(&b, 1, 0), 0);
}

static void what_came_after_a_mark_can_be_taken_out(void **state)
{
    static const uint32_t marks[] = {0, 1, 300, 20000};
    static struct catbins_mark m;
    (void)state;
    for (size_t k = 0; k < N_ELEMS(marks); k++) {
        struct catbins b = {0};
        uint64_t random = 1;
        for (uint32_t i = 0; i < marks[k]; i++)
            put(&b, i, &random);
        uint64_t at_mark = random;
        catbins_mark(&b, &m);
        for (uint32_t i = marks[k]; i < 60000; i++)
            put(&b, i, &random);
        catbins_back(&b, &m);
        assert_int_equal(check(&b, 1, 0), marks[k]);
        random = at_mark;
        for (uint32_t i = marks[k]; i < 60000; i++)
            put(&b, i, &random);
        assert_int_equal(check(&b, 1, 0), 60000);
        catbins_fini(&b);
    }
}

static void memory_that_was_used_before_is_used_again(void **state)
{
    struct catbins b = {0};
    struct buf large = {0}, small = {0};
    uint64_t random = 1;
    (void)state;
    assert_int_equal(buf_reserve(&large, 300000), RC_OK);
    const uint8_t *from = large.p, *to = from + 300000;
    large.w = 300000;
    assert_int_equal(buf_put(&small, SPAN("few")), RC_OK);
    catbins_give(&b, &large);
    catbins_give(&b, &small);
    catbins_give(&b, &small);
    assert_true(large.p == NULL && small.p == NULL);
    struct item *first = catbins_add(&b, 0, sizeof *first);
    assert_true((uint8_t *)first >= from && (uint8_t *)(first + 1) <= to);
    *first = (struct item){0, sizeof *first};
    next(&random);
    for (uint32_t i = 1; i < 50000; i++)
        put(&b, i, &random);
    catbins_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_by_bin_and_in_order),
        cmocka_unit_test(what_came_after_a_mark_can_be_taken_out),
        cmocka_unit_test(memory_that_was_used_before_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
