/* JA4; see ja4.h. Three parts: what is offered in short, then the first 12 hex digits of two SHA-256: over
 * the sorted ciphers, and over the sorted extensions (without server_name and ALPN, which the first part has)
 * followed by the signature algorithms in their own order. An empty list is twelve zeros. */
#include "gw/tls/ja4.h"

#include <stdlib.h>

#include <openssl/sha.h>

#include "gw/base/obj.h"

enum { EXT_SNI = 0, EXT_ALPN = 16, HASH_CHARS = 12, ITEM = 5 /* "002f," */ };

static const char hex_digits[] = "0123456789abcdef";

struct text {
    uint8_t b[2 * JA4_MAX_LIST * ITEM];
    size_t n;
};

static void text_list(struct text *t, const uint16_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            t->b[t->n++] = ',';
        for (int shift = 12; shift >= 0; shift -= 4)
            t->b[t->n++] = (uint8_t)hex_digits[list[i] >> shift & 15];
    }
}

static int by_value(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static enum rc hash_chars(const struct text *t, char out[HASH_CHARS])
{
    uint8_t md[SHA256_DIGEST_LENGTH];
    if (t->n == 0) {
        memset(out, '0', HASH_CHARS);
        return RC_OK;
    }
    if (!SHA256(t->b, t->n, md))
        return RC_NOMEM;
    for (size_t i = 0; i < HASH_CHARS / 2; i++) {
        out[2 * i] = hex_digits[md[i] >> 4];
        out[2 * i + 1] = hex_digits[md[i] & 15];
    }
    return RC_OK;
}

static enum rc ciphers_hash(const struct ja4_in *in, char out[HASH_CHARS])
{
    uint16_t list[JA4_MAX_LIST];
    struct text t;
    t.n = 0;
    if (in->n_ciphers)
        memcpy(list, in->ciphers, in->n_ciphers * sizeof list[0]);
    qsort(list, in->n_ciphers, sizeof list[0], by_value);
    text_list(&t, list, in->n_ciphers);
    return hash_chars(&t, out);
}

static enum rc extensions_hash(const struct ja4_in *in, char out[HASH_CHARS])
{
    uint16_t list[JA4_MAX_LIST];
    size_t n = 0;
    struct text t;
    t.n = 0;
    for (size_t i = 0; i < in->n_extensions; i++) {
        if (in->extensions[i] != EXT_SNI && in->extensions[i] != EXT_ALPN)
            list[n++] = in->extensions[i];
    }
    qsort(list, n, sizeof list[0], by_value);
    text_list(&t, list, n);
    if (in->n_sigalgs)
        t.b[t.n++] = '_';
    text_list(&t, in->sigalgs, in->n_sigalgs);
    return hash_chars(&t, out);
}

static const char *version_chars(uint16_t v)
{
    switch (v) {
    case 0x0304: return "13";
    case 0x0303: return "12";
    case 0x0302: return "11";
    case 0x0301: return "10";
    case 0x0300: return "s3";
    case 0x0002: return "s2";
    default: return "00";
    }
}

/* The method's published values show '9' for a byte outside ASCII; control and punctuation go the same way,
 * so that a fingerprint never carries a byte that a log would have to escape. */
static char alpn_char(uint8_t c)
{
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return plain ? (char)c : '9';
}

static void two_digits(char out[2], size_t n)
{
    if (n > 99)
        n = 99;
    out[0] = (char)('0' + n / 10);
    out[1] = (char)('0' + n % 10);
}

enum rc ja4_make(const struct ja4_in *in, char out[JA4_BYTES + 1])
{
    gw_assert(in->n_ciphers <= JA4_MAX_LIST && in->n_extensions <= JA4_MAX_LIST &&
              in->n_sigalgs <= JA4_MAX_LIST);
    out[0] = 't';
    memcpy(out + 1, version_chars(in->version), 2);
    out[3] = in->sni ? 'd' : 'i';
    two_digits(out + 4, in->n_ciphers);
    two_digits(out + 6, in->n_extensions);
    out[8] = in->alpn.n ? alpn_char(in->alpn.p[0]) : '0';
    out[9] = in->alpn.n ? alpn_char(in->alpn.p[in->alpn.n - 1]) : '0';
    out[10] = '_';
    TRY(ciphers_hash(in, out + 11));
    out[23] = '_';
    TRY(extensions_hash(in, out + 24));
    out[JA4_BYTES] = '\0';
    return RC_OK;
}
