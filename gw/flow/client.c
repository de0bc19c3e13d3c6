/* The client's side of an inspected flow: a leaf that names what the client asked for, then its handshake
 * from the hello we kept. */
#include "gw/flow/flow.h"

#include <openssl/x509v3.h>

#include "certs/names.h"
#include "certs/untrusted.h"
#include "gw/base/clock.h"
#include "gw/base/obj.h"
#include "gw/tls/ctx.h"

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
                copy[0] = '*';
                copy[1] = '.';
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

static void on_minted(struct minter_wait *w, enum rc rc, struct leaf *leaf);
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

/* What the client would have seen: the origin's dates, and its names where they are the wrong ones. */
static void fill_untrusted(struct flow *f, struct mint_request *r)
{
    const struct cert_verdict *v = &f->cert;
    bool dated = v->not_before != INT64_MIN && v->not_after != INT64_MIN;
    fill_request(f, r);
    r->not_before = dated ? v->not_before : 0;
    r->not_after = dated ? v->not_after : 0;
    if (!(v->defects & DEFECT_BIT(WRONG_NAME)))
        return;
    r->n_sans = 0;
    add_origin_names(f, r);
    if (r->n_sans == 0)
        r->sans[r->n_sans++] = (struct san){SAN_DNS, SPAN("invalid")};
}

/* A defect that policy allows: the client must still see that the origin was bad. */
static void mint_untrusted(struct flow *f)
{
    struct mint_request r;
    X509 *leaf = NULL;
    fill_untrusted(f, &r);
    enum rc rc = untrusted_leaf(f->e->untrusted, minter_pkey(f->e->minter), &r, &f->cert, &leaf);
    if (rc != RC_OK) {
        flow_end(f, REASON_MINT, span_str(rc_name(rc)));
        return;
    }
    f->untrusted = true;
    f->e->n.untrusted++;
    start_client(f, leaf);
    X509_free(leaf);
}

void step_mint(struct flow *f)
{
    static const uint8_t none[32];
    struct mint_request r;
    uint8_t key[32];
    struct leaf *leaf = NULL;
    flow_goto(f, ST_MINT);
    if (!f->refused && f->cert.defects) {
        mint_untrusted(f);
        return;
    }
    fill_request(f, &r);
    bool known = f->name.n > 0 && map_find(&f->e->minted, f->name);
    if (!known && !share_take(&f->e->share, &f->src, ev_now_ms(f->e->ev))) {
        flow_end(f, REASON_MINT, SPAN("client-rate"));
        return;
    }
    f->mint.done = on_minted;
    minter_key(&r, f->refused ? none : f->cert.leaf_sha256, key);
    enum rc rc = minter_get(f->e->minter, key, &r, clock_wall_s(), &f->mint, &leaf);
    if (rc == RC_OK) {
        f->e->n.leaf_hits++;
        f->leaf = leaf;
        start_client(f, leaf_x509(leaf));
    } else if (rc == RC_AGAIN && !minter_attached(f->e->minter) &&
               judge_event(f, f->name, ON_SIGNER_DOWN) == ANSWER_BLOCK) {
        flow_end(f, REASON_SIGNER_DOWN, SPAN_NONE);
    } else if (rc != RC_AGAIN) {
        flow_end(f, REASON_MINT, span_str(rc_name(rc)));
    }
}

static void on_minted(struct minter_wait *w, enum rc rc, struct leaf *leaf)
{
    struct flow *f = CONTAINER_OF(w, struct flow, mint);
    if (rc != RC_OK) {
        flow_end(f, REASON_MINT, rc == RC_IO ? SPAN("leaf-register") : span_str(rc_name(rc)));
        return;
    }
    f->leaf = leaf_get(leaf);
    start_client(f, leaf_x509(leaf));
}

/* ---- the client's TLS ---- */

static void start_client(struct flow *f, X509 *leaf)
{
    SSL *ssl = NULL;
    struct engine *e = f->e;
    f->t_mint = flow_stamp(f);
    if (f->name.n > 0 && !map_find(&e->minted, f->name) && map_put(&e->minted, f->name, e) != RC_OK)
        map_fini(&e->minted); /* full: begin again */
    bool trusted = f->refused || f->cert.defects == 0;
    STACK_OF(X509) *chain = trusted ? minter_chain(e->minter) : NULL;
    enum rc rc = ctx_accept(e->to_clients, leaf, minter_pkey(e->minter), chain, f, &ssl);
    if (rc == RC_OK)
        ctx_give_alpn(ssl, f->refused                                  ? CTX_ANY
                           : f->origin.ssl && ctx_is_h2(f->origin.ssl) ? CTX_H2
                                                                       : CTX_HTTP11);
    if (rc == RC_OK && !f->refused && f->cert.defects & DEFECT_BIT(WEAK_TLS))
        SSL_set_max_proto_version(ssl, TLS1_2_VERSION); /* no more than the origin has (row 44) */
    /* A client that took a bad origin's leaf all the same is to be asked again each time. */
    if (rc == RC_OK && !(trusted && e->tickets.k[0].have && f->zone != ZONE_NONE))
        ticket_none(ssl);
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

static void client_failed(struct flow *f)
{
    f->e->n.client_tls_failed++;
    flow_end(f, REASON_CLIENT_TLS, flow_tls_detail(f, &f->client, "closed"));
}

void step_client(struct flow *f)
{
    enum rc rc = stream_handshake(&f->client);
    if (rc == RC_AGAIN)
        return;
    f->t_client = flow_stamp(f);
    if (rc != RC_OK) {
        client_failed(f);
        return;
    }
    const unsigned char *alpn = NULL;
    unsigned alpn_n = 0;
    SSL_get0_alpn_selected(f->client.ssl, &alpn, &alpn_n);
    if (alpn_n < sizeof f->alpn && alpn_n > 0)
        memcpy(f->alpn, alpn, alpn_n);
    f->e->n.client_tls++;
    /* Neither version shows its certificate again: the object may become the next leaf. */
    SSL_certs_clear(f->client.ssl);
    leaf_put(f->leaf);
    f->leaf = NULL;
    f->e->n.client_resumed += SSL_session_reused(f->client.ssl) == 1;
    if (!f->via.pooled)
        step_forget_hello(f);
    if (f->origin.ssl)
        stream_trim(&f->origin);
    flow_goto(f, ST_HTTP);
    pump_start(f);
}
