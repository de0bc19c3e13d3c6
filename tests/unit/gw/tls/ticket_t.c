/* Session tickets for clients: one handshake after the other against a plain OpenSSL client. A ticket opens
 * where it was given and nowhere else (threats.md row 46), with the keys of the last hours, and carries no
 * early data (row 59). */
#include "gw/tls/ticket.h"

#include "gw/base/obj.h"
#include "gw/tls/ctx.h"
#include "tests/unit/certs/make_cert.h"

static struct made leaf;
static SSL_CTX *server, *client;
static struct tickets tickets;
static uint8_t here;       /* what the connection at hand belongs to */
static SSL_SESSION *given; /* the client's newest */
static unsigned n_given;

static bool belongs(SSL *ssl, uint8_t to[TICKET_BELONGS])
{
    assert_ptr_equal(SSL_get_app_data(ssl), &leaf);
    memset(to, here, TICKET_BELONGS);
    return true;
}

static int on_session(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(given);
    given = s;
    n_given++;
    return 1;
}

static void new_key(struct tickets *t, uint32_t number)
{
    uint8_t key[TICKET_KEY] = {(uint8_t)number, 7};
    assert_int_equal(ticket_key(t, number, key), RC_OK);
}

static int setup(void **state)
{
    const struct mk m = {.cn = "a.example", .exts = LEAF_EXTS("DNS:a.example")};
    (void)state;
    leaf = mk_cert(&m, NULL);
    tickets = (struct tickets){.belongs = belongs};
    here = 1;
    n_given = 0;
    if (ctx_server_new(&server) != RC_OK)
        return -1;
    ticket_use(server, &tickets);
    new_key(&tickets, 1);
    client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, on_session);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    SSL_SESSION_free(given);
    given = NULL;
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    mk_free(&leaf);
    return 0;
}

/* A handshake of version `v` that offers `offer`; was it resumed? */
static bool resumes(int v, SSL_SESSION *offer, bool no_tickets)
{
    SSL *us, *they = SSL_new(client);
    BIO *a, *b;
    char none[1];
    assert_int_equal(ctx_accept(server, leaf.cert, leaf.key, NULL, &leaf, &us), RC_OK);
    if (no_tickets)
        ticket_none(us);
    SSL_set_connect_state(they);
    SSL_set_max_proto_version(they, v);
    if (offer)
        assert_int_equal(SSL_set_session(they, offer), 1);
    assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
    SSL_set_bio(us, a, a);
    SSL_set_bio(they, b, b);
    bool done = false;
    for (int i = 0; i < 20 && !done; i++)
        done = (SSL_do_handshake(they) == 1) & (SSL_do_handshake(us) == 1);
    assert_true(done);
    assert_int_equal(SSL_read(they, none, 1), -1); /* the tickets of TLS 1.3 */
    bool reused = SSL_session_reused(us) == 1;
    assert_int_equal(reused, SSL_session_reused(they) == 1);
    SSL_set_shutdown(they, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_set_shutdown(us, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(us);
    SSL_free(they);
    return reused;
}

static const int both[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static SSL_SESSION *ticket_of(int v)
{
    assert_false(resumes(v, NULL, false));
    assert_non_null(given);
    assert_int_equal(SSL_SESSION_up_ref(given), 1);
    return given;
}

/* ---- where a ticket does not open ---- */

static void a_ticket_for_something_else_means_a_full_handshake(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(both); i++) {
        here = 1;
        SSL_SESSION *s = ticket_of(both[i]);
        here = 2; /* another name, zone or CA */
        assert_false(resumes(both[i], s, false));
        SSL_SESSION_free(s);
    }
}

static void a_key_that_is_gone_opens_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(both); i++) {
        SSL_SESSION *s = ticket_of(both[i]);
        uint32_t newest = tickets.k[0].number;
        for (uint32_t k = 1; k <= TICKET_KEYS; k++)
            new_key(&tickets, newest + k);
        assert_false(resumes(both[i], s, false));
        SSL_SESSION_free(s);
    }
}

static void a_ticket_of_another_gateway_is_as_good_as_none(void **state)
{
    (void)state;
    SSL_SESSION *s = ticket_of(TLS1_3_VERSION);
    struct tickets fresh = {.belongs = belongs};
    new_key(&fresh, 9);
    tickets = fresh;
    assert_false(resumes(TLS1_3_VERSION, s, false));
    SSL_SESSION_free(s);
}

static void a_connection_without_tickets_gives_and_takes_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(both); i++) {
        SSL_SESSION *s = ticket_of(both[i]);
        unsigned before = n_given;
        assert_false(resumes(both[i], s, true));
        /* a session of TLS 1.2 without a ticket has nothing by which it could come back */
        if (n_given != before)
            assert_false(SSL_SESSION_has_ticket(given));
        SSL_SESSION_free(s);
    }
}

static void no_ticket_speaks_of_early_data(void **state)
{
    (void)state;
    SSL_SESSION *s = ticket_of(TLS1_3_VERSION);
    assert_int_equal(SSL_SESSION_get_max_early_data(s), 0);
    SSL_SESSION_free(s);
}

/* ---- where it does ---- */

static void a_ticket_opens_where_it_was_given(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(both); i++) {
        SSL_SESSION *s = ticket_of(both[i]);
        assert_true(resumes(both[i], s, false));
        SSL_SESSION_free(s);
    }
}

static void one_ticket_a_handshake_and_a_new_one_when_it_is_used(void **state)
{
    (void)state;
    SSL_SESSION *s = ticket_of(TLS1_3_VERSION);
    assert_int_equal(n_given, 1);
    assert_true(resumes(TLS1_3_VERSION, s, false));
    assert_int_equal(n_given, 2);
    SSL_SESSION_free(s);
}

static void the_keys_before_still_open_and_the_client_gets_a_newer_ticket(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(both); i++) {
        SSL_SESSION *s = ticket_of(both[i]);
        uint32_t newest = tickets.k[0].number;
        for (uint32_t k = 1; k < TICKET_KEYS; k++)
            new_key(&tickets, newest + k);
        unsigned before = n_given;
        assert_true(resumes(both[i], s, false));
        if (both[i] == TLS1_3_VERSION) /* of 1.2 the library does not tell */
            assert_int_equal(n_given, before + 1);
        SSL_SESSION_free(s);
    }
}

static void the_same_key_again_changes_nothing(void **state)
{
    (void)state;
    struct tickets t = {.belongs = belongs};
    new_key(&t, 1);
    new_key(&t, 2);
    struct tickets was = t;
    new_key(&t, 2);
    new_key(&t, 1);
    assert_memory_equal(&t, &was, sizeof t);
}

/* Another worker: the same keys, nothing else in common. */
static void any_worker_opens_it(void **state)
{
    (void)state;
    SSL_SESSION *s = ticket_of(TLS1_3_VERSION);
    struct tickets other = {.belongs = belongs};
    new_key(&other, 1);
    SSL_CTX_free(server);
    assert_int_equal(ctx_server_new(&server), RC_OK);
    ticket_use(server, &other);
    assert_true(resumes(TLS1_3_VERSION, s, false));
    SSL_SESSION_free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_ticket_for_something_else_means_a_full_handshake),
        T(a_key_that_is_gone_opens_nothing),
        T(a_ticket_of_another_gateway_is_as_good_as_none),
        T(a_connection_without_tickets_gives_and_takes_none),
        T(no_ticket_speaks_of_early_data),
        T(a_ticket_opens_where_it_was_given),
        T(one_ticket_a_handshake_and_a_new_one_when_it_is_used),
        T(the_keys_before_still_open_and_the_client_gets_a_newer_ticket),
        T(the_same_key_again_changes_nothing),
        T(any_worker_opens_it),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
