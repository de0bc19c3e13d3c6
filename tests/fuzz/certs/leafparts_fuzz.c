/* A leaf as the signer sends it, or any bytes: what is found lies inside, and where OpenSSL finds it too. */
#include "certs/leafparts.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(span s, span all)
{
    gw_assert(s.n == 0 || (s.p >= all.p && s.p + s.n <= all.p + all.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leaf_parts p;
    span all = span_of(data, size);
    if (!leaf_parts_read(all, &p))
        return 0;
    const span found[] = {p.tbs,         p.serial, p.issuer,    p.subject,
                          p.common_name, p.names,  p.authority, p.signature};
    for (size_t i = 0; i < N_ELEMS(found); i++)
        inside(found[i], all);
    const uint8_t *at = data;
    X509 *x = d2i_X509(NULL, &at, (long)size);
    const ASN1_BIT_STRING *sig = NULL;
    if (x) {
        X509_get0_signature(&sig, NULL, x);
        gw_assert(span_eq(p.signature, span_of(ASN1_STRING_get0_data(sig), (size_t)ASN1_STRING_length(sig))));
    }
    X509_free(x);
    ERR_clear_error();
    return 0;
}
