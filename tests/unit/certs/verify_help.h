/* For the tests of certs/verify: a trust store of certificates made here, and a verdict's defects as words.
 */
#ifndef TESTS_VERIFY_HELP_H
#define TESTS_VERIFY_HELP_H

#include <openssl/pem.h>
#include <stdio.h>

#include "tests/unit/certs/make_cert.h"
#include "certs/verify.h"

static inline struct trust *trust_of(X509 *const *certs, size_t n)
{
    struct buf err = {0};
    struct trust *t = NULL;
    unsigned roots;
    BIO *b = BIO_new(BIO_s_mem());
    const uint8_t *p;
    for (size_t i = 0; i < n; i++)
        PEM_write_bio_X509(b, certs[i]);
    long len = BIO_get_mem_data(b, &p);
    assert_int_equal(trust_load(span_of(p, (size_t)len), &t, &roots, &err), RC_OK);
    assert_int_equal(roots, n);
    BIO_free(b);
    buf_fini(&err);
    return t;
}

static inline void defects_text(uint32_t set, char out[256])
{
    size_t n = 0;
    out[0] = '\0';
    for (enum defect d = 0; d < DEFECT_N; d++) {
        if (set & (UINT32_C(1) << d))
            n += (size_t)snprintf(out + n, 256 - n, "%s ", defect_name(d));
    }
}

#endif
