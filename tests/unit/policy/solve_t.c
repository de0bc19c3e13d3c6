/* Sets of ranges beside bit sets, and the solver beside trying every choice. Drawn at random, seeded. */
#include "policy/cover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed;
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

enum { WIDE = 24 };

static const struct iset *from_bits(struct arena *mem, uint32_t bits)
{
    uint32_t v[WIDE], n = 0;
    for (uint32_t i = WIDE; i-- > 0;) { /* not in order */
        if (bits >> i & 1)
            v[n++] = i;
    }
    return iset_of(mem, v, n);
}

/* The bits, and that ranges are sorted, apart, and not empty. */
static uint32_t to_bits(const struct iset *s)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        assert_true(s->v[i].lo < s->v[i].hi && s->v[i].hi <= WIDE);
        assert_true(i == 0 || s->v[i - 1].hi < s->v[i].lo);
        for (uint32_t k = s->v[i].lo; k < s->v[i].hi; k++)
            bits |= UINT32_C(1) << k;
    }
    return bits;
}

static void sets_without_memory_and_empty_ones(void **state)
{
    struct arena none, mem;
    (void)state;
    arena_init(&none, 0);
    arena_init(&mem, 1 << 20);
    const struct iset *a = iset_range(&mem, 3, 5), *empty = iset_range(&mem, 5, 5);
    assert_null(iset_range(&none, 0, 1));
    assert_null(iset_of(&none, (uint32_t[]){1}, 1));
    assert_null(iset_and(&none, a, a));
    assert_null(iset_or(&mem, a, NULL));
    assert_null(iset_minus(&mem, NULL, a));
    assert_null(iset_and(&mem, NULL, a));
    assert_int_equal(empty->n, 0);
    assert_int_equal(iset_range(&mem, 6, 5)->n, 0);
    assert_int_equal(iset_meet(empty, a), 0);
    assert_int_equal(iset_meet(a, empty), ISET_OUT);
    assert_false(iset_has(empty, 5));
    assert_int_equal(iset_or(&mem, empty, a)->n, 1);
    assert_int_equal(iset_minus(&mem, a, a)->n, 0);
    arena_fini(&mem);
    arena_fini(&none);
}

static void sets_beside_bits(void **state)
{
    struct arena mem;
    uint32_t all = (UINT32_C(1) << WIDE) - 1;
    (void)state;
    arena_init(&mem, 1 << 26);
    for (seed = 1; seed < 3000; seed++) {
        uint64_t keep = seed;
        uint32_t x = draw(1 << 30) & draw(1 << 30) & all, y = (draw(1 << 30) | draw(1 << 30)) & all;
        if (draw(2))
            y = draw(1 << 30) & all;
        const struct iset *a = from_bits(&mem, x), *b = from_bits(&mem, y);
        assert_int_equal(to_bits(a), x);
        assert_int_equal(to_bits(iset_and(&mem, a, b)), x & y);
        assert_int_equal(to_bits(iset_or(&mem, a, b)), x | y);
        assert_int_equal(to_bits(iset_minus(&mem, a, b)), x & ~y);
        assert_int_equal(iset_meet(a, b), (x & y ? ISET_IN : 0) | (x & ~y ? ISET_OUT : 0));
        for (uint32_t i = 0; i < WIDE; i++)
            assert_int_equal(iset_has(a, i), x >> i & 1);
        seed = keep;
    }
    arena_fini(&mem);
}

/* ---- formulas ---- */

enum { VARS = 4, CLASSES = 3, CHOICES = 81 };

static const struct formula *draw_formula(struct arena *mem, unsigned depth);

/* Some of a list of formulas as further parts. */
static void draw_cover(struct arena *mem, struct formula *f, unsigned depth)
{
    const struct formula **list = arena_alloc(mem, 12 * sizeof(*list));
    const struct iset *all[VARS];
    uint32_t n = draw(12);
    for (unsigned i = 0; i < VARS; i++)
        all[i] = iset_range(mem, 0, CLASSES);
    for (uint32_t i = 0; i < n; i++)
        list[i] = draw_formula(mem, depth - 1);
    f->more = cover_make(mem, list, n, all);
    assert_non_null(f->more);
    f->from = draw(n + 1);
    f->to = f->from + draw(n - f->from + 1);
}

static const struct formula *draw_formula(struct arena *mem, unsigned depth)
{
    struct formula *f = arena_alloc(mem, sizeof *f);
    unsigned kind = depth ? draw(6) : 0;
    if (kind < 2) {
        *f = (struct formula){.kind = F_IN, .var = draw(VARS), .set = from_bits(mem, draw(1 << CLASSES))};
        return f;
    }
    uint32_t n = kind == 4 ? 1 : draw(4);
    *f = (struct formula){.kind = kind == 2 ? F_AND : kind == 4 ? F_NOT : F_OR, .n = n};
    f->part = arena_alloc(mem, (n + 1) * sizeof(*f->part));
    for (uint32_t i = 0; i < n; i++)
        f->part[i] = draw_formula(mem, depth - 1);
    if (kind == 5)
        draw_cover(mem, f, depth);
    return f;
}

static bool holds(const struct formula *f, const uint32_t *choice)
{
    if (f->kind == F_IN)
        return iset_has(f->set, choice[f->var]);
    if (f->kind == F_NOT)
        return !holds(f->part[0], choice);
    for (uint32_t i = 0; i < f->n; i++) {
        if (holds(f->part[i], choice) == (f->kind == F_OR))
            return f->kind == F_OR;
    }
    for (uint32_t i = f->from; i < f->to; i++) {
        if (holds(f->more->f[i], choice))
            return true;
    }
    return f->kind == F_AND;
}

static bool all_hold(const struct goal *g, const uint32_t *choice)
{
    for (; g; g = g->next) {
        if (holds(g->f, choice) != g->want)
            return false;
    }
    return true;
}

static void choice_of(unsigned n, uint32_t choice[VARS])
{
    for (unsigned i = 0; i < VARS; i++, n /= CLASSES)
        choice[i] = n % CLASSES;
}

/* The answer, and that every choice from what is left of the domains will do. */
static void one_problem(struct arena *mem, const struct goal *goals, const struct iset *const *given,
                        unsigned *yes)
{
    const struct iset *dom[VARS];
    uint32_t choice[VARS];
    bool any = false;
    memcpy(dom, given, sizeof dom);
    struct solver s = {.mem = mem, .dom = dom, .n_vars = VARS, .budget = 1000000};
    enum sat said = solve(&s, goals);
    for (unsigned n = 0; n < CHOICES; n++) {
        bool in = true, left = true;
        choice_of(n, choice);
        for (unsigned i = 0; i < VARS; i++) {
            in = in && iset_has(given[i], choice[i]);
            left = left && iset_has(dom[i], choice[i]);
        }
        any = any || (in && all_hold(goals, choice));
        if (said == SAT_YES && left)
            assert_true(in && all_hold(goals, choice));
    }
    assert_int_equal(said, any ? SAT_YES : SAT_NO);
    for (unsigned i = 0; i < VARS; i++)
        assert_true(said == SAT_YES ? dom[i]->n > 0 : dom[i] == given[i]);
    *yes += any;
}

static void answers_beside_every_choice(void **state)
{
    struct arena mem;
    unsigned yes = 0, n = 0;
    (void)state;
    arena_init(&mem, 1 << 26);
    for (seed = 1; seed < 4000; seed++, n++) {
        uint64_t keep = seed;
        struct goal goals[6];
        const struct iset *dom[VARS];
        unsigned n_goals = 1 + draw(6);
        for (unsigned i = 0; i < n_goals; i++)
            goals[i] = (struct goal){draw_formula(&mem, 3), draw(2), i + 1 < n_goals ? &goals[i + 1] : NULL};
        for (unsigned i = 0; i < VARS; i++)
            dom[i] = from_bits(&mem, draw(4) ? 7 : 1 + draw(7));
        one_problem(&mem, goals, dom, &yes);
        arena_reset(&mem);
        seed = keep;
    }
    assert_true(yes > n / 5 && yes < n * 4 / 5);
    arena_fini(&mem);
}

/* What runs out is unsettled, never "no"; the domains are then as they were. */
static void out_of_steps_or_memory(void **state)
{
    struct arena mem, little;
    (void)state;
    arena_init(&mem, 1 << 26);
    unsigned unsettled = 0;
    for (seed = 1; seed < 12000; seed++) {
        uint64_t keep = seed;
        struct goal goals[3];
        const struct iset *given[VARS], *dom[VARS];
        uint32_t choice[VARS];
        bool any = false;
        for (unsigned i = 0; i < 3; i++)
            goals[i] = (struct goal){draw_formula(&mem, 4), draw(2), i < 2 ? &goals[i + 1] : NULL};
        for (unsigned i = 0; i < VARS; i++)
            given[i] = from_bits(&mem, 7);
        for (unsigned n = 0; n < CHOICES; n++) {
            choice_of(n, choice);
            any = any || all_hold(goals, choice);
        }
        for (unsigned steps = 0; steps < 60; steps++) { /* one draw has little memory instead */
            memcpy(dom, given, sizeof dom);
            arena_init(&little, steps ? 1 << 20 : draw(600));
            struct solver s = {.mem = &little, .dom = dom, .n_vars = VARS, .budget = steps ? steps : 1000000};
            enum sat said = solve(&s, goals);
            assert_true(said == SAT_UNSETTLED || said == (any ? SAT_YES : SAT_NO));
            unsettled += said == SAT_UNSETTLED;
            for (unsigned i = 0; i < VARS && said == SAT_UNSETTLED; i++)
                assert_ptr_equal(dom[i], given[i]);
            arena_fini(&little);
        }
        arena_reset(&mem);
        seed = keep;
    }
    assert_true(unsettled > 20);
    arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_without_memory_and_empty_ones), cmocka_unit_test(sets_beside_bits),
        cmocka_unit_test(out_of_steps_or_memory), cmocka_unit_test(answers_beside_every_choice)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
