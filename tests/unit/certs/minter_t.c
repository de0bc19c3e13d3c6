/* The worker's side of minting against a signer played by the test: one MINT per new name, waiters that all
 * get the leaf, and requests that survive whatever happens to the channel. */
#include "certs/minter.h"

#include <stdio.h>
#include <unistd.h>

#include "gw/ipc/peer.h"
#include "tests/unit/certs/make_cert.h"
#include "gw/base/obj.h"

enum { ASKS = 2048 };

struct ask {
    struct minter_wait wait;
    enum rc rc;
    unsigned calls;
    struct leaf *leaf;
};

/* The other end: remembers what came, and makes leaves with a CA of its own. */
struct fake {
    struct peer *peer;
    unsigned mints, keys;
    uint64_t ids[ASKS];
    struct mint_request last;
    enum rc answers; /* what it says */
    bool silent, garbage;
    const struct made *by; /* the CA; NULL: the world's */
};

struct world {
    struct ev *ev;
    struct minter *m;
    struct fake f;
    struct made ca;
    struct ask asks[ASKS];
};

static void send_minted(struct fake *f, uint64_t id, enum rc rc, span der)
{
    struct buf b = {0};
    assert_int_equal(buf_put_u64(&b, id), RC_OK);
    assert_int_equal(buf_put_u32(&b, (uint32_t)rc), RC_OK);
    assert_int_equal(buf_put(&b, der), RC_OK);
    assert_int_equal(peer_send(f->peer, MSG_MINTED, buf_span(&b), NULL, 0), RC_OK);
    buf_fini(&b);
}

static void make_and_send(struct fake *f, uint64_t id)
{
    struct world *w = CONTAINER_OF(f, struct world, f);
    char san[300];
    snprintf(san, sizeof san, "subjectAltName=DNS:%.*s", (int)f->last.sans[0].value.n,
             f->last.sans[0].value.p);
    struct made x = mk_cert(&(struct mk){.cn = "A leaf", .exts = {san}}, f->by ? f->by : &w->ca);
    uint8_t *der = NULL;
    int n = i2d_X509(x.cert, &der);
    send_minted(f, id, RC_OK, f->garbage ? span_of(der, (size_t)n - 1) : span_of(der, (size_t)n));
    OPENSSL_free(der);
    mk_free(&x);
}

static void fake_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct fake *f = peer_data(p);
    (void)fds, (void)n_fds;
    if (t == MSG_LEAFKEY) {
        assert_int_equal(payload.n, 65);
        assert_true(mint_point_ok(payload.p));
        f->keys++;
        return;
    }
    assert_int_equal(t, MSG_MINT);
    assert_true(f->keys > 0);
    struct rd r = rd_of(payload);
    uint64_t id = rd_u64(&r);
    assert_int_equal(mint_decode(rd_bytes(&r, rd_left(&r)), &f->last), RC_OK);
    f->ids[f->mints++ % ASKS] = id;
    if (f->silent)
        return;
    if (f->answers == RC_OK)
        make_and_send(f, id);
    else
        send_minted(f, id, f->answers, SPAN_NONE);
}

static void fake_end(struct peer *p, enum rc rc)
{
    struct fake *f = peer_data(p);
    (void)rc;
    f->peer = NULL;
}

static void attach(struct world *w)
{
    int fd[2];
    assert_int_equal(peer_pair(fd), RC_OK);
    peer_free(w->f.peer);
    w->f.keys = 0;
    assert_int_equal(peer_new(w->ev, fd[1], ROLE_SIGNER, ROLE_WORKER, fake_msg, fake_end, &w->f, &w->f.peer),
                     RC_OK);
    assert_int_equal(minter_attach(w->m, fd[0]), RC_OK);
}

static void on_done(struct minter_wait *wait, enum rc rc, struct leaf *leaf)
{
    struct ask *a = CONTAINER_OF(wait, struct ask, wait);
    assert_false(minter_waiting(wait));
    a->calls++;
    a->rc = rc;
    a->leaf = leaf ? leaf_get(leaf) : NULL;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_int_equal(ev_new(&w->ev), RC_OK);
    assert_int_equal(minter_new(w->ev, 1000, &w->m), RC_OK);
    w->ca = mk_cert(&(struct mk){.cn = "CA", .exts = ROOT_EXTS}, NULL);
    for (size_t i = 0; i < ASKS; i++)
        minter_wait_init(&w->asks[i].wait, on_done);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    minter_free(w->m);
    peer_free(w->f.peer);
    ev_free(w->ev);
    for (size_t i = 0; i < ASKS; i++)
        leaf_put(w->asks[i].leaf);
    mk_free(&w->ca);
    free(w);
    return 0;
}

static void turns(struct world *w, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(ev_turn(w->ev, 0), RC_OK);
}

static enum rc ask_for(struct world *w, size_t i, const char *name)
{
    static const uint8_t origin[32];
    struct mint_request req = {.n_sans = 1, .sans = {{SAN_DNS, span_str(name)}}};
    uint8_t key[32];
    struct leaf *leaf;
    mint_dates(&req, INT64_MIN, INT64_MAX, NOW);
    minter_key(&req, origin, key);
    enum rc rc = minter_get(w->m, key, &req, NOW, &w->asks[i].wait, &leaf);
    if (rc == RC_OK)
        w->asks[i].leaf = leaf;
    return rc;
}

static void names_that_the_signer_cannot_take_are_refused_here(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask_for(w, 0, ""), RC_DENIED);
    assert_int_equal(ask_for(w, 0, "a b"), RC_DENIED);
    assert_false(minter_waiting(&w->asks[0].wait));
}

static void a_refusal_reaches_the_flow_and_is_not_cached(void **state)
{
    struct world *w = *state;
    attach(w);
    w->f.answers = RC_DENIED;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 4);
    assert_int_equal(w->asks[0].calls, 1);
    assert_int_equal(w->asks[0].rc, RC_DENIED);
    w->f.answers = RC_OK;
    assert_int_equal(ask_for(w, 1, "a.test"), RC_AGAIN);
    turns(w, 4);
    assert_int_equal(w->asks[1].rc, RC_OK);
}

static void an_answer_that_is_no_certificate_is_bad(void **state)
{
    struct world *w = *state;
    attach(w);
    w->f.garbage = true;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 4);
    assert_int_equal(w->asks[0].rc, RC_BAD);
    assert_null(w->asks[0].leaf);
}

static void answers_nobody_asked_for_are_ignored(void **state)
{
    struct world *w = *state;
    attach(w);
    turns(w, 2);
    send_minted(&w->f, 77, RC_OK, SPAN("x"));
    assert_int_equal(peer_send(w->f.peer, MSG_MINTED, SPAN("abc"), NULL, 0), RC_OK);
    turns(w, 3);
    assert_true(minter_attached(w->m));
}

static void a_thousand_flows_asking_for_one_name_cost_one_mint(void **state)
{
    struct world *w = *state;
    struct minter_counts n;
    attach(w);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(ask_for(w, i, "www.site.test"), RC_AGAIN);
    turns(w, 6);
    assert_int_equal(w->f.mints, 1);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(w->asks[i].calls, 1);
        assert_int_equal(w->asks[i].rc, RC_OK);
        assert_ptr_equal(w->asks[i].leaf, w->asks[0].leaf); /* parsed once */
    }
    assert_int_equal(ask_for(w, 1000, "www.site.test"), RC_OK);
    assert_ptr_equal(w->asks[1000].leaf, w->asks[0].leaf);
    minter_counts(w->m, &n);
    assert_true(n.hits == 1 && n.joined == 999 && n.sent == 1 && n.minted == 1 && n.cached == 1 &&
                n.open == 0);
}

static void more_names_than_the_window_all_come(void **state)
{
    struct world *w = *state;
    char name[32];
    attach(w);
    for (size_t i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "n%zu.site.test", i);
        assert_int_equal(ask_for(w, i, name), RC_AGAIN);
    }
    turns(w, 100);
    assert_int_equal(w->f.mints, 500);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(w->asks[i].rc == RC_OK && w->asks[i].calls == 1, true);
}

static void requests_wait_for_the_first_signer(void **state)
{
    struct world *w = *state;
    assert_false(minter_attached(w->m));
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    assert_int_equal(ask_for(w, 1, "b.test"), RC_AGAIN);
    turns(w, 2);
    assert_int_equal(w->asks[0].calls, 0);
    attach(w);
    turns(w, 4);
    assert_int_equal(w->asks[0].rc + w->asks[1].rc, RC_OK);
    assert_int_equal(w->asks[0].calls + w->asks[1].calls, 2);
}

static void requests_survive_a_signer_that_dies(void **state)
{
    struct world *w = *state;
    attach(w);
    w->f.silent = true;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    assert_int_equal(ask_for(w, 1, "b.test"), RC_AGAIN);
    turns(w, 3);
    assert_int_equal(w->f.mints, 2);
    peer_free(w->f.peer);
    w->f.peer = NULL;
    turns(w, 3);
    assert_false(minter_attached(w->m));
    assert_int_equal(w->asks[0].calls, 0);
    w->f.silent = false;
    attach(w);
    turns(w, 4);
    assert_int_equal(w->f.mints, 4);
    assert_int_equal(w->f.keys, 1);                                        /* the key was registered again */
    assert_true(w->f.ids[2] == w->f.ids[0] && w->f.ids[3] == w->f.ids[1]); /* in the same order */
    assert_true(w->asks[0].calls == 1 && w->asks[1].calls == 1);
}

static void a_signer_that_died_before_its_channel_came_is_no_error(void **state)
{
    struct world *w = *state;
    int fd[2];
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    assert_int_equal(peer_pair(fd), RC_OK);
    close(fd[1]);
    assert_int_equal(minter_attach(w->m, fd[0]), RC_OK);
    turns(w, 2);
    assert_false(minter_attached(w->m));
    assert_int_equal(w->asks[0].calls, 0);
    attach(w);
    turns(w, 4);
    assert_true(w->asks[0].rc == RC_OK && w->asks[0].calls == 1);
}

static void a_channel_can_be_replaced_while_the_old_one_is_open(void **state)
{
    struct world *w = *state;
    attach(w);
    w->f.silent = true;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 3);
    w->f.silent = false;
    attach(w);
    turns(w, 4);
    assert_int_equal(w->asks[0].calls, 1);
    assert_int_equal(w->asks[0].rc, RC_OK);
}

static void what_nobody_waits_for_is_not_asked_again(void **state)
{
    struct world *w = *state;
    struct minter_counts n;
    attach(w);
    w->f.silent = true;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 3);
    minter_cancel(w->m, &w->asks[0].wait);
    minter_cancel(w->m, &w->asks[0].wait);
    attach(w);
    turns(w, 3);
    assert_int_equal(w->f.mints, 1);
    assert_int_equal(w->asks[0].calls, 0);
    minter_counts(w->m, &n);
    assert_int_equal(n.open, 0);
}

static void a_late_answer_still_fills_the_cache(void **state)
{
    struct world *w = *state;
    attach(w);
    w->f.silent = true;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 3);
    minter_cancel(w->m, &w->asks[0].wait);
    make_and_send(&w->f, w->f.ids[0]);
    turns(w, 3);
    assert_int_equal(w->asks[0].calls, 0);
    assert_int_equal(ask_for(w, 1, "a.test"), RC_OK);
}

static void over_the_rate_is_tried_again_later(void **state)
{
    struct world *w = *state;
    attach(w);
    w->f.answers = RC_LIMIT;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 3);
    assert_int_equal(w->f.mints, 1);
    assert_int_equal(w->asks[0].calls, 0);
    w->f.answers = RC_OK;
    for (int i = 0; i < 20 && w->asks[0].calls == 0; i++)
        assert_int_equal(ev_turn(w->ev, 20), RC_OK);
    assert_int_equal(w->f.mints, 2);
    assert_int_equal(w->asks[0].rc, RC_OK);
    struct minter_counts n;
    minter_counts(w->m, &n);
    assert_int_equal(n.limited, 1);
}

static void open_requests_are_bounded(void **state)
{
    struct world *w = *state;
    struct minter_wait *extra = calloc(LIM_MINTS_OPEN + 1, sizeof *extra);
    static const uint8_t origin[32];
    char name[32];
    struct leaf *leaf;
    enum rc rc = RC_AGAIN;
    for (size_t i = 0; i <= LIM_MINTS_OPEN; i++) {
        struct mint_request req = {.n_sans = 1};
        uint8_t key[32];
        minter_wait_init(&extra[i], NULL);
        snprintf(name, sizeof name, "n%zu.site.test", i);
        req.sans[0] = (struct san){SAN_DNS, span_str(name)};
        minter_key(&req, origin, key);
        rc = minter_get(w->m, key, &req, NOW, &extra[i], &leaf);
        assert_int_equal(rc, i < LIM_MINTS_OPEN ? RC_AGAIN : RC_LIMIT);
    }
    for (size_t i = 0; i <= LIM_MINTS_OPEN; i++)
        minter_cancel(w->m, &extra[i]);
    free(extra);
}

static void a_worker_that_ends_tells_everybody(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    minter_free(w->m);
    w->m = NULL;
    assert_int_equal(w->asks[0].calls, 1);
    assert_int_equal(w->asks[0].rc, RC_GONE);
}

static void put_cert(struct buf *b, X509 *x)
{
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    assert_int_equal(buf_put_u16(b, (uint16_t)n), RC_OK);
    assert_int_equal(buf_put(b, span_of(der, (size_t)n)), RC_OK);
    OPENSSL_free(der);
}

static void another_ca_generation_empties_the_cache(void **state)
{
    struct world *w = *state;
    struct buf b = {0};
    struct made issuing = mk_cert(&(struct mk){.cn = "Issuing", .exts = CA_EXTS}, &w->ca);
    assert_null(minter_chain(w->m));
    assert_int_equal(minter_set_ca(w->m, SPAN_NONE), RC_BAD);
    assert_int_equal(minter_set_ca(w->m, SPAN("\0\1\0\2ab")), RC_BAD);
    assert_int_equal(buf_put_u16(&b, 1), RC_OK);
    put_cert(&b, issuing.cert);
    put_cert(&b, w->ca.cert);
    assert_int_equal(minter_set_ca(w->m, buf_span(&b)), RC_OK);
    assert_int_equal(sk_X509_num(minter_chain(w->m)), 1); /* the root stays at home */
    assert_int_equal(X509_cmp(sk_X509_value(minter_chain(w->m), 0), issuing.cert), 0);
    uint8_t id[MINTER_CA_ID];
    assert_int_equal(X509_digest(issuing.cert, EVP_sha256(), id, NULL), 1);
    assert_memory_equal(minter_ca_id(w->m), id, sizeof id);
    w->f.by = &issuing;
    attach(w);
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 4);
    assert_int_equal(minter_set_ca(w->m, buf_span(&b)), RC_OK); /* the same: nothing changes */
    assert_int_equal(ask_for(w, 1, "a.test"), RC_OK);
    b.p[1] = 2;
    assert_int_equal(minter_set_ca(w->m, buf_span(&b)), RC_OK);
    assert_int_equal(minter_generation(w->m), 2);
    assert_int_equal(ask_for(w, 2, "a.test"), RC_AGAIN);
    buf_fini(&b);
    mk_free(&issuing);
}

/* While the CA changes, the signer before may still answer: what it made would go out with the wrong chain.
 */
static void a_leaf_of_the_ca_before_is_asked_again(void **state)
{
    struct world *w = *state;
    struct buf b = {0};
    struct made before = mk_cert(&(struct mk){.cn = "Before", .exts = CA_EXTS}, &w->ca);
    struct made now = mk_cert(&(struct mk){.cn = "Now", .exts = CA_EXTS}, &w->ca);
    struct minter_counts n;
    assert_int_equal(buf_put_u16(&b, 7), RC_OK);
    put_cert(&b, now.cert);
    assert_int_equal(minter_set_ca(w->m, buf_span(&b)), RC_OK);
    w->f.by = &before;
    attach(w);
    assert_int_equal(ask_for(w, 0, "a.test"), RC_AGAIN);
    turns(w, 4);
    assert_int_equal(w->f.mints, 1);
    assert_int_equal(w->asks[0].calls, 0);
    w->f.by = &now;
    attach(w);
    turns(w, 4);
    assert_int_equal(w->asks[0].calls, 1);
    assert_int_equal(w->asks[0].rc, RC_OK);
    assert_int_equal(X509_check_issued(now.cert, leaf_x509(w->asks[0].leaf)), X509_V_OK);
    minter_counts(w->m, &n);
    assert_int_equal(n.minted, 1);
    buf_fini(&b);
    mk_free(&before);
    mk_free(&now);
}

static void keys_differ_by_names_kinds_and_origin(void **state)
{
    (void)state;
    uint8_t k[5][32], zero[32] = {0}, one[32] = {1};
    struct mint_request r = {.n_sans = 1, .sans = {{SAN_DNS, SPAN("ab.test")}}};
    minter_key(&r, zero, k[0]);
    minter_key(&r, one, k[1]);
    r.n_sans = 2;
    r.sans[0].value = SPAN("a");
    r.sans[1] = (struct san){SAN_DNS, SPAN("b.test")};
    minter_key(&r, zero, k[2]);
    r.n_sans = 1;
    r.sans[0] = (struct san){SAN_IP, SPAN("\1\2\3\4")};
    minter_key(&r, zero, k[3]);
    r.sans[0].kind = SAN_DNS;
    minter_key(&r, zero, k[4]);
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = i + 1; j < 5; j++)
            assert_memory_not_equal(k[i], k[j], 32);
    }
    r.not_before = 77; /* dates are the origin's business */
    minter_key(&r, zero, k[0]);
    assert_memory_equal(k[0], k[4], 32);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_that_the_signer_cannot_take_are_refused_here),
        TEST(a_refusal_reaches_the_flow_and_is_not_cached),
        TEST(an_answer_that_is_no_certificate_is_bad),
        TEST(answers_nobody_asked_for_are_ignored),
        TEST(a_thousand_flows_asking_for_one_name_cost_one_mint),
        TEST(more_names_than_the_window_all_come),
        TEST(requests_wait_for_the_first_signer),
        TEST(requests_survive_a_signer_that_dies),
        TEST(a_signer_that_died_before_its_channel_came_is_no_error),
        TEST(a_channel_can_be_replaced_while_the_old_one_is_open),
        TEST(what_nobody_waits_for_is_not_asked_again),
        TEST(a_late_answer_still_fills_the_cache),
        TEST(over_the_rate_is_tried_again_later),
        TEST(open_requests_are_bounded),
        TEST(a_worker_that_ends_tells_everybody),
        TEST(another_ca_generation_empties_the_cache),
        TEST(a_leaf_of_the_ca_before_is_asked_again),
        TEST(keys_differ_by_names_kinds_and_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
