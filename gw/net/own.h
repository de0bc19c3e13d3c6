/* Is an address one of this machine's own? Asked of the kernel for every origin that is to be dialled, so
 * that nobody reaches the gateway through the gateway, whatever addresses its interfaces have at the moment.
 */
#ifndef GW_NET_OWN_H
#define GW_NET_OWN_H

#include "gw/base/addr.h"

/* Also true when the question could not be asked (no descriptor left): what is not known is not dialled. */
bool own_addr(const struct addr *a);

#endif
