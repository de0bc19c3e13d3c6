/* Tokens of a click-through; see click.h. Bytes of a token: u8 kind, u8 key number, u64 end, u64 rule key,
 * u32 rule, 32 bytes MAC; as text in base64url without padding (RFC 4648 section 5). */
#include "gw/flow/click.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"
#include "gw/base/sha256.h"

enum { HEAD_BYTES = 22, MAC_BYTES = 32, TOKEN_BYTES = HEAD_BYTES + MAC_BYTES, PARTS = 5, PART_BYTES = 255 };
_Static_assert(TOKEN_BYTES % 3 == 0 && TOKEN_BYTES / 3 * 4 == CLICK_TEXT, "no padding");

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void to_text(const uint8_t in[TOKEN_BYTES], char out[CLICK_TEXT + 1])
{
    for (size_t i = 0; i < TOKEN_BYTES / 3; i++) {
        uint32_t v = (uint32_t)in[3 * i] << 16 | (uint32_t)in[3 * i + 1] << 8 | in[3 * i + 2];
        for (size_t k = 0; k < 4; k++)
            out[4 * i + k] = alphabet[v >> (18 - 6 * k) & 63];
    }
    out[CLICK_TEXT] = '\0';
}

static bool from_text(span text, uint8_t out[TOKEN_BYTES])
{
    if (text.n != CLICK_TEXT)
        return false;
    for (size_t i = 0; i < TOKEN_BYTES / 3; i++) {
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *at = memchr(alphabet, text.p[4 * i + k], sizeof alphabet - 1);
            if (!at)
                return false;
            v = v << 6 | (uint32_t)(at - alphabet);
        }
        out[3 * i] = (uint8_t)(v >> 16);
        out[3 * i + 1] = (uint8_t)(v >> 8);
        out[3 * i + 2] = (uint8_t)v;
    }
    return true;
}

int64_t click_lasts_s(enum click_kind kind)
{
    return kind == CLICK_PASS ? LIM_CLICK_S : LIM_CLICK_OFFER_S;
}

void click_key(struct click_keys *keys, uint8_t number, const uint8_t key[CLICK_KEY])
{
    for (size_t i = 0; i < N_ELEMS(keys->k); i++) {
        if (keys->k[i].have && keys->k[i].number == number)
            return;
    }
    keys->k[1] = keys->k[0];
    keys->k[0].have = true;
    keys->k[0].number = number;
    memcpy(keys->k[0].key, key, CLICK_KEY);
}

/* What is signed: each part with its kind and length, so that no two clients or hosts can be run together
 * into the same bytes; a long part (no name is) by its digest. */
struct signed_text {
    uint8_t b[PARTS * (2 + PART_BYTES)];
    size_t n;
    bool bad;
};

static void put_part(struct signed_text *t, uint8_t kind, span s)
{
    uint8_t digest[SHA256_BYTES];
    if (s.n > PART_BYTES) {
        t->bad |= sha256(&s, 1, digest) != RC_OK;
        s = span_of(digest, sizeof digest);
        kind |= 0x80;
    }
    t->b[t->n++] = kind;
    t->b[t->n++] = (uint8_t)s.n;
    if (s.n)
        memcpy(t->b + t->n, s.p, s.n);
    t->n += s.n;
}

static bool mac_of(const uint8_t key[CLICK_KEY], const uint8_t head[HEAD_BYTES], const struct click_who *who,
                   uint8_t out[EVP_MAX_MD_SIZE])
{
    struct signed_text t = {.n = 0};
    unsigned n = 0;
    put_part(&t, 'p', SPAN("perron click-through"));
    put_part(&t, 't', span_of(head, HEAD_BYTES));
    put_part(&t, 'z', who->zone);
    if (who->user.n)
        put_part(&t, 'u', who->user);
    else
        put_part(&t, 'a', span_of(who->addr.b, who->addr.family == 4 ? 4 : 16));
    put_part(&t, 'h', who->host);
    return !t.bad && HMAC(EVP_sha256(), key, CLICK_KEY, t.b, t.n, out, &n) && n == MAC_BYTES;
}

static void put_number(uint8_t *to, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

bool click_sign(const struct click_keys *keys, enum click_kind kind, const struct click_who *who,
                const struct click *c, char out[CLICK_TEXT + 1])
{
    uint8_t token[TOKEN_BYTES] = {(uint8_t)kind, keys->k[0].number}, mac[EVP_MAX_MD_SIZE];
    if (!keys->k[0].have)
        return false;
    put_number(token + 2, (uint64_t)c->until_s, 8);
    put_number(token + 10, c->rule_key, 8);
    put_number(token + 18, c->rule, 4);
    if (!mac_of(keys->k[0].key, token, who, mac))
        return false;
    memcpy(token + HEAD_BYTES, mac, MAC_BYTES);
    to_text(token, out);
    return true;
}

bool click_check(const struct click_keys *keys, enum click_kind kind, const struct click_who *who, span text,
                 int64_t now_s, struct click *out)
{
    uint8_t token[TOKEN_BYTES], mac[EVP_MAX_MD_SIZE];
    if (!from_text(text, token) || token[0] != kind)
        return false;
    struct rd r = rd_of(span_of(token + 2, HEAD_BYTES - 2));
    out->until_s = (int64_t)rd_u64(&r);
    out->rule_key = rd_u64(&r);
    out->rule = rd_u32(&r);
    for (size_t i = 0; i < N_ELEMS(keys->k); i++) {
        if (!keys->k[i].have || keys->k[i].number != token[1])
            continue;
        if (mac_of(keys->k[i].key, token, who, mac) && CRYPTO_memcmp(mac, token + HEAD_BYTES, MAC_BYTES) == 0)
            return now_s < out->until_s && out->until_s - now_s <= click_lasts_s(kind);
    }
    return false;
}
