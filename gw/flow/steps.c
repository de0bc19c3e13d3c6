/* A flow from its first bytes to HTTP, one function a step:
 *
 *   hello -> decide(connect) -> [hold] -> look up -> dial -> splice (exempt)
 *                                                        -> handshake with the origin -> decide(certificate)
 *                                                           -> leaf -> handshake with the client -> HTTP
 *   refused: leaf -> handshake with the client -> HTTP, where every request gets our page; nothing goes
 * upstream
 *
 * Nothing leaves upstream (no look-up, no SYN) before the connect decision. */
#include "gw/flow/flow.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "certs/names.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/tls/ctx.h"

/* ---- first bytes ---- */

void step_start(struct flow *f)
{
    if (f->zone == ZONE_NONE) {
        flow_end(f, REASON_NO_ZONE, SPAN_NONE);
        return;
    }
    if (f->explicit_proxy) {
        flow_goto(f, ST_PROXY);
        return;
    }
    flow_goto(f, ST_HELLO);
}

static bool new_reader(struct flow *f)
{
    f->reader = calloc(1, sizeof *f->reader);
    f->hello = calloc(1, sizeof *f->hello);
    if (!f->reader || !f->hello)
        return false;
    hello_init(f->reader);
    return true;
}

static bool looks_like_http(span s)
{
    for (size_t i = 0; i < s.n && i < 8; i++) {
        uint8_t c = s.p[i];
        if (c == ' ')
            return i > 0;
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-'))
            return false;
    }
    return s.n > 0;
}

/* The hello is whole: name, fingerprint, decision. */
static void hello_known(struct flow *f)
{
    uint8_t name[LIM_NAME_BYTES];
    const struct hello *h = f->hello;
    f->tls = true;
    f->t_hello = flow_stamp(f);
    memcpy(f->ja4, h->ja4, sizeof f->ja4);
    if (h->sni.n > 0) {
        size_t n = name_normalise(h->sni, name);
        if (n == 0) { /* an address or no host name at all: as good as none, but said */
            f->detail = SPAN("sni-not-a-name");
        } else {
            f->name = arena_dup(&f->arena, span_of(name, n));
        }
    }
    if (f->name.n == 0 && f->connect_name.n > 0)
        f->name = f->connect_name;
    judge_connect(f, &f->verdict);
    f->t_decide = flow_stamp(f);
    step_decided(f);
}

static void plain_http(struct flow *f)
{
    f->mode = MODE_PLAIN;
    f->e->n.plain++;
    f->t_hello = flow_stamp(f);
    flow_goto(f, ST_HTTP);
    pump_start(f);
}

static void read_hello(struct flow *f, span fresh)
{
    if (!f->reader && !new_reader(f)) {
        flow_end(f, REASON_LIMIT, SPAN("memory"));
        return;
    }
    enum rc rc = hello_feed(f->reader, fresh, f->hello);
    if (rc == RC_MORE)
        return;
    if (rc != RC_OK) {
        f->e->n.hello_bad++;
        answer_alert(f, SSL_AD_DECODE_ERROR);
        flow_end(f, REASON_HELLO, span_str(hello_why_name(f->reader->why)));
        return;
    }
    hello_known(f);
}

/* `fresh` is the end of f->in. */
static void hello_bytes(struct flow *f, span fresh)
{
    enum rc rc = f->reader ? RC_OK : hello_sniff(buf_span(&f->in));
    if (rc == RC_MORE)
        return;
    if (rc == RC_OK) {
        read_hello(f, f->reader ? fresh : buf_span(&f->in));
    } else if (looks_like_http(buf_span(&f->in))) {
        plain_http(f);
    } else {
        f->e->n.hello_bad++;
        flow_end(f, REASON_NOT_HTTP, SPAN_NONE);
    }
}

void step_hello_kept(struct flow *f)
{
    if (buf_len(&f->in) > 0)
        hello_bytes(f, buf_span(&f->in));
}

void step_hello(struct flow *f)
{
    size_t got;
    if (f->state == ST_PROXY) {
        f->mode = MODE_PLAIN;
        flow_goto(f, ST_HTTP);
        pump_start(f);
        return;
    }
    enum rc rc = stream_read(&f->client, f->e->io, sizeof f->e->io, &got);
    if (rc == RC_AGAIN)
        return;
    if (rc != RC_OK) {
        flow_end(f, REASON_CLIENT_CLOSED, SPAN_NONE);
        return;
    }
    span fresh = span_of(f->e->io, got);
    if (buf_put(&f->in, fresh) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("hello"));
    else
        hello_bytes(f, fresh);
}

/* ---- acting on the connect decision ---- */

static bool wait_for_room(struct flow *f)
{
    if (engine_has_room(f->e))
        return false;
    if (snapshot_on(f->snap, ON_JOURNAL_FULL, NULL) == ANSWER_ALLOW)
        return false;
    f->e->n.held++;
    if (snapshot_on(f->snap, ON_JOURNAL_FULL, NULL) == ANSWER_BLOCK) {
        f->e->n.journal_full++;
        step_refuse(f, REASON_JOURNAL_FULL, SPAN_NONE);
        return true;
    }
    if (f->state != ST_HOLD)
        flow_goto(f, ST_HOLD);
    engine_hold(f->e, &f->hold);
    return true;
}

void step_decided(struct flow *f)
{
    if (wait_for_room(f))
        return;
    flow_stamp(f);
    f->client.paused = true; /* the client's next bytes wait in the kernel until its side is ready */
    switch (f->verdict.action) {
    case ACT_BLOCK:
        f->e->n.blocked++;
        step_refuse(f, f->verdict.why == WHY_NO_ZONE ? REASON_NO_ZONE : REASON_POLICY, SPAN_NONE);
        return;
    case ACT_EXEMPT:
        f->mode = MODE_EXEMPT;
        f->e->n.exempt++;
        break;
    default: f->mode = MODE_INSPECTED; f->e->n.inspected++;
    }
    step_resolve(f, f->name, f->dst.family ? &f->dst : NULL);
}

/* Plain HTTP: the request that waits, or the next one, gets our page. */
static void refuse_plain(struct flow *f, enum reason why, span detail)
{
    if (f->state != ST_HTTP)
        flow_goto(f, ST_HTTP);
    f->client.paused = false;
    if (f->tx.open) {
        answer_page(f, why, detail);
        pump(f);
    } else {
        pump_start(f);
    }
}

void step_refuse(struct flow *f, enum reason why, span detail)
{
    f->refused = true;
    f->reason = why;
    f->detail = detail;
    f->client.paused = true;
    stream_fini(&f->origin);
    if (!f->tls) {
        refuse_plain(f, why, detail);
        return;
    }
    if (f->no_ca || f->mode == MODE_EXEMPT) { /* nothing is intercepted here: no page can be shown */
        answer_alert(f, why == REASON_POLICY || why == REASON_NO_ZONE ? SSL_AD_ACCESS_DENIED
                                                                      : SSL_AD_INTERNAL_ERROR);
        flow_end(f, why, detail);
        return;
    }
    f->mode = MODE_REFUSED;
    step_mint(f);
}

/* ---- where to: look-up and dial ---- */

static void on_dialled(struct dial *d, int fd, const struct addr *to, int err);

static void dial_with(struct flow *f, int socket_of_client)
{
    struct dial_to to = {.addrs = f->dial->addrs,
                         .n = f->dial->n_addrs,
                         .port = f->tx.open ? f->tx.port : f->dst_port,
                         .given = socket_of_client,
                         .timeout_ms = LIM_CONNECT_MS};
    f->dial->on_done = on_dialled;
    f->dial->data = f;
    dial_start(f->dial, f->e->ev, &to);
}

static void on_source(struct source_wait *w, int fd, int err)
{
    struct flow *f = CONTAINER_OF(w, struct flow, source);
    if (fd < 0)
        step_refuse(f, REASON_CONNECT, span_str(strerrorname_np(err)));
    else
        dial_with(f, fd);
}

/* With `source keep` the origin sees the client's own address; only addresses of its family can be reached
 * then. */
static void dial_as_client(struct flow *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->dial->n_addrs; i++) {
        if (f->dial->addrs[i].family == f->src.family)
            f->dial->addrs[n++] = f->dial->addrs[i];
    }
    f->dial->n_addrs = n > 1 ? 1 : (uint16_t)n; /* one socket, one attempt */
    f->source.done = on_source;
    if (n == 0 || source_ask(f->e, &f->source, &f->src, 0) != RC_OK)
        step_refuse(f, REASON_CONNECT, n == 0 ? SPAN("no-address-of-family") : SPAN("no-opener"));
}

static void start_dial(struct flow *f, const struct addr *addrs, size_t n)
{
    if (!f->dial)
        f->dial = calloc(1, sizeof *f->dial);
    if (!f->dial) {
        step_refuse(f, REASON_LIMIT, SPAN("memory"));
        return;
    }
    flow_goto(f, ST_DIAL); /* its deadline covers the opener; dial keeps the same for itself */
    f->detail = SPAN_NONE;
    f->dial->n_addrs = (uint16_t)(n < DIAL_MAX ? n : DIAL_MAX);
    memcpy(f->dial->addrs, addrs, f->dial->n_addrs * sizeof *addrs);
    if (snapshot_zone(f->snap, f->zone)->source_keep)
        dial_as_client(f);
    else
        dial_with(f, -1);
}

/* Never the gateway itself, its loopback or a link's own addresses, whatever name led there. */
static bool is_forbidden(const struct flow *f, const struct addr *a)
{
    return addr_is_local(a) || (f->explicit_proxy && addr_eq(a, &f->local));
}

/* The addresses that may be dialled, best first; 0 and a reason when there is none. `named`: they come from
 * our look-up. */
static size_t allowed_addresses(struct flow *f, const struct addr *in, size_t n, bool named, struct addr *out,
                                enum reason *why)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_forbidden(f, &in[i])) {
            *why = REASON_FORBIDDEN_DST;
        } else if (named && snapshot_settings(f->snap)->private_block && addr_is_private(&in[i])) {
            *why = REASON_PRIVATE;
        } else {
            out[kept++] = in[i];
        }
    }
    return kept;
}

static void dial_allowed(struct flow *f, const struct addr *in, size_t n, bool named)
{
    struct addr ok[RESOLVE_MAX];
    enum reason why = REASON_CONNECT;
    size_t kept = allowed_addresses(f, in, n, named, ok, &why);
    if (kept == 0)
        step_refuse(f, why, SPAN_NONE);
    else
        start_dial(f, ok, kept);
}

/* The client's own address counts only where our look-up gives it too; an inspected flow whose name we cannot
 * look up may go there all the same, because the origin still has to prove the name. */
static void on_resolved(struct flow *f, const struct resolve_answer *a)
{
    const struct addr *wanted = f->tx.open && f->tx.ip.family ? &f->tx.ip : &f->dst;
    f->t_resolve += flow_stamp(f);
    for (size_t i = 0; i < a->n; i++) {
        if (wanted->family && addr_eq(&a->addrs[i], wanted)) {
            dial_allowed(f, wanted, 1, true);
            return;
        }
    }
    if (a->n > 0) {
        dial_allowed(f, a->addrs, a->n, true);
    } else if (wanted->family && f->mode == MODE_INSPECTED) {
        dial_allowed(f, wanted, 1, true);
    } else {
        f->e->n.dns_failed++;
        step_refuse(f, REASON_DNS, span_str(a->why));
    }
}

static void on_query(struct resolve_query *q, const struct resolve_answer *a)
{
    on_resolved(CONTAINER_OF(q, struct flow, query), a);
}

void step_resolve(struct flow *f, span name, const struct addr *wanted)
{
    const struct resolve_answer *now;
    flow_goto(f, ST_RESOLVE);
    if (name.n == 0) {
        if (wanted)
            dial_allowed(f, wanted, 1, false);
        else
            step_refuse(f, REASON_DNS, SPAN("no-address"));
        return;
    }
    f->query.on_done = on_query;
    if (resolve_start(f->e->resolver, &f->query, name, &now) != RC_OK) {
        step_refuse(f, REASON_DNS, SPAN("dns-failed"));
        return;
    }
    if (now) {
        struct resolve_answer a = *now;
        on_resolved(f, &a);
    }
}

static void spliced(struct splice *s)
{
    flow_end(s->data, REASON_DONE, s->aborted ? SPAN("reset") : SPAN_NONE);
}

static void drop_reader(struct flow *f)
{
    if (!f->reader)
        return;
    hello_fini(f->reader);
    free(f->reader);
    free(f->hello);
    f->reader = NULL;
    f->hello = NULL;
}

/* Exempt: both sockets and the kept hello go to the kernel relay. */
static void start_splice(struct flow *f, int origin)
{
    int client = f->client.io.fd;
    f->splice = calloc(1, sizeof *f->splice);
    if (!f->splice) {
        close(origin);
        flow_end(f, REASON_LIMIT, SPAN("memory"));
        return;
    }
    f->splice->data = f;
    f->splice->on_end = spliced;
    flow_goto(f, ST_SPLICE);
    ev_unwatch(f->e->ev, &f->client.io);
    f->client.io.fd = -1;
    drop_reader(f);
    if (splice_start(f->splice, f->e->ev, &f->e->pipes, client, origin, &f->in) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

/* A peer that vanishes without a word (power, route) is noticed in half a minute, however quiet the flow may
 * be. */
static void notice_black_holes(int fd)
{
    int on = 1, idle_s = 10, every_s = 5, probes = 3, unacked_ms = 25000;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

static void start_upstream(struct flow *f)
{
    SSL *ssl = NULL;
    enum rc rc = ctx_connect(f->e->to_origins, f->name, f->hello, f, &ssl);
    if (rc == RC_OK)
        rc = stream_tls(&f->origin, ssl);
    if (rc != RC_OK) {
        step_refuse(f, REASON_UPSTREAM_TLS, span_str(rc_name(rc)));
        return;
    }
    flow_goto(f, ST_UPSTREAM);
    step_upstream(f);
}

static void on_dialled(struct dial *d, int fd, const struct addr *to, int err)
{
    struct flow *f = d->data;
    free(f->dial);
    f->dial = NULL;
    f->t_connect += flow_stamp(f);
    if (fd < 0) {
        f->e->n.dial_failed++;
        step_refuse(f, REASON_CONNECT, span_str(strerrorname_np(err)));
        return;
    }
    f->dst = *to;
    notice_black_holes(fd);
    if (f->mode == MODE_EXEMPT) {
        start_splice(f, fd);
        return;
    }
    stream_attach(&f->origin, fd);
    if (f->mode == MODE_INSPECTED) {
        start_upstream(f);
    } else {
        flow_goto(f, ST_HTTP);
        f->client.paused = false;
        txn_resume(f);
    }
    if (!f->ended && stream_watch(&f->origin) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

/* ---- the origin's TLS ---- */

static span name_text(struct flow *f, X509_NAME *name)
{
    char text[512];
    BIO *mem = BIO_new(BIO_s_mem());
    if (!mem)
        return SPAN_NONE;
    X509_NAME_print_ex(mem, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    int n = BIO_read(mem, text, sizeof text);
    BIO_free(mem);
    return n > 0 ? arena_dup(&f->arena, span_of(text, (size_t)n)) : SPAN_NONE;
}

static void upstream_failed(struct flow *f)
{
    char detail[64];
    const char *text = ERR_reason_error_string(f->origin.tls_error);
    if (f->origin.alert_in >= 0)
        snprintf(detail, sizeof detail, "alert %s", SSL_alert_desc_string_long(f->origin.alert_in));
    else
        snprintf(detail, sizeof detail, "%s", text ? text : "closed");
    step_refuse(f, REASON_UPSTREAM_TLS, arena_dup(&f->arena, span_str(detail)));
}

void step_upstream(struct flow *f)
{
    struct judged j;
    enum rc rc = stream_handshake(&f->origin);
    if (rc == RC_AGAIN)
        return;
    f->t_upstream = flow_stamp(f);
    f->origin.paused = true; /* session tickets may follow; they are read when HTTP begins */
    if (rc != RC_OK) {
        upstream_failed(f);
        return;
    }
    X509 *leaf = SSL_get0_peer_certificate(f->origin.ssl);
    f->e->n.upstream_tls++;
    if (leaf) {
        f->subject = name_text(f, X509_get_subject_name(leaf));
        f->issuer = name_text(f, X509_get_issuer_name(leaf));
    }
    judge_certificate(f, &j);
    if (j.action == ACT_BLOCK) {
        f->verdict = j;
        f->e->n.cert_bad++;
        enum defect d = defect_first(f->cert.defects);
        step_refuse(f, REASON_CERTIFICATE, d < DEFECT_N ? span_str(defect_name(d)) : SPAN_NONE);
        return;
    }
    step_mint(f);
}

/* ---- the leaf ---- */

/* What the signer would refuse is left out: one odd name of the origin must not cost the others. */
static void add_san(struct mint_request *r, enum san_kind kind, span value)
{
    bool never = kind == SAN_DNS ? names_never(value) != NULL : names_never_ip(value) != NULL;
    if (!never && value.n > 0 && r->n_sans < LIM_LEAF_NAMES)
        r->sans[r->n_sans++] = (struct san){kind, value};
}

/* Without SNI the leaf names what the origin's certificate names, at most 50. */
static void add_origin_names(struct flow *f, struct mint_request *r)
{
    uint8_t name[LIM_NAME_BYTES];
    X509 *leaf = f->origin.ssl ? SSL_get0_peer_certificate(f->origin.ssl) : NULL;
    GENERAL_NAMES *names = leaf ? X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL) : NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type == GEN_DNS) {
            span s = span_of(ASN1_STRING_get0_data(g->d.dNSName), (size_t)ASN1_STRING_length(g->d.dNSName));
            bool wild = span_has_prefix(s, SPAN("*."));
            size_t n = name_normalise(wild ? span_cut(s, 2, s.n) : s, name);
            if (n > 0 && r->n_sans < LIM_LEAF_NAMES) {
                uint8_t *copy = arena_alloc(&f->arena, n + 2);
                if (!copy)
                    break;
                memcpy(copy, "*.", 2);
                memcpy(copy + 2, name, n);
                add_san(r, SAN_DNS, span_of(wild ? copy : copy + 2, wild ? n + 2 : n));
            }
        } else if (g->type == GEN_IPADD) {
            span s =
                span_of(ASN1_STRING_get0_data(g->d.iPAddress), (size_t)ASN1_STRING_length(g->d.iPAddress));
            if (s.n == 4 || s.n == 16)
                add_san(r, SAN_IP, arena_dup(&f->arena, s));
        }
    }
    GENERAL_NAMES_free(names);
}

static void on_minted(struct minter_wait *w, enum rc rc, X509 *leaf);
static void start_client(struct flow *f, X509 *leaf);

static void fill_request(struct flow *f, struct mint_request *r)
{
    int64_t now = clock_wall_s();
    memset(r, 0, sizeof *r);
    r->not_before = now - 86400;
    r->not_after = now + 30 * 86400LL;
    if (!f->refused && f->cert.defects == 0) {
        r->not_before = f->cert.not_before > r->not_before ? f->cert.not_before : r->not_before;
        r->not_after = f->cert.not_after < r->not_after ? f->cert.not_after : r->not_after;
    }
    if (f->name.n > 0) { /* asked for by name: the signer says no where it must */
        r->sans[r->n_sans++] = (struct san){SAN_DNS, f->name};
        return;
    }
    if (!f->refused && !f->connected_by_connect)
        add_origin_names(f, r);
    if (r->n_sans == 0 && f->dst.family)
        add_san(r, SAN_IP, span_of(f->dst.b, f->dst.family == 4 ? 4 : 16));
}

void step_mint(struct flow *f)
{
    static const uint8_t none[32];
    struct mint_request r;
    uint8_t key[32];
    X509 *leaf = NULL;
    flow_goto(f, ST_MINT);
    fill_request(f, &r);
    f->mint.done = on_minted;
    minter_key(&r, f->refused ? none : f->cert.leaf_sha256, key);
    enum rc rc = minter_get(f->e->minter, key, &r, clock_wall_s(), &f->mint, &leaf);
    if (rc == RC_OK) {
        f->e->n.leaf_hits++;
        start_client(f, leaf);
        X509_free(leaf);
    } else if (rc == RC_AGAIN) {
        f->e->n.leaf_mints++;
    } else {
        flow_end(f, REASON_MINT, span_str(rc_name(rc)));
    }
}

static void on_minted(struct minter_wait *w, enum rc rc, X509 *leaf)
{
    struct flow *f = CONTAINER_OF(w, struct flow, mint);
    if (rc != RC_OK) {
        flow_end(f, REASON_MINT, span_str(rc_name(rc)));
        return;
    }
    start_client(f, leaf);
}

/* ---- the client's TLS ---- */

static void start_client(struct flow *f, X509 *leaf)
{
    SSL *ssl = NULL;
    struct engine *e = f->e;
    f->t_mint = flow_stamp(f);
    if (f->name.n > 0 && !map_find(&e->minted, f->name) && map_put(&e->minted, f->name, e) != RC_OK)
        map_fini(&e->minted); /* full: begin again */
    enum rc rc = ctx_accept(e->to_clients, leaf, minter_pkey(e->minter), minter_chain(e->minter), f, &ssl);
    if (rc == RC_OK)
        rc = stream_tls(&f->client, ssl);
    if (rc != RC_OK) {
        flow_end(f, REASON_INTERNAL, SPAN("accept"));
        return;
    }
    f->client.kept = f->in; /* the hello is read again, by OpenSSL */
    f->in = (struct buf){.max = f->in.max};
    f->client.paused = false;
    flow_goto(f, ST_CLIENT);
    step_client(f);
    if (!f->ended && stream_watch(&f->client) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

static void client_failed(struct flow *f, enum rc rc)
{
    char detail[64];
    const char *text = ERR_reason_error_string(f->client.tls_error);
    f->e->n.client_tls_failed++;
    if (f->client.alert_in >= 0)
        snprintf(detail, sizeof detail, "alert %s", SSL_alert_desc_string_long(f->client.alert_in));
    else
        snprintf(detail, sizeof detail, "%s", rc == RC_TLS && text ? text : "closed");
    flow_end(f, f->refused ? f->reason : REASON_CLIENT_TLS, arena_dup(&f->arena, span_str(detail)));
}

void step_client(struct flow *f)
{
    enum rc rc = stream_handshake(&f->client);
    if (rc == RC_AGAIN)
        return;
    f->t_client = flow_stamp(f);
    if (rc != RC_OK) {
        client_failed(f, rc);
        return;
    }
    const unsigned char *alpn = NULL;
    unsigned alpn_n = 0;
    SSL_get0_alpn_selected(f->client.ssl, &alpn, &alpn_n);
    if (alpn_n < sizeof f->alpn && alpn_n > 0)
        memcpy(f->alpn, alpn, alpn_n);
    f->e->n.client_tls++;
    drop_reader(f);
    if (f->origin.ssl)
        stream_trim(&f->origin);
    flow_goto(f, ST_HTTP);
    pump_start(f);
}
