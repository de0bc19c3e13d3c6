/* A flow: one connection of a client with its two sides, from accept to its one line in the log.
 *
 * Everything of a flow lives in `struct flow`, its arena and those of its exchanges, and dies with it.
 * `state` changes only by flow_goto(), along the edges of state.tbl. Whoever finds that a flow is over calls
 * flow_end() with the one reason; the memory goes at the end of the loop's turn. Reading order: flow.c,
 * fsm.c, steps.c (hello to client handshake), pump.c and txn.c (HTTP), answer.c (pages), events.c. */
#ifndef GW_FLOW_FLOW_H
#define GW_FLOW_FLOW_H

#include "gw/base/arena.h"
#include "gw/flow/fetch.h"
#include "gw/flow/source.h"
#include "gw/flow/txn.h"
#include "gw/net/dial.h"
#include "gw/net/listen.h"
#include "gw/portal/page.h"
#include "gw/tls/hello.h"
#include "gw/tls/stream.h"

enum state {
#define S(id, name, ms, text, next) ST_##id,
#include "gw/flow/state.tbl"
#undef S
    ST_N
};
const char *state_name(enum state s);

/* How the flow's bytes are treated, once decided. */
enum mode { MODE_UNKNOWN, MODE_PLAIN, MODE_INSPECTED, MODE_EXEMPT, MODE_REFUSED };

enum { FLOW_TRACE = 16 };

struct flow {
    struct list link;
    struct engine *e;
    struct ev_timer deadline;
    struct ev_later reap, again; /* free it; pump once more */
    struct hold hold;
    uint64_t id;
    enum state state;
    enum mode mode;
    enum reason reason;
    span detail;  /* more precise reason; literal or in the arena */
    bool entered; /* counted among its client's open flows */
    bool ended, explicit_proxy, tls, no_ca, connected_by_connect, trimmed;
    bool refused; /* decided: every request is answered by us */
    bool last;    /* the exchange that runs is the last one: policy wants something else of the next */
    bool hello_seen, ech;
    bool dialled_twice;        /* exempt only after the origin had asked for a certificate */
    bool weak;                 /* second attempt, with the weak offer (gw/tls/offer.h) */
    bool took_leaf, untrusted; /* the client has had an exchange inside TLS; its leaf is the untrusted CA's */
    bool client_quiet;         /* close without close_notify: what was relayed was cut short */

    struct stream client, origin;
    struct addr src, dst, local;
    uint16_t zone, src_port, dst_port; /* dst: where the client wanted to go, 0 family until known */
    span user;
    char pseudo[16]; /* of the user `pseudo_of` on that day; record.c */
    const uint8_t *pseudo_of;
    uint32_t pseudo_day;

    struct snapshot *snap; /* that judged the connection */
    struct judged verdict;
    char code[16];
    span name;                   /* SNI, else CONNECT host: normalised; empty for an address */
    span connect_name;           /* host of CONNECT */
    struct hello_reader *reader; /* until the client's handshake is over */
    struct hello *hello;
    char ja4[JA4_BYTES + 1];
    uint64_t place; /* of name and ja4 in gw/ipc/broken.h; 0: not asked for yet */
    char alpn[16];

    struct resolve_query query;
    struct source_wait source;
    struct dial *dial;
    struct minter_wait mint;
    struct leaf *leaf; /* lent for the handshake with the client */
    struct splice *splice;
    struct cert_verdict cert;
    struct chain_wait chain;         /* until the certificate is judged */
    const SSL_CIPHER *origin_cipher; /* NULL until the handshake is over */
    struct via via;                  /* how the origin was reached */
    span subject, issuer;
    span origin_host;     /* plain HTTP: whom the open origin connection belongs to; in the bytes below, */
    uint8_t *origin_name; /* for a long connection may ask a thousand hosts: LIM_NAME_BYTES, or NULL */
    uint16_t origin_port;
    uint32_t origin_answers; /* exchanges that the open origin connection has served */

    struct arena arena;
    struct buf in, in_origin;       /* bytes read and not consumed yet */
    bool in_short, in_origin_short; /* ... because they are not enough */
    int64_t head_since_ms;          /* when the first byte of a request head came that is not whole yet */
    struct h1_head head_up, head_down;
    struct txn *tx;    /* HTTP/1; there until HTTP/2 begins */
    struct h2flow *h2; /* HTTP/2 on both sides; else NULL */
    uint32_t n_tx;

    int64_t start_wall_us, start_us;
    uint32_t t_hello, t_decide, t_resolve, t_connect, t_upstream, t_mint, t_client;
    int64_t stamp_us; /* when the present stage began */
    struct {
        uint64_t state : 8;
        int64_t at_us : 56;
    } trace[FLOW_TRACE]; /* ring of the last states */
    uint32_t n_trace;
};

/* A new flow for an accepted connection (takes a->fd). */
void flow_accept(struct engine *e, const struct accepted *a, bool explicit_proxy);
/* Ends it: closes both sides, writes what is still to be written. Idempotent. */
void flow_end(struct flow *f, enum reason why, span detail);
/* Ends an idle flow in order (draining), or all of them at once. */
void flow_drain_all(struct engine *e, bool now);

/* fsm.c */
void flow_goto(struct flow *f, enum state to);
/* Deadline of the present state, or another one. */
void flow_deadline(struct flow *f, int64_t ms);
uint32_t flow_stamp(struct flow *f); /* microseconds since the stage began; begins the next */

/* steps.c: first bytes, connect decision */
void step_start(struct flow *f);        /* after accept */
void step_hello(struct flow *f);        /* client bytes in HELLO */
void step_hello_kept(struct flow *f);   /* HELLO begins with what is in f->in (behind a CONNECT) */
void step_forget_hello(struct flow *f); /* its memory is needed no longer */
void step_decided(struct flow *f);      /* act on f->verdict */
void step_held(struct flow *f);         /* from HOLD: there is room */
/* Is there room for a record and what follows? Else the flow waits in HOLD or is refused: true. */
bool step_waits(struct flow *f);
void step_refuse(struct flow *f, enum reason why, span detail); /* answer every request with the reason */

/* reach.c: look-up, dial, splice */
void step_resolve(struct flow *f, span name, const struct addr *wanted);

/* handshake.c, client.c: origin; leaf, client */
/* What went wrong with TLS on a side: the peer's alert, or OpenSSL's reason, or `otherwise`. */
span flow_tls_detail(struct flow *f, const struct stream *s, const char *otherwise);
void step_origin(struct flow *f);    /* TLS on the dialled socket */
void step_upstream(struct flow *f);  /* handshake with the origin goes on */
void step_certified(struct flow *f); /* the certificate is judged; also from HOLD */
void step_mint(struct flow *f);      /* leaf for what the client asked */
void step_client(struct flow *f);    /* handshake with the client goes on */

/* judge.c: facts and decisions */
void judged_until(struct judged *j, const struct judged *also); /* `j` holds no longer than `also` does */
void judge_connect(struct flow *f, struct judged *out);
void judge_certificate(struct flow *f, struct judged *out);
enum action judge_would(const struct flow *f, uint32_t defects, uint32_t *rule); /* nothing is recorded */
enum defect judge_defect(const struct flow *f); /* of those that it has, the first that is not allowed */
/* A client without SNI: every name of the origin's certificate is judged, the strictest verdict counts. */
void judge_origin_names(struct flow *f, X509 *leaf, struct judged *out);
/* What policy wants when this happens to this flow, which is on its way to `name`. */
enum on_answer judge_event(const struct flow *f, span name, enum on_event what);
enum on_answer judge_room(struct flow *f, span name); /* room in the log, or policy without; counted */
void judge_request(struct txn *t, struct judged *out);

/* pump.c: bytes of HTTP and of tunnels, as far as they go now */
void pump_start(struct flow *f);
void pump(struct flow *f);
void pump_linger(struct flow *f);

/* proxy.c: what only a proxy is asked; same results as txn_begin */
enum rc proxy_request(struct txn *t, const struct msg *m) MUST_USE;
/* While the signer is away new hosts wait for it at most LIM_MINT_MS, then get a 503 page: CONNECT, and plain
 * HTTP too, where a page can still be shown. OK: it is there, or the host is known. */
enum rc proxy_signer(struct txn *t) MUST_USE;
void proxy_signer_poll(struct flow *f); /* in SIGNER: is it back? */
/* Is this a request for our CRL? Then it is answered (DENIED), else OK. */
enum rc proxy_own_urls(struct txn *t, const struct msg *m) MUST_USE;
/* Lets the client have what is pending, then ends the flow. */
void pump_finish(struct flow *f, enum reason why, span detail);

/* warn.c: warnings and the clicks past them */
void warn_read(struct txn *t, const struct msg *m);     /* the passes that a request brings */
bool warn_strip(struct txn *t, struct msg *m);          /* takes them out; false: no memory, never relay it */
void warn_remember(struct txn *t, const struct msg *m); /* where the click will lead back to */
void warn_offer(struct txn *t, struct page *p);         /* the button of a warning page */
/* Is this the click, or else a path of ours? Then it is answered (DENIED), else OK. */
enum rc warn_own_path(struct txn *t, const struct msg *m) MUST_USE;

/* again.c. Another snapshot in force takes over a flow; false: no memory, the flow has ended. */
bool again_adopt(struct flow *f);
/* The flow leaves the worker's list. */
void again_forget(struct flow *f);

/* answer.c: answers of our own; each ends the exchange and lingers */
void answer_page(struct txn *t, enum reason why, span detail);
void answer_bytes(struct txn *t, span type, span body);
void answer_whole(struct txn *t, span bytes, enum reason why, span detail); /* an HTTP/1.1 response */
void answer_alert(struct flow *f, uint8_t alert); /* a record of TLS, where nothing was decrypted */

/* record.c; the rest in record.h */
/* Pseudonym of today of a user; kept with the flow where it is the flow's, else in `out`. */
span flow_pseudonym(struct flow *f, span user, char out[16]);

/* events.c */
void event_of_flow(struct flow *f);
void event_of_txn(const struct txn *x, enum reason why, span detail);

#endif
