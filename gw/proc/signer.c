/* The signer: the only process with the CA key. It has no file, no socket but its channels, no child, and
 * makes two things: leaves for workers, from plain fields, and CRLs for the master.
 *
 * It trusts no worker. A message that does not parse, a MINT before the LEAFKEY, or a key that is no point on
 * P-256 closes that worker's channel and nothing else. A request that parses is held against the signer's own
 * limits (certs/mint.h), and against a rate per worker number that outlives its channels. Every leaf leaves
 * one line in the operator log, and an entry in the register (certs/leaflog.h) before anybody gets it.
 *
 * The master sends LEAFLOG, CAKEY (public), CAKEY_FD (the key's open file) or TOKEN, then PEER for every
 * worker. The key is read once, before the sandbox closes; a wrong one is said in one line and ends the
 * process, which makes the master refuse to start. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "certs/ca_token.h"
#include "certs/leaflog.h"
#include "gw/base/clock.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/role.h"

enum { CRL_DAYS = 7, REFUSAL_LINES_MS = 1000, STATE_MS = 250, NAME_SHOWN = 200 };

/* Tokens in thousandths, so that a millisecond's worth is a whole number. */
struct bucket {
    int64_t tokens, last_ms;
};

struct client {
    struct signer *signer;
    struct peer *peer;
    bool has_point;
    uint8_t point[65];
};

struct signer {
    struct role_ctx *ctx;
    struct ca *ca;
    struct buf url, chain; /* from CAKEY, until the key comes */
    struct client clients[LIM_WORKERS];
    struct bucket buckets[LIM_WORKERS];
    struct log_rate refusals, unwritten;
    struct leaflog log;
    bool have_log, told; /* told: the master knows the counts */
    bool token;          /* the key is in one */
    uint8_t ca_id[SHA256_BYTES];
    uint64_t made, put_off, refused;
    uint32_t log_errno;
    struct ev_timer tell;
};

static struct signer signer;

/* ---- the key */

/* The whole process into memory that is never swapped out: before the key, so that no copy that a parser
 * makes can be. A limit on locked memory that is too low leaves OpenSSL's locked heap, where the key itself
 * lives. */
static void lock_memory(void)
{
    struct rlimit lim;
    bool unlimited = getrlimit(RLIMIT_MEMLOCK, &lim) == 0 && lim.rlim_cur == RLIM_INFINITY;
    if (mlockall(unlimited ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT) != 0)
        log_info("only the CA key's own pages are locked in memory: %s", strerror(errno));
}

static _Noreturn void refuse_to_start(const struct buf *err, enum rc rc)
{
    log_error("%.*s", buf_len(err) ? (int)buf_len(err) : (int)strlen(rc_text(rc)),
              buf_len(err) ? (const char *)buf_span(err).p : rc_text(rc));
    _exit(1);
}

static void on_cakey(struct signer *s, span payload)
{
    struct rd r = rd_of(payload);
    span url = rd_vec16(&r), chain = rd_bytes(&r, rd_left(&r));
    struct buf none = {0};
    buf_clear(&s->url);
    buf_clear(&s->chain);
    struct rd certs = rd_of(chain);
    span issuing = rd_vec16(&certs);
    enum rc rc = r.bad || certs.bad ? RC_BAD : buf_put(&s->url, url);
    if (rc == RC_OK)
        rc = buf_put(&s->chain, chain);
    if (rc == RC_OK)
        rc = sha256(&issuing, 1, s->ca_id);
    if (rc != RC_OK)
        refuse_to_start(&none, rc);
}

/* The key is there; from now on nothing is opened. */
static void loaded(struct signer *s, enum rc rc, struct buf *err)
{
    if (rc != RC_OK)
        refuse_to_start(err, rc);
    buf_clear(err);
    buf_fini(&s->url);
    buf_fini(&s->chain);
    rc = role_ready(s->ctx);
    if (rc != RC_OK)
        refuse_to_start(err, rc);
    buf_fini(err);
}

static void on_cakey_fd(struct signer *s, int fd)
{
    struct buf err = {0};
    lock_memory();
    enum rc rc = fd < 0 ? RC_BAD : ca_load_key(fd, buf_span(&s->chain), buf_span(&s->url), &s->ca, &err);
    if (fd >= 0)
        close(fd);
    loaded(s, rc, &err);
}

/* The module is loaded, with all that its constructors do, as the signer's user and before the sandbox
 * closes. What it needs later is named in the sandbox by the given descriptors. */
static void on_token(struct signer *s, span payload, const int *fds, size_t n_fds)
{
    struct buf err = {0};
    struct ca_token t;
    enum token_state said = TOKEN_AWAY;
    lock_memory();
    enum rc rc = n_fds < 1 ? RC_BAD : ca_token_get(payload, &t);
    if (rc == RC_OK)
        rc = ca_load_token(&t, fds[0], buf_span(&s->chain), buf_span(&s->url), &s->ca, &said, &err);
    if (rc != RC_OK && said == TOKEN_PIN_REFUSED) {
        log_error("%.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
        _exit(SIGNER_PIN_REFUSED);
    }
    s->token = true;
    if (n_fds > 0)
        close(fds[0]);
    for (size_t i = 1; i < n_fds && i <= SANDBOX_DIRS; i++)
        s->ctx->sandbox_dirs[i - 1] = fds[i];
    loaded(s, rc, &err);
}

/* It was pulled out, or its session has ended: nothing in this process mends that. */
static _Noreturn void token_gone(void)
{
    log_error("alarm: the token with the CA key does not sign any more: hosts with a leaf go on, the signer "
              "starts anew");
    _exit(1);
}

/* ---- the register */

static bool same_file(int a, int b)
{
    struct stat x, y;
    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The first one also says where the chain goes on; a later one is a fresh file. */
static void on_leaflog(struct signer *s, const int *fds, size_t n_fds)
{
    bool torn = false;
    struct buf none = {0};
    int append = n_fds > 0 ? fds[0] : -1, read = n_fds > 1 ? fds[1] : -1;
    enum rc rc = append < 0 ? RC_BAD : RC_OK;
    if (rc == RC_OK && !s->have_log)
        rc = leaflog_resume(&s->log, read, &torn);
    if (rc == RC_OK && torn)
        log_warn(
            "the last line of the register of leaves was cut short (power, full disk); it is left as it is");
    if (rc == RC_OK)
        rc = leaflog_target(&s->log, append, torn && same_file(append, read));
    else if (append >= 0)
        close(append);
    if (read >= 0)
        close(read);
    if (rc != RC_OK)
        refuse_to_start(&none, rc);
    s->have_log = true;
}

/* At most four times a second, so that a flood of refusals is no flood of messages. */
static void on_tell(struct ev_timer *t)
{
    struct signer *s = CONTAINER_OF(t, struct signer, tell);
    struct buf b = {0};
    enum rc rc = buf_put_u64(&b, s->made);
    if (rc == RC_OK)
        rc = buf_put_u64(&b, s->put_off);
    if (rc == RC_OK)
        rc = buf_put_u64(&b, s->refused);
    if (rc == RC_OK)
        rc = buf_put_u32(&b, s->log_errno);
    if (rc == RC_OK && s->ctx->master)
        rc = peer_send(s->ctx->master, MSG_SIGNER_STATE, buf_span(&b), NULL, 0);
    if (rc != RC_OK)
        log_warn("counts of leaves not told: %s", rc_text(rc));
    s->told = true;
    buf_fini(&b);
}

static void count(struct signer *s, uint64_t *n)
{
    ++*n;
    if (s->told)
        ev_timer_set(s->ctx->ev, &s->tell, STATE_MS);
    s->told = false;
}

static enum rc enter(struct client *c, const struct mint_request *req, span leaf)
{
    struct signer *s = c->signer;
    struct leaflog_who who = {.now_s = clock_wall_s(), .worker = (uint32_t)(c - s->clients), .ca = s->ca_id};
    enum rc rc = leaflog_append(&s->log, req, leaf, &who);
    s->log_errno = rc == RC_OK ? 0 : rc == RC_IO ? (uint32_t)errno : EINVAL;
    if (rc != RC_OK && log_rate_ok(&s->unwritten, ev_now_ms(s->ctx->ev), REFUSAL_LINES_MS))
        log_error("alarm: no leaf is given out: the register of leaves cannot be written: %s",
                  strerror((int)s->log_errno));
    return rc == RC_OK ? RC_OK : RC_IO;
}

/* ---- leaves */

static bool take_token(struct bucket *b, int64_t now_ms)
{
    const int64_t full = (int64_t)LIM_MINT_BURST * 1000;
    int64_t gone = now_ms - b->last_ms;
    if (b->last_ms == 0 || gone > full / LIM_MINT_RATE)
        b->tokens = full;
    else
        b->tokens += gone * LIM_MINT_RATE;
    if (b->tokens > full)
        b->tokens = full;
    b->last_ms = now_ms;
    if (b->tokens < 1000)
        return false;
    b->tokens -= 1000;
    return true;
}

static unsigned client_number(const struct client *c)
{
    return (unsigned)(c - c->signer->clients);
}

/* First name and how many more; printable by construction of the line writer, cut to a sane length. */
static void name_text(const struct mint_request *req, char out[NAME_SHOWN + 32])
{
    const struct san *s = &req->sans[0];
    char ip[ADDR_TEXT];
    struct addr a = {.family = s->value.n == 4 ? 4 : 6};
    if (s->kind == SAN_IP)
        memcpy(a.b, s->value.p, s->value.n);
    const char *text = s->kind == SAN_IP ? addr_text(&a, ip) : (const char *)s->value.p;
    size_t n = s->kind == SAN_IP ? strlen(text) : s->value.n;
    int shown = (int)(n < NAME_SHOWN ? n : NAME_SHOWN);
    if (req->n_sans > 1)
        snprintf(out, NAME_SHOWN + 32, "%.*s and %u more", shown, text, req->n_sans - 1u);
    else
        snprintf(out, NAME_SHOWN + 32, "%.*s", shown, text);
}

/* One line for every leaf; refusals, which a client can provoke by the name it asks for, at most one a
 * second. */
static void audit(struct client *c, const struct mint_request *req, enum rc rc, const char *why)
{
    char name[NAME_SHOWN + 32];
    if (rc != RC_OK && !log_rate_ok(&c->signer->refusals, ev_now_ms(c->signer->ctx->ev), REFUSAL_LINES_MS))
        return;
    name_text(req, name);
    if (rc == RC_OK)
        log_info("leaf for %s, asked by worker %u", name, client_number(c));
    else
        log_warn("no leaf for %s, asked by worker %u: %s (%llu put off, %llu refused so far)", name,
                 client_number(c), why ? why : rc_text(rc), (unsigned long long)c->signer->put_off,
                 (unsigned long long)c->signer->refused);
}

static enum rc make_leaf(struct client *c, const struct mint_request *req, struct buf *out)
{
    struct signer *s = c->signer;
    struct bucket *b = &s->buckets[client_number(c)];
    const char *why = NULL;
    enum rc rc = RC_LIMIT;
    if (take_token(b, ev_now_ms(s->ctx->ev)))
        rc = mint_leaf(s->ca, c->point, req, out, &why);
    else
        why = "more leaves per second than a worker needs";
    if (rc == RC_BUG && s->token)
        token_gone();
    if (rc == RC_OK) {
        rc = enter(c, req, buf_span(out));
        why = "it is not in the register";
    }
    count(s, rc == RC_OK ? &s->made : rc == RC_LIMIT ? &s->put_off : &s->refused);
    audit(c, req, rc, why);
    return rc;
}

/* u64 id, u32 rc, DER. */
static enum rc answer(struct client *c, uint64_t id, const struct mint_request *req)
{
    struct buf leaf = {0}, msg = {0};
    enum rc made = make_leaf(c, req, &leaf);
    enum rc rc = buf_put_u64(&msg, id);
    if (rc == RC_OK)
        rc = buf_put_u32(&msg, (uint32_t)made);
    if (rc == RC_OK && made == RC_OK)
        rc = buf_put(&msg, buf_span(&leaf));
    if (rc == RC_OK)
        rc = peer_send(c->peer, MSG_MINTED, buf_span(&msg), NULL, 0);
    buf_fini(&leaf);
    buf_fini(&msg);
    return rc;
}

static void drop_client(struct client *c, const char *why)
{
    if (why)
        log_warn("channel to worker %u closed: %s", client_number(c), why);
    peer_free(c->peer);
    *c = (struct client){.signer = c->signer};
}

static void on_leafkey(struct client *c, span point)
{
    if (point.n != sizeof c->point || !mint_point_ok(point.p)) {
        drop_client(c, "its leaf key is no point on P-256");
        return;
    }
    memcpy(c->point, point.p, sizeof c->point);
    c->has_point = true;
}

static void on_mint(struct client *c, span payload)
{
    struct rd r = rd_of(payload);
    struct mint_request req;
    uint64_t id = rd_u64(&r);
    if (!c->has_point || r.bad || mint_decode(rd_bytes(&r, rd_left(&r)), &req) != RC_OK)
        drop_client(c, "a request that is none");
    else if (answer(c, id, &req) != RC_OK)
        drop_client(c, "it does not take its answers");
}

static void on_worker_msg(struct peer *p, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct client *c = peer_data(p);
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    if (t == MSG_LEAFKEY)
        on_leafkey(c, payload);
    else if (t == MSG_MINT)
        on_mint(c, payload);
}

static void on_worker_end(struct peer *p, enum rc rc)
{
    struct client *c = peer_data(p);
    (void)rc;
    *c = (struct client){.signer = c->signer};
}

/* A worker's channel replaces the one it had before. */
static void on_peer(struct signer *s, span payload, int fd)
{
    struct rd r = rd_of(payload);
    uint32_t number = rd_u32(&r);
    if (fd < 0 || r.bad || number >= LIM_WORKERS || !s->ca) {
        log_warn("channel to a worker that cannot be served");
        if (fd >= 0)
            close(fd);
        return;
    }
    struct client *c = &s->clients[number];
    c->signer = s;
    drop_client(c, NULL);
    if (peer_new(s->ctx->ev, fd, ROLE_SIGNER, ROLE_WORKER, on_worker_msg, on_worker_end, c, &c->peer) !=
        RC_OK)
        log_warn("channel to worker %u not opened", number);
}

/* ---- the master */

static void on_crl_req(struct signer *s)
{
    struct buf der = {0};
    enum rc rc = s->ca ? mint_crl(s->ca, clock_wall_s(), CRL_DAYS, &der) : RC_GONE;
    if (rc == RC_BUG && s->token)
        token_gone();
    if (rc == RC_OK && s->ctx->master)
        rc = peer_send(s->ctx->master, MSG_CRL_REP, buf_span(&der), NULL, 0);
    if (rc != RC_OK)
        log_warn("no CRL made: %s", rc_text(rc));
    buf_fini(&der);
}

static void signer_msg(struct role_ctx *ctx, enum msg_type t, span payload, int *fds, size_t n_fds)
{
    struct signer *s = ctx->state;
    int fd = n_fds ? fds[0] : -1;
    if (t == MSG_LEAFLOG || t == MSG_TOKEN) {
        (t == MSG_TOKEN) ? on_token(s, payload, fds, n_fds) : on_leaflog(s, fds, n_fds);
        return;
    }
    for (size_t i = 1; i < n_fds; i++)
        close(fds[i]);
    switch (t) {
    case MSG_CAKEY: on_cakey(s, payload); return;
    case MSG_CAKEY_FD: on_cakey_fd(s, fd); return;
    case MSG_PEER: on_peer(s, payload, fd); return;
    case MSG_CRL_REQ: on_crl_req(s); break;
    default: log_debug("message %s is not for the signer", msg_name(t)); break;
    }
    if (fd >= 0)
        close(fd);
}

static enum rc signer_start(struct role_ctx *ctx)
{
    signer = (struct signer){.ctx = ctx, .log = {.fd = -1}, .told = true};
    ev_timer_init(&signer.tell, on_tell);
    ctx->state = &signer;
    return RC_OK;
}

/* Nothing of the signer outlives its channels; the key's memory is wiped with them. */
static void signer_stop(struct role_ctx *ctx, uint32_t grace_ms)
{
    struct signer *s = ctx->state;
    (void)grace_ms;
    for (size_t i = 0; i < N_ELEMS(s->clients); i++) {
        if (s->clients[i].peer)
            drop_client(&s->clients[i], NULL);
    }
    ev_timer_stop(ctx->ev, &s->tell);
    ca_free(s->ca);
    s->ca = NULL;
    leaflog_fini(&s->log);
    ev_stop(ctx->ev);
}

const struct role_ops signer_ops = {
    .role = ROLE_SIGNER,
    .start = signer_start,
    .on_msg = signer_msg,
    .on_stop = signer_stop,
};
