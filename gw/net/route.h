/* Policy routing for diverted packets: a rule "what carries this mark is looked up in that table" and, in the
 * table, one route "everything is local", for both address families. Asked of the kernel by rtnetlink, no
 * program is started. The master adds them, the keeper (or an orderly stop) removes them; both may be done
 * twice. */
#ifndef GW_NET_ROUTE_H
#define GW_NET_ROUTE_H

#include "gw/base/buf.h"

struct route_divert {
    uint32_t mark, table, pref; /* pref: place of the rule among the machine's rules, small is early */
};

/* What the gateway uses ("PR"); no two gateways divert in one network namespace. */
enum { ROUTE_MARK = 0x5052, ROUTE_TABLE = 0x5052, ROUTE_PREF = 52 };
#define ROUTE_DIVERT_OURS \
    ((struct route_divert){.mark = ROUTE_MARK, .table = ROUTE_TABLE, .pref = ROUTE_PREF})

/* IO with one line in `err`; what was added before the failure is removed again. A machine without IPv6 is
 * fine. */
enum rc route_divert_add(const struct route_divert *d, struct buf *err) MUST_USE;
/* What is not there is no failure. */
enum rc route_divert_remove(const struct route_divert *d) MUST_USE;

#endif
