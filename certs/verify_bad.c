/* Keys in wrong hands; see badkey.tbl and threats A 30. Looked at in every path, the anchor included: such a
 * root may still stand in somebody's trust file. */
#include <openssl/sha.h>

#include "certs/verify_int.h"
#include "gw/base/obj.h"

enum { HEX_DIGITS = 2 * SHA256_DIGEST_LENGTH };

static const struct {
    char hex[HEX_DIGITS + 1];
    const char *who;
} keys[] = {
#define B(hex, who) {hex, who},
#include "certs/badkey.tbl"
#undef B
};

const char *verify_bad_key(X509 *cert)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *der = NULL, sum[SHA256_DIGEST_LENGTH];
    char hex[HEX_DIGITS];
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (n <= 0)
        return NULL;
    SHA256(der, (size_t)n, sum);
    OPENSSL_free(der);
    for (size_t i = 0; i < sizeof sum; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        if (memcmp(keys[i].hex, hex, sizeof hex) == 0)
            return keys[i].who;
    }
    return NULL;
}
