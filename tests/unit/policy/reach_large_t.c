/* How many steps the proof takes of policies of one shape: with twice the rules hardly more than twice as
 * many. Steps are counted, not seconds. */
#include "policy/reach.h"

#include "gw/base/obj.h"
#include "tests/unit/policy/snap_help.h"

static struct buf text;

static void put(const char *s)
{
    assert_int_equal(buf_put_str(&text, s), RC_OK);
}

/* One rule after the other, or one rule in each of two blocks. */
struct shape {
    const char *name, *head, *before, *between, *behind; /* with %u for the number */
    const char *rule, *second;                           /* `second`: of the second block */
};
static const struct shape SHAPES[] = {
    {"names", "", "web {\n", "", " allow any\n}\n", " block domain \"h%u.example\"\n", NULL},
    {"names under one", "", "web {\n block domain \"example\"\n", "", " allow any\n}\n",
     " block domain \"h%u.example\"\n", NULL},
    {"paths", "", "web {\n", "", " allow any\n}\n", " block domain \"a.example\" path \"/p%u\"\n", NULL},
    {"ports", "", "firewall {\n", "", " allow any\n}\n", " block tcp %u\n", NULL},
    {"a group each", "group g%u user \"u%u\"\n", "web {\n", "", " allow any\n}\n",
     " block category c for g%u\n", NULL},
    {"exempt, blocked before", "", "tls {\n", "}\nweb {\n", " allow any\n}\n",
     " exempt domain \"h%u.example\"\n", " block domain \"h%u.example\"\n"},
    {"inspected, blocked", "", "tls {\n", "}\nweb {\n", " allow any\n}\n",
     " inspect domain \"h%u.example\"\n", " block domain \"h%u.example\" method POST\n"},
    {"blocked by the firewall", "", "firewall {\n", " allow any\n}\nweb {\n", " allow any\n}\n",
     " block to network 50.0.%u.0/28\n", " block to network 50.0.%u.0/28\n"},
    {"content of what is blocked", "", "web {\n", " allow any\n}\ncontent {\n", "}\n",
     " block domain \"h%u.example\"\n", " block domain \"h%u.example\" type executable\n"},
    {"set for what no rule allows", "", "web {\n", "", "}\n", " set safe-search domain \"h%u.example\"\n",
     " allow domain \"g%u.example\"\n"},
    {"set for a network each", "", "web {\n", "", "}\n", " set safe-search category c from 10.0.%u.0/28\n",
     " allow domain \"g%u.example\"\n"},
};

static void many(const char *line, unsigned n)
{
    char out[160];
    for (unsigned i = 0; i < n && line; i++) {
        snprintf(out, sizeof out, line, i + 1, i + 1);
        put(out);
    }
}

struct sum {
    uint64_t steps;
    unsigned rules, unsettled;
};

static void each(void *arg, const struct rule *r, const struct reach_of *of)
{
    struct sum *s = arg;
    (void)r;
    s->steps += of->steps;
    s->rules++;
    s->unsettled += of->how == REACH_UNSETTLED;
}

static void built(void *arg, struct tree *tree, const struct snapshot *snap)
{
    assert_true(reach_all(tree, snap, 1790000000, each, arg));
}

static struct sum steps_of(const struct shape *s, unsigned n)
{
    static struct compiled c;
    struct sum sum = {0};
    struct compile_opts opts = {.time_s = 1790000000, .check_only = true, .built = built, .arg = &sum};
    buf_clear(&text);
    put("zone internet\nzone lan network 10.0.0.0/8\ncategory c domain \"c.test\"\n");
    if (s->head[0])
        many(s->head, n);
    put(s->before);
    many(s->rule, n);
    put(s->between);
    many(s->second, n);
    put(s->behind);
    compile_bytes(buf_span(&text), &opts, &c);
    if (c.rc != RC_OK)
        print_error("%s: %s", s->name, c.diag);
    assert_int_equal(c.rc, RC_OK);
    return sum;
}

static void twice_the_rules_twice_the_steps(void **state)
{
    enum { N = 125 };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(SHAPES); i++) {
        struct sum one = steps_of(&SHAPES[i], N), two = steps_of(&SHAPES[i], 2 * N);
        print_message("%-28s %u rules %lu steps, %u rules %lu\n", SHAPES[i].name, one.rules,
                      (unsigned long)one.steps, two.rules, (unsigned long)two.steps);
        assert_true(one.steps > one.rules && two.steps < one.steps * 3);
        assert_int_equal(one.unsettled + two.unsettled, 0);
    }
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(twice_the_rules_twice_the_steps)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
