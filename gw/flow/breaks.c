/* Why connections break; see breaks.h. A row of evidence is a name, a kind of client (JA4) and a side;
 * whether our CA is unknown to the client or its program pins is told apart by what the device did elsewhere.
 */
#include "gw/flow/breaks.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <stdlib.h>

#include "gw/base/clock.h"
#include "gw/base/lru.h"
#include "gw/base/obj.h"
#include "gw/flow/flow.h"
#include "gw/flow/h2.h"
#include "gw/ipc/broken.h"
#include "gw/siem/event.h"

enum {
    CLIENTS = 8, /* named in a row */
    NAMES = 3,   /* refused by a device before it is told */
    DETAIL = 64,
    ALERT_MS = 2000, /* an alert so soon after the handshake tells of it */
    AT_ONCE_MS =
        100, /* a program that looks at the key by itself closes so soon, and the way there and back */
    LARGE_HELLO = 1300 /* more than one segment carries */
};

struct row {
    struct lru_item item;
    enum break_kind kind;
    bool client; /* who closed; else the origin */
    char name[LIM_NAME_BYTES + 1], ja4[JA4_BYTES + 1], detail[DETAIL];
    const char *after;
    uint64_t n;
    struct addr clients[CLIENTS];
    unsigned n_clients;
    int64_t first_s, last_s;
};

struct device {
    struct lru_item item;
    struct addr addr;
    uint64_t names[NAMES], n;
    int64_t first_s, last_s;
    bool told;
};

struct breaks {
    struct lru rows, devices;
};

static const struct {
    const char *name, *text, *advice;
} kinds[] = {
#define B(id, name, text, advice) {name, text, advice},
#include "gw/flow/break.tbl"
#undef B
};

static void row_gone(struct lru_item *item)
{
    free(CONTAINER_OF(item, struct row, item));
}

static void device_gone(struct lru_item *item)
{
    free(CONTAINER_OF(item, struct device, item));
}

enum rc breaks_init(struct engine *e)
{
    e->breaks = calloc(1, sizeof *e->breaks);
    if (!e->breaks)
        return RC_NOMEM;
    lru_init(&e->breaks->rows, LIM_BREAKS, row_gone);
    lru_init(&e->breaks->devices, LIM_BREAKS, device_gone);
    return RC_OK;
}

void breaks_fini(struct engine *e)
{
    if (e->breaks) {
        lru_fini(&e->breaks->rows);
        lru_fini(&e->breaks->devices);
    }
    free(e->breaks);
    broken_unmap(e->broken);
    e->breaks = NULL;
    e->broken = NULL;
}

enum rc engine_broken(struct engine *e, int fd)
{
    return e->broken ? RC_BAD : broken_map(fd, &e->broken);
}

/* ---- rows ---- */

static void copy(char *to, size_t room, span s)
{
    size_t n = s.n < room ? s.n : room - 1;
    if (n)
        memcpy(to, s.p, n);
    to[n] = '\0';
}

static struct row *row_of(struct breaks *b, const struct flow *f, enum break_kind kind, bool client)
{
    uint64_t hash[2] = {map_hash(f->name), map_hash(span_str(f->ja4))};
    uint8_t key[sizeof hash + 2] = {(uint8_t)kind, client};
    memcpy(key + 2, hash, sizeof hash);
    struct lru_item *item = lru_find(&b->rows, span_of(key, sizeof key));
    if (item) {
        lru_used(&b->rows, item);
        return CONTAINER_OF(item, struct row, item);
    }
    struct row *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->kind = kind;
    r->client = client;
    r->first_s = clock_wall_s();
    copy(r->name, sizeof r->name, f->name);
    copy(r->ja4, sizeof r->ja4, span_str(f->ja4));
    if (lru_put(&b->rows, span_of(key, sizeof key), &r->item) == RC_OK)
        return r;
    free(r);
    return NULL;
}

static struct row *note(struct flow *f, enum break_kind kind, bool client, const char *after, span detail)
{
    struct row *r = f->e->breaks ? row_of(f->e->breaks, f, kind, client) : NULL;
    if (!r)
        return NULL;
    bool known = false;
    r->n++;
    r->last_s = clock_wall_s();
    r->after = after;
    copy(r->detail, sizeof r->detail, detail);
    for (unsigned i = 0; i < r->n_clients; i++)
        known |= addr_eq(&r->clients[i], &f->src);
    if (!known && r->n_clients < CLIENTS)
        r->clients[r->n_clients++] = f->src;
    f->e->n.breaks++;
    return r;
}

/* ---- events ---- */

static void tell(struct flow *f, const char *reason, const char *message, uint32_t rule)
{
    struct engine *e = f->e;
    struct event_note ev = {.wall_us = clock_wall_us(), .message = message, .module = "breaks"};
    ev.perron = (struct event_perron){.reason = reason,
                                      .detail = f->name,
                                      .snapshot = snapshot_short(f->snap),
                                      .node = snapshot_settings(f->snap)->node,
                                      .worker = e->worker,
                                      .boot = e->boot,
                                      .seq = engine_next_seq(e)};
    if (rule != RULE_NONE)
        ev.perron.rule = snapshot_rule(f->snap, rule).text;
    if (f->zone != ZONE_NONE)
        ev.perron.zone = snapshot_zone(f->snap, f->zone)->name;
    if (event_note_json(&e->line, &ev) == RC_OK)
        engine_event(e);
}

/* ---- devices ---- */

static span device_key(const struct flow *f)
{
    return span_of(f->src.b, f->src.family == 4 ? 4 : 16);
}

static void accepted(struct flow *f)
{
    struct lru_item *item = f->e->breaks ? lru_find(&f->e->breaks->devices, device_key(f)) : NULL;
    if (f->e->broken)
        broken_accepts(f->e->broken, broken_device(f->e->broken, &f->src), clock_wall_s());
    if (item)
        lru_drop(&f->e->breaks->devices, item);
}

void breaks_works(struct flow *f)
{
    struct broken *b = f->e->broken;
    if (!f->tls || !f->client.ssl)
        return;
    if (!f->took_leaf && !f->untrusted) /* which says nothing of our CA */
        accepted(f);
    f->took_leaf = true;
    if (!b || !broken_counts(b) || f->name.n == 0 || f->ja4[0] == '\0')
        return;
    if (f->place == 0)
        f->place = broken_place(b, f->name, span_str(f->ja4));
    broken_works(b, f->place);
}

static struct device *device_of(struct breaks *b, const struct flow *f)
{
    struct lru_item *item = lru_find(&b->devices, device_key(f));
    if (item) {
        lru_used(&b->devices, item);
        return CONTAINER_OF(item, struct device, item);
    }
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->addr = f->src;
    d->first_s = clock_wall_s();
    if (lru_put(&b->devices, device_key(f), &d->item) == RC_OK)
        return d;
    free(d);
    return NULL;
}

/* One more refusal of a device that has accepted us nowhere. */
static void refused(struct flow *f)
{
    char message[160], text[ADDR_TEXT];
    struct device *d = f->e->breaks ? device_of(f->e->breaks, f) : NULL;
    uint64_t name = map_hash(f->name) | 1;
    unsigned n = 0;
    if (!d)
        return;
    d->n++;
    d->last_s = clock_wall_s();
    while (n < NAMES && d->names[n] != 0 && d->names[n] != name)
        n++;
    if (n < NAMES)
        d->names[n] = name;
    if (d->told || d->names[NAMES - 1] == 0)
        return;
    d->told = true;
    f->e->n.ca_missing++;
    snprintf(message, sizeof message,
             "CA missing: %s has refused our certificate for %d names and accepted it for none",
             addr_text(&d->addr, text), NAMES);
    tell(f, kinds[BREAK_CA_MISSING].name, message, RULE_NONE);
}

/* ---- exemptions ---- */

static void exempt(struct flow *f, const struct row *r)
{
    struct broken *b = f->e->broken;
    int64_t now = clock_wall_s(), until_s;
    uint32_t rule;
    char message[256];
    if (f->mode != MODE_INSPECTED || f->refused || f->name.n == 0 || f->ja4[0] == '\0' || f->cert.defects)
        return; /* blocked, or an origin that was not verified */
    rule = judge_broken(f, &until_s);
    if (rule == RULE_NONE)
        return;
    uint64_t place = broken_place(b, f->name, span_str(f->ja4));
    uint32_t for_s = snapshot_rule(f->snap, rule).exempt_s;
    if (broken_until(b, place, for_s, now) ||
        broken_fails(b, place, broken_client(b, &f->src), now) < BROKEN_CLIENTS)
        return;
    struct broken_exemption x = {.since_s = now, .until_s = now + for_s};
    copy(x.name, sizeof x.name, f->name);
    copy(x.ja4, sizeof x.ja4, span_str(f->ja4));
    if (!broken_exempt(b, &x, now))
        return;
    f->e->n.broken_exempt++;
    snprintf(message, sizeof message,
             "exempt for %u s for clients %s: %d devices that accept our CA elsewhere refuse it here (after "
             "%s: %s)",
             for_s, f->ja4, BROKEN_CLIENTS, r->after, r->detail[0] ? r->detail : "closed");
    tell(f, "broken-exempt", message, rule);
}

bool breaks_exempt(struct flow *f, uint32_t *rule, int64_t *until_s)
{
    const struct broken *b = f->e->broken;
    if (!b || !broken_any(b) || f->name.n == 0 || f->ja4[0] == '\0' || f->no_ca)
        return false;
    uint64_t place = broken_place(b, f->name, span_str(f->ja4));
    int64_t now = clock_wall_s();
    if (broken_until(b, place, LIM_BROKEN_EXEMPT_S, now) == 0)
        return false;
    *rule = judge_broken(f, until_s); /* a reload may have taken the line away, or made its time shorter */
    if (*rule == RULE_NONE)
        return false;
    int64_t over_s = broken_until(b, place, snapshot_rule(f->snap, *rule).exempt_s, now);
    *until_s = over_s < *until_s ? over_s : *until_s;
    return over_s != 0;
}

/* ---- the client's side ---- */

/* TLS alert descriptions (RFC 8446 section 6.2) by which a client says that it has no version, cipher or
 * extension for us; all others come from looking at the certificate. */
static bool is_weak_alert(int alert)
{
    return alert == SSL_AD_HANDSHAKE_FAILURE || alert == SSL_AD_PROTOCOL_VERSION ||
           alert == SSL_AD_INSUFFICIENT_SECURITY || alert == SSL_AD_ILLEGAL_PARAMETER ||
           alert == SSL_AD_MISSING_EXTENSION || alert == SSL_AD_NO_APPLICATION_PROTOCOL;
}

/* Did our side give up, for want of anything in common? */
static bool is_our_no(const struct stream *s)
{
    int why = ERR_GET_REASON(s->tls_error);
    return s->alert_in < 0 && s->tls_error != 0 && why != SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static void client_broke(struct flow *f, const char *after)
{
    const struct stream *s = &f->client;
    span detail = flow_tls_detail(f, s, "closed");
    if (is_our_no(s) || is_weak_alert(s->alert_in)) {
        note(f, BREAK_CLIENT_WEAK, is_weak_alert(s->alert_in), after, detail);
        return;
    }
    if (f->untrusted) { /* as it should: its own warning about the origin */
        note(f, BREAK_ORIGIN_WEAK, true, "the untrusted CA's certificate", detail);
        return;
    }
    struct broken *b = f->e->broken;
    uint64_t device = b ? broken_device(b, &f->src) : 0;
    bool trusts = b && broken_trusts(b, device, clock_wall_s());
    struct row *r = note(f, trusts ? BREAK_PINNED : BREAK_CA_REFUSED, true, after, detail);
    if (!trusts)
        refused(f);
    else if (r)
        exempt(f, r);
}

/* There and back; 0 where the kernel does not say. */
static int64_t round_trip_us(const struct flow *f)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    bool known = getsockopt(f->client.io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0;
    return known ? info.tcpi_rtt : 0;
}

/* Was the leaf shown in this handshake? With TLS 1.2 a client keeps the session of a handshake that it did
 * not like afterwards; with TLS 1.3 a ticket is read by those only who go on. */
static bool saw_leaf(const struct flow *f)
{
    return !SSL_session_reused(f->client.ssl) || SSL_version(f->client.ssl) < TLS1_3_VERSION;
}

/* After the handshake, without a request: an alert, or closed at once, as programs do that look at the key by
 * themselves. A browser's spare connection is closed unused too, but later. */
static bool closed_at_once(const struct flow *f, enum reason why)
{
    bool alert = why == REASON_CLIENT_TLS && f->client.alert_in >= 0;
    bool closed = why == REASON_DONE || why == REASON_CLIENT_CLOSED || why == REASON_CLIENT_TLS;
    bool spoke = f->took_leaf || txn_is_open(f->tx) || buf_len(&f->in) > 0 || (f->h2 && f->h2->spoke);
    if (!closed || spoke || f->state != ST_HTTP || !f->client.ssl || f->client.handshaking || !saw_leaf(f))
        return false;
    int64_t most_us = alert ? ALERT_MS * 1000LL : AT_ONCE_MS * 1000LL + round_trip_us(f);
    return clock_mono_us() - f->stamp_us < most_us;
}

static bool hello_was_cut(const struct flow *f, enum reason why)
{
    if (f->state == ST_HELLO && f->reader && !f->hello_seen)
        return (why == REASON_HELLO_TIMEOUT || why == REASON_CLIENT_CLOSED) && buf_len(&f->in) >= LARGE_HELLO;
    return f->splice && f->tls && f->splice->way[0].bytes >= LARGE_HELLO && f->splice->way[1].bytes == 0;
}

/* It asked for the client's certificate, went on without one and then would not serve. nginx answers 400,
 * others 403, 495 or 496; in TLS 1.3 the alert comes after the handshake. */
static bool wanted_certificate(const struct flow *f, enum reason why)
{
    const unsigned status = f->tx ? f->tx->status : 0;
    if (!f->cert.asked_client_cert || f->mode != MODE_INSPECTED)
        return false;
    if (f->origin_answers == 0 && span_eq(f->detail, SPAN("origin-idle")))
        return true; /* gone before the first request */
    return why == REASON_ORIGIN_CLOSED || status == 400 || status == 403 || status == 495 || status == 496;
}

void breaks_end(struct flow *f, enum reason why)
{
    if (wanted_certificate(f, why))
        note(f, BREAK_CLIENT_CERT, false, "its request for a certificate", SPAN_NONE);
    if (hello_was_cut(f, why))
        note(f, BREAK_HELLO_CUT, f->state == ST_HELLO, "a part of the hello", SPAN_NONE);
    else if (f->state == ST_CLIENT && (why == REASON_CLIENT_TLS || why == REASON_CLIENT_CLOSED) &&
             !span_eq(f->detail, SPAN("timeout")))
        client_broke(f, "our certificate");
    else if (closed_at_once(f, why))
        client_broke(f, "the handshake");
}

/* ---- the origin's side ---- */

void breaks_origin(struct flow *f, enum reason why, span detail)
{
    const char *after = f->origin.n_in > 0 ? "its hello" : "our hello";
    if (!f->tls)
        return;
    if (f->cert.asked_client_cert && (why == REASON_UPSTREAM_TLS || why == REASON_CERTIFICATE))
        note(f, BREAK_CLIENT_CERT, false, "its request for a certificate", detail);
    else if (why == REASON_CERTIFICATE)
        note(f, BREAK_ORIGIN_WEAK, false, "its certificate", detail);
    else if (why == REASON_UPSTREAM_TLS)
        note(f, BREAK_ORIGIN_WEAK, false, after, detail);
    else if (why == REASON_CONNECT || why == REASON_DNS)
        note(f, BREAK_ORIGIN_DOWN, false, why == REASON_DNS ? "our question for its address" : "our SYN",
             detail);
}

/* ---- show ---- */

/* How long at most a line of the policy in force exempts; 0: there is none. */
static int64_t longest_line_s(const struct engine *e)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < snapshot_n_rules(e->snap); i++) {
        int64_t s = snapshot_rule(e->snap, i).exempt_s;
        most = s > most ? s : most;
    }
    return most;
}

static json_t *show_row(struct engine *e, const struct row *r, int64_t line_s)
{
    char text[ADDR_TEXT];
    json_t *clients = json_array();
    for (unsigned i = 0; i < r->n_clients; i++)
        json_array_append_new(clients, json_string(addr_text(&r->clients[i], text)));
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:s, s:s}", "kind", kinds[r->kind].name,
                  "name", r->name, "ja4", r->ja4, "closed_by", r->client ? "client" : "origin or gateway",
                  "after", r->after, "detail", r->detail, "count", (json_int_t)r->n, "first",
                  (json_int_t)r->first_s, "last", (json_int_t)r->last_s, "clients", clients, "text",
                  kinds[r->kind].text, "advice", kinds[r->kind].advice);
    uint64_t place = e->broken && r->kind == BREAK_PINNED
                         ? broken_place(e->broken, span_str(r->name), span_str(r->ja4))
                         : 0;
    int64_t until = place ? broken_until(e->broken, place, line_s, clock_wall_s()) : 0;
    if (o && until)
        json_object_set_new(o, "exempt_until", json_integer((json_int_t)until));
    return o;
}

static json_t *show_device(const struct device *d)
{
    char text[ADDR_TEXT];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:[s], s:s, s:s}", "kind",
                     kinds[BREAK_CA_MISSING].name, "name", "", "ja4", "", "closed_by", "client", "after",
                     "our certificate", "detail", "", "count", (json_int_t)d->n, "first",
                     (json_int_t)d->first_s, "last", (json_int_t)d->last_s, "clients",
                     addr_text(&d->addr, text), "text", kinds[BREAK_CA_MISSING].text, "advice",
                     kinds[BREAK_CA_MISSING].advice);
}

/* What is exempt, whoever found it and before whichever start. */
static json_t *show_exemption(const struct broken_exemption *x, int64_t until_s)
{
    const int kind = BREAK_EXEMPT;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:[], s:s, s:s, s:I}", "kind",
                     kinds[kind].name, "name", x->name, "ja4", x->ja4, "closed_by", "", "after", "", "detail",
                     "", "count", 0, "first", (json_int_t)x->since_s, "last", (json_int_t)x->since_s,
                     "clients", "text", kinds[kind].text, "advice", kinds[kind].advice, "exempt_until",
                     (json_int_t)until_s);
}

static void show_exemptions(struct engine *e, int64_t line_s, json_t *list)
{
    struct broken_exemption x;
    int64_t now = clock_wall_s();
    for (size_t it = 0; e->broken && broken_next(e->broken, &it, now, &x);) {
        uint64_t place = broken_place(e->broken, span_str(x.name), span_str(x.ja4));
        int64_t until = broken_until(e->broken, place, line_s, now);
        if (until)
            json_array_append_new(list, show_exemption(&x, until));
    }
}

json_t *breaks_show(struct engine *e)
{
    json_t *list = json_array();
    int64_t line_s = longest_line_s(e);
    show_exemptions(e, line_s, list);
    for (struct list *l = e->breaks->rows.order.next; l != &e->breaks->rows.order; l = l->next)
        json_array_append_new(
            list,
            show_row(e, CONTAINER_OF(CONTAINER_OF(l, struct lru_item, link), struct row, item), line_s));
    for (struct list *l = e->breaks->devices.order.next; l != &e->breaks->devices.order; l = l->next) {
        const struct device *d = CONTAINER_OF(CONTAINER_OF(l, struct lru_item, link), struct device, item);
        if (d->told)
            json_array_append_new(list, show_device(d));
    }
    return list;
}
