/* The one place where a user's name becomes what the log may hold: HMAC-SHA-256 under the key of the day, 50
 * bits of it in Crockford's alphabet. Same user and day, same pseudonym; another day, another one. Workers
 * get day keys only; the secret that they are derived from stays with the master (and, later, with its three
 * key holders). */
#include "gw/siem/event.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gw/base/obj.h"
#include "gw/siem/code.h"

enum { PSEUDO_CHARS = 10 };

static void hmac(const uint8_t key[PSEUDO_KEY], span data, uint8_t out[EVP_MAX_MD_SIZE])
{
    static const uint8_t none[1];
    unsigned n = 0;
    gw_assert(HMAC(EVP_sha256(), key, PSEUDO_KEY, data.n ? data.p : none, data.n, out, &n) && n == 32);
}

void pseudonym(const uint8_t day_key[PSEUDO_KEY], span user, char out[PSEUDO_TEXT])
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    hmac(day_key, user, mac);
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | mac[i];
    out[0] = 'u';
    out[1] = '-';
    for (size_t i = 0; i < PSEUDO_CHARS; i++, v >>= 5)
        out[2 + i] = code_alphabet[v & 31];
    out[2 + PSEUDO_CHARS] = '\0';
}

void pseudonym_day_key(const uint8_t secret[PSEUDO_KEY], uint32_t day, uint8_t out[PSEUDO_KEY])
{
    static const char label[] = "perron pseudonym of day ";
    uint8_t data[sizeof label - 1 + 4], mac[EVP_MAX_MD_SIZE];
    memcpy(data, label, sizeof label - 1);
    for (unsigned i = 0; i < 4; i++)
        data[sizeof label - 1 + i] = (uint8_t)(day >> (24 - 8 * i));
    hmac(secret, span_of(data, sizeof data), mac);
    memcpy(out, mac, PSEUDO_KEY);
}
