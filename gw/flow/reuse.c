/* Connections with origins that outlive their flow. One that has served an exchange to its clean end goes to
 * the pool when its client goes; the next flow of the same client to the same place takes it, and is judged
 * by the certificate's facts as it would be by the certificate. Policy's `pool` says whose flows share
 * (default: one client's own).
 *
 * An idle connection may have ended without our knowing yet. Then, and only for a request that does nothing
 * however often it is made and of whose answer not a byte has come, the origin is dialled and asked anew. */
#include "gw/flow/reuse.h"

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "gw/flow/pool.h"
#include "gw/flow/upstream.h"

/* ---- whose ---- */

/* With `source keep` the origin sees the client's address: then nobody shares it, whatever policy says. */
static enum rc key_of(const struct flow *f, const uint8_t place[PLACE_KEY], uint8_t key[PLACE_KEY])
{
    const struct set_zone *zone = snapshot_zone(f->snap, f->zone);
    if (!zone)
        return RC_DENIED; /* a reload took its zone: nobody's */
    bool shared = snapshot_settings(f->snap)->pool == POOL_SHARED;
    bool by_user = !shared && f->user.n > 0;
    bool by_address = zone->source_keep || !(shared || by_user);
    const uint8_t head[] = {
        shared, by_user, by_address, f->src.family, (uint8_t)(zone->name.n >> 8), (uint8_t)zone->name.n};
    const span parts[] = {span_of(head, sizeof head), span_of(place, PLACE_KEY),
                          by_address ? span_of(f->src.b, sizeof f->src.b) : SPAN_NONE,
                          shared ? SPAN_NONE : zone->name, by_user ? f->user : SPAN_NONE};
    return sha256(parts, N_ELEMS(parts), key);
}

static bool speaks_h2(const struct stream *s)
{
    const unsigned char *alpn = NULL;
    unsigned n = 0;
    if (s->ssl)
        SSL_get0_alpn_selected(s->ssl, &alpn, &n);
    return n == 2 && memcmp(alpn, "h2", 2) == 0;
}

/* ---- giving ---- */

static bool is_clean(const struct flow *f)
{
    const struct txn *t = f->tx;
    const struct stream *s = &f->origin;
    bool whole = t->up == WAY_DONE && t->down == WAY_DONE && !t->up_dead && !t->origin_close && !t->answered;
    bool served = f->origin_answers > 0 || (t->open && t->sent);
    return served && (!t->sent || whole) && stream_open(s) && !s->handshaking && !s->failed && !s->in_eof &&
           !s->out_shut && stream_pending(s) == 0 && buf_len(&s->kept) == 0 && buf_len(&f->in_origin) == 0;
}

static bool may_give(const struct flow *f)
{
    bool tls = f->mode == MODE_INSPECTED && f->name.n > 0 && f->via.placed && f->cert.defects == 0;
    return f->state == ST_HTTP && (f->mode == MODE_PLAIN || tls) && !f->refused && !f->via.bound &&
           !f->e->draining && snapshot_settings(f->snap)->pool != POOL_NONE && is_clean(f);
}

void reuse_give(struct flow *f)
{
    struct origin_facts facts;
    uint8_t key[PLACE_KEY];
    if (f->h2 || !may_give(f) || speaks_h2(&f->origin) || key_of(f, f->via.place, key) != RC_OK)
        return;
    facts_of(f, &facts);
    f->e->n.pooled += pool_put(f->e->pool, key, &f->origin, f->tls ? &facts : NULL);
}

/* ---- taking ---- */

bool reuse_take(struct flow *f, const struct addr *addrs, size_t n)
{
    uint8_t key[PLACE_KEY];
    struct origin_facts facts;
    bool may = f->mode == MODE_PLAIN || (f->mode == MODE_INSPECTED && f->name.n > 0);
    bool only_h2 = f->hello && f->hello->alpn_h2 && !f->hello->alpn_http11; /* what is here is HTTP/1.1 */
    if (!may || only_h2 || f->tx->repeating || f->via.fresh_only || f->weak ||
        snapshot_settings(f->snap)->pool == POOL_NONE)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found = place_of(f, &addrs[i], f->via.place) == RC_OK && key_of(f, f->via.place, key) == RC_OK &&
                     pool_take(f->e->pool, key, &f->origin, &facts);
        if (!found)
            continue;
        if (f->tls && !facts_hold(&facts, clock_wall_s())) { /* what was verified holds no longer */
            facts_free(&facts);
            stream_fini(&f->origin);
            stream_renew(&f->origin);
            continue;
        }
        f->via.placed = f->via.pooled = true;
        f->dst = addrs[i];
        f->e->n.pool_hits++;
        enum rc rc = f->tls ? upstream_facts(f, &facts) : RC_OK;
        facts_free(&facts);
        if (rc == RC_OK)
            return true;
        stream_fini(&f->origin);
        stream_renew(&f->origin);
    }
    return false;
}

/* ---- one that turned out dead ---- */

void reuse_remember(struct flow *f, const struct msg *m)
{
    struct txn *t = f->tx;
    bool safe = span_eq(m->method, SPAN("GET")) || span_eq(m->method, SPAN("HEAD")) ||
                span_eq(m->method, SPAN("OPTIONS"));
    if (f->via.pooled && safe && m->body == BODY_NONE)
        t->repeat = arena_dup(&t->arena, buf_span(&f->origin.out));
}

static void forget(struct flow *f)
{
    f->via.pooled = false;
    f->via.fresh_only = true; /* once is enough */
    stream_fini(&f->origin);
    stream_renew(&f->origin);
    buf_fini(&f->in_origin);
    f->in_origin_short = false;
}

bool reuse_again(struct flow *f)
{
    struct txn *t = f->tx;
    if (!f->via.pooled)
        return false;
    if (!t->open || !t->sent) { /* nobody has asked it anything: the next request dials */
        forget(f);
        return true;
    }
    if (t->repeat.n == 0 || t->down != WAY_HEAD || t->n_interim > 0 || buf_len(&f->in_origin) > 0)
        return false;
    forget(f);
    t->repeating = t->waiting = true;
    t->up_dead = false;
    f->client.paused = true;
    flow_stamp(f);
    reuse_dial(f);
    return true;
}

void reuse_dial(struct flow *f)
{
    struct txn *t = f->tx;
    if (f->mode == MODE_INSPECTED)
        step_resolve(f, f->name, f->dst.family ? &f->dst : NULL);
    else
        step_resolve(f, t->host, t->ip.family ? &t->ip : NULL);
}

void reuse_proved(struct flow *f)
{
    if (!f->via.pooled)
        return;
    f->via.pooled = false;
    step_forget_hello(f); /* was kept for another handshake */
}

/* The client has its leaf already: what another certificate would have changed about that cannot be had now,
 * and a page says so. */
void reuse_certified(struct flow *f)
{
    if (f->cert.defects || speaks_h2(&f->origin)) {
        step_refuse(f, REASON_ORIGIN_CLOSED, SPAN("reused"));
        return;
    }
    flow_goto(f, ST_HTTP);
    f->client.paused = false;
    txn_resume(f->tx);
}
