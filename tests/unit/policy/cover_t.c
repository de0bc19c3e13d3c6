/* What a cover picks of a list of formulas beside a look at each: nothing that may hold is left out, and of
 * many that ask for a class each hardly any but the one is looked at. Drawn at random, seeded. */
#include "policy/cover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t seed;
static unsigned draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

enum { VARS = 3, CLASSES = 300, FORMULAS = 40 };

static const struct iset *draw_set(struct arena *mem, unsigned ranges)
{
    const struct iset *out = iset_range(mem, 0, 0);
    for (unsigned i = 0; i < ranges; i++) {
        uint32_t lo = draw(4) ? draw(CLASSES) : draw(2) * (CLASSES - 1);
        uint32_t hi = draw(2) ? lo + 1 : lo + 1 + draw(draw(3) ? 5 : CLASSES);
        out = iset_or(mem, out, iset_range(mem, lo, hi < CLASSES ? hi : CLASSES));
    }
    return out;
}

static const struct formula *draw_formula(struct arena *mem, unsigned depth)
{
    struct formula *f = arena_alloc(mem, sizeof *f);
    unsigned kind = depth ? draw(8) : 0;
    *f = (struct formula){.kind = F_IN, .var = draw(VARS), .set = draw_set(mem, draw(20) ? draw(3) : 200)};
    if (kind < 2)
        return f;
    *f = (struct formula){.kind = kind < 5 ? F_AND : kind < 7 ? F_OR : F_NOT};
    f->n = f->kind == F_NOT ? 1 : draw(10) ? draw(4) : 12;
    f->part = arena_alloc(mem, (f->n + 1) * sizeof(*f->part));
    for (uint32_t i = 0; i < f->n; i++)
        f->part[i] = draw_formula(mem, depth - 1);
    return f;
}

static bool has(const struct picked *p, uint32_t f)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if (picked_at(p, i) == f)
            return true;
    }
    return false;
}

/* In order, and of those asked about. */
static void in_order(const struct picked *p, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < p->n; i++) {
        assert_true(picked_at(p, i) >= from && picked_at(p, i) < to);
        assert_true(i == 0 || picked_at(p, i) > picked_at(p, i - 1));
    }
}

static unsigned n_may, n_left; /* formulas that may hold; those that were picked without need */

static void ask(struct arena *mem, struct cover *c, const struct iset *const *all)
{
    const struct iset *dom[VARS], *one[VARS];
    uint32_t choice[VARS], from = draw(FORMULAS + 1), to = from + draw(FORMULAS - from + 1);
    for (unsigned i = 0; i < VARS; i++) {
        do
            dom[i] = draw(3) ? draw_set(mem, 1 + draw(3)) : all[i];
        while (dom[i]->n == 0);
        choice[i] = dom[i]->v[0].lo;
        one[i] = iset_range(mem, choice[i], choice[i] + 1);
    }
    struct solver s = {.mem = mem, .dom = dom, .n_vars = VARS};
    struct picked may = cover_may(c, dom, from, to);
    in_order(&may, from, to);
    for (uint32_t f = from; f < to; f++) {
        bool is = solve_eval(&s, c->f[f]) != T_FALSE;
        assert_true(!is || has(&may, f));
        n_may += is;
        n_left += !is && may.v && has(&may, f);
    }
    struct picked sure = cover_sure(c, dom, from, to);
    in_order(&sure, from, to);
    for (uint32_t f = from; f < to; f++)
        assert_true(solve_eval(&s, c->f[f]) != T_TRUE || has(&sure, f));
    struct picked of = cover_of(c, choice, from, to);
    in_order(&of, from, to);
    s.dom = one;
    for (uint32_t f = from; f < to; f++)
        assert_true(solve_eval(&s, c->f[f]) != T_TRUE || has(&of, f));
}

static void picks_beside_a_look_at_each(void **state)
{
    struct arena mem;
    (void)state;
    arena_init(&mem, 1 << 26);
    for (seed = 1; seed < 400; seed++) {
        uint64_t keep = seed;
        const struct formula *f[FORMULAS];
        const struct iset *all[VARS];
        for (unsigned i = 0; i < VARS; i++)
            all[i] = draw(2) ? iset_range(&mem, 0, CLASSES) : iset_range(&mem, draw(2), CLASSES);
        for (unsigned i = 0; i < FORMULAS; i++)
            f[i] = draw_formula(&mem, 2);
        struct cover *c = cover_make(&mem, f, FORMULAS, all);
        assert_non_null(c);
        for (unsigned i = 0; i < 20; i++)
            ask(&mem, c, all);
        arena_reset(&mem);
        seed = keep;
    }
    assert_true(n_may > 10000 && n_left < n_may / 2);
    arena_fini(&mem);
}

/* A thousand formulas, with a class each and what most of them have in common. */
static void one_of_many(void **state)
{
    enum { MANY = 1000 };
    static const struct formula *f[MANY];
    struct arena mem;
    (void)state;
    arena_init(&mem, 1 << 26);
    const struct iset *all[VARS] = {iset_range(&mem, 0, MANY), iset_range(&mem, 0, 2),
                                    iset_range(&mem, 0, 2)};
    const struct iset *yes = iset_range(&mem, 1, 2);
    struct formula common = {.kind = F_IN, .var = 1, .set = yes};
    for (uint32_t i = 0; i < MANY; i++) {
        struct formula *own = arena_alloc(&mem, sizeof *own), *both = arena_alloc(&mem, sizeof *both);
        *own = (struct formula){.kind = F_IN, .var = 0, .set = iset_range(&mem, i, i + 1)};
        *both = (struct formula){.kind = F_AND, .n = 2, .part = arena_alloc(&mem, 2 * sizeof own)};
        both->part[0] = &common;
        both->part[1] = own;
        f[i] = both;
    }
    struct cover *c = cover_make(&mem, f, MANY, all);
    assert_non_null(c);
    const struct iset *dom[VARS] = {iset_range(&mem, 700, 701), all[1], yes};
    struct picked p = cover_may(c, dom, 0, MANY);
    assert_true(p.n == 1 && picked_at(&p, 0) == 700);
    assert_int_equal(cover_may(c, dom, 0, 700).n, 0);
    assert_int_equal(cover_may(c, dom, 701, MANY).n, 0);
    assert_int_equal(cover_may(c, dom, 700, 701).n, 1);
    p = cover_sure(c, dom, 0, MANY);
    assert_true(p.n == 1 && picked_at(&p, 0) == 700);
    p = cover_of(c, (const uint32_t[]){999, 1, 1}, 0, MANY);
    assert_true(p.n == 1 && picked_at(&p, 0) == 999);
    dom[0] = iset_range(&mem, 10, 20);
    assert_int_equal(cover_may(c, dom, 0, MANY).n, 10);
    assert_int_equal(cover_sure(c, all, 1, MANY).n, 0);
    p = cover_may(c, all, 5, MANY); /* all of them, without a list */
    assert_true(p.n == MANY - 5 && !p.v && picked_at(&p, 0) == 5);
    arena_fini(&mem);
}

/* A domain of many pieces is not taken apart: all that ask for its variable are looked at. */
static void wide_domains(void **state)
{
    enum { SOME = 200, OTHERS = 600 };
    static const struct formula *f[SOME + OTHERS];
    static struct formula own[SOME + OTHERS];
    struct arena mem;
    (void)state;
    arena_init(&mem, 1 << 26);
    const struct iset *all[VARS] = {iset_range(&mem, 0, SOME), iset_range(&mem, 0, OTHERS),
                                    iset_range(&mem, 0, 2)};
    for (uint32_t i = 0; i < SOME + OTHERS; i++) {
        uint32_t var = i >= SOME, class = var ? i - SOME : i;
        own[i] = (struct formula){.kind = F_IN, .var = var, .set = iset_range(&mem, class, class + 1)};
        f[i] = &own[i];
    }
    struct cover *c = cover_make(&mem, f, SOME + OTHERS, all);
    assert_non_null(c);
    const struct iset *dom[VARS] = {iset_range(&mem, 0, 64), iset_range(&mem, 7, 8), all[2]};
    struct picked p = cover_may(c, dom, 0, SOME + OTHERS);
    assert_true(p.v && p.n == 65 && picked_at(&p, 63) == 63 && picked_at(&p, 64) == SOME + 7);
    dom[0] = iset_range(&mem, 0, 65);
    assert_int_equal(cover_may(c, dom, 0, SOME + OTHERS).n, SOME + 1);
    uint32_t even[SOME / 2];
    for (uint32_t i = 0; i < SOME / 2; i++)
        even[i] = 2 * i;
    dom[0] = iset_of(&mem, even, 64);
    assert_int_equal(cover_may(c, dom, 0, SOME + OTHERS).n, 65);
    dom[0] = iset_of(&mem, even, SOME / 2);
    assert_int_equal(cover_may(c, dom, 0, SOME + OTHERS).n, SOME + 1);
    assert_int_equal(cover_may(c, dom, SOME + 7, SOME + OTHERS).n, 1);
    arena_fini(&mem);
}

static void without_memory(void **state)
{
    (void)state;
    const struct iset *all[VARS];
    struct arena mem, little;
    arena_init(&mem, 1 << 20);
    for (unsigned i = 0; i < VARS; i++)
        all[i] = iset_range(&mem, 0, CLASSES);
    const struct formula *f[2] = {draw_formula(&mem, 0), draw_formula(&mem, 0)};
    unsigned made = 0;
    for (size_t room = 0; room < 2000; room += 16) {
        arena_init(&little, room);
        made += cover_make(&little, f, 2, all) != NULL;
        arena_fini(&little);
    }
    assert_true(made > 10 && made < 120);
    arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(picks_beside_a_look_at_each),
                                       cmocka_unit_test(one_of_many), cmocka_unit_test(wide_domains),
                                       cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
