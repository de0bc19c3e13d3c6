/* The normal form is itself a policy: it compiles without a word, to the same decisions and to the same
 * normal form. */
#include "policy/normal.h"

#include "tests/unit/policy/snap_help.h"

static const char WRITTEN[] =
    "listen transparent port 3129\nlisten explicit 10.0.0.1:3128\nlisten explicit [fd00::1]:3128\nlisten "
    "explicit :8080\n"
    "resolver 10.0.0.53,\n fd00::53\nworkers 3\nprivate-destinations allow\npool shared\ndivert tcp 80, "
    "8443\ncrl "
    "\"http://crl.test/x\"\n"
    "help telephone \"04/1\" mail \"a@b.test\"\ntrust \"/etc/ssl/certs/ca-certificates.crt\"\n" ZONES
    "host dns 10.0.0.53, fd00::53\nservice web tcp 80, 8000-8100 udp 443\n"
    "group staff network 10.1.0.0/16 user \"jean \\\"le grand\\\" \\\\\"\nuser \"anne\" address 10.0.0.7\n"
    "category c domain \"C.Test.\", \"*.d.test\" except domain \"x.c.test\"\n"
    "tls { exempt category c reason \"a \\\"b\\\"\" log\n allow certificate expired for staff, user "
    "\"anne\"\n inspect any }\n"
    "web { block any for staff to host dns  # not now\n block service web, web\n allow any }\n"
    "on journal-full block for staff allow from guests\non gateway-down open\n"
    "expect allow from lan at 2026-11-24 10:00 get \"https://a.test/\"\n";

static void print(const char *text, struct compiled *out)
{
    struct compile_opts opts = {.time_s = 1, .print = true};
    compile_bytes(span_str(text), &opts, out);
    if (out->rc != RC_OK)
        print_error("%s", out->diag);
    assert_int_equal(out->rc, RC_OK);
}

static void the_normal_form_is_a_fixed_point(void **state)
{
    static struct compiled a, b, c;
    (void)state;
    print(WRITTEN, &a);
    print(a.diag, &b);
    print(b.diag, &c);
    assert_string_equal(a.diag, b.diag);
    assert_string_equal(b.diag, c.diag);
    compiled_close(&a);
    compiled_close(&b);
    compiled_close(&c);
}

static void the_normal_form_means_the_same(void **state)
{
    static struct compiled a, b;
    struct snapshot *s, *t;
    (void)state;
    print(WRITTEN, &a);
    print(a.diag, &b);
    assert_int_equal(snapshot_open(a.fds, a.hash, &s), RC_OK);
    assert_int_equal(snapshot_open(b.fds, b.hash, &t), RC_OK);
    const struct settings *x = snapshot_settings(s), *y = snapshot_settings(t);
    assert_int_equal(x->n_listen, y->n_listen);
    assert_memory_equal(x->listen, y->listen, sizeof x->listen);
    assert_memory_equal(x->resolver, y->resolver, sizeof x->resolver);
    assert_memory_equal(x->port, y->port, sizeof x->port);
    assert_int_equal(x->workers, y->workers);
    assert_int_equal(x->private_block, y->private_block);
    assert_int_equal(snapshot_n_rules(s), snapshot_n_rules(t));
    for (uint32_t i = 0; i < snapshot_n_rules(s); i++)
        assert_true(span_eq(snapshot_rule(s, i).reason, snapshot_rule(t, i).reason));
    snapshot_put(s);
    snapshot_put(t);
    compiled_close(&a);
    compiled_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_normal_form_is_a_fixed_point),
        cmocka_unit_test(the_normal_form_means_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
