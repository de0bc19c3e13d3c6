/* The handshake of an inspected flow with its origin, before the client has been answered: policy judges the
 * certificate (client.c goes on from there). */
#include "gw/flow/flow.h"

#include <openssl/err.h>

#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/flow/noted.h"
#include "gw/flow/record.h"
#include "gw/flow/reuse.h"
#include "gw/flow/revoke.h"
#include "gw/flow/upstream.h"
#include "gw/tls/ctx.h"
#include "gw/tls/offer.h"

/* ---- the origin's TLS ---- */

static bool weak_could_pass(const struct flow *f, uint32_t *rule)
{
    return judge_would(f, DEFECT_BIT(WEAK_TLS), rule) == ACT_ALLOW;
}

/* The strong offer would fail, and policy lets the weak one through: it is made at once. */
static bool begins_weak(const struct flow *f)
{
    uint32_t rule;
    return !f->client.ssl && offer_has_weaker(f->hello) &&
           noted_known(f->e->weak, f->name, &f->dst, f->dst_port, clock_wall_s()) &&
           weak_could_pass(f, &rule);
}

static void note_weak(struct flow *f, bool was_weak)
{
    uint32_t rule;
    if (!was_weak)
        noted_forget(f->e->weak, f->name, &f->dst, f->dst_port);
    else if (weak_could_pass(f, &rule) && rule != RULE_NONE)
        noted_note(f->e->weak, f->name, &f->dst, f->dst_port, snapshot_rule(f->snap, rule).key,
                   clock_wall_s());
}

void step_origin(struct flow *f)
{
    SSL *ssl = NULL;
    f->weak = f->weak || begins_weak(f);
    enum rc rc = ctx_connect(f->weak ? f->e->to_weak : f->e->to_origins, f->name, f->hello, f, &ssl);
    if (rc == RC_OK && f->weak && offer_weaker(ssl, f->hello) != RC_OK) {
        SSL_free(ssl);
        rc = RC_TLS;
    }
    if (rc == RC_OK) {
        upstream_offer(f, ssl);
        rc = stream_tls(&f->origin, ssl);
    }
    if (rc != RC_OK) {
        step_refuse(f, REASON_UPSTREAM_TLS, span_str(rc_name(rc)));
        return;
    }
    flow_goto(f, ST_UPSTREAM);
    step_upstream(f);
}

span flow_tls_detail(struct flow *f, const struct stream *s, const char *otherwise)
{
    char detail[64];
    const char *text = ERR_reason_error_string(s->tls_error);
    if (s->alert_in >= 0)
        snprintf(detail, sizeof detail, "alert %s", SSL_alert_desc_string_long(s->alert_in));
    else
        snprintf(detail, sizeof detail, "%s", text ? text : otherwise);
    return arena_dup(&f->arena, span_str(detail));
}

/* The client has not been answered and its hello is kept whole: the origin is dialled once more. */
static void dial_anew(struct flow *f)
{
    stream_abort(&f->origin);
    stream_fini(&f->origin);
    stream_renew(&f->origin);
    buf_fini(&f->in_origin);
    step_resolve(f, f->name, &f->dst);
}

/* One attempt more, with the weak offer: where it could help, and where policy could let it through. */
static bool tries_weaker(struct flow *f, enum offer_failure why)
{
    uint32_t rule;
    if (f->weak || f->client.ssl || why == OFFER_OTHER || !offer_has_weaker(f->hello) ||
        !weak_could_pass(f, &rule))
        return false;
    f->weak = true;
    f->cert = (struct cert_verdict){0};
    f->e->n.weak_tries++;
    dial_anew(f);
    return true;
}

static void upstream_failed(struct flow *f)
{
    enum offer_failure why = offer_why_failed(&f->origin);
    if (tries_weaker(f, why))
        return;
    if (f->weak)
        note_weak(f, false); /* the next one begins anew */
    span detail = flow_tls_detail(f, &f->origin, "closed");
    if (why ==
        OFFER_WEAK) { /* named, and blocked by its rule; what else policy says, there is no connection */
        struct judged j;
        f->cert.defects |= DEFECT_BIT(WEAK_TLS);
        judge_certificate(f, &j);
        if (j.does == ACT_BLOCK) {
            step_certified(f);
            return;
        }
    }
    step_refuse(f, REASON_UPSTREAM_TLS, detail);
}

/* The origin asks for the client's own certificate, and policy passes that undecrypted: this time the dial is
 * for the kernel's relay. */
static void exempt_after_all(struct flow *f, const struct judged *j)
{
    if (f->dialled_twice) { /* and then its name led elsewhere, where it would have to be decrypted */
        step_refuse(f, REASON_CERTIFICATE, SPAN("asks-client-certificate"));
        return;
    }
    f->dialled_twice = true;
    f->verdict = *j;
    f->mode = MODE_EXEMPT;
    f->e->n.inspected--;
    f->e->n.exempt++;
    dial_anew(f);
}

void step_upstream(struct flow *f)
{
    enum rc rc = stream_handshake(&f->origin);
    if (rc == RC_AGAIN)
        return;
    f->t_upstream = flow_stamp(f);
    f->origin.paused = true; /* session tickets may follow; they are read when HTTP begins */
    if (rc != RC_OK) {
        upstream_failed(f);
        return;
    }
    f->e->n.upstream_tls++;
    f->origin_cipher = SSL_get_current_cipher(f->origin.ssl);
    if (upstream_known(f) != RC_OK) {
        step_refuse(f, REASON_LIMIT, SPAN("memory"));
        return;
    }
    bool was_weak = f->weak && offer_was_weak(f->origin.ssl);
    if (was_weak)
        f->cert.defects |= DEFECT_BIT(WEAK_TLS);
    if (f->weak)
        note_weak(f, was_weak);
    step_chain(f);
}

void step_certified(struct flow *f)
{
    struct judged j;
    revoke_let_go(f);
    X509 *leaf = SSL_get0_peer_certificate(f->origin.ssl);
    bool asks_names = f->name.n == 0 && leaf;
    bool needed = f->cert.defects || f->cert.asked_client_cert;
    if ((needed || asks_names) && step_waits(f))
        return;
    judge_certificate(f, &j);
    if (j.does == ACT_ALLOW && needed)
        record_beside(f);
    span what = j.does == ACT_BLOCK ? SPAN("asks-client-certificate") : SPAN("name-in-certificate");
    if (j.does != ACT_BLOCK && asks_names)
        judge_origin_names(f, leaf, &j);
    judged_until(&f->verdict, &j);
    if (j.does == ACT_EXEMPT && !f->client.ssl) {
        record_of_flow(f);
        upstream_exempted(f, &j);
        exempt_after_all(f, &j);
        return;
    }
    if (j.does == ACT_BLOCK) {
        f->verdict = j;
        record_of_flow(f);
        if (f->cert.defects == 0) {
            f->e->n.blocked++;
            step_refuse(f, REASON_POLICY, what);
            return;
        }
        f->e->n.cert_bad++;
        step_refuse(f, REASON_CERTIFICATE, span_str(defect_name(judge_defect(f))));
        return;
    }
    if (revoke_unknown(f)) {
        f->e->n.cert_bad++;
        step_refuse(f, REASON_CERTIFICATE, SPAN("revocation-unknown"));
        return;
    }
    if (f->client.ssl)
        reuse_certified(f);
    else
        step_mint(f);
}
