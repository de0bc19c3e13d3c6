/* The second CA, which nobody is to trust: it signs the leaf for an origin whose certificate has a defect
 * that policy allows, so that the client's own warning stays (threats.md row 52). Such a leaf shows what the
 * origin showed: its dates, its names where they are the wrong ones, and the defects in its subject.
 *
 * Its key has nothing to do with the interception CA's. It lies in STATE/untrusted.pem (0400, root's; key and
 * certificate), made with the first CA, or by the first start on a state directory that lacks it, so that
 * name and key stay the same over restarts and rotations of the real CA. No command exports the certificate;
 * it may vouch for names below `invalid` alone (critical nameConstraints), so a store that holds it all the
 * same does not make these leaves good. That is why workers may hold the key: it is worth nothing, and the
 * signer is never asked for anything that comes from a bad certificate.
 *
 * Its leaves are cached here and never among the good ones (row 28). */
#ifndef CERTS_UNTRUSTED_H
#define CERTS_UNTRUSTED_H

#include <openssl/x509.h>

#include "certs/mint.h"
#include "certs/verify.h"

enum { UNTRUSTED_PEM_BYTES = 8192 };

/* In the master and `perronctl ca init`: the file's bytes into `pem`; where there is none it is made first,
 * in the name of the organisation of STATE/ca/root.crt. CONFIG with one line in `err`: readable by others,
 * damaged, not to be written. */
enum rc untrusted_open(const char *state_dir, int64_t now_s, struct buf *pem, struct buf *err) MUST_USE;

/* `perronctl ca show`: the certificate alone, counted; nothing is made. NOTFOUND: there is none yet; CONFIG
 * as above. */
enum rc untrusted_look(const char *state_dir, X509 **cert, struct buf *err) MUST_USE;

/* In a worker. BAD: not a key with its certificate. `max_cached`: leaves kept. */
struct untrusted;
enum rc untrusted_load(span pem, size_t max_cached, struct untrusted **out) MUST_USE;
void untrusted_free(struct untrusted *u); /* NULL is fine */

/* A leaf for `key` with these names and dates (no limits: they are the origin's), and every bit of
 * `v->defects`, of which there is at least one, in its subject. *leaf is a counted reference, from the cache
 * where the same origin's leaf had the same defects and the same was asked. NOMEM, BAD: a date or name that
 * cannot be encoded. */
enum rc untrusted_leaf(struct untrusted *u, EVP_PKEY *key, const struct mint_request *req,
                       const struct cert_verdict *v, X509 **leaf) MUST_USE;
size_t untrusted_cached(const struct untrusted *u);
X509 *untrusted_cert(const struct untrusted *u); /* borrowed */

#endif
