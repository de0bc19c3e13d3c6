/* The revocation set: what all fetched lists say, in one sealed file that every worker maps. Made by the
 * fetcher (revoked_build), read by binary search, first for the source, then for the serial number: about a
 * third of a microsecond.
 *
 * A source is one list: an issuer (its key and its name), the address of the list, and whether it speaks of
 * authorities or of the others. Two lists of one issuer never answer for each other, so a list of another
 * shard is no proof that a certificate is good. */
#ifndef CERTS_REVOKED_H
#define CERTS_REVOKED_H

#include "certs/crl.h"

enum { REVOKED_SOURCE = 16 };

/* What is looked up of one certificate. */
struct revoked_id {
    uint8_t source[REVOKED_SOURCE]; /* all zeros: it points to no list */
    uint8_t serial[CRL_SERIAL];
    bool no_proof; /* its pointer is not in order: the list may revoke it, but not prove it good */
};

enum revocation { REVOCATION_UNKNOWN, REVOCATION_GOOD, REVOCATION_REVOKED };

/* Name of the source: SHA-256 over issuer's key, issuer's name, URL and kind, cut to 16 bytes. */
enum rc revoked_source_id(X509 *issuer, span url, bool authorities, uint8_t out[REVOKED_SOURCE]) MUST_USE;
/* What to look up of `cert`, whose issuer is `issuer`. */
enum rc revoked_id_of(X509 *cert, X509 *issuer, struct revoked_id *out) MUST_USE;

/* One list in a set. Spans are borrowed. */
struct revoked_source {
    uint8_t id[REVOKED_SOURCE];
    int64_t this_s, next_s;
    uint8_t number[CRL_NUMBER];
    span serials;     /* sorted, CRL_SERIAL bytes each */
    span url, issuer; /* issuer: the certificate that signs it, DER */
    bool authorities;
};

/* A sealed memory file of these; they are put in order. LIMIT beyond LIM_REVOKED_SERIALS or
 * LIM_REVOKED_SOURCES. *fd is the caller's. */
enum rc revoked_build(struct revoked_source *src, size_t n, int *fd) MUST_USE;

struct revoked;
/* Maps a set; BAD when it is not sealed or not whole. The descriptor stays the caller's. */
enum rc revoked_map(int fd, struct revoked **out) MUST_USE;
/* The same over bytes that somebody else keeps (tests, fuzzing). */
enum rc revoked_over(span bytes, struct revoked **out) MUST_USE;
void revoked_free(struct revoked *r);
/* `r` may be NULL: nothing is known. A list that is out of date still revokes, but proves nobody good. */
enum revocation revoked_find(const struct revoked *r, const struct revoked_id *id, int64_t now_s);
size_t revoked_n_sources(const struct revoked *r);
size_t revoked_n_serials(const struct revoked *r);
/* i < revoked_n_sources(); spans into the mapping. */
void revoked_source_at(const struct revoked *r, size_t i, struct revoked_source *out);

#endif
