/* The fence in front of every dial (threats.md rows 80, 99, 113, 141): a table of addresses and what becomes
 * of each, under four policies. */
#include "gw/net/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gw/base/obj.h"

static struct addr at(const char *text)
{
    struct addr a;
    if (!addr_parse(span_str(text), &a))
        fail_msg("%s is no address", text);
    return a;
}

static struct prefix net(const char *text)
{
    struct prefix p;
    if (!prefix_parse(span_str(text), &p))
        fail_msg("%s is no network", text);
    return p;
}

static void expect(const struct fence_rules *r, const char *text, enum fence want)
{
    struct addr a = at(text);
    enum fence g = fence_judge(r, &a);
    if (g != want)
        fail_msg("%s: %s, not %s", text, fence_name(g), fence_name(want));
}

/* Whatever the policy opens. */
static const struct {
    const char *at;
    enum fence g;
} never[] = {
    {"0.0.0.0", FENCE_LOCAL},
    {"0.1.2.3", FENCE_LOCAL},
    {"127.0.0.1", FENCE_LOCAL},
    {"127.255.255.254", FENCE_LOCAL},
    {"169.254.0.1", FENCE_LOCAL},
    {"169.254.170.2", FENCE_LOCAL}, /* credentials of a container at Amazon */
    {"224.0.0.1", FENCE_LOCAL},
    {"255.255.255.255", FENCE_LOCAL},
    {"::", FENCE_LOCAL},
    {"::1", FENCE_LOCAL},
    {"fe80::1", FENCE_LOCAL},
    {"fe80::a9fe:a9fe", FENCE_LOCAL},
    {"febf::1", FENCE_LOCAL},
    {"ff02::1", FENCE_LOCAL},
    /* dresses of one and the same */
    {"::ffff:127.0.0.1", FENCE_LOCAL},
    {"::127.0.0.1", FENCE_LOCAL},
    {"::ffff:0:127.0.0.1", FENCE_LOCAL},
    {"64:ff9b::127.0.0.1", FENCE_LOCAL},
    {"64:ff9b::0.0.0.0", FENCE_LOCAL},
    {"64:ff9b:1::127.0.0.1", FENCE_LOCAL},
    {"2002:7f00:1::", FENCE_LOCAL},
    {"2002:7f00:1::5", FENCE_LOCAL},
    {"2001::80ff:fffe", FENCE_LOCAL}, /* Teredo, 127.0.0.1 inverted */
    {"2001:0:4136:e378:8000:63bf:80ff:fffe", FENCE_LOCAL},
    {"2001:db8::5efe:127.0.0.1", FENCE_LOCAL}, /* ISATAP */
    {"2001:db8::200:5efe:127.0.0.1", FENCE_LOCAL},
    {"169.254.169.254", FENCE_METADATA},
    {"::ffff:169.254.169.254", FENCE_METADATA},
    {"64:ff9b::169.254.169.254", FENCE_METADATA},
    {"2002:a9fe:a9fe::1", FENCE_METADATA},
    {"fd00:ec2::254", FENCE_METADATA},
    {"fd20:ce::254", FENCE_METADATA},
    {"fd00:c1::a9fe:a9fe", FENCE_METADATA},
    {"100.100.100.200", FENCE_METADATA},
    {"192.0.0.192", FENCE_METADATA},
    {"168.63.129.16", FENCE_METADATA},
    {"64:ff9b::168.63.129.16", FENCE_METADATA},
};

/* By policy. */
static const char *const private_ones[] = {
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "198.18.0.1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "100::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:a00:1::1",
    "64:ff9b:1::808:808",
    "2001::f5ff:fffe",
    "2001:db8::5efe:10.0.0.1",
};

static const char *const public_ones[] = {
    "1.1.1.1",         "9.255.255.255",    "11.0.0.1",        "172.15.255.255",  "172.32.0.1",
    "192.167.255.255", "168.63.129.15",    "100.63.255.255",  "198.51.100.1",    "2001:db8::1",
    "2606:4700::1",    "64:ff9b::8.8.8.8", "2002:808:808::1", "2001::f7f7:f7f7", "2001:db8::5efe:8.8.8.8",
    "fd00::254:1:1",
};

static void what_is_never_reached_is_not_opened_by_policy(void **state)
{
    struct prefix all[] = {net("0.0.0.0/0"), net("::/0")};
    struct fence_rules rules[] = {{0},
                                  {.private_block = true},
                                  {.private_block = true, .open = all, .n_open = 2},
                                  {.open = all, .n_open = 2}};
    (void)state;
    for (size_t r = 0; r < N_ELEMS(rules); r++) {
        for (size_t i = 0; i < N_ELEMS(never); i++)
            expect(&rules[r], never[i].at, never[i].g);
    }
    struct addr none = {0};
    assert_int_equal(fence_judge(&rules[0], &none), FENCE_LOCAL);
}

static void private_ranges_are_the_policys(void **state)
{
    struct fence_rules block = {.private_block = true}, allow = {0};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(private_ones); i++) {
        expect(&block, private_ones[i], FENCE_PRIVATE);
        expect(&allow, private_ones[i], FENCE_OK);
    }
    for (size_t i = 0; i + 1 < N_ELEMS(public_ones); i++) { /* the last is private, but no metadata */
        expect(&block, public_ones[i], FENCE_OK);
        expect(&allow, public_ones[i], FENCE_OK);
    }
    expect(&allow, "fd00::254:1:1", FENCE_OK);
}

static void a_range_that_is_opened_is_that_range_alone(void **state)
{
    struct prefix open[] = {net("10.32.4.0/24"), net("fd00:4::/32")};
    struct fence_rules r = {.private_block = true, .open = open, .n_open = 2};
    (void)state;
    expect(&r, "10.32.4.1", FENCE_OK);
    expect(&r, "10.32.4.255", FENCE_OK);
    expect(&r, "10.32.5.0", FENCE_PRIVATE);
    expect(&r, "10.32.3.255", FENCE_PRIVATE);
    expect(&r, "fd00:4::1", FENCE_OK);
    expect(&r, "fd00:5::1", FENCE_PRIVATE);
    expect(&r, "64:ff9b::10.32.4.1", FENCE_PRIVATE); /* opened as itself, not through a translator ... */
    struct prefix both[] = {net("10.32.4.0/24"), net("64:ff9b::/96")};
    r.open = both; /* ... until that is said too */
    expect(&r, "64:ff9b::10.32.4.1", FENCE_OK);
    expect(&r, "64:ff9b::10.32.5.1", FENCE_PRIVATE);
}

static void management_is_closed_though_it_is_public_or_opened(void **state)
{
    struct prefix open[] = {net("10.32.0.0/16")},
                  manage[] = {net("10.32.9.0/24"), net("198.51.100.7"), net("fd00:9::/64")};
    struct fence_rules r = {
        .private_block = true, .open = open, .n_open = 1, .management = manage, .n_management = 3};
    (void)state;
    expect(&r, "10.32.9.1", FENCE_MANAGEMENT);
    expect(&r, "::ffff:10.32.9.1", FENCE_MANAGEMENT);
    expect(&r, "64:ff9b::10.32.9.1", FENCE_MANAGEMENT);
    expect(&r, "2002:a20:901::", FENCE_MANAGEMENT);
    expect(&r, "198.51.100.7", FENCE_MANAGEMENT);
    expect(&r, "fd00:9::7", FENCE_MANAGEMENT);
    expect(&r, "10.32.8.1", FENCE_OK);
    expect(&r, "198.51.100.8", FENCE_OK);
    r.private_block = false;
    expect(&r, "10.32.9.1", FENCE_MANAGEMENT);
}

/* The kernel's word comes on top: an address of this machine is refused under any policy, and is called that.
 */
static void the_machine_itself_is_refused(void **state)
{
    struct fence_rules allow = {0};
    struct addr loop = at("127.0.0.1"), far = at("198.51.100.77"), tenth = at("10.255.255.254");
    (void)state;
    assert_int_equal(fence_dial(&allow, &loop), FENCE_LOCAL);
    assert_int_equal(fence_dial(&allow, &far), FENCE_OK);
    struct fence_rules block = {.private_block = true};
    assert_int_equal(fence_dial(&block, &tenth), FENCE_PRIVATE);
}

static void each_reason_has_its_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FENCE_N; i++) {
        assert_non_null(fence_name(i));
        assert_true((fence_name(i)[0] == '\0') == (i == FENCE_OK));
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(fence_name(i), fence_name(k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_never_reached_is_not_opened_by_policy),
        cmocka_unit_test(private_ranges_are_the_policys),
        cmocka_unit_test(a_range_that_is_opened_is_that_range_alone),
        cmocka_unit_test(management_is_closed_though_it_is_public_or_opened),
        cmocka_unit_test(the_machine_itself_is_refused),
        cmocka_unit_test(each_reason_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
