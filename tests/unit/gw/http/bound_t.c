/* Which heads bind a connection to its client. */
#include "gw/http/bound.h"

#include "tests/unit/certs/make_cert.h"

static struct msg m;

static bool bound(const char *name, const char *value)
{
    msg_reset(&m);
    m.fields[0] = (struct field){SPAN("accept"), SPAN("ntlm, negotiate")};
    m.fields[1] = (struct field){span_str(name), span_str(value)};
    m.n_fields = 2;
    return bound_to_connection(&m);
}

static void schemes_of_a_connection_bind_it(void **state)
{
    (void)state;
    assert_true(bound("Authorization", "NTLM TlRMTVNTUAABAAAA"));
    assert_true(bound("authorization", "negotiate YIIJvw"));
    assert_true(bound("WWW-Authenticate", "Negotiate"));
    assert_true(bound("WWW-Authenticate", "Basic realm=\"x\", NTLM"));
    assert_true(bound("Proxy-Authorization", "ntlm abc"));
    assert_true(bound("Proxy-Authenticate", "nTlM"));
}

static void others_do_not(void **state)
{
    (void)state;
    assert_false(bound("Authorization", "Basic bnRsbTpu"));
    assert_false(bound("Authorization", "Bearer abc"));
    assert_false(bound("WWW-Authenticate", "Digest realm=\"x\""));
    assert_false(bound("WWW-Authenticate", ""));
    assert_false(bound("X-Authorization", "NTLM abc"));
    msg_reset(&m);
    m.n_fields = 0;
    assert_false(bound_to_connection(&m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes_of_a_connection_bind_it),
        cmocka_unit_test(others_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
