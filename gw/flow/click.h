/* Tokens of a click-through, as text that fits a link and a cookie. Two kinds: the offer stands in the button
 * of a warning page and says that this client was shown this warning; the pass is what the client gets for
 * it and brings along from then on. Nothing is kept here: a token carries the rule's key and its own end, and
 * an HMAC-SHA-256 over those, its kind, and who may use it where (zone, user or else address, host), which
 * are not in it. The key is the master's, the same for all workers, replaced every day. Pure but for
 * libcrypto. */
#ifndef GW_FLOW_CLICK_H
#define GW_FLOW_CLICK_H

#include "gw/base/addr.h"

enum { CLICK_KEY = 32, CLICK_TEXT = 72 };
enum click_kind { CLICK_OFFER = 1, CLICK_PASS = 2 };

/* The newest key signs; the one before it is still believed. */
struct click_keys {
    struct {
        bool have;
        uint8_t number, key[CLICK_KEY];
    } k[2];
};

/* Who may use it, and where. */
struct click_who {
    span zone, user; /* user empty: the address counts */
    struct addr addr;
    span host; /* normalised name, or the address as text */
};

struct click {
    uint64_t rule_key; /* struct rule_info; a `warn` rule by what it says, whatever its place */
    uint32_t rule;     /* its number when the token was made: a hint for the log */
    int64_t until_s;   /* UTC */
};

/* A new key; the same number again changes nothing. */
void click_key(struct click_keys *keys, uint8_t number, const uint8_t key[CLICK_KEY]);
/* CLICK_TEXT characters and a NUL. false: there is no key yet. */
bool click_sign(const struct click_keys *keys, enum click_kind kind, const struct click_who *who,
                const struct click *c, char out[CLICK_TEXT + 1]);
/* Was this made with our key, as this kind, for this client at this host, and is it not over at now_s? A
 * token that would last longer than its kind ever does (the clock was set back) is over too. */
bool click_check(const struct click_keys *keys, enum click_kind kind, const struct click_who *who, span token,
                 int64_t now_s, struct click *out);
/* Seconds that a token of that kind lasts. */
int64_t click_lasts_s(enum click_kind kind);

#endif
