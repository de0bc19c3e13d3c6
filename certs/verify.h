/* Judges an origin's chain exactly as the gateway does, offline or in a handshake. Pure with respect to the
 * network. X509_STRICT for what is below the anchor; errors that come from the anchor alone (X509_V_ERR 85,
 * 86, 89, 92) pass. CN is never used; our own checks come on top (threats.md section A and its last
 * paragraph). */
#ifndef CERTS_VERIFY_H
#define CERTS_VERIFY_H

#include <openssl/x509.h>

#include "gw/base/buf.h"
#include "gw/base/addr.h"

enum defect {
#define D(id, name, text) DEFECT_##id,
#include "certs/defect.tbl"
#undef D
    DEFECT_N
};
#define DEFECT_BIT(id) (UINT32_C(1) << DEFECT_##id)
const char *defect_name(enum defect d);
const char *defect_text(enum defect d);
/* Lowest set bit; DEFECT_N when none. */
enum defect defect_first(uint32_t set);
/* Number of the defect with that name in policies, or DEFECT_N. */
enum defect defect_find(span name);

/* The trust store: parsed once per process from a PEM bundle, shared by all contexts. Refuses (CONFIG) an
 * empty one. */
struct trust;
enum rc trust_load(span pem, struct trust **out, unsigned *n_roots, struct buf *err) MUST_USE;
void trust_free(struct trust *t);
X509_STORE *trust_store(const struct trust *t); /* borrowed */
/* Our own CA's certificates (DER): an origin that shows one of them or something they issued gets OWN_CA. */
enum rc trust_forbid(struct trust *t, span der) MUST_USE;

struct cert_verdict {
    uint32_t defects;              /* DEFECT_BIT set; 0: acceptable */
    int x509_error, depth;         /* first X509_V_ERR_* and where, for the log */
    int64_t not_before, not_after; /* the leaf's */
    uint8_t leaf_sha256[32];
    bool revocation_known; /* always false until revocation is built */
    bool asked_client_cert;
};

/* `name` (normalised) or `ip` is what the client asked for. chain[0] is the leaf. now_s is the (scripted)
 * clock. */
enum rc verify_chain(const struct trust *t, STACK_OF(X509) * chain, span name, const struct addr *ip,
                     int64_t now_s, struct cert_verdict *out) MUST_USE;

#endif
