/* Where a connection with an origin leads and how: the key of everything that one connection may leave to the
 * next (sessions, verified chains, idle connections). Whatever differs in one of these parts shares nothing:
 * address, port, whose name is proved and how, the protocols offered (ALPN), the TLS profile with its lowest
 * version, and the generation of what the gateway trusts. */
#ifndef GW_FLOW_PLACE_H
#define GW_FLOW_PLACE_H

#include "certs/verify.h"
#include "gw/base/addr.h"
#include "gw/base/buf.h"

enum { PLACE_KEY = 32 };

struct flow;

struct place {
    struct addr addr;
    uint16_t port;
    span name;  /* whom the origin must prove to be; empty: the address, or (not `named`) nobody */
    bool named; /* false: a client without SNI took this address, any name of the certificate will do */
    bool tls;
    bool h2;          /* HTTP/2 is offered beside HTTP/1.1 */
    uint8_t profile;  /* which ciphers are offered: offer_lacks_128() */
    uint16_t version; /* lowest TLS version offered */
    uint64_t trust;   /* engine_trust_generation() */
};

/* NOMEM. */
enum rc place_key(const struct place *p, uint8_t key[PLACE_KEY]) MUST_USE;
/* That of a flow which is about to speak with `addr`. */
enum rc place_of(const struct flow *f, const struct addr *addr, uint8_t key[PLACE_KEY]) MUST_USE;

/* What is known of an origin from its certificate, for a connection that does not show it again. */
struct origin_facts {
    struct cert_verdict cert;
    int64_t since_s, until_s; /* the chain was verified then, and what follows from it holds so long */
    span subject, issuer;
};

/* How a flow's origin was reached; part of struct flow. */
struct via {
    uint8_t place[PLACE_KEY];
    bool placed;                  /* `place` is known */
    bool pooled;                  /* the connection was idle before, and has not answered since */
    bool fresh_only;              /* one that was idle turned out dead: not twice */
    bool bound;                   /* NTLM or Negotiate was seen: no other flow may use the connection */
    struct origin_facts *offered; /* behind a session that is offered, until the handshake is over */
    int64_t since_s, until_s;     /* of struct origin_facts */
};

/* A copy whose spans are its own; NOMEM. facts_free() is safe on a zeroed one. */
enum rc facts_copy(struct origin_facts *to, const struct origin_facts *from) MUST_USE;
void facts_free(struct origin_facts *o);
/* Good, and `now_s` within its time? A clock that was set back makes it as doubtful as one set forward. */
bool facts_hold(const struct origin_facts *o, int64_t now_s);

/* Those of a flow whose origin has shown its certificate, or resumed; borrowed from the flow. */
void facts_of(const struct flow *f, struct origin_facts *out);
/* The flow takes them over as its own. NOMEM. */
enum rc facts_give(struct flow *f, const struct origin_facts *o) MUST_USE;

#endif
