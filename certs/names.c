/* Names in certificates; see names.h. */
#include "certs/names.h"

#include <libpsl.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

static bool is_wild(span s)
{
    return s.n > 2 && s.p[0] == '*' && s.p[1] == '.';
}

static span without_wild(span s)
{
    return is_wild(s) ? span_cut(s, 2, s.n) : s;
}

static bool label_byte(uint8_t c)
{
    c = ascii_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static size_t count_dots(span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '.';
    return n;
}

bool names_san_ok(span san)
{
    span s = without_wild(san);
    size_t label = 0;
    if (s.n == 0 || san.n > LIM_NAME_BYTES)
        return false;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '.') {
            if (!label_byte(s.p[i]) || ++label > 63)
                return false;
        } else if (label == 0) {
            return false;
        } else {
            label = 0;
        }
    }
    return true;
}

bool names_is_suffix(span name)
{
    char z[LIM_NAME_BYTES + 1];
    if (name.n == 0 || name.n > LIM_NAME_BYTES)
        return true;
    for (size_t i = 0; i < name.n; i++)
        z[i] = (char)ascii_lower(name.p[i]);
    z[name.n] = '\0';
    return psl_is_public_suffix(psl_builtin(), z) == 1;
}

bool names_match(span san, span host)
{
    if (!names_san_ok(san) || host.n == 0)
        return false;
    if (!is_wild(san))
        return span_ieq(san, host);
    span rest = without_wild(san);
    size_t dot = span_find(host, '.', 0);
    if (dot == SIZE_MAX || dot == 0 || !span_ieq(rest, span_cut(host, dot + 1, host.n)))
        return false;
    return count_dots(rest) >= 1 && !names_is_suffix(rest);
}

const char *names_never(span name)
{
    static const char *const special[] = {"localhost", "invalid", "onion", "arpa"}; /* RFC 6761, 7686, 3172 */
    uint8_t norm[LIM_NAME_BYTES];
    span host = without_wild(name);
    size_t n = name.n <= LIM_NAME_BYTES ? name_normalise(host, norm) : 0;
    if (n == 0 || !span_eq(host, span_of(norm, n)))
        return "not a host name in normal form";
    if (count_dots(host) == 0)
        return "a name of one label is nobody's";
    if (is_wild(name) && names_is_suffix(host))
        return "a wildcard over a public suffix";
    for (size_t i = 0; i < N_ELEMS(special); i++) {
        span last = span_str(special[i]);
        if (host.n > last.n && span_has_suffix(host, last) && host.p[host.n - last.n - 1] == '.')
            return "a special-use name";
    }
    return NULL;
}

const char *names_never_ip(span ip)
{
    if (ip.n == 4) {
        if (ip.p[0] == 0 || ip.p[0] == 127 || ip.p[0] >= 224 || (ip.p[0] == 169 && ip.p[1] == 254))
            return "an address that is no host on a network";
        return NULL;
    }
    static const uint8_t zeros[15];
    if (ip.n != 16)
        return "not an address";
    if (memcmp(ip.p, zeros, 15) == 0 && ip.p[15] <= 1)
        return "an address that is no host on a network";
    if (ip.p[0] == 0xff || (ip.p[0] == 0xfe && (ip.p[1] & 0xc0) == 0x80))
        return "an address that is no host on a network";
    if (memcmp(ip.p, zeros, 10) == 0 && ip.p[10] == 0xff && ip.p[11] == 0xff)
        return "an IPv4 address written as IPv6";
    return NULL;
}
