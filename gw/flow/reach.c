/* Where a flow goes: look-up, which of the addresses may be dialled, the dial, and the kernel relay of exempt
 * flows. Called by the steps once the connect decision allows it; what fails goes back to step_refuse(). */
#include "gw/flow/flow.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "gw/base/obj.h"
#include "gw/flow/asking.h"
#include "gw/flow/record.h"
#include "gw/flow/revoke.h"
#include "gw/flow/reuse.h"
#include "gw/net/fence.h"

static void on_dialled(struct dial *d, int fd, const struct addr *to, int err);

static void dial_with(struct flow *f, int socket_of_client)
{
    struct dial_to to = {.addrs = f->dial->addrs,
                         .n = f->dial->n_addrs,
                         .port = txn_is_open(f->tx) ? f->tx->port : f->dst_port,
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

static void connected(struct flow *f);

static void start_dial(struct flow *f, const struct addr *addrs, size_t n)
{
    if (reuse_take(f, addrs, n)) {
        flow_goto(f, ST_DIAL);
        connected(f);
        return;
    }
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

/* Whatever led there: a name, a Host or CONNECT with an address, the client's own packet. Private ranges are
 * closed to all but the last of these, where no name is in play: that packet the client's network has brought
 * here by itself, and rules judge it; anything else would lend the gateway's place in the network to a
 * client.
 */
static enum fence fenced(const struct flow *f, const struct addr *a, bool named)
{
    const struct settings *set = snapshot_settings(f->snap);
    bool brought = !named && !f->explicit_proxy && addr_eq(a, &f->local);
    struct fence_rules r = {.private_block = set->private_block && !brought,
                            .open = set->open,
                            .n_open = set->n_open,
                            .management = set->management,
                            .n_management = set->n_management};
    return fence_dial(&r, a);
}

/* What policy says of the flow at this address. */
static void judge_at(struct flow *f, const struct addr *a, struct judged *j)
{
    struct addr was = f->dst, asked = f->tx->ip;
    f->dst = *a;
    if (txn_is_open(f->tx)) {
        f->tx->ip = asked.family ? *a : asked;
        judge_request(f->tx, j);
        f->tx->ip = asked;
    } else {
        judge_connect(f, j);
    }
    f->dst = was;
}

/* Rules may name networks: an address that was not a fact of the decision before is judged before it is
 * dialled. */
static bool is_blocked_there(struct flow *f, const struct addr *a)
{
    struct judged j;
    if (addr_eq(&f->dst, a))
        return false;
    judge_at(f, a, &j);
    if (f->mode == MODE_EXEMPT &&
        j.does == ACT_INSPECT) { /* exempt at the address it claimed, not at this one */
        f->mode = MODE_INSPECTED;
        f->verdict = j;
        record_of_flow(f);
        f->e->n.exempt--;
        f->e->n.inspected++;
    }
    struct judged *kept = txn_is_open(f->tx) ? &f->tx->verdict : &f->verdict;
    judged_until(kept, &j);
    if (j.does != ACT_BLOCK && (j.does != ACT_WARN || !txn_is_open(f->tx)))
        return false;
    *kept = j;
    if (txn_is_open(f->tx))
        record_of_txn(f->tx);
    else
        record_of_flow(f);
    return true;
}

/* Behind a translator it is the IPv4 address within that answers. */
static bool is_blocked_at(struct flow *f, const struct addr *a)
{
    struct addr inside;
    return (addr_embedded_v4(a, &inside) && is_blocked_there(f, &inside)) || is_blocked_there(f, a);
}

struct refusal {
    enum reason why;
    span detail;
};

/* The addresses that may be dialled, best first; 0 and a reason when there is none. `named`: they come from
 * our look-up. */
static size_t allowed_addresses(struct flow *f, const struct addr *in, size_t n, bool named, struct addr *out,
                                struct refusal *no)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        enum fence g = fenced(f, &in[i], named);
        f->e->n.fenced += g != FENCE_OK;
        if (g != FENCE_OK && no->why != REASON_CONNECT) { /* one reason is told: the best address's */
            continue;
        } else if (g != FENCE_OK) {
            no->why = g == FENCE_PRIVATE ? REASON_PRIVATE : REASON_FORBIDDEN_DST;
            no->detail = span_str(fence_name(g));
        } else if (is_blocked_at(f, &in[i])) {
            no->why = txn_is_open(f->tx) && f->tx->verdict.does == ACT_WARN ? REASON_WARNED : REASON_POLICY;
            no->detail = SPAN_NONE;
        } else {
            out[kept++] = in[i];
        }
    }
    return kept;
}

/* Whose word an address is. */
enum word {
    WORD_OURS,
    WORD_CLIENTS,
    WORD_UNPROVEN /* a named flow's own, which our look-up does not know */
};

static void dial_allowed(struct flow *f, const struct addr *in, size_t n, enum word word)
{
    struct addr ok[RESOLVE_MAX];
    struct refusal no = {REASON_CONNECT, SPAN_NONE};
    size_t kept = allowed_addresses(f, in, n, word != WORD_CLIENTS, ok, &no);
    if (kept == 0) {
        step_refuse(f, no.why, no.detail);
        return;
    }
    if (f->mode == MODE_INSPECTED && word != WORD_UNPROVEN && !f->dialled_twice && !f->weak && !f->client.ssl)
        kept = asking_exempts(f, ok, kept);
    start_dial(f, ok, kept);
}

/* The client's own address counts only where our look-up gives it too; an inspected flow whose name we cannot
 * look up may go there all the same, because the origin still has to prove the name. */
static void on_resolved(struct flow *f, const struct resolve_answer *a)
{
    const struct addr *wanted = txn_is_open(f->tx) && f->tx->ip.family ? &f->tx->ip : &f->dst;
    f->t_resolve += flow_stamp(f);
    for (size_t i = 0; i < a->n; i++) {
        if (wanted->family && addr_eq(&a->addrs[i], wanted)) {
            dial_allowed(f, wanted, 1, WORD_OURS);
            return;
        }
    }
    if (a->n > 0) {
        dial_allowed(f, a->addrs, a->n, WORD_OURS);
    } else if (wanted->family && f->mode == MODE_INSPECTED) {
        dial_allowed(f, wanted, 1, WORD_UNPROVEN);
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
            dial_allowed(f, wanted, 1, WORD_CLIENTS);
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
    step_forget_hello(f);
    if (splice_start(f->splice, f->e->ev, &f->e->pipes, client, origin, &f->in) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}

/* A peer that vanishes without a word (power, route) is noticed in half a minute, however quiet the flow may
 * be. */
static void notice_black_holes(int fd)
{
    int on = 1, idle_s = 10, every_s = 5, probes = 3, unacked_ms = LIM_BODY_STALL_MS;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
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
    f->origin.shared = snapshot_zone(f->snap, f->zone)->source_keep; /* the opener made it */
    connected(f);
}

/* With the origin, over a new connection or one that was idle. */
static void connected(struct flow *f)
{
    if (f->mode == MODE_INSPECTED && f->origin.ssl) {
        flow_goto(f, ST_UPSTREAM);
        f->origin.paused = true;
        step_chain(f);
    } else if (f->mode == MODE_INSPECTED) {
        step_origin(f);
    } else {
        f->via.placed = place_of(f, &f->dst, f->via.place) == RC_OK;
        flow_goto(f, ST_HTTP);
        f->client.paused = false;
        if (f->via.pooled) /* found at once: we are still inside the head that asked for it */
            txn_resume_later(f->tx);
        else
            txn_resume(f->tx);
    }
    if (!f->ended && stream_watch(&f->origin) != RC_OK)
        flow_end(f, REASON_LIMIT, SPAN("epoll"));
}
