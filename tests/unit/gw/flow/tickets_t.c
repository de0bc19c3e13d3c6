/* What a ticket for a client is bound to: server name (or address), zone and CA, not the number of a zone;
 * and to nothing where the flow's zone is gone. */
#include "gw/flow/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include "gw/base/obj.h"
#include "gw/flow/flow.h"
#include "gw/tls/ctx.h"
#include "tests/unit/policy/snap_help.h"

static struct engine *e;
static struct ev *ev;
static SSL *ssl;
static struct flow *f;

static int begin(void **state)
{
    (void)state;
    e = calloc(1, sizeof *e);
    f = calloc(1, sizeof *f);
    assert_true(e && f);
    assert_int_equal(ev_new(&ev), RC_OK);
    assert_int_equal(engine_init(e, ev), RC_OK);
    assert_int_equal(minter_new(ev, 8, &e->minter), RC_OK);
    ssl = SSL_new(e->to_clients);
    assert_non_null(ssl);
    SSL_set_app_data(ssl, f);
    return 0;
}

static int end(void **state)
{
    (void)state;
    SSL_free(ssl);
    engine_fini(e);
    ev_free(ev);
    free(f);
    free(e);
    return 0;
}

/* False: no ticket. */
static bool belongs(const struct snapshot *s, const char *src, const char *name, uint8_t to[TICKET_BELONGS])
{
    struct addr client = addr_of(src);
    *f = (struct flow){
        .e = e, .snap = (struct snapshot *)(uintptr_t)s, .src = client, .dst = addr_of("192.0.2.1")};
    f->name = span_str(name);
    f->zone = snapshot_zone_of(s, &client);
    return e->tickets.belongs(ssl, to);
}

static void a_ticket_is_of_one_name_and_zone(void **state)
{
    struct snapshot *s = snap_of("web { allow any }\n");
    uint8_t a[TICKET_BELONGS], b[TICKET_BELONGS];
    (void)state;
    assert_true(belongs(s, "10.0.0.1", "a.test", a) && belongs(s, "10.0.0.2", "a.test", b));
    assert_memory_equal(a, b, sizeof a);
    assert_true(belongs(s, "10.0.0.1", "b.test", b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(belongs(s, "172.16.0.1", "a.test", b));
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(belongs(s, "10.0.0.1", "", b));
    assert_memory_not_equal(a, b, sizeof a);
    snapshot_put(s);
}

static void a_reload_that_renumbers_a_zone_keeps_its_tickets(void **state)
{
    struct snapshot *before = snap_of("zone late network 192.168.0.0/16\nweb { allow any }\n"),
                    *after = snap_of("zone early network 203.0.113.0/24\nzone late network 192.168.0.0/16\n"
                                     "web { allow any }\n");
    struct addr client = addr_of("192.168.0.1");
    uint8_t a[TICKET_BELONGS], b[TICKET_BELONGS];
    (void)state;
    assert_true(snapshot_zone_of(before, &client) != snapshot_zone_of(after, &client));
    assert_true(belongs(before, "192.168.0.1", "a.test", a) && belongs(after, "192.168.0.1", "a.test", b));
    assert_memory_equal(a, b, sizeof a);
    snapshot_put(before);
    snapshot_put(after);
}

static void a_flow_whose_zone_is_gone_gets_none(void **state)
{
    struct snapshot *s = snap_of("web { allow any }\n");
    struct addr client = addr_of("192.168.0.1");
    uint8_t to[TICKET_BELONGS];
    (void)state;
    assert_int_equal(snapshot_zone_of(s, &client), ZONE_NONE);
    assert_false(belongs(s, "192.168.0.1", "a.test", to));
    snapshot_put(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_ticket_is_of_one_name_and_zone),
        T(a_reload_that_renumbers_a_zone_keeps_its_tickets),
        T(a_flow_whose_zone_is_gone_gets_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
