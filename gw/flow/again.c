/* What was decided is decided again: when a verdict's time is over, after every reload, and when the clock
 * was set. A flow that is no longer allowed ends, whatever it is doing.
 *
 * One look goes through all flows of the worker, as many in a turn of the loop as LIM_JUDGE_TURN_US allows,
 * so that 20,000 flows delay nobody. A flow that stays takes over the snapshot in force, and the old one goes
 * when its last flow has left it. `valid_until` is wall time and timers are monotonic: a look at the clock at
 * least every LIM_JUDGE_MS sees that it was set, forwards or backwards. */
#include "gw/flow/h2.h"

#include <openssl/ssl.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/record.h"
#include "gw/flow/revoke.h"

enum { CLOCK_SET_US = 1000000, FLOWS_A_CLOCK = 4 };

/* ---- one flow ---- */

static const struct set_zone *zone_of(const struct flow *f)
{
    return f->zone == ZONE_NONE ? NULL : snapshot_zone(f->snap, f->zone);
}

/* Is a client of both the same one to origins and to the pool? */
static bool same_place(const struct set_zone *a, const struct set_zone *b)
{
    return a && b && a->source_keep == b->source_keep && span_eq(a->name, b->name);
}

bool again_adopt(struct flow *f)
{
    struct snapshot *now = f->e->snap, *before = f->snap;
    if (before == now)
        return true;
    const struct set_zone *was = zone_of(f);
    f->snap = snapshot_get(now);
    f->zone = snapshot_zone_of(now, &f->src);
    const struct set_zone *zone = zone_of(f);
    f->no_ca = zone && zone->ca_none;
    span user = snapshot_user_of(now, &f->src);
    /* What was dialled for one client is no other's afterwards: it ends with this flow. */
    f->via.bound |= !same_place(was, zone) || !span_eq(user, f->user);
    snapshot_put(before);
    if (span_eq(user, f->user))
        return true;
    f->user = arena_dup(&f->arena, user);
    if (f->user.n == user.n)
        return true;
    flow_end(f, REASON_LIMIT, SPAN("memory")); /* never to be judged as if it were somebody else */
    return false;
}

static void adopt_exchange(struct flow *f)
{
    struct txn *t = f->tx;
    if (!txn_is_open(t) || t->answered || t->snap == f->e->snap)
        return;
    snapshot_put(t->snap);
    t->snap = snapshot_get(f->e->snap);
}

/* An answer that has begun is broken off; one that has not becomes our page, as does the next request of a
 * connection that is quiet now. */
static void over_http(struct flow *f, enum reason why, span detail)
{
    struct txn *t = f->tx;
    if (f->h2) {
        h2flow_over(f, why, detail);
        return;
    }
    if (t->open && t->began) {
        flow_end(f, why, detail);
        return;
    }
    if (t->open && !t->answered) {
        if (t->sent && t->up != WAY_DONE)
            stream_abort(&f->origin); /* half a request must not look whole */
        answer_page(t, why, detail);
    } else if (!t->open) {
        f->refused = true;
        f->reason = why;
        f->detail = detail;
        stream_fini(&f->origin);
        buf_fini(&f->in_origin);
    }
    pump(f);
}

static void over(struct flow *f, enum reason why, span detail)
{
    f->e->n.ended_again++;
    engine_unhold(&f->hold);
    switch (f->state) {
    case ST_HTTP: over_http(f, why, detail); return;
    case ST_RESOLVE: resolve_cancel(&f->query); break;
    case ST_DIAL:
        source_cancel(&f->source);
        dial_cancel(f->dial);
        break;
    case ST_HOLD:
    case ST_FETCH:
    case ST_UPSTREAM: break;
    default:
        if (f->state == ST_MINT)
            answer_alert(f, SSL_AD_ACCESS_DENIED);
        flow_end(f, why, detail);
        return;
    }
    step_refuse(f, why, detail);
}

/* Every verdict that let the connection get as far as it is; the strictest counts. */
static void judge_connection(struct flow *f, struct judged *out)
{
    struct judged j;
    judge_connect(f, out);
    if (out->does == ACT_BLOCK)
        return;
    if (f->cert.defects || f->cert.asked_client_cert) {
        judge_certificate(f, &j);
        judged_until(out, &j);
        if (j.does == ACT_BLOCK || (j.does == ACT_EXEMPT && out->does == ACT_INSPECT))
            *out = j;
    }
    X509 *leaf = f->name.n == 0 && f->origin.ssl ? SSL_get0_peer_certificate(f->origin.ssl) : NULL;
    if (leaf)
        judge_origin_names(f, leaf, out);
}

/* What is under way is finished, and then the connection ends. */
static bool finishes(struct flow *f)
{
    f->last = true;
    return txn_is_open(f->tx) || f->state != ST_HTTP || (f->h2 && f->h2->n > 0);
}

/* The connection may go on, but is it treated as policy wants it now? Before the dial that can be changed. */
static bool fits_mode(struct flow *f)
{
    bool exempt = f->verdict.does == ACT_EXEMPT;
    if ((f->mode == MODE_EXEMPT) == exempt || (f->mode != MODE_EXEMPT && f->mode != MODE_INSPECTED))
        return true;
    /* Not once the client has our TLS: its requests are decrypted, and may wait for another connection. */
    if (!f->client.ssl && (f->state == ST_RESOLVE || f->state == ST_DIAL)) {
        f->mode = exempt ? MODE_EXEMPT : MODE_INSPECTED;
        f->e->n.exempt += exempt ? 1 : -1;
        f->e->n.inspected += exempt ? -1 : 1;
        return true;
    }
    return exempt && finishes(f); /* else there is no key to look into what flows there */
}

/* Behind a leaf of our CA a defect became known that policy allows: the next connection has a leaf of the
 * untrusted one, and so the client's own warning. */
static bool fits_leaf(struct flow *f)
{
    bool vouched = f->mode == MODE_INSPECTED && f->client.ssl && !f->refused && !f->untrusted;
    return !vouched || f->cert.defects == 0 || finishes(f);
}

static bool connection_goes_on(struct flow *f, enum reason why, span detail)
{
    if (!f->verdict.made)
        return true;
    judge_connection(f, &f->verdict);
    if (f->verdict.does == ACT_BLOCK) {
        record_of_flow(f);
        if (txn_is_open(f->tx) && !f->tx->answered) {
            f->tx->verdict = f->verdict;
            memcpy(f->tx->code, f->code, sizeof f->tx->code);
        }
        over(f, why, detail);
        return false;
    }
    bool mode = fits_mode(f);
    if (mode && fits_leaf(f))
        return true;
    record_of_flow(f);
    if (f->mode == MODE_EXEMPT) {
        over(f, why, SPAN("to-be-inspected"));
        return false;
    }
    pump_finish(f, why, mode ? detail : SPAN("to-be-exempt"));
    pump(f);
    return false;
}

static void judge_flow(struct flow *f)
{
    struct txn *t = f->tx;
    bool reloaded = f->snap != f->e->snap || (txn_is_open(t) && t->snap != f->e->snap);
    enum reason why = reloaded ? REASON_POLICY_CHANGED : REASON_TIME_IS_UP;
    bool revoked = revoke_again(f);
    f->e->n.judged_again++;
    f->e->n.revoked_open += revoked;
    if (!again_adopt(f))
        return;
    adopt_exchange(f);
    if (f->state <= ST_PROXY && f->zone == ZONE_NONE) {
        flow_end(f, REASON_NO_ZONE, SPAN_NONE);
        return;
    }
    if (revoked)
        why = REASON_CERTIFICATE;
    bool goes_on = connection_goes_on(f, why, revoked ? SPAN("revoked") : SPAN_NONE);
    if (goes_on && f->h2 && f->state == ST_HTTP)
        h2flow_judge(f, why);
    if (!goes_on || !txn_is_open(t) || !t->verdict.made || t->answered)
        return;
    judge_request(t, &t->verdict);
    if (t->verdict.does != ACT_ALLOW)
        record_of_txn(t);
    if (t->verdict.does == ACT_WARN && !t->began)
        over(f, REASON_WARNED, SPAN_NONE);
    else if (t->verdict.does != ACT_ALLOW)
        over(f, why, SPAN_NONE);
}

static int64_t ends_at(const struct flow *f)
{
    int64_t a = f->verdict.made ? f->verdict.valid_until : INT64_MAX;
    int64_t b = txn_is_open(f->tx) && f->tx->verdict.made && !f->tx->answered ? f->tx->verdict.valid_until
                                                                              : INT64_MAX;
    int64_t c = f->h2 ? h2flow_ends_at(f) : INT64_MAX;
    b = b < c ? b : c;
    return a < b ? a : b;
}

/* What gets our page and nothing else has nothing to lose. */
static void look_at(struct flow *f, bool all, int64_t now_s)
{
    if (f->refused || f->state == ST_LINGER)
        return;
    bool old = f->snap != f->e->snap ||
               (txn_is_open(f->tx) && !f->tx->answered && f->tx->snap != f->e->snap) ||
               (f->h2 && h2flow_is_old(f));
    f->e->current = f;
    if (all || old || now_s >= ends_at(f)) {
        judge_flow(f);
        if (!f->ended)
            revoke_arrived(f);
    }
    if (!f->ended)
        again_due(f->e, ends_at(f));
}

/* ---- all flows ---- */

static int64_t clock_apart_us(void)
{
    return clock_wall_us() - clock_mono_us();
}

static void arm(struct engine *e)
{
    int64_t ms = LIM_JUDGE_MS;
    if (e->again.due_s < INT64_MAX / 1000) {
        int64_t left = e->again.due_s * 1000 - clock_wall_ms() + 1;
        ms = left < LIM_JUDGE_GAP_MS ? LIM_JUDGE_GAP_MS : left < LIM_JUDGE_MS ? left : LIM_JUDGE_MS;
    }
    ev_timer_set(e->ev, &e->again.at, ms);
}

void again_due(struct engine *e, int64_t until_s)
{
    if (until_s >= e->again.due_s)
        return;
    e->again.due_s = until_s;
    if (!e->again.next)
        arm(e);
}

void again_start(struct engine *e, bool all)
{
    struct again *a = &e->again;
    if (a->next) {
        a->once_more = true;
        a->all_next |= all;
        return;
    }
    a->next = e->flows.next;
    a->all = all;
    a->due_s = INT64_MAX;
    a->clock_us = clock_apart_us();
    ev_defer(e->ev, &a->more);
}

static void look_is_over(struct engine *e)
{
    struct again *a = &e->again;
    bool once_more = a->once_more, all = a->all_next;
    a->next = NULL;
    a->once_more = a->all = a->all_next = false;
    if (once_more)
        again_start(e, all);
    else
        arm(e);
}

static void on_more(struct ev_later *l)
{
    struct engine *e = CONTAINER_OF(l, struct engine, again.more);
    struct again *a = &e->again;
    int64_t stop_us = clock_mono_us() + LIM_JUDGE_TURN_US, now_s = clock_wall_s();
    for (unsigned n = 1; a->next && a->next != &e->flows; n++) {
        struct flow *f = CONTAINER_OF(a->next, struct flow, link);
        a->next = f->link.next;
        look_at(f, a->all, now_s);
        if (n % FLOWS_A_CLOCK == 0 && clock_mono_us() >= stop_us) {
            ev_defer(e->ev, &a->more);
            return;
        }
    }
    if (a->next)
        look_is_over(e);
}

static void on_time(struct ev_timer *t)
{
    struct engine *e = CONTAINER_OF(t, struct engine, again.at);
    int64_t moved = clock_apart_us() - e->again.clock_us;
    bool was_set = moved > CLOCK_SET_US || moved < -CLOCK_SET_US;
    if (was_set || clock_wall_s() >= e->again.due_s)
        again_start(e, was_set);
    else
        arm(e);
}

void again_init(struct engine *e)
{
    e->again = (struct again){.due_s = INT64_MAX, .clock_us = clock_apart_us(), .more.cb = on_more};
    ev_timer_init(&e->again.at, on_time);
}

void again_fini(struct engine *e)
{
    e->again.next = NULL; /* a batch that was put off finds nothing to do */
    ev_timer_stop(e->ev, &e->again.at);
}

void again_forget(struct flow *f)
{
    struct again *a = &f->e->again;
    if (a->next == &f->link)
        a->next = f->link.next;
}
