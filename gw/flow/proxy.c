/* What is particular to the explicit way: CONNECT, absolute-form, the PAC file; and the one URL of our own,
 * the CRL that leaves point at, which is answered in every zone and on both ways. */
#include "gw/flow/flow.h"
#include "gw/flow/reuse.h"

#include "gw/base/clock.h"
#include "gw/portal/page.h"

enum { SIGNER_POLL_MS = 50 };

/* ---- CONNECT ---- */

/* A host without a leaf in the cache needs the signer: wait for it a moment rather than promise what cannot
 * be kept. */
static bool signer_is_missing(const struct txn *t)
{
    const struct flow *f = t->f;
    return !f->no_ca && !minter_attached(f->e->minter) && !map_find(&f->e->minted, t->host);
}

static enum rc wait_for_signer(struct txn *t)
{
    struct flow *f = t->f;
    if (clock_mono_us() - t->start_us >= LIM_MINT_MS * 1000LL ||
        judge_event(f, t->host, ON_SIGNER_DOWN) == ANSWER_BLOCK) {
        answer_page(t, REASON_SIGNER_DOWN, SPAN_NONE);
        return RC_DENIED;
    }
    t->waiting = true;
    f->client.paused = true;
    flow_goto(f, ST_SIGNER);
    flow_deadline(f, SIGNER_POLL_MS);
    return RC_AGAIN;
}

enum rc proxy_signer(struct txn *t)
{
    return signer_is_missing(t) ? wait_for_signer(t) : RC_OK;
}

void proxy_signer_poll(struct flow *f)
{
    flow_goto(f, ST_HTTP);
    f->client.paused = false;
    txn_resume(f->tx);
}

/* Always "established": what is wrong is told inside, where a browser shows it. Nothing has left upstream
 * yet. */
static enum rc connect_request(struct txn *t, const struct msg *m)
{
    struct flow *f = t->f;
    TRY(proxy_signer(t));
    f->connect_name = arena_dup(&f->arena, t->host);
    if (f->connect_name.n != t->host.n) { /* never to be judged as if it had named nobody */
        answer_page(t, REASON_LIMIT, SPAN("memory"));
        return RC_DENIED;
    }
    reuse_give(f); /* of a plain request before, to somewhere else */
    stream_fini(&f->origin);
    stream_renew(&f->origin);
    buf_fini(&f->in_origin);
    f->origin_answers = 0;
    f->via.placed = f->via.pooled = false;
    f->name = SPAN_NONE;
    f->dst = t->ip;
    f->dst_port = m->port;
    f->connected_by_connect = true;
    if (stream_write(&f->client, SPAN("HTTP/1.1 200 Connection established\r\n\r\n")) != RC_OK) {
        flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
        return RC_DENIED;
    }
    t->open = false; /* the flow's own line tells of it */
    snapshot_put(t->snap);
    t->snap = NULL;
    f->e->n.exchanges--;
    f->n_tx--;
    f->mode = MODE_UNKNOWN;
    flow_goto(f, ST_HELLO);
    flow_stamp(f);
    return RC_DENIED;
}

/* ---- files of our own ---- */

static void answer_pac(struct txn *t)
{
    const struct flow *f = t->f;
    char host[ADDR_TEXT];
    struct buf *out = &f->e->line;
    uint16_t port = 3128;
    const struct settings *set = snapshot_settings(f->e->snap);
    for (size_t i = 0; i < set->n_listen; i++) {
        const struct set_listen *l = &set->listen[i];
        if (l->kind == LISTEN_EXPLICIT && (l->addr.family == 0 || addr_eq(&l->addr, &f->local)))
            port = l->port;
    }
    buf_clear(out);
    if (page_pac(out, span_str(addr_text(&f->local, host)), port) != RC_OK) {
        answer_page(t, REASON_INTERNAL, SPAN("pac"));
        return;
    }
    answer_bytes(t, SPAN("application/x-ns-proxy-autoconfig"), buf_span(out));
}

/* Behind a CONNECT, inside TLS and on the transparent way we are the origin, and an origin opens no tunnels.
 */
static enum rc origin_request(struct txn *t, const struct msg *m)
{
    if (m->form != TARGET_AUTHORITY)
        return RC_OK;
    answer_page(t, REASON_NOT_PROXIED, SPAN("connect-to-origin"));
    return RC_DENIED;
}

enum rc proxy_request(struct txn *t, const struct msg *m)
{
    const struct flow *f = t->f;
    if (!f->explicit_proxy || f->connected_by_connect)
        return origin_request(t, m);
    if (m->form == TARGET_AUTHORITY)
        return connect_request(t, m);
    if (m->form == TARGET_ABSOLUTE && span_ieq(m->scheme, SPAN("http")))
        return RC_OK;
    if (m->form == TARGET_ORIGIN &&
        (span_eq(m->path, SPAN("/proxy.pac")) || span_eq(m->path, SPAN("/wpad.dat")))) {
        answer_pac(t);
        return RC_DENIED;
    }
    answer_page(t, REASON_NOT_PROXIED, SPAN_NONE);
    return RC_DENIED;
}

/* "http://host[:port]/path" -> its parts. */
static bool split_url(span url, span *host, uint16_t *port, span *path)
{
    span http = SPAN("http://");
    if (!span_has_prefix(url, http))
        return false;
    url = span_cut(url, http.n, url.n);
    size_t slash = span_find(url, '/', 0);
    *path = slash == SIZE_MAX ? SPAN("/") : span_cut(url, slash, url.n);
    return h1_authority(span_cut(url, 0, slash), host, port) == H1_NONE;
}

/* By Host, or without one (HTTP/1.0) by where it connected. Addresses have more than one spelling. */
static bool asks_host(const struct flow *f, const struct msg *m, span host)
{
    struct addr ours, asked;
    if (!addr_parse(host, &ours))
        return span_ieq(host, m->host);
    if (m->host.n == 0)
        return addr_eq(&ours, &f->dst);
    return addr_parse(m->host, &asked) && addr_eq(&ours, &asked);
}

/* Each CA has a CRL of its own, told apart by the pointer's query. */
static span crl_for(const struct engine *e, span query)
{
    for (size_t i = 0; i < e->n_old_crl; i++) {
        const struct old_crl *o = &e->old_crl[i];
        if (span_eq(query, span_of(o->query, o->n_query)) && buf_len(&o->der))
            return buf_span(&o->der);
    }
    return buf_span(&e->crl);
}

/* A client may leave the port out of Host (OpenSSL does). */
enum rc proxy_own_urls(struct txn *t, const struct msg *m)
{
    const struct flow *f = t->f;
    span host, path;
    uint16_t port;
    if (f->tls || m->form == TARGET_AUTHORITY || m->path.n == 0)
        return RC_OK;
    if (!split_url(snapshot_settings(f->e->snap)->crl, &host, &port, &path) || !span_eq(path, m->path) ||
        !asks_host(f, m, host) || (m->port && m->port != (port ? port : 80)))
        return RC_OK;
    span crl = crl_for(f->e, m->query);
    if (crl.n == 0) /* nobody else can give it: it goes nowhere */
        answer_page(t, REASON_SIGNER_DOWN, SPAN("crl"));
    else
        answer_bytes(t, SPAN("application/pkix-crl"), crl);
    return RC_DENIED;
}
