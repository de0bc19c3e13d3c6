/* What an entry of a list is about, in its one spelling: a host name, a network, or a URL (host or address
 * with a path). Text of any case, with trailing dots, U-labels or A-labels -> key. Pure. */
#ifndef SIGNATURES_CATKEY_H
#define SIGNATURES_CATKEY_H

#include "gw/base/addr.h"
#include "gw/base/limits.h"

enum catkey_kind { CATKEY_NAME, CATKEY_NET, CATKEY_URL, CATKEY_N };

enum { CATKEY_BYTES = 1280 }; /* name and path of an entry */

struct catkey {
    enum catkey_kind kind;
    size_t n, host_n;  /* of `text`; bytes before the path */
    struct prefix net; /* NET, and URL with an address (family 0: a name) */
    uint8_t text[CATKEY_BYTES];
};

/* The name that the first line of `rest` is, where it is one and nothing else; the bytes of that line without
 * its newline. 0: it must be looked at more closely, or read one byte after the other. What most lines of
 * most lists are made of is read in one pass so. */
size_t catkey_line(span rest, struct catkey *out) MUST_USE;

/* The one spelling of a host name, U-labels too (IDNA 2008, UTS 46); 0: it is none, as what ends in a number.
 */
size_t catkey_name(span text, uint8_t out[LIM_NAME_BYTES]) MUST_USE;
/* A host name, or an address or network. False when it is neither. */
bool catkey_host(span text, struct catkey *out) MUST_USE;
/* The same, or one with a path; a port is left out, also behind a scheme. False also for what has a query:
 * that is never looked at, and without it the entry would mean too much. */
bool catkey_url(span text, struct catkey *out) MUST_USE;
/* A regular expression of at most CATKEY_BYTES, as it is; its kind is CATKEY_N. */
void catkey_expression(span text, struct catkey *out);
/* From the text of a key that was made before. */
bool catkey_again(enum catkey_kind kind, span text, struct catkey *out) MUST_USE;

/* Hashes of a key: its own; the one whose place chooses the line of the table; of the name without its first
 * label. */
struct catkey_hashes {
    uint64_t own, base, parent;
};

/* The hash of host or address alone, and of a key; `out` may be NULL. */
uint64_t catkey_hash_name(const uint64_t seed[4], span name, struct catkey_hashes *out);
uint64_t catkey_hash_net(const uint64_t seed[4], const struct prefix *net);
uint64_t catkey_hash(const uint64_t seed[4], const struct catkey *k, struct catkey_hashes *out);
/* One more segment of a normalised path: *at moves from its slash to the next one, or to path.n. */
uint64_t catkey_hash_segment(const uint64_t seed[4], uint64_t h, span path, size_t *at);

#endif
