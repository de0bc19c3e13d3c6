/* The ClientHello reader, upper half: one whole handshake message into a struct hello. See hello.h.
 *
 * The frame of the extension block is checked before any content is believed. What the standards forbid is
 * refused by a named reason; GREASE and unknown extensions pass. No list that a handler fills can pass its
 * array. */
#include "gw/tls/hello_msg.h"

#include <stdlib.h>

#include "gw/base/obj.h"

enum { MAX_EXTENSIONS = 128, SNI_MAX = 255 };

struct parse {
    struct hello *h;
    enum hello_why why;
    uint16_t exts[MAX_EXTENSIONS], sigalgs[HELLO_MAX_LIST]; /* without GREASE */
    size_t n_exts, n_sigalgs;
    uint16_t top_version; /* highest of any family, drafts too: JA4 wants it */
    bool sni;
};

static enum rc bad(struct parse *p, enum hello_why why)
{
    p->why = why;
    return RC_BAD;
}

/* An extension's body that is one list with a 16-bit length and nothing behind it. */
static enum rc body_list(struct parse *p, span body, span *list)
{
    struct rd r = rd_of(body);
    *list = rd_vec16(&r);
    return r.bad || rd_left(&r) ? bad(p, HELLO_EXT_MALFORMED) : RC_OK;
}

/* Numbers of two bytes each into out, GREASE left out. */
static enum rc numbers(struct parse *p, span list, uint16_t *out, size_t max, size_t *n)
{
    struct rd r = rd_of(list);
    *n = 0;
    while (rd_left(&r)) {
        uint16_t v = rd_u16(&r);
        if (r.bad)
            return bad(p, HELLO_EXT_MALFORMED);
        if (tls_is_grease(v))
            continue;
        if (*n == max)
            return bad(p, HELLO_TOO_MANY);
        out[(*n)++] = v;
    }
    return RC_OK;
}

static enum rc sni_name(struct parse *p, span name)
{
    if (p->h->sni.n)
        return bad(p, HELLO_SNI_TWO);
    if (name.n == 0)
        return bad(p, HELLO_SNI_EMPTY);
    if (name.n > SNI_MAX)
        return bad(p, HELLO_SNI_LONG);
    if (span_find(name, 0, 0) != SIZE_MAX)
        return bad(p, HELLO_SNI_NUL);
    p->h->sni = name;
    return RC_OK;
}

/* RFC 6066 section 3. A name of an unknown type has a 16-bit length as well and is passed over. */
static enum rc ext_sni(struct parse *p, span body)
{
    span list;
    p->sni = true;
    if (body.n == 0)
        return bad(p, HELLO_SNI_EMPTY);
    TRY(body_list(p, body, &list));
    if (list.n == 0)
        return bad(p, HELLO_SNI_EMPTY);
    struct rd r = rd_of(list);
    while (rd_left(&r)) {
        uint8_t type = rd_u8(&r);
        span name = rd_vec16(&r);
        if (r.bad)
            return bad(p, HELLO_EXT_MALFORMED);
        if (type == 0)
            TRY(sni_name(p, name));
    }
    return RC_OK;
}

static enum rc ext_alpn(struct parse *p, span body)
{
    struct hello *h = p->h;
    span list;
    TRY(body_list(p, body, &list));
    if (list.n == 0)
        return bad(p, HELLO_ALPN_EMPTY);
    struct rd r = rd_of(list);
    while (rd_left(&r)) {
        span name = rd_vec8(&r);
        if (r.bad)
            return bad(p, HELLO_EXT_MALFORMED);
        if (name.n == 0)
            return bad(p, HELLO_ALPN_EMPTY);
        if (h->n_alpn == HELLO_MAX_LIST)
            return bad(p, HELLO_TOO_MANY);
        h->alpn[h->n_alpn++] = name;
        h->alpn_h2 |= span_eq(name, SPAN("h2"));
        h->alpn_http11 |= span_eq(name, SPAN("http/1.1"));
    }
    return RC_OK;
}

static enum rc ext_versions(struct parse *p, span body)
{
    struct hello *h = p->h;
    struct rd r = rd_of(body);
    span list = rd_vec8(&r);
    size_t n;
    if (r.bad || rd_left(&r))
        return bad(p, HELLO_EXT_MALFORMED);
    TRY(numbers(p, list, h->versions, HELLO_MAX_LIST, &n));
    h->n_versions = (uint16_t)n;
    return n == 0 ? bad(p, HELLO_VERSIONS_EMPTY) : RC_OK;
}

/* ML-KEM alone, its hybrids, and the drafts with Kyber that browsers sent in 2023 and 2024 (IANA's registry).
 */
static bool is_post_quantum(uint16_t group)
{
    return (group >= 0x0200 && group <= 0x0202) || (group >= 0x11eb && group <= 0x11ee) ||
           (group >= 0x6399 && group <= 0x639a);
}

static enum rc ext_groups(struct parse *p, span body)
{
    struct hello *h = p->h;
    span list;
    size_t n;
    TRY(body_list(p, body, &list));
    if (list.n == 0)
        return bad(p, HELLO_GROUPS_EMPTY);
    TRY(numbers(p, list, h->groups, HELLO_MAX_LIST, &n));
    h->n_groups = (uint16_t)n;
    for (size_t i = 0; i < n; i++)
        h->post_quantum |= is_post_quantum(h->groups[i]);
    return RC_OK;
}

enum { RSA_SHA1 = 0x0201, ECDSA_SHA1 = 0x0203 };

static enum rc ext_sigalgs(struct parse *p, span body)
{
    span list;
    TRY(body_list(p, body, &list));
    if (list.n == 0)
        return bad(p, HELLO_SIGALGS_EMPTY);
    TRY(numbers(p, list, p->sigalgs, HELLO_MAX_LIST, &p->n_sigalgs));
    for (size_t i = 0; i < p->n_sigalgs; i++)
        p->h->sha1_signatures |= p->sigalgs[i] == RSA_SHA1 || p->sigalgs[i] == ECDSA_SHA1;
    return RC_OK;
}

static enum rc add_key_share(struct parse *p, uint16_t group)
{
    struct hello *h = p->h;
    for (size_t i = 0; i < h->n_key_shares; i++) {
        if (h->key_shares[i] == group)
            return bad(p, HELLO_KEY_SHARE_TWICE);
    }
    if (h->n_key_shares == HELLO_MAX_LIST)
        return bad(p, HELLO_TOO_MANY);
    h->key_shares[h->n_key_shares++] = group;
    return RC_OK;
}

/* An empty list is a way to ask for a HelloRetryRequest (RFC 8446 section 4.2.8). */
static enum rc ext_key_share(struct parse *p, span body)
{
    span list;
    TRY(body_list(p, body, &list));
    struct rd r = rd_of(list);
    while (rd_left(&r)) {
        uint16_t group = rd_u16(&r);
        span key = rd_vec16(&r);
        if (r.bad)
            return bad(p, HELLO_EXT_MALFORMED);
        if (key.n == 0)
            return bad(p, HELLO_KEY_SHARE_EMPTY);
        if (!tls_is_grease(group))
            TRY(add_key_share(p, group));
    }
    return RC_OK;
}

static enum rc ext_early_data(struct parse *p, span body)
{
    p->h->early_data = true;
    return body.n ? bad(p, HELLO_EARLY_DATA) : RC_OK;
}

static enum rc ext_post_handshake_auth(struct parse *p, span body)
{
    p->h->post_handshake_auth = true;
    return body.n ? bad(p, HELLO_EXT_MALFORMED) : RC_OK;
}

static enum rc ext_ech(struct parse *p, span body)
{
    (void)body;
    p->h->ech = true;
    return RC_OK;
}

enum { EXT_PRE_SHARED_KEY = 41 };

static const struct {
    uint16_t type;
    enum rc (*read)(struct parse *p, span body);
} handlers[] = {
    {0, ext_sni},
    {10, ext_groups},
    {13, ext_sigalgs},
    {16, ext_alpn},
    {42, ext_early_data},
    {43, ext_versions},
    {49, ext_post_handshake_auth},
    {51, ext_key_share},
    {0xfe0d, ext_ech},
};

static enum rc read_extension(struct parse *p, uint16_t type, span body)
{
    for (size_t i = 0; i < N_ELEMS(handlers); i++) {
        if (handlers[i].type == type)
            return handlers[i].read(p, body);
    }
    return RC_OK;
}

static int by_value(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* RFC 8446 section 4.2 forbids one type twice, GREASE values included. */
static enum rc check_twice(struct parse *p, uint16_t *types, size_t n)
{
    qsort(types, n, sizeof types[0], by_value);
    for (size_t i = 1; i < n; i++) {
        if (types[i] == types[i - 1])
            return bad(p, HELLO_EXT_DUPLICATE);
    }
    return RC_OK;
}

/* First the frame of the whole block, so that no content is believed before the block is sound. */
static enum rc check_extensions(struct parse *p, span block)
{
    uint16_t types[MAX_EXTENSIONS];
    size_t n = 0;
    bool psk = false;
    struct rd r = rd_of(block);
    while (rd_left(&r)) {
        uint16_t type = rd_u16(&r);
        rd_vec16(&r);
        if (r.bad)
            return bad(p, HELLO_SHORT);
        if (n == MAX_EXTENSIONS)
            return bad(p, HELLO_TOO_MANY);
        types[n++] = type;
        if (!tls_is_grease(type))
            p->exts[p->n_exts++] = type;
        if (psk)
            return bad(p, HELLO_PSK_NOT_LAST);
        psk = type == EXT_PRE_SHARED_KEY;
    }
    return check_twice(p, types, n);
}

static enum rc read_extensions(struct parse *p, span block)
{
    TRY(check_extensions(p, block));
    struct rd r = rd_of(block);
    while (rd_left(&r)) {
        uint16_t type = rd_u16(&r);
        TRY(read_extension(p, type, rd_vec16(&r)));
    }
    return RC_OK;
}

static enum rc read_ciphers(struct parse *p, span list)
{
    size_t n;
    if (list.n == 0 || list.n % 2)
        return bad(p, HELLO_CIPHERS);
    TRY(numbers(p, list, p->h->ciphers, N_ELEMS(p->h->ciphers), &n));
    p->h->n_ciphers = (uint16_t)n;
    return RC_OK;
}

static void sum_versions(struct parse *p)
{
    struct hello *h = p->h;
    if (h->n_versions == 0)
        h->versions[h->n_versions++] = h->legacy_version;
    for (size_t i = 0; i < h->n_versions; i++) {
        uint16_t v = h->versions[i];
        if (v > p->top_version)
            p->top_version = v;
        if (v >> 8 == 3 && v > h->max_version)
            h->max_version = v;
    }
}

/* Null has to be among the methods; with TLS 1.3 nothing else may be (RFC 8446 section 4.1.2). */
static enum rc check_compression(struct parse *p, span methods)
{
    if (span_find(methods, 0, 0) == SIZE_MAX || (p->h->max_version >= 0x0304 && methods.n != 1))
        return bad(p, HELLO_COMPRESSION);
    return RC_OK;
}

static enum rc read_body(struct parse *p, span body)
{
    struct rd r = rd_of(body);
    p->h->legacy_version = rd_u16(&r);
    rd_bytes(&r, 32);
    span session = rd_vec8(&r), ciphers = rd_vec16(&r), methods = rd_vec8(&r);
    span block = rd_left(&r) ? rd_vec16(&r) : SPAN_NONE; /* before RFC 3546 there was none */
    if (r.bad)
        return bad(p, HELLO_SHORT);
    if (rd_left(&r))
        return bad(p, HELLO_REST);
    if (p->h->legacy_version >> 8 != 3)
        return bad(p, HELLO_VERSION);
    if (session.n > 32)
        return bad(p, HELLO_SESSION_ID);
    TRY(read_ciphers(p, ciphers));
    TRY(read_extensions(p, block));
    sum_versions(p);
    return check_compression(p, methods);
}

static enum rc fingerprint(const struct parse *p)
{
    const struct hello *h = p->h;
    const struct ja4_in in = {
        .version = p->top_version,
        .sni = p->sni,
        .alpn = h->n_alpn ? h->alpn[0] : SPAN_NONE,
        .ciphers = h->ciphers,
        .n_ciphers = h->n_ciphers,
        .extensions = p->exts,
        .n_extensions = p->n_exts,
        .sigalgs = p->sigalgs,
        .n_sigalgs = p->n_sigalgs,
    };
    return ja4_make(&in, p->h->ja4);
}

static enum rc parse_message(struct parse *p, span message)
{
    struct rd r = rd_of(message);
    uint8_t type = rd_u8(&r);
    span body = rd_vec24(&r);
    if (r.bad)
        return bad(p, HELLO_SHORT);
    if (type != HELLO_TYPE)
        return bad(p, HELLO_NOT_HELLO);
    if (rd_left(&r))
        return bad(p, HELLO_RECORD_REST);
    TRY(read_body(p, body));
    return fingerprint(p);
}

enum rc hello_parse(span message, struct hello *out, enum hello_why *why)
{
    struct parse p = {.h = out};
    memset(out, 0, sizeof *out);
    enum rc rc = parse_message(&p, message);
    *why = p.why;
    return rc;
}

/* Three bytes each; those that begin with zero are TLS cipher suites, the others are SSL 2.0's own. */
static enum rc read_v2_ciphers(struct parse *p, span specs)
{
    struct hello *h = p->h;
    if (specs.n == 0 || specs.n % 3)
        return bad(p, HELLO_CIPHERS);
    struct rd r = rd_of(specs);
    while (rd_left(&r)) {
        uint8_t family = rd_u8(&r);
        uint16_t suite = rd_u16(&r);
        if (family != 0 || tls_is_grease(suite))
            continue;
        if (h->n_ciphers == N_ELEMS(h->ciphers))
            return bad(p, HELLO_TOO_MANY);
        h->ciphers[h->n_ciphers++] = suite;
    }
    return RC_OK;
}

static enum rc parse_v2(struct parse *p, span message)
{
    struct rd r = rd_of(message);
    rd_u8(&r);
    p->h->legacy_version = rd_u16(&r);
    size_t n_specs = rd_u16(&r), n_session = rd_u16(&r), n_challenge = rd_u16(&r);
    span specs = rd_bytes(&r, n_specs);
    rd_bytes(&r, n_session);
    rd_bytes(&r, n_challenge);
    if (r.bad)
        return bad(p, HELLO_SHORT);
    if (rd_left(&r))
        return bad(p, HELLO_REST);
    if (n_session > 32)
        return bad(p, HELLO_SESSION_ID);
    TRY(read_v2_ciphers(p, specs));
    sum_versions(p);
    return fingerprint(p);
}

enum rc hello_parse_v2(span message, struct hello *out, enum hello_why *why)
{
    struct parse p = {.h = out};
    memset(out, 0, sizeof *out);
    enum rc rc = parse_v2(&p, message);
    *why = p.why;
    return rc;
}
