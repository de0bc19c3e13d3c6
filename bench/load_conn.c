/* The way of one connection of the load client. Each step returns true when the next state can go on at once,
 * false when it waits for the descriptor or when the connection has ended. The answers are read strictly but
 * simply: this program is the judge of the gateway's relay, so it shares no parser with it. */
#include "bench/load_conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/pki.h"
#include "gw/base/clock.h"

static const char REQUEST[] =
    "GET %s HTTP/1.1\r\n"
    "Host: %s\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: fr-BE,fr;q=0.8,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n\r\n";

static void name_of(const struct load_client *lc, const struct load_conn *c, char out[PKI_NAME_MAX])
{
    pki_name(lc->plan->names > 1 ? 1 + c->number % lc->plan->names : 0, out);
}

static bool is_big(const struct load_client *lc, const struct load_conn *c)
{
    return lc->plan->big_every > 0 && c->number % lc->plan->big_every == lc->plan->big_every - 1;
}

/* Before the go every connection asks for the small body. */
static uint64_t wanted_len(const struct load_client *lc, const struct load_conn *c)
{
    if (lc->plan->hold && !c->released)
        return 1024;
    return is_big(lc, c) ? lc->plan->big_len : lc->plan->body_len;
}

static const char *wanted_path(const struct load_client *lc, const struct load_conn *c)
{
    if (lc->plan->hold && !c->released)
        return "/1k";
    return is_big(lc, c) ? lc->plan->big_path : lc->plan->path;
}

static void close_conn(struct load_client *lc, struct load_conn *c, bool orderly)
{
    if (c->ssl && orderly) {
        ERR_clear_error();
        SSL_shutdown(c->ssl);
    }
    SSL_free(c->ssl);
    if (c->fd >= 0)
        close(c->fd);
    if (c->state == LS_HELD)
        lc->held--;
    else
        lc->active--;
    c->state = LS_FREE;
    c->ssl = NULL;
    c->fd = -1;
    atomic_fetch_add(&lc->shared->ended, 1);
}

void load_conn_fail(struct load_client *lc, struct load_conn *c, enum load_error why)
{
    struct load_shared *s = lc->shared;
    char detail[120] = "";
    unsigned long e = ERR_peek_error();
    if (why == LOAD_E_HANDSHAKE && c->ssl && SSL_get_verify_result(c->ssl) != X509_V_OK) {
        why = LOAD_E_VERIFY;
        snprintf(detail, sizeof(detail), "%s", X509_verify_cert_error_string(SSL_get_verify_result(c->ssl)));
    } else if (e != 0) {
        ERR_error_string_n(e, detail, sizeof(detail));
    } else if (errno != 0 && errno != EAGAIN) {
        snprintf(detail, sizeof(detail), "%s", strerrordesc_np(errno));
    }
    s->errors[why]++;
    if (s->first_error[0] == '\0')
        snprintf(s->first_error, sizeof(s->first_error), "connection %llu: %s%s%s",
                 (unsigned long long)c->number, load_error_text(why), detail[0] ? ": " : "", detail);
    close_conn(lc, c, false);
}

void load_conn_open(struct load_client *lc, struct load_conn *c, uint64_t number, int64_t begun_us)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    *c = (struct load_conn){.state = LS_CONNECT, .number = number, .begun_us = begun_us, .requests = 1};
    if (!lc->plan->hold)
        c->requests = lc->plan->requests;
    lc->active++;
    errno = 0;
    ERR_clear_error();
    c->fd = socket(lc->target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || epoll_ctl(lc->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
        load_conn_fail(lc, c, LOAD_E_CONNECT);
        return;
    }
    if (connect(c->fd, (struct sockaddr *)&lc->target, lc->target_len) != 0 && errno != EINPROGRESS)
        load_conn_fail(lc, c, LOAD_E_CONNECT);
}

/* App data of the SSL: where its name's sessions are kept. */
int load_conn_session(SSL *ssl, SSL_SESSION *session)
{
    struct load_sessions *of = SSL_get_app_data(ssl);
    SSL_SESSION *own = SSL_SESSION_dup(session); /* OpenSSL spoils its own when the next one comes */
    if (!own)
        return 0;
    if (of->n == LOAD_SESSIONS)
        SSL_SESSION_free(of->kept[--of->n]);
    of->kept[of->n++] = own;
    return 0;
}

/* Each is used once (some gateways forget it then), but for the last one, which many connections may offer.
 */
static bool offer_session(const struct load_client *lc, const struct load_conn *c)
{
    if (!lc->sessions)
        return true;
    struct load_sessions *of = &lc->sessions[lc->plan->names > 1 ? c->number % lc->plan->names : 0];
    SSL_set_app_data(c->ssl, of);
    if (of->n == 0)
        return true;
    SSL_SESSION *one = of->n > 1 ? of->kept[--of->n] : SSL_SESSION_dup(of->kept[0]);
    bool ok = SSL_set_session(c->ssl, one) == 1;
    SSL_SESSION_free(one);
    return ok;
}

static bool start_tls(struct load_client *lc, struct load_conn *c)
{
    char name[PKI_NAME_MAX];
    name_of(lc, c, name);
    ERR_clear_error();
    c->ssl = SSL_new(lc->ctx);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_set_tlsext_host_name(c->ssl, name) != 1 ||
        SSL_set1_host(c->ssl, name) != 1 || !offer_session(lc, c)) {
        load_conn_fail(lc, c, LOAD_E_HANDSHAKE);
        return false;
    }
    c->state = LS_HANDSHAKE;
    return true;
}

/* The SYN's answer is there; an explicit proxy is asked for the name first. */
static bool step_connect(struct load_client *lc, struct load_conn *c)
{
    char name[PKI_NAME_MAX], ask[3 * PKI_NAME_MAX];
    socklen_t len = sizeof(errno);
    int failed = 0;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0 || failed != 0) {
        errno = failed;
        load_conn_fail(lc, c, LOAD_E_CONNECT);
        return false;
    }
    struct sockaddr_storage peer;
    len = sizeof(peer);
    if (getpeername(c->fd, (struct sockaddr *)&peer, &len) != 0)
        return false; /* not connected yet */
    if (!lc->plan->connect_first)
        return start_tls(lc, c);
    name_of(lc, c, name);
    int n = snprintf(ask, sizeof(ask), "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", name, name);
    if (send(c->fd, ask, (size_t)n, MSG_NOSIGNAL) != n) {
        load_conn_fail(lc, c, LOAD_E_PROXY);
        return false;
    }
    c->state = LS_PROXY;
    return true;
}

/* The proxy says nothing behind its answer's head before our hello, so whatever comes belongs to the head. */
static bool step_proxy(struct load_client *lc, struct load_conn *c)
{
    ssize_t n = recv(c->fd, c->head + c->head_len, sizeof(c->head) - c->head_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (n <= 0 || (size_t)n + c->head_len >= sizeof(c->head)) {
        load_conn_fail(lc, c, LOAD_E_PROXY);
        return false;
    }
    c->head_len = (uint16_t)(c->head_len + n);
    span head = span_of(c->head, c->head_len);
    if (!span_has_suffix(head, SPAN("\r\n\r\n")))
        return true;
    if (!span_has_prefix(head, SPAN("HTTP/1.1 200 "))) {
        load_conn_fail(lc, c, LOAD_E_PROXY);
        return false;
    }
    c->head_len = 0;
    return start_tls(lc, c);
}

/* What an SSL call that gave no result means: wait (nothing is done), or the end. */
static void not_now(struct load_client *lc, struct load_conn *c, int ret, enum load_error why)
{
    int e = SSL_get_error(c->ssl, ret);
    if (e == SSL_ERROR_ZERO_RETURN)
        errno = 0; /* an orderly end, no error of the system */
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
        load_conn_fail(lc, c, why);
}

static bool step_handshake(struct load_client *lc, struct load_conn *c)
{
    ERR_clear_error();
    errno = 0;
    int ret = SSL_connect(c->ssl);
    if (ret != 1) {
        not_now(lc, c, ret, LOAD_E_HANDSHAKE);
        return false;
    }
    lc->shared->resumed += SSL_session_reused(c->ssl) == 1;
    c->state = LS_SEND;
    return true;
}

/* Into the scratch; how many bytes. */
static int put_request(struct load_client *lc, struct load_conn *c)
{
    char name[PKI_NAME_MAX];
    name_of(lc, c, name);
    if (!lc->plan->h2)
        return snprintf((char *)lc->scratch, sizeof(lc->scratch), REQUEST, wanted_path(lc, c), name);
    struct buf out;
    buf_init(&out, sizeof(lc->scratch));
    load_h2_request(&c->h2, name, wanted_path(lc, c), &out);
    size_t n = buf_len(&out);
    memcpy(lc->scratch, out.p + out.r, n);
    buf_fini(&out);
    return (int)n;
}

static bool step_send(struct load_client *lc, struct load_conn *c)
{
    int n = put_request(lc, c);
    c->asked_us = clock_mono_us();
    c->head_len = 0;
    ERR_clear_error();
    errno = 0;
    int ret = SSL_write(c->ssl, lc->scratch, n);
    if (ret <= 0) {
        not_now(lc, c, ret, LOAD_E_EARLY);
        return false;
    }
    c->state = LS_HEAD;
    return true;
}

static void request_done(struct load_client *lc, struct load_conn *c)
{
    struct load_shared *s = lc->shared;
    int64_t now = clock_mono_us();
    bool counts = !lc->plan->hold || c->released;
    bool first = c->requests == lc->plan->requests && !lc->plan->hold;
    int64_t since = first ? c->begun_us : c->late_us ? c->late_us : c->asked_us;
    atomic_fetch_add(&s->requests_ok, counts ? 1 : 0);
    if (counts)
        hist_add(&s->latency_us, now > since ? (uint64_t)(now - since) : 0);
    c->state = LS_SEND;
    if (--c->requests > 0)
        return;
    if (lc->plan->hold && (!c->released || lc->plan->pace > 0)) {
        c->state = LS_HELD;
        lc->held++;
        lc->active--;
        return;
    }
    s->ok++;
    close_conn(lc, c, true);
}

/* Body bytes that came; true when the answer is whole and the connection goes on. */
static bool take_body(struct load_client *lc, struct load_conn *c, uint64_t n)
{
    if (n > c->body_left) {
        load_conn_fail(lc, c, LOAD_E_LENGTH);
        return false;
    }
    c->body_left -= n;
    lc->shared->bytes += n;
    c->state = LS_BODY;
    if (c->body_left > 0)
        return true;
    request_done(lc, c);
    return c->state != LS_FREE;
}

/* Where the empty line ends, or 0. */
static size_t head_end(span head)
{
    for (size_t i = 3; i < head.n; i++) {
        if (head.p[i] == '\n' && head.p[i - 1] == '\r' && head.p[i - 2] == '\n' && head.p[i - 3] == '\r')
            return i + 1;
    }
    return 0;
}

/* The number in Content-Length; false without one. */
static bool content_length(span head, uint64_t *len)
{
    static const span NAME = {(const uint8_t *)"content-length:", 15};
    for (size_t from = 0; from < head.n;) {
        size_t end = span_find(head, '\n', from);
        end = end == SIZE_MAX ? head.n : end;
        span line = span_cut(head, from, end > from ? end - 1 : end);
        if (line.n > NAME.n && span_ieq(span_cut(line, 0, NAME.n), NAME))
            return span_to_u64(span_trim(span_cut(line, NAME.n, line.n)), UINT64_MAX, len);
        from = end + 1;
    }
    return false;
}

static bool take_head(struct load_client *lc, struct load_conn *c, span bytes)
{
    size_t before = c->head_len, room = sizeof(c->head) - before;
    size_t n = bytes.n < room ? bytes.n : room;
    memcpy(c->head + before, bytes.p, n);
    c->head_len = (uint16_t)(before + n);
    span head = span_of(c->head, c->head_len);
    size_t end = head_end(head);
    uint64_t len = 0;
    if (end == 0 && c->head_len < sizeof(c->head))
        return true;
    head = span_cut(head, 0, end);
    if (!span_has_prefix(head, SPAN("HTTP/1.1 200 ")) || !content_length(head, &len)) {
        load_conn_fail(lc, c, LOAD_E_STATUS);
        return false;
    }
    if (len != wanted_len(lc, c)) {
        load_conn_fail(lc, c, LOAD_E_LENGTH);
        return false;
    }
    c->body_left = len;
    return take_body(lc, c, bytes.n - (end - before));
}

/* Frames, also such as belong to no request. */
static bool take_frames(struct load_client *lc, struct load_conn *c, span bytes)
{
    struct buf reply;
    buf_init(&reply, 0);
    enum load_h2_got got = load_h2_take(&c->h2, bytes, &reply);
    bool said = buf_len(&reply) == 0 || SSL_write(c->ssl, reply.p, (int)buf_len(&reply)) > 0;
    buf_fini(&reply);
    if (got == LOAD_H2_BROKEN || !said || (got == LOAD_H2_WHOLE && c->h2.content != wanted_len(lc, c))) {
        load_conn_fail(lc, c, got == LOAD_H2_WHOLE ? LOAD_E_LENGTH : LOAD_E_STATUS);
        return false;
    }
    if (got == LOAD_H2_MORE)
        return true;
    lc->shared->bytes += c->h2.content;
    c->h2.content = 0;
    request_done(lc, c);
    return c->state != LS_FREE;
}

static bool step_read(struct load_client *lc, struct load_conn *c)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(c->ssl, lc->scratch, sizeof(lc->scratch));
    if (n <= 0) {
        not_now(lc, c, n, c->state == LS_HELD ? LOAD_E_IDLE : LOAD_E_EARLY);
        return false;
    }
    if (lc->plan->h2)
        return take_frames(lc, c, span_of(lc->scratch, (size_t)n));
    if (c->state == LS_HELD) {
        load_conn_fail(lc, c, LOAD_E_LENGTH);
        return false;
    }
    return c->state == LS_HEAD ? take_head(lc, c, span_of(lc->scratch, (size_t)n))
                               : take_body(lc, c, (uint64_t)n);
}

void load_conn_ready(struct load_client *lc, struct load_conn *c)
{
    bool on = true;
    while (on) {
        switch (c->state) {
        case LS_FREE: on = false; break;
        case LS_CONNECT: on = step_connect(lc, c); break;
        case LS_PROXY: on = step_proxy(lc, c); break;
        case LS_HANDSHAKE: on = step_handshake(lc, c); break;
        case LS_SEND: on = step_send(lc, c); break;
        case LS_HEAD:
        case LS_BODY:
        case LS_HELD: on = step_read(lc, c); break;
        }
    }
}

void load_conn_release(struct load_client *lc, struct load_conn *c)
{
    c->released = true;
    c->requests = lc->plan->pace > 0 ? 1 : lc->plan->requests;
    c->state = LS_SEND;
    lc->held--;
    lc->active++;
    load_conn_ready(lc, c);
}

void load_conn_close(struct load_client *lc, struct load_conn *c)
{
    lc->shared->ok++;
    close_conn(lc, c, true);
}
