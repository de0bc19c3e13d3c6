/* Origins that ask clients for a certificate of their own (threats.md row 47). Where a rule exempts such an
 * origin
 * (`exempt certificate asks-client-certificate ...`) the first flow dials it twice, before its client has
 * been answered; then the worker remembers name, address and port for LIM_ASKING_S, and the next flows go
 * there undecrypted at once. Each of them is decided by the policy in force all the same, and an entry whose
 * rule is gone goes with the reload. Nothing is remembered of an origin that no rule exempts, so a hostile
 * one cannot ask its way out of inspection. */
#ifndef GW_FLOW_ASKING_H
#define GW_FLOW_ASKING_H

#include "gw/base/addr.h"

struct flow;
struct judged;

/* Of a flow about to be decrypted, and the addresses it may dial, which our own look-up gave (or the client,
 * where it named nobody): is one of them known to ask, and does policy exempt that? Then the flow is exempt,
 * and only the known ones stay in `addrs`; their number. Else nothing changes, and it is `n`. */
size_t asking_exempts(struct flow *f, struct addr *addrs, size_t n);
/* The flow's origin asked, and `j` exempts it. */
void asking_learn(struct flow *f, const struct judged *j);
/* The origin asked in the middle of the connection, which will end: the next one follows the rule. */
void asking_late(struct flow *f);

#endif
