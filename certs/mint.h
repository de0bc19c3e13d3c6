/* A leaf from plain fields: the signer builds it and never signs bytes it was given. The result names exactly
 * what was asked, carries AKI, SKI, KU digitalSignature (critical), EKU serverAuth, basicConstraints CA:FALSE
 * (critical), a CRL distribution point of our own, a random 127-bit serial, SHA-256; `openssl verify
 * -x509_strict` is content with it. Limits (the signer's, whatever a worker asks): at most 398 days, at most
 * LIM_LEAF_NAMES names, only names and addresses that are syntactically right, never a name on the
 * never-list. */
#ifndef CERTS_MINT_H
#define CERTS_MINT_H

#include "certs/ca.h"

enum san_kind { SAN_DNS, SAN_IP };
struct san {
    enum san_kind kind;
    span
        value; /* DNS: normalised name, may start with "*." (only copied from an origin); IP: 4 or 16 bytes */
};
struct mint_request {
    int64_t not_before, not_after; /* UTC seconds; clamped to the issuing CA's and to 398 days */
    uint16_t n_sans;
    struct san sans[LIM_LEAF_NAMES];
};
/* The dates that a worker asks for: no wider than the origin's, and short: from a week before now (slow
 * clocks of clients) to LEAF_DAYS after it. For a leaf without a usable origin pass INT64_MIN and INT64_MAX.
 */
enum { LEAF_DAYS = 90, LEAF_DAYS_MAX = 398 };
void mint_dates(struct mint_request *req, int64_t origin_from, int64_t origin_to, int64_t now_s);
/* Is this a point on P-256 (and not a byte string that a captured worker made up)? Asked once per key, by the
 * signer. */
bool mint_point_ok(const uint8_t leaf_point[65]);
/* `leaf_point`: 65-byte uncompressed P-256 point. DENIED: a limit refused it (*why says which, a literal). */
enum rc mint_leaf(const struct ca *ca, const uint8_t leaf_point[65], const struct mint_request *req,
                  struct buf *der, const char **why) MUST_USE;
/* Wire form of a request, for MSG_MINT; decode checks everything. Spans of `out` borrow from `in`. */
enum rc mint_encode(struct buf *out, const struct mint_request *req) MUST_USE;
enum rc mint_decode(span in, struct mint_request *out) MUST_USE;
/* Our issuing CA's CRL (empty list), valid for `days` from now_s. */
enum rc mint_crl(const struct ca *ca, int64_t now_s, int days, struct buf *der) MUST_USE;

#endif
