/* SHA-256; see sha256.h. */
#include "gw/base/sha256.h"

#include <openssl/evp.h>

enum rc sha256(const span *parts, size_t n, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < n; i++) {
        if (parts[i].n)
            ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? RC_OK : RC_NOMEM;
}

enum rc sha1(span bytes, uint8_t out[SHA1_BYTES])
{
    return EVP_Digest(bytes.p, bytes.n, out, NULL, EVP_sha1(), NULL) == 1 ? RC_OK : RC_NOMEM;
}
