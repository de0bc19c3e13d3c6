/* What `perronctl show flows | flow ID | counters` gets from a worker: JSON. Users appear by pseudonym only.
 */
#include "gw/flow/h2.h"

#include <jansson.h>
#include <stdlib.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/breaks.h"
#include "gw/flow/noted.h"
#include "gw/flow/sessions.h"
#include "gw/siem/event.h"

enum { SHOW_FLOWS_MAX = 1000 };

static const char *const modes[] = {"unknown", "plain", "inspected", "exempt", "refused"};

static void set_span(json_t *o, const char *key, span s)
{
    if (s.n > 0)
        json_object_set_new(o, key, json_stringn_nocheck((const char *)s.p, s.n));
}

static json_t *brief(struct flow *f)
{
    char a[ADDR_TEXT], b[ADDR_TEXT], user[PSEUDO_TEXT];
    int64_t now = clock_mono_us();
    json_t *o =
        json_pack("{s:I, s:s, s:s, s:s, s:i, s:s, s:i, s:I, s:I, s:I, s:i}", "id", (json_int_t)f->id, "state",
                  state_name(f->state), "mode", modes[f->mode], "src", addr_text(&f->src, a), "src_port",
                  (int)f->src_port, "dst", addr_text(&f->dst, b), "dst_port", (int)f->dst_port, "age_ms",
                  (json_int_t)((now - f->start_us) / 1000), "bytes_up", (json_int_t)f->client.n_in,
                  "bytes_down", (json_int_t)f->client.n_out, "exchanges", (int)f->n_tx);
    if (!o)
        return NULL;
    set_span(o, "name", f->name);
    if (f->user.n > 0) {
        pseudonym(f->e->pseudo_key[0], f->user, user);
        json_object_set_new(o, "user", json_string(user));
    }
    return o;
}

static json_t *trace_of(const struct flow *f)
{
    json_t *list = json_array();
    uint32_t from = f->n_trace > FLOW_TRACE ? f->n_trace - FLOW_TRACE : 0;
    for (uint32_t i = from; i < f->n_trace; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I}", "state", state_name(f->trace[i % FLOW_TRACE].state),
                                        "at_us", (json_int_t)(f->trace[i % FLOW_TRACE].at_us - f->start_us)));
    return list;
}

/* What was decided, by which rule, and when it will be decided again; absent: no moment is known. */
static json_t *verdict_of(const struct snapshot *snap, const struct judged *j)
{
    static const char *const actions[] = {"allow", "block", "exempt", "inspect", "warn"};
    static const char *const whys[WHY_N] = {"rule",    "default", "defect", "zone without our CA",
                                            "no zone", "grant",   "click"};
    json_t *o = json_pack("{s:s, s:s, s:b}", "action", actions[j->action], "why", whys[j->why], "observed",
                          (int)(j->observed && j->does != j->action));
    if (j->rule != RULE_NONE) {
        struct rule_info r = snapshot_rule(snap, j->rule);
        set_span(o, "rule", r.text);
        set_span(o, "file", r.file);
        json_object_set_new(o, "line", json_integer(r.line));
    }
    if (j->valid_until != INT64_MAX)
        json_object_set_new(o, "valid_until", json_integer((json_int_t)j->valid_until));
    return o;
}

static void put_exchange(json_t *o, const struct txn *t)
{
    if (t->verdict.made && !t->answered)
        json_object_set_new(o, "exchange_verdict", verdict_of(t->snap, &t->verdict));
    set_span(o, "method", t->method);
    set_span(o, "host", t->host);
    json_object_set_new(o, "code", json_string(t->code));
}

/* The exchanges that run, each as one of HTTP/1 is shown; those that are answered and not yet read are empty.
 */
static json_t *streams_of(const struct h2flow *h)
{
    json_t *list = json_array();
    for (const struct list *l = h->open.next; l != &h->open; l = l->next) {
        const struct exchange *x = CONTAINER_OF(l, struct exchange, link);
        json_t *one = json_pack("{s:i, s:I, s:I}", "stream", (int)x->client.id, "pending_up",
                                (json_int_t)buf_len(&x->origin.out), "pending_down",
                                (json_int_t)buf_len(&x->client.out));
        if (one && x->t.open)
            put_exchange(one, &x->t);
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *whole(struct flow *f)
{
    json_t *o = brief(f);
    if (!o)
        return NULL;
    json_object_set_new(o, "trace", trace_of(f));
    json_object_set_new(o, "zone", json_integer(f->zone));
    json_object_set_new(o, "ja4", json_string(f->ja4));
    json_object_set_new(o, "snapshot", json_string(snapshot_short(f->snap)));
    json_object_set_new(o, "pending_up", json_integer((json_int_t)stream_pending(&f->origin)));
    json_object_set_new(o, "pending_down", json_integer((json_int_t)stream_pending(&f->client)));
    size_t high = f->arena.high + (f->tx ? f->tx->arena.high : 0);
    json_object_set_new(o, "arena_high", json_integer((json_int_t)high));
    set_span(o, "issuer", f->issuer);
    set_span(o, "subject", f->subject);
    if (f->verdict.made)
        json_object_set_new(o, "verdict", verdict_of(f->snap, &f->verdict));
    if (txn_is_open(f->tx))
        put_exchange(o, f->tx);
    if (f->h2)
        json_object_set_new(o, "streams", streams_of(f->h2));
    return o;
}

static json_t *flows(struct engine *e)
{
    json_t *list = json_array();
    int n = 0;
    for (struct list *l = e->flows.next; l != &e->flows && n < SHOW_FLOWS_MAX; l = l->next, n++)
        json_array_append_new(list, brief(CONTAINER_OF(l, struct flow, link)));
    return list;
}

static json_t *one_flow(struct engine *e, span id)
{
    uint64_t want;
    if (!span_to_u64(id, INT64_MAX, &want))
        return NULL;
    for (struct list *l = e->flows.next; l != &e->flows; l = l->next) {
        struct flow *f = CONTAINER_OF(l, struct flow, link);
        if (f->id == want)
            return whole(f);
    }
    return json_null();
}

static json_t *counters(struct engine *e)
{
    struct minter_counts leaves;
    minter_counts(e->minter, &leaves);
    e->n.leaf_mints = leaves.sent;
    e->n.leaf_joined = leaves.joined;
    e->n.leaf_limited = leaves.limited;
    e->n.origin_sessions = sessions_kept(e->sessions);
    json_t *o = json_object();
#define C(id, name, text) json_object_set_new(o, name, json_integer((json_int_t)e->n.id));
#include "gw/flow/counter.tbl"
#undef C
    return o;
}

enum rc engine_show(struct engine *e, span what, struct buf *out)
{
    json_t *o = NULL;
    if (span_eq(what, SPAN("flows")))
        o = flows(e);
    else if (span_eq(what, SPAN("asking")))
        o = noted_json(e->asking, clock_wall_s());
    else if (span_eq(what, SPAN("counters")))
        o = counters(e);
    else if (span_eq(what, SPAN("breaks")))
        o = breaks_show(e);
    else if (span_has_prefix(what, SPAN("flow ")))
        o = one_flow(e, span_cut(what, 5, what.n));
    if (!o)
        return RC_NOTFOUND;
    char *text = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(o);
    if (!text)
        return RC_NOMEM;
    enum rc rc = buf_put_str(out, text);
    free(text);
    return rc;
}
