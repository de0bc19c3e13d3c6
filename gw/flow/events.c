/* From a flow or exchange that is over to its one line in the log. */
#include "gw/flow/flow.h"

#include "gw/base/clock.h"
#include "gw/siem/event.h"

static const char *const modes[] = {
    [MODE_UNKNOWN] = NULL,    [MODE_PLAIN] = "plain",     [MODE_INSPECTED] = "inspected",
    [MODE_EXEMPT] = "exempt", [MODE_REFUSED] = "refused",
};

enum { RULE_FILE = 256 };

struct texts { /* what event_perron borrows while a line is written */
    uint8_t rule_at[RULE_FILE + 1 + DEC_MOST];
    char user[PSEUDO_TEXT];
    char set[640], changed[640], log[640];
    char origin_tls[64], client_tls[64];
    char defects[256];
    char revocation[24];
};

/* Appends a word to a list; what does not fit is left out with the rest. */
static void put_word(char *list, size_t room, span word, span value)
{
    size_t n = strlen(list);
    snprintf(list + n, room - n, "%s%.*s%s%.*s", n ? ", " : "", (int)(word.n < 128 ? word.n : 128),
             (const char *)word.p, value.n ? " " : "", (int)(value.n < 128 ? value.n : 128),
             (const char *)value.p);
}

/* Of a header its name: the value may be a tenant's secret. */
static void put_mod(char *list, size_t room, const struct verdict_mod *m)
{
    static const char *const words[MOD_N] = {"safe-search", "youtube", "quota", "header"};
    span value = m->kind == MOD_HEADER ? span_cut(m->value, 0, span_find(m->value, ':', 0)) : m->value;
    put_word(list, room, span_str(words[m->kind]), value);
}

static void fill_words(const struct snapshot *snap, const struct judged *j, struct event_perron *p,
                       struct texts *t)
{
    t->set[0] = t->log[0] = '\0';
    for (size_t i = 0; i < j->n_mods; i++)
        put_mod(t->set, sizeof t->set, &j->mods[i]);
    for (size_t i = 0; i < j->n_logs; i++) {
        struct rule_info r = snapshot_rule(snap, j->logs[i]);
        put_word(t->log, sizeof t->log, r.purpose.n ? r.purpose : r.name.n ? r.name : r.text, SPAN_NONE);
    }
    p->set = span_str(t->set);
    p->log = span_str(t->log);
}

/* A verdict's modifiers are what policy wants; which of them found something to change is the exchange's. */
static void fill_changed(const struct txn *x, struct event_perron *p, struct texts *t)
{
    t->changed[0] = '\0';
    for (unsigned i = 0; i < x->verdict.n_mods; i++) {
        if (x->changed >> i & 1)
            put_mod(t->changed, sizeof t->changed, &x->verdict.mods[i]);
    }
    p->changed = span_str(t->changed);
}

/* "FILE:LINE" */
static span rule_place(const struct rule_info *r, uint8_t out[RULE_FILE + 1 + DEC_MOST])
{
    uint8_t digits[DEC_MOST];
    span file = span_cut(r->file, 0, RULE_FILE), line = dec_span(r->line, digits);
    if (file.n)
        memcpy(out, file.p, file.n);
    out[file.n] = ':';
    memcpy(out + file.n + 1, line.p, line.n);
    return span_of(out, file.n + 1 + line.n);
}

static void fill_rule(const struct snapshot *snap, const struct judged *j, struct event_perron *p,
                      struct texts *t)
{
    if (!j->made)
        return;
    p->grant = j->grant == GRANT_NONE ? 0 : j->grant;
    p->observed = j->observed && j->does != j->action;
    p->lifted = j->why == WHY_CLICKED ? "clicked" : j->why == WHY_GRANT ? "grant" : NULL;
    if (j->n_mods || j->n_logs)
        fill_words(snap, j, p, t);
    p->category = j->category == CATEGORY_NONE ? SPAN_NONE : snapshot_category_name(snap, j->category);
    if (j->rule == RULE_NONE)
        return;
    struct rule_info r = snapshot_rule(snap, j->rule);
    p->rule = r.text;
    p->rule_at = rule_place(&r, t->rule_at);
}

static void fill_perron(struct flow *f, const struct snapshot *snap, const struct judged *j,
                        struct event_perron *p, struct texts *t)
{
    const struct engine *e = f->e;
    const struct settings *set = snapshot_settings(snap);
    *p = (struct event_perron){.snapshot = snapshot_short(snap),
                               .way = f->explicit_proxy ? "explicit" : "transparent",
                               .mode = modes[f->mode],
                               .node = set->node,
                               .worker = e->worker,
                               .boot = e->boot,
                               .seq = engine_next_seq(e)};
    if (f->zone != ZONE_NONE)
        p->zone = snapshot_zone(f->snap, f->zone)->name;
    p->user = flow_pseudonym(f, f->user, t->user);
    fill_rule(snap, j, p, t);
}

static void fill_id(const struct flow *f, struct event_flow_id *id)
{
    *id = (struct event_flow_id){.flow_id = f->id,
                                 .wall_us = clock_wall_us(),
                                 .src = f->src,
                                 .dst = f->dst.family ? f->dst : f->local,
                                 .src_port = f->src_port,
                                 .dst_port = f->dst_port};
}

static const char *flow_action(const struct flow *f)
{
    if (reason_is_policy(f->reason) || f->reason == REASON_CERTIFICATE || f->reason == REASON_CLIENT_FLOWS ||
        f->refused || (f->verdict.observed && f->verdict.action == ACT_BLOCK))
        return "block";
    return f->mode == MODE_EXEMPT ? "exempt" : f->mode == MODE_INSPECTED ? "inspect" : "allow";
}

/* "good", "unknown, malformed": what is known, and behind the comma what the origin has stapled. */
static const char *revocation_text(const struct cert_verdict *v, char out[24])
{
    const char *known = v->defects & DEFECT_BIT(REVOKED) ? "revoked"
                        : v->revocation_known            ? "good"
                                                         : "unknown";
    if (v->n_path == 0)
        return NULL; /* no origin's certificate was judged */
    snprintf(out, 24, "%s%s%s", known, v->staple == STAPLE_NONE ? "" : ", ",
             v->staple == STAPLE_NONE ? "" : staple_name(v->staple));
    return out;
}

/* Every defect: whoever wants to allow them needs a rule for each. */
static const char *defects_text(uint32_t defects, char out[256])
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned d = 0; d < DEFECT_N; d++) {
        if (defects >> d & 1 && n < 256)
            n += (size_t)snprintf(out + n, 256 - n, "%s%s", n ? ", " : "", defect_name((enum defect)d));
    }
    return defects ? out : NULL;
}

/* Version and cipher of a side, NULL where its handshake was not ended. */
static const char *agreed(const SSL_CIPHER *cipher, char out[64])
{
    if (!cipher)
        return NULL;
    bool is13 = SSL_CIPHER_get_protocol_id(cipher) >> 8 == 0x13; /* no suite is of both (RFC 8446 B.4) */
    snprintf(out, 64, "%s %s", is13 ? "TLSv1.3" : "TLSv1.2", SSL_CIPHER_get_name(cipher));
    return out;
}

void event_of_flow(struct flow *f)
{
    struct event_flow ev = {0};
    struct texts t;
    if (f->code[0] == '\0')
        engine_code(f->e, f->code);
    fill_id(f, &ev.id);
    fill_perron(f, f->snap, &f->verdict, &ev.perron, &t);
    ev.start_us = f->start_wall_us;
    ev.bytes_toserver = f->client.n_in;
    ev.bytes_toclient = f->client.n_out;
    ev.tls = f->tls;
    ev.sni = f->tls ? f->name : SPAN_NONE;
    ev.ja4 = span_str(f->ja4);
    ev.alpn = span_str(f->alpn);
    ev.version = f->client.ssl && !f->client.handshaking ? SSL_get_version(f->client.ssl) : NULL;
    ev.subject = f->subject;
    ev.issuer = f->issuer;
    ev.defect = defects_text(f->cert.defects, t.defects);
    ev.revocation = revocation_text(&f->cert, t.revocation);
    ev.origin_tls = agreed(f->origin_cipher, t.origin_tls);
    if (f->client.ssl && !f->client.handshaking)
        ev.client_tls = agreed(SSL_get_current_cipher(f->client.ssl), t.client_tls);
    ev.ech = f->ech;
    ev.exchanges = f->n_tx;
    ev.perron.code = f->code;
    ev.perron.action = flow_action(f);
    ev.perron.reason = reason_name(f->reason);
    ev.perron.detail = f->detail;
    ev.perron.t_hello = f->t_hello;
    ev.perron.t_decide = f->t_decide;
    ev.perron.t_resolve = f->t_resolve;
    ev.perron.t_connect = f->t_connect;
    ev.perron.t_upstream = f->t_upstream;
    ev.perron.t_mint = f->t_mint;
    ev.perron.t_client_tls = f->t_client;
    ev.perron.t_total = (uint64_t)(clock_mono_us() - f->start_us);
    if (event_flow_json(&f->e->line, &ev) == RC_OK)
        engine_event(f->e);
}

/* What was decided: under `observe` a block that was let through is still told as one. */
static const char *txn_action(const struct txn *x)
{
    if (x->verdict.made && x->verdict.action == ACT_WARN)
        return "warn";
    if (x->verdict.made && x->verdict.action == ACT_BLOCK)
        return "block";
    return x->answered && x->status >= 400 ? "block" : "allow";
}

void event_of_txn(const struct txn *x, enum reason why, span detail)
{
    struct flow *f = x->f;
    struct event_http ev = {0};
    struct texts t;
    fill_id(f, &ev.id);
    fill_perron(f, x->snap, &x->verdict, &ev.perron, &t);
    if (x->changed)
        fill_changed(x, &ev.perron, &t);
    if (ev.id.dst_port == 0)
        ev.id.dst_port = x->port; /* by proxy each exchange has its own */
    ev.tx_id = x->id - 1;
    ev.hostname = x->host;
    char ip[ADDR_TEXT];
    if (ev.hostname.n == 0 && x->ip.family)
        ev.hostname = span_str(addr_text(&x->ip, ip));
    ev.port = x->port;
    ev.path = x->path;
    ev.had_query = x->had_query;
    ev.method = x->method;
    ev.protocol = f->h2 ? SPAN("HTTP/2") : x->from_http10 ? SPAN("HTTP/1.0") : SPAN("HTTP/1.1");
    ev.user_agent = x->user_agent;
    ev.referer_host = x->referer_host;
    ev.content_type = x->content_type;
    ev.status = x->status;
    ev.bytes = x->bytes_down;
    ev.bytes_up = x->bytes_up;
    ev.perron.code = x->code;
    ev.perron.action = txn_action(x);
    ev.perron.reason = reason_name(why);
    ev.perron.detail = detail;
    ev.perron.t_decide = x->t_decide;
    ev.perron.t_total = (uint64_t)(clock_mono_us() - x->start_us);
    if (event_http_json(&f->e->line, &ev) == RC_OK)
        engine_event(f->e);
}
