/* What the files of certs/ca*.c and certs/mint.c share: the CA as the signer holds it, and the reading of its
 * files. Not for others: include certs/ca.h. */
#ifndef CERTS_CA_INT_H
#define CERTS_CA_INT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "certs/ca.h"

enum { CA_CERT_BYTES = 8192, CA_KEY_BYTES = 8192, CA_PATH_BYTES = 4096 };
/* Reads dir/pointer (certs/ca_token.h, struct ca_source); empty where there is none. */
enum rc ca_read_pointer(const char *dir, char out[CA_POINTER_MAX + 1], struct buf *err) MUST_USE;

/* Everything of a leaf that never changes is encoded once, at load. */
struct ca {
    EVP_PKEY *key;      /* its secret numbers are in OpenSSL's locked heap */
    EVP_PKEY_CTX *sign; /* initialised once: signing digests again and again */
    EVP_MD_CTX *md;
    EVP_MD *sha256;
    X509 *cert; /* the issuing CA */
    int64_t not_before, not_after;
    struct buf issuer;     /* its subject, DER */
    struct buf sig_alg;    /* AlgorithmIdentifier of every signature, DER */
    struct buf extensions; /* the constant extensions of a leaf, DER, one after the other */
    struct buf excluded;   /* excluded dNSName subtrees of its name constraints: u8 length, name */
};

/* OpenSSL's locked heap (mlock, guard pages, not in dumps), once per process. False: not to be had. */
bool ca_lock_memory(void) MUST_USE;
/* Reads at most `max` bytes of a small file, from its first byte. */
enum rc ca_read_fd(int fd, size_t max, struct buf *out) MUST_USE;
/* One certificate from dir/name (PEM). A line in `err` when it is not there or not a certificate. */
enum rc ca_read_cert(const char *dir, const char *name, X509 **out, struct buf *err) MUST_USE;
/* Appends a certificate as DER behind a u16 length. */
enum rc ca_put_cert(struct buf *out, X509 *cert) MUST_USE;
/* UTC seconds of a certificate's time, or INT64_MIN when it is malformed. */
int64_t ca_time(const ASN1_TIME *t);
/* Is `cert` fit to be an issuer: CA:TRUE, keyCertSign, a subject key identifier, a key of a kind we sign
 * with, a path length of at least `min_path`? NULL, or what is wrong with it. */
const char *ca_unfit(X509 *cert, long min_path);
/* state_dir "/" name into out[CA_PATH_BYTES]; LIMIT when too long. */
enum rc ca_dir(const char *state_dir, const char *name, char out[CA_PATH_BYTES]) MUST_USE;
/* "YYYY-MM-DD" of a moment. */
void ca_date_text(int64_t utc_s, char out[16]);
/* Empties `err`, writes one line, and yields CONFIG. */
enum rc ca_fail(struct buf *err, const char *fmt, ...) __attribute__((format(printf, 2, 3))) MUST_USE;

#endif
