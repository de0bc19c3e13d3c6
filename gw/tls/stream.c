/* Sockets with or without TLS; see stream.h. */
#include "gw/tls/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

/* Reads of the socket within one call: records that carry nothing (key updates, alerts) are handled inside
 * OpenSSL one after the other, and a peer that never stops sending them must not keep the others waiting. */
enum { READS_MOST = 8 };

/* ---- the BIO: kept bytes first, then the socket ---- */

static int bio_read(BIO *bio, char *p, int n)
{
    struct stream *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (n <= 0)
        return 0;
    size_t kept = buf_len(&s->kept);
    if (kept > 0) {
        size_t take = kept < (size_t)n ? kept : (size_t)n;
        memcpy(p, s->kept.p + s->kept.r, take);
        buf_consume(&s->kept, take);
        if (take == kept)
            buf_fini(&s->kept);
        return (int)take;
    }
    if (s->reads_left == 0) { /* enough for one turn; the socket is level-triggered and tells again */
        BIO_set_retry_read(bio);
        return -1;
    }
    s->reads_left--;
    ssize_t got = recv(s->io.fd, p, (size_t)n, 0);
    s->ready = got == n; /* less than asked for: the socket is empty, and says so when it no longer is */
    if (got > 0)
        s->n_in += (uint64_t)got;
    else if (got == 0)
        s->in_eof = true;
    else if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_read(bio);
    else
        s->sys_errno = errno;
    return (int)got;
}

/* What nobody waits for leaves in one packet with what follows (the kernel waits 200 ms at most): our goodbye
 * with the FIN, a ticket with the first answer, and our Finished, where the peer has sent its own already,
 * with the first request. */
static bool is_no_hurry(const struct stream *s)
{
    if (s->leaving || !s->handshaking || SSL_version(s->ssl) < TLS1_3_VERSION)
        return s->leaving;
    OSSL_HANDSHAKE_STATE at = SSL_get_state(s->ssl);
    return at == TLS_ST_SW_SESSION_TICKET || at == TLS_ST_CW_FINISHED;
}

static int bio_write(BIO *bio, const char *p, int n)
{
    struct stream *s = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t put = send(s->io.fd, p, (size_t)n, MSG_NOSIGNAL | (is_no_hurry(s) ? MSG_MORE : 0));
    if (put > 0)
        s->n_out += (uint64_t)put;
    else if (put < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    else if (put < 0)
        s->sys_errno = errno;
    return (int)put;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)num;
    (void)ptr;
    struct stream *s = BIO_get_data(bio);
    if (cmd == BIO_CTRL_EOF)
        return s->in_eof;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *method; /* one per process, made at first use, never changed */
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "perron stream");
        gw_assert(method != NULL);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
    return method;
}

/* ---- life ---- */

void stream_init(struct stream *s, struct ev *ev, int fd, void (*cb)(struct ev_io *, uint32_t))
{
    *s = (struct stream){.ev = ev, .io = {.fd = fd, .cb = cb}, .alert_in = -1};
    buf_init(&s->out, LIM_PEND_BYTES * 4);
    buf_init(&s->kept, LIM_HELLO_BYTES + LIM_HEAD_BYTES);
}

void stream_renew(struct stream *s)
{
    stream_init(s, s->ev, -1, s->io.cb);
}

void stream_attach(struct stream *s, int fd)
{
    gw_assert(s->io.fd < 0);
    s->io.fd = fd;
}

void stream_move(struct stream *to, struct stream *from)
{
    gw_assert(to->io.fd < 0 && !to->ssl && buf_len(&from->out) == 0 && buf_len(&from->kept) == 0);
    ev_unwatch(from->ev, &from->io);
    to->io.fd = from->io.fd;
    to->ssl = from->ssl;
    to->shared = from->shared;
    to->ready = from->ready;
    to->drained = from->drained;
    from->io.fd = -1;
    from->ssl = NULL;
    if (to->ssl)
        BIO_set_data(SSL_get_rbio(to->ssl), to);
}

void stream_fini(struct stream *s)
{
    if (s->ssl) {
        /* Nothing more is sent; and a connection that ends without close_notify does not make OpenSSL spoil
         * its session, which others may resume. What breaks TLS has spoiled it before. */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(s->ssl);
        s->ssl = NULL;
    }
    if (s->io.fd >= 0) {
        if (s->shared)
            ev_unwatch(s->ev, &s->io);
        else
            ev_forget(s->ev, &s->io);
        close(s->io.fd);
        s->io.fd = -1;
    }
    buf_fini(&s->out);
    buf_fini(&s->kept);
}

enum rc stream_tls(struct stream *s, SSL *ssl)
{
    BIO *bio = BIO_new(bio_method());
    if (!bio) {
        SSL_free(ssl);
        return RC_NOMEM;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    s->ssl = ssl;
    s->handshaking = true;
    return RC_OK;
}

/* ---- failures ---- */

/* Emptying what is empty costs OpenSSL more than a look. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static enum rc fail(struct stream *s, enum rc rc)
{
    s->failed = true;
    return rc;
}

/* What an SSL call that did not succeed means. */
static enum rc tls_result(struct stream *s, int ret)
{
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_WANT_READ: return RC_AGAIN;
    case SSL_ERROR_WANT_WRITE: s->want_write = true; return RC_AGAIN;
    case SSL_ERROR_ZERO_RETURN: /* close_notify, or FIN without one: then our BIO has seen the end first */
        s->clean_eof |= !s->in_eof;
        s->in_eof = true;
        return RC_CLOSED;
    case SSL_ERROR_SYSCALL:
        s->tls_error = ERR_get_error();
        return s->in_eof && !s->sys_errno ? RC_CLOSED : fail(s, RC_IO);
    default: break;
    }
    s->tls_error = ERR_get_error();
    int reason = ERR_GET_REASON(s->tls_error);
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        s->alert_in = reason - SSL_AD_REASON_OFFSET;
    return fail(s, RC_TLS);
}

enum rc stream_handshake(struct stream *s)
{
    if (s->failed) /* OpenSSL 3.5 would wait for more from whoever is not speaking TLS */
        return RC_IO;
    ERR_clear_error();
    s->want_write = false;
    s->reads_left = READS_MOST;
    int ret = SSL_do_handshake(s->ssl);
    if (ret != 1) {
        enum rc rc = tls_result(s, ret);
        return rc == RC_CLOSED ? fail(s, RC_CLOSED) : rc;
    }
    s->handshaking = false;
    return RC_OK;
}

/* ---- reading ---- */

static enum rc read_plain(struct stream *s, uint8_t *p, size_t n, size_t *got)
{
    size_t kept = buf_len(&s->kept);
    if (kept > 0) {
        *got = kept < n ? kept : n;
        memcpy(p, s->kept.p + s->kept.r, *got);
        buf_consume(&s->kept, *got);
        if (*got == kept)
            buf_fini(&s->kept);
        return RC_OK;
    }
    ssize_t r = recv(s->io.fd, p, n, 0);
    s->ready = r == (ssize_t)n;
    if (r > 0) {
        s->n_in += (uint64_t)r;
        *got = (size_t)r;
        return RC_OK;
    }
    if (r == 0) {
        s->in_eof = s->clean_eof = true;
        return RC_CLOSED;
    }
    if (errno == EAGAIN || errno == EINTR)
        return RC_AGAIN;
    s->sys_errno = errno;
    return fail(s, RC_IO);
}

enum rc stream_read(struct stream *s, uint8_t *p, size_t n, size_t *got)
{
    enum rc rc;
    *got = 0;
    if (s->failed)
        return RC_IO;
    if (!s->ready && !s->in_eof && !stream_has_buffered(s))
        return RC_AGAIN; /* asking the kernel would only tell us the same */
    if (s->ssl) {
        forget_errors();
        s->reads_left = READS_MOST;
        int ret = SSL_read_ex(s->ssl, p, n, got);
        rc = s->asked ? fail(s, RC_DENIED) : ret == 1 ? RC_OK : tls_result(s, ret);
    } else {
        rc = read_plain(s, p, n, got);
    }
    s->drained = rc == RC_AGAIN; /* half a record inside TLS also counts as pending: only a read tells */
    return rc;
}

bool stream_has_buffered(const struct stream *s)
{
    return buf_len(&s->kept) > 0 || (s->ssl && !s->drained && SSL_has_pending(s->ssl));
}

/* ---- writing ---- */

static enum rc write_some(struct stream *s, span bytes, size_t *put)
{
    *put = 0;
    if (s->failed)
        return RC_IO;
    if (s->ssl) {
        forget_errors();
        s->want_write = false;
        int ret = SSL_write_ex(s->ssl, bytes.p, bytes.n, put);
        enum rc rc = ret == 1 ? RC_OK : tls_result(s, ret);
        s->want_write = false; /* what could not be written waits in `out`: that is told apart */
        return rc;
    }
    ssize_t r = send(s->io.fd, bytes.p, bytes.n, MSG_NOSIGNAL);
    if (r >= 0) {
        *put = (size_t)r;
        s->n_out += (uint64_t)r;
        return RC_OK;
    }
    if (errno == EAGAIN || errno == EINTR)
        return RC_AGAIN;
    s->sys_errno = errno;
    return fail(s, RC_IO);
}

enum rc stream_queue(struct stream *s, span bytes)
{
    return buf_put(&s->out, bytes);
}

enum rc stream_flush(struct stream *s)
{
    while (buf_len(&s->out) > 0) {
        size_t put;
        TRY(write_some(s, buf_span(&s->out), &put));
        buf_consume(&s->out, put);
    }
    if (s->out.cap > 0)
        buf_fini(&s->out); /* an idle stream holds nothing */
    return RC_OK;
}

enum rc stream_write(struct stream *s, span bytes)
{
    if (buf_len(&s->out) > 0) {
        /* a head is waiting: let it leave together with the body's first bytes */
        TRY(buf_put(&s->out, bytes));
        enum rc rc = stream_flush(s);
        return rc == RC_AGAIN ? RC_OK : rc;
    }
    while (bytes.n > 0) {
        size_t put;
        enum rc rc = write_some(s, bytes, &put);
        if (rc == RC_AGAIN)
            return buf_put(&s->out, bytes);
        TRY(rc);
        bytes = span_cut(bytes, put, bytes.n);
    }
    return RC_OK;
}

void stream_event(struct stream *s, uint32_t events)
{
    /* TLS may need to write before it can read on: being writable is then as good as being readable */
    if ((events & ~(uint32_t)EPOLLOUT) || s->want_write)
        s->ready = true;
    s->want_write = false;
}

void stream_shut(struct stream *s, bool clean)
{
    if (s->out_shut || s->io.fd < 0)
        return;
    s->out_shut = true;
    if (s->ssl && clean && !s->failed && !s->handshaking) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
    }
    shutdown(s->io.fd, SHUT_WR);
}

void stream_bye(struct stream *s)
{
    if (s->out_shut || s->io.fd < 0)
        return;
    s->out_shut = s->leaving = true;
    if (s->ssl && !s->failed && !s->handshaking) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
    }
}

void stream_abort(struct stream *s)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (s->io.fd >= 0)
        setsockopt(s->io.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    s->failed = true;
}

enum rc stream_watch(struct stream *s)
{
    uint32_t want = 0;
    if (s->io.fd < 0)
        return RC_OK;
    if (!s->in_eof && !s->paused && !s->want_write)
        want |= EPOLLIN;
    if (stream_pending(s) > 0 || s->want_write)
        want |= EPOLLOUT;
    if (want == 0)
        want = EPOLLET; /* only an error or a reset is of interest, and once: level-triggered it would spin */
    return ev_watch(s->ev, &s->io, want);
}

void stream_trim(struct stream *s)
{
    if (s->ssl && !s->handshaking)
        SSL_free_buffers(s->ssl);
    if (buf_len(&s->out) == 0)
        buf_fini(&s->out);
}
