/* SHA-256; see sha256.h. */
#include "gw/base/sha256.h"

#include <stdlib.h>

#include <openssl/evp.h>

struct sha256_ctx {
    EVP_MD *md; /* fetched: by EVP_sha256() each digest would look it up under locks */
    EVP_MD_CTX *ctx;
};

static enum rc digest(EVP_MD_CTX *ctx, const EVP_MD *md, const span *parts, size_t n,
                      uint8_t out[SHA256_BYTES])
{
    bool ok = EVP_DigestInit_ex(ctx, md, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++) {
        if (parts[i].n)
            ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    }
    return ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? RC_OK : RC_NOMEM;
}

enum rc sha256(const span *parts, size_t n, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum rc rc = ctx ? digest(ctx, EVP_sha256(), parts, n, out) : RC_NOMEM;
    EVP_MD_CTX_free(ctx);
    return rc;
}

enum rc sha256_new(struct sha256_ctx **out)
{
    struct sha256_ctx *c = calloc(1, sizeof *c);
    if (!c)
        return RC_NOMEM;
    c->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->ctx = EVP_MD_CTX_new();
    if (!c->md || !c->ctx) {
        sha256_free(c);
        return RC_NOMEM;
    }
    *out = c;
    return RC_OK;
}

void sha256_free(struct sha256_ctx *c)
{
    if (!c)
        return;
    EVP_MD_CTX_free(c->ctx);
    EVP_MD_free(c->md);
    free(c);
}

enum rc sha256_with(struct sha256_ctx *c, const span *parts, size_t n, uint8_t out[SHA256_BYTES])
{
    return digest(c->ctx, c->md, parts, n, out);
}

enum rc sha1(span bytes, uint8_t out[SHA1_BYTES])
{
    return EVP_Digest(bytes.p, bytes.n, out, NULL, EVP_sha1(), NULL) == 1 ? RC_OK : RC_NOMEM;
}
