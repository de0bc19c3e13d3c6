/* tests/policy: every NAME.policy is compiled; what is said about it must be NAME.want to the letter. The
 * last line of a .want is the result. A new case is two files. With UPDATE_WANT=1 in the environment the
 * .want files are written anew, for a person to read the difference. */
#include "tests/unit/policy/snap_help.h"

#include <glob.h>
#include <unistd.h>

#include "gw/base/obj.h"

static enum rc read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return RC_NOTFOUND;
    for (;;) {
        assert_int_equal(buf_reserve(out, 4096), RC_OK);
        size_t n = fread(out->p + out->w, 1, 4096, f);
        out->w += n;
        if (n == 0)
            break;
    }
    fclose(f);
    return RC_OK;
}

static void want_path(const char *policy, char out[256])
{
    snprintf(out, 256, "%.*s.want", (int)(strlen(policy) - strlen(".policy")), policy);
}

static void write_want(const char *path, span text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
}

/* `state` is the file's name. A first line "# print" asks for the normal form too. */
static void one_policy(void **state)
{
    const char *path = *state;
    char want_file[256];
    struct buf got = {0}, want = {0}, text = {0};
    int fds[SNAP_PARTS];
    uint8_t hash[SNAP_HASH];
    assert_int_equal(read_file(path, &text), RC_OK);
    struct compile_opts opts = {.check_only = true,
                                .time_s = 1790000000,
                                .print = span_has_prefix(buf_span(&text), SPAN("# print\n"))};
    enum rc rc = policy_compile(path, &opts, fds, hash, &got);
    assert_int_equal(fds[0], -1);
    assert_int_equal(fds[1], -1);
    assert_int_equal(buf_printf(&got, "%s\n", rc_name(rc)), RC_OK);
    want_path(path, want_file);
    if (getenv("UPDATE_WANT"))
        write_want(want_file, buf_span(&got));
    assert_int_equal(read_file(want_file, &want), RC_OK);
    if (!span_eq(buf_span(&got), buf_span(&want)))
        print_error("%s says:\n%.*s", path, (int)buf_len(&got), (const char *)got.p);
    assert_true(span_eq(buf_span(&got), buf_span(&want)));
    buf_fini(&got);
    buf_fini(&want);
    buf_fini(&text);
}

int main(void)
{
    static struct CMUnitTest tests[256];
    glob_t found = {0};
    size_t n = 0;
    if (chdir("tests/policy") != 0 || glob("*.policy", 0, NULL, &found) != 0 ||
        found.gl_pathc > N_ELEMS(tests)) {
        fprintf(stderr, "run this in the root of the tree\n");
        return 1;
    }
    for (; n < found.gl_pathc; n++)
        tests[n] = (struct CMUnitTest){
            .name = found.gl_pathv[n], .test_func = one_policy, .initial_state = found.gl_pathv[n]};
    int failed = _cmocka_run_group_tests("texts", tests, n, NULL, NULL);
    globfree(&found);
    return failed;
}
