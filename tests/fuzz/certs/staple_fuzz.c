/* A stapled statement as an origin sends it, about a certificate and its issuer that come with it: u24 length
 * and DER of issuer and leaf, then the staple. Beyond not crashing: what counts as the issuer's word has an
 * end, and that end is later than now. */
#include "certs/staple.h"

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* As in verify_fuzz: OpenSSL keeps a little of what it allocates on the first use of each thing. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

#define NOW INT64_C(1795000000)

static X509 *take(struct rd *r)
{
    span der = rd_vec24(r);
    const uint8_t *p = der.p;
    return der.n ? d2i_X509(NULL, &p, (long)der.n) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));
    X509 *issuer = take(&r), *leaf = take(&r);
    int64_t until = 0;
    if (issuer && leaf) {
        enum staple is = staple_read(rd_bytes(&r, rd_left(&r)), leaf, issuer, NOW, &until);
        gw_assert(is < STAPLE_N && is != STAPLE_NONE);
        gw_assert((is != STAPLE_GOOD && is != STAPLE_REVOKED) || until > NOW);
    }
    X509_free(issuer);
    X509_free(leaf);
    return 0;
}
