/* A certificate revocation list of somebody else's (RFC 5280 section 5), read by ourselves: lists have a
 * million entries, and OpenSSL's types take half a kilobyte for each.
 *
 * crl_read() is pure and looks at the whole list once; nothing of it may be believed before crl_verify().
 * What we do not understand makes a list unusable, never partly used: delta and indirect lists, lists for
 * some reasons only, unknown critical extensions. */
#ifndef CERTS_CRL_H
#define CERTS_CRL_H

#include <openssl/x509.h>

#include "gw/base/buf.h"

enum { CRL_SERIAL = 20, CRL_NUMBER = 20 };

/* Why a list is not taken: K(ID, "name in logs"). */
enum crl_why {
#define K(id, name) CRL_##id,
#include "certs/crl_why.tbl"
#undef K
    CRL_WHY_N
};
const char *crl_why_name(enum crl_why why);

/* Spans point into the list's bytes. */
struct crl {
    span tbs, algorithm, signature; /* the first two with their headers */
    span issuer;                    /* name, with its header */
    span entries;                   /* contents of revokedCertificates */
    span point;                     /* contents of the issuing distribution point's names; may be empty */
    bool has_point, only_users, only_authorities;
    bool has_number, odd;       /* odd: the number is critical, or a scope has a name that is no URL */
    int64_t this_s, next_s;     /* thisUpdate, nextUpdate */
    uint8_t number[CRL_NUMBER]; /* CRL number, right-aligned; zeros where there is none */
    size_t n;                   /* entries */
    enum crl_why why;           /* of BAD */
};

/* OK, or BAD with c->why. */
enum rc crl_read(span der, struct crl *c) MUST_USE;
/* Serial numbers of all entries into `out` (c->n times CRL_SERIAL bytes, right-aligned), sorted, without
 * repetitions; returns how many. A serial that is too long for any certificate is left out. */
size_t crl_serials(const struct crl *c, uint8_t *out);
/* Until when those that it does not list are proved good: nextUpdate, or never (thisUpdate) when it is not in
 * the form that RFC 5280 section 5.2.3 and BR 7.2 lay down: no number, odd, or one serial twice (`n_serials`,
 * of crl_serials, is not c->n). What such a list revokes is revoked all the same. */
int64_t crl_good_until(const struct crl *c, size_t n_serials);
/* A certificate's serial in the same form; false: longer than a certificate's may be. */
bool crl_serial(X509 *cert, uint8_t out[CRL_SERIAL]);

/* Who must have signed it, and what for. */
struct crl_want {
    X509 *issuer;
    span url;         /* the pointer in the certificates that it shall cover */
    bool authorities; /* they are authorities' own */
    int64_t now_s;
};
/* Is it signed by this issuer and does it cover such certificates now? OK, or DENIED with c->why. */
enum rc crl_verify(struct crl *c, const struct crl_want *want) MUST_USE;

#endif
