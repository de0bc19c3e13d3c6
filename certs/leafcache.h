/* Worker side: leaves by (names asked, origin's leaf hash), bounded, least recently used out first. An entry
 * is the certificate's DER; the OpenSSL objects that handshakes need are few and recycled: an object that
 * nobody uses becomes the next leaf by changing serial, dates, subject, names and signature in place. Its
 * public key, the same in all leaves of a worker, is never touched (decoding it is what d2i_X509 takes 100 us
 * for). That the changed object encodes to the very bytes that the signer signed is looked at every time;
 * what does not is thrown away and decoded by OpenSSL.
 *
 * A leaf is lent: leafcache_find() counts one use, leaf_put() ends it, and only an object without a use is
 * changed. Who gives the X509 to an SSL puts the leaf back after SSL_free or SSL_certs_clear. */
#ifndef CERTS_LEAFCACHE_H
#define CERTS_LEAFCACHE_H

#include <openssl/x509.h>

#include "gw/base/buf.h"

struct leafcache;
struct leaf;

/* At most `max` leaves and LIM_LEAF_OBJECTS objects without a use. */
enum rc leafcache_new(size_t max, struct leafcache **out) MUST_USE;
/* Leaves that are still lent live until they are put. NULL is fine. */
void leafcache_free(struct leafcache *c);
/* A lent leaf, or NULL. An entry is not given out once less than a minute of it is left. */
struct leaf *leafcache_find(struct leafcache *c, span key, int64_t now_s);
/* Copies. BAD: not a certificate. LIMIT: the key is empty or too long. */
enum rc leafcache_put(struct leafcache *c, span key, span der) MUST_USE;
/* Everything goes, objects too: the CA is another one. */
void leafcache_clear(struct leafcache *c);
size_t leafcache_count(const struct leafcache *c);
struct leaf_counts {
    uint64_t recycled, decoded; /* objects made from an older one; by OpenSSL */
    size_t objects;             /* that exist now */
};
void leafcache_counts(const struct leafcache *c, struct leaf_counts *out);

X509 *leaf_x509(const struct leaf *l);
struct leaf *leaf_get(struct leaf *l); /* one use more */
void leaf_put(struct leaf *l);         /* NULL is fine */

#endif
