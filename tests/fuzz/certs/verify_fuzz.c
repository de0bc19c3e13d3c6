/* Chains as a stranger sends them: u24 length and DER, as often as they like; the last one is taken for the
 * trust anchor, so that mutations get behind the look-up. What is judged good has a name that OpenSSL's own
 * matcher accepts too. */
#include "certs/verify.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* OpenSSL keeps a little of what it allocates on the first use of each thing; a search for leaks after every
 * input takes twenty times as long as the input. The unit tests look for leaks. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static const char host[] = "www.site.test";
#define NOW INT64_C(1795000000)

static STACK_OF(X509) * parse(span in)
{
    STACK_OF(X509) *sk = sk_X509_new_null();
    struct rd r = rd_of(in);
    while (rd_left(&r) && sk_X509_num(sk) < LIM_CHAIN_CERTS + 2) {
        span der = rd_vec24(&r);
        const uint8_t *p = der.p;
        X509 *x = der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;
        if (!x)
            break;
        sk_X509_push(sk, x);
    }
    return sk;
}

static struct trust *trust_in(X509 *anchor)
{
    struct trust *t = NULL;
    struct buf err = {0};
    unsigned n;
    const uint8_t *p = NULL;
    BIO *b = BIO_new(BIO_s_mem());
    long len = PEM_write_bio_X509(b, anchor) == 1 ? BIO_get_mem_data(b, &p) : 0;
    if (trust_load(span_of(p, (size_t)len), &t, &n, &err) != RC_OK)
        t = NULL;
    BIO_free(b);
    buf_fini(&err);
    return t;
}

static void check_good(X509 *leaf)
{
    gw_assert(X509_check_host(leaf, host, sizeof host - 1,
                              X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                              NULL) == 1);
    gw_assert(X509_check_ca(leaf) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    STACK_OF(X509) *sk = parse(span_of(data, size));
    int n = sk_X509_num(sk);
    struct trust *t = n ? trust_in(sk_X509_value(sk, n - 1)) : NULL;
    struct addr ip = {.family = 4, .b = {192, 0, 2, 1}};
    struct cert_verdict v;
    if (t) {
        if (verify_chain(t, sk, span_of(host, sizeof host - 1), NULL, NOW, &v) == RC_OK && v.defects == 0)
            check_good(sk_X509_value(sk, 0));
        if (verify_chain(t, sk, SPAN_NONE, &ip, NOW, &v) == RC_OK && v.defects == 0)
            gw_assert(X509_check_ip(sk_X509_value(sk, 0), ip.b, 4, 0) == 1);
    }
    trust_free(t);
    sk_X509_pop_free(sk, X509_free);
    return 0;
}
