/* Keys of list entries; see catkey.h. */
#include "signatures/catkey.h"

#include <idn2.h>
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/base/urlpath.h"
#include "signatures/catname.h"

enum { HOST_TEXT = 1024 }; /* as written; a name of 63 four-byte characters a label fits */

/* ---- hosts ---- */

static bool is_ascii(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] > 126)
            return false;
    }
    return true;
}

/* The A-label form of a name with other than ASCII letters; 0 when there is none. */
static size_t idn_name(span text, uint8_t *out)
{
    char z[HOST_TEXT], *ascii = NULL;
    size_t n = 0;
    if (text.n >= sizeof z || memchr(text.p, 0, text.n))
        return 0;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    if (idn2_to_ascii_8z(z, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES) ==
        IDN2_OK)
        n = name_normalise(span_str(ascii), out);
    idn2_free(ascii);
    return n;
}

static bool net_key(span text, struct catkey *out)
{
    char z[ADDR_TEXT];
    if (!prefix_parse(text, &out->net))
        return false;
    unsigned full = out->net.a.family == 4 ? 32 : 128;
    addr_text(&out->net.a, z);
    int n = out->net.bits == full
                ? snprintf((char *)out->text, CATKEY_BYTES, "%s", z)
                : snprintf((char *)out->text, CATKEY_BYTES, "%s/%u", z, (unsigned)out->net.bits);
    out->kind = CATKEY_NET;
    out->n = out->host_n = (size_t)n;
    return true;
}

/* "256.1.1.1", "1.2.3.4.5": meant as an address, and none. No top-level domain is a number (RFC 3696, section
 * 2), and browsers take such a host for a mistake (URL standard, "ends in a number"). */
static bool ends_in_number(const uint8_t *name, size_t n)
{
    size_t i = n;
    while (i > 0 && name[i - 1] >= '0' && name[i - 1] <= '9')
        i--;
    return i < n && (i == 0 || name[i - 1] == '.');
}

size_t catkey_name(span text, uint8_t out[LIM_NAME_BYTES])
{
    size_t n = is_ascii(text) ? name_normalise(text, out) : idn_name(text, out);
    return ends_in_number(out, n) ? 0 : n;
}

bool catkey_host(span text, struct catkey *out)
{
    out->net.a.family = 0;
    out->kind = CATKEY_NAME;
    out->n = catkey_name(text, out->text);
    out->host_n = out->n;
    return out->n || net_key(text, out);
}

/* Bits below n. */
static uint64_t below(size_t n)
{
    return (UINT64_C(1) << n) - 1;
}

enum { LINE = 64 }; /* bytes of a line that are looked at here */

/* The first bytes of a line in lower case, and how many of them may stand in a name. */
static size_t lower_line(const uint8_t *p, uint8_t *low)
{
    size_t n = 0;
    for (size_t at = 0; at < LINE && n == at; at += 16)
        n += (size_t)__builtin_ctzll(~cat_lower(p + at, low + at));
    return n;
}

static uint64_t dots_of(const uint8_t *low, size_t n)
{
    uint64_t dots = 0;
    for (size_t at = 0; at < n; at += 16)
        dots |= cat_dots(low + at) << at;
    return dots & below(n);
}

size_t catkey_line(span rest, struct catkey *out)
{
    if (rest.n <= LINE)
        return 0;
    size_t n = lower_line(rest.p, out->text);
    if (n == 0 || n >= LINE || rest.p[n] != '\n')
        return 0;
    uint64_t dots = dots_of(out->text, n);
    if (dots == 0 || dots & (dots << 1 | 1 | UINT64_C(1) << (n - 1)))
        return 0; /* no label may be empty */
    size_t last = 64 - (size_t)__builtin_clzll(dots);
    if (out->text[last] <= '9')
        return 0; /* it may be an address */
    out->net.a.family = 0;
    out->kind = CATKEY_NAME;
    out->n = out->host_n = n;
    return n;
}

/* ---- URLs ---- */

static span without_scheme(span s)
{
    static const char *const schemes[] = {"http://", "https://", "ftp://", "//"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        span scheme = span_str(schemes[i]);
        if (s.n >= scheme.n && span_ieq(span_cut(s, 0, scheme.n), scheme))
            return span_cut(s, scheme.n, s.n);
    }
    return s;
}

/* "a.test:8080" -> "a.test", "[::1]:80" -> "::1"; an address with colons stays. False when what follows is no
 * port. */
static bool without_port(span *host)
{
    uint64_t port;
    size_t colon = span_find(*host, ':', 0);
    if (host->n && host->p[0] == '[') {
        size_t close = span_find(*host, ']', 0);
        if (close == SIZE_MAX)
            return false;
        span rest = span_cut(*host, close + 1, host->n);
        *host = span_cut(*host, 1, close);
        return rest.n == 0 || (rest.p[0] == ':' && span_to_u64(span_cut(rest, 1, rest.n), 65535, &port));
    }
    if (colon == SIZE_MAX || span_find(*host, ':', colon + 1) != SIZE_MAX)
        return true;
    bool ok = span_to_u64(span_cut(*host, colon + 1, host->n), 65535, &port);
    *host = span_cut(*host, 0, colon);
    return ok;
}

static size_t segments(span path)
{
    size_t n = 0;
    for (size_t i = 0; i < path.n; i++)
        n += path.p[i] == '/';
    return n;
}

static bool add_path(span path, struct catkey *out)
{
    if (span_find(path, '?', 0) != SIZE_MAX || path.n + 1 > CATKEY_BYTES - out->n)
        return false;
    size_t n = urlpath_normalise(path, out->text + out->n);
    if (n == 0)
        return true; /* the whole host */
    out->kind = CATKEY_URL;
    out->n += n;
    return segments(span_of(out->text + out->host_n, n)) <= CATFMT_SEGMENTS;
}

/* "10.0.0.0/8": an address and a number behind the slash are a network, or wrong. */
static bool is_network(span text, size_t slash)
{
    struct addr a;
    span number = span_cut(text, slash == SIZE_MAX ? text.n : slash + 1, text.n);
    uint64_t bits;
    return number.n && addr_parse(span_cut(text, 0, slash), &a) && span_to_u64(number, 999, &bits);
}

bool catkey_url(span text, struct catkey *out)
{
    span rest = without_scheme(text), host;
    size_t slash = span_find(rest, '/', 0);
    if (rest.n == text.n && is_network(text, slash))
        return net_key(text, out);
    host = span_cut(rest, 0, slash);
    if (!without_port(&host) || !catkey_host(host, out))
        return false;
    return slash == SIZE_MAX || add_path(span_cut(rest, slash, rest.n), out);
}

void catkey_expression(span text, struct catkey *out)
{
    out->kind = CATKEY_N;
    out->net.a.family = 0;
    out->n = out->host_n = text.n;
    memcpy(out->text, text.p, text.n);
}

bool catkey_again(enum catkey_kind kind, span text, struct catkey *out)
{
    size_t slash = span_find(text, '/', 0);
    if (text.n == 0 || text.n > CATKEY_BYTES)
        return false;
    if (kind == CATKEY_NET)
        return net_key(text, out);
    if (kind == CATKEY_N) {
        catkey_expression(text, out);
        return true;
    }
    if (!catkey_host(span_cut(text, 0, slash), out))
        return false;
    if (kind == CATKEY_NAME)
        return out->kind == CATKEY_NAME && slash == SIZE_MAX;
    if (slash == SIZE_MAX || out->host_n != slash)
        return false;
    memcpy(out->text + slash, text.p + slash, text.n - slash);
    out->kind = CATKEY_URL;
    out->n = text.n;
    return true;
}

/* ---- hashes ---- */

uint64_t catkey_hash_name(const uint64_t seed[4], span name, struct catkey_hashes *out)
{
    uint64_t hash[CATKEYS_MAX];
    uint32_t own;
    size_t n = catname_hashes(seed, name, hash, &own);
    gw_assert(n);
    if (out)
        *out = (struct catkey_hashes){
            .own = hash[n - 1], .base = hash[own < n ? own : n - 1], .parent = n > 1 ? hash[n - 2] : seed[0]};
    return hash[n - 1];
}

uint64_t catkey_hash_net(const uint64_t seed[4], const struct prefix *net)
{
    uint8_t key[18] = {net->a.family, net->bits};
    unsigned n = net->bits / 8;
    memcpy(key + 2, net->a.b, n);
    if (net->bits % 8)
        key[2 + n] = net->a.b[n] & (uint8_t)(0xff00u >> (net->bits % 8));
    return catfmt_label(seed, ~seed[0], key, sizeof key);
}

uint64_t catkey_hash_segment(const uint64_t seed[4], uint64_t h, span path, size_t *at)
{
    size_t end = span_find(path, '/', *at + 1);
    if (end > path.n)
        end = path.n;
    h = catfmt_label(seed, h, path.p + *at, end - *at);
    *at = end;
    return h;
}

uint64_t catkey_hash(const uint64_t seed[4], const struct catkey *k, struct catkey_hashes *out)
{
    span path = span_of(k->text + k->host_n, k->n - k->host_n);
    struct catkey_hashes h = {0};
    bool net = k->kind == CATKEY_NET || k->net.a.family;
    if (k->kind == CATKEY_N) /* an expression may be longer than any name */
        h.own = h.base = h.parent = catfmt_label(seed, ~seed[2], k->text, k->n);
    else if (net)
        h.own = catkey_hash_net(seed, &k->net);
    else
        catkey_hash_name(seed, span_of(k->text, k->host_n), &h);
    for (size_t at = 0; k->kind == CATKEY_URL && at < path.n;)
        h.own = catkey_hash_segment(seed, h.own, path, &at);
    if (net || k->kind == CATKEY_URL)
        h.base = h.own;
    if (out)
        *out = h;
    return h.own;
}
