/* Any bytes as an address, a prefix or a host name. Beyond not crashing: what is written stays within its
 * bound, a normal form is its own normal form, no accepted name is an IPv4 address in any spelling, an
 * address survives being written and read again, and whatever the C library takes for IPv4 we take for the
 * same. */
#include "gw/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "gw/base/limits.h"
#include "gw/base/obj.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes to memory of exactly the promised size, so that a sanitizer sees one byte too many. */
static void check_name(span in)
{
    uint8_t *out = malloc(LIM_NAME_BYTES), *again = malloc(LIM_NAME_BYTES);
    gw_assert(out && again);
    size_t n = name_normalise(in, out);
    gw_assert(n <= LIM_NAME_BYTES && n <= in.n);
    if (n > 0) {
        struct addr ip;
        span name = span_of(out, n);
        gw_assert(name_normalise(name, again) == n && span_eq(name, span_of(again, n)));
        gw_assert(!addr_parse_loose_v4(name, &ip) && !addr_parse(name, &ip));
        gw_assert(name.p[0] != '.' && name.p[n - 1] != '.' && span_ieq(name, span_cut(in, 0, n)));
        for (size_t i = 0; i < n; i++)
            gw_assert(name.p[i] > ' ' && name.p[i] < 127 && ascii_lower(name.p[i]) == name.p[i]);
    }
    free(out);
    free(again);
}

static void check_addr(span in)
{
    struct addr a, b;
    char text[ADDR_TEXT];
    if (!addr_parse(in, &a))
        return;
    gw_assert(a.family == 4 || a.family == 6);
    gw_assert(addr_parse(span_str(addr_text(&a, text)), &b) && addr_eq(&a, &b));
    if (a.family == 4 && span_find(in, ':', 0) == SIZE_MAX)
        gw_assert(addr_parse_loose_v4(in, &b) && addr_eq(&a, &b));
    gw_assert(!addr_is_local(&a) || addr_is_private(&a));
}

static void check_prefix(span in)
{
    struct prefix p, q;
    char text[ADDR_TEXT], both[ADDR_TEXT + 8];
    if (!prefix_parse(in, &p))
        return;
    gw_assert(p.bits <= (p.a.family == 4 ? 32 : 128) && prefix_has(&p, &p.a));
    snprintf(both, sizeof both, "%s/%u", addr_text(&p.a, text), p.bits);
    gw_assert(prefix_parse(span_str(both), &q) && addr_eq(&p.a, &q.a) && p.bits == q.bits);
}

static bool is_plain(span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = ascii_lower(s.p[i]);
        if (c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z'))
            return false; /* the C library also takes what follows a space */
    }
    return s.n > 0;
}

static void check_loose(span in)
{
    char z[64];
    struct in_addr libc;
    struct addr a;
    if (in.n >= sizeof z || !is_plain(in))
        return;
    memcpy(z, in.p, in.n);
    z[in.n] = '\0';
    if (inet_aton(z, &libc))
        gw_assert(addr_parse_loose_v4(in, &a) && a.family == 4 && memcmp(a.b, &libc, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr a;
    span in = span_of(data, size);
    check_name(in);
    check_addr(in);
    check_prefix(in);
    check_loose(in);
    if (addr_parse_loose_v4(in, &a))
        gw_assert(a.family == 4);
    return 0;
}
