/* Streams over socket pairs (TCP where only TCP knows resets), with a plain OpenSSL peer on the other end,
 * all in this process. */
#ifndef TESTS_UNIT_GW_TLS_STREAM_HELP_H
#define TESTS_UNIT_GW_TLS_STREAM_HELP_H

#include <arpa/inet.h>
#include <openssl/err.h>
#include <unistd.h>

#include "gw/tls/ctx.h"
#include "gw/tls/stream.h"
#include "tests/unit/certs/make_cert.h"

struct rig {
    struct stream s; /* first: the callback gets from it to here */
    int peer;
    SSL *theirs; /* NULL: plain */
    uint32_t told;
};

static struct ev *ev;
static struct made leaf;
static SSL_CTX *server, *their_ctx;

/* ---- rigs ---- */

static inline void on_event(struct ev_io *io, uint32_t events)
{
    struct rig *r = (struct rig *)io;
    r->told |= events;
    stream_event(&r->s, events);
}

static inline void begin(struct rig *r, int ours, int theirs)
{
    *r = (struct rig){.peer = theirs};
    stream_init(&r->s, ev, ours, on_event);
}

static inline void begin_plain(struct rig *r)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    begin(r, fd[0], fd[1]);
}

static inline void hang_up(struct rig *r)
{
    if (r->peer >= 0)
        close(r->peer);
    r->peer = -1;
}

static inline void end(struct rig *r)
{
    SSL_free(r->theirs);
    hang_up(r);
    stream_fini(&r->s);
}

/* One turn of the loop, as the owner would take it. */
static inline void turn(struct rig *r)
{
    r->told = 0;
    assert_int_equal(stream_watch(&r->s), RC_OK);
    assert_int_equal(ev_turn(ev, 0), RC_OK);
}

static inline void put_tls(struct rig *r)
{
    SSL *ours;
    assert_int_equal(ctx_accept(server, leaf.cert, leaf.key, NULL, NULL, &ours), RC_OK);
    assert_int_equal(stream_tls(&r->s, ours), RC_OK);
    r->theirs = SSL_new(their_ctx);
    SSL_set_fd(r->theirs, r->peer);
    SSL_set_connect_state(r->theirs);
}

/* Both sides by turns until both are done or ours has failed. */
static inline enum rc shake(struct rig *r)
{
    enum rc rc = RC_AGAIN;
    bool done = false;
    for (int i = 0; i < 20 && !(done && rc != RC_AGAIN); i++) {
        done |= SSL_do_handshake(r->theirs) == 1;
        ERR_clear_error();
        if (rc == RC_AGAIN)
            rc = stream_handshake(&r->s);
        if (rc != RC_OK && rc != RC_AGAIN)
            break;
    }
    return rc;
}

static inline void begin_tls(struct rig *r, int version)
{
    begin_plain(r);
    put_tls(r);
    SSL_set_min_proto_version(r->theirs, version);
    SSL_set_max_proto_version(r->theirs, version);
    assert_int_equal(shake(r), RC_OK);
    r->s.ready = false;
}

static inline void say(struct rig *r, const char *text)
{
    int n = (int)strlen(text);
    assert_int_equal(r->theirs ? SSL_write(r->theirs, text, n) : (int)write(r->peer, text, (size_t)n), n);
}

static inline ssize_t hear(struct rig *r, uint8_t *p, size_t n)
{
    if (!r->theirs)
        return read(r->peer, p, n);
    int got = SSL_read(r->theirs, p, (int)n);
    ERR_clear_error();
    return got;
}

static inline void expect(struct rig *r, const char *text)
{
    uint8_t b[64];
    size_t got;
    assert_int_equal(stream_read(&r->s, b, sizeof b, &got), RC_OK);
    assert_true(span_eq(span_of(b, got), span_str(text)));
}

static inline void expect_rc(struct rig *r, enum rc rc)
{
    uint8_t b[64];
    size_t got = 7;
    assert_int_equal(stream_read(&r->s, b, sizeof b, &got), rc);
    assert_int_equal(got, 0);
}

static inline void expect_dead(struct rig *r)
{
    assert_true(r->s.failed);
    stream_event(&r->s, EPOLLIN | EPOLLOUT);
    expect_rc(r, RC_IO);
    assert_int_equal(stream_write(&r->s, SPAN("x")), RC_IO);
    assert_int_equal(stream_queue(&r->s, SPAN("x")), RC_OK);
    assert_int_equal(stream_flush(&r->s), RC_IO);
    assert_true(r->s.failed);
}

/* Two ends of a TCP connection on loopback. */
static inline void begin_tcp(struct rig *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(l, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(l, 1), 0);
    assert_int_equal(getsockname(l, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(c, (struct sockaddr *)&at, len), 0);
    int a = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    assert_true(a >= 0);
    close(l);
    begin(r, a, c);
}

static inline int setup(void **state)
{
    const struct mk m = {.cn = "a.example", .exts = LEAF_EXTS("DNS:a.example")};
    (void)state;
    leaf = mk_cert(&m, NULL);
    their_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(their_ctx, SSL_MODE_AUTO_RETRY);
    return ev_new(&ev) != RC_OK || ctx_server_new(&server) != RC_OK;
}

static inline int teardown(void **state)
{
    (void)state;
    SSL_CTX_free(server);
    SSL_CTX_free(their_ctx);
    mk_free(&leaf);
    ev_free(ev);
    return 0;
}

#endif
