/* Addresses and names; see addr.h. */
#include "gw/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->b, b->b, a->family == 4 ? 4 : 16) == 0;
}

const char *addr_text(const struct addr *a, char out[ADDR_TEXT])
{
    if (a->family == 0 || !inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->b, out, ADDR_TEXT))
        snprintf(out, ADDR_TEXT, "-");
    return out;
}

static struct addr addr_from_v6(const uint8_t b[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct addr a = {0};
    if (memcmp(b, mapped, 12) == 0) {
        a.family = 4;
        memcpy(a.b, b + 12, 4);
    } else {
        a.family = 6;
        memcpy(a.b, b, 16);
    }
    return a;
}

bool addr_parse(span text, struct addr *out)
{
    char z[ADDR_TEXT];
    uint8_t b[16];
    if (text.n == 0 || text.n >= sizeof z || memchr(text.p, 0, text.n))
        return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    if (inet_pton(AF_INET, z, b) == 1) {
        *out = (struct addr){.family = 4};
        memcpy(out->b, b, 4);
        return true;
    }
    if (inet_pton(AF_INET6, z, b) != 1)
        return false;
    *out = addr_from_v6(b);
    return true;
}

struct addr addr_from_sockaddr(const struct sockaddr_storage *ss, uint16_t *port)
{
    struct addr a = {0};
    uint16_t p = 0;
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
        a.family = 4;
        memcpy(a.b, &in->sin_addr, 4);
        p = ntohs(in->sin_port);
    } else if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
        a = addr_from_v6(in6->sin6_addr.s6_addr);
        p = ntohs(in6->sin6_port);
    }
    if (port)
        *port = p;
    return a;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ss)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ss;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, a->b, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, a->b, 16);
    return sizeof *in6;
}

static bool bits_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
    return p->a.family == a->family && bits_eq(p->a.b, a->b, p->bits);
}

bool prefix_parse(span text, struct prefix *out)
{
    uint64_t bits;
    size_t slash = span_find(text, '/', 0);
    if (!addr_parse(span_cut(text, 0, slash), &out->a))
        return false;
    unsigned full = out->a.family == 4 ? 32 : 128;
    if (slash == SIZE_MAX) {
        out->bits = (uint8_t)full;
        return true;
    }
    if (out->a.family == 4 && span_find(text, ':', 0) != SIZE_MAX)
        return false; /* an IPv4-mapped address has the length of IPv6: say it as IPv4 */
    span num = span_cut(text, slash + 1, text.n);
    if (!span_to_u64(num, full, &bits) || (num.n > 1 && num.p[0] == '0'))
        return false;
    out->bits = (uint8_t)bits;
    for (unsigned i = (unsigned)bits; i < full; i++) {
        if (out->a.b[i / 8] & (0x80 >> (i % 8)))
            return false;
    }
    return true;
}

/* Blocks are written as text for the reader and parsed once. */
static bool in_blocks(const char *const *blocks, struct prefix *parsed, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (parsed[i].a.family == 0 && !prefix_parse(span_str(blocks[i]), &parsed[i]))
            return true;
        if (prefix_has(&parsed[i], a))
            return true;
    }
    return false;
}

/* Where an IPv6 address of one of these forms carries an IPv4 address. */
struct v4_inside {
    const char *prefix;
    uint8_t at;      /* byte that it begins at */
    uint8_t flipped; /* every bit inverted */
};

bool addr_embedded_v4(const struct addr *a, struct addr *v4)
{
    static const struct v4_inside forms[] = {
        {"64:ff9b::/96", 12, 0},    /* NAT64, RFC 6052 */
        {"64:ff9b:1::/48", 12, 0},  /* NAT64 of a site, RFC 8215; with the usual /96 in it */
        {"2002::/16", 2, 0},        /* 6to4, RFC 3056 */
        {"2001::/32", 12, 0xff},    /* Teredo: the client, RFC 4380 */
        {"::ffff:0:0:0/96", 12, 0}, /* SIIT, RFC 2765 */
        {"::/96", 12, 0},           /* "compatible", RFC 4291 section 2.5.5.1 */
    };
    static const uint8_t isatap[3] = {0, 0x5e, 0xfe}; /* RFC 5214: the interface part of any prefix */
    static struct prefix parsed[N_ELEMS(forms)];
    const uint8_t *at = NULL;
    uint8_t flipped = 0;
    if (a->family != 6)
        return false;
    for (size_t i = 0; i < N_ELEMS(forms) && !at; i++) {
        if (parsed[i].a.family == 0 && !prefix_parse(span_str(forms[i].prefix), &parsed[i]))
            return false;
        at = prefix_has(&parsed[i], a) ? a->b + forms[i].at : NULL;
        flipped = forms[i].flipped;
    }
    if (!at && (a->b[8] & 0xfc) == 0 && memcmp(a->b + 9, isatap, sizeof isatap) == 0) {
        at = a->b + 12;
        flipped = 0;
    }
    if (!at)
        return false;
    *v4 = (struct addr){.family = 4};
    for (size_t i = 0; i < 4; i++)
        v4->b[i] = at[i] ^ flipped;
    return true;
}

bool addr_is_private(const struct addr *a)
{
    struct addr v4;
    static const char *const blocks[] = {
        "0.0.0.0/8",    "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/96",          "64:ff9b:1::/48",
        "100::/64",     "fc00::/7",       "fe80::/10",     "fec0::/10",   "ff00::/8",
    };
    static struct prefix parsed[N_ELEMS(blocks)];
    return in_blocks(blocks, parsed, N_ELEMS(blocks), a) ||
           (addr_embedded_v4(a, &v4) && addr_is_private(&v4));
}

bool addr_is_local(const struct addr *a)
{
    struct addr v4;
    static const char *const blocks[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
                                         "::/127",    "fe80::/10",   "ff00::/8"};
    static struct prefix parsed[N_ELEMS(blocks)];
    return in_blocks(blocks, parsed, N_ELEMS(blocks), a) || (addr_embedded_v4(a, &v4) && addr_is_local(&v4));
}

static bool name_byte_ok(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

size_t name_normalise(span in, uint8_t *out)
{
    struct addr ip;
    size_t label = 0;
    if (in.n > 0 && in.p[in.n - 1] == '.')
        in.n--;
    if (in.n == 0 || in.n > LIM_NAME_BYTES)
        return 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = ascii_lower(in.p[i]);
        if (c == '.') {
            if (label == 0)
                return 0;
            label = 0;
        } else if (!name_byte_ok(c) || ++label > 63) {
            return 0;
        }
        out[i] = c;
    }
    if (label == 0 || addr_parse_loose_v4(span_of(out, in.n), &ip))
        return 0;
    return in.n;
}

static bool loose_number(span s, uint64_t *out)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    if (s.n >= 2 && s.p[0] == '0' && ascii_lower(s.p[1]) == 'x') {
        base = 16;
        s = span_cut(s, 2, s.n);
    } else if (s.n >= 2 && s.p[0] == '0') {
        base = 8;
        s = span_cut(s, 1, s.n);
    }
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = ascii_lower(s.p[i]);
        unsigned d = c >= '0' && c <= '9' ? c - 48u : c >= 'a' && c <= 'f' ? c - 87u : 99;
        if (d >= base)
            return false;
        v = v * base + d;
        if (v > 0xffffffffu)
            return false;
    }
    *out = v;
    return true;
}

bool addr_parse_loose_v4(span text, struct addr *out)
{
    uint64_t part[4], v = 0;
    size_t n = 0, at = 0;
    if (text.n > 0 && text.p[text.n - 1] == '.')
        text.n--;
    for (;;) {
        size_t dot = span_find(text, '.', at);
        if (n == 4 || !loose_number(span_cut(text, at, dot == SIZE_MAX ? text.n : dot), &part[n++]))
            return false;
        if (dot == SIZE_MAX)
            break;
        at = dot + 1;
    }
    for (size_t i = 0; i + 1 < n; i++) {
        if (part[i] > 255)
            return false;
        v |= part[i] << (24 - 8 * i);
    }
    if (part[n - 1] >> (8 * (5 - n)))
        return false;
    v |= part[n - 1];
    *out = (struct addr){.family = 4,
                         .b = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}};
    return true;
}
