/* Own addresses; see own.h. A UDP socket is connected, which sends nothing but makes the kernel choose a
 * route and a source: for an address that an interface has, and for no other, the source is that address
 * itself. A block may be ours as a whole too (127.0.0.0/8; an address with its network on `lo`; `ip route add
 * local`): the kernel answers at all its addresses, and what goes there goes through the loopback device,
 * which alone takes packets of 64 KiB (the kernel says 65,535 for IPv4, whose packets cannot be larger). */
#include "gw/net/own.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { ANY_PORT = 9, WIRE_MOST = 65534 };

static bool stays_here(int fd, uint8_t family)
{
    int mtu = 0;
    socklen_t n = sizeof mtu;
    int failed = family == 4 ? getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &n)
                             : getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &n);
    return failed || mtu > WIRE_MOST;
}

bool own_addr(const struct addr *a)
{
    struct sockaddr_storage to, from = {0};
    socklen_t to_n = addr_to_sockaddr(a, ANY_PORT, &to), from_n = sizeof from;
    AUTO_CLOSE int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true;
    if (connect(fd, (struct sockaddr *)&to, to_n) < 0)
        return false; /* no route: the dial fails by itself */
    if (getsockname(fd, (struct sockaddr *)&from, &from_n) < 0)
        return true;
    struct addr source = addr_from_sockaddr(&from, NULL);
    return addr_eq(&source, a) || stays_here(fd, a->family);
}
