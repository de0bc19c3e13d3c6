/* The key schedule of TLS 1.3; see schedule.h. It takes the parameters that libssl gives it (provider-kdf(7),
 * EVP_KDF-TLS13_KDF(7)), all of them with the derivation itself. */
#define OPENSSL_SUPPRESS_DEPRECATED /* the hashes themselves: EVP would allocate three contexts an HMAC */
#include "gw/tls/schedule.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include "gw/base/buf.h"
#include "gw/base/obj.h"

enum { BLOCK_MOST = SHA512_CBLOCK, HASH_MOST = SHA384_DIGEST_LENGTH, LABEL_MOST = 2 + 1 + 255 + 1 + 255 };

/* ---- HMAC ---- */

union state {
    SHA256_CTX of256;
    SHA512_CTX of384;
};

struct hash {
    size_t bytes, block;
    bool is_384;
};

static const struct hash hash_256 = {SHA256_DIGEST_LENGTH, SHA256_CBLOCK, false};
static const struct hash hash_384 = {SHA384_DIGEST_LENGTH, SHA512_CBLOCK, true};

static void start(const struct hash *h, union state *s)
{
    if (h->is_384)
        SHA384_Init(&s->of384);
    else
        SHA256_Init(&s->of256);
}

static void add(const struct hash *h, union state *s, span bytes)
{
    if (bytes.n == 0)
        return;
    if (h->is_384)
        SHA384_Update(&s->of384, bytes.p, bytes.n);
    else
        SHA256_Update(&s->of256, bytes.p, bytes.n);
}

static void finish(const struct hash *h, union state *s, uint8_t *out)
{
    if (h->is_384)
        SHA384_Final(out, &s->of384);
    else
        SHA256_Final(out, &s->of256);
}

/* RFC 2104; false: a key longer than a block, which no secret of TLS 1.3 is. */
static bool hmac(const struct hash *h, span key, span text, uint8_t *out)
{
    uint8_t pad[BLOCK_MOST], inner[HASH_MOST];
    union state s;
    if (key.n > h->block)
        return false;
    memset(pad, 0x36, h->block);
    for (size_t i = 0; i < key.n; i++)
        pad[i] ^= key.p[i];
    start(h, &s);
    add(h, &s, span_of(pad, h->block));
    add(h, &s, text);
    finish(h, &s, inner);
    for (size_t i = 0; i < h->block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    start(h, &s);
    add(h, &s, span_of(pad, h->block));
    add(h, &s, span_of(inner, h->bytes));
    finish(h, &s, out);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(&s, sizeof s);
    return true;
}

/* ---- what is asked ---- */

struct ask {
    const struct hash *hash;
    int mode;
    span key, salt, prefix, label, data; /* p NULL: not given */
};

static const struct hash *hash_named(span name)
{
    if (span_ieq(name, SPAN("SHA2-256")) || span_ieq(name, SPAN("SHA256")) || span_ieq(name, SPAN("SHA-256")))
        return &hash_256;
    if (span_ieq(name, SPAN("SHA2-384")) || span_ieq(name, SPAN("SHA384")) || span_ieq(name, SPAN("SHA-384")))
        return &hash_384;
    return NULL;
}

static bool is_named(const OSSL_PARAM *p, const char *name)
{
    return strcmp(p->key, name) == 0;
}

static bool read_ask(const OSSL_PARAM *p, struct ask *a)
{
    *a = (struct ask){.mode = -1};
    for (; p && p->key; p++) {
        span *bytes = is_named(p, OSSL_KDF_PARAM_KEY)      ? &a->key
                      : is_named(p, OSSL_KDF_PARAM_SALT)   ? &a->salt
                      : is_named(p, OSSL_KDF_PARAM_PREFIX) ? &a->prefix
                      : is_named(p, OSSL_KDF_PARAM_LABEL)  ? &a->label
                      : is_named(p, OSSL_KDF_PARAM_DATA)   ? &a->data
                                                           : NULL;
        if (bytes && p->data_type == OSSL_PARAM_OCTET_STRING)
            *bytes = span_of(p->data, p->data_size);
        else if (is_named(p, OSSL_KDF_PARAM_DIGEST) && p->data_type == OSSL_PARAM_UTF8_STRING)
            a->hash = hash_named(span_of(p->data, p->data_size));
        else if (bytes || (is_named(p, OSSL_KDF_PARAM_MODE) && OSSL_PARAM_get_int(p, &a->mode) != 1))
            return false;
    }
    return a->hash != NULL;
}

/* ---- RFC 8446 section 7.1 ---- */

static size_t put(span s, uint8_t *out)
{
    if (s.n)
        memcpy(out, s.p, s.n);
    return s.n;
}

/* HKDF-Expand-Label(secret, label, data, n) */
static bool expand(const struct ask *a, span secret, span data, uint8_t *out, size_t n)
{
    uint8_t text[HASH_MOST + LABEL_MOST + 1], block[HASH_MOST];
    const struct hash *h = a->hash;
    size_t label = a->prefix.n + a->label.n, at = HASH_MOST;
    if (label > 255 || data.n > 255 || n > 255 * h->bytes)
        return false;
    text[at++] = (uint8_t)(n >> 8);
    text[at++] = (uint8_t)n;
    text[at++] = (uint8_t)label;
    at += put(a->prefix, text + at);
    at += put(a->label, text + at);
    text[at++] = (uint8_t)data.n;
    at += put(data, text + at);
    bool ok = true;
    /* Each block but the first begins with the one before it, for which there is room ahead of the text. */
    for (size_t done = 0, from = HASH_MOST; ok && done < n; done += h->bytes, from = HASH_MOST - h->bytes) {
        text[at] = (uint8_t)(done / h->bytes + 1);
        ok = hmac(h, secret, span_of(text + from, at + 1 - from), block);
        memcpy(text + HASH_MOST - h->bytes, block, h->bytes);
        if (ok)
            memcpy(out + done, block, n - done < h->bytes ? n - done : h->bytes);
    }
    OPENSSL_cleanse(text, HASH_MOST);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

/* The next secret: HKDF-Extract(Derive-Secret(salt, label, ""), key). Without salt, or key, zeros. */
static bool extract(const struct ask *a, uint8_t *out, size_t n)
{
    static const uint8_t zeros[HASH_MOST];
    const struct hash *h = a->hash;
    uint8_t none[HASH_MOST], salt[HASH_MOST];
    union state s;
    span key = a->key.p ? a->key : span_of(zeros, h->bytes);
    if (n < h->bytes)
        return false;
    if (!a->salt.p)
        return hmac(h, SPAN_NONE, key, out);
    start(h, &s);
    finish(h, &s, none);
    bool ok = expand(a, a->salt, span_of(none, h->bytes), salt, h->bytes) &&
              hmac(h, span_of(salt, h->bytes), key, out);
    OPENSSL_cleanse(salt, sizeof salt);
    return ok;
}

static int derive(void *ctx, unsigned char *out, size_t n, const OSSL_PARAM params[])
{
    struct ask a;
    (void)ctx;
    if (!read_ask(params, &a))
        return 0;
    switch (a.mode) {
    case EVP_KDF_HKDF_MODE_EXPAND_ONLY: return a.key.p && expand(&a, a.key, a.data, out, n);
    case EVP_KDF_HKDF_MODE_EXTRACT_ONLY: return extract(&a, out, n);
    default: return 0;
    }
}

/* ---- for OpenSSL ---- */

/* A context holds nothing: what is asked comes with derive(). */
static void *context_new(void *provider)
{
    return provider;
}

static void context_free(void *ctx)
{
    (void)ctx;
}

const OSSL_DISPATCH schedule_kdf[] = {{OSSL_FUNC_KDF_NEWCTX, (void (*)(void))context_new},
                                      {OSSL_FUNC_KDF_FREECTX, (void (*)(void))context_free},
                                      {OSSL_FUNC_KDF_DERIVE, (void (*)(void))derive},
                                      {0, NULL}};
