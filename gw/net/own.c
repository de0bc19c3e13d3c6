/* Own addresses; see own.h. A UDP socket is connected, which sends nothing but makes the kernel choose a
 * route and a source: for an address of our own, and for no other, the source is that address itself. */
#include "gw/net/own.h"

#include <sys/socket.h>
#include <unistd.h>

#include "gw/base/obj.h"

enum { ANY_PORT = 9 };

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
    return addr_eq(&source, a);
}
