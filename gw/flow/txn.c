/* One HTTP exchange: judged when its head is there, relayed, and told in one line when it is over. */
#include "gw/flow/txn.h"

#include <stdlib.h>

#include "certs/verify.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/breaks.h"
#include "gw/flow/change.h"
#include "gw/flow/h2.h"
#include "gw/flow/record.h"
#include "gw/flow/reuse.h"
#include "gw/http/bound.h"

/* ---- beginning ---- */

void txn_init(struct txn *t, struct flow *f, struct hold *hold)
{
    *t = (struct txn){.f = f, .hold = hold};
    arena_init(&t->arena, LIM_EXCHANGE_ARENA_BYTES);
}

void txn_fini(struct txn *t)
{
    if (!t)
        return;
    h1_body_fini(&t->body_up);
    h1_body_fini(&t->body_down);
    snapshot_put(t->snap);
    t->snap = NULL;
    t->verdict.mods = NULL; /* they were in the arena */
    t->verdict.n_mods = 0;
    arena_fini(&t->arena);
}

static span keep(struct txn *t, span s, size_t most)
{
    return arena_dup(&t->arena, span_cut(s, 0, most));
}

static span keep_field(struct txn *t, const struct msg *m, span name, size_t most)
{
    return keep(t, msg_field(m, name), most);
}

/* What the record and the page need is copied: the head's own bytes go with the next read. */
void txn_open(struct txn *t)
{
    struct flow *f = t->f;
    arena_reset(&t->arena);
    memset(&t->open, 0, sizeof *t - offsetof(struct txn, open));
    t->open = true;
    t->id = ++f->n_tx;
    t->start_us = clock_mono_us();
    t->snap = snapshot_get(f->e->snap);
    t->port = f->dst_port;
    t->host = f->name;
    f->e->n.exchanges++;
    engine_code(f->e, t->code);
}

static void open_with(struct txn *t, const struct msg *m)
{
    txn_open(t);
    t->method = keep(t, m->method, 32);
    t->path = keep(t, m->path, 4096);
    t->had_query = m->has_query;
    t->user_agent = keep_field(t, m, SPAN("user-agent"), 512);
    t->accept = keep_field(t, m, SPAN("accept"), 512);
    t->accept_language = keep_field(t, m, SPAN("accept-language"), 256);
    t->referer_host = keep(t, referer_host(msg_field(m, SPAN("referer"))), LIM_NAME_BYTES);
    t->from_http10 = m->minor == 0;
    t->client_close = !m->keep_alive;
    t->upgrade = m->upgrade;
    t->upload = m->body != BODY_NONE;
    t->f->via.bound |= bound_to_connection(m);
}

/* Host as decisions see it. false: neither a name nor an address. */
static bool know_host(struct txn *t, const struct msg *m)
{
    const struct flow *f = t->f;
    uint8_t name[LIM_NAME_BYTES];
    t->port = f->dst_port ? f->dst_port : m->port ? m->port : 80; /* a port in Host moves nobody elsewhere */
    t->host = SPAN_NONE;
    if (m->host.n == 0) { /* HTTP/1.0 without Host */
        t->host = f->name;
        t->ip = f->dst;
        return f->name.n > 0 || f->dst.family;
    }
    size_t n = name_normalise(m->host, name);
    if (n > 0) {
        t->host = keep(t, span_of(name, n), n);
        return t->host.n > 0;
    }
    return addr_parse(m->host, &t->ip) || addr_parse_loose_v4(m->host, &t->ip);
}

static bool hold_for_room(struct txn *t)
{
    struct flow *f = t->f;
    enum on_answer answer = judge_room(f, t->host);
    if (answer == ANSWER_ALLOW)
        return false;
    if (answer == ANSWER_BLOCK) {
        answer_page(t, REASON_JOURNAL_FULL, SPAN_NONE);
        return true;
    }
    t->waiting = true;
    if (!f->h2)
        flow_deadline(f, LIM_HOLD_MS);
    engine_hold(f->e, t->hold);
    return true;
}

/* Plain HTTP: is the open origin connection the one this request goes to? */
static bool origin_fits(const struct txn *t)
{
    const struct flow *f = t->f;
    return stream_open(&f->origin) && !f->origin.in_eof && f->origin_port == t->port &&
           (t->host.n ? span_eq(f->origin_host, t->host) : addr_eq(&f->dst, &t->ip));
}

static enum rc go_upstream(struct txn *t)
{
    struct flow *f = t->f;
    reuse_give(f);
    stream_fini(&f->origin);
    stream_renew(&f->origin);
    buf_fini(&f->in_origin);
    if (!f->origin_name && !(f->origin_name = malloc(LIM_NAME_BYTES))) {
        flow_end(f, REASON_LIMIT, SPAN("memory"));
        return RC_DENIED;
    }
    gw_assert(t->host.n <= LIM_NAME_BYTES);
    if (t->host.n)
        memcpy(f->origin_name, t->host.p, t->host.n);
    f->origin_host = span_of(f->origin_name, t->host.n);
    f->origin_port = t->port;
    f->origin_answers = 0;
    t->waiting = true;
    f->client.paused = true;
    flow_stamp(f);
    reuse_dial(f);
    return RC_AGAIN;
}

/* HTTP/1.0 may come without Host; what we judged is what the origin is told. */
static void name_host(const struct txn *t, struct msg *m, char text[ADDR_TEXT])
{
    if (m->host.n > 0)
        return;
    m->host = t->host.n > 0 ? t->host : span_str(addr_text(&t->ip, text));
    m->port = t->port == (t->f->tls ? 443 : 80) ? 0 : t->port;
}

static enum rc send_request(struct txn *t, struct msg *m)
{
    char text[ADDR_TEXT];
    name_host(t, m, text);
    struct relay_opts o = {.close = !m->keep_alive};
    bool clean = warn_strip(t, m) && change_request(t, m) == RC_OK;
    if (clean && t->f->h2)
        return exchange_send(t, m);
    if (!clean || relay_request(&t->f->origin.out, m, &o) != RC_OK) {
        answer_page(t, REASON_LIMIT, SPAN("head"));
        return RC_DENIED;
    }
    t->origin_close |= o.close; /* whatever it answers, nobody asks it again */
    reuse_remember(t->f, m);
    h1_body_init(&t->body_up, m);
    t->up = m->body == BODY_NONE ? WAY_DONE : WAY_BODY;
    t->sent = true;
    t->ready = false;
    t->sent_us = clock_mono_us();
    return RC_OK;
}

/* Without SNI nobody has said whom the connection is for but the origin's certificate: Host must be one of
 * its names (RFC 9110 section 7.4), or a blocked server could be asked in an allowed name. */
static bool is_misdirected(const struct txn *t)
{
    const struct flow *f = t->f;
    if (f->mode != MODE_INSPECTED || f->name.n > 0 || t->host.n == 0 || !f->origin.ssl)
        return false;
    X509 *leaf = SSL_get0_peer_certificate(f->origin.ssl);
    return !leaf || !verify_covers(leaf, t->host);
}

/* Our own page for every request of a refused flow: same verdict, and the code of the decision. */
static enum rc answer_refused(struct txn *t)
{
    struct flow *f = t->f;
    t->verdict = f->verdict;
    if (f->code[0])
        memcpy(t->code, f->code, sizeof t->code);
    snapshot_put(t->snap);
    t->snap = snapshot_get(f->snap); /* whose rules the verdict names */
    answer_page(t, f->reason, f->detail);
    return RC_DENIED;
}

static enum rc judge(struct txn *t, const struct msg *m)
{
    struct flow *f = t->f;
    int64_t before = clock_mono_us();
    warn_read(t, m);
    judge_request(t, &t->verdict);
    record_of_txn(t);
    t->t_decide = (uint32_t)(clock_mono_us() - before);
    f->e->n.would_block += t->verdict.does != t->verdict.action;
    if (t->verdict.does == ACT_ALLOW)
        return RC_OK;
    if (t->verdict.does == ACT_WARN) {
        warn_remember(t, m);
        answer_page(t, REASON_WARNED, SPAN_NONE);
        return RC_DENIED;
    }
    f->e->n.blocked++;
    answer_page(t, t->verdict.why == WHY_NO_ZONE ? REASON_NO_ZONE : REASON_POLICY, SPAN_NONE);
    return RC_DENIED;
}

enum rc txn_begin(struct txn *t, struct msg *m)
{
    struct flow *f = t->f;
    t->again = t->waiting = false;
    if (t->ready) /* judged before; the origin is there now */
        return send_request(t, m);
    if (!t->open)
        open_with(t, m);
    if (!know_host(t, m)) {
        f->e->n.http_bad++;
        t->status = 400;
        answer_page(t, REASON_CLIENT_HTTP, SPAN("host-not-a-name"));
        return RC_DENIED;
    }
    if (f->h2)
        TRY(exchange_room(t));
    TRY(proxy_own_urls(t, m));
    if (f->refused)
        return answer_refused(t);
    if (is_misdirected(t)) {
        t->status = 421;
        answer_page(t, REASON_CLIENT_HTTP, SPAN("host-not-in-certificate"));
        return RC_DENIED;
    }
    TRY(proxy_request(t, m));
    if (hold_for_room(t))
        return t->waiting ? RC_AGAIN : RC_DENIED;
    TRY(warn_own_path(t, m));
    bool inspected = f->mode == MODE_INSPECTED;
    bool fits = inspected ? stream_open(&f->origin) : origin_fits(t);
    if (!fits &&
        !inspected) { /* where it goes is known only when it is looked up, and is judged again then */
        struct addr unknown = {0};
        const struct addr *own = f->explicit_proxy ? &unknown : &f->local;
        f->dst = t->ip.family ? t->ip : *own;
    }
    TRY(judge(t, m));
    if (f->h2) /* its origin never comes again: exchange_send() refuses, and the client asks elsewhere */
        return send_request(t, m);
    if (!fits)
        TRY(proxy_signer(t));
    if (fits)
        return send_request(t, m);
    return go_upstream(t);
}

/* The origin is there again: it is asked what the dead connection was. */
static void repeat(struct txn *t)
{
    struct flow *f = t->f;
    t->repeating = t->waiting = false;
    t->answer_since_ms = 0;
    if (stream_queue(&f->origin, t->repeat) != RC_OK)
        answer_page(t, REASON_LIMIT, SPAN("memory"));
    pump(f);
}

static void head_again(struct txn *t)
{
    t->again = true;
    t->ready = t->waiting && stream_open(&t->f->origin) && t->verdict.made;
    t->f->in_short = false;
}

void txn_resume_later(struct txn *t)
{
    head_again(t);
    ev_defer(t->f->e->ev, &t->f->again);
}

void txn_resume(struct txn *t)
{
    struct flow *f = t->f;
    if (!t->open || f->ended)
        return;
    if (t->repeating) {
        repeat(t);
        return;
    }
    head_again(t);
    pump(f);
}

/* ---- the answer ---- */

static enum rc bad_answer(struct txn *t, span detail)
{
    t->f->detail = detail;
    return RC_BAD;
}

static enum rc switch_protocol(struct txn *t, const struct msg *m)
{
    struct flow *f = t->f;
    struct relay_opts o = {.strip_alt_svc = true};
    enum h1_why why = h1_switch_fits(t->upgrade, m);
    if (why != H1_NONE)
        return bad_answer(t, span_str(h1_why_name(why)));
    if (relay_response(&f->client.out, m, &o) != RC_OK)
        return bad_answer(t, SPAN("head"));
    t->status = m->status;
    t->began = true;
    t->down = WAY_BODY;
    flow_goto(f, ST_TUNNEL);
    return RC_OK;
}

static enum rc interim(struct txn *t, const struct msg *m)
{
    struct relay_opts o = {.strip_alt_svc = true};
    if (++t->n_interim > LIM_INTERIM_RESPONSES)
        return bad_answer(t, SPAN("too-many-interim"));
    t->answer_since_ms = 0;
    if (t->from_http10)
        return RC_OK; /* RFC 9110 section 15.2: not to HTTP/1.0 clients */
    return relay_response(&t->f->client.out, m, &o) == RC_OK ? RC_OK : bad_answer(t, SPAN("head"));
}

enum rc txn_response(struct txn *t, const struct msg *m)
{
    struct flow *f = t->f;
    if (m->status == 101)
        return switch_protocol(t, m);
    if (m->status < 200)
        return interim(t, m);
    if (m->status == 407 && f->explicit_proxy && !f->tls)
        return bad_answer(t,
                          SPAN("proxy-authentication")); /* to the client it would be this proxy that asks */
    h1_body_init(&t->body_down, m);
    reuse_proved(f);
    f->via.bound |= bound_to_connection(m);
    t->status = m->status;
    t->content_type = keep_field(t, m, SPAN("content-type"), 128);
    t->origin_close |= !m->keep_alive || m->body == BODY_CLOSE;
    struct relay_opts o = {.strip_alt_svc = true, .http10 = t->from_http10};
    enum body_kind leaves_as = relay_response_body(m, &o);
    t->chunk_down = leaves_as == BODY_CHUNKED;
    bool close = t->client_close || leaves_as == BODY_CLOSE || t->up != WAY_DONE || f->e->draining ||
                 f->last || (t->origin_close && f->mode == MODE_INSPECTED);
    o.close = t->client_close = close;
    if (relay_response(&f->client.out, m, &o) != RC_OK)
        return bad_answer(t, SPAN("head"));
    t->began = true;
    t->down = t->body_down.kind == BODY_NONE ? WAY_DONE : WAY_BODY;
    return RC_OK;
}

/* ---- the end ---- */

void txn_done(struct txn *t)
{
    struct flow *f = t->f;
    bool close = t->client_close || t->up != WAY_DONE || t->up_dead || f->last;
    bool origin_close = t->origin_close || t->up != WAY_DONE || t->up_dead;
    if (origin_close) {
        stream_fini(&f->origin);
        buf_fini(&f->in_origin);
        close |= f->mode == MODE_INSPECTED;
    }
    if (close) {
        pump_finish(f, REASON_DONE, SPAN_NONE);
        return;
    }
    f->origin_answers++;
    txn_end(t, REASON_DONE, SPAN_NONE);
    h1_head_init(&f->head_up);
    h1_head_init(&f->head_down);
    f->in_short = f->in_origin_short = false;
}

void txn_end(struct txn *t, enum reason why, span detail)
{
    if (!txn_is_open(t))
        return;
    t->open = false;
    breaks_works(t->f);
    event_of_txn(t, why, detail);
    txn_fini(t);
}
