/* Worker side: leaves by (names asked, origin's leaf hash), bounded, least recently used out first. A leaf is
 * counted: the cache holds one reference, every handshake another. */
#ifndef CERTS_LEAFCACHE_H
#define CERTS_LEAFCACHE_H

#include <openssl/x509.h>

#include "gw/base/buf.h"

struct leafcache;
enum rc leafcache_new(size_t max, struct leafcache **out) MUST_USE;
void leafcache_free(struct leafcache *c);
/* A counted reference (X509_free it), or NULL. An entry is not given out once less than a minute of it is
 * left. */
X509 *leafcache_find(struct leafcache *c, span key, int64_t now_s);
/* Takes its own reference. */
enum rc leafcache_put(struct leafcache *c, span key, X509 *leaf) MUST_USE;
void leafcache_clear(struct leafcache *c);
size_t leafcache_count(const struct leafcache *c);

#endif
