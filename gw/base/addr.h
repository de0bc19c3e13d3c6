/* Addresses, prefixes and host names: plain values, no sockets, no look-ups. An IPv4-mapped IPv6 address is
 * always kept as IPv4, so that one address has one form. */
#ifndef GW_BASE_ADDR_H
#define GW_BASE_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "gw/base/buf.h"

struct addr {
    uint8_t family; /* 4, 6; 0: none */
    uint8_t b[16];  /* network order; IPv4 in the first four */
};

struct prefix {
    struct addr a;
    uint8_t bits;
};

enum { ADDR_TEXT = 48 };

bool addr_eq(const struct addr *a, const struct addr *b);
/* "192.0.2.1" or "2001:db8::1" (RFC 5952); returns out. */
const char *addr_text(const struct addr *a, char out[ADDR_TEXT]);
/* Strict textual forms only: four decimal octets without leading zeros, or RFC 4291 text. */
bool addr_parse(span text, struct addr *out);
struct addr addr_from_sockaddr(const struct sockaddr_storage *ss, uint16_t *port);
/* Length for connect/bind. */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ss);
/* "10.0.0.0/8", or an address alone (full length). Host bits must be zero. */
bool prefix_parse(span text, struct prefix *out);
bool prefix_has(const struct prefix *p, const struct addr *a);
/* The IPv4 address that an IPv6 address carries for a translator or a tunnel: NAT64 (RFC 6052, 8215), 6to4,
 * Teredo, ISATAP, SIIT and "compatible" forms. false: it carries none (mapped ones are IPv4 already). */
bool addr_embedded_v4(const struct addr *a, struct addr *v4);

/* Loopback, private, link-local, CGNAT, documentation-free list of IANA special-purpose blocks that a public
 * name must not lead to (RFC 6890; documentation prefixes count as public for laboratories). */
bool addr_is_private(const struct addr *a);

/* Unspecified, loopback, link-local, multicast, broadcast: never a destination of relayed traffic. */
bool addr_is_local(const struct addr *a);

/* Host name as decisions see it: lower case, without a trailing dot, letters digits hyphen underscore and
 * dots only, labels of 1-63, at most 253 bytes. Writes at most LIM_NAME_BYTES to out and returns the length,
 * 0 when it is not such a name. A name that is an IPv4 number in any spelling (hex, octal, one to four parts:
 * WHATWG URL section 3.5) is not a host name. */
size_t name_normalise(span in, uint8_t *out);
/* Any spelling of an IPv4 address that a browser would take (WHATWG URL "IPv4 parser"): 0x7f.1, 017700000001,
 * 2130706433. */
bool addr_parse_loose_v4(span text, struct addr *out);

#endif
