/* What each child is given: descriptors and plain bytes, never a path. A worker gets its listening sockets
 * last, when it has all that an accepted flow needs; a signer gets the key's open file first. Channels
 * between two children are made here, one pair for every worker, anew whenever either end is a new process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "certs/ca_switch.h"
#include "certs/untrusted.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/master_int.h"
#include "gw/proc/sandbox.h"
#include "gw/siem/event.h"

enum { TRUST_MAX = 16 << 20, DAY_S = 86400, TICKET_EARLY_MS = 60000 };
static const char log_file[] = "eve.json";

static enum rc out_of(struct buf *err, const char *what)
{
    return buf_printf(err, "%s: %s\n", what, strerror(errno)) == RC_OK ? RC_CONFIG : RC_NOMEM;
}

/* ---- what is opened once ---- */

static enum rc open_ring(struct master *m, uint32_t w, struct buf *err)
{
    if (ring_create(m->config.boot, w, &m->ring_fd[w]) != RC_OK)
        return out_of(err, "memory for a ring to the logger");
    m->ring_wake[w] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return m->ring_wake[w] < 0 ? out_of(err, "eventfd") : RC_OK;
}

/* The key's descriptors only prove that it can be had; the signer's own are opened when it is started. */
static enum rc open_ca(struct master *m, struct ca_source *source, struct buf *err)
{
    struct buf chain = {0};
    enum rc rc = ca_open(m->o->state, "ca", sandbox_uid(ROLE_SIGNER, 0), clock_wall_s(), source, &chain, err);
    if (rc == RC_OK && !span_eq(buf_span(&chain), buf_span(&m->ca))) {
        buf_clear(&m->ca);
        buf_clear(&m->crl);
        m->ca_generation++;
        rc = buf_put(&m->ca, buf_span(&chain));
    }
    buf_fini(&chain);
    return rc;
}

static bool new_click_key(struct master *m)
{
    uint8_t key[CLICK_KEY];
    bool ok = getrandom(key, sizeof key, 0) == sizeof key;
    if (ok)
        click_key(&m->clicks, (uint8_t)(m->clicks.k[0].number + 1), key);
    explicit_bzero(key, sizeof key);
    return ok;
}

static bool new_ticket_key(struct master *m)
{
    uint8_t key[TICKET_KEY];
    bool ok = getrandom(key, sizeof key, 0) == sizeof key &&
              ticket_key(&m->tickets, m->tickets.k[0].number + 1, key) == RC_OK;
    explicit_bzero(key, sizeof key);
    m->tickets_ms = clock_mono_ms();
    return ok;
}

enum rc feed_open(struct master *m, struct buf *err)
{
    struct ca_source source;
    TRY(open_ca(m, &source, err));
    ca_source_close(&source);
    TRY(untrusted_open(m->o->state, clock_wall_s(), &m->untrusted, err));
    TRY(state_secret(&m->state, m->secret, err));
    uint64_t random;
    if (!new_click_key(m) || !new_ticket_key(m))
        return out_of(err, "random numbers");
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return out_of(err, "random numbers");
    m->config.boot = random >> 12; /* stands in log lines: 52 bits survive every reader of JSON */
    TRY(leaves_open(m, err));
    TRY(state_seen_dir(&m->state, sandbox_uid(ROLE_LOGGER, 0), &m->seen_fd, err));
    TRY(state_journal_dir(&m->state, sandbox_uid(ROLE_LOGGER, 0), &m->journal_fd, err));
    return state_log_dir(&m->state, m->o->log_dir, sandbox_uid(ROLE_LOGGER, 0), &m->log_fd, err);
}

static void node_name(struct role_config *c, span from_policy)
{
    size_t n = from_policy.n < sizeof c->node_name ? from_policy.n : sizeof c->node_name - 1;
    if (n == 0 && gethostname(c->node_name, sizeof c->node_name - 1) == 0)
        return;
    memcpy(c->node_name, from_policy.p, n);
    c->node_name[n] = '\0';
}

enum rc feed_open_policy(struct master *m, const struct settings *s, uint32_t n_workers, struct buf *err)
{
    char trust[4096];
    if (s->trust.n >= sizeof trust)
        return RC_CONFIG;
    memcpy(trust, s->trust.p, s->trust.n);
    trust[s->trust.n] = '\0';
    TRY(state_file_memfd(trust, TRUST_MAX, &m->trust_fd, err));
    TRY(doors_open(&m->doors, s, n_workers, NULL, err));
    for (uint32_t w = 0; w < n_workers; w++)
        TRY(open_ring(m, w, err));
    TRY(open_ring(m, LIM_WORKERS, err));
    if (ring_map(m->ring_fd[LIM_WORKERS], &m->own_ring) != RC_OK)
        return out_of(err, "the master's ring");
    m->config.n_resolvers = (uint8_t)state_resolvers("/etc/resolv.conf", m->config.resolver);
    node_name(&m->config, s->node);
    m->n_workers = n_workers;
    return RC_OK;
}

/* ---- pieces ---- */

static enum rc feed_config(struct child *c)
{
    struct role_config config = c->m->config;
    struct buf b = {0};
    config.index = c->index;
    enum rc rc = role_config_put(&b, &config);
    if (rc == RC_OK)
        child_send(c, MSG_CONFIG, buf_span(&b), NULL, 0);
    buf_fini(&b);
    return rc;
}

void feed_snapshot(struct child *c)
{
    const struct policy *p = &c->m->policy;
    struct buf b = {0};
    if (manifest_put(&b, snapshot_manifest(p->snap)) == RC_OK)
        child_send(c, MSG_SNAPSHOT, buf_span(&b), p->fd, SNAP_PARTS);
    buf_fini(&b);
}

static void feed_old(void *arg, span payload)
{
    child_send(arg, MSG_OLD_CA, payload, NULL, 0);
}

/* What was ours stays refused as an origin's, and the CRLs of leaves that clients were given stay answered.
 */
static void feed_old_cas(struct child *c)
{
    struct buf err = {0};
    child_send(c, MSG_OLD_CA, SPAN_NONE, NULL, 0);
    enum rc rc = ca_each_old(c->m->o->state, feed_old, c, &err);
    if (rc != RC_OK || buf_len(&err))
        log_error("alarm: an authority that was in force is not known any more: %.*s",
                  buf_len(&err) ? (int)buf_len(&err) : (int)strlen(rc_text(rc)),
                  buf_len(&err) ? (const char *)buf_span(&err).p : rc_text(rc));
    buf_fini(&err);
}

static enum rc feed_ca(struct child *c)
{
    struct buf b = {0};
    enum rc rc = buf_put_u16(&b, c->m->ca_generation);
    if (rc == RC_OK)
        rc = buf_put(&b, buf_span(&c->m->ca));
    if (rc == RC_OK)
        child_send(c, MSG_CA, buf_span(&b), NULL, 0);
    buf_fini(&b);
    feed_old_cas(c);
    return rc;
}

void feed_hits(struct child *c)
{
    int fd;
    if (counts_table(&c->m->counts, c->index, &fd) == RC_OK)
        child_send(c, MSG_HITS, SPAN_NONE, &fd, 1);
    else
        log_error("alarm: worker %u does not count rules: no memory", (unsigned)c->index);
}

void feed_codes(struct child *c)
{
    struct buf b = {0}, err = {0};
    uint64_t from, to;
    enum rc rc = state_codes(&c->m->state, &from, &to, &err);
    if (rc == RC_OK)
        rc = buf_put_u64(&b, from);
    if (rc == RC_OK)
        rc = buf_put_u64(&b, to);
    if (rc == RC_OK)
        child_send(c, MSG_CODES, buf_span(&b), NULL, 0);
    else
        log_error("decision codes: %.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
    buf_fini(&b);
    buf_fini(&err);
}

static void feed_day(struct child *c, uint32_t day)
{
    struct buf b = {0};
    uint8_t key[PSEUDO_KEY];
    pseudonym_day_key(c->m->secret, day, key);
    if (buf_put_u32(&b, day) == RC_OK && buf_put(&b, span_of(key, sizeof key)) == RC_OK)
        child_send(c, MSG_PSEUDO, buf_span(&b), NULL, 0);
    explicit_bzero(key, sizeof key);
    buf_fini(&b);
}

/* The older one first: the last that comes is the one that signs. */
static void feed_clicks(struct child *c)
{
    for (size_t i = N_ELEMS(c->m->clicks.k); i-- > 0;) {
        uint8_t payload[1 + CLICK_KEY] = {c->m->clicks.k[i].number};
        if (!c->m->clicks.k[i].have)
            continue;
        memcpy(payload + 1, c->m->clicks.k[i].key, CLICK_KEY);
        child_send(c, MSG_CLICKKEY, span_of(payload, sizeof payload), NULL, 0);
        explicit_bzero(payload, sizeof payload);
    }
}

static void feed_tickets(struct child *c)
{
    for (size_t i = TICKET_KEYS; i-- > 0;) {
        uint32_t n = c->m->tickets.k[i].number;
        uint8_t payload[4 + TICKET_KEY] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                                           (uint8_t)n};
        if (!c->m->tickets.k[i].have)
            continue;
        memcpy(payload + 4, c->m->tickets.k[i].key, TICKET_KEY);
        child_send(c, MSG_TICKETKEY, span_of(payload, sizeof payload), NULL, 0);
        explicit_bzero(payload, sizeof payload);
    }
}

static uint32_t today(void)
{
    return (uint32_t)(clock_wall_s() / DAY_S);
}

static void feed_door(struct child *c, const struct door *d)
{
    const uint8_t payload[4] = {(uint8_t)d->at.kind, 0, (uint8_t)(d->at.port >> 8), (uint8_t)d->at.port};
    child_send(c, MSG_LISTENER, span_of(payload, sizeof payload), &d->fd[c->index], 1);
}

static void feed_gone(struct child *c, const struct door *d)
{
    uint8_t payload[20] = {(uint8_t)d->at.kind, d->at.addr.family, (uint8_t)(d->at.port >> 8),
                           (uint8_t)d->at.port};
    memcpy(payload + 4, d->at.addr.b, 16);
    child_send(c, MSG_LISTENER_GONE, span_of(payload, sizeof payload), NULL, 0);
}

void feed_doors(struct child *c, const struct doors *had)
{
    for (size_t i = 0; had && i < had->n; i++) {
        if (!doors_find(&c->m->doors, &had->door[i].at))
            feed_gone(c, &had->door[i]);
    }
    for (size_t i = 0; i < c->m->doors.n; i++) {
        if (!doors_find(had, &c->m->doors.door[i].at))
            feed_door(c, &c->m->doors.door[i]);
    }
}

/* ---- channels between children ---- */

/* One end to the worker, the other, with the worker's number, to its helper. */
static void join(struct child *worker, enum msg_type to_worker, struct child *helper, enum msg_type to_helper)
{
    int pair[2];
    const uint8_t number[4] = {0, 0, 0, (uint8_t)worker->index};
    if (!worker->peer || !helper->peer || worker->state == CHILD_ENDING || helper->state == CHILD_ENDING)
        return;
    if (peer_pair(pair) != RC_OK) {
        log_error("no channel between worker %u and %s: errno %d", (unsigned)worker->index,
                  role_name(helper->role), errno);
        return;
    }
    child_send(helper, to_helper, span_of(number, sizeof number), &pair[1], 1);
    child_send(worker, to_worker, SPAN_NONE, &pair[0], 1);
    close(pair[0]);
    close(pair[1]);
}

static void join_all(struct child *helper, enum msg_type to_worker, enum msg_type to_helper)
{
    for (uint32_t w = 0; w < helper->m->n_workers; w++)
        join(&helper->m->worker[w], to_worker, helper, to_helper);
}

/* ---- each role ---- */

/* What is written into leaves: the policy's address, and for a CA that followed another what tells them
 * apart. */
static enum rc crl_pointer(const struct master *m, const struct ca_source *source, struct buf *url)
{
    TRY(buf_put(url, snapshot_settings(m->policy.snap)->crl));
    if (buf_len(url) == 0 || !source->pointer[0])
        return RC_OK;
    TRY(buf_put_u8(url, '?'));
    return buf_put_str(url, source->pointer);
}

static enum rc put_cakey(struct master *m, const struct ca_source *source, struct buf *b)
{
    struct buf url = {0};
    enum rc rc = crl_pointer(m, source, &url);
    if (rc == RC_OK &&
        !span_eq(buf_span(&url), buf_span(&m->crl_url))) { /* leaves with the old one are of no use */
        buf_clear(&m->crl_url);
        m->ca_generation++;
        rc = buf_put(&m->crl_url, buf_span(&url));
    }
    if (rc == RC_OK)
        rc = buf_put_u16(b, (uint16_t)buf_len(&url));
    if (rc == RC_OK)
        rc = buf_put(b, buf_span(&url));
    if (rc == RC_OK)
        rc = buf_put(b, buf_span(&m->ca));
    buf_fini(&url);
    return rc;
}

static enum rc feed_signer(struct child *c)
{
    struct master *m = c->m;
    struct buf b = {0}, err = {0};
    uint16_t before = m->ca_generation;
    struct ca_source source;
    enum rc rc = open_ca(m, &source, &err);
    if (rc != RC_OK)
        log_error("%.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
    if (rc == RC_OK)
        rc = put_cakey(m, &source, &b);
    if (rc == RC_OK) {
        leaves_feed(c);
        child_send(c, MSG_CAKEY, buf_span(&b), NULL, 0);
        child_send(c, source.token ? MSG_TOKEN : MSG_CAKEY_FD, buf_span(&source.spec), source.fds,
                   source.n_fds);
        memcpy(m->pin_given, source.pin, sizeof m->pin_given);
        for (uint32_t w = 0; before != m->ca_generation && w < m->n_workers; w++)
            rc = m->worker[w].peer ? feed_ca(&m->worker[w]) : rc;
        join_all(c, MSG_SIGNER, MSG_PEER);
    }
    ca_source_close(&source);
    buf_fini(&b);
    buf_fini(&err);
    return rc;
}

bool feed_pin_held(struct master *m)
{
    static const uint64_t none[N_ELEMS(m->pin_refused)];
    struct ca_source source;
    struct buf chain = {0}, err = {0};
    if (memcmp(m->pin_refused, none, sizeof none) == 0)
        return false;
    bool same = ca_open(m->o->state, "ca", sandbox_uid(ROLE_SIGNER, 0), clock_wall_s(), &source, &chain,
                        &err) == RC_OK &&
                memcmp(source.pin, m->pin_refused, sizeof none) == 0;
    if (!same)
        memcpy(m->pin_refused, none, sizeof none);
    ca_source_close(&source);
    buf_fini(&chain);
    buf_fini(&err);
    return same;
}

static void feed_ring(struct child *logger, uint32_t w)
{
    struct buf b = {0};
    const int fds[2] = {logger->m->ring_fd[w], logger->m->ring_wake[w]};
    if (buf_put_u32(&b, w) == RC_OK && buf_put_u64(&b, logger->m->config.boot) == RC_OK)
        child_send(logger, MSG_RINGS, buf_span(&b), fds, 2);
    buf_fini(&b);
}

static enum rc feed_logger(struct child *c)
{
    struct master *m = c->m;
    leaves_feed_logger(c); /* before the file that it says READY to */
    child_send(c, MSG_JOURNAL, SPAN_NONE, &m->journal_fd, 1);
    child_send(c, MSG_SEEN, SPAN_NONE, &m->seen_fd, 1);
    child_send(c, MSG_LOGFILE, SPAN(log_file), &m->log_fd, 1);
    for (uint32_t w = 0; w < m->n_workers; w++)
        feed_ring(c, w);
    feed_ring(c, LIM_WORKERS);
    return RC_OK;
}

static enum rc feed_worker(struct child *c)
{
    struct master *m = c->m;
    const int ring[2] = {m->ring_fd[c->index], m->ring_wake[c->index]};
    feed_snapshot(c);
    child_send(c, MSG_TRUST, SPAN_NONE, &m->trust_fd, 1);
    TRY(feed_ca(c));
    child_send(c, MSG_UNTRUSTED, buf_span(&m->untrusted), NULL, 0);
    if (buf_len(&m->crl))
        child_send(c, MSG_CRL, buf_span(&m->crl), NULL, 0);
    child_send(c, MSG_RING, SPAN_NONE, ring, 2);
    feed_hits(c);
    child_send(c, MSG_BROKEN, SPAN_NONE, &m->broken_fd, 1);
    feed_codes(c);
    feed_day(c, today());
    feed_day(c, today() + 1);
    feed_clicks(c);
    feed_tickets(c);
    join(c, MSG_SIGNER, &m->single[ROLE_SIGNER], MSG_PEER);
    join(c, MSG_OPENER, &m->single[ROLE_OPENER], MSG_OPENER_PEER);
    join(c, MSG_FETCHER, &m->single[ROLE_FETCHER], MSG_FETCH_PEER);
    feed_revocations(c);
    feed_doors(c, NULL);
    return RC_OK;
}

static enum rc feed_opener(struct child *c)
{
    join_all(c, MSG_OPENER, MSG_OPENER_PEER);
    return RC_OK;
}

static enum rc feed_fetcher(struct child *c)
{
    feed_fetch_rules(c->m); /* closes its sandbox */
    feed_revocations(c);
    join_all(c, MSG_FETCHER, MSG_FETCH_PEER);
    return RC_OK;
}

enum rc feed_child(struct child *c)
{
    TRY(feed_config(c));
    switch (c->role) {
    case ROLE_SIGNER: return feed_signer(c);
    case ROLE_WORKER: return feed_worker(c);
    case ROLE_LOGGER: return feed_logger(c);
    case ROLE_OPENER: return feed_opener(c);
    case ROLE_FETCHER: return feed_fetcher(c);
    case ROLE_KEEPER: gate_feed_keeper(c); return RC_OK;
    default: return RC_OK;
    }
}

/* ---- later ---- */

void feed_clock(struct master *m)
{
    size_t it = 0;
    for (struct child *c; (c = children_next(m, &it)) != NULL;) {
        if (c->peer && feed_config(c) != RC_OK)
            log_error("%s did not learn of the clock", role_name(c->role));
    }
}

void feed_crl(struct master *m, span crl)
{
    buf_clear(&m->crl);
    if (buf_put(&m->crl, crl) != RC_OK)
        return;
    for (uint32_t w = 0; w < m->n_workers; w++)
        child_send(&m->worker[w], MSG_CRL, crl, NULL, 0);
}

/* Keys are replaced by the monotonic clock: setting the other one neither hurries nor stops it. */
static void replace_ticket_key(struct master *m)
{
    if (clock_mono_ms() - m->tickets_ms < LIM_TICKET_KEY_S * INT64_C(1000) - TICKET_EARLY_MS)
        return;
    if (!new_ticket_key(m))
        log_error("no random numbers for a new key: session tickets go on with the old one");
    for (uint32_t w = 0; w < m->n_workers; w++)
        feed_tickets(&m->worker[w]);
}

void feed_hourly(struct master *m)
{
    replace_ticket_key(m);
    leaves_turn(m);
    if (today() == m->day)
        return;
    if (m->day)
        child_send(&m->single[ROLE_SIGNER], MSG_CRL_REQ, SPAN_NONE, NULL, 0);
    if (m->day && !new_click_key(m))
        log_error("no random numbers for a new key: clicks past warnings go on with the old one");
    m->day = today();
    for (uint32_t w = 0; w < m->n_workers; w++) {
        feed_day(&m->worker[w], m->day);
        feed_day(&m->worker[w], m->day + 1);
        feed_clicks(&m->worker[w]);
    }
}
