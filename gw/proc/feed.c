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

#include "certs/ca.h"
#include "certs/untrusted.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/proc/master_int.h"
#include "gw/proc/sandbox.h"
#include "gw/siem/event.h"

enum { TRUST_MAX = 16 << 20, DAY_S = 86400 };
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

/* The key's descriptor only proves that the file can be had; the signer's own is opened when it is started.
 */
static enum rc open_ca(struct master *m, int *key_fd, struct buf *err)
{
    struct buf chain = {0};
    enum rc rc = ca_open_files(m->o->state, sandbox_uid(ROLE_SIGNER, 0), clock_wall_s(), key_fd, &chain, err);
    if (rc == RC_OK && !span_eq(buf_span(&chain), buf_span(&m->ca))) {
        buf_clear(&m->ca);
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

enum rc feed_open(struct master *m, struct buf *err)
{
    AUTO_CLOSE int key = -1;
    TRY(open_ca(m, &key, err));
    TRY(untrusted_open(m->o->state, clock_wall_s(), &m->untrusted, err));
    TRY(state_secret(&m->state, m->secret, err));
    uint64_t random;
    if (!new_click_key(m))
        return out_of(err, "random numbers");
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return out_of(err, "random numbers");
    m->config.boot = random >> 12; /* stands in log lines: 52 bits survive every reader of JSON */
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

static enum rc feed_ca(struct child *c)
{
    struct buf b = {0};
    enum rc rc = buf_put_u16(&b, c->m->ca_generation);
    if (rc == RC_OK)
        rc = buf_put(&b, buf_span(&c->m->ca));
    if (rc == RC_OK)
        child_send(c, MSG_CA, buf_span(&b), NULL, 0);
    buf_fini(&b);
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

static uint32_t today(void)
{
    return (uint32_t)(clock_wall_s() / DAY_S);
}

static void feed_door(struct child *c, const struct door *d)
{
    const uint8_t payload[4] = {(uint8_t)d->at.kind, 0, (uint8_t)(d->at.port >> 8), (uint8_t)d->at.port};
    child_send(c, MSG_LISTENER, span_of(payload, sizeof payload), &d->fd[c->index], 1);
}

void feed_doors(struct child *c, const struct doors *had)
{
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

static enum rc feed_signer(struct child *c)
{
    struct master *m = c->m;
    struct buf b = {0}, err = {0};
    uint16_t before = m->ca_generation;
    AUTO_CLOSE int key = -1;
    span url = snapshot_settings(m->policy.snap)->crl;
    enum rc rc = open_ca(m, &key, &err);
    if (rc == RC_OK && !span_eq(url, buf_span(&m->crl_url))) { /* leaves with the old one are of no use */
        buf_clear(&m->crl_url);
        m->ca_generation++;
        rc = buf_put(&m->crl_url, url);
    }
    if (rc != RC_OK)
        log_error("%.*s", (int)buf_len(&err), (const char *)buf_span(&err).p);
    if (rc == RC_OK)
        rc = buf_put_u16(&b, (uint16_t)url.n);
    if (rc == RC_OK)
        rc = buf_put(&b, url);
    if (rc == RC_OK)
        rc = buf_put(&b, buf_span(&m->ca));
    if (rc == RC_OK) {
        child_send(c, MSG_CAKEY, buf_span(&b), NULL, 0);
        child_send(c, MSG_CAKEY_FD, SPAN_NONE, &key, 1);
        for (uint32_t w = 0; before != m->ca_generation && w < m->n_workers; w++)
            rc = m->worker[w].peer ? feed_ca(&m->worker[w]) : rc;
        join_all(c, MSG_SIGNER, MSG_PEER);
    }
    buf_fini(&b);
    buf_fini(&err);
    return rc;
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
    feed_codes(c);
    feed_day(c, today());
    feed_day(c, today() + 1);
    feed_clicks(c);
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

void feed_hourly(struct master *m)
{
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
