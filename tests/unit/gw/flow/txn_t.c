/* What an exchange borrowed is not used behind its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gw/flow/txn.h"

#include "gw/base/obj.h"
#include "gw/flow/change.h"
#include "policy/decide.h"

/* A verdict that sets X-House, kept as judge_request() keeps it. */
static void allow_with_header(struct txn *t)
{
    const struct verdict_mod mod = {.kind = MOD_HEADER, .value = SPAN("X-House: 7")};
    span kept = arena_dup(&t->arena, span_of(&mod, sizeof mod));
    t->verdict = (struct judged){.made = true, .n_mods = 1, .mods = (const void *)kept.p};
}

static void late_trailers_meet_no_rule(void **state)
{
    struct txn t;
    struct field fields[] = {{.name = SPAN("x-house"), .value = SPAN("8")},
                             {.name = SPAN("x-sum"), .value = SPAN("1")}};
    (void)state;
    txn_init(&t, NULL, NULL);
    allow_with_header(&t);
    assert_int_equal(change_trailers(&t, fields, N_ELEMS(fields)), 1);
    assert_true(span_eq(fields[0].name, SPAN("x-sum")));
    txn_fini(&t);
    assert_int_equal(t.verdict.n_mods, 0);
    assert_null(t.verdict.mods);
    assert_int_equal(change_trailers(&t, fields, N_ELEMS(fields)), N_ELEMS(fields));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_trailers_meet_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
