/* What is said of each rule of a policy that has one of every kind, with the example of a flow, beside
 * tests/policy/reach/examples.want. UPDATE_WANT=1 writes that anew. */
#include "policy/reach.h"

#include "tests/unit/policy/snap_help.h"

#define POLICY "tests/policy/reach/examples.policy"
#define WANT   "tests/policy/reach/examples.want"

static struct buf got;

static void say_by(const struct reach_of *of)
{
    assert_int_equal(buf_printf(&got, "%s%s", of->gate ? " stopped before" : "", of->later ? " behind" : ""),
                     RC_OK);
    for (uint32_t i = 0; i < of->n_by && i < REACH_BY_MOST; i++)
        assert_int_equal(buf_printf(&got, " %u", of->by[i]->pos.line), RC_OK);
}

/* Asked about one rule alone, it says the same of that one. */
struct alone {
    struct tree *tree;
    const struct snapshot *snap;
    unsigned n;
};

static void same_alone(void *arg, const struct rule *r, const struct reach_of *of)
{
    struct alone *a = arg;
    struct reach_of one;
    assert_true(reach_one(a->tree, a->snap, 1790000000, r, &one));
    assert_int_equal(one.how, of->how);
    assert_int_equal(one.number, of->number);
    assert_null(one.facts);
    a->n++;
}

static void each(void *arg, const struct rule *r, const struct reach_of *of)
{
    static const char *const how[] = {"decides:", "never reached:", "never matches", "unsettled"};
    const struct snapshot *snap = *(const struct snapshot *const *)arg;
    assert_int_equal(buf_printf(&got, "%u %s", r->pos.line, how[of->how]), RC_OK);
    if (of->how == REACH_YES) {
        assert_int_equal(buf_put_u8(&got, ' '), RC_OK);
        assert_int_equal(reach_example(snap, of->facts, &got), RC_OK);
    }
    if (of->how == REACH_NO)
        say_by(of);
    if (of->how == REACH_NEVER)
        assert_int_equal(buf_printf(&got, "%s%s", of->no_ca ? ", no CA" : "", of->no_time ? ", no time" : ""),
                         RC_OK);
    assert_int_equal(buf_put_u8(&got, '\n'), RC_OK);
}

static void built(void *arg, struct tree *tree, const struct snapshot *snap)
{
    struct alone alone = {tree, snap, 0};
    (void)arg;
    assert_true(reach_all(tree, snap, 1790000000, each, (void *)&snap));
    assert_true(reach_all(tree, snap, 1790000000, same_alone, &alone));
    assert_int_equal(alone.n, snapshot_n_rules(snap));
}

static void read_want(struct buf *b)
{
    char part[4096];
    FILE *f = fopen(WANT, getenv("UPDATE_WANT") ? "w+" : "r");
    assert_non_null(f);
    if (getenv("UPDATE_WANT")) {
        assert_int_equal(fwrite(got.p, 1, buf_len(&got), f), buf_len(&got));
        rewind(f);
    }
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        assert_int_equal(buf_put(b, span_of(part, n)), RC_OK);
    fclose(f);
}

static void examples(void **state)
{
    struct buf want = {0}, diag = {0};
    struct compile_opts opts = {.time_s = 1790000000, .check_only = true, .built = built};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    (void)state;
    enum rc rc = policy_compile(POLICY, &opts, fds, hash, &diag);
    if (rc != RC_OK)
        print_error("%.*s", (int)buf_len(&diag), (const char *)diag.p);
    assert_int_equal(rc, RC_OK);
    read_want(&want);
    if (!span_eq(buf_span(&got), buf_span(&want)))
        print_error("it says:\n%.*s", (int)buf_len(&got), (const char *)got.p);
    assert_true(span_eq(buf_span(&got), buf_span(&want)));
    buf_fini(&want);
    buf_fini(&diag);
    buf_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
