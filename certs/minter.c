/* Single flight to the signer; see minter.h.
 *
 * A job is one request, found by its cache key (so that the second flow joins it) and by its number on the
 * channel (so that the answer finds it). Jobs wait in `unsent`, then in `sent`; at most WINDOW are on the
 * channel, so the channel's own queue never fills. When the channel ends all of `sent` goes back to the front
 * of `unsent`, and what nobody waits for any more is dropped there. The signer answers LIMIT when this worker
 * is over its rate: the job goes back and a timer tries again. So does a leaf of another CA than the one in
 * force: while the CA changes, the old signer's last answers may still come. */
#include "certs/minter.h"

#include <openssl/core_names.h>

#include "certs/leafparts.h"
#include "gw/base/log.h"
#include "gw/base/obj.h"
#include "gw/ipc/peer.h"

enum { WINDOW = 128, RETRY_MS = 50, KEY_BYTES = 32, CHAIN_MAX = 4 };

struct job {
    struct list link; /* in `unsent` or `sent` */
    struct list waiters;
    uint64_t id;
    uint8_t key[KEY_BYTES];
    size_t n;
    uint8_t wire[]; /* the whole MINT payload */
};

struct minter {
    struct ev *ev;
    struct peer *signer;
    struct leafcache *cache;
    EVP_PKEY *pkey;
    uint8_t point[65];
    STACK_OF(X509) * chain;
    struct buf ca; /* the MSG_CA payload in force */
    uint16_t generation;
    uint8_t ca_id[MINTER_CA_ID];
    struct buf subject; /* of the issuing CA, DER: its leaves' issuer */
    struct map by_key, by_id;
    struct list unsent, sent;
    size_t n_sent;
    uint64_t next_id;
    struct ev_timer retry;
    struct minter_counts counts;
};

void minter_wait_init(struct minter_wait *w, void (*done)(struct minter_wait *, enum rc, struct leaf *))
{
    list_init(&w->link);
    w->done = done;
}

void minter_cancel(struct minter *m, struct minter_wait *w)
{
    (void)m;
    list_drop(&w->link);
}

/* ---- jobs */

static span id_key(const uint64_t *id)
{
    return span_of(id, sizeof *id);
}

/* Out of every list and map; its waiters stay with it. */
static void job_unlink(struct minter *m, struct job *j)
{
    map_take(&m->by_key, span_of(j->key, KEY_BYTES));
    if (map_take(&m->by_id, id_key(&j->id)))
        m->n_sent--;
    list_drop(&j->link);
}

/* The answer, to everybody who waits. The job is out of all maps first: a callback may ask for the same name
 * again. */
static void job_finish(struct minter *m, struct job *j, enum rc rc, struct leaf *leaf)
{
    job_unlink(m, j);
    while (!list_empty(&j->waiters)) {
        struct minter_wait *w = CONTAINER_OF(j->waiters.next, struct minter_wait, link);
        list_drop(&w->link);
        w->done(w, rc, leaf);
    }
    free(j);
}

static enum rc job_send(struct minter *m, struct job *j)
{
    TRY(map_put(&m->by_id, id_key(&j->id), j));
    enum rc rc = peer_send(m->signer, MSG_MINT, span_of(j->wire, j->n), NULL, 0);
    if (rc != RC_OK) {
        map_take(&m->by_id, id_key(&j->id));
        return rc;
    }
    list_drop(&j->link);
    list_push(&m->sent, &j->link);
    m->n_sent++;
    m->counts.sent++;
    return RC_OK;
}

static void send_some(struct minter *m)
{
    while (m->signer && m->n_sent < WINDOW && !list_empty(&m->unsent)) {
        struct job *j = CONTAINER_OF(m->unsent.next, struct job, link);
        if (list_empty(&j->waiters)) {
            job_finish(m, j, RC_GONE, NULL);
        } else if (job_send(m, j) != RC_OK) {
            ev_timer_set(m->ev, &m->retry, RETRY_MS);
            return;
        }
    }
}

/* Back to the front of the queue, in the order they were sent. */
static void unsend(struct minter *m, struct job *j)
{
    if (map_take(&m->by_id, id_key(&j->id)))
        m->n_sent--;
    list_drop(&j->link);
    list_push(m->unsent.next, &j->link); /* before the first */
}

static void unsend_all(struct minter *m)
{
    while (!list_empty(&m->sent))
        unsend(m, CONTAINER_OF(m->sent.prev, struct job, link));
}

static void on_retry(struct ev_timer *t)
{
    send_some(CONTAINER_OF(t, struct minter, retry));
}

/* ---- the channel */

static X509 *parse_cert(span der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n && der.n <= LIM_MSG_BYTES ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (x && p != der.p + der.n) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

/* Later, at the front of the queue. */
static void put_off(struct minter *m, struct job *j)
{
    unsend(m, j);
    ev_timer_set(m->ev, &m->retry, RETRY_MS);
}

static bool from_another_ca(const struct minter *m, span der)
{
    struct leaf_parts p;
    return buf_len(&m->subject) && leaf_parts_read(der, &p) && !span_eq(p.issuer, buf_span(&m->subject));
}

/* False: it came from a signer that is being replaced, and has been put off. */
static bool minted(struct minter *m, struct job *j, span der)
{
    if (from_another_ca(m, der)) {
        put_off(m, j);
        return false;
    }
    span key = span_of(j->key, KEY_BYTES);
    enum rc rc = leafcache_put(m->cache, key, der);
    struct leaf *leaf = rc == RC_OK ? leafcache_find(m->cache, key, INT64_MIN / 2) : NULL;
    m->counts.minted += leaf != NULL;
    m->counts.failed += leaf == NULL;
    job_finish(m, j, leaf ? RC_OK : RC_BAD, leaf);
    leaf_put(leaf);
    return true;
}

/* u64 id, u32 rc, leaf DER. An unknown number belongs to a request that an older channel was asked. */
static void on_minted(struct minter *m, span payload)
{
    struct rd r = rd_of(payload);
    uint64_t id = rd_u64(&r);
    uint32_t rc = rd_u32(&r);
    struct job *j = r.bad ? NULL : map_find(&m->by_id, id_key(&id));
    if (!j)
        return;
    if (rc == RC_OK) {
        if (!minted(m, j, rd_bytes(&r, rd_left(&r))))
            return;
    } else if (rc == RC_LIMIT) {
        m->counts.limited++;
        put_off(m, j);
        return;
    } else {
        m->counts.denied += rc == RC_DENIED;
        m->counts.failed += rc != RC_DENIED;
        job_finish(m, j, rc == RC_DENIED || rc == RC_IO ? (enum rc)rc : RC_BAD, NULL);
    }
    send_some(m);
}

static void on_msg(struct peer *p, enum msg_type type, span payload, int *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    if (type == MSG_MINTED)
        on_minted(peer_data(p), payload);
}

static void on_end(struct peer *p, enum rc rc)
{
    struct minter *m = peer_data(p);
    (void)rc;
    m->signer = NULL;
    unsend_all(m);
}

enum rc minter_attach(struct minter *m, int fd)
{
    struct peer *p = NULL;
    enum rc rc = peer_new(m->ev, fd, ROLE_WORKER, ROLE_SIGNER, on_msg, on_end, m, &p);
    if (rc != RC_OK)
        return rc;
    peer_free(m->signer);
    m->signer = p;
    unsend_all(m);
    rc = peer_send(p, MSG_LEAFKEY, span_of(m->point, sizeof m->point), NULL, 0);
    if (rc == RC_OK) {
        send_some(m);
        return RC_OK;
    }
    peer_free(m->signer);
    m->signer = NULL;
    return rc == RC_CLOSED ? RC_OK : rc; /* a signer that is gone already: the master makes another */
}

bool minter_attached(const struct minter *m)
{
    return m->signer != NULL;
}

/* ---- life */

static enum rc make_key(struct minter *m)
{
    size_t n = 0;
    m->pkey = EVP_EC_gen("P-256");
    if (!m->pkey || EVP_PKEY_get_octet_string_param(m->pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, m->point,
                                                    sizeof m->point, &n) != 1)
        return RC_NOMEM;
    return n == sizeof m->point && m->point[0] == 0x04 ? RC_OK : RC_BUG;
}

enum rc minter_new(struct ev *ev, size_t max_cached, struct minter **out)
{
    struct minter *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return RC_NOMEM;
    m->ev = ev;
    m->next_id = 1;
    map_init(&m->by_key, LIM_MINTS_OPEN);
    map_init(&m->by_id, 0);
    list_init(&m->unsent);
    list_init(&m->sent);
    ev_timer_init(&m->retry, on_retry);
    enum rc rc = leafcache_new(max_cached, &m->cache);
    if (rc == RC_OK)
        rc = make_key(m);
    if (rc != RC_OK) {
        minter_free(m);
        return rc;
    }
    *out = m;
    return RC_OK;
}

static void finish_all(struct minter *m, struct list *jobs)
{
    while (!list_empty(jobs))
        job_finish(m, CONTAINER_OF(jobs->next, struct job, link), RC_GONE, NULL);
}

void minter_free(struct minter *m)
{
    if (!m)
        return;
    peer_free(m->signer);
    m->signer = NULL;
    ev_timer_stop(m->ev, &m->retry);
    finish_all(m, &m->sent);
    finish_all(m, &m->unsent);
    map_fini(&m->by_key);
    map_fini(&m->by_id);
    leafcache_free(m->cache);
    sk_X509_pop_free(m->chain, X509_free);
    EVP_PKEY_free(m->pkey);
    buf_fini(&m->ca);
    buf_fini(&m->subject);
    free(m);
}

/* ---- the CA's public side */

/* All certificates but a last one that signed itself (the root: clients have it). */
static STACK_OF(X509) * parse_chain(struct rd *r)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    while (chain && rd_left(r)) {
        X509 *x = parse_cert(rd_vec16(r));
        if (!x || sk_X509_num(chain) == CHAIN_MAX || sk_X509_push(chain, x) <= 0) {
            X509_free(x);
            r->bad = true;
        }
    }
    int last = sk_X509_num(chain) - 1;
    if (last > 0 && X509_self_signed(sk_X509_value(chain, last), 0) == 1)
        X509_free(sk_X509_pop(chain));
    if (r->bad || sk_X509_num(chain) < 1) {
        sk_X509_pop_free(chain, X509_free);
        return NULL;
    }
    return chain;
}

/* Who the leaves are from, in the forms in which it is looked at. */
static enum rc remember_issuer(struct minter *m, X509 *issuing)
{
    uint8_t *der = NULL;
    unsigned n_id = MINTER_CA_ID;
    int n = i2d_X509_NAME(X509_get_subject_name(issuing), &der);
    buf_clear(&m->subject);
    enum rc rc = n > 0 && X509_digest(issuing, EVP_sha256(), m->ca_id, &n_id) == 1
                     ? buf_put(&m->subject, span_of(der, (size_t)n))
                     : RC_NOMEM;
    OPENSSL_free(der);
    return rc;
}

enum rc minter_set_ca(struct minter *m, span payload)
{
    struct rd r = rd_of(payload);
    uint16_t generation = rd_u16(&r);
    if (m->chain && span_eq(payload, buf_span(&m->ca)))
        return RC_OK;
    STACK_OF(X509) *chain = parse_chain(&r);
    if (!chain || generation == 0) {
        sk_X509_pop_free(chain, X509_free);
        return RC_BAD;
    }
    buf_clear(&m->ca);
    enum rc rc = buf_put(&m->ca, payload);
    if (rc == RC_OK)
        rc = remember_issuer(m, sk_X509_value(chain, 0));
    if (rc != RC_OK) {
        sk_X509_pop_free(chain, X509_free);
        return rc;
    }
    sk_X509_pop_free(m->chain, X509_free);
    m->chain = chain;
    m->generation = generation;
    leafcache_clear(m->cache);
    return RC_OK;
}

const uint8_t *minter_ca_id(const struct minter *m)
{
    return m->ca_id;
}

EVP_PKEY *minter_pkey(const struct minter *m)
{
    return m->pkey;
}

STACK_OF(X509) * minter_chain(const struct minter *m)
{
    return m->chain;
}

uint16_t minter_generation(const struct minter *m)
{
    return m->generation;
}

/* ---- asking */

void minter_key(const struct mint_request *req, const uint8_t origin_sha256[32], uint8_t key[32])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    unsigned n = KEY_BYTES;
    gw_assert(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < req->n_sans; i++) {
        const struct san *s = &req->sans[i];
        uint8_t head[2] = {(uint8_t)s->kind, (uint8_t)s->value.n};
        EVP_DigestUpdate(c, head, sizeof head);
        EVP_DigestUpdate(c, s->value.p, s->value.n);
    }
    EVP_DigestUpdate(c, origin_sha256, 32);
    gw_assert(EVP_DigestFinal_ex(c, key, &n) == 1);
    EVP_MD_CTX_free(c);
}

static enum rc job_new(struct minter *m, const uint8_t key[32], const struct mint_request *req,
                       struct job **out)
{
    struct buf wire = {0};
    enum rc rc = buf_put_u64(&wire, m->next_id);
    if (rc == RC_OK)
        rc = mint_encode(&wire, req);
    struct job *j = rc == RC_OK ? calloc(1, sizeof *j + buf_len(&wire)) : NULL;
    if (j) {
        j->id = m->next_id++;
        j->n = buf_len(&wire);
        memcpy(j->key, key, KEY_BYTES);
        memcpy(j->wire, buf_span(&wire).p, j->n);
        list_init(&j->link);
        list_init(&j->waiters);
        rc = map_put(&m->by_key, span_of(key, KEY_BYTES), j);
        if (rc != RC_OK) {
            free(j);
            j = NULL;
        }
    } else if (rc == RC_OK) {
        rc = RC_NOMEM;
    }
    buf_fini(&wire);
    *out = j;
    return rc;
}

enum rc minter_get(struct minter *m, const uint8_t key[32], const struct mint_request *req, int64_t now_s,
                   struct minter_wait *w, struct leaf **leaf)
{
    gw_assert(!minter_waiting(w));
    *leaf = leafcache_find(m->cache, span_of(key, KEY_BYTES), now_s);
    if (*leaf) {
        m->counts.hits++;
        return RC_OK;
    }
    struct job *j = map_find(&m->by_key, span_of(key, KEY_BYTES));
    if (j) {
        m->counts.joined++;
        list_push(&j->waiters, &w->link);
        return RC_AGAIN;
    }
    TRY(job_new(m, key, req, &j));
    list_push(&j->waiters, &w->link);
    list_push(&m->unsent, &j->link);
    send_some(m);
    return RC_AGAIN;
}

void minter_counts(const struct minter *m, struct minter_counts *out)
{
    *out = m->counts;
    out->cached = leafcache_count(m->cache);
    out->open = m->by_key.n;
}
