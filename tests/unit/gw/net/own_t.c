/* Own addresses: those of this machine, and no others. */
#include "gw/net/own.h"

#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

static void strangers_are_not_ours(void **state)
{
    static const char *const others[] = {"198.51.100.7", "203.0.113.250", "2001:db8:ffff::1", "8.8.8.8",
                                         "::ffff:203.0.113.250"};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct addr a = at(others[i]);
        assert_false(own_addr(&a));
    }
}

static void loopback_is_ours(void **state)
{
    struct addr a = at("127.0.0.1"), mapped = at("::ffff:127.0.0.1");
    struct addr beside = at("127.1.2.3"); /* which no interface has, and which answers all the same */
    (void)state;
    assert_true(own_addr(&a));
    assert_true(own_addr(&beside));
    assert_true(own_addr(&mapped));
}

static void every_address_of_an_interface_is_ours(void **state)
{
    struct ifaddrs *all = NULL;
    (void)state;
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct sockaddr_storage ss = {0};
        if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&ss, i->ifa_addr,
               i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        struct addr a = addr_from_sockaddr(&ss, NULL);
        if (a.family == 6 && a.b[0] == 0xfe)
            continue; /* link-local: means nothing without its interface */
        assert_true(own_addr(&a));
    }
    freeifaddrs(all);
}

static void without_descriptors_everything_counts_as_ours(void **state)
{
    struct rlimit had, none;
    struct addr a = at("198.51.100.7");
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
    none = (struct rlimit){0, had.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool own = own_addr(&a);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
    assert_true(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_are_not_ours),
        cmocka_unit_test(without_descriptors_everything_counts_as_ours),
        cmocka_unit_test(loopback_is_ours),
        cmocka_unit_test(every_address_of_an_interface_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
