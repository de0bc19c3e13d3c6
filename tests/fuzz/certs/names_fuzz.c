/* Any two names, one from a certificate and one that is asked for, with a line feed between them. Beyond not
 * crashing: a match says what a reader of RFC 9525 section 6.3 would say, letter case never matters, and what
 * our own CA agrees to sign would be accepted by the same rules. */
#include "certs/names.h"

#include "gw/base/limits.h"
#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool wild(span s)
{
    return s.n > 2 && s.p[0] == '*' && s.p[1] == '.';
}

/* Written the long way round: from the right, byte by byte, until only the star is left of one and one label
 * of the other. */
static bool covers(span san, span host)
{
    if (!wild(san))
        return span_ieq(san, host);
    size_t i = san.n, j = host.n, dots = 0;
    for (; i > 1; i--, j--) {
        if (j == 0 || ascii_lower(san.p[i - 1]) != ascii_lower(host.p[j - 1]))
            return false;
        dots += san.p[i - 1] == '.';
    }
    return j > 0 && dots >= 2 && span_find(span_cut(host, 0, j), '.', 0) == SIZE_MAX &&
           !names_is_suffix(span_cut(san, 2, san.n));
}

static void check_pair(span san, span host)
{
    bool yes = names_match(san, host);
    gw_assert(yes == (names_san_ok(san) && host.n > 0 && covers(san, host)));
    if (san.n > LIM_NAME_BYTES)
        return;
    uint8_t other[LIM_NAME_BYTES];
    for (size_t i = 0; i < san.n; i++)
        other[i] = san.p[i] >= 'a' && san.p[i] <= 'z' ? (uint8_t)(san.p[i] - 32) : ascii_lower(san.p[i]);
    gw_assert(names_match(span_of(other, san.n), host) == yes);
}

/* What we may sign: a name that its own certificate covers. */
static void check_signed(span name)
{
    uint8_t host[LIM_NAME_BYTES];
    if (names_never(name))
        return;
    gw_assert(name.n <= LIM_NAME_BYTES && names_san_ok(name));
    memcpy(host, name.p, name.n);
    if (wild(name))
        host[0] = 'w';
    gw_assert(names_match(name, span_of(host, name.n)));
    gw_assert(!wild(name) || !names_is_suffix(span_cut(name, 2, name.n)));
}

static void check_ip(span ip)
{
    struct addr a = {.family = 4};
    const char *why = names_never_ip(ip);
    gw_assert(why || ip.n == 4 || ip.n == 16);
    if (ip.n != 4)
        return;
    memcpy(a.b, ip.p, 4);
    gw_assert((why != NULL) == addr_is_local(&a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    span in = span_of(data, size);
    size_t end = span_find(in, '\n', 0);
    span san = span_cut(in, 0, end), host = end == SIZE_MAX ? SPAN_NONE : span_cut(in, end + 1, size);
    check_pair(san, host);
    check_pair(host, san);
    check_signed(san);
    check_signed(host);
    check_ip(san);
    return 0;
}
