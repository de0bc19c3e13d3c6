/* Others' revocation lists for tests, byte by byte (certs/der), so that they can be wrong in any way. */
#ifndef TESTS_MAKE_CRL_H
#define TESTS_MAKE_CRL_H

#include "certs/der.h"
#include "tests/unit/certs/make_cert.h"

struct crl_mk {
    const struct made *by;
    int64_t from, to;   /* relative to NOW; 0, 0: a day ago to in six days */
    size_t n;           /* entries: serials 1000, 1002, 1004 ... downwards, so that they have to be sorted */
    const char *serial; /* one more entry, decimal */
    span exts;          /* DER of more extensions of the list, one after the other */
    span entry_exts;    /* of every entry */
    unsigned number;    /* 0: none */
    const char *md;     /* NULL: SHA-256 */
    bool v1, no_next, other_inner, spoil;
};

static inline void crl_mk_uint(struct der *d, uint64_t v)
{
    size_t m = der_mark(d);
    do {
        der_put_u8(d, (uint8_t)v);
        v >>= 8;
    } while (v);
    if (d->p[d->at] & 0x80)
        der_put_u8(d, 0);
    der_wrap(d, DER_INTEGER, m);
}

static inline void crl_mk_entry(struct der *d, const struct crl_mk *c, span serial, uint64_t small)
{
    size_t m = der_mark(d);
    if (c->entry_exts.n)
        der_elem(d, DER_SEQ, c->entry_exts);
    der_time(d, NOW - DAY);
    if (serial.n)
        der_elem(d, DER_INTEGER, serial);
    else
        crl_mk_uint(d, small);
    der_wrap(d, DER_SEQ, m);
}

static inline void crl_mk_algorithm(struct der *d, bool other)
{
    static const uint8_t ecdsa256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2},
                         ecdsa384[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3};
    size_t m = der_mark(d);
    der_elem(d, DER_OID, other ? span_of(ecdsa384, 8) : span_of(ecdsa256, 8));
    der_wrap(d, DER_SEQ, m);
}

static inline void crl_mk_extensions(struct der *d, const struct crl_mk *c)
{
    static const uint8_t number_oid[] = {0x55, 0x1d, 0x14};
    size_t all = der_mark(d);
    der_put(d, c->exts);
    if (c->number) {
        size_t m = der_mark(d), v;
        v = der_mark(d);
        crl_mk_uint(d, c->number);
        der_wrap(d, DER_OCTETS, v);
        der_elem(d, DER_OID, span_of(number_oid, 3));
        der_wrap(d, DER_SEQ, m);
    }
    if (der_mark(d) == all)
        return;
    der_wrap(d, DER_SEQ, all);
    der_wrap(d, DER_CTX_0, all);
}

static inline void crl_mk_entries(struct der *d, const struct crl_mk *c)
{
    size_t m = der_mark(d);
    for (size_t i = 0; i < c->n; i++)
        crl_mk_entry(d, c, SPAN_NONE, 1000 + 2 * i); /* written from the back: the largest comes first */
    if (c->serial) {
        uint8_t b[40];
        BIGNUM *n = NULL;
        assert_true(BN_dec2bn(&n, c->serial) > 0);
        b[0] = 0;
        int len = BN_bn2bin(n, b + 1);
        bool pad = len == 0 || (b[1] & 0x80);
        crl_mk_entry(d, c, span_of(pad ? b : b + 1, (size_t)len + pad), 0);
        BN_free(n);
    }
    if (der_mark(d) != m)
        der_wrap(d, DER_SEQ, m);
}

/* *out is the caller's: malloc. */
static inline span crl_mk(const struct crl_mk *c, uint8_t **out)
{
    static const uint8_t one[] = {1};
    size_t cap = 8192 + c->n * 64;
    uint8_t *room = malloc(cap), *copy = malloc(cap), *name = NULL;
    struct der d = der_of(room, cap);
    size_t m = der_mark(&d);
    int n_name = i2d_X509_NAME(X509_get_subject_name(c->by->cert), &name);
    bool usual = c->from == 0 && c->to == 0;
    crl_mk_extensions(&d, c);
    crl_mk_entries(&d, c);
    if (!c->no_next)
        der_time(&d, NOW + (usual ? 6 * DAY : c->to));
    der_time(&d, NOW + (usual ? -DAY : c->from));
    der_put(&d, span_of(name, (size_t)n_name));
    crl_mk_algorithm(&d, c->other_inner);
    if (!c->v1)
        der_elem(&d, DER_INTEGER, span_of(one, 1));
    der_wrap(&d, DER_SEQ, m);
    span tbs = der_done(&d);
    uint8_t sig[160];
    size_t n_sig = sizeof sig - 1;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(
        EVP_DigestSignInit(md, NULL, EVP_get_digestbyname(c->md ? c->md : "SHA256"), NULL, c->by->key), 1);
    sig[0] = 0;
    assert_int_equal(EVP_DigestSign(md, sig + 1, &n_sig, tbs.p, tbs.n), 1);
    EVP_MD_CTX_free(md);
    if (c->spoil)
        sig[n_sig] ^= 1;
    struct der w = der_of(copy, cap);
    size_t all = der_mark(&w);
    der_elem(&w, DER_BITS, span_of(sig, n_sig + 1));
    crl_mk_algorithm(&w, false);
    der_put(&w, tbs);
    der_wrap(&w, DER_SEQ, all);
    OPENSSL_free(name);
    span done = der_done(&w);
    memmove(room, done.p, done.n);
    free(copy);
    *out = room;
    return span_of(room, done.n);
}

#endif
