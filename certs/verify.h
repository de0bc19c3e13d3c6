/* Judges an origin's chain exactly as the gateway does, offline or in a handshake. Pure with respect to the
 * network. X509_STRICT for what is below the anchor; errors that come from the anchor alone (X509_V_ERR 85,
 * 86, 89, 92) pass. CN is never used; our own checks come on top (threats.md section A and its last
 * paragraph). */
#ifndef CERTS_VERIFY_H
#define CERTS_VERIFY_H

#include <openssl/x509.h>

#include "certs/revoked.h"
#include "certs/staple.h"
#include "gw/base/addr.h"
#include "gw/base/limits.h"

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

/* Plain values: who keeps a verdict keeps all that is needed to judge it again. */
struct cert_verdict {
    uint32_t defects;              /* DEFECT_BIT set; 0: acceptable */
    int x509_error, depth;         /* first X509_V_ERR_* and where, for the log */
    int64_t not_before, not_after; /* the leaf's */
    int64_t staple_until_s;        /* what the staple says holds until then */
    uint8_t leaf_sha256[32];
    enum staple staple;
    bool must_staple;
    bool revocation_known; /* of every certificate under the anchor: not revoked, or REVOKED is set */
    bool asked_client_cert;
    uint8_t n_path;
    struct revoked_id path[LIM_PATH_CERTS]; /* of the certificates under the anchor, leaf first */
};

/* `name` (normalised) or `ip` is what the client asked for. chain[0] is the leaf. now_s is the (scripted)
 * clock. */
enum rc verify_chain(const struct trust *t, STACK_OF(X509) * chain, span name, const struct addr *ip,
                     int64_t now_s, struct cert_verdict *out) MUST_USE;

/* The same with issuers that are known from elsewhere, and with the path that was built. */
struct verify_ask {
    const struct trust *trust;
    STACK_OF(X509) * chain;   /* as sent, leaf first */
    STACK_OF(X509) * issuers; /* fetched ones, not verified yet; may be NULL */
    span name;
    const struct addr *ip;
    int64_t now_s;
};
/* *path (may be NULL): leaf first, as far as it could be built; the caller frees it with its certificates. */
enum rc verify_path(const struct verify_ask *ask, struct cert_verdict *out, STACK_OF(X509) * *path) MUST_USE;

/* Is this host (normalised) among the certificate's names, by the same rules? Says nothing of its chain. */
bool verify_covers(X509 *leaf, span host);

/* What is known of revocation at this moment: sets or clears REVOKED and revocation_known, from the set, and
 * from the staple that is in the verdict. Cheap: once for each connection, resumed ones too, and again for
 * open ones when a new set has come. */
void verify_revocation(const struct revoked *set, struct cert_verdict *v, int64_t now_s);
/* The staple that came with the chain (empty: none): fills in v->staple, and NO_STAPLE where one was owed.
 * path[0] is the leaf, path[1] its issuer. */
void verify_staple(span staple, STACK_OF(X509) * path, int64_t now_s, struct cert_verdict *v);

#endif
