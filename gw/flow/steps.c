/* A flow from its first bytes to HTTP, one function a step:
 *
 *   hello -> decide(connect) -> [hold] -> look up -> dial -> splice (exempt)
 *                                                        -> handshake with the origin -> decide(certificate)
 *                                                           -> leaf -> handshake with the client -> HTTP
 *   refused: leaf -> handshake with the client -> HTTP, where every request gets our page; nothing
 *            goes upstream
 *
 * Nothing leaves upstream (no look-up, no SYN) before the connect decision. */
#include "gw/flow/flow.h"

#include <openssl/ssl.h>
#include <stdlib.h>

#include "gw/flow/breaks.h"
#include "gw/flow/record.h"

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

void step_forget_hello(struct flow *f)
{
    if (!f->reader)
        return;
    hello_fini(f->reader);
    free(f->reader);
    free(f->hello);
    f->reader = NULL;
    f->hello = NULL;
}

/* The beginning of a method, perhaps behind one empty line (RFC 9112 section 2.2); the strict reader says the
 * rest. */
static bool looks_like_http(span s)
{
    size_t i = 0;
    while (i < s.n && i < 2 && s.p[i] == (uint8_t) "\r\n"[i])
        i++;
    for (size_t start = i; i < s.n && i < start + 8; i++) {
        uint8_t c = s.p[i];
        if (c == ' ')
            return i > start;
        bool token = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_';
        if (!token)
            return false;
    }
    return s.n > 0;
}

/* The hello is whole: name, fingerprint, decision. */
static void hello_known(struct flow *f)
{
    uint8_t name[LIM_NAME_BYTES];
    const struct hello *h = f->hello;
    f->tls = f->hello_seen = true;
    f->ech = h->ech;
    f->t_hello = flow_stamp(f);
    memcpy(f->ja4, h->ja4, sizeof f->ja4);
    if (h->sni.n > 0) {
        size_t n = name_normalise(h->sni, name);
        if (n == 0) { /* an address or no host name at all: as good as none, but said */
            f->detail = SPAN("sni-not-a-name");
        } else {
            f->name = arena_dup(&f->arena, span_of(name, n));
            if (f->name.n == 0) { /* never to be judged as if it had named nobody */
                answer_alert(f, SSL_AD_INTERNAL_ERROR);
                flow_end(f, REASON_LIMIT, SPAN("memory"));
                return;
            }
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

bool step_waits(struct flow *f)
{
    enum on_answer answer = judge_room(f, f->name);
    if (answer == ANSWER_ALLOW)
        return false;
    if (answer == ANSWER_BLOCK) {
        step_refuse(f, REASON_JOURNAL_FULL, SPAN_NONE);
        return true;
    }
    f->client.paused = true;
    if (f->state != ST_HOLD)
        flow_goto(f, ST_HOLD);
    engine_hold(f->e, &f->hold);
    return true;
}

void step_decided(struct flow *f)
{
    if (step_waits(f))
        return;
    record_of_flow(f);
    flow_stamp(f);
    f->client.paused = true; /* the client's next bytes wait in the kernel until its side is ready */
    f->e->n.would_block += f->verdict.does != f->verdict.action;
    switch (f->verdict.does) {
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

/* What was decided when there was no room is decided anew: time has passed. */
void step_held(struct flow *f)
{
    if (f->origin.ssl) {
        step_certified(f);
        return;
    }
    judge_connect(f, &f->verdict);
    step_decided(f);
}

/* Plain HTTP, or a client whose handshake is over: the request that waits, or the next one, gets our page. */
static void refuse_plain(struct flow *f, enum reason why, span detail)
{
    if (f->state != ST_HTTP)
        flow_goto(f, ST_HTTP);
    f->client.paused = false;
    if (txn_is_open(f->tx)) {
        answer_page(f->tx, why, detail);
        pump(f);
    } else {
        pump_start(f);
    }
}

void step_refuse(struct flow *f, enum reason why, span detail)
{
    if (!f->refused)
        breaks_origin(f, why, detail);
    f->refused = true;
    f->reason = why;
    f->detail = detail;
    f->client.paused = true;
    stream_fini(&f->origin);
    if (!f->tls || (f->client.ssl && !f->client.handshaking)) {
        refuse_plain(f, why, detail);
        return;
    }
    if (f->no_ca || f->mode == MODE_EXEMPT) { /* nothing is intercepted here: no page can be shown */
        answer_alert(f, reason_is_policy(why) ? SSL_AD_ACCESS_DENIED : SSL_AD_INTERNAL_ERROR);
        flow_end(f, why, detail);
        return;
    }
    f->mode = MODE_REFUSED;
    step_mint(f);
}
